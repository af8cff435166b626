#include "tokenizer/pipelines/bert.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <utility>

#include "tokenizer/pre_tokenizers/bert.h"
#include "tokenizer/text_scan.h"
#include "tokenizer/unicode.h"
#include "tokenizer/word_cache.h"

namespace bert_native {

namespace {

DoubleArrayTrie never_split_trie(const std::vector<std::u16string>& words, const WordPiece& model) {
  std::vector<std::pair<std::string, int32_t>> entries;
  for (const std::u16string& word : words) {
    std::string utf8 = unicode::to_utf8(word);
    const int32_t id = model.id_of(utf8);
    entries.emplace_back(std::move(utf8), id);
  }
  return DoubleArrayTrie(std::move(entries));
}

constexpr size_t kCacheEntries = size_t{1} << 16;  // 2 MiB
constexpr size_t kSegmentUnits = 1024;
constexpr size_t kMaxDirectUnits = 64;
constexpr size_t kMaxWordUnits = kMaxDirectUnits * 3;  // a Hangul syllable as three letters
constexpr size_t kRoomForIds = kSegmentUnits + kMaxWordUnits;

// A part of a text, cut into pieces: single characters of ASCII punctuation, and what lies between those and white
// space.
class Segment {
 public:
  // Reads at most kSegmentUnits units of the text from `begin` on.
  void read(std::u16string_view text, size_t begin, unsigned char lower_bit) {
    const size_t size = std::min(text.size() - begin, kSegmentUnits);
    const char16_t* const units = text.data() + begin;
    starts_end_ = starts_.data();
    lasts_end_ = lasts_.data();
    before_ = ~uint64_t{0};
    Delimiters block;
    size_t at = 0;
    for (; at + kScanBlock <= size; at += kScanBlock) {
      const Delimiters next = narrow_block(units + at, lower_bit, bytes_.data() + at);
      if (at > 0) cut(block, next, at - kScanBlock);
      block = next;
    }
    Delimiters rest;
    if (begin + size == text.size()) {
      char16_t padded[kScanBlock];
      std::fill(std::copy(units + at, units + size, padded), std::end(padded), u' ');
      rest = narrow_block(padded, lower_bit, bytes_.data() + at);
      if (at > 0) cut(block, rest, at - kScanBlock);
      block = rest;
      rest.spaces = ~uint64_t{0};
      at += kScanBlock;
    }
    cut(block, rest, at - kScanBlock);
    next_ = starts_end_ - starts_.data() > lasts_end_ - lasts_.data() ? starts_end_[-1] : size;
  }

  // Those that end in the segment.
  size_t piece_count() const { return static_cast<size_t>(lasts_end_ - lasts_.data()); }
  size_t start(size_t piece) const { return starts_[piece]; }
  size_t end(size_t piece) const { return size_t{lasts_[piece]} + 1; }
  // Units before the piece that does not end in the segment, or all.
  size_t complete_units() const { return next_; }
  // The units as narrow_block() writes them, and at least 16 bytes more.
  const unsigned char* bytes() const { return bytes_.data(); }

 private:
  // A piece starts behind a delimiter and ends before one; `next` is the block behind this one.
  void cut(const Delimiters& block, const Delimiters& next, size_t at) {
    const uint64_t delimiters = block.spaces | block.punctuation;
    const uint64_t behind = (delimiters << 1) | (before_ >> 63);
    const uint64_t ahead = (delimiters >> 1) | ((next.spaces | next.punctuation) << 63);
    before_ = delimiters;
    starts_end_ = append_bits((behind & ~delimiters) | block.punctuation, at, starts_end_);
    lasts_end_ = append_bits((ahead & ~delimiters) | block.punctuation, at, lasts_end_);
  }

  static uint16_t* append_bits(uint64_t bits, size_t at, uint16_t* to) {
    for (; bits != 0; bits &= bits - 1) *to++ = static_cast<uint16_t>(at + static_cast<size_t>(std::countr_zero(bits)));
    return to;
  }

