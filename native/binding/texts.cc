#include "binding/texts.h"

#include <algorithm>
#include <utility>

namespace bert_native {

namespace {

constexpr size_t kPartUnits = size_t{1} << 15;
constexpr size_t kPartSamples = size_t{1} << 12;
constexpr size_t kLeastRoom = 512;  // units that are tried before a text's length is asked for

std::vector<int32_t> read_word_starts(const Napi::Value& value, size_t texts, const std::string& path) {
  auto starts = Fields::read_typed_array<int32_t>(value, path, napi_int32_array, "an Int32Array or null");
  bool ascends = !starts.empty() && starts.front() == 0;
  for (size_t i = 1; ascends && i < starts.size(); ++i) ascends = starts[i] >= starts[i - 1];
  if (!ascends || static_cast<size_t>(starts.back()) != texts) {
    throw_expected(path, "numbers that ascend from 0 to the number of texts, " + std::to_string(texts));
  }
  return starts;
}

// Forgets the texts, not the memory.
void clear(SampleTexts& texts) {
  texts.starts.resize(1);
  texts.word_starts.clear();
}

// Without room for more.
SampleTexts copy_of(const SampleTexts& texts) {
  const auto begin = texts.units.begin();
  return {{begin, begin + static_cast<std::ptrdiff_t>(texts.starts.back())},
          texts.starts,
          texts.split_into_words,
          texts.word_starts};
}

}  // namespace

TextReader::TextReader(const Napi::Value& texts, const Napi::Value& word_starts, std::string path)
    : path_(std::move(path)) {
  if (!texts.IsArray()) throw_expected(path_ + "texts", "an array");
  texts_ = texts.As<Napi::Array>();
  text_count_ = texts_.Length();
  if (!word_starts.IsNull() && !word_starts.IsUndefined()) {
    words_ = read_word_starts(word_starts, text_count_, path_ + "word_starts");
  }
}

void TextReader::read(size_t sample, SampleTexts& to) const {
  if (!words_) {
    read_text(sample, to);
    return;
  }
  to.split_into_words = true;
  if (to.word_starts.empty()) to.word_starts.push_back(0);
  const auto end = static_cast<size_t>((*words_)[sample + 1]);
  for (auto i = static_cast<size_t>((*words_)[sample]); i < end; ++i) read_text(i, to);
  to.word_starts.push_back(static_cast<int32_t>(to.text_count()));
}

// One call copies a text that fits the room there is; of a longer one the length is asked for.
void TextReader::read_text(size_t index, SampleTexts& to) const {
  const napi_env env = texts_.Env();
  const size_t begin = to.starts.back();
  if (to.units.size() < begin + kLeastRoom) to.units.resize(std::max(2 * to.units.size(), begin + kLeastRoom));
  napi_value text = nullptr;
  if (napi_get_element(env, texts_, static_cast<uint32_t>(index), &text) != napi_ok) throw Napi::Error::New(env);
  size_t room = to.units.size() - begin, length = 0;
  if (napi_get_value_string_utf16(env, text, to.units.data() + begin, room, &length) != napi_ok) {
    throw_expected(path_ + "texts[" + std::to_string(index) + "]", "a string");
  }
  if (length + 1 == room) {
    napi_get_value_string_utf16(env, text, nullptr, 0, &length);
    room = length + 1;  // the getter ends the text with a NUL
    to.units.resize(begin + room);
    napi_get_value_string_utf16(env, text, to.units.data() + begin, room, &length);
  }
  to.starts.push_back(begin + length);
}

SampleReader::SampleReader(TextReader first, std::optional<TextReader> second)
    : first_(std::move(first)), second_(std::move(second)) {
  if (second_ && second_->sample_count() != first_.sample_count()) {
    throw Error(ErrorCode::kOption, "there are " + std::to_string(first_.sample_count()) + " first texts but " +
                                        std::to_string(second_->sample_count()) + " second ones");
  }
}

void SampleReader::read_part(EncodeInput& part) {
  const Napi::HandleScope scope(first_.env());
  clear(part.first);
  clear(part.second);
  part.has_second = second_.has_value();
  part.first_sample = static_cast<int32_t>(next_);
  const size_t end = std::min(first_.sample_count(), next_ + kPartSamples);
  while (next_ < end && part.first.starts.back() + part.second.starts.back() < kPartUnits) {
    first_.read(next_, part.first);
    if (second_) second_->read(next_, part.second);
    ++next_;
  }
}

std::vector<EncodeInput> SampleReader::read_rest() {
  std::vector<EncodeInput> parts;
  EncodeInput room;
  while (!is_done()) {
    read_part(room);
    parts.push_back({copy_of(room.first), room.has_second, copy_of(room.second), room.first_sample});
  }
  return parts;
}

}  // namespace bert_native
