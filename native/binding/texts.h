#pragma once

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "binding/values.h"
#include "tokenizer/encoding.h"

namespace bert_native {

// The samples of one side of a call: an array of strings, each of which is a sample or, with word starts, a word.
class TextReader {
 public:
  // `word_starts` null or undefined: every text is a sample. Throws kOption.
  TextReader(const Napi::Value& texts, const Napi::Value& word_starts, std::string path);

  size_t sample_count() const { return words_ ? words_->size() - 1 : text_count_; }
  Napi::Env env() const { return texts_.Env(); }
  // Appends a sample. Throws kOption for what is not a string. Leaves handles to its texts behind.
  void read(size_t sample, SampleTexts& to) const;

 private:
  void read_text(size_t index, SampleTexts& to) const;

  Napi::Array texts_;
  size_t text_count_;
  std::optional<std::vector<int32_t>> words_;
  std::string path_;
};

// The samples of a call in parts: enough text for a thread to be busy with for a while, little enough to stay in its
// cache.
class SampleReader {
 public:
  // Throws kOption where the sides have not as many samples.
  SampleReader(TextReader first, std::optional<TextReader> second);

  bool is_done() const { return next_ == first_.sample_count(); }
  // The next part, in memory that may have served for another.
  void read_part(EncodeInput& part);
  std::vector<EncodeInput> read_rest();

 private:
  TextReader first_;
  std::optional<TextReader> second_;
  size_t next_ = 0;
};

}  // namespace bert_native
