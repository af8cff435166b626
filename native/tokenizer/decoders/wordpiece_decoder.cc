#include <utility>

#include "tokenizer/decoders/decoder.h"
#include "tokenizer/decoders/wordpiece.h"

namespace bert_native {

namespace {

class PrefixDecoder : public Decoder {
 public:
  PrefixDecoder(std::string prefix, bool cleanup) : prefix_(std::move(prefix)), cleanup_(cleanup) {}

  void decode(std::vector<std::string>& tokens) const override {
    for (size_t i = 0; i < tokens.size(); ++i) {
      std::string& token = tokens[i];
      if (i > 0) {
        if (token.starts_with(prefix_)) {
          token.erase(0, prefix_.size());
        } else {
          token.insert(0, 1, ' ');
        }
      }
      if (cleanup_) token = clean_up_decoded(std::move(token));
    }
  }

 private:
  std::string prefix_;
  bool cleanup_;
};

}  // namespace

DecoderPointer make_wordpiece_decoder(std::string prefix, bool cleanup) {
  return std::make_unique<PrefixDecoder>(std::move(prefix), cleanup);
}

}  // namespace bert_native
