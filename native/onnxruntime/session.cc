#include "onnxruntime/session.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <limits>
#include <mutex>
#include <optional>

#include "common/errors.h"
#include "common/threads.h"
#include "onnxruntime/cxx_api.h"
#include "onnxruntime/session_options.h"
#include "onnxruntime/status.h"

namespace bert_native {

namespace {

GraphType type_of(ONNXTensorElementDataType type) {
  switch (type) {
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32:
      return GraphType::kInt32;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64:
      return GraphType::kInt64;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL:
      return GraphType::kBool;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16:
      return GraphType::kF16;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT:
      return GraphType::kF32;
    default:
      return GraphType::kOther;
  }
}

ONNXTensorElementDataType element_type_of(GraphType type) {
  switch (type) {
    case GraphType::kInt32:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32;
    case GraphType::kInt64:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64;
    case GraphType::kBool:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL;
    case GraphType::kF16:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16;
    case GraphType::kF32:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
    case GraphType::kOther:
      break;
  }
  return ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
}

GraphValue describe(std::string name, const Ort::TypeInfo& info) {
  GraphValue value;
  value.name = std::move(name);
  if (info.GetONNXType() != ONNX_TYPE_TENSOR) return value;
  const auto tensor = info.GetTensorTypeAndShapeInfo();
  value.type = type_of(tensor.GetElementType());
  value.shape = tensor.GetShape();
  return value;
}

std::string name_of(const GraphSource& source) {
  const std::string* const path = std::get_if<std::string>(&source);
  return path != nullptr ? "the graph " + *path : "the graph";
}

Ort::Session make_session(const GraphSource& source, const Ort::SessionOptions& options) {
  Ort::Env& environment = onnxruntime_environment();
  if (const std::string* const path = std::get_if<std::string>(&source)) {
    return Ort::Session(environment, std::filesystem::path(std::u8string(path->begin(), path->end())).c_str(), options);
  }
  const auto& bytes = std::get<std::vector<std::byte>>(source);
  return Ort::Session(environment, bytes.data(), bytes.size(), options);
}

size_t byte_count(const GraphTensor& tensor, const GraphValue& value) {
  size_t bytes = size_in_bytes(value.type);
  for (const int64_t length : tensor.shape) {
    const auto count = static_cast<size_t>(length);
    if (length < 0 || (length > 0 && bytes > std::numeric_limits<ptrdiff_t>::max() / count)) {
      throw Error(ErrorCode::kShape,
                  "the shape given for '" + value.name + "' of the graph has a length of " + std::to_string(length));
    }
    bytes *= count;
  }
  return bytes;
}

// The tensor's value, in place.
Ort::Value wrap(const GraphTensor& tensor, const GraphValue& value) {
  static const Ort::MemoryInfo* const memory =
      new Ort::MemoryInfo(Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault));
  if (value.type == GraphType::kOther) {
    throw Error(ErrorCode::kUnsupportedModel,
                "'" + value.name + "' of the graph is of a type that is not exchanged with it");
  }
  return Ort::Value::CreateTensor(*memory, tensor.data, byte_count(tensor, value), tensor.shape.data(),
                                  tensor.shape.size(), element_type_of(value.type));
}

const GraphValue& value_of(const GraphTensor& tensor, const std::vector<GraphValue>& values) {
  if (tensor.value >= values.size()) {
    throw Error(ErrorCode::kOption, "the graph has no value " + std::to_string(tensor.value));
  }
  return values[tensor.value];
}

// Where the library gives an output in memory of its own, as it does for what it computed when it was loaded.
void take_output(const Ort::Value& given, const GraphTensor& wanted, const GraphValue& value) {
  const void* const data = given.GetTensorRawData();
  if (data == wanted.data) return;
  const auto info = given.GetTensorTypeAndShapeInfo();
  if (info.GetShape() != wanted.shape || type_of(info.GetElementType()) != value.type) {
    throw Error(ErrorCode::kShape, "the graph's output '" + value.name + "' has another shape than it should have");
  }
  std::memcpy(wanted.data, data, byte_count(wanted, value));
}

}  // namespace

size_t size_in_bytes(GraphType type) {
  switch (type) {
    case GraphType::kBool:
      return 1;
    case GraphType::kF16:
      return 2;
    case GraphType::kInt32:
    case GraphType::kF32:
      return 4;
    case GraphType::kInt64:
      return 8;
    case GraphType::kOther:
      break;
  }
  return 0;
}

// ---------- termination ----------

struct RunTermination::State {
  std::mutex mutex;
  bool terminated = false;
  std::optional<Ort::RunOptions> options;  // of all runs, from the first on
};

