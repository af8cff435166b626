#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "encoder/batch.h"
#include "encoder/specification.h"

namespace bert_native {

// A row of the packed batch: one position of one sequence.
struct PlannedRow {
  uint32_t sequence;  // index into PlannedBlock::sequences
  uint32_t position;  // column of the request
};

// Where one sequence lies in its block. Keys stand together in ascending position.
struct PlannedSequence {
  const Sequence* sequence = nullptr;
  size_t key_begin = 0, key_count = 0;      // rows that act as keys, and as queries
  size_t query_begin = 0, query_count = 0;  // rows of masked positions, which are only queries
  size_t first_row = 0;                     // of position 0, where a pooler needs it
  // No position is unmasked. The reference then adds the same lowest number to every score, so every position attends
  // to all of them equally: all rows count as keys here.
  bool uniform_attention = false;
  // Some of the rows that are only queries see no key in some layer. Each attends to all positions equally there, for
  // the same reason, masked ones included: all positions have rows then, and all rows need values.
  bool blind_queries = false;
};

// Whole sequences that run through the layers together. Rows: the keys of all sequences one after the other, the
// longest sequence first, then the rows that are only queries.
struct PlannedBlock {
  std::vector<PlannedSequence> sequences;
  std::vector<PlannedRow> rows;
  size_t key_rows = 0;
  size_t value_rows = 0;  // rows that need keys and values: key_rows, or all of them
  // Rows, ascending, whose last state a result is made of: the others end with the last layer's keys and values. Not
  // empty unless `rows` is. All of them where there is no layer, and where the only layer's output meets neighbours.
  std::vector<uint32_t> last_rows;
};

// Whether the position may act as a key.
inline bool is_key(const Sequence& sequence, size_t position) {
  return sequence.attention_mask == nullptr || sequence.attention_mask[position] != 0;
}

// Whether a per-token output shows the position's values; it shows zeros otherwise.
inline bool is_shown(const Sequence& sequence, size_t position) {
  return sequence.options.compute_masked_positions || is_key(sequence, position);
}

// Throws kTokenId for a token or type id outside its table; kSequenceTooLong for more positions than the model has, and
// for a position id beyond them; kShape where inputs or outputs do not fit the specification. Messages name sequence
// and position.
void check_batch(const EncoderSpecification& specification, const std::vector<Sequence>& sequences);

// The same, but for which outputs there are: of the specification's own, only its heads.
void check_sequences(const EncoderSpecification& specification, const std::vector<Sequence>& sequences);

// Rows that the sequence's results need computed; 0 where there is nothing to compute.
size_t needed_rows(const EncoderSpecification& specification, const Sequence& sequence);

// Lays checked sequences out as one block. Those that need no rows are left out.
PlannedBlock plan_block(const EncoderSpecification& specification, const std::vector<const Sequence*>& sequences);

}  // namespace bert_native
