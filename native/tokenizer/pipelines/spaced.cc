#include "tokenizer/pipelines/spaced.h"

#include <bitset>
#include <cstddef>
#include <limits>
#include <string>
#include <utility>

#include "tokenizer/pipelines/chunk_ids.h"
#include "tokenizer/unicode.h"

namespace bert_native {

namespace {

// Characters that no normalizer turns into white space or joins to a neighbour on the other side of a space: none is
// white space, a mark or a control, none changes what a space is to the characters around it.
class PlainUnits {
 public:
  PlainUnits() {
    constexpr std::pair<char16_t, char16_t> kRanges[] = {
        {u'!', u'~'},      // ASCII
        {0x00c0, 0x02af},  // Latin
        {0x0391, 0x03c9},  // Greek
        {0x0410, 0x044f},  // Cyrillic
        {0x3041, 0x3096},  // Hiragana
        {0x30a1, 0x30fa},  // Katakana
        {0x3400, 0x4dbf},  // Han
        {0x4e00, 0x9fff},  // Han
        {0xac00, 0xd7a3},  // Hangul syllables
    };
    for (const auto& [first, last] : kRanges) {
      for (size_t unit = first; unit <= last; ++unit) units_.set(unit);
    }
  }
  bool operator[](char16_t unit) const { return units_[unit]; }

  // All of them, with spaces between them.
  std::u16string spaced() const {
    std::u16string text;
    for (size_t unit = 0; unit < units_.size(); ++unit) {
      if (!units_[unit]) continue;
      if (!text.empty()) text += u' ';
      text += static_cast<char16_t>(unit);
    }
    return text;
  }

 private:
  std::bitset<0x10000> units_;
};

// Whether every plain character stays something that is not white space, and every space between two of them a space.
bool keeps_plain_units(const GeneralPipeline& general) {
  const std::u16string text = PlainUnits().spaced();
  const std::u32string normalized = general.normalize(text).code_points;
  size_t words = 1;
  bool after_space = true;
  for (const char32_t c : normalized) {
    if (unicode::is_white_space(c) && (after_space || c != U' ')) return false;
    after_space = c == U' ';
    if (after_space) ++words;
  }
  return !after_space && words == text.size() / 2 + 1;
}

class SpacedPipeline : public Pipeline {
 public:
  explicit SpacedPipeline(std::shared_ptr<const GeneralPipeline> general) : general_(std::move(general)) {}

  std::unique_ptr<Pipeline::Scratch> make_scratch() const override {
    return std::make_unique<Scratch>(general_->make_scratch());
  }

  int32_t tokenize(const TextPart& part, const RunOptions& options, int32_t first_word, Pipeline::Scratch& scratch,
                   TokenRun& run) const override {
    Scratch& own = static_cast<Scratch&>(scratch);
    if (options.offsets || options.word_ids) return general_->tokenize(part, options, first_word, *own.general, run);
    for (size_t begin = part.begin; begin < part.end && run.size() < options.limit;) {
      const Chunk chunk = next_chunk(part, begin);
      // All of the chunk: what is remembered of it may not depend on what this call wants.
      const auto compute = [&] {
        constexpr size_t kNoLimit = std::numeric_limits<size_t>::max();
        general_->tokenize({part.text, begin, chunk.end}, {false, false, kNoLimit}, first_word, *own.general, run);
      };
      if (chunk.plain) {
        own.ids.append(part.text.substr(begin, chunk.end - begin), run, compute);
      } else {
        compute();
      }
      begin = chunk.end + 1;
    }
    return 0;
  }

 private:
  struct Scratch : Pipeline::Scratch {
    explicit Scratch(std::unique_ptr<Pipeline::Scratch> of_general) : general(std::move(of_general)) {}

    std::unique_ptr<Pipeline::Scratch> general;
    ChunkIds ids;
  };

  struct Chunk {
    size_t end;
    bool plain;  // all of it
  };

  // From `begin` to the next space that keeps its sides apart, or to the end.
  Chunk next_chunk(const TextPart& part, size_t begin) const {
    bool plain = true;
    for (size_t i = begin; i < part.end; ++i) {
      if (plain_[part.text[i]]) continue;
      const bool parts =
          part.text[i] == u' ' && i > begin && plain_[part.text[i - 1]] && i + 1 < part.end && plain_[part.text[i + 1]];
      if (parts) return {i, plain};
      plain = false;
    }
    return {part.end, plain};
  }

  std::shared_ptr<const GeneralPipeline> general_;
  PlainUnits plain_;
};

}  // namespace

std::unique_ptr<const Pipeline> make_spaced_pipeline(std::shared_ptr<const GeneralPipeline> general) {
  if (!general->works_word_by_word() || !keeps_plain_units(*general)) return nullptr;
  return std::make_unique<const SpacedPipeline>(std::move(general));
}

}  // namespace bert_native
