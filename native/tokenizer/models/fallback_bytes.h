#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace bert_native {

// The ids of "<0x00>" to "<0xFF>", the entries of a vocabulary that stand for bytes.
class FallbackBytes {
 public:
  static constexpr int32_t kNoId = -1;

  // `ids` has int32_t find(std::string_view), which is -1 for what the vocabulary lacks.
  template <typename Ids>
  explicit FallbackBytes(const Ids& ids) {
    constexpr char kDigits[] = "0123456789ABCDEF";
    for (size_t byte = 0; byte < ids_.size(); ++byte) {
      ids_[byte] = ids.find(std::string("<0x") + kDigits[byte >> 4] + kDigits[byte & 15] + '>');
    }
  }

  int32_t id_of(char byte) const { return ids_[static_cast<unsigned char>(byte)]; }
  bool has_all(std::string_view bytes) const {
    return std::all_of(bytes.begin(), bytes.end(), [this](char byte) { return id_of(byte) != kNoId; });
  }

 private:
  std::array<int32_t, 256> ids_;
};

}  // namespace bert_native
