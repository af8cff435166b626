#include "cpu/naive_heads.h"

#include <algorithm>
#include <cmath>

#include "encoder/plan.h"

namespace bert_native::test {

namespace {

double activated(Activation activation, double x) {
  switch (activation) {
    case Activation::kGeluErf:
      return x * 0.5 * (1 + std::erf(x * std::sqrt(0.5)));
    case Activation::kGeluTanh:
      return x * 0.5 * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x)));
    case Activation::kQuickGelu:
      return x / (1 + std::exp(-1.702 * x));
    case Activation::kRelu:
      return x > 0 ? x : 0;
    case Activation::kSilu:
      return x / (1 + std::exp(-x));
    case Activation::kTanh:
      return std::tanh(x);
  }
  return NAN;
}

// bias: or empty.
Row linear(const Row& x, const std::vector<float>& weight, const std::vector<float>& bias) {
  Row y(weight.size() / x.size());
  for (size_t j = 0; j < y.size(); ++j) {
    y[j] = bias.empty() ? 0 : bias[j];
    for (size_t k = 0; k < x.size(); ++k) y[j] += x[k] * weight[j * x.size() + k];
  }
  return y;
}

Row layer_norm(const Row& x, const std::vector<float>& gamma, const std::vector<float>& beta, double eps) {
  const double n = static_cast<double>(x.size());
  double mean = 0, variance = 0;
  for (const double value : x) mean += value / n;
  for (const double value : x) variance += (value - mean) * (value - mean) / n;
  Row y(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    y[i] = gamma[i] * (x[i] - mean) / std::sqrt(variance + eps) + (beta.empty() ? 0 : beta[i]);
  }
  return y;
}

Row pool_by(const Rows& states, const std::vector<size_t>& positions, Pooling mode, size_t width) {
  Row out(width, 0.0);
  if (mode == Pooling::kCls) return states[0];
  if (positions.empty()) return out;
  if (mode == Pooling::kLastToken) return states[positions.back()];
  double divisor = 0;
  for (const size_t position : positions) {
    const double weight = mode == Pooling::kWeightedMean ? static_cast<double>(position + 1) : 1;
    divisor += weight;
    for (size_t i = 0; i < width; ++i) {
      const double value = states[position][i];
      out[i] = mode != Pooling::kMax ? out[i] + weight * value : divisor == 1 ? value : std::max(out[i], value);
    }
  }
  if (mode == Pooling::kMax) return out;
  if (mode == Pooling::kMeanSqrtLength) divisor = std::sqrt(divisor);
  for (double& value : out) value /= divisor;
  return out;
}

}  // namespace

Row naive_pool(const Rows& states, const Sequence& sequence, const std::vector<Pooling>& modes, size_t skip) {
  std::vector<size_t> positions;
  for (size_t position = 0; position < states.size(); ++position) {
    if (!is_key(sequence, position)) continue;
    if (skip > 0) {
      --skip;
    } else {
      positions.push_back(position);
    }
  }
  Row out;
  for (const Pooling mode : modes) {
    const Row part = pool_by(states, positions, mode, states[0].size());
    out.insert(out.end(), part.begin(), part.end());
  }
  return out;
}

Row naive_normalize(Row x) {
  double square = 0;
  for (const double value : x) square += value * value;
  for (double& value : x) value /= std::max(std::sqrt(square), 1e-12);
  return x;
}

Row naive_pooler(const Row& x, const EncoderSpecification& specification, const ReadParameter& read) {
  Row y = linear(x, read("pooler.dense.weight"), read("pooler.dense.bias"));
  for (double& value : y) value = activated(*specification.pooler, value);
  return y;
}

Row naive_head(const Row& x, const HeadSpecification& head, const ReadParameter& read) {
  Row y = x;
  for (const HeadStep& step : head.steps) {
    const std::string name = "heads." + head.name + "." + step.name;
    switch (step.kind) {
      case HeadStepKind::kLinear:
        y = linear(y, read(name + ".weight"), step.bias ? read(name + ".bias") : std::vector<float>());
        break;
      case HeadStepKind::kWordEmbeddings:
        y = linear(y, read("embeddings.word"), step.bias ? read(name + ".bias") : std::vector<float>());
        break;
      case HeadStepKind::kNorm:
        y = layer_norm(y, read(name + ".weight"), step.norm.bias ? read(name + ".bias") : std::vector<float>(),
                       step.norm.eps);
        break;
      case HeadStepKind::kActivation:
        for (double& value : y) value = activated(step.activation, value);
        break;
      case HeadStepKind::kNormalize:
        y = naive_normalize(y);
        break;
    }
  }
  return y;
}

}  // namespace bert_native::test
