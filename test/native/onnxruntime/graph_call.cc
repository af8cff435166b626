#include "onnxruntime/graph_call.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "harness.h"
#include "kernels/random.h"
#include "onnxruntime/graph_runner.h"

namespace bert_native::test {

namespace {

// What a row's outputs have to be, computed from the request alone.
class Expected {
 public:
  Expected(const GraphCall& call, size_t row)
      : row_(call.rows[row]), wanted_(call.wanted), padding_(call.encoder->specification.embeddings.position_padding_id) {
    for (size_t s = 0; s < row_.ids.size(); ++s) keys_ += is_key(s);
  }

  bool is_key(size_t s) const { return row_.mask.empty() || row_.mask[s] != 0; }
  bool is_shown(size_t s) const { return wanted_.compute_masked || is_key(s); }
  float state(size_t s, size_t h) const {
    const int32_t type = row_.types.empty() ? 0 : row_.types[s];
    return fake_state(row_.ids[s], type, position(s), keys_ == 0 ? row_.ids.size() : keys_, h);
  }
  float shown(size_t s, size_t h, float added) const { return is_shown(s) ? state(s, h) + added : 0; }

  std::vector<float> pooled() const {
    std::vector<float> out;
    std::vector<size_t> keys;
    for (size_t s = 0; s < row_.ids.size(); ++s) {
      if (is_key(s)) keys.push_back(s);
    }
    keys.erase(keys.begin(), keys.begin() + static_cast<ptrdiff_t>(std::min(keys.size(), wanted_.skip)));
    for (const Pooling mode : wanted_.pooling) {
      for (size_t h = 0; h < kFakeHidden; ++h) out.push_back(pool(mode, keys, h));
    }
    double norm = 0;
    for (const float x : out) norm += double{x} * double{x};
    for (float& x : out) x = wanted_.normalize && norm > 0 ? static_cast<float>(x / std::sqrt(norm)) : x;
    return out;
  }

 private:
  int32_t position(size_t s) const {
    if (!row_.positions.empty()) return row_.positions[s];
    if (!padding_) return static_cast<int32_t>(s);
    if (row_.ids[s] == *padding_) return *padding_;
    return *padding_ + static_cast<int32_t>(s + 1 - static_cast<size_t>(std::count(
                                                row_.ids.begin(), row_.ids.begin() + static_cast<ptrdiff_t>(s), *padding_)));
  }

  float pool(Pooling mode, const std::vector<size_t>& keys, size_t h) const {
    if (mode == Pooling::kCls) return row_.ids.empty() ? 0 : state(0, h);
    if (keys.empty()) return 0;
    double sum = 0, weights = 0, most = -1e9;
    for (const size_t s : keys) {
      const double weight = mode == Pooling::kWeightedMean ? static_cast<double>(s + 1) : 1;
      sum += weight * double{state(s, h)};
      weights += weight;
      most = std::max(most, double{state(s, h)});
    }
    if (mode == Pooling::kMax) return static_cast<float>(most);
    if (mode == Pooling::kLastToken) return state(keys.back(), h);
    return static_cast<float>(sum / (mode == Pooling::kMeanSqrtLength ? std::sqrt(weights) : weights));
  }

