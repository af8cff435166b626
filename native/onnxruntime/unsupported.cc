// In place of this folder's other files, where the build has no headers of ONNX Runtime.

#include <atomic>
#include <memory>

#include "common/errors.h"
#include "onnxruntime/library.h"
#include "onnxruntime/session.h"

namespace bert_native {

namespace {

[[noreturn]] void throw_unsupported() {
  throw Error(ErrorCode::kEngine,
              "this build of the addon knows no ONNX Runtime: it was made without its headers. Build it with them "
              "(cmake variable BERT_NATIVE_ONNXRUNTIME_INCLUDE: the folder of onnxruntime_cxx_api.h), or use a "
              "prebuilt addon");
}

}  // namespace

bool onnxruntime_is_supported() { return false; }
const OnnxRuntimeInfo& open_onnxruntime(const std::string&) { throw_unsupported(); }
const OnnxRuntimeInfo* opened_onnxruntime() { return nullptr; }

struct RunTermination::State {
  std::atomic<bool> terminated{false};
};
RunTermination::RunTermination() : state_(std::make_unique<State>()) {}
RunTermination::~RunTermination() = default;
void RunTermination::terminate() { state_->terminated = true; }
bool RunTermination::is_terminated() const { return state_->terminated; }

std::shared_ptr<const GraphSession> GraphSession::load(const GraphSource&, const SessionSettings&) {
  throw_unsupported();
}

}  // namespace bert_native
