#include "encoder/pooling.h"

#include <cmath>
#include <string>
#include <vector>

#include "cpu/naive_heads.h"
#include "cpu/requests.h"
#include "harness.h"
#include "kernels/random.h"

namespace bert_native::test {

namespace {

const std::vector<std::vector<Pooling>> kModes = {
    {Pooling::kCls},
    {Pooling::kMax},
    {Pooling::kMean},
    {Pooling::kMeanSqrtLength},
    {Pooling::kWeightedMean},
    {Pooling::kLastToken},
    {Pooling::kWeightedMean, Pooling::kCls, Pooling::kWeightedMean, Pooling::kMax},
};

// Keys stand together, as in a planned block; position 0 behind them where it is masked.
void agrees_with_naive(Isa isa, size_t length, size_t width, Mask mask, size_t skip) {
  const KernelTable& kernels = *kernel_table(isa);
  const size_t stride = width + 3;
  std::vector<uint8_t> keep(length);
  Sequence sequence;
  sequence.length = length;
  sequence.attention_mask = keep.data();
  std::vector<PlannedRow> rows;
  std::vector<float> packed;
  Rows all(length, Row(width));
  std::vector<float> first(width), values(width);
  for (size_t position = 0; position < length; ++position) {
    keep[position] = Request::masked(mask, position, length) ? 0 : 1;
    normal_values(values.data(), width, 5 + position, 0, 1);
    all[position].assign(values.begin(), values.end());
    if (position == 0) first = values;
    if (keep[position] == 0) continue;
    rows.push_back({0, static_cast<uint32_t>(position)});
    packed.insert(packed.end(), values.begin(), values.end());
    packed.resize(rows.size() * stride, NAN);
  }
  PooledStates states;
  states.first = first.data();
  if (rows.size() > skip) {
    states.last = packed.data() + (rows.size() - 1) * stride;
    states.keys = packed.data() + skip * stride;
    states.rows = rows.data() + skip;
    states.key_count = rows.size() - skip;
    states.stride = stride;
  }
  for (const std::vector<Pooling>& modes : kModes) {
    std::vector<float> actual(modes.size() * width, NAN);
    pool_f32(actual.data(), modes, states, width, kernels);
    const Row expected = naive_pool(all, sequence, modes, skip);
    for (size_t i = 0; i < expected.size(); ++i) {
      BN_CHECK(std::fabs(actual[i] - expected[i]) <= 2e-6 * (1 + std::fabs(expected[i])),
               "mode " + std::to_string(static_cast<int>(modes[0])) + "[" + std::to_string(i) + "] is " +
                   std::to_string(actual[i]) + ", expected " + std::to_string(expected[i]));
    }
  }
}

void add_tests() {
  for (const Isa isa : available_isas()) {
    add(std::string("encoder/pooling: agrees with float64, ") + isa_name(isa), [isa] {
      for (const size_t length : {1, 2, 9, 130}) {
        for (const size_t width : {1, 7, 64, 300, 513}) {
          for (const Mask mask : {Mask::kAll, Mask::kRight, Mask::kLeft, Mask::kInterior, Mask::kNothing, Mask::kOne}) {
            for (const size_t skip : {0, 1, 4, 200}) agrees_with_naive(isa, length, width, mask, skip);
          }
        }
      }
    });
  }
}

const Registration registration(add_tests);

}  // namespace

}  // namespace bert_native::test
