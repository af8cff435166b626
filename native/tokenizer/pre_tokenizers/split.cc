#include "tokenizer/pre_tokenizers/split.h"

#include <algorithm>
#include <utility>

namespace bert_native {

namespace {

// A stretch of a piece, which is either a match or lies between two.
struct Stretch {
  Range range;
  bool is_match = false;
};

std::vector<Stretch> to_stretches(Range piece, const std::vector<Range>& matches, bool invert) {
  std::vector<Stretch> stretches;
  size_t end = piece.begin;
  for (const Range& match : matches) {
    if (match.begin > end) stretches.push_back({{end, match.begin}, invert});
    stretches.push_back({match, !invert});
    end = match.end;
  }
  if (end < piece.end) stretches.push_back({{end, piece.end}, invert});
  return stretches;
}

// Every match that does not follow another one joins what stands before it.
std::vector<Range> merge_with_previous(const std::vector<Stretch>& stretches) {
  std::vector<Range> merged;
  bool after_match = false;
  for (const Stretch& stretch : stretches) {
    if (stretch.is_match && !after_match && !merged.empty()) {
      merged.back().end = stretch.range.end;
    } else {
      merged.push_back(stretch.range);
    }
    after_match = stretch.is_match;
  }
  return merged;
}

// The mirror image: what counts is seen from the end.
std::vector<Range> merge_with_next(const std::vector<Stretch>& stretches) {
  std::vector<Range> merged;
  bool before_match = false;
  for (size_t i = stretches.size(); i-- > 0;) {
    const Stretch& stretch = stretches[i];
    if (stretch.is_match && !before_match && !merged.empty()) {
      merged.back().begin = stretch.range.begin;
    } else {
      merged.push_back(stretch.range);
    }
    before_match = stretch.is_match;
  }
  std::reverse(merged.begin(), merged.end());
  return merged;
}

std::vector<Range> merge_equal(const std::vector<Stretch>& stretches) {
  std::vector<Range> merged;
  bool last_is_match = false;
  for (const Stretch& stretch : stretches) {
    if (!merged.empty() && stretch.is_match == last_is_match) {
      merged.back().end = stretch.range.end;
    } else {
      merged.push_back(stretch.range);
    }
    last_is_match = stretch.is_match;
  }
  return merged;
}

std::vector<Range> behave(const std::vector<Stretch>& stretches, SplitBehavior behavior) {
  std::vector<Range> ranges;
  switch (behavior) {
    case SplitBehavior::kMergedWithPrevious:
      return merge_with_previous(stretches);
    case SplitBehavior::kMergedWithNext:
      return merge_with_next(stretches);
    case SplitBehavior::kContiguous:
      return merge_equal(stretches);
    case SplitBehavior::kRemoved:
    case SplitBehavior::kIsolated:
      for (const Stretch& stretch : stretches) {
        if (!stretch.is_match || behavior == SplitBehavior::kIsolated) ranges.push_back(stretch.range);
      }
  }
  return ranges;
}

class SplitPreTokenizer : public PreTokenizer {
 public:
  SplitPreTokenizer(PatternPointer pattern, SplitBehavior behavior, bool invert)
      : pattern_(std::move(pattern)), behavior_(behavior), invert_(invert) {}

  void pre_tokenize(PreTokenizedText& text) const override {
    std::vector<Range> matches;
    cut_pieces(text, [&](Range piece, std::vector<Range>& parts) {
      matches.clear();
      pattern_->find_all(piece_view(text, piece), matches);
      for (Range& match : matches) match = {match.begin + piece.begin, match.end + piece.begin};
      append_split(piece, matches, behavior_, invert_, parts);
    });
  }

 private:
  static std::u32string_view piece_view(const PreTokenizedText& text, Range piece) {
    return std::u32string_view(text.text.code_points).substr(piece.begin, piece.end - piece.begin);
  }

  PatternPointer pattern_;
  SplitBehavior behavior_;
  bool invert_;
};

class PreTokenizerSequence : public PreTokenizer {
 public:
  explicit PreTokenizerSequence(std::vector<PreTokenizerPointer> parts) : parts_(std::move(parts)) {}

  void pre_tokenize(PreTokenizedText& text) const override {
    for (const PreTokenizerPointer& part : parts_) part->pre_tokenize(text);
  }

  bool cuts_at_spaces() const override {
    return !parts_.empty() && parts_.front()->cuts_at_spaces() && !looks_at_position();
  }
  bool looks_at_position() const override {
    return std::any_of(parts_.begin(), parts_.end(), [](const auto& part) { return part->looks_at_position(); });
  }

 private:
  std::vector<PreTokenizerPointer> parts_;
};

}  // namespace

void append_split(Range piece, const std::vector<Range>& matches, SplitBehavior behavior, bool invert,
                  std::vector<Range>& parts) {
  const std::vector<Range> ranges = behave(to_stretches(piece, matches, invert), behavior);
  parts.insert(parts.end(), ranges.begin(), ranges.end());
}

PreTokenizerPointer make_split_pre_tokenizer(PatternPointer pattern, SplitBehavior behavior, bool invert) {
  return std::make_unique<SplitPreTokenizer>(std::move(pattern), behavior, invert);
}

PreTokenizerPointer make_pre_tokenizer_sequence(std::vector<PreTokenizerPointer> pre_tokenizers) {
  return std::make_unique<PreTokenizerSequence>(std::move(pre_tokenizers));
}

}  // namespace bert_native
