#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "common/aligned_buffer.h"
#include "common/thread_pool.h"
#include "cpu/embedding_table.h"
#include "cpu/load_scratch.h"
#include "cpu/packed_matrix.h"
#include "cpu/relative_positions.h"
#include "cpu/rotary.h"
#include "encoder/parameter_source.h"
#include "encoder/specification.h"
#include "kernels/kernel_table.h"

namespace bert_native {

// Vectors one behind the other, as f32. Its memory is somebody else's.
class WeightVector {
 public:
  // A parameter, and how many elements of the vector it makes: zeros where its name is empty.
  struct Part {
    std::string name;
    size_t size;
    size_t rows;  // of the parameter
  };

  WeightVector() = default;
  // Nothing is read yet.
  explicit WeightVector(std::vector<Part> parts);

  const float* data() const { return elements_; }
  size_t size_in_bytes() const { return size_ * sizeof(float); }

  // Where its size_in_bytes() lie, aligned to a cache line.
  void place(std::byte* memory) { elements_ = reinterpret_cast<float*>(memory); }
  // As the larger weights have it: here all is one chunk.
  size_t chunk_count() const { return 1; }
  void load_chunk(size_t chunk, const ParameterReader& reader, LoadScratch& scratch);

 private:
  std::vector<Part> parts_;
  size_t size_ = 0;
  float* elements_ = nullptr;
};

struct LinearWeights {
  PackedMatrix matrix;
  WeightVector bias;  // [outputs]: zeros where the specification has none
  bool has_bias = true;
};

struct NormWeights {
  WeightVector gamma, beta;  // [width]; beta: zeros where the specification has none
};

// Of all layers with the same number in LayerSpecification::parameters.
struct LayerWeights {
  LinearWeights query_key_value;               // the three matrices one below the other, [3·A·D, H]
  PackedMatrix distance;                       // [2·max_position_embeddings - 1, D], for relative keys; always kF32
  LinearWeights position_key, position_query;  // [A·D, H], of disentangled positions that have their own
  RelativeProjection to_key, to_query;         // of disentangled positions, by distance
  LinearWeights attention_output;
  NormWeights attention_norm;
  LinearWeights mlp_gate;  // where it is gated
  LinearWeights mlp_up, mlp_down;
  NormWeights mlp_norm;
};

struct ConvolutionWeights {
  std::vector<PackedMatrix> groups;  // [H / groups, kernel_size · H / groups] each
  WeightVector bias;                 // [H]
  NormWeights norm;
};

// Empty where the step has no such parameter. Matrices are always kF32: they are small.
struct HeadStepWeights {
  LinearWeights linear;
  NormWeights norm;
};

struct HeadWeights {
  std::vector<HeadStepWeights> steps;
};

// What loading asks of whoever runs it.
class LoadControl {
 public:
  virtual ~LoadControl() = default;
  // While it is true, one thread of the pool loads and the others wait. Called often, from the others.
  virtual bool must_give_way() const { return false; }
};

// An encoder's parameters in the form in which the CPU reads them: all in one block of memory, back to back.
class EncoderWeights {
 public:
  // Reads and packs on all threads of the pool. Throws kWeightMissing, kWeightShape where `sources` differ from
  // encoder_parameters(), kMemory, and what reading throws.
  EncoderWeights(const EncoderSpecification& specification, const ParameterSources& sources, MatrixType type,
                 const KernelTable& kernels, ThreadPool& pool, const LoadControl& control);
  EncoderWeights(const EncoderWeights&) = delete;
  EncoderWeights& operator=(const EncoderWeights&) = delete;

  // The parameter as it is kept. Throws kWeightMissing for a name that is no parameter.
  void read_parameter(const std::string& name, float* out) const;
  size_t size_in_bytes() const { return memory_.size_in_bytes(); }
  // Whether the weights of the layers are kept as bf16 or int8.
  bool is_rounded() const { return type_ == MatrixType::kBf16 || type_ == MatrixType::kInt8; }
  // Of every matrix of the layers.
  const GemmKernels& gemm() const { return gemm_; }

  const LayerWeights& layer(size_t index) const { return layers_[shared_[index]]; }

  EmbeddingTable word, position, token_type;  // [rows, embedding_size]
  NormWeights embeddings_norm;
  LinearWeights embeddings_projection;  // [H, embedding_size]
  WeightVector relative_positions;      // [rows, H] or [rows, A]
  NormWeights relative_positions_norm;
  DistanceRows distance_rows;  // those of the specification's relative positions
  DistanceRows each_distance;  // a row for each, as LayerWeights::distance has it
  RotaryTables rotary;
  ConvolutionWeights convolution;
  NormWeights final_norm;
  LinearWeights pooler;  // never kBf16 or kInt8
  std::vector<HeadWeights> heads;

 private:
  struct Loader;
  // Where a part of a parameter is kept: in a plain vector, as a table, or as some rows of a packed matrix.
  struct Place {
    const WeightVector* vector = nullptr;
    size_t element_begin = 0, element_end = 0;
    const EmbeddingTable* table = nullptr;
    const PackedMatrix* matrix = nullptr;
    size_t row_begin = 0, row_end = 0;
  };
  const KernelTable& kernels_;
  const GemmKernels& gemm_;
  MatrixType type_;
  std::vector<LayerWeights> layers_;                  // empty where a layer has another's
  std::vector<size_t> shared_;                        // of each layer, where its weights are
  std::map<std::string, std::vector<Place>> places_;  // one behind the other
  AlignedBuffer<std::byte> memory_;
};

}  // namespace bert_native
