#include "tokenizer/normalizers/bert.h"

namespace bert_native {

BertNormalizer::BertNormalizer(const BertNormalizerOptions& options)
    : options_(options),
      dropped_(options.clean_text ? unicode::kRemoved : uint16_t{0}),
      isolated_(options.handle_chinese_chars ? unicode::kChinese : uint16_t{0}) {}

}  // namespace bert_native
