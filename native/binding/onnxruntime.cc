#include "binding/onnxruntime.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "binding/calls.h"
#include "binding/environment.h"
#include "binding/errors.h"
#include "binding/forward_job.h"
#include "binding/graph_settings.h"
#include "binding/jobs.h"
#include "binding/specification.h"
#include "binding/values.h"
#include "common/errors.h"
#include "common/load_registry.h"
#include "cpu/background.h"
#include "encoder/compute_limits.h"
#include "encoder/forward_call.h"
#include "onnxruntime/graph_encoder.h"
#include "onnxruntime/graph_runner.h"
#include "onnxruntime/library.h"
#include "onnxruntime/session.h"

namespace bert_native {

namespace {

// ---------- loading ----------

struct GraphLoad {
  GraphSource source;
  SessionSettings settings;
  std::string key;  // of the session; empty: it is not shared
  std::shared_ptr<GraphEncoder> encoder = std::make_shared<GraphEncoder>();

  void run() {
    static auto* const sessions = new LoadRegistry<GraphSession>();
    encoder->session = sessions->acquire(key, [this] { return GraphSession::load(source, settings); });
    source = {};
    check_graph_encoder(*encoder);
  }
};

std::vector<std::byte> copy_bytes(const Napi::Uint8Array& array) {
  const auto* const first = reinterpret_cast<const std::byte*>(array.Data());
  return std::vector<std::byte>(first, first + array.ByteLength());
}

// Enough work for each weight that is read; a small call waits no longer for a larger one's batch than it has to.
constexpr size_t kDefaultTokenBudget = 1024;
// More threads wait for each other too often: several runs at once use them better.
constexpr size_t kMostIntraOpThreads = 4;

size_t default_intra_op_threads() { return std::min(ComputeLimits::instance().thread_count(), kMostIntraOpThreads); }

std::shared_ptr<GraphLoad> read_graph_load(const Napi::CallbackInfo& info) {
  auto load = std::make_shared<GraphLoad>();
  GraphEncoder& encoder = *load->encoder;
  encoder.specification = read_specification(Fields(info[1], "specification"));
  encoder.binding = read_graph_binding(Fields(info[2], "binding"));
  const Fields settings(info[3], "settings");
  load->settings = read_session_settings(settings);
  encoder.token_budget = settings.size("token_budget");
  if (load->settings.intra_op_threads == 0) load->settings.intra_op_threads = default_intra_op_threads();
  encoder.intra_op_threads = load->settings.intra_op_threads;
  if (encoder.token_budget == 0) encoder.token_budget = kDefaultTokenBudget;

  if (info[0].IsTypedArray() && info[0].As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array) {
    auto bytes = copy_bytes(info[0].As<Napi::Uint8Array>());
    encoder.weights_size_bytes = bytes.size();
    load->source = std::move(bytes);
    return load;
  }
  const Fields file(info[0], "source");
  std::vector<std::string> identity;
  file.each("identity", [&](const Napi::Value& part, const auto& path) {
    if (!part.IsString()) throw_expected(path(), "a string");
    identity.push_back(part.As<Napi::String>().Utf8Value());
  });
  const std::string path = file.utf8("path");
  encoder.weights_size_bytes = file.size("size_bytes");
  load->key = session_key(path, identity, load->settings);
  load->source = path;
  return load;
}

// Loading touches nothing of its job's, so that an environment may end while it goes on: others may wait for its
// result.
class LoadGraphJob : public Job {
 public:
  LoadGraphJob(Napi::Env env, std::shared_ptr<GraphLoad> load) : Job(env), load_(std::move(load)) {}

  void start(Finish finish) {
    run_on_own_threads(1, [load = load_, finish = std::move(finish)](ThreadPool&) {
      std::exception_ptr failure;
      try {
        load->run();
      } catch (...) {
        failure = std::current_exception();
      }
      finish(failure);
    });
  }
  Napi::Value result(Napi::Env env) override;

