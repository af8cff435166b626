#include "tokenizer/decoders/replace_all.h"

#include <algorithm>

#include "tokenizer/unicode.h"

namespace bert_native {

namespace {

std::string insert_everywhere(std::string_view text, std::string_view inserted) {
  std::string result(inserted);
  for (size_t begin = 0; begin < text.size();) {
    // A byte that no character begins with has no length.
    const size_t size = std::max<size_t>(1, unicode::decode_utf8(text.substr(begin)).length);
    result.append(text.substr(begin, size)).append(inserted);
    begin += size;
  }
  return result;
}

}  // namespace

std::string replace_all(std::string text, std::string_view from, std::string_view to) {
  if (from.empty()) return insert_everywhere(text, to);
  size_t found = text.find(from);
  if (found == std::string::npos) return text;
  std::string result;
  result.reserve(text.size());
  size_t begin = 0;
  for (; found != std::string::npos; found = text.find(from, begin)) {
    result.append(text, begin, found - begin).append(to);
    begin = found + from.size();
  }
  return result.append(text, begin);
}

}  // namespace bert_native
