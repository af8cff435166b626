#include "tokenizer/normalizers/bert.h"

namespace bert_native {

BertNormalizer::BertNormalizer(const BertNormalizerOptions& options)
    : options_(options),
      flags_(flags_of(options.characters)),
      dropped_(options.clean_text ? flags_.removed : uint16_t{0}),
      isolated_(options.handle_chinese_chars ? flags_.chinese : uint16_t{0}) {}

BertNormalizer::CharacterFlags BertNormalizer::flags_of(BertCharacters characters) {
  using namespace unicode;
  if (characters == BertCharacters::kPython) return {kRemoved, kPunctuation, kChinese, kNonspacingMark};
  return {kRustRemoved, kRustPunctuation, kRustChinese, kRustNonspacingMark};
}

uint16_t BertNormalizer::flags_of_change() const {
  unsigned flags = flags_.removed | flags_.chinese | flags_.punctuation | unicode::kWhiteSpace;
  if (options_.lowercase) flags |= unicode::kLowercases;
  if (options_.strip_accents) flags |= flags_.nonspacing_mark | unicode::kDecomposes | unicode::kNonstarter;
  return static_cast<uint16_t>(flags);
}

}  // namespace bert_native
