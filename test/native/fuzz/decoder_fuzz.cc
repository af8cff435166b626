// Any tokens through any decoders: of UTF-8 they make UTF-8, and they end with whatever they are given.

#include <string>
#include <vector>

#include "common/errors.h"
#include "fuzz/fuzz_target.h"
#include "fuzz/tokenizer_parts.h"
#include "tokenizer/decoders/wordpiece.h"
#include "tokenizer/unicode.h"

namespace bert_native::fuzz {

static void run_decoder(FuzzInput& input) {
  static const std::vector<std::string> kUsual{"a",    "##b", "▁c", "Ġd", "<0xED>", "<0x95>", "<0x9C>", "<0xFF>",
                                               "</w>", " ",   "",   "|",  "<pad>",  "n't",    "."};
  try {
    const DecoderPointer decoder = make_decoder(input);
    const bool is_utf8 = input.below(8) != 0;
    const auto some = [&](size_t most) {
      return is_utf8 ? unicode::to_utf8(input.code_points(most)) : input.bytes(most);
    };
    const WordPieceDecoder slow(some(3));
    std::vector<std::string> tokens;
    while (!input.empty() && tokens.size() < 200) {
      const size_t kind = input.below(32);
      tokens.push_back(kind < kUsual.size() ? kUsual[kind] : some(12));
    }
    std::vector<DecodedToken> views;
    for (const std::string& token : tokens) views.push_back({token, token.size() % 5 == 0});
    slow.decode(views, tokens.size() % 2 == 0);
    decoder->decode(tokens);
    for (const std::string& token : tokens) {
      require(!is_utf8 || unicode::is_utf8(token), "what was UTF-8 stays so");
    }
  } catch (const Error& error) {
    require(error.code() == ErrorCode::kOption, error.what());
  }
}

BN_FUZZ_TARGET(decoder, run_decoder)

}  // namespace bert_native::fuzz
