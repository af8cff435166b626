#include "tokenizer/text_scan.h"

#include <algorithm>
#include <bit>

namespace bert_native {

size_t find_unit(std::u16string_view text, size_t from, const std::array<char16_t, 4>& wanted) {
  size_t i = from;
  for (; text.size() - i >= 16; i += 16) {
    const uint64_t found = scan::equal_16(text.data() + i, wanted);
    if (found != 0) return i + static_cast<size_t>(std::countr_zero(found));
  }
  while (i < text.size() && std::find(wanted.begin(), wanted.end(), text[i]) == wanted.end()) ++i;
  return i;
}

}  // namespace bert_native
