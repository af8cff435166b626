#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "common/aligned_buffer.h"
#include "common/thread_pool.h"
#include "cpu/embedding_table.h"
#include "cpu/packed_matrix.h"
#include "encoder/parameter_source.h"
#include "encoder/specification.h"
#include "kernels/kernel_table.h"

namespace bert_native {

struct LinearWeights {
  PackedMatrix matrix;
  AlignedBuffer<float> bias;  // [outputs]
};

struct NormWeights {
  AlignedBuffer<float> gamma, beta;  // [hidden_size]
  float eps = 0;
};

struct LayerWeights {
  LinearWeights query_key_value;  // the three matrices one below the other, [3·A·D, H]
  PackedMatrix distance;          // [2·max_position_embeddings - 1, D], for relative positions; always kF32
  LinearWeights attention_output;
  NormWeights attention_norm;
  LinearWeights mlp_up, mlp_down;
  NormWeights mlp_norm;
};

// An encoder's parameters in the form in which the CPU reads them.
class EncoderWeights {
 public:
  // Throws kWeightMissing, kWeightShape where `sources` differ from encoder_parameters(), and what reading throws.
  EncoderWeights(const EncoderSpecification& specification, const ParameterSources& sources, MatrixType type,
                 const KernelTable& kernels, ThreadPool& pool);
  EncoderWeights(const EncoderWeights&) = delete;
  EncoderWeights& operator=(const EncoderWeights&) = delete;

  // The parameter as it is kept. Throws kWeightMissing for a name that is no parameter.
  void read_parameter(const std::string& name, float* out) const;
  size_t size_in_bytes() const;
  // Whether the products of the layers are made of operands of 16 bits or fewer.
  bool is_rounded() const { return type_ == MatrixType::kBf16 || type_ == MatrixType::kInt8; }
  // Of every matrix of the layers.
  const GemmKernels& gemm() const { return gemm_; }

  EmbeddingTable word, position, token_type;  // [rows, hidden_size]
  NormWeights embeddings_norm;
  std::vector<LayerWeights> layers;
  LinearWeights pooler;  // never kBf16 or kInt8

 private:
  struct Loader;
  // Where a parameter is kept: in a plain buffer, as a table, or as some rows of a packed matrix.
  struct Place {
    const AlignedBuffer<float>* buffer = nullptr;
    size_t offset = 0, count = 0;
    const EmbeddingTable* table = nullptr;
    const PackedMatrix* matrix = nullptr;
    size_t row_begin = 0, row_end = 0;
  };
  const KernelTable& kernels_;
  const GemmKernels& gemm_;
  MatrixType type_;
  std::map<std::string, Place> places_;
};

}  // namespace bert_native
