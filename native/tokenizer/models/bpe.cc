#include <algorithm>
#include <bit>
#include <functional>
#include <limits>
#include <span>
#include <utility>

#include "common/errors.h"
#include "tokenizer/models/character_ids.h"
#include "tokenizer/models/checks.h"
#include "tokenizer/models/fallback_bytes.h"
#include "tokenizer/models/merge_table.h"
#include "tokenizer/models/model.h"
#include "tokenizer/models/string_table.h"
#include "tokenizer/models/token_cache.h"

namespace bert_native {

namespace {

struct Symbol {
  int32_t id;
  uint32_t size;  // in bytes; 0: merged into the one before it
};

// A symbol of a long word.
struct LinkedSymbol {
  int32_t previous, next;  // kNone at the ends
  uint32_t rank;           // of the merge with the next
};

constexpr int32_t kNone = -1;

struct BpeScratch : Model::Scratch {
  TokenCache cache;
  std::vector<Symbol> symbols;
  std::vector<LinkedSymbol> links;
  std::vector<uint64_t> queue;
};

// Merges in the order of (rank, position), as the Rust library's queue has it. Up to this many symbols a scan for the
// smallest rank is faster than a queue.
constexpr size_t kMaxScannedSymbols = 48;  // at most 64

// Memory for more symbols than this is given back after the word.
constexpr size_t kMaxKeptSymbols = size_t{1} << 16;

class Bpe final : public Model {
 public:
  Bpe(const FlatStrings& vocabulary, const FlatStrings& merges, const BpeOptions& options);

  std::unique_ptr<Scratch> make_scratch() const override { return std::make_unique<BpeScratch>(); }
  void tokenize(std::string_view word, Scratch& scratch, std::vector<ModelToken>& tokens) const override;
  int32_t id_of(std::string_view token) const override { return ids_.find(token); }

 private:
  // The table of characters that do or do not start and end their word.
  const CharacterIds& characters(bool first, bool last) const {
    return tables_[(first || options_.continuing_subword_prefix.empty() ? 0 : 1) +
                   (last && !options_.end_of_word_suffix.empty() ? 2 : 0)];
  }
  void add_merge(const FlatStrings& merges, size_t rank);
  void find_whole_words(const FlatStrings& vocabulary);
  void tokenize_afresh(std::string_view word, BpeScratch& scratch, std::vector<ModelToken>& tokens) const;
  void split_into_symbols(std::string_view word, std::vector<Symbol>& symbols) const;
  bool append_bytes(std::string_view character, bool first, bool last, std::vector<Symbol>& symbols) const;
  void merge_by_scan(std::vector<Symbol>& symbols) const;
  void merge_by_queue(BpeScratch& scratch) const;

