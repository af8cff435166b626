#include <algorithm>
#include <limits>
#include <span>
#include <utility>

#include "common/errors.h"
#include "tokenizer/double_array_trie.h"
#include "tokenizer/models/character_ids.h"
#include "tokenizer/models/checks.h"
#include "tokenizer/models/fallback_bytes.h"
#include "tokenizer/models/model.h"
#include "tokenizer/models/token_cache.h"

namespace bert_native {

namespace {

constexpr double kUnknownPenalty = 10;
constexpr uint32_t kUnreached = 0xffffffff;

// Memory for words of more bytes than this is given back after the word.
constexpr size_t kMaxKeptBytes = size_t{1} << 16;

// The best way to a place in the word: its score, and the last piece on it.
struct BestPath {
  double score;
  uint32_t begin;
  int32_t id;
};

struct UnigramScratch : Model::Scratch {
  TokenCache cache;
  std::vector<BestPath> best;  // at each byte
  std::vector<ModelToken> path;
};

// The most probable sequence of pieces (Kudo 2018), by Viterbi's algorithm.
class Unigram final : public Model {
 public:
  Unigram(const FlatStrings& vocabulary, std::vector<double> scores, const UnigramOptions& options);

  std::unique_ptr<Scratch> make_scratch() const override { return std::make_unique<UnigramScratch>(); }
  void tokenize(std::string_view word, Scratch& scratch, std::vector<ModelToken>& tokens) const override;
  int32_t id_of(std::string_view token) const override { return token.empty() ? empty_id_ : trie_.find(token); }

 private:
  bool is_unknown(int32_t id) const { return options_.unk_id == id; }
  void find_best_paths(std::string_view word, std::vector<BestPath>& best) const;
  void append_path(std::string_view word, UnigramScratch& scratch, std::vector<ModelToken>& tokens) const;
  void append_unknown(std::string_view word, size_t begin, size_t end, std::vector<ModelToken>& tokens) const;

  UnigramOptions options_;
  std::vector<double> scores_;
  double unknown_score_;
  DoubleArrayTrie trie_;
  int32_t empty_id_ = kNoId;  // of an empty entry, which never matches
  FallbackBytes bytes_;
};

Unigram::Unigram(const FlatStrings& vocabulary, std::vector<double> scores, const UnigramOptions& options)
    : options_(options), scores_(std::move(scores)), trie_(vocabulary), bytes_(trie_) {
  if (scores_.size() != vocabulary.size()) {
    throw Error(ErrorCode::kFileFormat, "the Unigram model has " + std::to_string(vocabulary.size()) + " pieces, but " +
                                            std::to_string(scores_.size()) + " scores");
  }
  check_unk_id(options.unk_id, vocabulary, "Unigram");
  double lowest = std::numeric_limits<double>::infinity();
  for (const double score : scores_) lowest = score < lowest ? score : lowest;
  unknown_score_ = lowest - kUnknownPenalty;
  for (size_t id = 0; id < vocabulary.size(); ++id) {
    if (vocabulary[id].empty()) empty_id_ = static_cast<int32_t>(id);
  }
}

void Unigram::tokenize(std::string_view word, Scratch& scratch, std::vector<ModelToken>& tokens) const {
  auto& own = static_cast<UnigramScratch&>(scratch);
  if (own.cache.find(word, tokens)) return;
  if (word.size() >= kUnreached) {
    throw Error(ErrorCode::kMemory,
                "a word of " + std::to_string(word.size()) + " bytes is too long for a Unigram model");
  }
  const size_t first = tokens.size();
  find_best_paths(word, own.best);
  append_path(word, own, tokens);
  own.cache.insert(word, std::span(tokens).subspan(first));
  if (word.size() > kMaxKeptBytes) {
    own.best = {};
    own.path = {};
  }
}

// Of equal scores the first that is found stays: the one whose last piece is longest.
void Unigram::find_best_paths(std::string_view word, std::vector<BestPath>& best) const {
  best.assign(word.size() + 1, {0, kUnreached, 0});
  for (size_t begin = 0; begin < word.size();) {
    const double score_here = best[begin].score;
    const auto reach = [&](size_t end, double piece_score, int32_t id) {
      const double score = piece_score + score_here;
      BestPath& target = best[end];
      if (target.begin != kUnreached && !(score > target.score)) return false;
      target = {score, static_cast<uint32_t>(begin), id};
      return true;
    };
    const size_t character_end = begin + utf8_sequence_size(word[begin]);
    bool character_is_piece = false;
    DoubleArrayTrie::Node node = DoubleArrayTrie::kRoot;
    for (size_t i = begin; i < word.size(); ++i) {
      node = trie_.step(node, static_cast<unsigned char>(word[i]));
      if (node == DoubleArrayTrie::kNone) break;
      const int32_t id = trie_.value(node);
      if (id == DoubleArrayTrie::kNoValue) continue;
      reach(i + 1, scores_[static_cast<size_t>(id)], id);
      character_is_piece |= i + 1 == character_end;
    }
    if (!character_is_piece && reach(character_end, unknown_score_, options_.unk_id.value_or(kNoId)) &&
        !options_.unk_id) {
      throw Error(ErrorCode::kOption, "'" + std::string(word.substr(begin, character_end - begin)) +
                                          "' is not in the vocabulary, and the Unigram model has no unknown piece");
    }
    begin = character_end;
  }
}

// Neighbouring unknown pieces become one.
void Unigram::append_path(std::string_view word, UnigramScratch& scratch, std::vector<ModelToken>& tokens) const {
  std::vector<ModelToken>& path = scratch.path;  // last piece first
  path.clear();
  for (size_t end = word.size(); end > 0; end = path.back().begin) {
    const BestPath& best = scratch.best[end];
    if (is_unknown(best.id) && !path.empty() && is_unknown(path.back().id)) {
      path.back().begin = best.begin;
    } else {
      path.push_back({best.id, best.begin, end});
    }
  }
  for (size_t i = path.size(); i-- > 0;) {
    if (is_unknown(path[i].id)) {
      append_unknown(word, path[i].begin, path[i].end, tokens);
    } else {
      tokens.push_back(path[i]);
    }
  }
}

// What is unknown piece by piece may still be an entry as a whole.
void Unigram::append_unknown(std::string_view word, size_t begin, size_t end, std::vector<ModelToken>& tokens) const {
  const std::string_view unknown = word.substr(begin, end - begin);
  const int32_t id = trie_.find(unknown);
  if (id == DoubleArrayTrie::kNoValue && options_.byte_fallback && bytes_.has_all(unknown)) {
    for (const char byte : unknown) tokens.push_back({bytes_.id_of(byte), begin, end});
  } else {
    tokens.push_back({id == DoubleArrayTrie::kNoValue ? *options_.unk_id : id, begin, end});
  }
}

}  // namespace

ModelPointer make_unigram_model(const FlatStrings& vocabulary, std::vector<double> scores,
                                const UnigramOptions& options) {
  return std::make_unique<Unigram>(vocabulary, std::move(scores), options);
}

}  // namespace bert_native
