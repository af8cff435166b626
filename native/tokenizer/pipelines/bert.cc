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

constexpr size_t kCacheEntries = size_t{1} << 15;  // 1 MB
constexpr size_t kSegmentUnits = 2048;
constexpr size_t kMaxDirectUnits = 64;
constexpr size_t kMaxWordBytes = kMaxDirectUnits * 9;  // a Hangul syllable as three letters
constexpr size_t kRoomForIds = kSegmentUnits + kMaxWordBytes;

// A part of a text, made ready for cutting: units as bytes, and where delimiters are.
struct Segment {
  std::array<unsigned char, kSegmentUnits + 2 * kScanBlock> bytes;
  std::array<uint64_t, kSegmentUnits / kScanBlock + 1> delimiters;
  size_t blocks = 0;

  // Reads at most kSegmentUnits units of text[begin, end); the text's end counts as a delimiter.
  void read(std::u16string_view text, size_t begin, size_t end, unsigned char lower_bit) {
    const size_t size = std::min(end - begin, kSegmentUnits);
    const char16_t* const units = text.data() + begin;
    blocks = size / kScanBlock;
    for (size_t i = 0; i < blocks; ++i) {
      delimiters[i] = narrow_block(units + i * kScanBlock, lower_bit, bytes.data() + i * kScanBlock);
    }
    if (begin + size < end) return;
    char16_t rest[kScanBlock] = {};
    std::copy(units + blocks * kScanBlock, units + size, rest);
    rest[size % kScanBlock] = u' ';
    delimiters[blocks] = narrow_block(rest, lower_bit, bytes.data() + blocks * kScanBlock);
    ++blocks;
  }
};

unsigned flags_of_change(const BertNormalizerOptions& options) {
  unsigned flags = unicode::kRemoved | unicode::kWhiteSpace | unicode::kPunctuation | unicode::kChinese;
  if (options.lowercase) flags |= unicode::kLowercases;
  if (options.strip_accents) flags |= unicode::kDecomposes | unicode::kNonspacingMark | unicode::kNonstarter;
  return flags;
}

class BertScratch : public Pipeline::Scratch {
 public:
  explicit BertScratch(size_t max_code_points)
      : bare_word(max_code_points, false), word_with_origins(max_code_points, true), cache(kCacheEntries) {}

  WordBuffer bare_word, word_with_origins;
  WordCache cache;
  Segment segment;
  std::array<int32_t, kRoomForIds> ids;
  std::array<char, kMaxWordBytes> word_bytes;
};

