#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/compiler.h"
#include "tokenizer/flat_strings.h"

namespace bert_native {

// A set of byte strings with an int32 value ≥ 0 each, read one byte at a time.
//
// Double array after Aoe (1989), with children placed at base XOR byte as in darts-clone: a node's children share one
// block of 256 slots, so a step needs no bounds check. Building takes a bounded number of probes per node.
class DoubleArrayTrie {
 public:
  using Node = uint32_t;
  static constexpr Node kRoot = 0;
  static constexpr Node kNone = 0xffffffff;
  static constexpr int32_t kNoValue = -1;

  // Keys may repeat: the last value wins. Empty keys are left out: nothing ever matches an empty string.
  explicit DoubleArrayTrie(const std::vector<std::pair<std::string, int32_t>>& entries);
  // The value of a string is its index.
  explicit DoubleArrayTrie(const FlatStrings& keys);

  // The child of `node` along `byte`, or kNone.
  BN_ALWAYS_INLINE Node step(Node node, unsigned char byte) const {
    const Node child = slots_[node].base ^ byte;
    return slots_[child].parent == node ? child : kNone;
  }

  // The value of the key that ends at `node`, or kNoValue.
  BN_ALWAYS_INLINE int32_t value(Node node) const { return slots_[node].value; }

  // The node that `key` leads to from the root (whether or not a key ends there), or kNone.
  Node walk(std::string_view key) const;
  // The value of `key`, or kNoValue.
  int32_t find(std::string_view key) const;

  bool empty() const { return !has_keys_; }
  size_t size_in_bytes() const { return slots_.size() * sizeof(Slot); }

 private:
  friend class DoubleArrayTrieBuilder;

  struct Slot {
    uint32_t base = 0;
    Node parent = kNone;  // kNone: free (and the root's)
    int32_t value = kNoValue;
  };

  std::vector<Slot> slots_;
  bool has_keys_ = false;
};

}  // namespace bert_native
