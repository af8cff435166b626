#include "cpu/weights.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <set>
#include <thread>
#include <utility>

#include "common/errors.h"

namespace bert_native {

namespace {

// How long a thread that gives way waits before it looks again.
constexpr std::chrono::microseconds kPause{200};

std::string to_string(const std::vector<size_t>& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + "]";
}

void check_sources(const EncoderSpecification& specification, const ParameterSources& sources) {
  std::set<std::string> names;
  for (const Parameter& parameter : encoder_parameters(specification)) {
    names.insert(parameter.name);
    const auto found = sources.find(parameter.name);
    if (found == sources.end()) {
      throw Error(ErrorCode::kWeightMissing,
                  "parameter '" + parameter.name + "' of shape " + to_string(parameter.shape) + " is missing");
    }
    if (found->second.shape != parameter.shape) {
      throw Error(ErrorCode::kWeightShape, "parameter '" + parameter.name + "' has shape " +
                                               to_string(found->second.shape) + ": expected " +
                                               to_string(parameter.shape));
    }
  }
  for (const auto& source : sources) {
    if (names.contains(source.first)) continue;
    throw Error(ErrorCode::kWeightShape, "parameter '" + source.first + "' has no place in this encoder");
  }
}

// Single rows of tables are looked up, so what would be gained by eight bits is only memory.
MatrixType table_type(MatrixType type) {
  switch (type) {
    case MatrixType::kF16:
      return MatrixType::kF16;
    case MatrixType::kBf16:
    case MatrixType::kInt8:
      return MatrixType::kBf16;
    default:
      return MatrixType::kF32;
  }
}

}  // namespace

WeightVector::WeightVector(std::vector<Part> parts) : parts_(std::move(parts)) {
  for (const Part& part : parts_) size_ += part.size;
}

void WeightVector::load_chunk(size_t, const ParameterReader& reader, LoadScratch& scratch) {
  float* out = elements_;
  for (const Part& part : parts_) {
    if (part.name.empty()) {
      std::fill_n(out, part.size, 0.0f);
    } else {
      reader.read_rows(part.name, 0, part.rows, out, scratch.read);
    }
    out += part.size;
  }
}

// Lays the members of EncoderWeights out, notes where each parameter goes, and reads them.
struct EncoderWeights::Loader {
  const ParameterSources& sources;
  const KernelTable& kernels;
  MatrixType matrix_type;
  MatrixType table_type;
  std::map<std::string, std::vector<Place>>& places;

  // A part of the weights, which is read in so many chunks.
  struct Part {
    size_t offset;
    std::function<void(std::byte* memory)> place;
    size_t chunk_count;
    std::function<void(size_t chunk, const ParameterReader& reader, LoadScratch& scratch)> load_chunk;
  };
  std::vector<Part> parts;
  size_t size_bytes = 0;

  void load(WeightVector& target, const std::vector<std::string>& names) {
    std::vector<WeightVector::Part> vectors;
    size_t begin = 0;
    for (const std::string& name : names) {
      const std::vector<size_t>& shape = sources.at(name).shape;
      const size_t rows = shape[0], size = shape.size() == 2 ? rows * shape[1] : rows;
      vectors.push_back({name, size, rows});
      places[name].push_back({.vector = &target, .element_begin = begin, .element_end = begin + size});
      begin += size;
    }
    target = WeightVector(std::move(vectors));
    add_chunks_of(target);
  }

  void load_zeros(WeightVector& target, size_t size) {
    target = WeightVector({{"", size, 0}});
    add_chunks_of(target);
  }

  void load(EmbeddingTable& target, const std::string& name) {
    const std::vector<size_t>& shape = sources.at(name).shape;
    target = EmbeddingTable(name, shape[0], shape[1], table_type);
    places[name].push_back({.table = &target, .row_begin = 0, .row_end = shape[0]});
    add_chunks_of(target);
  }

  void load(PackedMatrix& target, const std::vector<std::string>& names, MatrixType type) {
    std::vector<PackedMatrix::Part> matrices;
    size_t row = 0;
    for (const std::string& name : names) {
      const size_t rows = sources.at(name).shape[0];
      matrices.push_back({name, rows});
      places[name].push_back({.matrix = &target, .row_begin = row, .row_end = row + rows});
      row += rows;
    }
    target = PackedMatrix(std::move(matrices), sources.at(names[0]).shape[1], kernels.gemm_of(type));
    add_chunks_of(target);
  }

  void load(LinearWeights& target, const std::vector<std::string>& names, bool bias = true) {
    std::vector<std::string> matrices, biases;
    for (const std::string& name : names) {
      matrices.push_back(name + ".weight");
      biases.push_back(name + ".bias");
    }
    load(target.matrix, matrices, matrix_type);
    target.has_bias = bias;
    if (bias) {
      load(target.bias, biases);
    } else {
      load_zeros(target.bias, target.matrix.outputs());
    }
  }