RunTermination::RunTermination() : state_(std::make_unique<State>()) {}
RunTermination::~RunTermination() = default;

void RunTermination::terminate() {
  const std::lock_guard lock(state_->mutex);
  state_->terminated = true;
  if (state_->options) state_->options->SetTerminate();
}

bool RunTermination::is_terminated() const {
  const std::lock_guard lock(state_->mutex);
  return state_->terminated;
}

// ---------- sessions ----------

class OnnxRuntimeSession final : public GraphSession {
 public:
  OnnxRuntimeSession(const GraphSource& source, const SessionSettings& settings) {
    for (const ExecutionProvider& provider : settings.providers) {
      if (provider.name != "cpu") providers_.push_back(provider.name);
    }
    providers_.emplace_back("cpu");
    const Ort::SessionOptions options = make_session_options(settings);
    translated(name_of(source) + " does not load in ONNX Runtime", ErrorCode::kFileFormat, [&] {
      session_ = make_session(source, options);
      const Ort::AllocatorWithDefaultOptions allocator;
      for (size_t i = 0; i < session_.GetInputCount(); i++) {
        inputs_.push_back(describe(session_.GetInputNameAllocated(i, allocator).get(), session_.GetInputTypeInfo(i)));
      }
      for (size_t i = 0; i < session_.GetOutputCount(); i++) {
        outputs_.push_back(
            describe(session_.GetOutputNameAllocated(i, allocator).get(), session_.GetOutputTypeInfo(i)));
      }
    });
  }

  ~OnnxRuntimeSession() override {
    try {
      const LibraryCall call;
      session_ = Ort::Session(nullptr);
    } catch (const Error&) {
      session_.release();  // the process is about to end, and takes it along
    }
  }

  const std::vector<GraphValue>& inputs() const override { return inputs_; }
  const std::vector<GraphValue>& outputs() const override { return outputs_; }
  const std::vector<std::string>& providers() const override { return providers_; }

  void run(const std::vector<GraphTensor>& inputs, const std::vector<GraphTensor>& outputs,
           RunTermination& termination) const override {
    if (inputs.size() != inputs_.size()) {
      throw Error(ErrorCode::kOption, "the graph has " + std::to_string(inputs_.size()) + " inputs, but " +
                                          std::to_string(inputs.size()) + " are given");
    }
    try {
      Ort::RunOptions& options = options_of(termination);
      const LibraryCall call(options);
      run_bound(inputs, outputs, options);
    } catch (const Ort::Exception& error) {
      if (termination.is_terminated()) throw_aborted();
      throw to_error(error, "the graph does not run", ErrorCode::kFileFormat);
    }
  }

 private:
  [[noreturn]] static void throw_aborted() { throw Error(ErrorCode::kAborted, "the call was aborted"); }

  static Ort::RunOptions& options_of(RunTermination& termination) {
    RunTermination::State& state = *termination.state_;
    const std::lock_guard lock(state.mutex);
    if (state.terminated) throw_aborted();
    if (!state.options) state.options.emplace();
    return *state.options;
  }

  void run_bound(const std::vector<GraphTensor>& inputs, const std::vector<GraphTensor>& outputs,
                 const Ort::RunOptions& options) const {
    // Const for the library, too: runs overlap.
    Ort::Session& session = const_cast<Ort::Session&>(session_);
    Ort::IoBinding binding(session);
    for (const GraphTensor& input : inputs) {
      const GraphValue& value = value_of(input, inputs_);
      binding.BindInput(value.name.c_str(), wrap(input, value));
    }
    for (const GraphTensor& output : outputs) {
      const GraphValue& value = value_of(output, outputs_);
      binding.BindOutput(value.name.c_str(), wrap(output, value));
    }
    session.Run(options, binding);
    const std::vector<Ort::Value> given = binding.GetOutputValues();
    for (size_t i = 0; i < outputs.size(); i++) take_output(given.at(i), outputs[i], outputs_[outputs[i].value]);
  }

  Ort::Session session_{nullptr};
  std::vector<GraphValue> inputs_, outputs_;
  std::vector<std::string> providers_;
};

// The end of a session joins its threads and frees its weights: on a thread of its own, since the last to let go of one
// may be an event loop.
static void end_session(const OnnxRuntimeSession* session) {
  try {
    start_thread([session] { delete session; }).detach();
  } catch (...) {
    delete session;
  }
}

std::shared_ptr<const GraphSession> GraphSession::load(const GraphSource& source, const SessionSettings& settings) {
  onnxruntime_environment();
  const LibraryCall call;
  auto session = std::make_unique<const OnnxRuntimeSession>(source, settings);
  return {session.release(), end_session};
}

}  // namespace bert_native
