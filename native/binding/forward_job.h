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
#include "encoder/forward_call.h"
#include "encoder/specification.h"
#include "onnxruntime/graph_encoder.h"
#include "onnxruntime/graph_task.h"

namespace bert_native {

class Outputs;

// A forward pass from JavaScript: a ForwardRequest of lib/engines/engine.ts, whose inputs are copied at the call, and
// its ForwardResult. What runs it is a derived class's matter.
class ForwardJob : public Job {
 public:
  // What a request may ask for, and how large it is.
  struct OutputShape {
    const EncoderSpecification& specification;
    bool pooler_output = false;
    size_t hidden_states = 0;
    std::vector<size_t> attention_heads;  // of each layer
  };

  Napi::Value result(Napi::Env env) override;

 protected:
  // Throws kOption for a request that does not hold together, kMemory.
  ForwardJob(Napi::Env env, std::shared_ptr<ForwardCall> call, const OutputShape& shape,
             std::shared_ptr<ForwardCounters> counters, const Napi::Object& request);

 private:
  struct Inputs;

  void add_sequences(const Napi::Object& request, size_t embedding_size);
  void add_token_rows(const Napi::Object& selection);
  void add_outputs(Napi::Env env, const Napi::Object& request, const OutputShape& shape);
  void add_padded_outputs(Outputs& outputs, const Napi::Object& wanted, const OutputShape& shape);
  void add_pooled(Outputs& outputs, const Napi::Object& wanted, size_t hidden_size);
  void add_heads(Outputs& outputs, const Napi::Object& wanted, const EncoderSpecification& specification);
  void add_head_positions(const Napi::Object& wanted);
  size_t position_count() const;

  std::shared_ptr<ForwardCall> call_;
  std::shared_ptr<Inputs> inputs_;
  size_t batch_ = 0, padded_length_ = 0;
  Napi::ObjectReference outputs_;
};

// An EncoderStats of lib/engines/engine.ts.
Napi::Object forward_stats(Napi::Env env, const ForwardCounts& counts, size_t workspace_size_bytes);

// By the library's own kernels.
class CpuForwardJob : public ForwardJob {
 public:
  CpuForwardJob(Napi::Env env, std::shared_ptr<const CpuEncoder> encoder, std::shared_ptr<ForwardCounters> counters,
                const Napi::Object& request);

  // Throws what Scheduler::submit() throws.
  void start(Finish finish);
  bool cancel() override;

 private:
  CpuForwardJob(Napi::Env env, const std::shared_ptr<ForwardTask>& task, const OutputShape& shape,
                std::shared_ptr<ForwardCounters> counters, const Napi::Object& request);

  std::shared_ptr<ForwardTask> task_;
};

// Through a graph. Throws kOption, naming it, for an output that the graph lacks.
class GraphForwardJob : public ForwardJob {
 public:
  GraphForwardJob(Napi::Env env, std::shared_ptr<const GraphEncoder> encoder, std::shared_ptr<ForwardCounters> counters,
                  const Napi::Object& request);

  // Throws what GraphRunner::submit() throws.
  void start(Finish finish);
  bool cancel() override;

 private:
  GraphForwardJob(Napi::Env env, const std::shared_ptr<GraphTask>& task, const OutputShape& shape,
                  std::shared_ptr<ForwardCounters> counters, const Napi::Object& request);
  static OutputShape shape_of(const GraphEncoder& encoder, const Napi::Object& request);

  std::shared_ptr<GraphTask> task_;
};

}  // namespace bert_native