  void load(NormWeights& target, const std::string& name, const NormSpecification& norm) {
    load(target.gamma, {name + ".weight"});
    if (norm.bias) {
      load(target.beta, {name + ".bias"});
    } else {
      load_zeros(target.beta, sources.at(name + ".weight").shape[0]);
    }
  }

  void load(LayerWeights& target, const std::string& name, const LayerSpecification& layer) {
    const std::string attention = name + ".attention", mlp = name + ".mlp";
    load(target.query_key_value, {attention + ".query", attention + ".key", attention + ".value"},
         layer.attention.query_key_value_bias);
    const AttentionPosition& position = layer.attention.position;
    if (position.kind == AttentionPositionKind::kRelativeKey ||
        position.kind == AttentionPositionKind::kRelativeKeyQuery) {
      load(target.distance, {attention + ".distance"}, MatrixType::kF32);
    }
    if (position.kind == AttentionPositionKind::kDisentangled && !position.shared_projections) {
      if (position.to_key) load(target.position_key, {attention + ".position_key"});
      if (position.to_query) load(target.position_query, {attention + ".position_query"});
    }
    load(target.attention_output, {attention + ".output"}, layer.attention.output_bias);
    if (layer.attention_norm) load(target.attention_norm, attention + ".norm", *layer.attention_norm);
    if (layer.mlp.gated) load(target.mlp_gate, {mlp + ".gate"}, layer.mlp.up_bias);
    load(target.mlp_up, {mlp + ".up"}, layer.mlp.up_bias);
    load(target.mlp_down, {mlp + ".down"}, layer.mlp.down_bias);
    load(target.mlp_norm, mlp + ".norm", layer.mlp_norm);
  }

  // The tables of disentangled attention, made of parameters that are kept elsewhere, too.
  void load_distances(LayerWeights& target, const std::string& name, const EncoderSpecification& specification,
                      size_t layer) {
    const AttentionSpecification& attention = specification.layers[layer].attention;
    const AttentionPosition& position = attention.position;
    if (position.kind != AttentionPositionKind::kDisentangled) return;
    const bool has_bias = !position.shared_projections || attention.query_key_value_bias;
    const auto add = [&](RelativeProjection& projection, const char* shared, const char* own) {
      projection = RelativeProjection(*specification.relative_positions, attention, specification.hidden_size,
                                      name + (position.shared_projections ? shared : own), has_bias, kernels);
      add_chunks_of(projection);
    };
    if (position.to_key) add(target.to_key, ".key", ".position_key");
    if (position.to_query) add(target.to_query, ".query", ".position_query");
  }

  void load(ConvolutionWeights& target, const ConvolutionSpecification& convolution) {
    const std::vector<size_t>& shape = sources.at("convolution.weight").shape;
    const size_t rows = shape[0] / convolution.groups, inputs = shape[1] * shape[2];
    target.groups.resize(convolution.groups);
    for (size_t group = 0; group < convolution.groups; ++group) {
      PackedMatrix& matrix = target.groups[group];
      matrix = PackedMatrix({{"convolution.weight", rows, group * rows}}, inputs, kernels.gemm_of(matrix_type),
                            convolution.kernel_size);
      places["convolution.weight"].push_back({.matrix = &matrix, .row_begin = 0, .row_end = rows});
      add_chunks_of(matrix);
    }
    load(target.bias, {"convolution.bias"});
    load(target.norm, "convolution.norm", convolution.norm);
  }

  void load_all(EncoderWeights& target, const EncoderSpecification& specification) {
    const EmbeddingsSpecification& embeddings = specification.embeddings;
    load(target.word, "embeddings.word");
    if (embeddings.position == PositionEmbedding::kAbsolute) load(target.position, "embeddings.position");
    if (embeddings.type_vocab_size > 0) load(target.token_type, "embeddings.token_type");
    load(target.embeddings_norm, "embeddings.norm", embeddings.norm);
    if (embeddings.projection != ProjectionPlacement::kNone) {
      load(target.embeddings_projection, {"embeddings.projection"}, embeddings.projection_bias);
    }
    target.each_distance = DistanceRows::one_for_each(specification);
    if (const auto& relative = specification.relative_positions) {
      target.distance_rows = DistanceRows(relative->row_of);
      load(target.relative_positions, {"relative_positions.weight"});
      if (relative->vectors && relative->norm)
        load(target.relative_positions_norm, "relative_positions.norm", *relative->norm);
    }
    const std::vector<LayerSpecification>& layers = specification.layers;
    target.layers_.resize(layers.size());
    for (size_t index = 0; index < layers.size(); ++index) {
      target.shared_.push_back(layers[index].parameters);
      if (layers[index].parameters != index) continue;
      load(target.layers_[index], "layers." + std::to_string(index), layers[index]);
      load_distances(target.layers_[index], "layers." + std::to_string(index) + ".attention", specification, index);
    }
    if (specification.convolution) load(target.convolution, *specification.convolution);
    if (specification.final_norm) load(target.final_norm, "final_norm", *specification.final_norm);
    if (specification.pooler) {
      // One row of each sequence and two or so MB: low precision would gain nothing, and shows in sums that are large.
      if (table_type == MatrixType::kBf16) matrix_type = MatrixType::kF32;
      load(target.pooler, {"pooler.dense"});
    }
    target.heads.resize(specification.heads.size());
    for (size_t head = 0; head < target.heads.size(); ++head) load(target.heads[head], specification.heads[head]);
  }

