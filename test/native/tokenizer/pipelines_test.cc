#include <cstdint>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "check_throws.h"
#include "harness.h"
#include "tokenizer/flat.h"
#include "tokenizer/pipelines/byte_level.h"
#include "tokenizer/pipelines/general.h"
#include "tokenizer/pipelines/spaced.h"
#include "tokenizer/post_processors/offset_trimming.h"
#include "tokenizer/pre_tokenizers/byte_level.h"
#include "tokenizer/unicode.h"

namespace bert_native::test {

namespace {

constexpr size_t kNoLimit = std::numeric_limits<size_t>::max();

// A model over a vocabulary that lives as long as it.
struct OwnedModel {
  FlatStrings vocabulary;
  ModelPointer model;
};

std::shared_ptr<const Model> own(std::shared_ptr<OwnedModel> owned) { return {owned, owned->model.get()}; }

// GPT-2's alphabet, and a merge of every two neighbours in it.
std::shared_ptr<const Model> byte_model() {
  std::vector<std::string> entries, merges;
  const auto& alphabet = byte_level_alphabet();
  for (const char32_t c : alphabet) entries.push_back(unicode::to_utf8(std::u32string_view(&c, 1)));
  for (size_t i = 0; i + 1 < alphabet.size(); i += 2) {
    merges.push_back(entries[i]);
    merges.push_back(entries[i + 1]);
    entries.push_back(entries[i] + entries[i + 1]);
  }
  auto owned = std::make_shared<OwnedModel>(OwnedModel{flat(entries), nullptr});
  owned->model = make_bpe_model(owned->vocabulary, flat(merges), {});
  return own(std::move(owned));
}

std::shared_ptr<const Model> unigram_model() {
  const std::vector<std::string> entries{"<unk>", "▁",  "▁a",  "a",  "b", "ab", "▁b",
                                         "가",    "나", "▁가", "한", "é", "e",  "1"};
  std::vector<double> scores;
  for (size_t i = 0; i < entries.size(); ++i) scores.push_back(-1.0 - 0.37 * static_cast<double>(i % 5));
  auto owned = std::make_shared<OwnedModel>(OwnedModel{flat(entries), nullptr});
  owned->model = make_unigram_model(owned->vocabulary, scores, {0, false});
  return own(std::move(owned));
}

class Texts {
 public:
  explicit Texts(unsigned seed) : random_(seed) {}

  std::u16string next() {
    static const std::vector<std::u16string> kParts{u" ",
                                                    u" ",
                                                    u"  ",
                                                    u"\t",
                                                    u"\n",
                                                    u"a",
                                                    u"ab",
                                                    u"b",
                                                    u"가나",
                                                    u"한",
                                                    u"'s",
                                                    u"'",
                                                    u"'re",
                                                    u"1",
                                                    u"12",
                                                    u"!",
                                                    u"\u0301",
                                                    u"e\u0301",
                                                    u"é",
                                                    u"\u3000",
                                                    u"\u200b",
                                                    u"▁",
                                                    u"\U0001F600",
                                                    u"\xd800",
                                                    u"\xdc00",
                                                    u"\u1112\u1161",
                                                    u"long-word-here",
                                                    u"<x>",
                                                    u"\u00a0"};
    std::u16string text;
    for (size_t parts = random_() % 12; parts > 0; --parts) text += kParts[random_() % kParts.size()];
    return text;
  }

