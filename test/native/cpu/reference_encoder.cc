#include "cpu/reference_encoder.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>
#include <variant>

#include "encoder/plan.h"

namespace bert_native::test {

namespace {

double activate(Activation activation, double x) {
  switch (activation) {
    case Activation::kGeluErf:
      return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
    case Activation::kGeluTanh:
      return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x)));
    case Activation::kQuickGelu:
      return x / (1 + std::exp(-1.702 * x));
    case Activation::kRelu:
      return std::max(x, 0.0);
    case Activation::kSilu:
      return x / (1 + std::exp(-x));
    case Activation::kTanh:
      return std::tanh(x);
  }
  return NAN;
}

class Encoder {
 public:
  Encoder(const EncoderSpecification& specification, const ParameterSources& sources, const Sequence& sequence)
      : specification_(specification), sources_(sources), sequence_(sequence) {}

  ReferenceOutput run() const {
    ReferenceOutput output;
    output.hidden_states.push_back(embeddings());
    for (size_t layer = 0; layer < specification_.layers.size(); ++layer) {
      const Values& x = output.hidden_states.back();
      const Values input = attention_input(x, layer);
      output.attentions.push_back(probabilities(input, layer));
      Values y = transform(x, input, output.attentions.back(), layer);
      if (layer == 0 && specification_.convolution) y = convolve(output.hidden_states.front(), std::move(y));
      output.hidden_states.push_back(std::move(y));
    }
    output.last_hidden_state = output.hidden_states.back();
    if (const auto& norm = specification_.final_norm) normalize(output.last_hidden_state, "final_norm", norm->eps);
    if (specification_.pooler && length() > 0) {
      const Values first(output.last_hidden_state.begin(), output.last_hidden_state.begin() + hidden_size());
      output.pooler_output = linear(first, "pooler.dense");
      for (double& value : output.pooler_output) value = activate(*specification_.pooler, value);
    }
    return output;
  }

 private:
  size_t length() const { return sequence_.length; }
  size_t hidden_size() const { return specification_.hidden_size; }
  bool has(const std::string& name) const { return sources_.find(name) != sources_.end(); }
  const std::vector<float>& parameter(const std::string& name) const {
    return std::get<std::vector<float>>(sources_.at(name).values);
  }
  std::string layer_name(size_t index) const {
    return "layers." + std::to_string(specification_.layers[index].parameters);
  }

  // x [rows, inputs] · Wᵀ + b
  Values linear(const Values& x, const std::string& name) const {
    const std::vector<float>& weight = parameter(name + ".weight");
    const float* bias = has(name + ".bias") ? parameter(name + ".bias").data() : nullptr;
    const std::vector<size_t>& shape = sources_.at(name + ".weight").shape;
    const size_t outputs = shape[0], inputs = shape[1], rows = x.size() / inputs;
    Values y(rows * outputs);
    for (size_t r = 0; r < rows; ++r) {
      for (size_t j = 0; j < outputs; ++j) {
        double sum = bias == nullptr ? 0 : bias[j];
        for (size_t k = 0; k < inputs; ++k) sum += x[r * inputs + k] * weight[j * inputs + k];
        y[r * outputs + j] = sum;
      }
    }
    return y;
  }

  void normalize(Values& x, const std::string& name, double eps) const {
    const std::vector<float>& gamma = parameter(name + ".weight");
    const float* beta = has(name + ".bias") ? parameter(name + ".bias").data() : nullptr;
    const size_t n = gamma.size();
    for (size_t begin = 0; begin < x.size(); begin += n) {
      double mean = 0, variance = 0;
      for (size_t i = 0; i < n; ++i) mean += x[begin + i] / static_cast<double>(n);
      for (size_t i = 0; i < n; ++i) variance += (x[begin + i] - mean) * (x[begin + i] - mean) / static_cast<double>(n);
      for (size_t i = 0; i < n; ++i) {
        x[begin + i] = gamma[i] * (x[begin + i] - mean) / std::sqrt(variance + eps) + (beta == nullptr ? 0 : beta[i]);
      }
    }
  }

