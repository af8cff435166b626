#include "search/vector_index.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "common/errors.h"
#include "cpu/product.h"

namespace bert_native {

namespace {

// Queries that go through the vectors together: these are read, or packed, once for all of them.
constexpr size_t kMostQueries = 256;
// What all threads may take for the candidates of the queries that go together; those of one query they take in any
// case.
constexpr size_t kCandidateBytes = size_t{64} << 20;
// Products in a share of the work: some milliseconds.
constexpr size_t kProductsPerTask = size_t{1} << 26;
constexpr size_t kMostPanelsPerTask = 256;

struct Candidate {
  float score;
  int32_t index;
};

// Whether a ranks before b.
bool is_better(const Candidate& a, const Candidate& b) {
  const bool a_is_nan = std::isnan(a.score), b_is_nan = std::isnan(b.score);
  if (a_is_nan != b_is_nan) return b_is_nan;
  if (!a_is_nan && a.score != b.score) return a.score > b.score;
  return a.index < b.index;
}

// The best k that were offered, as a heap with the worst in front. Its memory is somebody else's.
class Best {
 public:
  Best(Candidate* memory, size_t k) : candidates_(memory), k_(k) {}

  // scores [count] of the vectors from `first` on.
  void offer(const float* scores, size_t count, size_t first) {
    if (size_ == k_) {
      const float worst = candidates_[0].score;
      bool any = false;
      for (size_t i = 0; i < count; ++i) any |= !(scores[i] < worst);
      if (!any) return;
    }
    for (size_t i = 0; i < count; ++i) offer({scores[i], static_cast<int32_t>(first + i)});
  }

  void offer(const Best& other) {
    for (size_t i = 0; i < other.size_; ++i) offer(other.candidates_[i]);
  }

  // All of them, best first. Nothing is offered afterwards.
  const Candidate* sorted() {
    std::sort_heap(candidates_, candidates_ + size_, is_better);
    return candidates_;
  }

 private:
  void offer(const Candidate& candidate) {
    if (size_ < k_) {
      candidates_[size_++] = candidate;
      std::push_heap(candidates_, candidates_ + size_, is_better);
    } else if (is_better(candidate, candidates_[0])) {
      std::pop_heap(candidates_, candidates_ + size_, is_better);
      candidates_[size_ - 1] = candidate;
      std::push_heap(candidates_, candidates_ + size_, is_better);
    }
  }

