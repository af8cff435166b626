#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "tokenizer/encoding.h"
#include "tokenizer/word_cache.h"

namespace bert_native {

// The ids of chunks of raw text that came by lately. For one thread.
class ChunkIds {
 public:
  // Appends the ids of `chunk`, by `compute`, which appends them to the run, where they are not known.
  template <typename Compute>
  BN_ALWAYS_INLINE void append(std::u16string_view chunk, TokenRun& run, Compute&& compute) {
    const std::optional<WordCache::Key> key = key_of(chunk);
    const WordCache::Entry* entry = key ? cache_.find(*key) : nullptr;
    if (entry != nullptr) {
      run.ids.insert(run.ids.end(), entry->ids, entry->ids + WordCache::id_count(*entry));
      return;
    }
    const size_t first = run.size();
    compute();
    const size_t count = run.size() - first;
    if (key && count <= WordCache::kMaxIds) cache_.insert(*key, run.ids.data() + first, count);
  }

 private:
  static constexpr size_t kEntries = size_t{1} << 16;  // 2 MiB

  static BN_ALWAYS_INLINE std::optional<WordCache::Key> key_of(std::u16string_view chunk) {
    if (chunk.size() <= WordCache::kMaxUnits) {
      char16_t units[8];
      std::memcpy(units, chunk.data(), chunk.size() * sizeof(char16_t));
      return WordCache::unit_key(units, chunk.size());
    }
    if (chunk.size() > WordCache::kMaxBytes) return std::nullopt;
    unsigned char bytes[16];
    char16_t all = 0;
    for (size_t i = 0; i < chunk.size(); ++i) {
      bytes[i] = static_cast<unsigned char>(chunk[i]);
      all |= chunk[i];
    }
    if (all >= 0x80) return std::nullopt;
    return WordCache::byte_key(bytes, chunk.size());
  }

  WordCache cache_{kEntries};
};

}  // namespace bert_native
