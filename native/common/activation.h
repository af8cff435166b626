#pragma once

#include <cstddef>

namespace bert_native {

// Activation functions. Hendrycks & Gimpel 2016 for the three forms of GELU, Ramachandran et al. 2017 for SiLU (swish).
enum class Activation {
  kGeluErf,    // x/2 (1 + erf(x/√2))
  kGeluTanh,   // x/2 (1 + tanh(√(2/π) (x + 0.044715 x³)))
  kQuickGelu,  // x σ(1.702 x)
  kRelu,
  kSilu,  // x σ(x)
  kTanh,
};
inline constexpr size_t kActivationCount = 6;

}  // namespace bert_native
