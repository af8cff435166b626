#pragma once

#include <cstddef>

#include "cpu/attention.h"
#include "cpu/relative_positions.h"
#include "cpu/visible_keys.h"
#include "encoder/plan.h"
#include "kernels/kernel_table.h"

namespace bert_native {

// Queries that are scored together.
struct ScoredQueries {
  const PlannedBlock& block;
  size_t row, count;        // rows [row, row + count) of the block
  const std::byte* strips;  // packed for products; of f32 where there are distance vectors
  const KeyRange* seen;     // by each, ascending at both ends

  size_t column(size_t query) const { return block.rows[row + query].position; }
  bool contiguous() const { return column(count - 1) - column(0) == count - 1; }
  // What the queries [first, first + number) see together.
  KeyRange seen_by(size_t first, size_t number) const { return {seen[first].begin, seen[first + number - 1].end}; }
};

// Scores of some queries over a block of keys.
struct BlockScores {
  float* values;
  size_t stride;

  // From the first key of a range on, which lies in one block of keys.
  float* row(size_t query, KeyRange range) const { return values + query * stride + range.begin % kAttentionKeyBlock; }
};

// What relative positions add to the scores of one head, before these are scaled. No sum depends on which queries are
// scored together.
class RelativeScores {
 public:
  RelativeScores(const AttentionLayer& layer, size_t head, const VisibleKeys& visible_keys, AttentionScratch& scratch,
                 const KernelTable& kernels);

  // Keys [packed.begin, packed.end) as strips in f32, which key distances need.
  void set_keys(const float* key_strips, KeyRange packed) {
    key_strips_ = key_strips;
    packed_ = packed;
  }

  void add(const ScoredQueries& queries, KeyRange keys, BlockScores scores);

 private:
  struct Products;

  Products multiply(const float* strip, size_t count, DistanceVectors vectors, DistanceRows::Range rows);
  void add_query_distances(const ScoredQueries& queries, KeyRange keys, BlockScores scores);
  void add_key_distances(const ScoredQueries& queries, KeyRange keys, BlockScores scores);
  void turn_and_add(const ScoredQueries& queries, size_t first, size_t count, KeyRange strip, KeyRange keys,
                    const Products& products, BlockScores scores);
  void add_biases(const ScoredQueries& queries, KeyRange keys, BlockScores scores);
  template <class Body>
  void for_each_run(size_t l, KeyRange keys, Body body) const;

  const AttentionLayer& layer_;
  const DistanceRows* distances_;  // null where distances play no part
  size_t head_;
  const VisibleKeys& visible_keys_;
  AttentionScratch& scratch_;
  const KernelTable& kernels_;
  const float* key_strips_ = nullptr;
  KeyRange packed_;
};

}  // namespace bert_native
