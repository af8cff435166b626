#include <cstdint>
#include <optional>
#include <utility>

#include "tokenizer/decoders/decoder.h"
#include "tokenizer/unicode.h"

namespace bert_native {

namespace {

std::optional<unsigned> hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
}

// The byte that "<0xXX>" stands for. Rust's parser of numbers also takes "+" and one digit.
std::optional<char> byte_of(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token.back() != '>') return std::nullopt;
  const std::optional<unsigned> high = token[3] == '+' ? 0 : hex_digit(token[3]), low = hex_digit(token[4]);
  if (!high || !low) return std::nullopt;
  return static_cast<char>(*high << 4 | *low);
}

class ByteFallbackDecoder : public Decoder {
 public:
  void decode(std::vector<std::string>& tokens) const override {
    std::vector<std::string> decoded;
    std::string bytes;
    const auto write_bytes = [&] {
      if (bytes.empty()) return;
      if (unicode::is_utf8(bytes)) {
        decoded.push_back(bytes);
      } else {
        decoded.insert(decoded.end(), bytes.size(), "\uFFFD");
      }
      bytes.clear();
    };
    for (std::string& token : tokens) {
      if (const std::optional<char> byte = byte_of(token)) {
        bytes += *byte;
      } else {
        write_bytes();
        decoded.push_back(std::move(token));
      }
    }
    write_bytes();
    tokens = std::move(decoded);
  }
};

}  // namespace

DecoderPointer make_byte_fallback_decoder() { return std::make_unique<ByteFallbackDecoder>(); }

}  // namespace bert_native