  Candidate* candidates_;
  size_t k_, size_ = 0;
};

float inverse_norm(const float* x, size_t n, const KernelTable& kernels) {
  return 1.0f / std::max(std::sqrt(kernels.dot_f32(x, x, n)), 1e-12f);
}

void throw_if(const std::function<bool()>& is_aborted) {
  if (is_aborted()) throw Error(ErrorCode::kAborted, "the search was aborted");
}

}  // namespace

VectorIndex::VectorIndex(const float* vectors, size_t size, size_t dimensions, SearchScore score, bool copies,
                         const KernelTable& kernels, ThreadPool& pool)
    : kernels_(kernels),
      gemm_(kernels.gemm_of(MatrixType::kF32)),
      vectors_(vectors),
      size_(size),
      dimensions_(dimensions),
      score_(score),
      pieces_(dimensions) {
  const auto check = [](const char* what, size_t value, size_t least, size_t most) {
    if (value >= least && value <= most) return;
    throw Error(ErrorCode::kShape, std::string(what) + " is " + std::to_string(value) + ": expected " +
                                       std::to_string(least) + " to " + std::to_string(most));
  };
  check("the number of vectors", size, 0, kMostVectors);
  check("the number of dimensions", dimensions, 1, kMostDimensions);
  for (size_t piece = 0; piece < pieces_.count(); ++piece) panel_bytes_ += gemm_.panel_bytes(pieces_.length(piece));
  if (!copies) return;
  panels_ = AlignedBuffer<std::byte>(panel_count() * panel_bytes_);
  pool.parallel_for(panel_count(), [&](size_t panel, size_t) { pack(panel, panels_.data() + panel * panel_bytes_); });
  prepare_norms(pool, [] { return false; });
  vectors_ = nullptr;
}

void VectorIndex::pack(size_t panel, std::byte* out) const {
  const size_t begin = panel * gemm_.cols, count = std::min(gemm_.cols, size_ - begin);
  for (size_t piece = 0; piece < pieces_.count(); ++piece) {
    gemm_.pack_panel(out, vectors_ + begin * dimensions_ + pieces_.begin(piece), dimensions_, count,
                     pieces_.length(piece));
    out += gemm_.panel_bytes(pieces_.length(piece));
  }
}

void VectorIndex::prepare_norms(ThreadPool& pool, const std::function<bool()>& is_aborted) const {
  const std::lock_guard lock(norms_mutex_);
  if (score_ != SearchScore::kCosine || inverse_norms_.size() == size_) return;
  AlignedBuffer<float> norms(size_);
  const size_t at_once = std::max<size_t>(1, (size_t{1} << 20) / dimensions_);
  pool.parallel_for(ceil_div(size_, at_once), [&](size_t part, size_t) {
    throw_if(is_aborted);
    for (size_t i = part * at_once; i < std::min(size_, (part + 1) * at_once); ++i) {
      norms[i] = inverse_norm(vectors_ + i * dimensions_, dimensions_, kernels_);
    }
  });
  inverse_norms_ = std::move(norms);
}

// Some queries on their way through all vectors.
class VectorIndex::Search {
 public:
  Search(const VectorIndex& index, size_t queries, size_t k, ThreadPool& pool)
      : index_(index),
        k_(k),
        pool_(pool),
        packed_(Strips::size_in_bytes(index.gemm_, index.pieces_, queries)),
        candidates_(pool.thread_count() * queries * k),
        workers_(pool.thread_count()) {
    for (Worker& worker : workers_) {
      worker.products = AlignedBuffer<float>(index.gemm_.rows * index.gemm_.cols);
      if (index.panels_.size() == 0) worker.panel = AlignedBuffer<std::byte>(index.panel_bytes_);
    }
    if (index.score_ == SearchScore::kCosine) scaled_ = AlignedBuffer<float>(queries * index.dimensions_);
  }

  // indices, scores: [count, k]
  void run(const float* queries, size_t count, int32_t* indices, float* scores,
           const std::function<bool()>& is_aborted) {
    Strips strips(index_.gemm_, index_.pieces_, packed_.data(), count);
    pack(queries, strips);
    for (size_t worker = 0; worker < workers_.size(); ++worker) {
      workers_[worker].best.clear();
      for (size_t query = 0; query < count; ++query) {
        workers_[worker].best.emplace_back(candidates_.data() + (worker * count + query) * k_, k_);
      }
    }
    const size_t panels = index_.panel_count();
    const size_t of_panel = strips.count() * index_.gemm_.rows * index_.gemm_.cols * index_.dimensions_;
    const size_t at_once = std::clamp<size_t>(kProductsPerTask / of_panel, 1, kMostPanelsPerTask);
    pool_.parallel_for(ceil_div(panels, at_once), [&](size_t part, size_t worker) {
      for (size_t panel = part * at_once; panel < std::min(panels, (part + 1) * at_once); ++panel) {
        throw_if(is_aborted);
        score(strips, panel, workers_[worker]);
      }
    });
    pool_.parallel_for(count, [&](size_t query, size_t) { merge(query, indices + query * k_, scores + query * k_); });
  }

 private:
  struct Worker {
    AlignedBuffer<std::byte> panel;
    AlignedBuffer<float> products;  // of a tile
    std::vector<Best> best;         // of each query
  };

  void pack(const float* queries, Strips& strips) {
    const size_t n = index_.dimensions_;
    if (index_.score_ == SearchScore::kCosine) {
      std::copy_n(queries, strips.rows() * n, scaled_.data());
      for (size_t query = 0; query < strips.rows(); ++query) {
        float* x = scaled_.data() + query * n;
        index_.kernels_.scale_f32(x, inverse_norm(x, n, index_.kernels_), n);
      }
      queries = scaled_.data();
    }
    for (size_t strip = 0; strip < strips.count(); ++strip) strips.pack(queries, n, strip);
  }

