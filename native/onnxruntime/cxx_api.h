#pragma once

// ONNX Runtime's own header, for this folder's .cc files alone. Nothing may refer to OrtGetApiBase(), as
// Ort::GetVersionString() does: the library is opened at run time, not linked.
#define ORT_API_MANUAL_INIT
#include <onnxruntime_cxx_api.h>
#undef ORT_API_MANUAL_INIT

namespace bert_native {

// The table of functions that is asked for: that of ONNX Runtime 1.17. The table only ever grows, so that all later
// versions have it, too; nothing may be called that came later.
constexpr int kOnnxRuntimeApi = 17;

// Throws kEngine before open_onnxruntime() has succeeded.
Ort::Env& onnxruntime_environment();

// Of a thread while it is inside the library. The process's end waits for it, since the library's static objects are
// destroyed then: runs are terminated, loads are awaited. Throws kAborted where the process is about to end.
class LibraryCall {
 public:
  LibraryCall() : LibraryCall(nullptr) {}
  explicit LibraryCall(Ort::RunOptions& run) : LibraryCall(&run) {}
  ~LibraryCall();
  LibraryCall(const LibraryCall&) = delete;
  LibraryCall& operator=(const LibraryCall&) = delete;

 private:
  explicit LibraryCall(Ort::RunOptions* run);
  Ort::RunOptions* run_;
};

}  // namespace bert_native
