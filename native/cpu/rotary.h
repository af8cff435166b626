#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "common/aligned_buffer.h"
#include "encoder/specification.h"
#include "kernels/kernel_table.h"

namespace bert_native {

// Rotary positions (Su et al. 2021): pair i of a head is turned by the angle position · inverse_frequencies[i]. Cosines
// and sines are computed in double, rounded to f32 and kept, some positions at a time as they are first used, up to 8
// MiB; those of positions beyond are computed each time. Legend: R pairs, D head size, A heads.
class RotaryTable {
 public:
  // position: of kind kRotary. longest_sequence: positions that are asked for, as a rule.
  RotaryTable(const AttentionPosition& position, size_t longest_sequence, const KernelTable& kernels);
  RotaryTable(const RotaryTable&) = delete;
  RotaryTable& operator=(const RotaryTable&) = delete;

  // Turns the first 2R columns of each head, in place. heads: [heads, D] back to back; for the queries and the keys of
  // a row of projections that are 2·A heads. Callable from several threads. Throws kMemory.
  void turn(float* heads, size_t count, size_t head_size, size_t position) const;

  // Whether it serves attention of this kind, too.
  bool serves(const AttentionPosition& position) const;
  size_t size_in_bytes() const;

 private:
  size_t row_size() const { return 2 * columns_; }
  const float* kept_row(size_t position) const;
  void compute_row(float* row, size_t position) const;

  const KernelTable& kernels_;
  std::vector<float> inverse_frequencies_;
  bool neighbours_;
  size_t columns_;  // cosines of a position: R, or 2R where pairs are neighbours
  size_t kept_positions_;
  // Rows of kChunkPositions positions, [cosines, sines] each; null until they are needed.
  mutable std::unique_ptr<std::atomic<const float*>[]> chunks_;
  mutable std::mutex mutex_;
  mutable std::vector<AlignedBuffer<float>> memory_;
};

// The tables of an encoder: one for all layers whose pairs turn alike.
class RotaryTables {
 public:
  RotaryTables(const EncoderSpecification& specification, const KernelTable& kernels);

  // Of a layer; null where its positions are not rotary.
  const RotaryTable* of(size_t layer) const { return of_layer_[layer]; }
  size_t size_in_bytes() const;

 private:
  std::vector<std::unique_ptr<RotaryTable>> tables_;
  std::vector<const RotaryTable*> of_layer_;
};

}  // namespace bert_native
