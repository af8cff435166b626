#include "tokenizer/pre_tokenizers/byte_level.h"

#include <algorithm>
#include <array>

#include "tokenizer/decoders/decoder.h"
#include "tokenizer/unicode.h"

namespace bert_native {

namespace {

// The inverse of GPT-2's alphabet.
class AlphabetBytes {
 public:
  AlphabetBytes() {
    bytes_.fill(kNone);
    const std::array<char32_t, 256>& alphabet = byte_level_alphabet();
    for (size_t byte = 0; byte < alphabet.size(); ++byte) bytes_[alphabet[byte]] = static_cast<int16_t>(byte);
  }

  // Appends the bytes that the characters of `token` stand for. False, and nothing appended, if one stands for none.
  bool append(std::string_view token, std::string& bytes) const {
    const size_t size = bytes.size();
    for (size_t i = 0; i < token.size();) {
      const unicode::DecodedBytes decoded = unicode::decode_utf8(token.substr(i));
      const int16_t byte = decoded.code_point < bytes_.size() ? bytes_[decoded.code_point] : kNone;
      if (byte == kNone) {
        bytes.resize(size);
        return false;
      }
      bytes += static_cast<char>(byte);
      i += decoded.length;
    }
    return true;
  }

 private:
  static constexpr int16_t kNone = -1;
  std::array<int16_t, 512> bytes_;
};

// The length of the longest start of `bytes` that is also the start of a well-formed sequence, at least 1 (The Unicode
// Standard, section 3.9, "maximal subpart"). Here `bytes` does not start with a whole sequence.
size_t maximal_subpart(std::string_view bytes) {
  const auto byte = [bytes](size_t i) { return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0u; };
  const unsigned lead = byte(0);
  if (lead < 0xc2 || lead > 0xf4) return 1;
  unsigned lowest = 0x80, highest = 0xbf;  // of the second byte
  if (lead == 0xe0) lowest = 0xa0;
  if (lead == 0xed) highest = 0x9f;
  if (lead == 0xf0) lowest = 0x90;
  if (lead == 0xf4) highest = 0x8f;
  if (lead < 0xe0 || byte(1) < lowest || byte(1) > highest) return 1;
  return lead >= 0xf0 && (byte(2) & 0xc0) == 0x80 ? 3 : 2;
}

std::string with_replacement_characters(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  for (size_t i = 0; i < bytes.size();) {
    size_t size = unicode::decode_utf8(bytes.substr(i)).length;
    if (size > 0) {
      text.append(bytes.substr(i, size));
    } else {
      text.append("\uFFFD");
      size = maximal_subpart(bytes.substr(i));
    }
    i += size;
  }
  return text;
}

class ByteLevelDecoder : public Decoder {
 public:
  void decode(std::vector<std::string>& tokens) const override {
    static const AlphabetBytes alphabet;
    std::string bytes;
    for (const std::string& token : tokens) {
      if (!alphabet.append(token, bytes)) bytes += token;
    }
    tokens.assign(1, unicode::is_utf8(bytes) ? std::move(bytes) : with_replacement_characters(bytes));
  }
};

}  // namespace

DecoderPointer make_byte_level_decoder() { return std::make_unique<ByteLevelDecoder>(); }

}  // namespace bert_native
