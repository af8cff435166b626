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
    reader.read_rows(part.name, 0, part.size, out, scratch.read);
    out += part.size;
  }
}

// Lays the members of EncoderWeights out, notes where each parameter goes, and reads them.
struct EncoderWeights::Loader {
  const ParameterSources& sources;
  const KernelTable& kernels;
  MatrixType matrix_type;
  MatrixType table_type;
  std::map<std::string, Place>& places;

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
      const size_t size = sources.at(name).shape[0];
      vectors.push_back({name, size});
      places[name] = {.vector = &target, .element_begin = begin, .element_end = begin + size};
      begin += size;
    }
    target = WeightVector(std::move(vectors));
    add_chunks_of(target);
  }

  void load(EmbeddingTable& target, const std::string& name) {
    const std::vector<size_t>& shape = sources.at(name).shape;
    target = EmbeddingTable(name, shape[0], shape[1], table_type);
    places[name] = {.table = &target, .row_begin = 0, .row_end = shape[0]};
    add_chunks_of(target);
  }

  void load(PackedMatrix& target, const std::vector<std::string>& names, MatrixType type) {
    std::vector<PackedMatrix::Part> matrices;
    size_t row = 0;
    for (const std::string& name : names) {
      const size_t rows = sources.at(name).shape[0];
      matrices.push_back({name, rows});
      places[name] = {.matrix = &target, .row_begin = row, .row_end = row + rows};
      row += rows;
    }
    target = PackedMatrix(std::move(matrices), sources.at(names[0]).shape[1], kernels.gemm_of(type));
    add_chunks_of(target);
  }

  void load(LinearWeights& target, const std::vector<std::string>& names) {
    std::vector<std::string> matrices, biases;
    for (const std::string& name : names) {
      matrices.push_back(name + ".weight");
      biases.push_back(name + ".bias");
    }
    load(target.matrix, matrices, matrix_type);
    load(target.bias, biases);
  }

  void load(NormWeights& target, const std::string& name, float eps) {
    load(target.gamma, {name + ".weight"});
    load(target.beta, {name + ".bias"});
    target.eps = eps;
  }

  void load(LayerWeights& target, const std::string& name, const LayerSpecification& layer) {
    const std::string attention = name + ".attention", mlp = name + ".mlp";
    load(target.query_key_value, {attention + ".query", attention + ".key", attention + ".value"});
    const AttentionPositionKind position = layer.attention.position.kind;
    if (position == AttentionPositionKind::kRelativeKey || position == AttentionPositionKind::kRelativeKeyQuery) {
      load(target.distance, {attention + ".distance"}, MatrixType::kF32);
    }
    load(target.attention_output, {attention + ".output"});
    load(target.attention_norm, attention + ".norm", layer.attention_norm->eps);
    load(target.mlp_up, {mlp + ".up"});
    load(target.mlp_down, {mlp + ".down"});
    load(target.mlp_norm, mlp + ".norm", layer.mlp_norm.eps);
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
    : kernels_(kernels), gemm_(kernels.gemm_of(type)), type_(type) {
  check_sources(specification, sources);
  ParameterReader reader(sources, kernels);
  Loader loader{sources, kernels, type, table_type(type), places_, {}, 0};
  loader.load(word, "embeddings.word");
  if (specification.embeddings.position == PositionEmbedding::kAbsolute) {
    loader.load(position, "embeddings.position");
  }
  loader.load(token_type, "embeddings.token_type");
  loader.load(embeddings_norm, "embeddings.norm", specification.embeddings.norm.eps);
  layers.resize(specification.layers.size());
  for (size_t index = 0; index < layers.size(); ++index) {
    loader.load(layers[index], "layers." + std::to_string(index), specification.layers[index]);
  }
  if (specification.relative_positions) distance_rows = DistanceRows(specification.relative_positions->row_of);
  each_distance = DistanceRows::one_for_each(specification);
  if (specification.pooler) {
    // One row of each sequence and two or so MB: low precision would gain nothing, and shows in sums that are large.
    if (table_type(type) == MatrixType::kBf16) loader.matrix_type = MatrixType::kF32;
    loader.load(pooler, {"pooler.dense"});
  }
  heads.resize(specification.heads.size());
  for (size_t head = 0; head < heads.size(); ++head) loader.load(heads[head], specification.heads[head]);
  memory_ = AlignedBuffer<std::byte>(loader.size_bytes);
  loader.run(memory_.data(), reader, pool, control);
  reader.finish();
}

void EncoderWeights::read_parameter(const std::string& name, float* out) const {
  const auto found = places_.find(name);
  if (found == places_.end()) {
    throw Error(ErrorCode::kWeightMissing, "'" + name + "' is not a parameter of this encoder");
  }
  const Place& place = found->second;
  if (place.matrix != nullptr) {
    place.matrix->unpack_rows(place.row_begin, place.row_end, out);
  } else if (place.table != nullptr) {
    place.table->read_rows(place.row_begin, place.row_end, out, kernels_);
  } else {
    std::copy(place.vector->data() + place.element_begin, place.vector->data() + place.element_end, out);
  }
}

}  // namespace bert_native
