#include "tokenizer/post_processors/template.h"

#include <algorithm>
#include <string>
#include <utility>

#include "common/errors.h"
#include "tokenizer/post_processors/offset_trimming.h"

namespace bert_native {

namespace {

using Kind = TemplatePiece::Kind;

size_t count(const std::vector<TemplatePiece>& pieces, Kind kind) {
  return static_cast<size_t>(
      std::count_if(pieces.begin(), pieces.end(), [&](const TemplatePiece& piece) { return piece.kind == kind; }));
}

void check(const std::vector<TemplatePiece>& pieces, size_t second_texts, const char* name) {
  if (count(pieces, Kind::kFirst) != 1 || count(pieces, Kind::kSecond) != second_texts) {
    throw Error(ErrorCode::kOption, std::string("post_processor.") + name + " must contain sequence A once and " +
                                        (second_texts == 1 ? "sequence B once" : "no sequence B"));
  }
  for (const TemplatePiece& piece : pieces) {
    if (piece.kind == Kind::kSpecial && piece.special_id < 0) {
      throw Error(ErrorCode::kOption, std::string("post_processor.") + name + " has the negative special_id " +
                                          std::to_string(piece.special_id));
    }
  }
}

// `from` is empty where its kind of information was not asked for.
template <typename T>
void append_slice(const std::vector<T>& from, Range range, std::vector<T>& to) {
  if (from.empty()) return;
  to.insert(to.end(), from.begin() + static_cast<std::ptrdiff_t>(range.begin),
            from.begin() + static_cast<std::ptrdiff_t>(range.end));
}

void append_special(const TemplatePiece& piece, const EncodeOptions& options, Encoding& encoding) {
  encoding.ids.push_back(piece.special_id);
  if (options.return_type_ids) encoding.type_ids.push_back(piece.type_id);
  if (options.return_sequence_ids) encoding.sequence_ids.push_back(-1);
  if (options.return_offsets) encoding.offsets.push_back({});
  if (options.return_word_ids) encoding.word_ids.push_back(-1);
}

}  // namespace

TemplateProcessor::TemplateProcessor(std::vector<TemplatePiece> single, std::vector<TemplatePiece> pair,
                                     TemplateOptions options)
    : single_(std::move(single)), pair_(std::move(pair)), options_(options) {
  check(single_, 0, "single");
  check(pair_, 1, "pair");
}

size_t TemplateProcessor::special_count(bool is_pair) const { return count(pieces(is_pair), Kind::kSpecial); }

void TemplateProcessor::append_row(RunSlice first, RunSlice second, const EncodeOptions& options, int32_t sample,
                                   Encoding& encoding) const {
  for (const TemplatePiece& piece : pieces(second.run != nullptr)) {
    if (piece.kind == Kind::kSpecial) {
      if (options.add_special_tokens) append_special(piece, options, encoding);
    } else {
      const bool is_first = piece.kind == Kind::kFirst;
      append_text(is_first ? first : second,
                  options.add_special_tokens || options_.always_type_ids ? piece.type_id : uint8_t{0},
                  static_cast<int8_t>(is_first ? 0 : 1), options, encoding);
    }
  }
  encoding.row_starts.push_back(token_position(encoding.ids.size()));
  encoding.sample_of_row.push_back(sample);
}

void TemplateProcessor::append_text(const RunSlice& slice, uint8_t type_id, int8_t sequence_id,
                                    const EncodeOptions& options, Encoding& encoding) const {
  append_slice(slice.run->ids, slice.range, encoding.ids);
  append_slice(slice.run->offsets, slice.range, encoding.offsets);
  append_slice(slice.run->word_ids, slice.range, encoding.word_ids);
  if (options.return_type_ids) encoding.type_ids.resize(encoding.ids.size(), type_id);
  if (options.return_sequence_ids) encoding.sequence_ids.resize(encoding.ids.size(), sequence_id);
  if (slice.run->margins.empty()) return;
  const size_t count = slice.range.end - slice.range.begin;
  const std::span<Span> offsets(encoding.offsets);
  trim_offsets(offsets.subspan(offsets.size() - count), std::span(slice.run->margins).subspan(slice.range.begin, count),
               options_.adds_prefix_space);
}

}  // namespace bert_native
