#include <utility>

#include "tokenizer/decoders/decoder.h"

namespace bert_native {

namespace {

class FuseDecoder : public Decoder {
 public:
  void decode(std::vector<std::string>& tokens) const override {
    std::string text;
    for (const std::string& token : tokens) text += token;
    tokens.assign(1, std::move(text));
  }
};

}  // namespace

DecoderPointer make_fuse_decoder() { return std::make_unique<FuseDecoder>(); }

}  // namespace bert_native