  std::array<unsigned char, kSegmentUnits + 2 * kScanBlock> bytes_;
  std::array<uint16_t, kSegmentUnits> starts_, lasts_;
  uint16_t* starts_end_ = nullptr;
  uint16_t* lasts_end_ = nullptr;
  uint64_t before_ = 0;
  size_t next_ = 0;
};

class BertScratch : public Pipeline::Scratch {
 public:
  explicit BertScratch(size_t max_code_points)
      : bare_word(max_code_points, false), word_with_origins(max_code_points, true), cache(kCacheEntries) {}

  WordBuffer bare_word, word_with_origins;
  WordCache cache;
  Segment segment;
  std::array<WordCache::Key, kSegmentUnits> keys;
  std::array<int32_t, kRoomForIds> ids;
  std::array<char16_t, kMaxWordUnits> word_units;
};

class BertPipeline : public Pipeline {
 public:
  BertPipeline(std::shared_ptr<const TokenizerModel> model, const BertNormalizerOptions& options,
               const std::vector<std::u16string>& never_split)
      : model_(std::move(model)),
        wordpiece_(*model_->wordpiece()),
        pre_tokenizer_(options, never_split_trie(never_split, wordpiece_)),
        lower_bit_(options.lowercase ? 0x20 : 0),
        changing_(BertNormalizer(options).flags_of_change()) {}

  std::unique_ptr<Pipeline::Scratch> make_scratch() const override {
    return std::make_unique<BertScratch>(wordpiece_.max_input_chars_per_word());
  }

  int32_t tokenize(const TextPart& part, const RunOptions& options, int32_t first_word, Pipeline::Scratch& scratch,
                   TokenRun& run) const override {
    auto& own = static_cast<BertScratch&>(scratch);
    const std::u16string_view text = part.text.substr(0, part.end);
    if (options.offsets || options.word_ids || !pre_tokenizer_.cuts_at_punctuation()) {
      return split(text, part.begin, options, first_word, own, run);
    }
    size_t begin = part.begin;
    while (begin < part.end && run.size() < options.limit) {
      begin = tokenize_segment(text, part.begin, begin, options.limit, own, run);
    }
    return 0;
  }

 private:
  // All the text from `begin` on.
  int32_t split(std::u16string_view text, size_t begin, const RunOptions& options, int32_t first_word,
                BertScratch& scratch, TokenRun& run) const {
    int32_t next_word = first_word;
    pre_tokenizer_.split(text, begin, options.offsets ? scratch.word_with_origins : scratch.bare_word,
                         [&](const WordBuffer& word, int32_t never_split_id) {
                           append_word(word, never_split_id, options, run);
                           if (options.word_ids) run.word_ids.resize(run.size(), next_word);
                           ++next_word;
                           return run.size() < options.limit;
                         });
    return next_word - first_word;
  }

  void append_word(const WordBuffer& word, int32_t never_split_id, const RunOptions& options, TokenRun& run) const {
    const size_t mark = run.size();
    const auto push = [&](int32_t id, Span span) {
      run.ids.push_back(id);
      if (options.offsets) run.offsets.push_back(span);
    };
    bool known = false;
    if (never_split_id != DoubleArrayTrie::kNoValue) {
      push(never_split_id, word.span());
      known = true;
    } else if (!word.too_long()) {
      known = wordpiece_.tokenize(word.bytes(), [&](int32_t id, size_t begin, size_t end) {
        push(id, options.offsets ? word.span_of(begin, end) : Span{});
      });
    }
    if (known) return;
    run.ids.resize(mark);
    if (options.offsets) run.offsets.resize(mark);
    push(wordpiece_.unk_id(), word.span());
  }

  // Ids on their way to a run.
  class IdWriter {
   public:
    IdWriter(std::array<int32_t, kRoomForIds>& ids, size_t limit, TokenRun& run)
        : ids_(ids), end_(ids.data()), limit_(limit), run_(run) {
      set_full();
    }

