#include "tokenizer/normalized_text.h"

#include <string>
#include <utility>

#include "common/errors.h"
#include "tokenizer/unicode.h"

namespace bert_native {

NormalizedText to_normalized_text(std::u16string_view text, size_t begin, size_t end) {
  constexpr size_t kMostAtLeast = size_t{1} << 20, kMostTimes = 256;
  constexpr char32_t kReplacement = 0xfffd;
  NormalizedText result;
  result.start = static_cast<int32_t>(begin);
  result.code_points.reserve(end - begin);
  result.origins.reserve(end - begin);
  for (size_t i = begin; i < end;) {
    const auto [c, length] = unicode::decode_utf16(text.substr(0, end), i);
    const bool is_surrogate = c >= 0xd800 && c <= 0xdfff;
    result.code_points.push_back(is_surrogate ? kReplacement : c);
    result.origins.push_back({static_cast<int32_t>(i), static_cast<int32_t>(i + length)});
    i += length;
  }
  result.most = kMostAtLeast + kMostTimes * (end - begin);
  return result;
}

TextRewriter::TextRewriter(NormalizedText& text) : text_(text) {
  code_points_.reserve(text.size());
  origins_.reserve(text.size());
}

void TextRewriter::finish() {
  text_.code_points = std::move(code_points_);
  text_.origins = std::move(origins_);
}

void TextRewriter::refuse_growth() const {
  throw Error(ErrorCode::kMemory,
              "the normalizer makes more than " + std::to_string(text_.most) + " characters of one text");
}

}  // namespace bert_native
