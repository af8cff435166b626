#include <algorithm>
#include <utility>

#include "tokenizer/decoders/decoder.h"
#include "tokenizer/decoders/replace_all.h"
#include "tokenizer/decoders/wordpiece.h"

namespace bert_native {

namespace {

// The labels of connectionist temporal classification (Graves et al. 2006): repeated ones count once, and a blank lies
// between those that count twice.
class CtcDecoder : public Decoder {
 public:
  CtcDecoder(std::string pad_token, std::string word_delimiter_token, bool cleanup)
      : pad_token_(std::move(pad_token)), word_delimiter_token_(std::move(word_delimiter_token)), cleanup_(cleanup) {}

  void decode(std::vector<std::string>& tokens) const override {
    tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
    for (std::string& token : tokens) {
      token = replace_all(std::move(token), pad_token_, "");
      if (cleanup_) token = replace_all(clean_up_decoded(std::move(token)), word_delimiter_token_, " ");
    }
    std::erase_if(tokens, [](const std::string& token) { return token.empty(); });
  }

 private:
  std::string pad_token_;
  std::string word_delimiter_token_;
  bool cleanup_;
};

}  // namespace

DecoderPointer make_ctc_decoder(std::string pad_token, std::string word_delimiter_token, bool cleanup) {
  return std::make_unique<CtcDecoder>(std::move(pad_token), std::move(word_delimiter_token), cleanup);
}

}  // namespace bert_native
