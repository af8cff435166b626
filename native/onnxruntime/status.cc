#include "onnxruntime/status.h"

#include <algorithm>
#include <string_view>

namespace bert_native {

namespace {

constexpr size_t kLongestMessage = 600;

// One line, without the library's own places in its source code, of bounded length.
std::string trimmed(std::string_view message) {
  std::string result;
  while (!message.empty() && result.size() < kLongestMessage) {
    const size_t end = std::min(message.find_first_of(" \n\r\t"), message.size());
    const std::string_view word = message.substr(0, end);
    message.remove_prefix(std::min(end + 1, message.size()));
    const bool is_place = word.find("/onnxruntime/core/") != std::string_view::npos && word.find(".cc:") != word.npos;
    if (word.empty() || is_place) continue;
    if (!result.empty()) result += ' ';
    result += word;
  }
  if (result.size() <= kLongestMessage && message.empty()) return result;
  size_t length = std::min(result.size(), kLongestMessage);
  while (length > 0 && (static_cast<unsigned char>(result[length - 1]) & 0xC0) == 0x80) length--;
  while (length > 0 && (static_cast<unsigned char>(result[length - 1]) & 0x80) != 0) length--;
  return result.substr(0, length) + " …";
}

bool has_any(std::string_view message, std::initializer_list<const char*> parts) {
  return std::any_of(parts.begin(), parts.end(),
                     [&](const char* part) { return message.find(part) != std::string_view::npos; });
}

ErrorCode code_of(OrtErrorCode code, std::string_view message, ErrorCode otherwise) {
  if (has_any(message, {"bad_alloc", "Failed to allocate memory", "out of memory", "Out of memory"})) {
    return ErrorCode::kMemory;
  }
  if (has_any(message, {"is not a registered function/op", "Unsupported model IR version", "under development and",
                        "Could not find an implementation", "No Op registered for", "not supported in this build"})) {
    return ErrorCode::kUnsupportedModel;
  }
  if (has_any(message, {"Got invalid dimensions for", "Invalid rank for", "Shape mismatch attempting to re-use buffer",
                        "Tensor size mismatch"})) {
    return ErrorCode::kShape;
  }
  switch (code) {
    case ORT_NO_SUCHFILE:
      return ErrorCode::kIo;
    case ORT_NOT_IMPLEMENTED:
      return ErrorCode::kUnsupportedModel;
    case ORT_EP_FAIL:
    case ORT_ENGINE_ERROR:
      return ErrorCode::kDevice;
    default:
      return otherwise;
  }
}

}  // namespace

Error to_error(const Ort::Exception& error, const std::string& what, ErrorCode otherwise) {
  return Error(code_of(error.GetOrtErrorCode(), error.what(), otherwise), what + ": " + trimmed(error.what()));
}

}  // namespace bert_native
