#pragma once

#include <napi.h>

#include "binding/jobs.h"

namespace bert_native {

// What the addon keeps per JavaScript environment: the main thread and each worker have their own.
struct EnvironmentData {
  explicit EnvironmentData(Napi::Env env) : jobs(env) {}

  Napi::FunctionReference error_class;          // BertNativeError, handed over by lib/binding/load.ts
  Napi::FunctionReference encoder_class;        // NativeEncoder
  Napi::FunctionReference graph_encoder_class;  // NativeGraphEncoder
  Napi::FunctionReference vector_index_class;   // NativeVectorIndex
  JobQueue jobs;
};

inline EnvironmentData& environment_data(Napi::Env env) { return *env.GetInstanceData<EnvironmentData>(); }

}  // namespace bert_native
