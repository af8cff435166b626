#pragma once

#include <string>
#include <vector>

namespace bert_native {

struct OnnxRuntimeInfo {
  std::string path, version;
  std::vector<std::string> providers;  // of execution, as the library names them: CPUExecutionProvider, …
};

// Whether this build knows ONNX Runtime at all: it was built with its headers.
bool onnxruntime_is_supported();

// Opens ONNX Runtime's shared library, once per process and for good: all sessions share its environment, and one that
// onnxruntime-node has opened before is the same. A second call with another path throws kEngine unless that is the
// same file. Throws kEngine, with the remedy, for a path that does not open, is no ONNX Runtime, or is too old.
const OnnxRuntimeInfo& open_onnxruntime(const std::string& path);

// Null before open_onnxruntime() has succeeded.
const OnnxRuntimeInfo* opened_onnxruntime();

// For the end of the process: no call into the library begins any more; runs are terminated, and they and loads are
// awaited, for ten seconds at most. Threads that were still inside would find its static objects destroyed.
void end_onnxruntime_calls();

}  // namespace bert_native
