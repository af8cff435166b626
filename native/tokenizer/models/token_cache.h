#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "tokenizer/models/model.h"

namespace bert_native {

// The tokens of words that came by lately: a table of bounded size, in which a new word takes an old one's place. It
// grows while words come in, up to 4 MiB. For one thread.
class TokenCache {
 public:
  TokenCache();

  // Appends the tokens of `word` and returns true if they are known.
  bool find(std::string_view word, std::vector<ModelToken>& tokens) const;

  // Long words, words of many tokens, and tokens that do not follow upon each other are not kept.
  void insert(std::string_view word, std::span<const ModelToken> tokens);

 private:
  static constexpr size_t kMaxBytes = 42;
  static constexpr size_t kMaxTokens = 16;
  static constexpr size_t kFirstSlots = 64;
  static constexpr size_t kMaxSlots = 32768;

  // Two lines of a processor's cache; a word of one token needs the first alone.
  struct alignas(64) Slot {
    uint8_t size = 0;  // of the word; 0: free
    uint8_t tokens = 0;
    char bytes[kMaxBytes];
    uint8_t ends[kMaxTokens];
    int32_t ids[kMaxTokens];
  };

  static bool holds(const Slot& slot, std::string_view word);
  // Every word has two slots, side by side.
  size_t pair_of(std::string_view word) const;
  Slot& slot_for(std::string_view word);
  void grow();

  std::vector<Slot> slots_;
  size_t used_ = 0;
  size_t victim_ = 0;  // which of two slots in use gives way next
};

}  // namespace bert_native
