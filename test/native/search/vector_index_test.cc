#include "search/vector_index.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "check_throws.h"
#include "common/errors.h"
#include "harness.h"
#include "kernels/random.h"

namespace bert_native::test {

namespace {

const auto kNever = [] { return false; };

std::vector<float> random_vectors(size_t count, size_t dimensions, uint64_t seed) {
  std::vector<float> values(count * dimensions);
  normal_values(values.data(), values.size(), seed, 0, 1);
  return values;
}

double naive_score(const float* q, const float* c, size_t n, SearchScore score) {
  double dot = 0, qq = 0, cc = 0;
  for (size_t i = 0; i < n; ++i) {
    dot += double{q[i]} * c[i];
    qq += double{q[i]} * q[i];
    cc += double{c[i]} * c[i];
  }
  if (score == SearchScore::kDot) return dot;
  return dot / (std::max(std::sqrt(qq), 1e-12) * std::max(std::sqrt(cc), 1e-12));
}

// Every result has the score that it should have, in descending order, none twice; nothing that was left out is better.
void check_result(const SearchResult& result, const std::vector<float>& queries, const std::vector<float>& vectors,
                  size_t dimensions, size_t k, SearchScore score, const std::string& what) {
  const size_t size = vectors.size() / dimensions, count = queries.size() / dimensions, found = std::min(k, size);
  BN_CHECK(result.indices.size() == count * found && result.scores.size() == count * found, what + ": size");
  for (size_t query = 0; query < count; ++query) {
    std::vector<double> all(size);
    for (size_t i = 0; i < size; ++i) {
      all[i] = naive_score(queries.data() + query * dimensions, vectors.data() + i * dimensions, dimensions, score);
    }
    std::vector<bool> taken(size, false);
    double worst = std::numeric_limits<double>::infinity();
    for (size_t rank = 0; rank < found; ++rank) {
      const auto index = static_cast<size_t>(result.indices[query * found + rank]);
      const double actual = result.scores[query * found + rank];
      BN_CHECK(index < size && !taken[index], what + ": index " + std::to_string(index));
      BN_CHECK(std::fabs(actual - all[index]) <= 2e-5 + 2e-5 * std::fabs(all[index]),
               what + ": score " + std::to_string(actual) + ", expected " + std::to_string(all[index]));
      BN_CHECK(actual <= worst, what + ": results are not in order");
      taken[index] = true;
      worst = actual;
    }
    for (size_t i = 0; i < size; ++i) {
      BN_CHECK(taken[i] || all[i] <= worst + 2e-5 + 2e-5 * std::fabs(worst),
               what + ": " + std::to_string(i) + " was left out");
    }
  }
}

void agrees_with_naive(Isa isa) {
  const KernelTable& kernels = *kernel_table(isa);
  struct Sizes {
    size_t vectors, dimensions, queries, k;
  };
  for (const auto [size, dimensions, count, k] :
       {Sizes{1, 1, 1, 1}, Sizes{5, 3, 2, 9}, Sizes{97, 33, 7, 10}, Sizes{1000, 64, 1, 3}, Sizes{333, 801, 13, 333},
        Sizes{2051, 17, 300, 5}}) {
    const std::vector<float> vectors = random_vectors(size, dimensions, 1),
                             queries = random_vectors(count, dimensions, 2);
    for (const SearchScore score : {SearchScore::kDot, SearchScore::kCosine}) {
      for (const bool copies : {true, false}) {
        for (const size_t threads : {1, 3}) {
          ThreadPool pool(threads);
          const VectorIndex index(vectors.data(), size, dimensions, score, copies, kernels, pool);
          const std::string what = std::to_string(size) + " vectors of " + std::to_string(dimensions) +
                                   (score == SearchScore::kDot ? ", dot" : ", cosine") + (copies ? ", copied" : "");
          check_result(index.search(queries.data(), count, k, pool, kNever), queries, vectors, dimensions, k, score,
                       what);
        }
      }
    }
  }
}

// What one query finds by itself, on one thread, in vectors that are read where they are.
void same_bits_in_any_company(Isa isa) {
  constexpr size_t kSize = 3001, kDimensions = 45, kCount = 270, kBest = 20;
  const KernelTable& kernels = *kernel_table(isa);
  const std::vector<float> vectors = random_vectors(kSize, kDimensions, 3),
                           queries = random_vectors(kCount, kDimensions, 4);
  for (const SearchScore score : {SearchScore::kDot, SearchScore::kCosine}) {
    ThreadPool one(1);
    const VectorIndex in_place(vectors.data(), kSize, kDimensions, score, false, kernels, one);
    for (const size_t threads : {1, 2, 4}) {
      ThreadPool pool(threads);
      const VectorIndex copied(vectors.data(), kSize, kDimensions, score, true, kernels, pool);
      const SearchResult all = copied.search(queries.data(), kCount, kBest, pool, kNever);
      for (const size_t query : {0, 1, 255, 256, 269}) {
        const SearchResult alone = in_place.search(queries.data() + query * kDimensions, 1, kBest, one, kNever);
        BN_CHECK(std::equal(alone.indices.begin(), alone.indices.end(), all.indices.begin() + query * kBest) &&
                     std::equal(alone.scores.begin(), alone.scores.end(), all.scores.begin() + query * kBest),
                 "query " + std::to_string(query) + " differs from itself alone");
      }
    }
  }
}

// Whole numbers, so that scores are exact and many are equal.
void equal_scores_come_by_index(Isa isa) {
  constexpr size_t kSize = 5000;
  std::vector<float> vectors(kSize);
  for (size_t i = 0; i < kSize; ++i) vectors[i] = static_cast<float>(i * 7919 % 4);
  std::vector<int32_t> expected(kSize);
  std::iota(expected.begin(), expected.end(), 0);
  std::stable_sort(expected.begin(), expected.end(), [&](int32_t a, int32_t b) {
    return vectors[static_cast<size_t>(a)] > vectors[static_cast<size_t>(b)];
  });
  const float query = 2;
  ThreadPool pool(3);
  const VectorIndex index(vectors.data(), kSize, 1, SearchScore::kDot, true, *kernel_table(isa), pool);
  for (const size_t k : {1, 2, 100, 2500, 5000, 6000}) {
    const SearchResult result = index.search(&query, 1, k, pool, kNever);
    BN_CHECK(result.indices.size() == std::min(k, kSize), "k " + std::to_string(k));
    BN_CHECK(std::equal(result.indices.begin(), result.indices.end(), expected.begin()), "k " + std::to_string(k));
  }
}

void nan_comes_last(Isa isa) {
  const float inf = std::numeric_limits<float>::infinity();
  std::vector<float> vectors(200, 1.0f);
  for (size_t i = 0; i < 150; ++i) vectors[i] = NAN;
  vectors[160] = -inf;
  vectors[170] = inf;
  const float query = 1;
  ThreadPool pool(2);
  const VectorIndex index(vectors.data(), 200, 1, SearchScore::kDot, true, *kernel_table(isa), pool);
  const SearchResult result = index.search(&query, 1, 52, pool, kNever);
  BN_CHECK(result.indices[0] == 170 && result.indices[1] == 150, "numbers first, the largest of them first");
  BN_CHECK(result.indices[49] == 160 && result.scores[49] == -inf, "the lowest number behind all others");
  BN_CHECK(result.indices[50] == 0 && result.indices[51] == 1 && std::isnan(result.scores[50]), "then NaN, by index");
}

void zero_vectors_have_no_direction(Isa isa) {
  const std::vector<float> vectors = {0, 0, 3, 4, -1, 0};
  const std::vector<float> queries = {6, 8, 0, 0};
  ThreadPool pool(1);
  const VectorIndex index(vectors.data(), 3, 2, SearchScore::kCosine, true, *kernel_table(isa), pool);
  const SearchResult result = index.search(queries.data(), 2, 3, pool, kNever);
  BN_CHECK((result.indices == std::vector<int32_t>{1, 0, 2, 0, 1, 2}), "order");
  BN_CHECK(std::fabs(result.scores[0] - 1) < 1e-6 && result.scores[1] == 0 && result.scores[4] == 0, "scores");
}

void searches_run_at_once(Isa isa) {
  const std::vector<float> vectors = random_vectors(2000, 40, 5), queries = random_vectors(9, 40, 6);
  ThreadPool loading(1);
  const VectorIndex index(vectors.data(), 2000, 40, SearchScore::kCosine, false, *kernel_table(isa), loading);
  std::vector<SearchResult> results(4);
  std::vector<std::thread> threads;
  for (SearchResult& result : results) {
    threads.emplace_back([&] {
      ThreadPool pool(2);
      result = index.search(queries.data(), 9, 7, pool, kNever);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const SearchResult& result : results) {
    BN_CHECK(result.indices == results[0].indices && result.scores == results[0].scores, "results differ");
  }
}

void stops_when_aborted() {
  const std::vector<float> vectors = random_vectors(20000, 64, 7), queries = random_vectors(20, 64, 8);
  ThreadPool pool(2);
  const VectorIndex index(vectors.data(), 20000, 64, SearchScore::kDot, true, *kernel_table(Isa::kScalar), pool);
  std::atomic<int> asked{0};
  check_throws(ErrorCode::kAborted, "aborted",
               [&] { index.search(queries.data(), 20, 5, pool, [&] { return ++asked > 10; }); });
  BN_CHECK(asked < 100, "it went on after it was aborted");
}

void has_limits() {
  ThreadPool pool(1);
  const KernelTable& kernels = *kernel_table(Isa::kScalar);
  const float value = 1;
  const auto make = [&](size_t size, size_t dimensions) {
    VectorIndex index(&value, size, dimensions, SearchScore::kDot, false, kernels, pool);
  };
  check_throws(ErrorCode::kShape, "the number of dimensions is 0", [&] { make(1, 0); });
  check_throws(ErrorCode::kShape, "the number of dimensions is 2097152", [&] { make(1, 1 << 21); });
  check_throws(ErrorCode::kShape, "the number of vectors is 2147483648", [&] { make(size_t{1} << 31, 1); });
  const VectorIndex empty(nullptr, 0, 3, SearchScore::kCosine, true, kernels, pool);
  const float query[3] = {1, 2, 3};
  BN_CHECK(empty.search(query, 1, 5, pool, kNever).indices.empty(), "found something in nothing");
  const VectorIndex one(query, 1, 3, SearchScore::kCosine, true, kernels, pool);
  BN_CHECK(one.search(query, 1, 0, pool, kNever).indices.empty(), "k of 0");
  BN_CHECK(one.search(query, 0, 5, pool, kNever).indices.empty(), "no queries");
}

void add_tests() {
  for (const Isa isa : available_isas()) {
    const std::string suffix = std::string(", ") + isa_name(isa);
    add("search/vector_index: agrees with float64" + suffix, [isa] { agrees_with_naive(isa); });
    add("search/vector_index: same bits in any company" + suffix, [isa] { same_bits_in_any_company(isa); });
    add("search/vector_index: equal scores come by index" + suffix, [isa] { equal_scores_come_by_index(isa); });
    add("search/vector_index: NaN comes last" + suffix, [isa] { nan_comes_last(isa); });
    add("search/vector_index: zero vectors have no direction" + suffix, [isa] { zero_vectors_have_no_direction(isa); });
    add("search/vector_index: searches run at once" + suffix, [isa] { searches_run_at_once(isa); });
  }
  add("search/vector_index: stops when aborted", stops_when_aborted);
  add("search/vector_index: has limits", has_limits);
}

const Registration registration(add_tests);

}  // namespace

}  // namespace bert_native::test
