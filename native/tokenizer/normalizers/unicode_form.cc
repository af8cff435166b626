#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "tokenizer/normalizers/normalizer.h"
#include "tokenizer/unicode.h"

namespace bert_native {

namespace {

// Normalization forms (Unicode annex 15). Tables and origins are those of the crate unicode-normalization-alignments,
// which the Rust library uses.
class UnicodeNormalizer : public Normalizer {
 public:
  explicit UnicodeNormalizer(UnicodeForm form)
      : composes_(form == UnicodeForm::kNfc || form == UnicodeForm::kNfkc),
        compatibility_(form == UnicodeForm::kNfkc || form == UnicodeForm::kNfkd),
        changes_(flag_of(form)),
        first_that_changes_(first_that_changes(changes_)) {}

  bool keeps_words_apart() const override { return true; }

  void normalize(NormalizedText& text) const override {
    size_t i = next_that_changes(text.code_points, 0);
    if (i == text.size()) return;
    TextRewriter rewriter(text);
    std::vector<Part> parts;
    while (i < text.size()) {
      // What changes may compose with the character before it, which nothing can reach across.
      const size_t begin = composes_ && i > rewriter.position() ? i - 1 : i;
      size_t end = i + 1;
      while (end < text.size() && changes(text.code_points[end])) ++end;
      rewriter.keep(begin - rewriter.position());
      normalize_segment(std::u32string_view(text.code_points).substr(begin, end - begin), parts, rewriter);
      i = next_that_changes(text.code_points, end);
    }
    rewriter.keep(text.size() - rewriter.position());
    rewriter.finish();
  }

 private:
  // A code point that came out of decomposition; `change` as TextRewriter::put takes it.
  struct Part {
    char32_t code_point;
    uint8_t combining_rank;
    int32_t change;
  };

  static uint8_t flag_of(UnicodeForm form) {
    switch (form) {
      case UnicodeForm::kNfc:
        return unicode::kChangesInNfc;
      case UnicodeForm::kNfd:
        return unicode::kChangesInNfd;
      case UnicodeForm::kNfkc:
        return unicode::kChangesInNfkc;
      case UnicodeForm::kNfkd:
        break;
    }
    return unicode::kChangesInNfkd;
  }

  static char32_t first_that_changes(uint8_t flag) {
    char32_t c = 0;
    while (!(unicode::normalization_flags(c) & flag)) ++c;
    return c;
  }

  bool changes(char32_t c) const {
    return c >= first_that_changes_ && (unicode::normalization_flags(c) & changes_) != 0;
  }

  size_t next_that_changes(std::u32string_view text, size_t i) const {
    while (i < text.size() && !changes(text[i])) ++i;
    return i;
  }

  void normalize_segment(std::u32string_view segment, std::vector<Part>& parts, TextRewriter& rewriter) const {
    parts.clear();
    for (const char32_t c : segment) decompose(c, parts);
    put_in_canonical_order(parts);
    if (composes_) compose(parts);
    for (const Part& part : parts) rewriter.put(part.code_point, part.change);
  }

  void decompose(char32_t c, std::vector<Part>& parts) const {
    if (unicode::is_hangul_syllable(c)) {
      char32_t jamo[3];
      append({jamo, unicode::decompose_hangul(c, jamo)}, parts);
      return;
    }
    const unicode::CodePoints compatible =
        compatibility_ ? unicode::compatibility_decomposition(c) : unicode::CodePoints{};
    if (!compatible.empty()) {
      append(compatible, parts);
    } else if (unicode::decomposes_in_forms(c)) {
      append(unicode::canonical_decomposition(c), parts);
    } else {
      append({&c, 1}, parts);
    }
  }

  static void append(unicode::CodePoints sequence, std::vector<Part>& parts) {
    int32_t change = 0;
    for (const char32_t c : sequence) {
      parts.push_back({c, unicode::combining_rank_in_forms(c), change});
      change = 1;
    }
  }

  static void put_in_canonical_order(std::vector<Part>& parts) {
    const auto is_starter = [](const Part& part) { return part.combining_rank == 0; };
    const auto by_rank = [](const Part& a, const Part& b) { return a.combining_rank < b.combining_rank; };
    for (auto begin = parts.begin(); begin != parts.end();) {
      begin = std::find_if_not(begin, parts.end(), is_starter);
      const auto end = std::find_if(begin, parts.end(), is_starter);
      if (!std::is_sorted(begin, end, by_rank)) std::stable_sort(begin, end, by_rank);
      begin = end;
    }
  }

  static void compose(std::vector<Part>& parts) {
    size_t size = 0;
    size_t starter = parts.size();  // none yet
    uint8_t rank_between = 0;       // of the last part that stayed behind the starter; 0: none did
    for (const Part& part : parts) {
      const bool reaches = starter != parts.size() && (rank_between == 0 || rank_between < part.combining_rank);
      const char32_t composite = reaches ? unicode::compose(parts[starter].code_point, part.code_point) : 0;
      if (composite != 0) {
        parts[starter].code_point = composite;
        parts[starter].change += part.change - 1;
        continue;
      }
      if (part.combining_rank == 0) starter = size;
      rank_between = part.combining_rank;
      parts[size++] = part;
    }
    parts.resize(size);
  }

  bool composes_;
  bool compatibility_;
  uint8_t changes_;
  char32_t first_that_changes_;
};

}  // namespace

NormalizerPointer make_unicode_normalizer(UnicodeForm form) { return std::make_unique<UnicodeNormalizer>(form); }

}  // namespace bert_native
