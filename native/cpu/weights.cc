#include "cpu/weights.h"

#include <algorithm>
#include <set>

#include "common/errors.h"

namespace bert_native {

namespace {

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

// Fills the members of EncoderWeights in place and notes where each parameter went.
struct EncoderWeights::Loader {
  const ParameterSources& sources;
  const KernelTable& kernels;
  MatrixType matrix_type;
  MatrixType table_type;
  ThreadPool& pool;
  std::map<std::string, Place>& places;
  ParameterReader reader;

  // Parameters of the same width, one behind the other.
  void load(AlignedBuffer<float>& target, const std::vector<std::string>& names) {
    size_t count = 0;
    for (const std::string& name : names) count += size(name);
    target = AlignedBuffer<float>(count);
    size_t offset = 0;
    for (const std::string& name : names) {
      reader.read_rows(name, 0, sources.at(name).shape[0], target.data() + offset);
      places[name] = {.buffer = &target, .offset = offset, .count = size(name)};
      offset += size(name);
    }
  }

  void load(EmbeddingTable& target, const std::string& name) {
    const std::vector<size_t>& shape = sources.at(name).shape;
    target = EmbeddingTable(name, shape[0], shape[1], reader, table_type);
    places[name] = {.table = &target, .row_begin = 0, .row_end = shape[0]};
  }

  void load(PackedMatrix& target, const std::vector<std::string>& names, MatrixType type) {
    std::vector<PackedMatrix::Part> parts;
    for (const std::string& name : names) parts.push_back({name, sources.at(name).shape[0]});
    target = PackedMatrix(parts, sources.at(names[0]).shape[1], reader, kernels.gemm_of(type), pool);
    size_t row = 0;
    for (const PackedMatrix::Part& part : parts) {
      places[part.name] = {.matrix = &target, .row_begin = row, .row_end = row + part.rows};
      row += part.rows;
    }
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
    if (layer.attention_position != AttentionPosition::kNone) {
      load(target.distance, {attention + ".distance"}, MatrixType::kF32);
    }
    load(target.attention_output, {attention + ".output"});
    load(target.attention_norm, attention + ".norm", layer.layer_norm_eps);
    load(target.mlp_up, {mlp + ".up"});
    load(target.mlp_down, {mlp + ".down"});
    load(target.mlp_norm, mlp + ".norm", layer.layer_norm_eps);
  }

 private:
  size_t size(const std::string& name) const {
    size_t count = 1;
    for (const size_t extent : sources.at(name).shape) count *= extent;
    return count;
  }
};

EncoderWeights::EncoderWeights(const EncoderSpecification& specification, const ParameterSources& sources,
                               MatrixType type, const KernelTable& kernels, ThreadPool& pool)
    : kernels_(kernels), gemm_(kernels.gemm_of(type)), type_(type) {
  check_sources(specification, sources);
  Loader loader{sources, kernels, type, table_type(type), pool, places_, {sources, kernels}};
  loader.load(word, "embeddings.word");
  if (specification.embeddings.position == PositionEmbedding::kAbsolute) {
    loader.load(position, "embeddings.position");
  }
  loader.load(token_type, "embeddings.token_type");
  loader.load(embeddings_norm, "embeddings.norm", specification.embeddings.layer_norm_eps);
  layers.resize(specification.layers.size());
  for (size_t index = 0; index < layers.size(); ++index) {
    loader.load(layers[index], "layers." + std::to_string(index), specification.layers[index]);
  }
  if (specification.pooler) {
    // One row of each sequence and two or so MB: low precision would gain nothing, and shows in sums that are large.
    if (table_type(type) == MatrixType::kBf16) loader.matrix_type = MatrixType::kF32;
    loader.load(pooler, {"pooler.dense"});
  }
  loader.reader.finish();
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
    std::copy_n(place.buffer->data() + place.offset, place.count, out);
  }
}

size_t EncoderWeights::size_in_bytes() const {
  const auto linear_size = [](const LinearWeights& linear) {
    return linear.matrix.size_in_bytes() + linear.bias.size_in_bytes();
  };
  const auto norm_size = [](const NormWeights& norm) { return norm.gamma.size_in_bytes() + norm.beta.size_in_bytes(); };
  size_t total = word.size_in_bytes() + position.size_in_bytes() + token_type.size_in_bytes() +
                 norm_size(embeddings_norm) + linear_size(pooler);
  for (const LayerWeights& layer : layers) {
    total += linear_size(layer.query_key_value) + layer.distance.size_in_bytes() + linear_size(layer.attention_output) +
             norm_size(layer.attention_norm) + linear_size(layer.mlp_up) + linear_size(layer.mlp_down) +
             norm_size(layer.mlp_norm);
  }
  return total;
}

}  // namespace bert_native
