#include <napi.h>

#include <string>

#include "binding/errors.h"
#include "binding/tokenizer.h"
#include "common/cpu_features.h"

namespace bert_native {

namespace {

// { isa, available_isas }: what runs here. Throws ERR_OPTION, ERR_DEVICE for a wrong BERT_NATIVE_ISA.
Napi::Value system_info(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    Napi::Object result = Napi::Object::New(env);
    result.Set("isa", isa_name(selected_isa()));
    Napi::Array names = Napi::Array::New(env);
    for (const Isa isa : available_isas()) names.Set(names.Length(), isa_name(isa));
    result.Set("available_isas", names);
    return result;
  });
}

// Everything the addon exports stands here; lib/binding/native.ts is the same with types.
Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("set_error_class", Napi::Function::New(env, set_error_class));
  exports.Set("system_info", Napi::Function::New(env, system_info));
  exports.Set("create_tokenizer", Napi::Function::New(env, create_tokenizer));
  return exports;
}

}  // namespace

}  // namespace bert_native

static Napi::Object initialize(Napi::Env env, Napi::Object exports) { return bert_native::init(env, exports); }
NODE_API_MODULE(bert_native, initialize)
