#include "encoder/plan.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>

#include "common/errors.h"

namespace bert_native {

namespace {

std::string place(size_t sequence, size_t position) {
  return "sequence " + std::to_string(sequence) + ", position " + std::to_string(position);
}

// ids: [length], or null.
void check_ids(ErrorCode code, const char* what, const int32_t* ids, size_t length, size_t limit, size_t sequence) {
  if (ids == nullptr) return;
  for (size_t position = 0; position < length; ++position) {
    if (ids[position] >= 0 && static_cast<size_t>(ids[position]) < limit) continue;
    throw Error(code, std::string(what) + " " + std::to_string(ids[position]) + " at " + place(sequence, position) +
                          ": expected 0 to " + std::to_string(limit - 1));
  }
}

void check_outputs(const EncoderSpecification& specification, const Sequence& sequence, size_t index) {
  const size_t layers = specification.layers.size();
  const std::string name = "sequence " + std::to_string(index);
  const auto check_count = [&](const char* what, size_t count, size_t expected) {
    if (count == 0 || count == expected) return;
    throw Error(ErrorCode::kShape,
                name + " asks for " + std::to_string(count) + " " + what + ": expected " + std::to_string(expected));
  };
  check_count("hidden_states", sequence.hidden_states.size(), layers + 1);
  check_count("attentions", sequence.attentions.size(), layers);
  if (sequence.pooler_output != nullptr && !specification.pooler) {
    throw Error(ErrorCode::kShape, name + " asks for pooler_output: this model has no pooler");
  }
}

void check_selection(const EncoderSpecification& specification, const Sequence& sequence, size_t index) {
  const std::string name = "sequence " + std::to_string(index);
  if (!sequence.heads.empty() && sequence.heads.size() != specification.heads.size()) {
    throw Error(ErrorCode::kShape, name + " asks for " + std::to_string(sequence.heads.size()) + " heads: expected " +
                                       std::to_string(specification.heads.size()));
  }
  if (sequence.pooled != nullptr && sequence.options.pooling.empty()) {
    throw Error(ErrorCode::kShape, name + " asks for pooled states by no mode: expected one or more");
  }
  for (size_t i = 0; sequence.head_positions != nullptr && i < sequence.head_position_count; ++i) {
    const int32_t position = sequence.head_positions[i], least = i == 0 ? 0 : sequence.head_positions[i - 1] + 1;
    if (position >= least && static_cast<size_t>(position) < sequence.length) continue;
    throw Error(ErrorCode::kShape, name + " has " + std::to_string(position) + " among its head positions behind " +
                                       std::to_string(least - 1) + ": expected ascending numbers below " +
                                       std::to_string(sequence.length));
  }
}

bool any(const std::vector<float*>& outputs) {
  return std::any_of(outputs.begin(), outputs.end(), [](const float* output) { return output != nullptr; });
}

// The masks of the layers, each once, without those under which no query's result depends on whether it sees a key.
std::vector<AttentionMask> partial_masks(const EncoderSpecification& specification) {
  std::vector<AttentionMask> masks;
  for (const LayerSpecification& layer : specification.layers) {
    const AttentionMask& mask = layer.attention.mask;
    if (mask.kind == AttentionMaskKind::kFull || layer.attention.zero_masked_queries) continue;
    if (std::find(masks.begin(), masks.end(), mask) == masks.end()) masks.push_back(mask);
  }
  return masks;
}

// Which of a sequence's last states its results are made of.
struct WantedStates {
  bool all_shown = false;  // every position that is shown
  bool listed = false;     // head_positions, as far as they are shown
  bool first = false;      // position 0, masked or not
  bool last_key = false;
  bool pooled_keys = false;  // every key that is not skipped
  bool pooled_head = false;  // what is made of pooled states is wanted even if they are zeros

  WantedStates(const EncoderSpecification& specification, const Sequence& sequence) {
    all_shown = sequence.last_hidden_state != nullptr || any(sequence.hidden_states) || any(sequence.attentions);
    first = sequence.pooler_output != nullptr;
    if (sequence.pooled != nullptr) add_modes(sequence.options.pooling);
    for (size_t head = 0; head < sequence.heads.size(); ++head) {
      if (sequence.heads[head] != nullptr) add_head(specification.heads[head], sequence);
    }
  }

  bool none() const { return !all_shown && !listed && !first && !last_key && !pooled_keys && !pooled_head; }

 private:
  void add_modes(const std::vector<Pooling>& modes) {
    for (const Pooling mode : modes) {
      (mode == Pooling::kCls ? first : mode == Pooling::kLastToken ? last_key : pooled_keys) = true;
    }
  }

