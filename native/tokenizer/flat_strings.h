#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bert_native {

// Strings back to back: string i lies between starts[i] and starts[i + 1]; its index is its id.
class FlatStrings {
 public:
  // `starts` has one entry more than there are strings, ascends from 0 and ends with `bytes.size()`; every string is
  // well-formed UTF-8. Else kOption.
  FlatStrings(std::string bytes, std::vector<uint32_t> starts);

  size_t size() const { return starts_.size() - 1; }
  std::string_view operator[](size_t i) const {
    return std::string_view(bytes_).substr(starts_[i], starts_[i + 1] - starts_[i]);
  }

 private:
  std::string bytes_;
  std::vector<uint32_t> starts_;
};

}  // namespace bert_native
