#include <algorithm>
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
// the map becomes, as a whole, what that key stands for; of any other cluster, each character for itself. Where a
// replacement is longer than what it replaces, the library counts all of it as new and forgets to step over what was
// there: every origin from there on lags behind, and so it does here.
class PrecompiledNormalizer : public Normalizer {
 public:
  explicit PrecompiledNormalizer(CharacterMap map) : map_(std::move(map)) {}

  bool keeps_words_apart() const override { return true; }

  void normalize(NormalizedText& text) const override {
    const std::u32string_view code_points = text.code_points;
    const size_t first = untouched_end(code_points, 0);
    if (first == text.size()) return;
    Run run{TextRewriter(text)};
    run.rewriter.keep(first);
    for (size_t i = first; i < code_points.size();) {
      const size_t end = unicode::grapheme_end(code_points, i);
      map_cluster(code_points.substr(i, end - i), run);
      const size_t next = untouched_end(code_points, end);
      for (const char32_t c : code_points.substr(end, next - end)) run.rewriter.replace(c);
      i = next;
    }
    if (run.modified) run.rewriter.finish();
  }

 private:
  struct Run {
    TextRewriter rewriter;
    bool modified = false;
  };

  // Clusters of at least this many bytes are never looked up whole.
  static constexpr size_t kLargeCluster = 6;

  // Characters between which clusters end for certain, and of one of which alone a cluster is made if another follows.
  static bool stands_alone(char32_t c) {
    constexpr uint64_t kKinds = uint64_t{1} << static_cast<int>(unicode::GraphemeBreak::kOther) |
                                uint64_t{1} << static_cast<int>(unicode::GraphemeBreak::kLv) |
                                uint64_t{1} << static_cast<int>(unicode::GraphemeBreak::kLvt);
    return (kKinds >> unicode::grapheme_record(c) & 1) != 0;
  }

  // From `i`, where a cluster begins, over all clusters of one character that the map says nothing of.
  size_t untouched_end(std::u32string_view text, size_t i) const {
    while (i < text.size() && !map_.may_start(text[i]) && stands_alone(text[i])) {
      if (i + 1 < text.size() && !stands_alone(text[i + 1])) break;
      ++i;
    }
    return i;
  }

  void map_cluster(std::u32string_view cluster, Run& run) const {
    if (map_.may_start(cluster.front()) && map_whole(cluster, run)) return;
    for (const char32_t c : cluster) {
      if (!map_.may_start(c) || !map_whole({&c, 1}, run)) run.rewriter.replace(c);
    }
  }

  bool map_whole(std::u32string_view part, Run& run) const {
    char bytes[kLargeCluster + unicode::kMaxUtf8Bytes];
    size_t size = 0;
    for (const char32_t c : part) {
      size += unicode::encode_utf8(c, bytes + size);
      if (size >= kLargeCluster) return false;
    }
    const std::optional<std::string_view> replacement = map_.find({bytes, size});
    if (!replacement) return false;
    put(*replacement, part.size(), run);
    return true;
  }

  static void put(std::string_view replacement, size_t replaced, Run& run) {
    const auto is_continuation = [](char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; };
    const auto count = replacement.size() -
                       static_cast<size_t>(std::count_if(replacement.begin(), replacement.end(), is_continuation));
    int64_t change = static_cast<int64_t>(count) - static_cast<int64_t>(replaced);
    run.modified = true;
    for (size_t i = 0; i < replacement.size();) {
      const unicode::DecodedBytes decoded = unicode::decode_utf8(replacement.substr(i));
      run.rewriter.put(decoded.code_point, change);
      change = 1;
      i += decoded.length;
    }
  }

  CharacterMap map_;
};

}  // namespace

NormalizerPointer make_precompiled_normalizer(std::vector<uint32_t> trie, std::string normalized) {
  return std::make_unique<PrecompiledNormalizer>(CharacterMap(std::move(trie), std::move(normalized)));
}

}  // namespace bert_native