  BpeOptions options_;
  StringTable ids_;
  std::vector<CharacterIds> tables_;
  FallbackBytes bytes_;
  MergeTable merges_;
  std::vector<bool> is_whole_;  // of each entry: as a word, it is one token
  // Every merge makes the text of its left side longer, so that no pair is ever replaced by another of the same result.
  bool merges_grow_ = true;
};

std::string describe_merge(const FlatStrings& merges, size_t rank) {
  return "merge " + std::to_string(rank) + " of the BPE model ('" + std::string(merges[2 * rank]) + "' and '" +
         std::string(merges[2 * rank + 1]) + "')";
}

Bpe::Bpe(const FlatStrings& vocabulary, const FlatStrings& merges, const BpeOptions& options)
    : options_(options), ids_(vocabulary), bytes_(ids_), merges_(merges.size() / 2) {
  if (merges.size() % 2 != 0) {
    throw Error(ErrorCode::kFileFormat,
                "the merges of a BPE model are pairs, but there are " + std::to_string(merges.size()) + " strings");
  }
  check_unk_id(options.unk_id, vocabulary, "BPE");
  for (const std::string_view suffix : {std::string_view(), std::string_view(options_.end_of_word_suffix)}) {
    for (const std::string_view prefix : {std::string_view(), std::string_view(options_.continuing_subword_prefix)}) {
      tables_.emplace_back(vocabulary, prefix, suffix);
    }
  }
  for (size_t rank = 0; rank < merges.size() / 2; ++rank) add_merge(merges, rank);
  is_whole_.resize(vocabulary.size(), options_.ignore_merges);
  if (!options_.ignore_merges) find_whole_words(vocabulary);
}

void Bpe::add_merge(const FlatStrings& merges, size_t rank) {
  const auto resolve = [&](std::string_view piece) {
    const int32_t id = ids_.find(piece);
    if (id != kNoId) return id;
    throw Error(ErrorCode::kFileFormat,
                describe_merge(merges, rank) + ": '" + std::string(piece) + "' is not in the vocabulary");
  };
  const std::string_view left = merges[2 * rank], right = merges[2 * rank + 1];
  const int32_t left_id = resolve(left), right_id = resolve(right);
  const size_t prefix_size = options_.continuing_subword_prefix.size();
  if (right.size() < prefix_size) {
    throw Error(ErrorCode::kFileFormat, describe_merge(merges, rank) + ": the right side is shorter than the prefix '" +
                                            options_.continuing_subword_prefix + "' that it should have");
  }
  std::string merged(left);
  merges_.add(left_id, right_id, resolve(merged.append(right.substr(prefix_size))));
  merges_grow_ &= right.size() > prefix_size;
}

// Most words of a text are entries, and most entries are what their characters merge to.
void Bpe::find_whole_words(const FlatStrings& vocabulary) {
  BpeScratch scratch;
  std::vector<ModelToken> tokens;
  for (size_t i = 0; i < vocabulary.size(); ++i) {
    const int32_t id = ids_.find(vocabulary[i]);
    tokens.clear();
    tokenize_afresh(vocabulary[i], scratch, tokens);
    is_whole_[static_cast<size_t>(id)] = tokens.size() == 1 && tokens[0] == ModelToken{id, 0, vocabulary[i].size()};
  }
}

void Bpe::tokenize(std::string_view word, Scratch& scratch, std::vector<ModelToken>& tokens) const {
  auto& own = static_cast<BpeScratch&>(scratch);
  if (own.cache.find(word, tokens)) return;
  const size_t first = tokens.size();
  tokenize_afresh(word, own, tokens);
  own.cache.insert(word, std::span(tokens).subspan(first));
}

void Bpe::tokenize_afresh(std::string_view word, BpeScratch& scratch, std::vector<ModelToken>& tokens) const {
  if (word.size() > static_cast<size_t>(std::numeric_limits<int32_t>::max())) {
    throw Error(ErrorCode::kMemory, "a word of " + std::to_string(word.size()) + " bytes is too long for a BPE model");
  }
  if (const int32_t id = ids_.find(word); id != kNoId && is_whole_[static_cast<size_t>(id)]) {
    tokens.push_back({id, 0, word.size()});
    return;
  }
  split_into_symbols(word, scratch.symbols);
  if (scratch.symbols.size() <= kMaxScannedSymbols && merges_grow_) {
    merge_by_scan(scratch.symbols);
  } else {
    merge_by_queue(scratch);
  }
  // Sizes are added up whatever was left out or added on the way, as in the Rust library, but never past the word.
  size_t end = 0;
  for (const Symbol& symbol : scratch.symbols) {
    if (symbol.size == 0) continue;
    const size_t begin = end;
    end = std::min(begin + symbol.size, word.size());
    tokens.push_back({symbol.id, begin, end});
  }
  if (scratch.symbols.size() > kMaxKeptSymbols) scratch.symbols = {};
}

// Characters that the vocabulary lacks become their bytes, the unknown token, or nothing. An unknown token is written
// only when a character that is known follows, so bytes that come between overtake it, as in the Rust library.
void Bpe::split_into_symbols(std::string_view word, std::vector<Symbol>& symbols) const {
  symbols.clear();
  uint32_t unknown = 0;  // bytes of the unknown token that is still to be written
  const auto write_unknown = [&] {
    if (unknown > 0) symbols.push_back({*options_.unk_id, std::exchange(unknown, 0)});
  };
  for (size_t begin = 0; begin < word.size();) {
    const size_t size = std::min(utf8_sequence_size(word[begin]), word.size() - begin);
    const std::string_view character = word.substr(begin, size);
    const bool first = begin == 0, last = begin + size == word.size();
    begin += size;
    if (const int32_t id = characters(first, last).find(character); id != kNoId) {
      write_unknown();
      symbols.push_back({id, static_cast<uint32_t>(size)});
    } else if (!append_bytes(character, first, last, symbols) && options_.unk_id) {
      if (!options_.fuse_unk) write_unknown();
      unknown += static_cast<uint32_t>(size);
    }
  }
  write_unknown();
}

// The bytes of `character` with its prefix and suffix, if the vocabulary has all of them.
bool Bpe::append_bytes(std::string_view character, bool first, bool last, std::vector<Symbol>& symbols) const {
  if (!options_.byte_fallback) return false;
  const std::string_view parts[] = {first ? std::string_view() : options_.continuing_subword_prefix, character,
                                    last ? std::string_view(options_.end_of_word_suffix) : std::string_view()};
  for (const std::string_view part : parts) {
    if (!bytes_.has_all(part)) return false;
  }
  for (const std::string_view part : parts) {
    for (const char byte : part) symbols.push_back({bytes_.id_of(byte), 1});
  }
  return true;
}

void Bpe::merge_by_scan(std::vector<Symbol>& symbols) const {
  const size_t count = symbols.size();
  if (count < 2) return;
  constexpr uint64_t kNoMerge = ~uint64_t{0};
  uint64_t merges[kMaxScannedSymbols];        // of each symbol with the next: rank, then position
  uint64_t alive = kNoMerge >> (64 - count);  // the symbols that are still there
  const auto look_up = [&](size_t left, size_t right) {
    const uint32_t rank = merges_.rank_of(symbols[left].id, symbols[right].id);
    merges[left] = rank == MergeTable::kNoRank ? kNoMerge : uint64_t{rank} << 8 | left;
  };
  for (size_t i = 0; i + 1 < count; ++i) look_up(i, i + 1);
  for (;;) {
    uint64_t best = kNoMerge;
    for (size_t i = 0; i + 1 < count; ++i) best = std::min(best, merges[i]);
    if (best == kNoMerge) return;
    const size_t left = best & 0xff;
    const uint64_t behind = alive & kNoMerge << 1 << left, before = alive & ~(kNoMerge << left);
    const auto right = static_cast<size_t>(std::countr_zero(behind));
    symbols[left] = {merges_.merged(static_cast<uint32_t>(best >> 8)),
                     symbols[left].size + std::exchange(symbols[right].size, 0)};
    alive &= ~(uint64_t{1} << right);
    merges[left] = merges[right] = kNoMerge;
    if (const uint64_t rest = behind & (behind - 1)) look_up(left, static_cast<size_t>(std::countr_zero(rest)));
    if (before) look_up(63 - static_cast<size_t>(std::countl_zero(before)), left);
  }
}

// Entries of the queue are not taken out when their pair goes; one that comes up counts if what its pair has become
// merges to the same id.
void Bpe::merge_by_queue(BpeScratch& scratch) const {
  std::vector<Symbol>& symbols = scratch.symbols;
  std::vector<LinkedSymbol>& links = scratch.links;
  std::vector<uint64_t>& queue = scratch.queue;
  const auto rank_at = [&](int32_t left, int32_t right) {
    if (left == kNone || right == kNone) return MergeTable::kNoRank;
    return merges_.rank_of(symbols[static_cast<size_t>(left)].id, symbols[static_cast<size_t>(right)].id);
  };
  const auto entry = [](uint32_t rank, int32_t position) {
    return uint64_t{rank} << 32 | static_cast<uint32_t>(position);
  };
  const auto count = static_cast<int32_t>(symbols.size());
  links.resize(symbols.size());
  queue.clear();
  for (int32_t i = 0; i < count; ++i) {
    const int32_t next = i + 1 < count ? i + 1 : kNone;
    const uint32_t rank = rank_at(i, next);
    links[static_cast<size_t>(i)] = {i - 1, next, rank};
    if (rank != MergeTable::kNoRank) queue.push_back(entry(rank, i));
  }
  std::make_heap(queue.begin(), queue.end(), std::greater<>());
  const auto update_rank = [&](int32_t position) {
    LinkedSymbol& link = links[static_cast<size_t>(position)];
    link.rank = rank_at(position, link.next);
    if (link.rank == MergeTable::kNoRank) return;
    queue.push_back(entry(link.rank, position));
    std::push_heap(queue.begin(), queue.end(), std::greater<>());
  };
  while (!queue.empty()) {
    const int32_t merged_id = merges_.merged(static_cast<uint32_t>(queue.front() >> 32));
    const auto position = static_cast<int32_t>(queue.front() & 0xffffffff);
    std::pop_heap(queue.begin(), queue.end(), std::greater<>());
    queue.pop_back();
    Symbol& symbol = symbols[static_cast<size_t>(position)];
    LinkedSymbol& link = links[static_cast<size_t>(position)];
    if (symbol.size == 0 || link.rank == MergeTable::kNoRank || merges_.merged(link.rank) != merged_id) continue;
    Symbol& right = symbols[static_cast<size_t>(link.next)];
    symbol = {merged_id, symbol.size + std::exchange(right.size, 0)};
    link.next = links[static_cast<size_t>(link.next)].next;
    if (link.next != kNone) links[static_cast<size_t>(link.next)].previous = position;
    if (link.previous != kNone) update_rank(link.previous);
    update_rank(position);
  }
  if (symbols.size() > kMaxKeptSymbols) {
    links = {};
    queue = {};
  }
}

}  // namespace

ModelPointer make_bpe_model(const FlatStrings& vocabulary, const FlatStrings& merges, const BpeOptions& options) {
  return std::make_unique<Bpe>(vocabulary, merges, options);
}

}  // namespace bert_native
