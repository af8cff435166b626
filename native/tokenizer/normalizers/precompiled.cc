#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/normalizers/character_map.h"
#include "tokenizer/normalizers/normalizer.h"
#include "tokenizer/unicode.h"

namespace bert_native {

namespace {

// SentencePiece's normalization as the Rust library approximates it: a small grapheme cluster that begins with a key of
// the map becomes, as a whole, what that key stands for; of any other cluster, each character for itself.
class PrecompiledNormalizer : public Normalizer {
 public:
  explicit PrecompiledNormalizer(CharacterMap map) : map_(std::move(map)) {
    for (char32_t c = 0; c < plain_ascii_.size(); ++c) plain_ascii_[c] = !map_.maps(c) && stands_alone(c);
  }

  bool keeps_words_apart() const override { return true; }

  void normalize(NormalizedText& text) const override {
    const std::u32string_view code_points = text.code_points;
    const size_t first = untouched_end(code_points, 0);
    if (first == text.size()) return;
    Changes changes(text);
    changes.keep(first);
    for (size_t i = first; i < code_points.size();) {
      const size_t end = unicode::grapheme_end(code_points, i);
      map_cluster(code_points.substr(i, end - i), changes);
      const size_t next = untouched_end(code_points, end);
      for (const char32_t c : code_points.substr(end, next - end)) changes.put(c, 0);
      i = next;
    }
    changes.finish();
  }

 private:
  // What becomes of the text, the last code point of it held back: where the next characters disappear, that one stands
  // for them, too.
  class Changes {
   public:
    explicit Changes(NormalizedText& text) : text_(text), rewriter_(text) {}

    // The first `count` characters stay.
    void keep(size_t count) {
      if (count == 0) return;
      rewriter_.keep(count - 1);
      put(text_.code_points[count - 1], 0);
    }

    void put(char32_t c, int64_t change) {
      flush();
      last_ = {c, change};
      any_ = true;
    }

    void replace(size_t replaced, std::string_view replacement) {
      modified_ = true;
      size_t written = 0;
      for (; !replacement.empty(); ++written) {
        const unicode::DecodedBytes decoded = unicode::decode_utf8(replacement);
        put(decoded.code_point, written < replaced ? 0 : 1);
        replacement.remove_prefix(decoded.length);
      }
      if (written < replaced) last_.change -= static_cast<int64_t>(replaced - written);
    }

    void finish() {
      if (!modified_) return;
      flush();
      rewriter_.finish();
    }

   private:
    struct Last {
      char32_t code_point = 0;
      int64_t change = 0;
    };

    void flush() {
      if (any_) rewriter_.put(last_.code_point, last_.change);
    }

    NormalizedText& text_;
    TextRewriter rewriter_;
    Last last_;
    bool any_ = false;
    bool modified_ = false;
  };

  // Clusters of at least this many bytes are never looked up whole.
  static constexpr size_t kLargeCluster = 6;

  // No character below it belongs to the cluster of a character before it, but for a line feed behind a carriage
  // return.
  static constexpr char32_t kFirstExtending = 0x300;

  // Characters that make a cluster each where they stand side by side.
  static bool stands_alone(char32_t c) {
    constexpr uint64_t kKinds = uint64_t{1} << static_cast<int>(unicode::GraphemeBreak::kOther) |
                                uint64_t{1} << static_cast<int>(unicode::GraphemeBreak::kLv) |
                                uint64_t{1} << static_cast<int>(unicode::GraphemeBreak::kLvt);
    return (kKinds >> unicode::grapheme_record(c) & 1) != 0;
  }

  // From `i`, where a cluster begins, over all clusters of one character that the map says nothing of.
  size_t untouched_end(std::u32string_view text, size_t i) const {
    while (i < text.size() && is_plain(text[i])) {
      if (i + 1 < text.size() && text[i + 1] >= kFirstExtending && !stands_alone(text[i + 1])) break;
      ++i;
    }
    return i;
  }

  bool is_plain(char32_t c) const {
    return c < plain_ascii_.size() ? plain_ascii_[c] : !map_.maps(c) && stands_alone(c);
  }

  void map_cluster(std::u32string_view cluster, Changes& changes) const {
    if (cluster.size() > 1 && map_whole(cluster, changes)) return;
    for (const char32_t c : cluster) {
      if (!map_.maps(c) || !map_whole({&c, 1}, changes)) changes.put(c, 0);
    }
  }

  bool map_whole(std::u32string_view part, Changes& changes) const {
    char bytes[kLargeCluster + unicode::kMaxUtf8Bytes];
    size_t size = 0;
    for (const char32_t c : part) {
      size += unicode::encode_utf8(c, bytes + size);
      if (size >= kLargeCluster) return false;
    }
    const std::optional<std::string_view> replacement = map_.find({bytes, size});
    if (!replacement) return false;
    changes.replace(part.size(), *replacement);
    return true;
  }

  CharacterMap map_;
  std::array<bool, 128> plain_ascii_{};
};

}  // namespace

NormalizerPointer make_precompiled_normalizer(std::vector<uint32_t> trie, std::string normalized) {
  return std::make_unique<PrecompiledNormalizer>(CharacterMap(std::move(trie), std::move(normalized)));
}

}  // namespace bert_native
