#pragma once

#include <span>
#include <string_view>

#include "tokenizer/encoding.h"

namespace bert_native {

// Offsets of byte-level tokens without the white space that the tokens include: `trim_offsets` in tokenizer.json.

// Of a token of the vocabulary, which spells a space as U+0120. For each of its spaces a character of `text`, which it
// stands for, is margin, whatever that is.
Margin margin_of_token(std::string_view token, std::u16string_view text);
// Of an added token, as it stands in the text.
Margin margin_of_text(std::u16string_view text);

// `offsets` are those of the tokens of one text that stay in a row. `add_prefix_space`: one space at the beginning was
// put there by the tokenizer and takes no room in the text.
void trim_offsets(std::span<Span> offsets, std::span<const Margin> margins, bool add_prefix_space);

}  // namespace bert_native
