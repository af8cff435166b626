#include <algorithm>
#include <utility>

#include "tokenizer/decoders/decoder.h"
#include "tokenizer/unicode.h"

namespace bert_native {

namespace {

class ReplaceDecoder : public Decoder {
 public:
  ReplaceDecoder(PatternPointer pattern, std::string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}

  void decode(std::vector<std::string>& tokens) const override {
    std::u32string text;
    std::vector<Range> matches;
    for (std::string& token : tokens) {
      if (token.empty()) continue;
      text.clear();
      for (size_t i = 0; i < token.size();) {
        const unicode::DecodedBytes decoded = unicode::decode_utf8(std::string_view(token).substr(i));
        text += decoded.length > 0 ? decoded.code_point : U'\uFFFD';
        i += std::max<size_t>(1, decoded.length);
      }
      matches.clear();
      pattern_->find_all(text, matches);
      if (!matches.empty()) token = replaced(text, matches);
    }
  }

 private:
  std::string replaced(std::u32string_view text, const std::vector<Range>& matches) const {
    std::string result;
    size_t begin = 0;
    for (const Range& match : matches) {
      result += unicode::to_utf8(text.substr(begin, match.begin - begin));
      result += content_;
      begin = match.end;
    }
    return result += unicode::to_utf8(text.substr(begin));
  }

  PatternPointer pattern_;
  std::string content_;
};

}  // namespace

DecoderPointer make_replace_decoder(PatternPointer pattern, std::string content) {
  return std::make_unique<ReplaceDecoder>(std::move(pattern), std::move(content));
}

}  // namespace bert_native
