#pragma once

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "binding/jobs.h"
#include "binding/token_rows.h"
#include "cpu/encoder.h"
#include "cpu/forward_task.h"
#include "encoder/specification.h"

namespace bert_native {

class Outputs;

// A forward pass from JavaScript: a ForwardRequest of lib/engines/engine.ts, whose inputs are copied at the call, and
// its ForwardResult. Throws kOption for a request that does not hold together, kMemory.
class ForwardJob : public Job {
 public:
  ForwardJob(Napi::Env env, std::shared_ptr<const CpuEncoder> encoder, std::shared_ptr<ForwardCounters> counters,
             const Napi::Object& request);

  // Throws what Scheduler::submit() throws.
  void start(Finish finish);
  void cancel() override;
  Napi::Value result(Napi::Env env) override;

 private:
  struct Task;

  void add_sequences(const Napi::Object& request, size_t embedding_size);
  void add_token_rows(const Napi::Object& selection);
  void add_outputs(Napi::Env env, const Napi::Object& request, const EncoderSpecification& specification);
  void add_padded_outputs(Outputs& outputs, const Napi::Object& wanted, const EncoderSpecification& specification);
  void add_pooled(Outputs& outputs, const Napi::Object& wanted, size_t hidden_size);
  void add_heads(Outputs& outputs, const Napi::Object& wanted, const EncoderSpecification& specification);
  void add_head_positions(const Napi::Object& wanted);
  size_t position_count() const;

  std::shared_ptr<Task> task_;
  size_t batch_ = 0, padded_length_ = 0;
  Napi::ObjectReference outputs_;
};

}  // namespace bert_native
