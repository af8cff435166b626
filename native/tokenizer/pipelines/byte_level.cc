#include "tokenizer/pipelines/byte_level.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

#include "tokenizer/pipelines/chunk_ids.h"
#include "tokenizer/pre_tokenizers/byte_level.h"
#include "tokenizer/unicode.h"

namespace bert_native {

namespace {

struct Utf16Text {
  std::u16string_view units;

  BN_ALWAYS_INLINE char32_t at(size_t i) const { return unicode::decode_utf16(units, i).code_point; }
  BN_ALWAYS_INLINE size_t next(size_t i) const { return i + unicode::decode_utf16(units, i).length; }
};

// A character of GPT-2's alphabet as UTF-8, for each byte.
struct MappedByte {
  char bytes[2];
  uint8_t size;
};

std::array<MappedByte, 256> make_mapped_bytes() {
  std::array<MappedByte, 256> mapped{};
  for (size_t byte = 0; byte < mapped.size(); ++byte) {
    char utf8[unicode::kMaxUtf8Bytes];
    mapped[byte].size = static_cast<uint8_t>(unicode::encode_utf8(byte_level_alphabet()[byte], utf8));
    std::copy_n(utf8, mapped[byte].size, mapped[byte].bytes);
  }
  return mapped;
}

class ByteLevelPipeline : public Pipeline {
 public:
  ByteLevelPipeline(std::shared_ptr<const GeneralPipeline> general, ByteLevelPipelineParts parts)
      : general_(std::move(general)),
        model_(std::move(parts.model)),
        added_tokens_(std::move(parts.added_tokens)),
        add_prefix_space_(parts.add_prefix_space),
        composes_(parts.composes) {}

  std::unique_ptr<Pipeline::Scratch> make_scratch() const override {
    return std::make_unique<Scratch>(general_->make_scratch(), model_->make_scratch());
  }

  int32_t tokenize(const TextPart& part, const RunOptions& options, int32_t first_word, Pipeline::Scratch& scratch,
                   TokenRun& run) const override {
    Scratch& own = static_cast<Scratch&>(scratch);
    // With a prefix before every part between added tokens, white space at a part's start is the general pipeline's.
    const bool is_intricate = add_prefix_space_ && !added_tokens_.empty();
    if (options.offsets || options.word_ids || is_intricate || (composes_ && !is_composed(part))) {
      return general_->tokenize(part, options, first_word, *own.general, run);
    }
    const std::u16string_view text = part.text.substr(part.begin, part.end - part.begin);
    for (size_t begin = 0; begin < text.size();) {
      const std::optional<AddedTokens::Match> match = added_tokens_.find(text, begin);
      const size_t end = match ? match->begin : text.size();
      if (!append_words(text.substr(begin, end - begin), options.limit, own, run) || !match) return 0;
      run.ids.push_back(match->id);
      if (run.size() >= options.limit) return 0;
      begin = match->end;
    }
    return 0;
  }

 private:
  static constexpr size_t kMostKept = size_t{1} << 18;  // bytes of a word, in the memory that stays

  struct Scratch : Pipeline::Scratch {
    Scratch(std::unique_ptr<Pipeline::Scratch> of_general, std::unique_ptr<Model::Scratch> of_model)
        : general(std::move(of_general)), model(std::move(of_model)) {}

    std::unique_ptr<Pipeline::Scratch> general;
    std::unique_ptr<Model::Scratch> model;
    ChunkIds ids;
    std::string bytes;  // a word in GPT-2's alphabet
    std::vector<ModelToken> tokens;
  };

  static bool is_composed(const TextPart& part) {
    for (size_t i = part.begin; i < part.end;) {
      const auto [c, length] = unicode::decode_utf16(part.text, i);
      if ((unicode::normalization_flags(c) & unicode::kChangesInNfc) != 0) return false;
      i += length;
    }
    return true;
  }

  // False: no more are wanted.
  bool append_words(std::u16string_view text, size_t limit, Scratch& scratch, TokenRun& run) const {
    if (text.empty()) return true;
    const Utf16Text units{text};
    size_t begin = 0;
    if (add_prefix_space_ && text.front() != u' ') {
      if (unicode::is_white_space(text.front())) {
        // The space that is put before it is part of a longer run of white space then, which is rare.
        general_->tokenize({text, 0, text.size()}, {false, false, limit}, 0, *scratch.general, run);
        return run.size() < limit;
      }
      // The space that is put before the text belongs to its first word.
      begin = run_end(units, text.size());
      append_word(text.substr(0, begin), true, scratch, run);
      if (run.size() >= limit) return false;
    }
    while (begin < text.size()) {
      const size_t end = byte_level_word_end(units, begin, text.size());
      const std::u16string_view word = text.substr(begin, end - begin);
      scratch.ids.append(word, run, [&] { append_word(word, false, scratch, run); });
      if (run.size() >= limit) return false;
      begin = end;
    }
    return true;
  }

  // The end of the run of one class that the text begins with.
  static size_t run_end(const Utf16Text& text, size_t end) {
    const ByteLevelClass first = byte_level_class(text.at(0));
    size_t i = text.next(0);
    while (i < end && byte_level_class(text.at(i)) == first) i = text.next(i);
    return i;
  }

  void append_word(std::u16string_view word, bool after_space, Scratch& scratch, TokenRun& run) const {
    static const std::array<MappedByte, 256> mapped_bytes = make_mapped_bytes();
    scratch.bytes.clear();
    const auto append_byte = [&](char byte) {
      const MappedByte& mapped = mapped_bytes[static_cast<unsigned char>(byte)];
      scratch.bytes.append(mapped.bytes, mapped.size);
    };
    if (after_space) append_byte(' ');
    for (size_t i = 0; i < word.size();) {
      const auto [c, length] = unicode::decode_utf16(word, i);
      char utf8[unicode::kMaxUtf8Bytes];
      const size_t size = unicode::encode_utf8(unicode::is_surrogate(c) ? unicode::kReplacement : c, utf8);
      for (size_t k = 0; k < size; ++k) append_byte(utf8[k]);
      i += length;
    }
    scratch.tokens.clear();
    model_->tokenize(scratch.bytes, *scratch.model, scratch.tokens);
    for (const ModelToken& token : scratch.tokens) run.ids.push_back(token.id);
    if (scratch.bytes.capacity() > kMostKept) {
      scratch.bytes = {};
      scratch.tokens = {};
    }
  }

  std::shared_ptr<const GeneralPipeline> general_;
  std::shared_ptr<const Model> model_;
  AddedTokens added_tokens_;
  bool add_prefix_space_, composes_;
};

}  // namespace

std::unique_ptr<const Pipeline> make_byte_level_pipeline(std::shared_ptr<const GeneralPipeline> general,
                                                         ByteLevelPipelineParts parts) {
  return std::make_unique<const ByteLevelPipeline>(std::move(general), std::move(parts));
}

}  // namespace bert_native
