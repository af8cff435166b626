#pragma once

#include <functional>
#include <memory>
#include <string>

#include "cpu/encoder.h"

namespace bert_native {

// A text that is equal for two loads exactly when they would give the same encoder: the specification, the type, and
// for every parameter the file's path and identity and the span, or how it is initialised. Empty where the values are
// the caller's own arrays, which are never shared.
std::string encoder_key(const EncoderSpecification& specification, const ParameterSources& sources, MatrixType type,
                        Isa isa);

// The encoders of this process by key, so that workers and repeated loads share one set of weights. An encoder stays
// as long as somebody holds it. Of several callers with the same key at once one loads and the others wait; if it fails
// they all get its error, and the next call tries again.
std::shared_ptr<const CpuEncoder> acquire_encoder(const std::string& key,
                                                  const std::function<std::unique_ptr<CpuEncoder>()>& load);

}  // namespace bert_native