 private:
  std::mt19937 random_;
};

TokenRun run_of(const Pipeline& pipeline, Pipeline::Scratch& scratch, std::u16string_view text, RunOptions options) {
  TokenRun run;
  pipeline.tokenize({text, 0, text.size()}, options, 0, scratch, run);
  return run;
}

// The ids of a fast pipeline are those of the general one, whatever it has seen before, and so is what is cut off.
void check_same_ids(const Pipeline& fast, const GeneralPipeline& general, unsigned seed) {
  const auto fast_scratch = fast.make_scratch(), general_scratch = general.make_scratch();
  Texts texts(seed);
  for (int i = 0; i < 20000; ++i) {
    const std::u16string text = texts.next();
    const TokenRun expected = run_of(general, *general_scratch, text, {false, false, kNoLimit});
    const TokenRun found = run_of(fast, *fast_scratch, text, {false, false, kNoLimit});
    BN_CHECK(found.ids == expected.ids, unicode::to_utf8(text));
    const TokenRun some = run_of(fast, *fast_scratch, text, {false, false, 2});
    const size_t common = std::min<size_t>(2, expected.size());
    BN_CHECK(
        some.size() >= common &&
            std::equal(some.ids.begin(), some.ids.begin() + static_cast<std::ptrdiff_t>(common), expected.ids.begin()),
        "at least two of " + unicode::to_utf8(text));
    const TokenRun aligned = run_of(fast, *fast_scratch, text, {true, true, kNoLimit});
    BN_CHECK(aligned.ids == expected.ids && aligned.offsets.size() == aligned.size() &&
                 aligned.word_ids.size() == aligned.size(),
             "with offsets: " + unicode::to_utf8(text));
  }
}

void byte_level_case(bool add_prefix_space, bool composes, bool has_added_token) {
  const std::vector<AddedToken> added = has_added_token
                                            ? std::vector<AddedToken>{{u"<x>", 300, false, true, false, false, true}}
                                            : std::vector<AddedToken>{};
  const auto model = byte_model();
  auto general = std::make_shared<const GeneralPipeline>(
      GeneralPipelineParts{model, composes ? make_unicode_normalizer(UnicodeForm::kNfc) : nullptr,
                           make_byte_level_pre_tokenizer(add_prefix_space, true), added});
  const auto fast = make_byte_level_pipeline(general, {model, added, add_prefix_space, composes});
  check_same_ids(*fast, *general, 5);
}

std::shared_ptr<const GeneralPipeline> spaced_parts(NormalizerPointer normalizer, bool split_first) {
  std::vector<PreTokenizerPointer> steps;
  if (split_first) steps.push_back(make_whitespace_split_pre_tokenizer());
  steps.push_back(make_metaspace_pre_tokenizer(U'▁', PrependScheme::kAlways, true));
  return std::make_shared<const GeneralPipeline>(
      GeneralPipelineParts{unigram_model(), std::move(normalizer), make_pre_tokenizer_sequence(std::move(steps)), {}});
}

void spaced_case(NormalizerPointer normalizer, bool split_first) {
  const auto general = spaced_parts(std::move(normalizer), split_first);
  const auto fast = make_spaced_pipeline(general);
  BN_CHECK(fast != nullptr, "is there a fast pipeline");
  if (fast != nullptr) check_same_ids(*fast, *general, 7);
}

NormalizerPointer sequence(NormalizerPointer first, NormalizerPointer second) {
  std::vector<NormalizerPointer> normalizers;
  normalizers.push_back(std::move(first));
  normalizers.push_back(std::move(second));
  return make_normalizer_sequence(std::move(normalizers));
}

std::vector<std::string> words_of(const std::string& utf8) {
  const std::u16string text = unicode::to_utf16(utf8);
  const auto pre_tokenizer = make_byte_level_pre_tokenizer(false, true);
  PreTokenizedText pieces{to_normalized_text(text, 0, text.size()), {{0, text.size()}}};
  pre_tokenizer->pre_tokenize(pieces);
  std::vector<std::string> words;
  for (const Range& piece : pieces.pieces) {
    words.push_back(
        unicode::to_utf8(std::u32string_view(pieces.text.code_points).substr(piece.begin, piece.end - piece.begin)));
  }
  return words;
}

void add_pipeline_tests() {
  for (const bool prefix : {false, true}) {
    for (const bool composes : {false, true}) {
      for (const bool added : {false, true}) {
        if (composes && added) continue;  // the binding leaves those to the general pipeline
        add("tokenizer/pipelines: byte level as the general one, prefix " + std::to_string(prefix) + ", NFC " +
                std::to_string(composes) + ", added token " + std::to_string(added),
            [=] { byte_level_case(prefix, composes, added); });
      }
    }
  }
  for (const bool split_first : {false, true}) {
    const std::string what = split_first ? ", cut at white space first" : "";
    add("tokenizer/pipelines: between spaces as the general one" + what, [=] { spaced_case(nullptr, split_first); });
    add("tokenizer/pipelines: between spaces, NFKC and strip" + what, [=] {
      spaced_case(sequence(make_unicode_normalizer(UnicodeForm::kNfkc), make_strip_normalizer(true, true)),
                  split_first);
    });
    add("tokenizer/pipelines: between spaces, Nmt and two spaces to one" + what, [=] {
      spaced_case(sequence(make_nmt_normalizer(), make_replace_normalizer(make_literal_pattern(U"  "), U" ")),
                  split_first);
    });
  }
  add("tokenizer/pipelines: between spaces, several words in what stands between two", [] {
    const auto make = [](PreTokenizerPointer pre_tokenizer) {
      return std::make_shared<const GeneralPipeline>(
          GeneralPipelineParts{unigram_model(), nullptr, std::move(pre_tokenizer), {}});
    };
    std::vector<PreTokenizerPointer> steps;
    steps.push_back(make_whitespace_split_pre_tokenizer());
    steps.push_back(make_punctuation_pre_tokenizer(SplitBehavior::kIsolated));
    for (const auto& general :
         {make(make_whitespace_pre_tokenizer()), make(make_pre_tokenizer_sequence(std::move(steps)))}) {
      const auto fast = make_spaced_pipeline(general);
      BN_CHECK(fast != nullptr, "is there a fast pipeline");
      if (fast != nullptr) check_same_ids(*fast, *general, 11);
    }
  });
  add("tokenizer/pipelines: a normalizer that doubles a text again and again is stopped", [] {
    std::vector<NormalizerPointer> steps;
    for (int i = 0; i < 40; ++i) steps.push_back(make_replace_normalizer(make_literal_pattern(U"a"), U"aa"));
    const auto general = spaced_parts(make_normalizer_sequence(std::move(steps)), true);
    check_throws(ErrorCode::kMemory, "the normalizer makes more than", [&] { general->normalize(u"a"); });
  });
  add("tokenizer/pipelines: tokens that begin or end inside a character have its offsets", [] {
    std::vector<std::string> entries{"##\xc3\xa9"};
    for (int byte = 0; byte < 256; ++byte) {
      constexpr char kDigits[] = "0123456789ABCDEF";
      entries.push_back(std::string("<0x") + kDigits[byte >> 4] + kDigits[byte & 15] + ">");
    }
    auto owned = std::make_shared<OwnedModel>(OwnedModel{flat(entries), nullptr});
    BpeOptions options;
    options.byte_fallback = true;
    options.continuing_subword_prefix = "##";
    owned->model = make_bpe_model(owned->vocabulary, flat({}), options);
    const GeneralPipeline pipeline(GeneralPipelineParts{own(std::move(owned)), nullptr, nullptr, {}});
    const auto scratch = pipeline.make_scratch();
    for (const std::u16string text : {u"é", u"éé", u"aé", u"ééé한"}) {
      const TokenRun run = run_of(pipeline, *scratch, text, {true, false, kNoLimit});
      for (const Span& span : run.offsets) {
        BN_CHECK(span.start >= 0 && span.start < span.end && span.end <= static_cast<int32_t>(text.size()),
                 unicode::to_utf8(text));
      }
    }
  });
  add("tokenizer/pipelines: no way between spaces where parts look across them", [] {
    BN_CHECK(make_spaced_pipeline(spaced_parts(make_prepend_normalizer(U"x"), true)) == nullptr, "Prepend");
    BN_CHECK(make_spaced_pipeline(spaced_parts(make_byte_level_normalizer(), true)) == nullptr, "ByteLevel");
    const auto replace = [](const char32_t* from, const char32_t* to) {
      return make_replace_normalizer(make_literal_pattern(from), to);
    };
    BN_CHECK(make_spaced_pipeline(spaced_parts(replace(U"a b", U"c"), true)) == nullptr, "Replace across a space");
    BN_CHECK(make_spaced_pipeline(spaced_parts(replace(U"a", U" "), true)) == nullptr, "Replace by a space");
    BN_CHECK(make_spaced_pipeline(spaced_parts(replace(U"a", U""), true)) == nullptr, "Replace by nothing");
    BN_CHECK(make_spaced_pipeline(spaced_parts(replace(U"<br>", U""), true)) == nullptr, "Replace words by nothing");
    BN_CHECK(make_spaced_pipeline(spaced_parts(replace(U"<br>", U"x y"), true)) == nullptr, "Replace by two words");
    BN_CHECK(make_spaced_pipeline(spaced_parts(replace(U"``", U"\""), true)) != nullptr, "Replace by a character");
    const auto underscore = std::make_shared<const GeneralPipeline>(GeneralPipelineParts{
        unigram_model(), nullptr, make_metaspace_pre_tokenizer(U'_', PrependScheme::kAlways, true), {}});
    BN_CHECK(make_spaced_pipeline(underscore) == nullptr, "Metaspace with a plain character");
    for (const bool split : {false, true}) {
      const auto scheme = split ? PrependScheme::kFirst : PrependScheme::kAlways;
      const auto general = std::make_shared<const GeneralPipeline>(
          GeneralPipelineParts{unigram_model(), nullptr, make_metaspace_pre_tokenizer(U'▁', scheme, split), {}});
      BN_CHECK(make_spaced_pipeline(general) == nullptr, "Metaspace " + std::to_string(split));
    }
  });
  add("tokenizer/pipelines: GPT-2's words", [] {
    using Words = std::vector<std::string>;
    BN_CHECK(words_of("we'll don't 'tis x's") == Words({"we", "'ll", "Ġdon", "'t", "Ġ'", "tis", "Ġx", "'s"}), "'");
    BN_CHECK(words_of("a  b\n\nc \t") == Words({"a", "Ġ", "Ġb", "Ċ", "Ċ", "c", "Ġĉ"}), "white space");
    BN_CHECK(words_of("a1!? 2b") == Words({"a", "1", "!?", "Ġ2", "b"}), "classes");
    BN_CHECK(words_of("'") == Words({"'"}) && words_of("'r") == Words({"'", "r"}), "ends in an apostrophe's word");
  });
  add("tokenizer/offsets: white space is trimmed", [] {
    const Margin space = margin_of_token("ĠaĠ", u" a\U0001F600");
    BN_CHECK(space.leading == 1 && space.trailing == 2 && space.leads_with_one, "byte-level space");
    BN_CHECK(margin_of_token("ĠĠ", u"a").leading == 1, "more spaces than text");
    const Margin text = margin_of_text(u"\u3000 <mask>\n");
    BN_CHECK(text.leading == 2 && text.trailing == 1, "added token");
    std::vector<Span> offsets{{0, 2}, {2, 4}, {4, 5}, {0, 3}};
    const std::vector<Margin> margins{{1, 0, true}, {1, 0, true}, {1, 1, true}, {2, 0, false}};
    trim_offsets(offsets, margins, true);
    BN_CHECK(offsets == std::vector<Span>({{0, 2}, {3, 4}, {5, 5}, {2, 3}}), "one space at the start was added");
    offsets = {{0, 2}};
    trim_offsets(offsets, {{{1, 0, true}}}, false);
    BN_CHECK(offsets == std::vector<Span>({{1, 2}}), "the text's own space");
  });
}

const Registration registration(add_pipeline_tests);

}  // namespace

}  // namespace bert_native::test
