#include "tokenizer/decoders/decoder.h"
#include "tokenizer/unicode.h"

namespace bert_native {

namespace {

class StripDecoder : public Decoder {
 public:
  StripDecoder(char32_t content, size_t start, size_t stop)
      : content_(unicode::to_utf8(std::u32string_view(&content, 1))), start_(start), stop_(stop) {}

  void decode(std::vector<std::string>& tokens) const override {
    for (std::string& token : tokens) {
      std::string_view kept = token;
      for (size_t i = 0; i < start_ && kept.starts_with(content_); ++i) kept.remove_prefix(content_.size());
      for (size_t i = 0; i < stop_ && kept.ends_with(content_); ++i) kept.remove_suffix(content_.size());
      if (kept.size() < token.size()) token = std::string(kept);
    }
  }

 private:
  std::string content_;
  size_t start_, stop_;
};

}  // namespace

DecoderPointer make_strip_decoder(char32_t content, size_t start, size_t stop) {
  return std::make_unique<StripDecoder>(content, start, stop);
}

}  // namespace bert_native
