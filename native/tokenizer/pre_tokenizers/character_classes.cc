#include <cstdint>
#include <utility>

#include "tokenizer/pre_tokenizers/split.h"
#include "tokenizer/unicode.h"

namespace bert_native {

// The pre-tokenizers that look at one code point at a time.

namespace {

bool is_space(char32_t c) { return unicode::is_white_space(c); }
// As BERT has it: ASCII symbols count.
bool is_punctuation(char32_t c) { return (unicode::record(c) & unicode::kRustPunctuation) != 0; }

// Cuts at the code points that `is_match` picks, each a match of its own.
template <typename IsMatch>
class CharacterSplit : public PreTokenizer {
 public:
  CharacterSplit(IsMatch is_match, SplitBehavior behavior)
      : is_match_(std::move(is_match)),
        behavior_(behavior),
        drops_spaces_(behavior == SplitBehavior::kRemoved && is_match_(U' ')) {}

  void pre_tokenize(PreTokenizedText& text) const override {
    std::vector<Range> matches;
    cut_pieces(text, [&](Range piece, std::vector<Range>& parts) {
      matches.clear();
      for (size_t i = piece.begin; i < piece.end; ++i) {
        if (is_match_(text.text.code_points[i])) matches.push_back({i, i + 1});
      }
      append_split(piece, matches, behavior_, false, parts);
    });
  }

  bool cuts_at_spaces() const override { return drops_spaces_; }

 private:
  IsMatch is_match_;
  SplitBehavior behavior_;
  bool drops_spaces_;
};

template <typename IsMatch>
PreTokenizerPointer make_character_split(IsMatch is_match, SplitBehavior behavior) {
  return std::make_unique<CharacterSplit<IsMatch>>(std::move(is_match), behavior);
}

// Cuts into the longest runs of equal class; those of class kDropped go.
template <typename ClassOf>
class RunSplit : public PreTokenizer {
 public:
  explicit RunSplit(ClassOf class_of) : class_of_(std::move(class_of)) {}

  void pre_tokenize(PreTokenizedText& text) const override {
    const std::u32string& code_points = text.text.code_points;
    cut_pieces(text, [&](Range piece, std::vector<Range>& parts) {
      for (size_t begin = piece.begin; begin < piece.end;) {
        const int run_class = class_of_(code_points[begin]);
        size_t end = begin + 1;
        while (end < piece.end && class_of_(code_points[end]) == run_class) ++end;
        if (run_class != kDropped) parts.push_back({begin, end});
        begin = end;
      }
    });
  }

  bool cuts_at_spaces() const override { return class_of_(U' ') == kDropped; }

  static constexpr int kDropped = 0;

 private:
  ClassOf class_of_;
};

// Scripts as SentencePiece's training looks at them: the Japanese ones are one, and spaces belong to all.
class UnicodeScriptsPreTokenizer : public PreTokenizer {
 public:
  void pre_tokenize(PreTokenizedText& text) const override {
    const std::u32string& code_points = text.text.code_points;
    cut_pieces(text, [&](Range piece, std::vector<Range>& parts) {
      const size_t first_part = parts.size();
      unicode::Script last{};
      for (size_t i = piece.begin; i < piece.end; ++i) {
        const unicode::Script script = script_of(code_points[i]);
        if (script == unicode::Script::kAny) continue;
        if (parts.size() == first_part || script != last) parts.push_back({i, piece.end});
        last = script;
      }
      for (size_t i = first_part; i + 1 < parts.size(); ++i) parts[i].end = parts[i + 1].begin;
    });
  }

 private:
  static unicode::Script script_of(char32_t c) {
    constexpr char32_t kProlongedSoundMark = 0x30fc;
    if (c == U' ') return unicode::Script::kAny;
    const unicode::Script script = unicode::script(c);
    const bool japanese = script == unicode::Script::kHiragana || script == unicode::Script::kKatakana;
    return japanese || c == kProlongedSoundMark ? unicode::Script::kHan : script;
  }
};

}  // namespace

PreTokenizerPointer make_bert_pre_tokenizer() {
  std::vector<PreTokenizerPointer> steps;
  steps.push_back(make_character_split(is_space, SplitBehavior::kRemoved));
  steps.push_back(make_character_split(is_punctuation, SplitBehavior::kIsolated));
  return make_pre_tokenizer_sequence(std::move(steps));
}

PreTokenizerPointer make_whitespace_pre_tokenizer() {
  const auto class_of = [](char32_t c) { return unicode::is_word_character(c) ? 1 : is_space(c) ? 0 : 2; };
  return std::make_unique<RunSplit<decltype(class_of)>>(class_of);
}

PreTokenizerPointer make_whitespace_split_pre_tokenizer() {
  return make_character_split(is_space, SplitBehavior::kRemoved);
}

PreTokenizerPointer make_punctuation_pre_tokenizer(SplitBehavior behavior) {
  return make_character_split(is_punctuation, behavior);
}

PreTokenizerPointer make_digits_pre_tokenizer(bool individual_digits) {
  return make_character_split([](char32_t c) { return unicode::is_numeric(c); },
                              individual_digits ? SplitBehavior::kIsolated : SplitBehavior::kContiguous);
}

PreTokenizerPointer make_delimiter_pre_tokenizer(char32_t delimiter) {
  return make_character_split([delimiter](char32_t c) { return c == delimiter; }, SplitBehavior::kRemoved);
}

PreTokenizerPointer make_unicode_scripts_pre_tokenizer() { return std::make_unique<UnicodeScriptsPreTokenizer>(); }

}  // namespace bert_native