class BertPipeline : public Pipeline {
 public:
  BertPipeline(std::shared_ptr<const TokenizerModel> model, const BertNormalizerOptions& options,
               const std::vector<std::u16string>& never_split)
      : model_(std::move(model)),
        wordpiece_(*model_->wordpiece()),
        pre_tokenizer_(options, never_split_trie(never_split, wordpiece_)),
        lower_bit_(options.lowercase ? 0x20 : 0),
        changing_(flags_of_change(options)) {
    BertScratch scratch(wordpiece_.max_input_chars_per_word());
    for (char16_t c = 0; c < delimiter_ids_.size(); ++c) {
      TokenRun run;
      if (scan::is_delimiter(static_cast<unsigned char>(c))) split({&c, 1}, 0, {}, 0, scratch, run);
      delimiter_ids_[c] = run.ids.empty() ? kNoToken : run.ids.front();
    }
  }

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
    while (begin < part.end && run.size() < options.limit) begin = cut(text, {part.begin, begin}, options, own, run);
    return 0;
  }

 private:
  static constexpr int32_t kNoToken = -1;

  // Text that is cut, and from where on; it begins at `start`.
  struct Rest {
    size_t start;
    size_t begin;
  };

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
    // Room for kMaxWordBytes ids is there while this is false.
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
    void set_full() {
      full_ = ids_.data() + std::min(kSegmentUnits, limit_ - std::min(limit_, run_.size()));
    }

    std::array<int32_t, kRoomForIds>& ids_;
    int32_t* end_;
    int32_t* full_ = nullptr;
    size_t limit_;
    TokenRun& run_;
  };

  // Cuts a segment of the text at white space and ASCII punctuation, and looks up what lies between. Returns from where
  // to go on.
  size_t cut(std::u16string_view text, Rest rest, const RunOptions& options, BertScratch& scratch,
             TokenRun& run) const {
    Segment& segment = scratch.segment;
    segment.read(text, rest.begin, text.size(), lower_bit_);
    IdWriter writer(scratch.ids, options.limit, run);
    size_t begin = 0;
    for (size_t block = 0; block < segment.blocks; ++block) {
      for (uint64_t delimiters = segment.delimiters[block]; delimiters != 0; delimiters &= delimiters - 1) {
        const size_t end = block * kScanBlock + static_cast<size_t>(std::countr_zero(delimiters));
        if (begin < end) {
          append_piece({text, rest.begin + begin, rest.begin + end, segment.bytes.data() + begin}, scratch, writer);
        }
        begin = end + 1;
        const unsigned char delimiter = segment.bytes[end];
        if (delimiter > ' ') {
          if (pre_tokenizer_.starts_never_split(delimiter)) {
            const auto match = pre_tokenizer_.find_never_split(text, rest.start, rest.begin + end);
            if (match.value != DoubleArrayTrie::kNoValue) {
              *writer.end() = match.value;
              writer.set_end(writer.end() + 1);
              writer.flush();
              return match.end;
            }
          }
          *writer.end() = delimiter_ids_[delimiter];
          writer.set_end(writer.end() + 1);
        }
        if (writer.is_full() && !writer.flush()) return text.size();
      }
    }
    writer.flush();
    if (begin > 0) return rest.begin + begin;
    // A piece longer than a segment.
    size_t end = rest.begin + segment.blocks * kScanBlock;
    while (end < text.size() && (text[end] >= 0x80 || !scan::is_delimiter(static_cast<unsigned char>(text[end])))) ++end;
    split(text.substr(0, end), rest.begin, options, 0, scratch, run);
    return end;
  }

  // What lies between two delimiters: units [begin, end) of the text, which are `bytes` in the segment.
  struct Piece {
    std::u16string_view text;
    size_t begin;
    size_t end;
    const unsigned char* bytes;

    size_t size() const { return end - begin; }
  };

  BN_ALWAYS_INLINE void append_piece(const Piece& piece, BertScratch& scratch, IdWriter& writer) const {
    WordCache::Key key;
    if (piece.size() <= WordCache::kMaxBytes) key = WordCache::byte_key(piece.bytes, piece.size());
    if (piece.size() > WordCache::kMaxBytes || key.has_high_bits()) {
      if (piece.size() > WordCache::kMaxUnits) {
        append_new(piece, nullptr, scratch, writer);
        return;
      }
      key = unit_key(piece);
    }
    const WordCache::Entry* const entry = scratch.cache.find(key);
    if (entry == nullptr) {
      append_new(piece, &key, scratch, writer);
      return;
    }
    std::memcpy(writer.end(), entry->ids, sizeof entry->ids);
    writer.set_end(writer.end() + WordCache::id_count(*entry));
  }

  static BN_ALWAYS_INLINE WordCache::Key unit_key(const Piece& piece) {
    if (piece.text.size() - piece.begin >= 8) {
      return WordCache::unit_key(piece.text.data() + piece.begin, piece.size());
    }
    char16_t units[8] = {};
    std::copy(piece.text.begin() + piece.begin, piece.text.begin() + piece.end, units);
    return WordCache::unit_key(units, piece.size());
  }

  // `key` null: not to be remembered.
  void append_new(const Piece& piece, const WordCache::Key* key, BertScratch& scratch, IdWriter& writer) const {
    const std::string_view word = plain_word(piece, scratch.word_bytes);
    if (word.empty()) {
      append_by_splitting(piece, key, scratch, writer);
      return;
    }
    int32_t* const begin = writer.end();
    int32_t* end = begin;
    if (!wordpiece_.tokenize(word, [&](int32_t id, size_t, size_t) { *end++ = id; })) {
      end = begin;
      *end++ = wordpiece_.unk_id();
    }
    writer.set_end(end);
    remember(key, begin, static_cast<size_t>(end - begin), scratch);
  }

  void append_by_splitting(const Piece& piece, const WordCache::Key* key, BertScratch& scratch,
                           IdWriter& writer) const {
    writer.flush();
    TokenRun& run = writer.run();
    const size_t mark = run.size();
    RunOptions all;
    all.limit = std::numeric_limits<size_t>::max();
    split(piece.text.substr(0, piece.end), piece.begin, all, 0, scratch, run);
    remember(key, run.ids.data() + mark, run.size() - mark, scratch);
  }

  static void remember(const WordCache::Key* key, const int32_t* ids, size_t count, BertScratch& scratch) {
    if (key != nullptr && count <= WordCache::kMaxIds) scratch.cache.insert(*key, ids, count);
  }

  // The piece as the model takes it, if it is one word whose characters are mapped each by itself; else nothing.
  std::string_view plain_word(const Piece& piece, std::array<char, kMaxWordBytes>& bytes) const {
    if (piece.size() > kMaxDirectUnits) return {};
    const bool decomposes = pre_tokenizer_.options().strip_accents;
    size_t size = 0, code_points = 0;
    for (size_t i = piece.begin; i < piece.end; ++code_points) {
      const unsigned char byte = piece.bytes[i - piece.begin];
      if (byte < 0x80) {
        if (byte < ' ' || byte == 0x7f) return {};
        bytes[size++] = static_cast<char>(byte);
        ++i;
        continue;
      }
      const auto [c, length] = unicode::decode_utf16(piece.text.substr(0, piece.end), i);
      i += length;
      if (decomposes && unicode::is_hangul_syllable(c)) {
        char32_t jamo[3];
        const size_t count = unicode::decompose_hangul(c, jamo);
        for (size_t k = 0; k < count; ++k) size += unicode::encode_utf8(jamo[k], bytes.data() + size);
        code_points += count - 1;
      } else {
        if (unicode::record(c) & changing_) return {};
        size += unicode::encode_utf8(c, bytes.data() + size);
      }
    }
    const bool is_short = code_points <= wordpiece_.max_input_chars_per_word();
    return is_short ? std::string_view(bytes.data(), size) : std::string_view();
  }

  std::shared_ptr<const TokenizerModel> model_;
  const WordPiece& wordpiece_;
  BertPreTokenizer pre_tokenizer_;
  unsigned char lower_bit_;
  unsigned changing_;  // flags of characters that end a word, vanish, or become something else
  std::array<int32_t, 128> delimiter_ids_;  // of a delimiter by itself
};

}  // namespace

std::unique_ptr<const Pipeline> make_bert_pipeline(std::shared_ptr<const TokenizerModel> model,
                                                   const BertNormalizerOptions& options,
                                                   const std::vector<std::u16string>& never_split) {
  return std::make_unique<BertPipeline>(std::move(model), options, never_split);
}

}  // namespace bert_native
