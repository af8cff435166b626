#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "common/compiler.h"

namespace bert_native {

// Spreads the bits of `x` over the whole word: the finaliser of MurmurHash3 (Appleby).
BN_ALWAYS_INLINE uint64_t mix_bits(uint64_t x) {
  x = (x ^ x >> 33) * 0xff51afd7ed558ccd;
  x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53;
  return x ^ x >> 33;
}

// For tables of short keys: eight bytes a step, the last of them read once more where the size is no multiple of eight.
BN_ALWAYS_INLINE uint64_t hash_bytes(std::string_view key) {
  constexpr uint64_t kOdd = 0x9e3779b97f4a7c15;
  const char* bytes = key.data();
  const size_t size = key.size();
  uint64_t hash = size * kOdd;
  const auto load = [bytes](size_t at, size_t count) {
    uint64_t word = 0;
    std::memcpy(&word, bytes + at, count);
    return word;
  };
  if (size >= 8) {
    for (size_t i = 0; i + 8 < size; i += 8) {
      hash = (hash ^ load(i, 8)) * kOdd;
      hash ^= hash >> 29;
    }
    return mix_bits(hash ^ load(size - 8, 8));
  }
  if (size >= 4) return mix_bits(hash ^ (load(0, 4) | load(size - 4, 4) << 32));
  if (size > 0) return mix_bits(hash ^ (load(0, 1) | load(size / 2, 1) << 8 | load(size - 1, 1) << 16));
  return mix_bits(hash);
}

}  // namespace bert_native
