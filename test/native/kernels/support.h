#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "harness.h"
#include "kernels/half.h"
#include "kernels/kernel_table.h"

// What the kernel tests share. Each test runs once for every instruction set that this processor has.

namespace bert_native::test {

using KernelTest = void (*)(const KernelTable& kernels);

// Adds "kernels/<instruction set>/<statement>" for each instruction set that can run here.
void add_kernel_test(const std::string& statement, KernelTest body);

inline const KernelTable& scalar_kernels() { return *kernel_table(Isa::kScalar); }

// Half the distance from 1 to the next f32: the relative error of one rounding.
inline constexpr double kUnitRoundoff = 0x1p-24;

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}

  uint64_t bits() { return engine_(); }
  // Uniform over [low, high).
  float uniform(float low, float high) {
    return low + (high - low) * static_cast<float>(static_cast<double>(bits() >> 40) * 0x1p-24);
  }
  // A whole number of [-8, 8]: sums of a few thousand products of such are exact in f32, in any order.
  float small_integer() { return static_cast<float>(static_cast<int>(bits() % 17) - 8); }

  std::vector<float> uniforms(size_t n, float low, float high) {
    std::vector<float> values(n);
    for (float& value : values) value = uniform(low, high);
    return values;
  }
  std::vector<float> small_integers(size_t n) {
    std::vector<float> values(n);
    for (float& value : values) value = small_integer();
    return values;
  }

 private:
  std::mt19937_64 engine_;
};

// `size` floats between two margins, whose elements a kernel must leave as they are. `offset` moves the data against
// the alignment of a vector.
class Guarded {
 public:
  explicit Guarded(const std::vector<float>& values, size_t offset = 0)
      : size_(values.size()), begin_(kMargin + offset), storage_(begin_ + size_ + kMargin, kSentinel) {
    if (size_ > 0) std::memcpy(data(), values.data(), size_ * sizeof(float));
  }

  float* data() { return storage_.data() + begin_; }
  float operator[](size_t i) const { return storage_[begin_ + i]; }
  size_t size() const { return size_; }
  std::vector<float> values() const {
    return std::vector<float>(storage_.begin() + static_cast<std::ptrdiff_t>(begin_),
                              storage_.begin() + static_cast<std::ptrdiff_t>(begin_ + size_));
  }

  void check_margins() const {
    for (size_t i = 0; i < storage_.size(); ++i) {
      const bool inside = i >= begin_ && i < begin_ + size_;
      BN_CHECK(inside || storage_[i] == kSentinel,
               "wrote outside the row, " + std::to_string(static_cast<std::ptrdiff_t>(i - begin_)) +
                   " elements from its start; its length is " + std::to_string(size_));
    }
  }

 private:
  static constexpr size_t kMargin = 32;
  static constexpr float kSentinel = -12345.678f;

  size_t size_;
  size_t begin_;
  std::vector<float> storage_;
};

inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

// Every length up to four vectors of the widest instruction set and a bit more, then some longer ones.
inline std::vector<size_t> row_lengths() {
  std::vector<size_t> lengths;
  for (size_t n = 1; n <= 70; ++n) lengths.push_back(n);
  for (size_t n : {127, 128, 129, 312, 768, 1023, 3072}) lengths.push_back(n);
  return lengths;
}

std::string number(double value);  // three significant digits

}  // namespace bert_native::test
