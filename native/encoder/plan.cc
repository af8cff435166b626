#include "encoder/plan.h"

#include <algorithm>
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
  const auto check_count = [&](const char* what, size_t count, size_t expected) {
    if (count == 0 || count == expected) return;
    throw Error(ErrorCode::kShape, "sequence " + std::to_string(index) + " asks for " + std::to_string(count) + " " +
                                       what + ": expected " + std::to_string(expected));
  };
  check_count("hidden_states", sequence.hidden_states.size(), layers + 1);
  check_count("attentions", sequence.attentions.size(), layers);
  if (sequence.pooler_output != nullptr && !specification.pooler) {
    throw Error(ErrorCode::kShape,
                "sequence " + std::to_string(index) + " asks for pooler_output: this model has no pooler");
  }
}

bool any(const std::vector<float*>& outputs) {
  return std::any_of(outputs.begin(), outputs.end(), [](const float* output) { return output != nullptr; });
}

// The masks of the layers, each once, without those that show every key.
std::vector<AttentionMask> partial_masks(const EncoderSpecification& specification) {
  std::vector<AttentionMask> masks;
  for (const LayerSpecification& layer : specification.layers) {
    if (layer.attention.mask.kind == AttentionMaskKind::kFull) continue;
    if (std::find(masks.begin(), masks.end(), layer.attention.mask) == masks.end())
      masks.push_back(layer.attention.mask);
  }
  return masks;
}

// Whether position 0 (`only_first`), or any, sees no key of a sequence that has some. Where a window is wide enough for
// the middle of a gap between two keys, it is for the whole gap.
bool has_blind_query(const AttentionMask& mask, const Sequence& sequence, bool only_first) {
  const bool causal = mask.kind == AttentionMaskKind::kCausal;
  const size_t reach = causal ? 0 : mask.window / 2;
  size_t first = 0;
  while (!is_key(sequence, first)) ++first;
  if (first > reach) return true;
  if (only_first || causal) return false;
  size_t last = first;
  for (size_t position = first + 1; position < sequence.length; ++position) {
    if (!is_key(sequence, position)) continue;
    if (position - last > 2 * reach + 1) return true;
    last = position;
  }
  return sequence.length - 1 - last > reach;
}

// Which rows a sequence needs.
struct Demand {
  size_t keys = 0;
  bool uniform_attention = false;
  bool blind_queries = false;
  bool first = false;       // position 0, masked or not
  bool all_masked = false;  // every masked position, as a query

  size_t rows(size_t length) const {
    if (all_masked) return length;
    return keys + (first ? 1 : 0);
  }
};

Demand demand(const std::vector<AttentionMask>& masks, const Sequence& sequence) {
  const OutputOptions& options = sequence.options;
  Demand demand;
  if (sequence.length == 0) return demand;
  const bool per_token =
      sequence.last_hidden_state != nullptr || any(sequence.hidden_states) || any(sequence.attentions);
  const bool first = sequence.pooler_output != nullptr ||
                     (sequence.pooled != nullptr && std::find(options.pooling.begin(), options.pooling.end(),
                                                              Pooling::kCls) != options.pooling.end());
  if (!per_token && !first && sequence.pooled == nullptr) return demand;
  for (size_t position = 0; position < sequence.length; ++position) demand.keys += is_key(sequence, position);
  demand.all_masked = per_token && options.compute_masked_positions;
  if (demand.keys == 0) {
    demand.uniform_attention = demand.all_masked || first;
    demand.keys = demand.uniform_attention ? sequence.length : 0;
    demand.all_masked = false;
    return demand;
  }
  demand.first = first && !demand.all_masked && !is_key(sequence, 0);
  if (demand.keys < sequence.length && (demand.all_masked || demand.first)) {
    demand.blind_queries = std::any_of(masks.begin(), masks.end(), [&](const AttentionMask& mask) {
      return has_blind_query(mask, sequence, demand.first);
    });
  }
  if (demand.blind_queries) {
    demand.all_masked = true;
    demand.first = false;
  }
  return demand;
}

struct Candidate {
  const Sequence* sequence;
  Demand demand;
};

PlannedBlock lay_out(std::vector<Candidate> candidates) {
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
    const auto& [sequence, demand] = candidates[index];
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
    const auto& [sequence, demand] = candidates[index];
    PlannedSequence& planned = block.sequences[index];
    planned.query_begin = block.rows.size();
    const size_t end = demand.all_masked ? sequence->length : demand.first ? 1 : 0;
    for (size_t position = 0; position < end; ++position) {
      if (!is_key(*sequence, position)) add_row(index, position);
    }
    planned.query_count = block.rows.size() - planned.query_begin;
  }
  const bool any_blind = std::any_of(block.sequences.begin(), block.sequences.end(),
                                     [](const PlannedSequence& planned) { return planned.blind_queries; });
  block.value_rows = any_blind ? block.rows.size() : block.key_rows;
  return block;
}

}  // namespace

void check_batch(const EncoderSpecification& specification, const std::vector<Sequence>& sequences) {
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
    check_outputs(specification, sequence, index);
  }
}

size_t needed_rows(const EncoderSpecification& specification, const Sequence& sequence) {
  return demand(partial_masks(specification), sequence).rows(sequence.length);
}

PlannedBlock plan_block(const EncoderSpecification& specification, const std::vector<const Sequence*>& sequences) {
  const std::vector<AttentionMask> masks = partial_masks(specification);
  std::vector<Candidate> candidates;
  for (const Sequence* sequence : sequences) {
    const Demand needed = demand(masks, *sequence);
    if (needed.rows(sequence->length) > 0) candidates.push_back({sequence, needed});
  }
  return lay_out(std::move(candidates));
}

}  // namespace bert_native