  void add_head(const HeadSpecification& head, const Sequence& sequence) {
    switch (head.input) {
      case HeadInputKind::kTokens:
        (sequence.head_positions == nullptr ? all_shown : listed) = true;
        break;
      case HeadInputKind::kPooler:
        first = true;
        break;
      case HeadInputKind::kPooled:
        pooled_head = true;
        add_modes(head.modes);
        break;
    }
  }
};

bool is_listed(const Sequence& sequence, size_t position) {
  const int32_t* end = sequence.head_positions + sequence.head_position_count;
  return std::binary_search(sequence.head_positions, end, static_cast<int32_t>(position));
}

// Whether a masked position has to be computed, as a query.
bool needs_query(const WantedStates& wanted, const Sequence& sequence, size_t position) {
  if (wanted.first && position == 0) return true;
  if (!sequence.options.compute_masked_positions) return false;
  return wanted.all_shown || (wanted.listed && is_listed(sequence, position));
}

// Whether one of the masked positions that have to be computed sees no key of a sequence that has some.
bool has_blind_query(const AttentionMask& mask, const Sequence& sequence, const WantedStates& wanted) {
  const bool causal = mask.kind == AttentionMaskKind::kCausal;
  const size_t back = causal ? sequence.length : mask.window / 2, ahead = causal ? 0 : mask.window / 2;
  size_t last = sequence.length, next = 0;  // keys before the position, and behind it
  for (size_t position = 0; position < sequence.length; ++position) {
    if (is_key(sequence, position)) {
      last = position;
      continue;
    }
    while (next < sequence.length && (next < position || !is_key(sequence, next))) ++next;
    const bool sees_last = last < position && position - last <= back;
    const bool sees_next = next < sequence.length && next - position <= ahead;
    if (!sees_last && !sees_next && needs_query(wanted, sequence, position)) return true;
  }
  return false;
}

// Which rows a sequence needs.
struct Demand {
  size_t keys = 0;
  size_t masked = 0;  // masked positions that are computed as queries
  bool uniform_attention = false;
  bool blind_queries = false;

  size_t rows() const { return keys + masked; }
};

Demand demand(const std::vector<AttentionMask>& masks, const Sequence& sequence, const WantedStates& wanted) {
  Demand demand;
  if (sequence.length == 0 || wanted.none()) return demand;
  for (size_t position = 0; position < sequence.length; ++position) {
    if (is_key(sequence, position)) {
      ++demand.keys;
    } else {
      demand.masked += needs_query(wanted, sequence, position);
    }
  }
  if (demand.keys == 0) {
    demand.uniform_attention = demand.masked > 0 || wanted.pooled_head;
    demand.keys = demand.uniform_attention ? sequence.length : 0;
    demand.masked = 0;
    return demand;
  }
  demand.blind_queries = demand.masked > 0 && std::any_of(masks.begin(), masks.end(), [&](const AttentionMask& mask) {
                           return has_blind_query(mask, sequence, wanted);
                         });
  if (demand.blind_queries) demand.masked = sequence.length - demand.keys;
  return demand;
}

struct Candidate {
  const Sequence* sequence;
  WantedStates wanted;
  Demand demand;
};

void add_last_rows(PlannedBlock& block, size_t index, const WantedStates& wanted) {
  const PlannedSequence& planned = block.sequences[index];
  const Sequence& sequence = *planned.sequence;
  const size_t keys = planned.uniform_attention ? 0 : planned.key_count, before = block.last_rows.size();
  const size_t skip = std::min(keys, sequence.options.pooling_skip);
  const auto is_wanted = [&](size_t row, size_t position) {
    if (wanted.first && position == 0) return true;
    if (wanted.pooled_keys && row >= planned.key_begin + skip && row < planned.key_begin + keys) return true;
    if (wanted.last_key && row + 1 == planned.key_begin + keys) return true;
    return is_shown(sequence, position) && (wanted.all_shown || (wanted.listed && is_listed(sequence, position)));
  };
  const auto add_range = [&](size_t begin, size_t count) {
    for (size_t row = begin; row < begin + count; ++row) {
      if (is_wanted(row, block.rows[row].position)) block.last_rows.push_back(static_cast<uint32_t>(row));
    }
  };
  add_range(planned.key_begin, planned.key_count);
  add_range(planned.query_begin, planned.query_count);
  if (block.last_rows.size() == before) block.last_rows.push_back(static_cast<uint32_t>(planned.key_begin));
}

PlannedBlock lay_out(const EncoderSpecification& specification, std::vector<Candidate> candidates) {
  // The longest first, so that no thread starts on a long sequence when the others are done.
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) { return a.demand.keys > b.demand.keys; });
  PlannedBlock block;
  block.sequences.resize(candidates.size());
  const auto add_row = [&](size_t index, size_t position) {
    if (position == 0) block.sequences[index].first_row = block.rows.size();
    block.rows.push_back({static_cast<uint32_t>(index), static_cast<uint32_t>(position)});
  };
  for (size_t index = 0; index < candidates.size(); ++index) {
    const auto& [sequence, wanted, demand] = candidates[index];
    PlannedSequence& planned = block.sequences[index];
    planned.sequence = sequence;
    planned.uniform_attention = demand.uniform_attention;
    planned.blind_queries = demand.blind_queries;
    planned.key_begin = block.rows.size();
    planned.key_count = demand.keys;
    for (size_t position = 0; position < sequence->length; ++position) {
      if (demand.uniform_attention || is_key(*sequence, position)) add_row(index, position);
    }
  }
  block.key_rows = block.rows.size();
  for (size_t index = 0; index < candidates.size(); ++index) {
    const auto& [sequence, wanted, demand] = candidates[index];
    PlannedSequence& planned = block.sequences[index];
    planned.query_begin = block.rows.size();
    for (size_t position = 0; demand.masked > 0 && position < sequence->length; ++position) {
      if (is_key(*sequence, position)) continue;
      if (demand.blind_queries || needs_query(wanted, *sequence, position)) add_row(index, position);
    }
    planned.query_count = block.rows.size() - planned.query_begin;
  }
  const bool any_blind = std::any_of(block.sequences.begin(), block.sequences.end(),
                                     [](const PlannedSequence& planned) { return planned.blind_queries; });
  block.value_rows = any_blind ? block.rows.size() : block.key_rows;

