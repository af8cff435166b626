#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "common/activation.h"
#include "common/aligned_buffer.h"
#include "common/thread_pool.h"
#include "cpu/embedding_table.h"
#include "cpu/pass_control.h"
#include "cpu/product.h"
#include "cpu/weights.h"
#include "encoder/batch.h"
#include "encoder/specification.h"
#include "kernels/kernel_table.h"

namespace bert_native {

// The memory of heads. It grows to some MiB, and to one strip of rows where those are very wide: never to what a whole
// result takes.
struct HeadScratch {
  struct Thread {
    AlignedBuffer<std::byte> panels;  // packed from the table of words
    AlignedBuffer<float> table_rows;  // as they are unpacked from 16 bits
    AlignedBuffer<float> products;    // [rows of a strip, columns of some panels]
  };
  AlignedBuffer<float> rows, next_rows;  // of a group, before and after a product
  AlignedBuffer<std::byte> strips;
  AlignedBuffer<float> zeros;  // in place of a bias where there is none
  std::vector<Thread> threads;

  size_t size_in_bytes() const;
};

// A step of a head as it is computed. Products take a bias and an activation along.
struct HeadOperation {
  enum class Kind { kProduct, kActivation, kNorm, kNormalize };
  Kind kind = Kind::kProduct;
  size_t width = 0;                      // of a row after it
  const PackedMatrix* matrix = nullptr;  // of kProduct; null: the table of words
  const float* bias = nullptr;           // of kProduct and kNorm; null: none
  bool activates = false;
  Activation activation = Activation::kTanh;
  const float* gamma = nullptr;  // of kNorm
  float eps = 0;
};

struct Head {
  size_t input_width = 0;
  std::vector<HeadOperation> operations;

  size_t output_width() const { return operations.empty() ? input_width : operations.back().width; }
};

Head make_head(const HeadSpecification& head, const HeadWeights& weights, const EncoderSpecification& specification);
// activation(W x + b) before all else.
void prepend_linear(Head& head, const LinearWeights& linear, Activation activation);

// One row that a head works on.
struct HeadRow {
  const Sequence* sequence;  // whose gate guards `out`
  size_t source;             // what its input is known by
  float* out;                // [output_width]
};

// Runs heads: groups of rows go from step to step, and from the last product straight to where they are wanted. What
// comes out for a row depends on that row alone.
class HeadRunner {
 public:
  // words [V, E]: for products with the table of words.
  HeadRunner(const KernelTable& kernels, const EmbeddingTable& words, ThreadPool& pool, PassControl& control,
             HeadScratch& scratch);

  // read(source, row [input_width]) copies a row's input, on any thread of the pool. Throws kAborted, kMemory.
  void run(const Head& head, const std::vector<HeadRow>& rows,
           const std::function<void(size_t source, float* row)>& read);

 private:
  // Takes values [row_end - row_begin, columns], row stride ld, of the group's rows and the result's columns from
  // col_begin on.
  using Sink = std::function<void(size_t row_begin, size_t row_end, size_t col_begin, size_t columns,
                                  const float* values, size_t ld)>;
  struct Columns;

  void run_group(const Head& head, const HeadRow* rows, size_t count,
                 const std::function<void(size_t source, float* row)>& read);
  void multiply(const HeadOperation& operation, size_t depth, size_t rows, size_t stride, const Sink& sink);
  void multiply_columns(const Columns& columns, size_t worker, const Sink& sink);
  void pack_words(const Columns& columns, size_t panel, HeadScratch::Thread& scratch, size_t at) const;
  Ahead words_ahead(const Columns& columns, size_t panel, size_t shares) const;
  void apply(const HeadOperation& operation, float* row);
  const float* bias_or_zeros(const float* bias, size_t width);
  static void store(const HeadRow* rows, size_t row_begin, size_t row_end, size_t col_begin, size_t columns,
                    const float* values, size_t ld);

  const KernelTable& kernels_;
  const EmbeddingTable& words_;
  ThreadPool& pool_;
  PassControl& control_;
  HeadScratch& scratch_;
};

}  // namespace bert_native