    int32_t* end() { return end_; }
    void set_end(int32_t* end) { end_ = end; }
    void push(int32_t id) { *end_++ = id; }
    // Room for kMaxWordUnits ids is there while this is false.
    bool is_full() const { return end_ >= full_; }
    // False once the run has what it may have.
    bool flush() {
      run_.ids.insert(run_.ids.end(), ids_.data(), end_);
      end_ = ids_.data();
      set_full();
      return run_.size() < limit_;
    }
    TokenRun& run() { return run_; }

   private:
    void set_full() { full_ = ids_.data() + std::min(kSegmentUnits, limit_ - std::min(limit_, run_.size())); }

    std::array<int32_t, kRoomForIds>& ids_;
    int32_t* end_;
    int32_t* full_ = nullptr;
    size_t limit_;
    TokenRun& run_;
  };

  // Tokenizes what text[begin, …) starts with; the text itself begins at text[start]. Returns from where to go on.
  size_t tokenize_segment(std::u16string_view text, size_t start, size_t begin, size_t limit, BertScratch& scratch,
                          TokenRun& run) const {
    Segment& segment = scratch.segment;
    segment.read(text, begin, lower_bit_);
    const size_t pieces = segment.piece_count();
    const auto piece_at = [&](size_t i) {
      return Piece{text, begin + segment.start(i), begin + segment.end(i), segment.bytes() + segment.start(i)};
    };
    for (size_t i = 0; i < pieces; ++i) {
      scratch.keys[i] = key_of(piece_at(i));
      scratch.cache.prefetch(scratch.keys[i]);
    }
    IdWriter writer(scratch.ids, limit, run);
    for (size_t i = 0; i < pieces; ++i) {
      const WordCache::Key& key = scratch.keys[i];
      if (const WordCache::Entry* const entry = scratch.cache.find(key)) {
        std::memcpy(writer.end(), entry->ids, sizeof entry->ids);
        writer.set_end(writer.end() + WordCache::id_count(*entry));
      } else {
        const Piece piece = piece_at(i);
        if (pre_tokenizer_.starts_never_split(*piece.bytes)) {
          const auto match = pre_tokenizer_.find_never_split(text, start, piece.begin);
          if (match.value != DoubleArrayTrie::kNoValue) {
            writer.push(match.value);
            writer.flush();
            return match.end;
          }
        }
        append_new(piece, key, scratch, writer);
      }
      if (writer.is_full() && !writer.flush()) return text.size();
    }
    writer.flush();
    if (segment.complete_units() > 0) return begin + segment.complete_units();
    // A piece longer than a segment.
    size_t end = begin + kSegmentUnits;
    while (end < text.size() && !is_delimiter(text[end])) ++end;
    RunOptions all;
    all.limit = limit;
    split(text.substr(0, end), begin, all, 0, scratch, run);
    return end;
  }

  static bool is_delimiter(char16_t unit) {
    const auto c = static_cast<unsigned char>(unit);
    return unit < 0x80 && (scan::is_space(c) || scan::is_punctuation(c));
  }

  // What lies between two delimiters: units [begin, end) of the text, which are `bytes` in the segment.
  struct Piece {
    std::u16string_view text;
    size_t begin;
    size_t end;
    const unsigned char* bytes;

    size_t size() const { return end - begin; }
  };

  // kNone: not to be remembered.
  BN_ALWAYS_INLINE WordCache::Key key_of(const Piece& piece) const {
    if (piece.size() > WordCache::kMaxBytes || pre_tokenizer_.starts_never_split(*piece.bytes)) return WordCache::kNone;
    const WordCache::Key key = WordCache::byte_key(piece.bytes, piece.size());
    if (!key.has_high_bits()) return key;
    return piece.size() <= WordCache::kMaxUnits ? unit_key(piece) : WordCache::kNone;
  }

  static BN_ALWAYS_INLINE WordCache::Key unit_key(const Piece& piece) {
    if (piece.text.size() - piece.begin >= 8) {
      return WordCache::unit_key(piece.text.data() + piece.begin, piece.size());
    }
    char16_t units[8] = {};
    std::copy(piece.text.begin() + piece.begin, piece.text.begin() + piece.end, units);
    return WordCache::unit_key(units, piece.size());
  }

