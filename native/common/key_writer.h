#pragma once

#include <cstdio>
#include <string>
#include <utility>

namespace bert_native {

// Fields one after another with a separator that no number contains; strings carry their length, so two different lists
// of fields never give the same text.
class KeyWriter {
 public:
  template <typename Integer>
  void add(Integer value) {
    text_ += std::to_string(value);
    text_ += ' ';
  }
  void add_float(double value) {
    char digits[40];
    std::snprintf(digits, sizeof digits, "%a ", value);
    text_ += digits;
  }
  void add_text(const std::string& value) {
    add(value.size());
    text_ += value;
    text_ += ' ';
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

}  // namespace bert_native
