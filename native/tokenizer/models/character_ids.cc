#include "tokenizer/models/character_ids.h"

#include "tokenizer/unicode.h"

namespace bert_native {

CharacterIds::CharacterIds(const FlatStrings& vocabulary, std::string_view prefix, std::string_view suffix)
    : page_starts_(unicode::kLastCodePoint / kPage + 1, 0), ids_(kPage, kNoId) {
  const size_t around = prefix.size() + suffix.size();
  for (size_t id = 0; id < vocabulary.size(); ++id) {
    std::string_view entry = vocabulary[id];
    if (entry.size() <= around || entry.size() > around + unicode::kMaxUtf8Bytes) continue;
    if (!entry.starts_with(prefix) || !entry.ends_with(suffix)) continue;
    entry = entry.substr(prefix.size(), entry.size() - around);
    if (utf8_sequence_size(entry.front()) != entry.size()) continue;
    const uint32_t c = decode(entry);
    uint32_t& page = page_starts_[c / kPage];
    if (page == 0) {
      page = static_cast<uint32_t>(ids_.size());
      ids_.resize(ids_.size() + kPage, kNoId);
    }
    ids_[page + c % kPage] = static_cast<int32_t>(id);
  }
}

}  // namespace bert_native
