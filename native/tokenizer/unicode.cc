#include "tokenizer/unicode.h"

#include <algorithm>

namespace bert_native::unicode {

namespace {

bool is_python_space(char32_t c) { return is_white_space(c) || (c >= 0x1c && c <= 0x1f); }

bool is_continuation(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; }

void append_utf16(char32_t c, std::u16string& utf16) {
  const auto [first, second] = utf16_units(c);
  utf16.push_back(first);
  if (second != 0) utf16.push_back(second);
}

bool is_space_character(std::string_view character) {
  const DecodedBytes decoded = decode_utf8(character);
  return decoded.length == character.size() && is_python_space(decoded.code_point);
}

size_t first_character_size(std::string_view text) {
  size_t size = 1;
  while (size < text.size() && is_continuation(text[size])) ++size;
  return size;
}

size_t last_character_size(std::string_view text) {
  size_t size = 1;
  while (size < text.size() && is_continuation(text[text.size() - size])) ++size;
  return size;
}

// What of a grapheme cluster decides whether the next character belongs to it.
class GraphemeState {
 public:
  explicit GraphemeState(char32_t first) { append(first); }

  // Rules GB3 to GB13 of Unicode annex 29 between what was appended and `c`.
  bool continues_with(char32_t c) const {
    const GraphemeBreak next = grapheme_break(c);
    if (last_ == GraphemeBreak::kCr) return next == GraphemeBreak::kLf;
    if (is_control(last_) || is_control(next)) return false;
    if (next == GraphemeBreak::kExtend || next == GraphemeBreak::kZwj || next == GraphemeBreak::kSpacingMark)
      return true;
    if (last_ == GraphemeBreak::kPrepend) return true;
    if (linked_ && indic_conjunct(c) == IndicConjunct::kConsonant) return true;
    switch (next) {
      case GraphemeBreak::kL:
      case GraphemeBreak::kLv:
      case GraphemeBreak::kLvt:
        return last_ == GraphemeBreak::kL;
      case GraphemeBreak::kV:
        return last_ == GraphemeBreak::kL || last_ == GraphemeBreak::kV || last_ == GraphemeBreak::kLv;
      case GraphemeBreak::kT:
        return last_ == GraphemeBreak::kV || last_ == GraphemeBreak::kT || last_ == GraphemeBreak::kLv ||
               last_ == GraphemeBreak::kLvt;
      case GraphemeBreak::kExtendedPictographic:
        return joined_picture_;
      case GraphemeBreak::kRegionalIndicator:
        return odd_indicators_;
      default:
        return false;
    }
  }

  void append(char32_t c) {
    last_ = grapheme_break(c);
    joined_picture_ = picture_ && last_ == GraphemeBreak::kZwj;
    picture_ = last_ == GraphemeBreak::kExtendedPictographic || (picture_ && last_ == GraphemeBreak::kExtend);
    odd_indicators_ = last_ == GraphemeBreak::kRegionalIndicator && !odd_indicators_;
    const IndicConjunct conjunct = indic_conjunct(c);
    if (conjunct == IndicConjunct::kConsonant) {
      consonant_ = true;
      linked_ = false;
    } else if (conjunct == IndicConjunct::kNone) {
      consonant_ = linked_ = false;
    } else if (conjunct == IndicConjunct::kLinker) {
      linked_ = consonant_;
    }
  }

 private:
  static bool is_control(GraphemeBreak kind) {
    return kind == GraphemeBreak::kControl || kind == GraphemeBreak::kCr || kind == GraphemeBreak::kLf;
  }