  void zero_masked(Values& x) const {
    for (size_t i = 0; i < x.size(); ++i) {
      if (!is_key(sequence_, i / hidden_size())) x[i] = 0;
    }
  }

  size_t position_of(size_t column) const {
    if (sequence_.position_ids != nullptr) return static_cast<size_t>(sequence_.position_ids[column]);
    const std::optional<int32_t> padding = specification_.embeddings.position_padding_id;
    if (!padding) return column;
    if (sequence_.inputs_embeds != nullptr) return column + static_cast<size_t>(*padding) + 1;
    if (sequence_.input_ids[column] == *padding) return static_cast<size_t>(*padding);
    size_t position = static_cast<size_t>(*padding);
    for (size_t s = 0; s <= column; ++s) position += sequence_.input_ids[s] != *padding;
    return position;
  }

  Values embeddings() const {
    const EmbeddingsSpecification& embeddings = specification_.embeddings;
    const size_t n = embeddings.embedding_size;
    Values x(length() * n);
    for (size_t s = 0; s < length(); ++s) {
      const size_t type = sequence_.token_type_ids ? sequence_.token_type_ids[s] : 0;
      for (size_t i = 0; i < n; ++i) {
        double& value = x[s * n + i];
        value = sequence_.inputs_embeds ? sequence_.inputs_embeds[s * n + i]
                                        : parameter("embeddings.word")[sequence_.input_ids[s] * n + i];
        if (embeddings.type_vocab_size > 0) value += parameter("embeddings.token_type")[type * n + i];
        if (embeddings.position == PositionEmbedding::kAbsolute) {
          value += parameter("embeddings.position")[position_of(s) * n + i];
        }
      }
    }
    if (embeddings.projection == ProjectionPlacement::kBeforeNorm) x = linear(x, "embeddings.projection");
    normalize(x, "embeddings.norm", embeddings.norm.eps);
    if (embeddings.projection == ProjectionPlacement::kAfterNorm) x = linear(x, "embeddings.projection");
    if (embeddings.zero_masked) zero_masked(x);
    return x;
  }

  // What a layer's attention projects.
  Values attention_input(Values x, size_t index) const {
    const LayerSpecification& layer = specification_.layers[index];
    if (layer.norm_placement == NormPlacement::kPre && layer.attention_norm) {
      normalize(x, layer_name(index) + ".attention.norm", layer.attention_norm->eps);
    }
    return x;
  }

  // Turns the pairs of each head. Su et al. 2021, eq. 34
  void rotate(Values& x, const AttentionSpecification& attention) const {
    const AttentionPosition& position = attention.position;
    if (position.kind != AttentionPositionKind::kRotary) return;
    const size_t pairs = position.inverse_frequencies.size(), depth = attention.head_size;
    for (size_t head = 0; head * depth < x.size(); ++head) {
      const size_t column = head / attention.num_attention_heads;
      const double place = sequence_.position_ids == nullptr ? static_cast<double>(column)
                                                             : static_cast<double>(sequence_.position_ids[column]);
      for (size_t i = 0; i < pairs; ++i) {
        const double angle = place * position.inverse_frequencies[i];
        double& a = x[head * depth + (position.neighbours ? 2 * i : i)];
        double& b = x[head * depth + (position.neighbours ? 2 * i + 1 : i + pairs)];
        const double turned = a * std::cos(angle) - b * std::sin(angle);
        b = b * std::cos(angle) + a * std::sin(angle);
        a = turned;
      }
    }
  }

  size_t distance_row(size_t l, size_t r) const {
    const std::vector<uint32_t>& rows = specification_.relative_positions->row_of;
    const ptrdiff_t middle = static_cast<ptrdiff_t>(rows.size() / 2);
    const ptrdiff_t distance = static_cast<ptrdiff_t>(l) - static_cast<ptrdiff_t>(r);
    return rows[static_cast<size_t>(std::clamp(distance + middle, ptrdiff_t{0}, 2 * middle))];
  }