 private:
  std::shared_ptr<GraphLoad> load_;
};

// ---------- the JavaScript object ----------

class NativeGraphEncoder : public Napi::ObjectWrap<NativeGraphEncoder> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "NativeGraphEncoder",
                       {
                           InstanceMethod<&NativeGraphEncoder::forward>("forward"),
                           InstanceMethod<&NativeGraphEncoder::new_call_id>("new_call_id"),
                           InstanceMethod<&NativeGraphEncoder::abort>("abort"),
                           InstanceMethod<&NativeGraphEncoder::stats>("stats"),
                           InstanceMethod<&NativeGraphEncoder::dispose>("dispose"),
                           InstanceAccessor<&NativeGraphEncoder::providers>("providers"),
                           InstanceAccessor<&NativeGraphEncoder::weights_size_bytes>("weights_size_bytes"),
                       });
  }

  static Napi::Object wrap(Napi::Env env, std::shared_ptr<const GraphEncoder> encoder) {
    const Napi::Object object = environment_data(env).graph_encoder_class.New({});
    // So that a model that was forgotten, not disposed, weighs on the garbage collector what it holds.
    Napi::MemoryManagement::AdjustExternalMemory(env, static_cast<int64_t>(encoder->weights_size_bytes));
    Unwrap(object)->encoder_ = std::move(encoder);
    return object;
  }

  explicit NativeGraphEncoder(const Napi::CallbackInfo& info) : Napi::ObjectWrap<NativeGraphEncoder>(info) {}
  void Finalize(Napi::BasicEnv env) override { release(env); }

 private:
  Napi::Value forward(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    return guarded(env, [&]() -> Napi::Value {
      const Napi::Object request = as_object(info[0], "request");
      auto job = std::make_unique<GraphForwardJob>(env, encoder(), counters_, request);
      const auto start = [started = job.get()](Finish finish) { started->start(std::move(finish)); };
      return environment_data(env).jobs.submit(std::move(job), get_size(request, "call_id"), start);
    });
  }

  Napi::Value new_call_id(const Napi::CallbackInfo& info) { return make_call_id(info); }
  Napi::Value abort(const Napi::CallbackInfo& info) { return abort_call(info); }

  // Still tells what was done once the encoder is disposed of.
  Napi::Value stats(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      GraphRunner& runner = GraphRunner::instance();
      return forward_stats(info.Env(), runner.read(*counters_), runner.workspace_size_bytes());
    });
  }

  Napi::Value dispose(const Napi::CallbackInfo& info) {
    release(info.Env());
    return info.Env().Undefined();
  }

  Napi::Value providers(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    return guarded(env, [&]() -> Napi::Value {
      const Napi::Array names = Napi::Array::New(env);
      for (const std::string& name : encoder()->session->providers()) names.Set(names.Length(), name);
      return names;
    });
  }

  Napi::Value weights_size_bytes(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      return Napi::Number::New(info.Env(), static_cast<double>(encoder()->weights_size_bytes));
    });
  }

  // A session ends on a thread of its own: GraphSession::load() sees to that.
  void release(Napi::BasicEnv env) {
    if (encoder_ == nullptr) return;
    Napi::MemoryManagement::AdjustExternalMemory(env, -static_cast<int64_t>(encoder_->weights_size_bytes));
    encoder_ = nullptr;
  }

  std::shared_ptr<const GraphEncoder> encoder() const {
    if (encoder_ == nullptr) throw Error(ErrorCode::kDisposed, "the model was disposed");
    return encoder_;
  }

  std::shared_ptr<const GraphEncoder> encoder_;
  std::shared_ptr<ForwardCounters> counters_ = std::make_shared<ForwardCounters>();
};

Napi::Value LoadGraphJob::result(Napi::Env env) { return NativeGraphEncoder::wrap(env, std::move(load_->encoder)); }

Napi::Object to_object(Napi::Env env, const OnnxRuntimeInfo& library) {
  const Napi::Object result = Napi::Object::New(env);
  result.Set("path", library.path);
  result.Set("version", library.version);
  const Napi::Array providers = Napi::Array::New(env);
  for (const std::string& name : library.providers) providers.Set(providers.Length(), name);
  result.Set("providers", providers);
  return result;
}

}  // namespace

Napi::Value open_onnxruntime_library(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    if (!info[0].IsString()) throw_expected("path", "a string");
    return to_object(env, open_onnxruntime(info[0].As<Napi::String>().Utf8Value()));
  });
}

Napi::Value end_onnxruntime(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    end_onnxruntime_calls();
    return info.Env().Undefined();
  });
}

Napi::Value onnxruntime_info(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const Napi::Object result = Napi::Object::New(env);
    const OnnxRuntimeInfo* const library = opened_onnxruntime();
    result.Set("supported", Napi::Boolean::New(env, onnxruntime_is_supported()));
    result.Set("opened", library != nullptr ? to_object(env, *library) : env.Null());
    return result;
  });
}

Napi::Value load_graph(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    auto job = std::make_unique<LoadGraphJob>(env, read_graph_load(info));
    const auto start = [started = job.get()](Finish finish) { started->start(std::move(finish)); };
    return environment_data(env).jobs.submit(std::move(job), 0, start);
  });
}

void define_graph_encoder_class(Napi::Env env) {
  environment_data(env).graph_encoder_class = Napi::Persistent(NativeGraphEncoder::define(env));
}

}  // namespace bert_native
