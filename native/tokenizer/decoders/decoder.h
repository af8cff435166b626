#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tokenizer/pattern.h"
#include "tokenizer/pre_tokenizers/pre_tokenizer.h"

namespace bert_native {

// One part of `decoder` in tokenizer.json: tokens, each UTF-8, to pieces of the text, which are then joined. Immutable.
class Decoder {
 public:
  virtual ~Decoder() = default;
  virtual void decode(std::vector<std::string>& tokens) const = 0;
};

using DecoderPointer = std::unique_ptr<const Decoder>;

DecoderPointer make_wordpiece_decoder(std::string prefix, bool cleanup);
DecoderPointer make_byte_level_decoder();
DecoderPointer make_metaspace_decoder(char32_t replacement, PrependScheme scheme);
DecoderPointer make_bpe_decoder(std::string suffix);
DecoderPointer make_byte_fallback_decoder();
DecoderPointer make_fuse_decoder();
// Takes up to `start` and `stop` times `content` away at the sides of each token.
DecoderPointer make_strip_decoder(char32_t content, size_t start, size_t stop);
DecoderPointer make_replace_decoder(PatternPointer pattern, std::string content);
DecoderPointer make_ctc_decoder(std::string pad_token, std::string word_delimiter_token, bool cleanup);
DecoderPointer make_decoder_sequence(std::vector<DecoderPointer> decoders);

}  // namespace bert_native