  // What disentangled attention adds: He et al. 2020, eq. 4. P_k and P_q [rows, A·D], empty where they add nothing.
  struct Disentangled {
    Values to_key, to_query;
  };
  Disentangled disentangled(size_t index) const {
    const AttentionPosition& position = specification_.layers[index].attention.position;
    if (position.kind != AttentionPositionKind::kDisentangled) return {};
    const std::vector<float>& stored = parameter("relative_positions.weight");
    Values rows(stored.begin(), stored.end());
    if (const auto& norm = specification_.relative_positions->norm) {
      normalize(rows, "relative_positions.norm", norm->eps);
    }
    const std::string name = layer_name(index) + ".attention.";
    const std::string own = position.shared_projections ? "" : "position_";
    Disentangled result;
    if (position.to_key) result.to_key = linear(rows, name + own + "key");
    if (position.to_query) result.to_query = linear(rows, name + own + "query");
    return result;
  }

  bool sees(const AttentionMask& mask, size_t l, size_t r) const {
    const size_t distance = l > r ? l - r : r - l;
    if (mask.kind == AttentionMaskKind::kWindow && distance > mask.window / 2) return false;
    if (mask.kind == AttentionMaskKind::kCausal && r > l) return false;
    return is_key(sequence_, r);
  }

  // [A,S,S]. A query that sees no key attends to all positions equally.
  Values probabilities(const Values& x, size_t index) const {
    const LayerSpecification& layer = specification_.layers[index];
    const std::string name = layer_name(index) + ".attention";
    const AttentionSpecification& attention = layer.attention;
    const AttentionPositionKind kind = attention.position.kind;
    const size_t heads = attention.num_attention_heads, depth = attention.head_size, width = heads * depth,
                 n = length();
    Values q = linear(x, name + ".query"), k = linear(x, name + ".key");
    rotate(q, attention);
    rotate(k, attention);
    const bool relative_to_keys = kind == AttentionPositionKind::kRelativeKeyQuery;
    const bool relative = kind == AttentionPositionKind::kRelativeKey || relative_to_keys;
    const std::vector<float> none, &distances = relative ? parameter(name + ".distance") : none;
    const Disentangled by_distance = disentangled(index);
    Values p(heads * n * n, 0.0);
    for (size_t h = 0; h < heads; ++h) {
      for (size_t l = 0; l < n; ++l) {
        if (attention.zero_masked_queries && !is_key(sequence_, l)) continue;
        double* row = p.data() + (h * n + l) * n;
        double sum = 0;
        bool any_key = false;
        for (size_t r = 0; r < n; ++r) any_key = any_key || sees(layer.attention.mask, l, r);
        for (size_t r = 0; r < n; ++r) {
          if (any_key && !sees(layer.attention.mask, l, r)) continue;
          double score = 0;
          for (size_t d = 0; d < depth; ++d) {
            const double q_d = q[l * width + h * depth + d], k_d = k[r * width + h * depth + d];
            score += q_d * k_d;
            const auto at_distance = [&](const Values& rows) {
              return rows[distance_row(l, r) * width + h * depth + d];
            };
            if (!by_distance.to_key.empty()) score += q_d * at_distance(by_distance.to_key);
            if (!by_distance.to_query.empty()) score += k_d * at_distance(by_distance.to_query);
            if (!relative) continue;
            const size_t distance = l + specification_.embeddings.max_position_embeddings - 1 - r;
            const double e_d = distances[distance * depth + d];
            score += q_d * e_d;
            if (relative_to_keys) score += k_d * e_d;
          }
          score /= std::sqrt(static_cast<double>(depth) * attention.scale_factor);
          if (kind == AttentionPositionKind::kBias) {
            score += parameter("relative_positions.weight")[distance_row(l, r) * heads + h];
          }
          row[r] = any_key ? std::exp(score) : 1.0;
          sum += row[r];
        }
        for (size_t r = 0; r < n; ++r) row[r] /= sum;
      }
    }
    return p;
  }

