#include <napi.h>

#include <cmath>
#include <limits>

#include "binding/encoder.h"
#include "binding/environment.h"
#include "binding/errors.h"
#include "binding/module_lifetime.h"
#include "binding/onnxruntime.h"
#include "binding/tokenizer.h"
#include "binding/tokenizer_training.h"
#include "binding/values.h"
#include "binding/vector_index.h"
#include "common/cpu_features.h"
#include "encoder/compute_limits.h"

namespace bert_native {

namespace {

// system_info(): { isa, available_isas, threads, max_queued_tokens }. Throws ERR_OPTION or ERR_DEVICE for a wrong
// BERT_NATIVE_ISA.
Napi::Value system_info(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const Napi::Object result = Napi::Object::New(env);
    result.Set("isa", isa_name(selected_isa()));
    const Napi::Array names = Napi::Array::New(env);
    for (const Isa isa : available_isas()) names.Set(names.Length(), isa_name(isa));
    result.Set("available_isas", names);
    result.Set("threads", static_cast<double>(ComputeLimits::instance().thread_count()));
    const size_t most = ComputeLimits::instance().max_queued_tokens();
    const bool unlimited = most == std::numeric_limits<size_t>::max();
    result.Set("max_queued_tokens", unlimited ? std::numeric_limits<double>::infinity() : static_cast<double>(most));
    return result;
  });
}

Napi::Value set_thread_count(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    ComputeLimits::instance().set_thread_count(to_size(info[0], "numThreads"));
    return info.Env().Undefined();
  });
}

// Infinity: no limit.
Napi::Value set_max_queued_tokens(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const double tokens = info[0].ToNumber().DoubleValue();
    ComputeLimits::instance().set_max_queued_tokens(std::isinf(tokens) ? std::numeric_limits<size_t>::max()
                                                                       : to_size(info[0], "maxQueuedTokens"));
    return info.Env().Undefined();
  });
}

// Everything the addon exports; lib/binding/native.ts is the same with types.
Napi::Object init(Napi::Env env, Napi::Object exports) {
  keep_module_loaded();
  env.SetInstanceData(new EnvironmentData(env));
  define_encoder_class(env);
  define_graph_encoder_class(env);
  define_vector_index_class(env);
  exports.Set("set_error_class", Napi::Function::New(env, set_error_class));
  exports.Set("system_info", Napi::Function::New(env, system_info));
  exports.Set("set_thread_count", Napi::Function::New(env, set_thread_count));
  exports.Set("set_max_queued_tokens", Napi::Function::New(env, set_max_queued_tokens));
  exports.Set("load_encoder", Napi::Function::New(env, load_encoder));
  exports.Set("open_onnxruntime", Napi::Function::New(env, open_onnxruntime_library));
  exports.Set("onnxruntime_info", Napi::Function::New(env, onnxruntime_info));
  exports.Set("load_graph", Napi::Function::New(env, load_graph));
  exports.Set("create_tokenizer_model", Napi::Function::New(env, create_tokenizer_model));
  exports.Set("create_tokenizer_model_async", Napi::Function::New(env, create_tokenizer_model_async));
  exports.Set("create_tokenizer", Napi::Function::New(env, create_tokenizer));
  exports.Set("create_wordpiece_trainer", Napi::Function::New(env, create_wordpiece_trainer));
  exports.Set("create_vector_index", Napi::Function::New(env, create_vector_index));
  return exports;
}

}  // namespace

}  // namespace bert_native

static Napi::Object initialize(Napi::Env env, Napi::Object exports) { return bert_native::init(env, exports); }
NODE_API_MODULE(bert_native, initialize)
