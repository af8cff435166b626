#include "cpu/relative_scores.h"

#include <algorithm>

#include "cpu/product.h"

namespace bert_native {

namespace {

// Queries that are added together where the products with a strip of keys have to be turned over.
constexpr size_t kTurnedQueries = 32;

}  // namespace

// Products of the rows of a strip with vectors of the table.
struct RelativeScores::Products {
  float* values;  // [gemm_rows, stride]
  size_t stride;
  size_t first;  // row of the table that column 0 belongs to
};

RelativeScores::RelativeScores(const AttentionLayer& layer, size_t head, const VisibleKeys& visible_keys,
                               AttentionScratch& scratch, const KernelTable& kernels)
    : layer_(layer),
      distances_(layer.distance_rows),
      head_(head),
      visible_keys_(visible_keys),
      scratch_(scratch),
      kernels_(kernels) {}

void RelativeScores::add(const ScoredQueries& queries, KeyRange keys, BlockScores scores) {
  if (layer_.query_distances.panels != nullptr) add_query_distances(queries, keys, scores);
  if (layer_.key_distances.panels != nullptr) add_key_distances(queries, keys, scores);
  if (layer_.bias != nullptr) add_biases(queries, keys, scores);
}

// DistanceRows::for_each_run() for keys that may have gaps.
template <class Body>
void RelativeScores::for_each_run(size_t l, KeyRange keys, Body body) const {
  if (visible_keys_.contiguous()) {
    distances_->for_each_run(l, visible_keys_.column(keys.begin), keys.size(), body);
    return;
  }
  for (size_t i = 0; i < keys.size(); ++i) {
    const uint32_t row = distances_->of(l, visible_keys_.column(keys.begin + i));
    body(i, 1, &row, false);
  }
}

RelativeScores::Products RelativeScores::multiply(const float* strip, size_t count, DistanceVectors vectors,
                                                  DistanceRows::Range rows) {
  const size_t cols = kernels_.gemm_cols, depth = layer_.head_size;
  const size_t panel_begin = rows.first / cols, panel_end = rows.last / cols + 1;
  const size_t stride = row_stride((panel_end - panel_begin) * cols);
  const Products products{scratch_.get(AttentionScratch::kDistanceProducts, kernels_.gemm_rows * stride), stride,
                          panel_begin * cols};
  const float* panels = vectors.panels + head_ * vectors.head_elements;
  for (size_t panel = panel_begin; panel < panel_end; ++panel) {
    kernels_.gemm_tile_f32(products.values + (panel - panel_begin) * cols, stride, strip, panels + panel * cols * depth,
                           count, depth, false);
  }
  return products;
}

// scores[l, r] += q_l · a_{l-r}     Shaw et al. 2018, eq. 5; He et al. 2020, "content to position"
void RelativeScores::add_query_distances(const ScoredQueries& queries, KeyRange keys, BlockScores scores) {
  const size_t strip_rows = kernels_.gemm_rows;
  for (size_t first = 0; first < queries.count; first += strip_rows) {
    const size_t count = std::min(strip_rows, queries.count - first);
    const KeyRange range = queries.seen_by(first, count).within(keys);
    if (range.empty()) continue;
    const auto touched = distances_->between(queries.column(first), queries.column(first + count - 1),
                                             visible_keys_.column(range.begin), visible_keys_.column(range.end - 1));
    const Products products = multiply(reinterpret_cast<const float*>(queries.strips) + first * layer_.head_size, count,
                                       layer_.query_distances, touched);
    for (size_t query = first; query < first + count; ++query) {
      const KeyRange own = queries.seen[query].within(range);
      if (own.empty()) continue;
      const float* values = products.values + (query - first) * products.stride;
      float* x = scores.row(query, own);
      for_each_run(queries.column(query), own, [&](size_t i, size_t n, const uint32_t* rows, bool falling) {
        if (falling) {
          kernels_.add_reversed_f32(x + i, values + (rows[n - 1] - products.first), n);
        } else {
          for (size_t j = 0; j < n; ++j) x[i + j] += values[rows[j] - products.first];
        }
      });
    }
  }
}

// scores[l, r] += k_r · b_{l-r}     Huang et al. 2020, method 4; He et al. 2020, "position to content"
void RelativeScores::add_key_distances(const ScoredQueries& queries, KeyRange keys, BlockScores scores) {
  const size_t strip_rows = kernels_.gemm_rows, l_first = queries.column(0), l_last = queries.column(queries.count - 1);
  const bool contiguous = visible_keys_.contiguous() && queries.contiguous();
  const size_t first_strip = (keys.begin - packed_.begin) / strip_rows;
  for (size_t begin = packed_.begin + first_strip * strip_rows; begin < keys.end; begin += strip_rows) {
    const KeyRange strip{begin, std::min(begin + strip_rows, packed_.end)};
    const size_t r = visible_keys_.column(strip.begin);
    const Products products =
        multiply(key_strips_ + (begin - packed_.begin) * layer_.head_size, strip.size(), layer_.key_distances,
                 distances_->between(l_first, l_last, r, visible_keys_.column(strip.end - 1)));
    for (size_t first = 0; first < queries.count; first += kTurnedQueries) {
      const size_t count = std::min(kTurnedQueries, queries.count - first), l = queries.column(first);
      if (contiguous && distances_->fall_between(l, l + count - 1, r, r + strip.size() - 1)) {
        turn_and_add(queries, first, count, strip, keys, products, scores);
        continue;
      }
      for (size_t query = first; query < first + count; ++query) {
        const KeyRange own = queries.seen[query].within(keys).within(strip);
        if (own.empty()) continue;
        const float* values = products.values + (own.begin - strip.begin) * products.stride;
        float* x = scores.row(query, own);
        for_each_run(queries.column(query), own, [&](size_t i, size_t n, const uint32_t* rows, bool) {
          for (size_t j = i; j < i + n; ++j) x[j] += values[j * products.stride + (rows[j - i] - products.first)];
        });
      }
    }
  }
}

// Where rows rise by one with the query and fall with the key, the products with a key shifted by its distance from the
// first are those of the queries in turn.
void RelativeScores::turn_and_add(const ScoredQueries& queries, size_t first, size_t count, KeyRange strip,
                                  KeyRange keys, const Products& products, BlockScores scores) {
  const size_t strip_rows = kernels_.gemm_rows;
  const size_t row = distances_->of(queries.column(first), visible_keys_.column(strip.begin));
  float* turned = scratch_.get(AttentionScratch::kTurnedProducts, kTurnedQueries * strip_rows);
  kernels_.gemm_pack_strip_f32(turned, products.values + (row - products.first), products.stride - 1, strip.size(),
                               count);
  for (size_t i = 0; i < count; ++i) {
    const KeyRange own = queries.seen[first + i].within(keys).within(strip);
    if (own.empty()) continue;
    kernels_.add_f32(scores.row(first + i, own), turned + i * strip_rows + (own.begin - strip.begin), own.size());
  }
}

// scores[l, r] += √(D · scale_factor) c_{l-r}, which the scaling takes back. Raffel et al. 2020
void RelativeScores::add_biases(const ScoredQueries& queries, KeyRange keys, BlockScores scores) {
  const float* biases = layer_.bias + head_;
  const float root = layer_.root();
  const auto bias_of = [&](size_t row) { return root * biases[row * layer_.heads]; };
  if (visible_keys_.contiguous() && queries.contiguous()) {
    // By r - l, from the last query's first key on.
    const size_t count = keys.size() + queries.count - 1;
    float* expanded = scratch_.get(AttentionScratch::kDistanceProducts, count);
    const size_t l_last = queries.column(queries.count - 1), r_first = visible_keys_.column(keys.begin);
    distances_->for_each_run(l_last, r_first, count, [&](size_t i, size_t n, const uint32_t* rows, bool) {
      for (size_t j = 0; j < n; ++j) expanded[i + j] = bias_of(rows[j]);
    });
    for (size_t query = 0; query < queries.count; ++query) {
      const KeyRange own = queries.seen[query].within(keys);
      if (own.empty()) continue;
      kernels_.add_f32(scores.row(query, own), expanded + (queries.count - 1 - query) + (own.begin - keys.begin),
                       own.size());
    }
    return;
  }
  for (size_t query = 0; query < queries.count; ++query) {
    const KeyRange own = queries.seen[query].within(keys);
    if (own.empty()) continue;
    float* x = scores.row(query, own);
    for_each_run(queries.column(query), own, [&](size_t i, size_t n, const uint32_t* rows, bool) {
      for (size_t j = 0; j < n; ++j) x[i + j] += bias_of(rows[j]);
    });
  }
}

}  // namespace bert_native
