#include "fuzz/fuzz_input.h"

#include <algorithm>
#include <array>

namespace bert_native::fuzz {

std::string FuzzInput::front(size_t most) {
  const size_t count = std::min(most, size_);
  std::string result(reinterpret_cast<const char*>(data_), count);
  skip(count);
  return result;
}

std::string FuzzInput::bytes(size_t most) { return front(std::min<size_t>(most, take<uint8_t>())); }

std::u16string FuzzInput::text(size_t most) {
  // Characters that some part of a tokenizer treats in a way of its own: a byte of the input picks one.
  static constexpr std::array<char16_t, 48> kSpecial{
      u' ',      u'\t',     u'\n',     u'\0',     u'\u00a0', u'\u3000', u'\u200b', u'\u200d', u'\ufeff', u'\u0301',
      u'\u0345', u'\u0130', u'ı',      u'ß',      u'ﬁ',      u'é',      u'Å',      u'ſ',      u'가',     u'각',
      u'\u1100', u'\u1161', u'\u11a8', u'中',     u'々',     u'▁',      u'Ġ',      u'\'',     u's',      u'#',
      u'[',      u']',      u'<',      u'>',      u'0',      u'९',      0xd83d,    0xde00,    0xd800,    0xdfff,
      0xfffd,    0xffff,    u'\u0f73', u'\u0958', u'\u2126', u'\ufb1d', u'\u0390', u'Ⅳ'};
  std::u16string result;
  while (result.size() < most && size_ > 0) {
    const auto byte = take<uint8_t>();
    if (byte < 0x80) {
      result.push_back(byte);
    } else if (byte < 0x80 + kSpecial.size()) {
      result.push_back(kSpecial[byte - 0x80]);
    } else if (byte < 0xf0) {
      result.append(4, result.empty() ? u'a' : result.back());
    } else {
      result.push_back(take<char16_t>());
    }
  }
  return result;
}

std::u32string FuzzInput::code_points(size_t most) {
  std::u32string result;
  const size_t count = std::min(most, below(most + 1));
  for (size_t i = 0; i < count && size_ > 0; ++i) {
    const bool plain = below(4) != 0;
    const char32_t c = plain ? take<uint8_t>() : take<uint32_t>() % 0x110000;
    result.push_back(c >= 0xd800 && c < 0xe000 ? 0xfffd : c);
  }
  return result;
}

}  // namespace bert_native::fuzz