  void load(HeadWeights& target, const HeadSpecification& head) {
    target.steps.resize(head.steps.size());
    for (size_t i = 0; i < head.steps.size(); ++i) {
      const HeadStep& step = head.steps[i];
      HeadStepWeights& weights = target.steps[i];
      const std::string name = "heads." + head.name + "." + step.name;
      const bool has_bias = step.kind == HeadStepKind::kLinear || step.kind == HeadStepKind::kWordEmbeddings;
      if (step.kind == HeadStepKind::kLinear) load(weights.linear.matrix, {name + ".weight"}, MatrixType::kF32);
      if (has_bias && step.bias) load(weights.linear.bias, {name + ".bias"});
      if (step.kind != HeadStepKind::kNorm) continue;
      load(weights.norm.gamma, {name + ".weight"});
      if (step.norm.bias) load(weights.norm.beta, {name + ".bias"});
    }
  }

  // Reads everything into `memory`, of size_bytes. Chunks are handed out in order, so that a file is read about from
  // its beginning to its end.
  void run(std::byte* memory, const ParameterReader& reader, ThreadPool& pool, const LoadControl& control) {
    std::vector<std::pair<const Part*, size_t>> chunks;
    for (const Part& part : parts) {
      part.place(memory + part.offset);
      for (size_t chunk = 0; chunk < part.chunk_count; ++chunk) chunks.emplace_back(&part, chunk);
    }
    std::vector<LoadScratch> scratch(pool.thread_count());
    std::atomic<size_t> next{0};
    pool.parallel_for(pool.thread_count(), [&](size_t, size_t worker) {
      try {
        for (size_t i; (i = next++) < chunks.size();) {
          chunks[i].first->load_chunk(chunks[i].second, reader, scratch[worker]);
          while (worker > 0 && next < chunks.size() && control.must_give_way()) std::this_thread::sleep_for(kPause);
        }
      } catch (...) {
        next = chunks.size();
        throw;
      }
    });
  }

 private:
  // The offset of so many bytes behind all others.
  size_t reserve(size_t bytes) {
    const size_t offset = size_bytes;
    size_bytes += (bytes + kCacheLineBytes - 1) / kCacheLineBytes * kCacheLineBytes;
    return offset;
  }

  template <typename Weights>
  void add_chunks_of(Weights& weights) {
    parts.push_back({reserve(weights.size_in_bytes()), [&weights](std::byte* memory) { weights.place(memory); },
                     weights.chunk_count(),
                     [&weights](size_t chunk, const ParameterReader& reader, LoadScratch& scratch) {
                       weights.load_chunk(chunk, reader, scratch);
                     }});
  }
};

EncoderWeights::EncoderWeights(const EncoderSpecification& specification, const ParameterSources& sources,
                               MatrixType type, const KernelTable& kernels, ThreadPool& pool,
                               const LoadControl& control)
    : rotary(specification, kernels), kernels_(kernels), gemm_(kernels.gemm_of(type)), type_(type) {
  check_sources(specification, sources);
  ParameterReader reader(sources, kernels);
  Loader loader{sources, kernels, type, table_type(type), places_, {}, 0};
  loader.load_all(*this, specification);
  memory_ = AlignedBuffer<std::byte>(loader.size_bytes);
  loader.run(memory_.data(), reader, pool, control);
  reader.finish();
}

void EncoderWeights::read_parameter(const std::string& name, float* out) const {
  const auto found = places_.find(name);
  if (found == places_.end()) {
    throw Error(ErrorCode::kWeightMissing, "'" + name + "' is not a parameter of this encoder");
  }
  for (const Place& place : found->second) {
    if (place.matrix != nullptr) {
      place.matrix->unpack_rows(place.row_begin, place.row_end, out);
      out += (place.row_end - place.row_begin) * place.matrix->inputs();
    } else if (place.table != nullptr) {
      place.table->read_rows(place.row_begin, place.row_end, out, kernels_);
    } else {
      std::copy(place.vector->data() + place.element_begin, place.vector->data() + place.element_end, out);
    }
  }
}

}  // namespace bert_native
