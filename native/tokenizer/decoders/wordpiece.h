#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace bert_native {

// Without the spaces before English punctuation and in contractions, replaced in transformers' order
// (clean_up_tokenization there).
std::string clean_up_tokenization(std::string text);
// The Rust library's, which also contracts "do not".
std::string clean_up_decoded(std::string text);

struct DecodedToken {
  std::string_view text;  // UTF-8
  bool is_added = false;  // not from the model's vocabulary: never joined to its neighbours
};

// Tokens to text, as BertTokenizer.decode does it: spaces between tokens, none before a continuation.
class WordPieceDecoder {
 public:
  explicit WordPieceDecoder(std::string prefix) : prefix_(std::move(prefix)) {}

  std::string decode(const std::vector<DecodedToken>& tokens, bool clean_up_tokenization_spaces) const;

 private:
  std::string join(const std::vector<DecodedToken>& tokens, size_t begin, size_t end) const;

  std::string prefix_;
};

}  // namespace bert_native
