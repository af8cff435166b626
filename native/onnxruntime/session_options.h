#pragma once

#include "onnxruntime/cxx_api.h"
#include "onnxruntime/session.h"

namespace bert_native {

// Throws kDevice for an execution provider that the library does not have, or that does not start; kOption for what it
// refuses.
Ort::SessionOptions make_session_options(const SessionSettings& settings);

}  // namespace bert_native
