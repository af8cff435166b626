#include <utility>

#include "tokenizer/decoders/decoder.h"
#include "tokenizer/decoders/replace_all.h"

namespace bert_native {

namespace {

class SuffixDecoder : public Decoder {
 public:
  explicit SuffixDecoder(std::string suffix) : suffix_(std::move(suffix)) {}

  void decode(std::vector<std::string>& tokens) const override {
    for (size_t i = 0; i < tokens.size(); ++i) {
      tokens[i] = replace_all(std::move(tokens[i]), suffix_, i + 1 == tokens.size() ? "" : " ");
    }
  }

 private:
  std::string suffix_;
};

}  // namespace

DecoderPointer make_bpe_decoder(std::string suffix) { return std::make_unique<SuffixDecoder>(std::move(suffix)); }

}  // namespace bert_native
