#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

// What the fuzz targets share: values out of the bytes that libFuzzer gives, and checks.

namespace bert_native::fuzz {

// Reads values from the front; behind the end everything is 0 or empty.
class FuzzInput {
 public:
  FuzzInput(const uint8_t* data, size_t size) : data_(data), size_(size) {}

  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }

  template <typename T>
  T take() {
    T value{};
    const size_t count = size_ < sizeof(T) ? size_ : sizeof(T);
    if (count > 0) std::memcpy(&value, data_, count);
    skip(count);
    return value;
  }
  bool flag() { return take<uint8_t>() % 2 == 1; }
  size_t below(size_t limit) { return take<uint8_t>() % limit; }
  // A small number most of the time, else any of 32 bits.
  int32_t number() { return below(8) == 0 ? take<int32_t>() : static_cast<int32_t>(take<uint8_t>()) - 2; }
  // A size up to `usual` most of the time; sometimes one that no memory holds.
  size_t length(size_t usual) { return below(32) == 0 ? take<uint64_t>() : below(usual + 1); }
  // The next bytes, as many as there are up to `most`.
  std::string front(size_t most);
  // Up to `most` bytes.
  std::string bytes(size_t most);
  // Up to `most` units, lone surrogates among them.
  std::u16string text(size_t most);
  // Up to `most` code points that no surrogate is among.
  std::u32string code_points(size_t most);

 private:
  void skip(size_t count) {
    data_ += count;
    size_ -= count;
  }

  const uint8_t* data_;
  size_t size_;
};

// Ends the run of the input as a finding unless `condition` holds: libFuzzer or replay.h keep the input.
void require(bool condition, const char* what);

}  // namespace bert_native::fuzz
