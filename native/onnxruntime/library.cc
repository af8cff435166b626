#include "onnxruntime/library.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "common/errors.h"
#include "onnxruntime/cxx_api.h"
#include "onnxruntime/shared_library.h"

namespace bert_native {

namespace {

// ---------- the library ----------

struct Library {
  OnnxRuntimeInfo info;
  Ort::Env environment{nullptr};
};

// What is opened stays: the environment is not even destroyed at exit, where the library's static objects may be gone
// already, and where onnxruntime-node may still use it.
std::atomic<Library*> opened_library{nullptr};

std::mutex& opening_mutex() {
  static auto* const mutex = new std::mutex();
  return *mutex;
}

bool is_same_file(const std::string& a, const std::string& b) {
  if (a == b) return true;
  const auto path = [](const std::string& utf8) {
    return std::filesystem::path(std::u8string(utf8.begin(), utf8.end()));
  };
  std::error_code ignored;
  return std::filesystem::equivalent(path(a), path(b), ignored);
}

[[noreturn]] void throw_too_old(const std::string& path, const std::string& version) {
  throw Error(ErrorCode::kEngine, "ONNX Runtime " + version + " (" + path + ") is too old: 1." +
                                      std::to_string(kOnnxRuntimeApi) +
                                      " or newer is needed. Install one with npm install onnxruntime-node@latest");
}

// A library that is asked for a table which it does not have prints a line of its own; its version is looked at first.
const OrtApi* api_of(const OrtApiBase& base, const std::string& path, const std::string& version) {
  int major = 0, minor = 0;
  const bool known = std::sscanf(version.c_str(), "%d.%d", &major, &minor) == 2;
  if (known && major <= 1 && minor < kOnnxRuntimeApi) throw_too_old(path, version);
  const OrtApi* const api = base.GetApi(kOnnxRuntimeApi);
  if (api == nullptr) throw_too_old(path, version);
  return api;
}

void await_calls_at_exit();

// From 1.29 on the library sends events about its use to its makers, on POSIX systems too, from threads of its own that
// end the process where they cannot start another, and keeps an identifier in the user's cache. The variable is read
// when the environment is made, which tells of the process at once; DisableTelemetryEvents() comes after that. A
// program that wants it sets the variable to 0 itself.
void disable_telemetry() {
#if !defined(_WIN32)
  setenv("ORT_DISABLE_TELEMETRY", "1", 0);
#endif
}

Library* open_library(const std::string& path) {
  using GetApiBase = const OrtApiBase*(ORT_API_CALL*)();
  void* const handle = open_shared_library(path);
  const auto get_base = reinterpret_cast<GetApiBase>(find_symbol(handle, "OrtGetApiBase"));
  const OrtApiBase* const base = get_base != nullptr ? get_base() : nullptr;
  if (base == nullptr) {
    throw Error(ErrorCode::kEngine, path +
                                        " is no ONNX Runtime library: it does not export OrtGetApiBase. Give the "
                                        "path of libonnxruntime.so.1, libonnxruntime.dylib or onnxruntime.dll");
  }
  auto library = std::make_unique<Library>();
  library->info.path = path;
  library->info.version = base->GetVersionString();
  Ort::InitApi(api_of(*base, path, library->info.version));
  disable_telemetry();
  try {
    library->environment = Ort::Env(ORT_LOGGING_LEVEL_ERROR, "bert-native");
    library->environment.DisableTelemetryEvents();
    library->info.providers = Ort::GetAvailableProviders();
  } catch (const Ort::Exception& error) {
    throw Error(ErrorCode::kEngine,
                "ONNX Runtime " + library->info.version + " (" + path + ") does not start: " + error.what());
  }
  await_calls_at_exit();
  return library.release();
}

// ---------- calls into it ----------

struct Calls {
  std::mutex mutex;
  std::condition_variable done;
  bool closed = false;  // the process is about to end
  size_t running = 0;
  uint64_t finished = 0;
  std::vector<Ort::RunOptions*> runs;
};

Calls& calls() {
  static auto* const all = new Calls();
  return *all;
}

// How long an operator, or a load, may keep the process from ending.
constexpr std::chrono::seconds kLongestWaitAtExit{10};

#if defined(_WIN32)

// Windows ends the other threads before it gets here.
void await_calls_at_exit() {}

#else

// For ends that JavaScript is not told of, and for a library that a worker has opened. Objects are destroyed in the
// reverse order of their making, this in between: it has to be said again when the library may have made further ones.
void await_calls_at_exit() { std::atexit(end_onnxruntime_calls); }

#endif

}  // namespace

void end_onnxruntime_calls() {
  std::unique_lock lock(calls().mutex);
  calls().closed = true;
  for (Ort::RunOptions* const run : calls().runs) {
    try {
      run->SetTerminate();
    } catch (const Ort::Exception&) {
      // It is only awaited, then.
    }
  }
  calls().done.wait_for(lock, kLongestWaitAtExit, [] { return calls().running == 0; });
}

bool onnxruntime_is_supported() { return true; }

const OnnxRuntimeInfo& open_onnxruntime(const std::string& path) {
  const std::lock_guard lock(opening_mutex());
  Library* library = opened_library;
  if (library == nullptr) {
    library = open_library(path);
    opened_library = library;
  } else if (!is_same_file(path, library->info.path)) {
    throw Error(ErrorCode::kEngine, "this process has opened ONNX Runtime " + library->info.version + " from " +
                                        library->info.path + " and cannot open " + path +
                                        " beside it: use one of them in all of the process");
  }
  return library->info;
}

const OnnxRuntimeInfo* opened_onnxruntime() {
  const Library* const library = opened_library;
  return library != nullptr ? &library->info : nullptr;
}

Ort::Env& onnxruntime_environment() {
  Library* const library = opened_library;
  if (library == nullptr) throw Error(ErrorCode::kEngine, "ONNX Runtime's library was not opened");
  return library->environment;
}

LibraryCall::LibraryCall(Ort::RunOptions* run) : run_(run) {
  const std::lock_guard lock(calls().mutex);
  if (calls().closed) throw Error(ErrorCode::kAborted, "the process is about to end");
  if (run_ != nullptr) calls().runs.push_back(run_);
  ++calls().running;
}

LibraryCall::~LibraryCall() {
  const std::lock_guard lock(calls().mutex);
  if (run_ != nullptr) calls().runs.erase(std::find(calls().runs.begin(), calls().runs.end(), run_));
  const uint64_t finished = ++calls().finished;
  const bool is_power_of_two = (finished & (finished - 1)) == 0;
  if (is_power_of_two && !calls().closed) await_calls_at_exit();
  if (--calls().running == 0) calls().done.notify_all();
}

}  // namespace bert_native
