#include <utility>

#include "tokenizer/decoders/decoder.h"

namespace bert_native {

namespace {

class DecoderSequence : public Decoder {
 public:
  explicit DecoderSequence(std::vector<DecoderPointer> decoders) : decoders_(std::move(decoders)) {}

  void decode(std::vector<std::string>& tokens) const override {
    for (const DecoderPointer& decoder : decoders_) decoder->decode(tokens);
  }

 private:
  std::vector<DecoderPointer> decoders_;
};

}  // namespace

DecoderPointer make_decoder_sequence(std::vector<DecoderPointer> decoders) {
  return std::make_unique<DecoderSequence>(std::move(decoders));
}

}  // namespace bert_native