  GraphemeBreak last_ = GraphemeBreak::kOther;
  bool picture_ = false;         // at the end stands Extended_Pictographic Extend*
  bool joined_picture_ = false;  // at the end stands Extended_Pictographic Extend* ZWJ
  bool odd_indicators_ = false;  // an odd number of Regional_Indicators at the end
  bool consonant_ = false;       // an Indic consonant with nothing but Extend and Linker behind it
  bool linked_ = false;          // one of which is a Linker
};

char32_t compose_hangul(char32_t first, char32_t second) {
  if (first >= kFirstL && first < kFirstL + kLeads && second >= kFirstV && second < kFirstV + kVowels) {
    return kFirstSyllable + ((first - kFirstL) * kVowels + (second - kFirstV)) * kTrails;
  }
  const bool has_no_trail = is_hangul_syllable(first) && (first - kFirstSyllable) % kTrails == 0;
  if (has_no_trail && second > kBeforeFirstT && second < kBeforeFirstT + kTrails) {
    return first + (second - kBeforeFirstT);
  }
  return 0;
}

}  // namespace

DecodedBytes decode_utf8(std::string_view bytes) {
  const auto lead = static_cast<unsigned char>(bytes[0]);
  if (lead < 0x80) return {lead, 1};
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || bytes.size() < length) return {0, 0};
  char32_t c = lead & (0xffu >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if (!is_continuation(bytes[i])) return {0, 0};
    c = (c << 6) | (static_cast<unsigned char>(bytes[i]) & 0x3fu);
  }
  constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = c >= 0xd800 && c <= 0xdfff;
  if (c < kSmallest[length] || c > kLastCodePoint || surrogate) return {0, 0};
  return {c, length};
}

size_t grapheme_end(std::u32string_view text, size_t begin) {
  GraphemeState state(text[begin]);
  size_t end = begin + 1;
  while (end < text.size() && state.continues_with(text[end])) state.append(text[end++]);
  return end;
}

char32_t compose(char32_t first, char32_t second) {
  if (first <= kLastComposition) {
    const CodePoints pairs = pooled_sequence(kCompositionIndex, kCompositionPositions, kCompositionPool, first);
    for (size_t i = 0; i + 1 < pairs.size(); i += 2) {
      if (pairs[i] == second) return pairs[i + 1];
    }
  }
  return compose_hangul(first, second);
}

std::string to_utf8(std::u16string_view text) {
  std::string utf8;
  utf8.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const DecodedUnit decoded = decode_utf16(text, i);
    char bytes[kMaxUtf8Bytes];
    utf8.append(bytes, encode_utf8(decoded.code_point, bytes));
    i += decoded.length;
  }
  return utf8;
}

std::string to_utf8(std::u32string_view text) {
  std::string utf8(text.size() * kMaxUtf8Bytes, '\0');
  size_t size = 0;
  for (const char32_t c : text) size += encode_utf8(c, utf8.data() + size);
  utf8.resize(size);
  return utf8;
}

std::u16string to_utf16(std::u32string_view text) {
  std::u16string utf16;
  utf16.reserve(text.size());
  for (const char32_t c : text) append_utf16(c, utf16);
  return utf16;
}

std::u16string to_utf16(std::string_view utf8) {
  std::u16string utf16;
  utf16.reserve(utf8.size());
  while (!utf8.empty()) {
    const DecodedBytes decoded = decode_utf8(utf8);
    append_utf16(decoded.code_point, utf16);
    utf8.remove_prefix(std::max<size_t>(decoded.length, 1));
  }
  return utf16;
}

bool is_utf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t length = decode_utf8(bytes).length;
    if (length == 0) return false;
    bytes.remove_prefix(length);
  }
  return true;
}

std::string_view strip_white_space(std::string_view utf8) {
  while (!utf8.empty()) {
    const size_t size = first_character_size(utf8);
    if (!is_space_character(utf8.substr(0, size))) break;
    utf8.remove_prefix(size);
  }
  while (!utf8.empty()) {
    const size_t size = last_character_size(utf8);
    if (!is_space_character(utf8.substr(utf8.size() - size))) break;
    utf8.remove_suffix(size);
  }
  return utf8;
}

}  // namespace bert_native::unicode
