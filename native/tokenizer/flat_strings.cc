#include "tokenizer/flat_strings.h"

#include <limits>
#include <utility>

#include "common/errors.h"
#include "tokenizer/unicode.h"

namespace bert_native {

FlatStrings::FlatStrings(std::string bytes, std::vector<uint32_t> starts)
    : bytes_(std::move(bytes)), starts_(std::move(starts)) {
  if (starts_.empty() || starts_.front() != 0) {
    throw Error(ErrorCode::kOption, "vocabulary.starts must begin with 0");
  }
  for (size_t i = 1; i < starts_.size(); ++i) {
    if (starts_[i] < starts_[i - 1]) {
      throw Error(ErrorCode::kOption, "vocabulary.starts must ascend, but entry " + std::to_string(i) + " is " +
                                          std::to_string(starts_[i]) + " after " + std::to_string(starts_[i - 1]));
    }
  }
  if (starts_.back() != bytes_.size()) {
    throw Error(ErrorCode::kOption, "vocabulary.starts ends with " + std::to_string(starts_.back()) +
                                        ", but vocabulary.bytes has " + std::to_string(bytes_.size()) + " bytes");
  }
  for (size_t i = 0; i < size(); ++i) {
    if (!unicode::is_utf8((*this)[i])) {
      throw Error(ErrorCode::kOption, "entry " + std::to_string(i) + " of the vocabulary is not UTF-8");
    }
  }
  if (size() > static_cast<size_t>(std::numeric_limits<int32_t>::max())) {
    throw Error(ErrorCode::kOption, "a vocabulary has at most 2147483647 entries, this one " + std::to_string(size()));
  }
}

}  // namespace bert_native
