#pragma once

#include <string>

#include "common/errors.h"
#include "onnxruntime/cxx_api.h"

namespace bert_native {

// An error of the library in our terms. `what` says what failed ("the graph /models/a.onnx does not load"); `otherwise`
// is the code for what its message does not tell.
Error to_error(const Ort::Exception& error, const std::string& what, ErrorCode otherwise);

// Calls body() and turns the library's errors into ours.
template <typename Body>
auto translated(const std::string& what, ErrorCode otherwise, Body&& body) {
  try {
    return body();
  } catch (const Ort::Exception& error) {
    throw to_error(error, what, otherwise);
  }
}

}  // namespace bert_native
