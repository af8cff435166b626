#include "cpu/rotary.h"

#include <cmath>
#include <string>
#include <thread>
#include <vector>

#include "common/cpu_features.h"
#include "cpu/requests.h"
#include "harness.h"
#include "kernels/random.h"

namespace bert_native::test {

namespace {

AttentionPosition rotary_position(size_t pairs, bool neighbours, double theta = 10000) {
  AttentionPosition position;
  position.kind = AttentionPositionKind::kRotary;
  position.neighbours = neighbours;
  for (size_t i = 0; i < pairs; ++i) {
    position.inverse_frequencies.push_back(
        static_cast<float>(std::pow(theta, -static_cast<double>(i) / static_cast<double>(pairs))));
  }
  return position;
}

std::vector<float> random_heads(size_t count, size_t head_size) {
  std::vector<float> heads(count * head_size);
  normal_values(heads.data(), heads.size(), 3, 0, 1);
  return heads;
}

void agrees_with_double(Isa isa) {
  constexpr size_t kCount = 3;
  for (const bool neighbours : {false, true}) {
    for (const size_t pairs : {size_t{1}, size_t{3}, size_t{4}, size_t{11}, size_t{16}, size_t{32}, size_t{33}}) {
      for (const size_t head_size : {2 * pairs, 2 * pairs + 5}) {
        const AttentionPosition position = rotary_position(pairs, neighbours);
        const RotaryTable table(position, 700, *kernel_table(isa));
        for (const size_t at : {size_t{0}, size_t{1}, size_t{63}, size_t{64}, size_t{699}, size_t{12345}}) {
          const std::vector<float> before = random_heads(kCount, head_size);
          std::vector<float> after = before;
          table.turn(after.data(), kCount, head_size, at);
          std::vector<double> expected(before.begin(), before.end());
          for (size_t head = 0; head < kCount; ++head) {
            for (size_t i = 0; i < pairs; ++i) {
              const size_t a = head * head_size + (neighbours ? 2 * i : i), b = neighbours ? a + 1 : a + pairs;
              const double angle = static_cast<double>(at) * position.inverse_frequencies[i];
              expected[a] = before[a] * std::cos(angle) - before[b] * std::sin(angle);
              expected[b] = before[b] * std::cos(angle) + before[a] * std::sin(angle);
            }
          }
          for (size_t i = 0; i < after.size(); ++i) {
            BN_CHECK(std::fabs(after[i] - expected[i]) <= 1e-6, "position " + std::to_string(at) + ", " +
                                                                    std::to_string(pairs) + " pairs, element " +
                                                                    std::to_string(i));
          }
          for (size_t i = 2 * pairs; i < head_size; ++i)
            BN_CHECK(after[i] == before[i], "a column behind the pairs moved");
        }
      }
    }
  }
}

// The bits of a position do not depend on whether its table is kept.
void same_bits_beyond_the_table(Isa isa) {
  for (const bool neighbours : {false, true}) {
    const AttentionPosition position = rotary_position(20, neighbours);
    const RotaryTable short_table(position, 1, *kernel_table(isa)), long_table(position, 1000, *kernel_table(isa));
    for (const size_t at : {size_t{0}, size_t{1}, size_t{500}, size_t{999}}) {
      std::vector<float> a = random_heads(4, 64), b = a;
      short_table.turn(a.data(), 4, 64, at);
      long_table.turn(b.data(), 4, 64, at);
      BN_CHECK(same_bits(a, b), "position " + std::to_string(at));
    }
  }
}

void threads_share_a_table() {
  const AttentionPosition position = rotary_position(32, false);
  const KernelTable& kernels = *kernel_table(Isa::kScalar);
  const RotaryTable shared(position, 2000, kernels), own(position, 2000, kernels);
  std::vector<std::vector<float>> rows(2000, random_heads(2, 64)), expected = rows;
  std::vector<std::thread> threads;
  for (size_t thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (size_t at = thread; at < rows.size(); at += 4) shared.turn(rows[at].data(), 2, 64, at);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (size_t at = 0; at < rows.size(); ++at) {
    own.turn(expected[at].data(), 2, 64, at);
    BN_CHECK(same_bits(rows[at], expected[at]), "position " + std::to_string(at));
  }
}

void memory_is_bounded() {
  const RotaryTable table(rotary_position(4096, true), size_t{1} << 24, *kernel_table(Isa::kScalar));
  std::vector<float> head(8192);
  BN_CHECK(table.size_in_bytes() == 0, "memory is taken before it is needed");
  for (size_t at = 0; at < 1000; ++at) table.turn(head.data(), 1, head.size(), at);
  BN_CHECK(table.size_in_bytes() <= size_t{8} << 20, std::to_string(table.size_in_bytes()) + " bytes");
}

void layers_share_tables() {
  EncoderSpecification specification;
  specification.embeddings.max_position_embeddings = 100;
  specification.layers.resize(6);
  specification.layers[0].attention.position = rotary_position(8, false);
  specification.layers[1].attention.position = rotary_position(8, false, 160000);
  specification.layers[3].attention.position = rotary_position(8, false);
  specification.layers[4].attention.position = rotary_position(8, true);
  const RotaryTables tables(specification, *kernel_table(Isa::kScalar));
  BN_CHECK(tables.of(0) != nullptr && tables.of(0) == tables.of(3), "equal layers have two tables");
  BN_CHECK(tables.of(1) != tables.of(0) && tables.of(4) != tables.of(0), "different layers have one table");
  BN_CHECK(tables.of(2) == nullptr && tables.of(5) == nullptr, "a layer without rotary positions has a table");
}

void add_tests() {
  for (const Isa isa : available_isas()) {
    const std::string suffix = std::string(", ") + isa_name(isa);
    add("cpu/rotary: agrees with double" + suffix, [isa] { agrees_with_double(isa); });
    add("cpu/rotary: same bits beyond the table" + suffix, [isa] { same_bits_beyond_the_table(isa); });
  }
  add("cpu/rotary: threads share a table", threads_share_a_table);
  add("cpu/rotary: memory is bounded", memory_is_bounded);
  add("cpu/rotary: layers that turn alike share a table", layers_share_tables);
}

const Registration registration(add_tests);

}  // namespace

}  // namespace bert_native::test