  // Offers a panel's scores to every query.
  void score(const Strips& strips, size_t panel, Worker& worker) {
    const GemmKernels& gemm = index_.gemm_;
    const size_t first = panel * gemm.cols, columns = std::min(gemm.cols, index_.size_ - first);
    const bool copied = index_.panels_.size() > 0;
    const std::byte* packed = index_.panels_.data() + panel * index_.panel_bytes_;
    if (!copied) {
      index_.pack(panel, worker.panel.data());
      packed = worker.panel.data();
    }
    const std::byte* next = copied && panel + 1 < index_.panel_count() ? packed + index_.panel_bytes_ : nullptr;
    for (size_t strip = 0; strip < strips.count(); ++strip) {
      const size_t row = strip * gemm.rows, rows = std::min(gemm.rows, strips.rows() - row);
      multiply(strips, strip, packed, next, worker.products.data());
      for (size_t i = 0; i < rows; ++i) {
        float* scores = worker.products.data() + i * gemm.cols;
        if (index_.score_ == SearchScore::kCosine) {
          for (size_t j = 0; j < columns; ++j) scores[j] *= index_.inverse_norms_[first + j];
        }
        worker.best[row + i].offer(scores, columns, first);
      }
    }
  }

  // The panel by one strip. Each strip asks for its share of the panel that follows.
  void multiply(const Strips& strips, size_t strip, const std::byte* panel, const std::byte* next,
                float* products) const {
    const GemmKernels& gemm = index_.gemm_;
    const size_t rows = std::min(gemm.rows, strips.rows() - strip * gemm.rows);
    const TileScope scope(gemm);
    for (size_t piece = 0, offset = 0; piece < index_.pieces_.count(); ++piece) {
      const size_t depth = index_.pieces_.length(piece), bytes = gemm.panel_bytes(depth);
      Ahead ahead;
      if (next != nullptr) ahead = {next + offset + bytes * strip / strips.count(), bytes / strips.count()};
      gemm.tile(products, gemm.cols, strips.strip(strip, piece), panel + offset, rows, depth, piece > 0, ahead);
      offset += bytes;
    }
  }

  void merge(size_t query, int32_t* indices, float* scores) {
    Best& best = workers_[0].best[query];
    for (size_t worker = 1; worker < workers_.size(); ++worker) best.offer(workers_[worker].best[query]);
    const Candidate* sorted = best.sorted();
    for (size_t i = 0; i < k_; ++i) {
      indices[i] = sorted[i].index;
      scores[i] = sorted[i].score;
    }
  }

  const VectorIndex& index_;
  size_t k_;
  ThreadPool& pool_;
  AlignedBuffer<std::byte> packed_;
  AlignedBuffer<float> scaled_;
  AlignedBuffer<Candidate> candidates_;  // [threads, queries, k]
  std::vector<Worker> workers_;
};

SearchResult VectorIndex::search(const float* queries, size_t count, size_t k, ThreadPool& pool,
                                 const std::function<bool()>& is_aborted) const {
  throw_if(is_aborted);
  k = std::min(k, size_);
  SearchResult result;
  if (count == 0 || k == 0) return result;
  if (count > std::numeric_limits<size_t>::max() / sizeof(Candidate) / k) {
    throw Error(ErrorCode::kMemory, "the result of the search is too large");
  }
  prepare_norms(pool, is_aborted);
  result.indices.resize(count * k);
  result.scores.resize(count * k);
  const size_t candidates = std::max<size_t>(1, kCandidateBytes / sizeof(Candidate) / pool.thread_count() / k);
  const size_t at_once = std::min({count, kMostQueries, candidates});
  Search search(*this, at_once, k, pool);
  for (size_t first = 0; first < count; first += at_once) {
    search.run(queries + first * dimensions_, std::min(at_once, count - first), result.indices.data() + first * k,
               result.scores.data() + first * k, is_aborted);
  }
  return result;
}

}  // namespace bert_native
