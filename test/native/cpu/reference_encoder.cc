#include "cpu/reference_encoder.h"

#include <algorithm>
#include <cmath>
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
      output.attentions.push_back(probabilities(x, layer));
      output.hidden_states.push_back(transform(x, output.attentions.back(), layer));
    }
    if (specification_.pooler && length() > 0) {
      const Values first(output.hidden_states.back().begin(), output.hidden_states.back().begin() + hidden_size());
      output.pooler_output = linear(first, "pooler.dense");
      for (double& value : output.pooler_output) value = std::tanh(value);
    }
    return output;
  }

 private:
  size_t length() const { return sequence_.length; }
  size_t hidden_size() const { return specification_.hidden_size; }
  const std::vector<float>& parameter(const std::string& name) const {
    return std::get<std::vector<float>>(sources_.at(name).values);
  }

  // x [rows, inputs] · Wᵀ + b
  Values linear(const Values& x, const std::string& name) const {
    const std::vector<float>&weight = parameter(name + ".weight"), &bias = parameter(name + ".bias");
    const size_t outputs = bias.size(), inputs = weight.size() / outputs, rows = x.size() / inputs;
    Values y(rows * outputs);
    for (size_t r = 0; r < rows; ++r) {
      for (size_t j = 0; j < outputs; ++j) {
        double sum = bias[j];
        for (size_t k = 0; k < inputs; ++k) sum += x[r * inputs + k] * weight[j * inputs + k];
        y[r * outputs + j] = sum;
      }
    }
    return y;
  }

  void normalize(Values& x, const std::string& name, double eps) const {
    const std::vector<float>&gamma = parameter(name + ".weight"), &beta = parameter(name + ".bias");
    const size_t n = hidden_size();
    for (size_t begin = 0; begin < x.size(); begin += n) {
      double mean = 0, variance = 0;
      for (size_t i = 0; i < n; ++i) mean += x[begin + i] / static_cast<double>(n);
      for (size_t i = 0; i < n; ++i) variance += (x[begin + i] - mean) * (x[begin + i] - mean) / static_cast<double>(n);
      for (size_t i = 0; i < n; ++i) {
        x[begin + i] = gamma[i] * (x[begin + i] - mean) / std::sqrt(variance + eps) + beta[i];
      }
    }
  }

  Values embeddings() const {
    const size_t n = hidden_size();
    Values x(length() * n);
    for (size_t s = 0; s < length(); ++s) {
      const size_t type = sequence_.token_type_ids ? sequence_.token_type_ids[s] : 0;
      const size_t position = sequence_.position_ids ? sequence_.position_ids[s] : s;
      for (size_t i = 0; i < n; ++i) {
        double& value = x[s * n + i];
        value = sequence_.inputs_embeds ? sequence_.inputs_embeds[s * n + i]
                                        : parameter("embeddings.word")[sequence_.input_ids[s] * n + i];
        value += parameter("embeddings.token_type")[type * n + i];
        if (specification_.embeddings.position == PositionEmbedding::kAbsolute) {
          value += parameter("embeddings.position")[position * n + i];
        }
      }
    }
    normalize(x, "embeddings.norm", specification_.embeddings.norm.eps);
    return x;
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
    const std::string name = "layers." + std::to_string(index) + ".attention";
    const size_t heads = layer.attention.num_attention_heads, depth = layer.attention.head_size, width = heads * depth,
                 n = length();
    const Values q = linear(x, name + ".query"), k = linear(x, name + ".key");
    const bool relative = layer.attention.position.kind != AttentionPositionKind::kNone;
    const std::vector<float> none, &distances = relative ? parameter(name + ".distance") : none;
    const bool relative_to_keys = layer.attention.position.kind == AttentionPositionKind::kRelativeKeyQuery;
    Values p(heads * n * n, 0.0);
    for (size_t h = 0; h < heads; ++h) {
      for (size_t l = 0; l < n; ++l) {
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
            if (!relative) continue;
            const size_t distance = l + specification_.embeddings.max_position_embeddings - 1 - r;
            const double e_d = distances[distance * depth + d];
            score += q_d * e_d;
            if (relative_to_keys) score += k_d * e_d;
          }
          row[r] = any_key ? std::exp(score / std::sqrt(static_cast<double>(depth))) : 1.0;
          sum += row[r];
        }
        for (size_t r = 0; r < n; ++r) row[r] /= sum;
      }
    }
    return p;
  }

  Values transform(const Values& x, const Values& p, size_t index) const {
    const LayerSpecification& layer = specification_.layers[index];
    const std::string name = "layers." + std::to_string(index);
    const size_t heads = layer.attention.num_attention_heads, depth = layer.attention.head_size, width = heads * depth,
                 n = length();
    const Values v = linear(x, name + ".attention.value");
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
    normalize(attended, name + ".attention.norm", layer.attention_norm->eps);
    Values inner = linear(attended, name + ".mlp.up");
    for (double& value : inner) value = activate(layer.mlp.activation, value);
    Values output = linear(inner, name + ".mlp.down");
    for (size_t i = 0; i < x.size(); ++i) output[i] += attended[i];
    normalize(output, name + ".mlp.norm", layer.mlp_norm.eps);
    return output;
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
