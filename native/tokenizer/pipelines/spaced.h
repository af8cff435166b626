#pragma once

#include <memory>

#include "tokenizer/pipelines/general.h"

namespace bert_native {

// The ids that `general` gives, faster: for parts that never look across a single space between two plain characters
// (GeneralPipeline::works_word_by_word). Words of plain characters alone are remembered; whatever else there is goes
// through `general`, from one such space to the next. Offsets and word ids are left to it. Null where the parts are not
// like that.
std::unique_ptr<const Pipeline> make_spaced_pipeline(std::shared_ptr<const GeneralPipeline> general);

}  // namespace bert_native
