#include "fuzz/tokenizer_parts.h"

#include <algorithm>
#include <utility>

#include "tokenizer/flat.h"
#include "tokenizer/models/model.h"
#include "tokenizer/models/wordpiece.h"
#include "tokenizer/normalizers/bert.h"
#include "tokenizer/pre_tokenizers/byte_level.h"
#include "tokenizer/regex_program.h"
#include "tokenizer/unicode.h"

namespace bert_native::fuzz {

namespace {

constexpr int kDeepest = 3;
// Below the limit of the code units that one part adds: sizes are for what loops, not for what fills memory.
constexpr size_t kMostInstructions = 24;

template <typename Part, typename Make>
std::vector<Part> make_sequence(FuzzInput& input, int depth, Make&& make) {
  std::vector<Part> parts;
  for (size_t count = input.below(4); count > 0; --count) parts.push_back(make(input, depth + 1));
  return parts;
}

SplitBehavior make_behavior(FuzzInput& input) { return static_cast<SplitBehavior>(input.below(5)); }

PrependScheme make_scheme(FuzzInput& input) { return static_cast<PrependScheme>(input.below(3)); }

char32_t make_character(FuzzInput& input) {
  const std::u32string one = input.code_points(1);
  return one.empty() ? U'▁' : one[0];
}

// One operand: right for what it stands for, or any number.
int32_t operand(FuzzInput& input, size_t limit, int32_t low = 0) {
  const size_t kind = input.below(16);
  if (kind == 0) return input.number();
  return limit == 0 ? low : low + static_cast<int32_t>(input.below(limit + static_cast<size_t>(-low)));
}

struct ProgramSizes {
  size_t instructions, classes, registers, memo_slots;
};

void append_instruction(FuzzInput& input, const ProgramSizes& sizes, std::vector<int32_t>& code) {
  const auto op = static_cast<int32_t>(input.below(15));
  const auto target = [&] { return operand(input, sizes.instructions); };
  const auto klass = [&](int32_t low = 0) { return operand(input, sizes.classes, low); };
  const auto memo = [&] { return operand(input, sizes.memo_slots, -1); };
  const auto flag = [&] { return operand(input, 2); };
  std::array<int32_t, 5> operands{};
  switch (static_cast<RegexOp>(op)) {
    case RegexOp::kCharacter:
      operands = {operand(input, 128)};
      break;
    case RegexOp::kClass:
      operands = {klass()};
      break;
    case RegexOp::kRun:
      operands = {klass(), operand(input, 3), operand(input, 6, -1), operand(input, 3), memo()};
      break;
    case RegexOp::kJump:
      operands = {target()};
      break;
    case RegexOp::kSplit:
      operands = {target(), target(), memo(), klass(-1)};
      break;
    case RegexOp::kMarkPosition:
      operands = {operand(input, sizes.registers)};
      break;
    case RegexOp::kJumpIfEmpty:
      operands = {operand(input, sizes.registers), target()};
      break;
    case RegexOp::kAtomic:
      operands = {flag()};
      break;
    case RegexOp::kLookahead:
      operands = {flag(), target(), flag()};
      break;
    case RegexOp::kLookbehind:
      operands = {flag(), target(), operand(input, 3), operand(input, 5, -1)};
      break;
    case RegexOp::kAssert:
      operands = {operand(input, 5)};
      break;
    case RegexOp::kWordBoundary:
      operands = {flag(), klass()};
      break;
    default:
      break;
  }
  code.push_back(op);
  code.insert(code.end(), operands.begin(), operands.end());
}

}  // namespace

RegexProgram make_program(FuzzInput& input) {
  const ProgramSizes sizes{1 + input.below(kMostInstructions), 1 + input.below(4), input.below(4), input.below(4)};
  RegexProgram program;
  program.source = "/fuzz/";
  program.code = {1, static_cast<int32_t>(sizes.classes), static_cast<int32_t>(sizes.registers),
                  static_cast<int32_t>(sizes.memo_slots), operand(input, sizes.classes, -1)};
  for (size_t i = 0; i + 1 < sizes.instructions; ++i) append_instruction(input, sizes, program.code);
  program.code.insert(program.code.end(), {static_cast<int32_t>(RegexOp::kMatch), 0, 0, 0, 0, 0});
  program.ranges.resize(sizes.classes + 1);
  for (size_t i = 0; i < sizes.classes; ++i) {
    program.ranges[i] = static_cast<uint32_t>(program.ranges.size());
    uint32_t next = 0;
    for (size_t ranges = input.below(3); ranges > 0; --ranges) {
      const uint32_t first = next + (input.below(8) == 0 ? input.take<uint16_t>() : input.take<uint8_t>());
      const uint32_t last = first + (input.below(8) == 0 ? input.take<uint32_t>() % 0x120000 : input.take<uint8_t>());
      program.ranges.insert(program.ranges.end(), {first, last});
      next = last + 2;
    }
  }
  program.ranges[sizes.classes] = static_cast<uint32_t>(program.ranges.size());
  return program;
}

PatternPointer make_pattern(FuzzInput& input) {
  if (input.flag()) return make_regex_pattern(make_program(input));
  std::u32string literal = input.code_points(4);
  if (literal.empty()) literal = U" ";
  return make_literal_pattern(std::move(literal));
}

NormalizerPointer make_normalizer(FuzzInput& input, int depth) {
  switch (input.below(depth < kDeepest ? 12 : 11)) {
    case 0:
      return make_unicode_normalizer(static_cast<UnicodeForm>(input.below(4)));
    case 1:
      return make_lowercase_normalizer();
    case 2:
      return make_strip_accents_normalizer();
    case 3: {
      const bool left = input.flag();
      return make_strip_normalizer(left, input.flag());
    }
    case 4: {
      PatternPointer pattern = make_pattern(input);
      return make_replace_normalizer(std::move(pattern), input.code_points(4));
    }
    case 5:
      return make_prepend_normalizer(input.code_points(4));
    case 6: {
      std::vector<uint32_t> trie(input.below(64));
      for (uint32_t& unit : trie) unit = input.flag() ? input.take<uint32_t>() : input.take<uint16_t>();
      return make_precompiled_normalizer(std::move(trie), input.bytes(40));
    }
    case 7:
      return make_nmt_normalizer();
    case 8:
      return make_byte_level_normalizer();
    case 9:
    case 10: {
      const auto bits = input.take<uint8_t>();
      return make_bert_normalizer({(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, (bits & 8) != 0,
                                   (bits & 16) != 0 ? BertCharacters::kPython : BertCharacters::kRust});
    }
    default:
      return make_normalizer_sequence(make_sequence<NormalizerPointer>(
          input, depth, [](FuzzInput& from, int deeper) { return make_normalizer(from, deeper); }));
  }
}

PreTokenizerPointer make_pre_tokenizer(FuzzInput& input, int depth) {
  switch (input.below(depth < kDeepest ? 11 : 10)) {
    case 0:
      return make_bert_pre_tokenizer();
    case 1:
      return make_whitespace_pre_tokenizer();
    case 2:
      return make_whitespace_split_pre_tokenizer();
    case 3:
      return make_unicode_scripts_pre_tokenizer();
    case 4: {
      const bool add_prefix_space = input.flag();
      return make_byte_level_pre_tokenizer(add_prefix_space, input.flag());
    }
    case 5: {
      const char32_t replacement = make_character(input);
      const PrependScheme scheme = make_scheme(input);
      return make_metaspace_pre_tokenizer(replacement, scheme, input.flag());
    }
    case 6:
      return make_punctuation_pre_tokenizer(make_behavior(input));
    case 7:
      return make_digits_pre_tokenizer(input.flag());
    case 8: {
      PatternPointer pattern = make_pattern(input);
      const SplitBehavior behavior = make_behavior(input);
      return make_split_pre_tokenizer(std::move(pattern), behavior, input.flag());
    }
    case 9:
      return make_delimiter_pre_tokenizer(make_character(input));
    default:
      return make_pre_tokenizer_sequence(make_sequence<PreTokenizerPointer>(
          input, depth, [](FuzzInput& from, int deeper) { return make_pre_tokenizer(from, deeper); }));
  }
}

DecoderPointer make_decoder(FuzzInput& input, int depth) {
  switch (input.below(depth < kDeepest ? 10 : 9)) {
    case 0: {
      std::string prefix = unicode::to_utf8(input.code_points(3));
      return make_wordpiece_decoder(std::move(prefix), input.flag());
    }
    case 1:
      return make_byte_level_decoder();
    case 2: {
      const char32_t replacement = make_character(input);
      return make_metaspace_decoder(replacement, make_scheme(input));
    }
    case 3:
      return make_bpe_decoder(unicode::to_utf8(input.code_points(4)));
    case 4:
      return make_byte_fallback_decoder();
    case 5:
      return make_fuse_decoder();
    case 6: {
      const char32_t content = make_character(input);
      const size_t start = input.length(4);
      return make_strip_decoder(content, start, input.length(4));
    }
    case 7: {
      PatternPointer pattern = make_pattern(input);
      return make_replace_decoder(std::move(pattern), unicode::to_utf8(input.code_points(4)));
    }
    case 8: {
      std::string pad = unicode::to_utf8(input.code_points(4)), delimiter = unicode::to_utf8(input.code_points(2));
      return make_ctc_decoder(std::move(pad), std::move(delimiter), input.flag());
    }
    default:
      return make_decoder_sequence(make_sequence<DecoderPointer>(
          input, depth, [](FuzzInput& from, int deeper) { return make_decoder(from, deeper); }));
  }
}

namespace {

std::vector<std::string> make_entries(FuzzInput& input) {
  std::vector<std::string> entries{"[UNK]", "a", "b",  "ab", "##a",    "##b",    "▁",
                                   "▁a",    "Ġ", "가", "각", "<0x41>", "<0xED>", "'"};
  if (input.below(3) == 0) {
    for (const char32_t c : byte_level_alphabet()) entries.push_back(unicode::to_utf8(std::u32string_view(&c, 1)));
  }
  for (size_t more = input.below(12); more > 0; --more) {
    entries.push_back(input.flag() ? input.bytes(6) : unicode::to_utf8(input.code_points(4)));
  }
  return entries;
}

std::optional<int32_t> make_unk(FuzzInput& input) {
  if (input.flag()) return std::nullopt;
  return input.below(8) == 0 ? input.number() : 0;
}

std::vector<std::string> make_merges(FuzzInput& input, std::vector<std::string>& entries) {
  std::vector<std::string> merges;
  for (size_t count = input.below(24); count > 0; --count) {
    const std::string left = entries[input.take<uint16_t>() % entries.size()];
    const std::string right = entries[input.take<uint16_t>() % entries.size()];
    merges.insert(merges.end(), {left, right});
    if (input.below(16) != 0) entries.push_back(left + right);
  }
  return merges;
}

}  // namespace

std::shared_ptr<const TokenizerModel> make_model(FuzzInput& input) {
  std::vector<std::string> entries = make_entries(input);
  switch (input.below(4)) {
    case 0: {
      const WordPieceOptions options{input.below(16) == 0 ? input.number() : 0, input.flag() ? "##" : input.bytes(3),
                                     input.length(100)};
      return std::make_shared<const TokenizerModel>(test::flat(entries), options);
    }
    case 1: {
      const std::vector<std::string> merges = make_merges(input, entries);
      BpeOptions options{make_unk(input), input.flag() ? "" : "##", input.flag() ? "" : "</w>"};
      options.fuse_unk = input.flag();
      options.byte_fallback = input.flag();
      options.ignore_merges = input.flag();
      return std::make_shared<const TokenizerModel>(test::flat(entries), [&](const FlatStrings& vocabulary) {
        return make_bpe_model(vocabulary, test::flat(merges), options);
      });
    }
    case 2: {
      std::vector<double> scores;
      for (size_t i = 0; i < entries.size(); ++i) {
        scores.push_back(input.below(32) == 0 ? input.take<double>()
                                              : -static_cast<double>(input.take<uint8_t>()) / 16);
      }
      const UnigramOptions options{make_unk(input), input.flag()};
      return std::make_shared<const TokenizerModel>(test::flat(entries), [&](const FlatStrings& vocabulary) {
        return make_unigram_model(vocabulary, scores, options);
      });
    }
    default:
      return std::make_shared<const TokenizerModel>(test::flat(entries), [&](const FlatStrings& vocabulary) {
        return make_word_level_model(vocabulary, make_unk(input));
      });
  }
}

std::vector<AddedToken> make_added_tokens(FuzzInput& input, size_t vocabulary_size) {
  std::vector<AddedToken> tokens;
  for (size_t count = input.below(6); count > 0; --count) {
    const auto bits = input.take<uint8_t>();
    const int32_t id = input.below(8) == 0 ? input.number() : static_cast<int32_t>(vocabulary_size + tokens.size());
    tokens.push_back({input.text(1 + input.below(6)), id, (bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0,
                      (bits & 8) != 0, (bits & 16) != 0});
  }
  return tokens;
}

}  // namespace bert_native::fuzz
