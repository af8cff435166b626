#include "tokenizer/decoders/decoder.h"
#include "tokenizer/decoders/replace_all.h"
#include "tokenizer/unicode.h"

namespace bert_native {

namespace {

class MetaspaceDecoder : public Decoder {
 public:
  MetaspaceDecoder(char32_t replacement, PrependScheme scheme)
      : replacement_(unicode::to_utf8(std::u32string_view(&replacement, 1))),
        first_(scheme == PrependScheme::kNever ? " " : "") {}

  void decode(std::vector<std::string>& tokens) const override {
    for (size_t i = 0; i < tokens.size(); ++i) {
      tokens[i] = replace_all(std::move(tokens[i]), replacement_, i == 0 ? first_ : " ");
    }
  }

 private:
  std::string replacement_;
  std::string first_;  // what it stands for in the first token
};

}  // namespace

DecoderPointer make_metaspace_decoder(char32_t replacement, PrependScheme scheme) {
  return std::make_unique<MetaspaceDecoder>(replacement, scheme);
}

}  // namespace bert_native
