#include "tokenizer/decoders/wordpiece.h"

#include <utility>

#include "tokenizer/decoders/replace_all.h"
#include "tokenizer/unicode.h"

namespace bert_native {

std::string clean_up_tokenization(std::string text) {
  constexpr std::pair<std::string_view, std::string_view> kReplacements[] = {
      {" .", "."},     {" ?", "?"},   {" !", "!"},   {" ,", ","},     {" ' ", "'"},
      {" n't", "n't"}, {" 'm", "'m"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
  };
  for (const auto& [from, to] : kReplacements) text = replace_all(std::move(text), from, to);
  return text;
}

std::string clean_up_decoded(std::string text) {
  return replace_all(clean_up_tokenization(std::move(text)), " do not", " don't");
}

std::string WordPieceDecoder::decode(const std::vector<DecodedToken>& tokens, bool clean_up_tokenization_spaces) const {
  std::string text;
  for (size_t begin = 0; begin < tokens.size();) {
    size_t end = begin + 1;
    while (!tokens[begin].is_added && end < tokens.size() && !tokens[end].is_added) ++end;
    if (begin > 0) text += ' ';
    text += tokens[begin].is_added ? std::string(tokens[begin].text) : join(tokens, begin, end);
    begin = end;
  }
  return clean_up_tokenization_spaces ? clean_up_tokenization(std::move(text)) : text;
}

std::string WordPieceDecoder::join(const std::vector<DecodedToken>& tokens, size_t begin, size_t end) const {
  std::string joined;
  for (size_t i = begin; i < end; ++i) {
    if (i > begin) joined += ' ';
    joined += tokens[i].text;
  }
  return std::string(unicode::strip_white_space(replace_all(std::move(joined), " " + prefix_, "")));
}

}  // namespace bert_native