  Values transform(const Values& x, const Values& input, const Values& p, size_t index) const {
    const LayerSpecification& layer = specification_.layers[index];
    const std::string name = layer_name(index);
    const bool is_pre = layer.norm_placement == NormPlacement::kPre;
    const size_t heads = layer.attention.num_attention_heads, depth = layer.attention.head_size, width = heads * depth,
                 n = length();
    const Values v = linear(input, name + ".attention.value");
    Values context(n * width, 0.0);
    for (size_t h = 0; h < heads; ++h) {
      for (size_t l = 0; l < n; ++l) {
        for (size_t r = 0; r < n; ++r) {
          for (size_t d = h * depth; d < (h + 1) * depth; ++d) {
            context[l * width + d] += p[(h * n + l) * n + r] * v[r * width + d];
          }
        }
      }
    }
    Values attended = linear(context, name + ".attention.output");
    for (size_t i = 0; i < x.size(); ++i) attended[i] += x[i];
    if (!is_pre) normalize(attended, name + ".attention.norm", layer.attention_norm->eps);
    Values mlp_input = attended;
    if (is_pre) normalize(mlp_input, name + ".mlp.norm", layer.mlp_norm.eps);
    Values output = linear(inner(mlp_input, layer.mlp, name + ".mlp"), name + ".mlp.down");
    for (size_t i = 0; i < x.size(); ++i) output[i] += attended[i];
    if (!is_pre) normalize(output, name + ".mlp.norm", layer.mlp_norm.eps);
    return output;
  }

  Values inner(const Values& x, const MlpSpecification& mlp, const std::string& name) const {
    Values up = linear(x, name + ".up");
    if (!mlp.gated) {
      for (double& value : up) value = activate(mlp.activation, value);
      return up;
    }
    const Values gate = linear(x, name + ".gate");
    for (size_t i = 0; i < up.size(); ++i) up[i] *= activate(mlp.activation, gate[i]);
    return up;
  }

  // norm(x + act(conv(e))), zeros at masked positions
  Values convolve(const Values& e, Values x) const {
    const ConvolutionSpecification& convolution = *specification_.convolution;
    const std::vector<float>&weight = parameter("convolution.weight"), &bias = parameter("convolution.bias");
    const size_t n = hidden_size(), taps = convolution.kernel_size, channels = n / convolution.groups;
    for (size_t s = 0; s < length(); ++s) {
      for (size_t out = 0; out < n; ++out) {
        double sum = bias[out];
        for (size_t tap = 0; tap < taps; ++tap) {
          const ptrdiff_t column = static_cast<ptrdiff_t>(s + tap) - static_cast<ptrdiff_t>(taps / 2);
          if (column < 0 || column >= static_cast<ptrdiff_t>(length())) continue;
          if (!is_key(sequence_, static_cast<size_t>(column))) continue;
          for (size_t i = 0; i < channels; ++i) {
            const double value = e[static_cast<size_t>(column) * n + out / channels * channels + i];
            sum += weight[(out * channels + i) * taps + tap] * value;
          }
        }
        x[s * n + out] += activate(convolution.activation, sum);
      }
    }
    normalize(x, "convolution.norm", convolution.norm.eps);
    zero_masked(x);
    return x;
  }

  const EncoderSpecification& specification_;
  const ParameterSources& sources_;
  const Sequence& sequence_;
};

}  // namespace

ReferenceOutput reference_encode(const EncoderSpecification& specification, const ParameterSources& sources,
                                 const Sequence& sequence) {
  return Encoder(specification, sources, sequence).run();
}

Values reference_pool(const Values& last_hidden_state, const Sequence& sequence, size_t hidden_size, Pooling pooling,
                      bool normalize) {
  Values out(hidden_size, 0.0);
  size_t count = 0;
  for (size_t s = 0; s < sequence.length; ++s) {
    const bool taken = pooling == Pooling::kCls ? s == 0 : is_key(sequence, s);
    for (size_t i = 0; taken && i < hidden_size; ++i) {
      const double value = last_hidden_state[s * hidden_size + i];
      out[i] = pooling == Pooling::kMax && count > 0 ? std::max(out[i], value) : out[i] + value;
    }
    count += taken;
  }
  if (pooling == Pooling::kMean && count > 0) {
    for (double& value : out) value /= static_cast<double>(count);
  }
  double square = 0;
  for (const double value : out) square += value * value;
  if (normalize && square > 0) {
    for (double& value : out) value /= std::sqrt(square);
  }
  return out;
}

}  // namespace bert_native::test
