#pragma once

#include <string>
#include <string_view>

namespace bert_native {

// `text` with `to` for every `from`, found from left to right. An empty `from` stands before every character and at the
// end.
std::string replace_all(std::string text, std::string_view from, std::string_view to);

}  // namespace bert_native
