#pragma once

#include <memory>
#include <vector>

#include "tokenizer/added_tokens.h"
#include "tokenizer/models/model.h"
#include "tokenizer/pipelines/general.h"

namespace bert_native {

struct ByteLevelPipelineParts {
  std::shared_ptr<const Model> model;
  std::vector<AddedToken> added_tokens;  // those that are looked for after the others
  bool add_prefix_space = false;
  bool composes = false;  // the normalizer is NFC; else there is none
};

// The ids that `general` gives, faster: for ByteLevel with GPT-2's pattern and any model. Offsets and word ids are left
// to it, and so are texts that NFC may change.
std::unique_ptr<const Pipeline> make_byte_level_pipeline(std::shared_ptr<const GeneralPipeline> general,
                                                         ByteLevelPipelineParts parts);

}  // namespace bert_native
