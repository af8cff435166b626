#include "onnxruntime/status.h"

#include <algorithm>
#include <string_view>

namespace bert_native {

namespace {

constexpr size_t kLongestMessage = 600;

// Cuts off the signature of a function that `message` begins with, which the library puts behind a place.
void drop_signature(std::string_view& message) {
  const size_t open = message.find('(');
  if (open == message.npos || message.substr(0, open).find("::") == message.npos) return;
  size_t depth = 0;
  for (size_t i = open; i < message.size(); i++) {
    depth += message[i] == '(' ? 1 : 0;
    depth -= message[i] == ')' ? 1 : 0;
    if (depth > 0) continue;
    message.remove_prefix(i + 1);
    constexpr std::string_view kConst = " const ";
    if (message.starts_with(kConst)) message.remove_prefix(kConst.size());
    return;
  }
}

// One line, without the library's own places in its source code, of bounded length.
std::string trimmed(std::string_view message) {
  std::string result;
  while (!message.empty() && result.size() < kLongestMessage) {
    const size_t end = std::min(message.find_first_of(" \n\r\t"), message.size());
    const std::string_view word = message.substr(0, end);
    message.remove_prefix(std::min(end + 1, message.size()));
    const bool is_place = word.find("/onnxruntime/core/") != std::string_view::npos && word.find(".cc:") != word.npos;
    if (is_place) drop_signature(message);
    if (word.empty() || is_place) continue;
    if (!result.empty()) result += ' ';
    result += word;
  }
  if (result.size() <= kLongestMessage) return result;
  size_t length = kLongestMessage;
  while (length > 0 && (static_cast<unsigned char>(result[length]) & 0xC0) == 0x80) length--;  // whole characters
  return result.substr(0, length) + "…";
}

bool has_any(std::string_view message, std::initializer_list<const char*> parts) {
  return std::any_of(parts.begin(), parts.end(),
                     [&](const char* part) { return message.find(part) != std::string_view::npos; });
}

ErrorCode code_of(OrtErrorCode code, std::string_view message, ErrorCode otherwise) {
  if (has_any(message, {"due to terminate flag"})) return ErrorCode::kAborted;  // as the process's end sets it
  if (has_any(message, {"bad_alloc", "Failed to allocate memory", "out of memory", "Out of memory"})) {
    return ErrorCode::kMemory;
  }
  if (has_any(message, {"is not a registered function/op", "Unsupported model IR version", "under development and",
                        "Could not find an implementation", "No Op registered for"})) {
    return ErrorCode::kUnsupportedModel;
  }
  if (has_any(message, {"Got invalid dimensions for", "Invalid rank for", "Shape mismatch attempting to re-use buffer",
                        "pre-allocated output OrtValues", "Tensor size mismatch"})) {
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
