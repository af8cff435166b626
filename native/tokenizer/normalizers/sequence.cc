#include <algorithm>
#include <utility>

#include "tokenizer/normalizers/normalizer.h"

namespace bert_native {

namespace {

class NormalizerSequence : public Normalizer {
 public:
  explicit NormalizerSequence(std::vector<NormalizerPointer> normalizers) : normalizers_(std::move(normalizers)) {}

  bool keeps_words_apart() const override {
    return std::all_of(normalizers_.begin(), normalizers_.end(),
                       [](const auto& normalizer) { return normalizer->keeps_words_apart(); });
  }

  void normalize(NormalizedText& text) const override {
    for (const NormalizerPointer& normalizer : normalizers_) normalizer->normalize(text);
  }

 private:
  std::vector<NormalizerPointer> normalizers_;
};

}  // namespace

NormalizerPointer make_normalizer_sequence(std::vector<NormalizerPointer> normalizers) {
  return std::make_unique<NormalizerSequence>(std::move(normalizers));
}

}  // namespace bert_native