  const size_t layers = specification.layers.size();
  if (layers == 0 || (layers == 1 && specification.convolution)) {
    block.last_rows.resize(block.rows.size());
    std::iota(block.last_rows.begin(), block.last_rows.end(), uint32_t{0});
    return block;
  }
  for (size_t index = 0; index < candidates.size(); ++index) add_last_rows(block, index, candidates[index].wanted);
  std::sort(block.last_rows.begin(), block.last_rows.end());
  return block;
}

}  // namespace

void check_batch(const EncoderSpecification& specification, const std::vector<Sequence>& sequences) {
  check_sequences(specification, sequences);
  for (size_t index = 0; index < sequences.size(); ++index) check_outputs(specification, sequences[index], index);
}

void check_sequences(const EncoderSpecification& specification, const std::vector<Sequence>& sequences) {
  const EmbeddingsSpecification& embeddings = specification.embeddings;
  for (size_t index = 0; index < sequences.size(); ++index) {
    const Sequence& sequence = sequences[index];
    if (sequence.length > specification.longest_sequence()) {
      throw Error(ErrorCode::kSequenceTooLong, "sequence " + std::to_string(index) + " has " +
                                                   std::to_string(sequence.length) + " positions: expected at most " +
                                                   std::to_string(specification.longest_sequence()));
    }
    if (sequence.length > 0 && sequence.input_ids == nullptr && sequence.inputs_embeds == nullptr) {
      throw Error(ErrorCode::kShape,
                  "sequence " + std::to_string(index) + " has neither input_ids nor inputs_embeds: expected one");
    }
    if (sequence.inputs_embeds == nullptr) {
      check_ids(ErrorCode::kTokenId, "token id", sequence.input_ids, sequence.length, embeddings.vocab_size, index);
    }
    if (embeddings.type_vocab_size > 0) {
      check_ids(ErrorCode::kTokenId, "token type id", sequence.token_type_ids, sequence.length,
                embeddings.type_vocab_size, index);
    }
    check_ids(ErrorCode::kSequenceTooLong, "position id", sequence.position_ids, sequence.length,
              embeddings.max_position_embeddings, index);
    check_selection(specification, sequence, index);
  }
}

size_t needed_rows(const EncoderSpecification& specification, const Sequence& sequence) {
  return demand(partial_masks(specification), sequence, WantedStates(specification, sequence)).rows();
}

PlannedBlock plan_block(const EncoderSpecification& specification, const std::vector<const Sequence*>& sequences) {
  const std::vector<AttentionMask> masks = partial_masks(specification);
  std::vector<Candidate> candidates;
  for (const Sequence* sequence : sequences) {
    const WantedStates wanted(specification, *sequence);
    const Demand needed = demand(masks, *sequence, wanted);
    if (needed.rows() > 0) candidates.push_back({sequence, wanted, needed});
  }
  return lay_out(specification, std::move(candidates));
}

}  // namespace bert_native
