#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "tokenizer/pre_tokenizers/pre_tokenizer.h"

namespace bert_native {

// Calls cut(piece, parts) for every piece of `text`: it appends the parts of the piece that stay, counted from the
// start of the text. Empty ones are left out.
template <typename Cut>
void cut_pieces(PreTokenizedText& text, Cut&& cut) {
  std::vector<Range> parts;
  for (const Range& piece : text.pieces) cut(piece, parts);
  std::erase_if(parts, [](const Range& part) { return part.begin == part.end; });
  text.pieces = std::move(parts);
}

// Cuts `piece` at its matches, which ascend and do not overlap. `invert`: what lies between them counts as a match, and
// they as what lies between.
void append_split(Range piece, const std::vector<Range>& matches, SplitBehavior behavior, bool invert,
                  std::vector<Range>& parts);

}  // namespace bert_native
