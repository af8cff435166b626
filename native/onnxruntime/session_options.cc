#include "onnxruntime/session_options.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "common/errors.h"
#include "common/threads.h"
#include "onnxruntime/library.h"
#include "onnxruntime/status.h"

namespace bert_native {

namespace {

// ---------- threads ----------

// The library's threads are started like this one's: signals are the process's, subnormal numbers are kept. A thread
// that cannot be had is an error of the load.
OrtCustomThreadHandle start_library_thread(void*, OrtThreadWorkerFn work, void* parameter) {
  try {
    return reinterpret_cast<OrtCustomThreadHandle>(new Thread(start_thread([=] { work(parameter); })));
  } catch (...) {
    return nullptr;
  }
}

void join_library_thread(OrtCustomThreadHandle handle) {
  auto* const thread = const_cast<Thread*>(reinterpret_cast<const Thread*>(handle));
  thread->join();
  delete thread;
}

void set_threads(Ort::SessionOptions& options, const SessionSettings& settings) {
  options.SetIntraOpNumThreads(static_cast<int>(settings.intra_op_threads));
  options.SetInterOpNumThreads(static_cast<int>(settings.inter_op_threads));
  options.SetExecutionMode(settings.parallel_execution ? ORT_PARALLEL : ORT_SEQUENTIAL);
  options.SetCustomCreateThreadFn(start_library_thread);
  options.SetCustomJoinThreadFn(join_library_thread);
  // A thread that waits by spinning takes the processor from the event loop, and from runs beside it.
  options.AddConfigEntry("session.intra_op.allow_spinning", "0");
  options.AddConfigEntry("session.inter_op.allow_spinning", "0");
}

// ---------- execution providers ----------

// Keys and values as the library takes them. Of strings that outlive it.
struct KeysAndValues {
  explicit KeysAndValues(const NamedSettings& settings) {
    for (const auto& [key, value] : settings) {
      keys.push_back(key.c_str());
      values.push_back(value.c_str());
    }
  }
  std::vector<const char*> keys, values;
};

void append_cuda(Ort::SessionOptions& options, const NamedSettings& settings, const char*) {
  const OrtApi& api = Ort::GetApi();
  const KeysAndValues entries(settings);
  OrtCUDAProviderOptionsV2* provider = nullptr;
  Ort::ThrowOnError(api.CreateCUDAProviderOptions(&provider));
  const std::unique_ptr<OrtCUDAProviderOptionsV2, decltype(api.ReleaseCUDAProviderOptions)> owner(
      provider, api.ReleaseCUDAProviderOptions);
  Ort::ThrowOnError(
      api.UpdateCUDAProviderOptions(provider, entries.keys.data(), entries.values.data(), entries.keys.size()));
  options.AppendExecutionProvider_CUDA_V2(*provider);
}

void append_tensorrt(Ort::SessionOptions& options, const NamedSettings& settings, const char*) {
  const OrtApi& api = Ort::GetApi();
  const KeysAndValues entries(settings);
  OrtTensorRTProviderOptionsV2* provider = nullptr;
  Ort::ThrowOnError(api.CreateTensorRTProviderOptions(&provider));
  const std::unique_ptr<OrtTensorRTProviderOptionsV2, decltype(api.ReleaseTensorRTProviderOptions)> owner(
      provider, api.ReleaseTensorRTProviderOptions);
  Ort::ThrowOnError(
      api.UpdateTensorRTProviderOptions(provider, entries.keys.data(), entries.values.data(), entries.keys.size()));
  options.AppendExecutionProvider_TensorRT_V2(*provider);
}

void append_rocm(Ort::SessionOptions& options, const NamedSettings& settings, const char*) {
  const OrtApi& api = Ort::GetApi();
  const KeysAndValues entries(settings);
  OrtROCMProviderOptions* provider = nullptr;
  Ort::ThrowOnError(api.CreateROCMProviderOptions(&provider));
  const std::unique_ptr<OrtROCMProviderOptions, decltype(api.ReleaseROCMProviderOptions)> owner(
      provider, api.ReleaseROCMProviderOptions);
  Ort::ThrowOnError(
      api.UpdateROCMProviderOptions(provider, entries.keys.data(), entries.values.data(), entries.keys.size()));
  options.AppendExecutionProvider_ROCM(*provider);
}

int device_id_of(const NamedSettings& settings) {
  int device_id = 0;
  for (const auto& [key, value] : settings) {
    char* end = nullptr;
    const long number = std::strtol(value.c_str(), &end, 10);
    if (key != "device_id" || end == value.c_str() || *end != '\0' || number < 0 || number > 1 << 16) {
      throw Error(ErrorCode::kOption,
                  "the execution provider 'dml' takes device_id alone, a whole number, not " + key + "=" + value);
    }
    device_id = static_cast<int>(number);
  }
  return device_id;
}

// The start of the table that the library's dml_provider_factory.h declares, which itself needs DirectX's headers.
struct DirectMlApi {
  OrtStatus*(ORT_API_CALL* append)(OrtSessionOptions* options, int device_id);
};

void append_directml(Ort::SessionOptions& options, const NamedSettings& settings, const char*) {
  const void* table = nullptr;
  Ort::ThrowOnError(Ort::GetApi().GetExecutionProviderApi("DML", kOnnxRuntimeApi, &table));
  // What the library demands of sessions that run there.
  options.DisableMemPattern();
  options.SetExecutionMode(ORT_SEQUENTIAL);
  Ort::ThrowOnError(static_cast<const DirectMlApi*>(table)->append(options, device_id_of(settings)));
}

// Of providers that are no special case: by the name that this function of the library knows.
void append_by_name(Ort::SessionOptions& options, const NamedSettings& settings, const char* name) {
  const KeysAndValues entries(settings);
  Ort::ThrowOnError(Ort::GetApi().SessionOptionsAppendExecutionProvider(options, name, entries.keys.data(),
                                                                        entries.values.data(), entries.keys.size()));
}

struct KnownProvider {
  const char* name;      // as it is asked for
  const char* provider;  // as the library lists it
  void (*append)(Ort::SessionOptions& options, const NamedSettings& settings, const char* appended_as);
  const char* appended_as = "";
};

constexpr KnownProvider kProviders[] = {
    {"cuda", "CUDAExecutionProvider", append_cuda},
    {"tensorrt", "TensorrtExecutionProvider", append_tensorrt},
    {"nvtensorrtrtx", "NvTensorRTRTXExecutionProvider", append_by_name, "NvTensorRtRtx"},
    {"rocm", "ROCMExecutionProvider", append_rocm},
    {"migraphx", "MIGraphXExecutionProvider", append_by_name, "MIGraphX"},
    {"dml", "DmlExecutionProvider", append_directml},
    {"coreml", "CoreMLExecutionProvider", append_by_name, "CoreML"},
    {"webgpu", "WebGpuExecutionProvider", append_by_name, "WebGPU"},
    {"webnn", "WebNNExecutionProvider", append_by_name, "WEBNN"},
    {"xnnpack", "XnnpackExecutionProvider", append_by_name, "XNNPACK"},
    {"qnn", "QNNExecutionProvider", append_by_name, "QNN"},
    {"openvino", "OpenVINOExecutionProvider", append_by_name, "OpenVINO"},
    {"vitisai", "VitisAIExecutionProvider", append_by_name, "VitisAI"},
    {"azure", "AzureExecutionProvider", append_by_name, "AZURE"},
};

[[noreturn]] void throw_not_there(const std::string& name, const OnnxRuntimeInfo& library) {
  std::string there = "cpu";
  for (const KnownProvider& known : kProviders) {
    const auto& all = library.providers;
    if (std::find(all.begin(), all.end(), known.provider) != all.end()) there += std::string(", ") + known.name;
  }
  throw Error(ErrorCode::kDevice, "ONNX Runtime " + library.version + " (" + library.path +
                                      ") has no execution provider '" + name + "': it has " + there +
                                      ". Ask for one of these, or use a build of ONNX Runtime that has it");
}

void append_provider(Ort::SessionOptions& options, const ExecutionProvider& wanted) {
  const OnnxRuntimeInfo& library = *opened_onnxruntime();
  for (const KnownProvider& known : kProviders) {
    if (wanted.name != known.name) continue;
    const auto& all = library.providers;
    if (std::find(all.begin(), all.end(), known.provider) == all.end()) break;
    translated("the execution provider '" + wanted.name + "' cannot be used", ErrorCode::kDevice,
               [&] { known.append(options, wanted.settings, known.appended_as); });
    return;
  }
  throw_not_there(wanted.name, library);
}

GraphOptimizationLevel level_of(GraphOptimization optimization) {
  switch (optimization) {
    case GraphOptimization::kDisabled:
      return ORT_DISABLE_ALL;
    case GraphOptimization::kBasic:
      return ORT_ENABLE_BASIC;
    case GraphOptimization::kExtended:
      return ORT_ENABLE_EXTENDED;
    case GraphOptimization::kLayout:
      return ORT_ENABLE_LAYOUT;
    case GraphOptimization::kAll:
      break;
  }
  return ORT_ENABLE_ALL;
}

}  // namespace

Ort::SessionOptions make_session_options(const SessionSettings& settings) {
  return translated("ONNX Runtime refuses the session's options", ErrorCode::kOption, [&] {
    Ort::SessionOptions options;
    set_threads(options, settings);
    options.SetGraphOptimizationLevel(level_of(settings.optimization));
    if (!settings.optimized_model_path.empty()) {
      const std::string& utf8 = settings.optimized_model_path;
      options.SetOptimizedModelFilePath(std::filesystem::path(std::u8string(utf8.begin(), utf8.end())).c_str());
    }
    settings.memory_arena ? options.EnableCpuMemArena() : options.DisableCpuMemArena();
    settings.memory_pattern ? options.EnableMemPattern() : options.DisableMemPattern();
    options.SetLogSeverityLevel(settings.log_severity);
    for (const auto& [name, length] : settings.free_dimensions) {
      Ort::ThrowOnError(Ort::GetApi().AddFreeDimensionOverrideByName(options, name.c_str(), length));
    }
    for (const auto& [key, value] : settings.entries) options.AddConfigEntry(key.c_str(), value.c_str());
    for (const ExecutionProvider& provider : settings.providers) {
      if (provider.name != "cpu") append_provider(options, provider);
    }
    return options;
  });
}

}  // namespace bert_native