  const GraphRow& row_;
  const GraphWanted& wanted_;
  std::optional<int32_t> padding_;
  size_t keys_ = 0;
};

void check(const char* what, size_t row, const float* got, const std::vector<float>& expected) {
  for (size_t i = 0; i < expected.size(); ++i) {
    if (std::abs(got[i] - expected[i]) <= 1e-5f + 1e-5f * std::abs(expected[i])) continue;
    fail(__FILE__, __LINE__, std::string(what) + " of row " + std::to_string(row) + ", element " + std::to_string(i) +
                                 ": " + std::to_string(got[i]) + ", expected " + std::to_string(expected[i]));
  }
}

}  // namespace

GraphCall::GraphCall(std::shared_ptr<const GraphEncoder> of, std::vector<GraphRow> given, const GraphWanted& what,
                     bool stays)
    : rows(std::move(given)), wanted(what) {
  encoder = std::move(of);
  outputs_stay = stays;
  size_t positions = 0, squares = 0;
  for (const GraphRow& row : rows) {
    positions += row.ids.size();
    squares += row.ids.size() * row.ids.size();
  }
  const auto room = [](std::vector<float>& numbers, bool is_wanted, size_t size) {
    numbers.assign(is_wanted ? size : 0, NAN);
    return is_wanted ? numbers.data() : nullptr;
  };
  const size_t H = kFakeHidden, listed = wanted.head_positions.size();
  float* to_states = room(states, wanted.states, positions * H);
  float* to_pooler = room(pooler, wanted.pooler, rows.size() * H);
  float* to_pooled = room(pooled, !wanted.pooling.empty(), rows.size() * wanted.pooling.size() * H);
  const size_t head_rows = listed > 0 ? rows.size() * listed : positions;
  float* to_labels = room(labels, wanted.heads, head_rows * kFakeLabels);
  float* to_span = room(span, wanted.heads, head_rows * 2);
  float* to_classes = room(classes, wanted.heads, rows.size() * kFakeLabels);
  hidden.resize(wanted.layers ? kFakeLayers + 1 : 0);
  attention.resize(wanted.layers ? kFakeLayers : 0);
  for (auto& numbers : hidden) room(numbers, true, positions * H);
  for (auto& numbers : attention) room(numbers, true, squares * kFakeHeads);

  size_t first = 0, square = 0;
  for (const GraphRow& row : rows) {
    const size_t S = row.ids.size(), shown = listed > 0 ? listed : S;
    Sequence sequence;
    sequence.length = S;
    sequence.input_ids = row.ids.data();
    if (!row.mask.empty()) sequence.attention_mask = row.mask.data();
    if (!row.types.empty()) sequence.token_type_ids = row.types.data();
    if (!row.positions.empty()) sequence.position_ids = row.positions.data();
    const auto advance = [](float*& to, size_t size) { return to == nullptr ? nullptr : std::exchange(to, to + size); };
    sequence.last_hidden_state = advance(to_states, S * H);
    sequence.pooler_output = advance(to_pooler, H);
    sequence.pooled = advance(to_pooled, wanted.pooling.size() * H);
    if (wanted.heads) {
      sequence.heads = {advance(to_labels, shown * kFakeLabels), advance(to_span, shown * 2), advance(to_classes, kFakeLabels)};
    }
    if (listed > 0) sequence.head_positions = wanted.head_positions.data();
    sequence.head_position_count = listed;
    for (auto& numbers : hidden) sequence.hidden_states.push_back(numbers.data() + first * H);
    for (auto& numbers : attention) sequence.attentions.push_back(numbers.data() + square * kFakeHeads);
    sequence.options.compute_masked_positions = wanted.compute_masked;
    if (!wanted.pooling.empty()) sequence.options.pooling = wanted.pooling;
    sequence.options.pooling_skip = wanted.skip;
    sequence.options.normalize = wanted.normalize;
    sequences.push_back(sequence);
    first += S;
    square += S * S;
  }
  done = [this](std::exception_ptr thrown) { promise.set_value(thrown); };
}

void GraphCall::await() {
  if (const std::exception_ptr thrown = outcome.get()) std::rethrow_exception(thrown);
}

void GraphCall::check_results() const {
  for (size_t row = 0; row < rows.size(); ++row) {
    const Sequence& sequence = sequences[row];
    const Expected expected(*this, row);
    const size_t S = sequence.length;
    const auto over_positions = [&](const char* what, const float* got, float added) {
      std::vector<float> numbers;
      for (size_t i = 0; i < S * kFakeHidden; ++i) numbers.push_back(expected.shown(i / kFakeHidden, i % kFakeHidden, added));
      if (got != nullptr) check(what, row, got, numbers);
    };
    over_positions("last_hidden_state", sequence.last_hidden_state, 0);
    for (size_t layer = 0; layer < hidden.size(); ++layer) {
      over_positions("hidden_states", sequence.hidden_states[layer], static_cast<float>(1 + layer));
    }
    for (size_t layer = 0; layer < attention.size(); ++layer) {
      std::vector<float> numbers;
      for (size_t i = 0; i < kFakeHeads * S * S; ++i) {
        const size_t query = i / S % S, key = i % S;
        const bool given = expected.is_shown(query) && expected.is_key(key);
        numbers.push_back(given ? fake_probability(i / S / S, query, key) : 0);
      }
      check("attentions", row, sequence.attentions[layer], numbers);
    }
    std::vector<float> first_row, class_row;
    for (size_t h = 0; h < kFakeHidden && S > 0; ++h) first_row.push_back(-expected.state(0, h));
    for (size_t n = 0; n < kFakeLabels && S > 0; ++n) class_row.push_back(expected.state(0, 0) + 10 * static_cast<float>(n));
    if (wanted.pooler) check("pooler_output", row, sequence.pooler_output, first_row);
    if (!wanted.pooling.empty()) check("pooled", row, sequence.pooled, expected.pooled());
    if (!wanted.heads) continue;
    check("classes", row, sequence.heads[2], class_row);
    std::vector<float> label_rows, span_rows;
    const size_t listed = wanted.head_positions.size();
    for (size_t i = 0; i < (listed > 0 ? listed : S); ++i) {
      const size_t s = listed > 0 ? static_cast<size_t>(wanted.head_positions[i]) : i;
      for (size_t n = 0; n < kFakeLabels; ++n) label_rows.push_back(expected.shown(s, 0, 20 * static_cast<float>(n)));
      for (size_t n = 0; n < 2; ++n) span_rows.push_back(expected.shown(s, 0, 1 + static_cast<float>(n)));
    }
    check("labels", row, sequence.heads[0], label_rows);
    check("span", row, sequence.heads[1], span_rows);
  }
}

std::shared_ptr<GraphCall> submit(const std::shared_ptr<const GraphEncoder>& encoder, std::vector<GraphRow> rows,
                                  const GraphWanted& wanted, bool stays) {
  auto call = std::make_shared<GraphCall>(encoder, std::move(rows), wanted, stays);
  GraphRunner::instance().submit(call);
  return call;
}

std::vector<GraphRow> plain_rows(const std::vector<size_t>& lengths, uint32_t seed) {
  std::vector<GraphRow> rows;
  uint32_t count = 0;
  for (const size_t length : lengths) {
    GraphRow& row = rows.emplace_back();
    while (row.ids.size() < length) row.ids.push_back(static_cast<int32_t>(philox4x32({count++, 0, 0, 0}, {seed, 0})[0] % 31));
  }
  return rows;
}

}  // namespace bert_native::test
