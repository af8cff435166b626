#pragma once

#include <cstddef>

namespace bert_native {

// Element types in which a checkpoint may store a parameter.
enum class Dtype { kF32, kF16, kBF16, kF64 };

constexpr size_t size_bytes(Dtype dtype) {
  switch (dtype) {
    case Dtype::kF64:
      return 8;
    case Dtype::kF32:
      return 4;
    case Dtype::kF16:
    case Dtype::kBF16:
      return 2;
  }
  return 0;
}

}  // namespace bert_native