  void append_new(const Piece& piece, WordCache::Key key, BertScratch& scratch, IdWriter& writer) const {
    if (piece.size() <= kMaxDirectUnits) {
      if (is_lowered_ascii(piece)) {
        append_word(std::string_view(reinterpret_cast<const char*>(piece.bytes), piece.size()), key, scratch, writer);
        return;
      }
      const std::u16string_view word = plain_word(piece, scratch.word_units);
      if (!word.empty()) {
        append_word(word, key, scratch, writer);
        return;
      }
    }
    append_by_splitting(piece, key, scratch, writer);
  }

  bool is_lowered_ascii(const Piece& piece) const {
    if (piece.size() > wordpiece_.max_input_chars_per_word()) return false;
    bool all = true;
    for (size_t i = 0; i < piece.size(); ++i) all &= piece.bytes[i] > ' ' && piece.bytes[i] < 0x7f;
    return all;
  }

  // A word as the model takes it.
  template <typename Word>
  void append_word(Word word, WordCache::Key key, BertScratch& scratch, IdWriter& writer) const {
    int32_t* const begin = writer.end();
    int32_t* end = begin;
    if (!wordpiece_.tokenize(word, [&](int32_t id, size_t, size_t) { *end++ = id; })) {
      end = begin;
      *end++ = wordpiece_.unk_id();
    }
    writer.set_end(end);
    remember(key, begin, static_cast<size_t>(end - begin), scratch);
  }

  void append_by_splitting(const Piece& piece, WordCache::Key key, BertScratch& scratch, IdWriter& writer) const {
    writer.flush();
    TokenRun& run = writer.run();
    const size_t mark = run.size();
    RunOptions all;
    all.limit = std::numeric_limits<size_t>::max();
    split(piece.text.substr(0, piece.end), piece.begin, all, 0, scratch, run);
    remember(key, run.ids.data() + mark, run.size() - mark, scratch);
  }

  static void remember(WordCache::Key key, const int32_t* ids, size_t count, BertScratch& scratch) {
    if (!key.is_none() && count <= WordCache::kMaxIds) scratch.cache.insert(key, ids, count);
  }

  // The piece as the model takes it, if it is one word whose characters are mapped each by itself; else nothing.
  std::u16string_view plain_word(const Piece& piece, std::array<char16_t, kMaxWordUnits>& units) const {
    const bool decomposes = pre_tokenizer_.options().strip_accents;
    const std::u16string_view text = piece.text.substr(0, piece.end);
    size_t size = 0, code_points = 0;
    for (size_t i = piece.begin; i < piece.end; ++code_points) {
      const unsigned char byte = piece.bytes[i - piece.begin];
      if (byte < 0x80) {
        if (byte < ' ' || byte == 0x7f) return {};
        units[size++] = byte;
        ++i;
        continue;
      }
      const auto [c, length] = unicode::decode_utf16(text, i);
      if (decomposes && unicode::is_hangul_syllable(c)) {
        char32_t jamo[3];
        const size_t count = unicode::decompose_hangul(c, jamo);
        for (size_t k = 0; k < count; ++k) units[size++] = static_cast<char16_t>(jamo[k]);
        code_points += count - 1;
      } else {
        if (unicode::record(c) & changing_) return {};
        for (size_t k = 0; k < length; ++k) units[size++] = text[i + k];
      }
      i += length;
    }
    const bool is_short = code_points <= wordpiece_.max_input_chars_per_word();
    return is_short ? std::u16string_view(units.data(), size) : std::u16string_view();
  }

  std::shared_ptr<const TokenizerModel> model_;
  const WordPiece& wordpiece_;
  BertPreTokenizer pre_tokenizer_;
  unsigned char lower_bit_;
  unsigned changing_;  // flags of characters that end a word, vanish, or become something else
};

}  // namespace

std::unique_ptr<const Pipeline> make_bert_pipeline(std::shared_ptr<const TokenizerModel> model,
                                                   const BertNormalizerOptions& options,
                                                   const std::vector<std::u16string>& never_split) {
  return std::make_unique<BertPipeline>(std::move(model), options, never_split);
}

}  // namespace bert_native
