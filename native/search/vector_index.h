#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <vector>

#include "common/aligned_buffer.h"
#include "common/thread_pool.h"
#include "cpu/packed_matrix.h"
#include "kernels/kernel_table.h"

namespace bert_native {

// q · c, or q · c / (‖q‖ ‖c‖) with norms of at least 1e-12.
enum class SearchScore { kDot, kCosine };

// The k best of each query, best first. Legend: Q queries, k results of each.
struct SearchResult {
  std::vector<int32_t> indices;  // [Q, k]
  std::vector<float> scores;     // [Q, k]
};

// N vectors of D numbers, in which those are found that score highest with a query: all are compared (no
// approximation). What is found for a query depends neither on the other queries nor on the threads. Searches may run
// at once.
class VectorIndex {
 public:
  static constexpr size_t kMostVectors = (size_t{1} << 31) - 1;
  static constexpr size_t kMostDimensions = size_t{1} << 20;

  // Vectors [size, dimensions], row-major. `copies`: they are copied, on all threads of the pool. Otherwise they stay
  // where they are, outlive the index and do not change. Throws kShape beyond kMostVectors and kMostDimensions,
  // kMemory.
  VectorIndex(const float* vectors, size_t size, size_t dimensions, SearchScore score, bool copies,
              const KernelTable& kernels, ThreadPool& pool);

  size_t size() const { return size_; }
  size_t dimensions() const { return dimensions_; }
  // Memory that the index itself takes.
  size_t size_in_bytes() const {
    return panels_.size_in_bytes() + (score_ == SearchScore::kCosine ? size_ * sizeof(float) : 0);
  }

  // queries [count, dimensions]; k is cut to size(). Equal scores: the lower index first; NaN comes behind all numbers.
  // Beside the result it takes some MiB for each thread, and 8·k bytes for each thread more. `is_aborted` is asked
  // often, on every thread of the pool. Throws kAborted where it says so, kMemory.
  SearchResult search(const float* queries, size_t count, size_t k, ThreadPool& pool,
                      const std::function<bool()>& is_aborted) const;

  // About how many products a search makes: what decides whether threads are worth their start.
  double work(size_t count) const {
    return static_cast<double>(count) * static_cast<double>(size_) * static_cast<double>(dimensions_);
  }

 private:
  class Search;

  void pack(size_t panel, std::byte* out) const;
  void prepare_norms(ThreadPool& pool, const std::function<bool()>& is_aborted) const;
  size_t panel_count() const { return (size_ + gemm_.cols - 1) / gemm_.cols; }

  const KernelTable& kernels_;
  const GemmKernels& gemm_;
  const float* vectors_;
  size_t size_, dimensions_;
  SearchScore score_;
  DepthPieces pieces_;
  size_t panel_bytes_ = 0;
  AlignedBuffer<std::byte> panels_;  // empty where vectors are read where they are

  // [size], of kCosine: 1 / max(‖c‖, 1e-12). Made with the copy, or by the first search.
  mutable std::mutex norms_mutex_;
  mutable AlignedBuffer<float> inverse_norms_;
};

}  // namespace bert_native
