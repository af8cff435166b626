#include "binding/forward_job.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "binding/outputs.h"
#include "binding/specification.h"
#include "binding/values.h"
#include "cpu/scheduler.h"
#include "encoder/batch.h"
#include "encoder/compute_limits.h"
#include "onnxruntime/graph_runner.h"
#include "onnxruntime/graph_values.h"

namespace bert_native {

namespace {

// The elements of a typed array field of exactly `size` elements, copied; empty where the field is null.
template <typename T>
std::vector<T> copy_optional(const Napi::Object& object, const char* field, napi_typedarray_type type, size_t size) {
  const Napi::Value value = object.Get(field);
  if (value.IsNull()) return {};
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type ||
      value.As<Napi::TypedArray>().ElementLength() != size) {
    throw_expected(field, "a typed array of " + std::to_string(size) + " elements");
  }
  const auto array = value.As<Napi::TypedArrayOf<T>>();
  return std::vector<T>(array.Data(), array.Data() + size);
}

}  // namespace

// The memory of a call's inputs.
struct ForwardJob::Inputs {
  std::vector<int32_t> input_ids, token_type_ids, position_ids;
  std::vector<float> inputs_embeds;
  std::vector<uint8_t> attention_mask;
  SharedTokenRows token_rows;
  // Of all sequences one behind the other, each counted from its own first position.
  std::vector<int32_t> head_positions;
};

ForwardJob::ForwardJob(Napi::Env env, std::shared_ptr<ForwardCall> call, const OutputShape& shape,
                       std::shared_ptr<ForwardCounters> counters, const Napi::Object& request)
    : Job(env),
      call_(std::move(call)),
      inputs_(std::make_shared<Inputs>()),
      batch_(get_size(request, "batch")),
      padded_length_(get_size(request, "sequence")) {
  call_->memory = inputs_;
  call_->counters = std::move(counters);
  if (request.Get("token_rows").IsObject()) {
    add_token_rows(as_object(request.Get("token_rows"), "token_rows"));
  } else {
    add_sequences(request, shape.specification.embeddings.embedding_size);
  }
  add_outputs(env, request, shape);
}

Napi::Value ForwardJob::result(Napi::Env env) {
  using Milliseconds = std::chrono::duration<double, std::milli>;
  const auto number = [&](Milliseconds time) { return Napi::Number::New(env, time.count()); };
  const Napi::Object result = outputs_.Value();
  result.Set("queued_ms", number(call_->started_at - call_->submitted_at));
  result.Set("running_ms", number(call_->finished_at - call_->started_at));
  return result;
}

void ForwardJob::add_sequences(const Napi::Object& request, size_t embedding_size) {
  const size_t B = batch_, S = padded_length_, E = embedding_size, count = output_size({B, S});
  Inputs& inputs = *inputs_;
  inputs.input_ids = copy_optional<int32_t>(request, "input_ids", napi_int32_array, count);
  inputs.inputs_embeds = copy_optional<float>(request, "inputs_embeds", napi_float32_array, output_size({B, S, E}));
  inputs.attention_mask = copy_optional<uint8_t>(request, "attention_mask", napi_uint8_array, count);
  inputs.token_type_ids = copy_optional<int32_t>(request, "token_type_ids", napi_int32_array, count);
  inputs.position_ids = copy_optional<int32_t>(request, "position_ids", napi_int32_array, count);
  if (inputs.input_ids.empty() && inputs.inputs_embeds.empty() && count > 0) {
    throw_expected("input_ids", "ids or inputs_embeds");
  }
  const bool compute_masked_positions = get_string(request, "masked_positions") == "compute";
  const auto row = [](const auto& values, size_t offset) { return values.empty() ? nullptr : values.data() + offset; };
  call_->sequences.resize(B);
  for (size_t b = 0; b < B; b++) {
    Sequence& sequence = call_->sequences[b];
    sequence.length = S;
    sequence.input_ids = row(inputs.input_ids, b * S);
    sequence.inputs_embeds = row(inputs.inputs_embeds, b * S * E);
    sequence.attention_mask = row(inputs.attention_mask, b * S);
    sequence.token_type_ids = row(inputs.token_type_ids, b * S);
    sequence.position_ids = row(inputs.position_ids, b * S);
    sequence.options.compute_masked_positions = compute_masked_positions;
  }
}

// Rows of their own lengths, without padding.
void ForwardJob::add_token_rows(const Napi::Object& selection) {
  inputs_->token_rows = read_token_rows(selection.Get("handle"), "token_rows.handle");
  const std::vector<TokenRows::Row>& rows = inputs_->token_rows->rows();
  const auto indices = Fields(selection, "token_rows").typed_array<int32_t>("rows", napi_int32_array, "an Int32Array");
  if (indices.size() != batch_) throw_expected("token_rows.rows", std::to_string(batch_) + " rows, as batch says");
  for (const int32_t index : indices) {
    if (index < 0 || static_cast<size_t>(index) >= rows.size()) {
      throw_expected("token_rows.rows", "numbers below " + std::to_string(rows.size()));
    }
    const TokenRows::Row& row = rows[static_cast<size_t>(index)];
    Sequence sequence;
    sequence.length = row.length;
    sequence.input_ids = row.ids;
    sequence.token_type_ids = row.type_ids;
    sequence.options.compute_masked_positions = false;
    call_->sequences.push_back(sequence);
  }
}

// Positions of all sequences, of which outputs per position have a row each.
size_t ForwardJob::position_count() const {
  size_t count = 0;
  for (const Sequence& sequence : call_->sequences) count += sequence.length;
  return count;
}

void ForwardJob::add_outputs(Napi::Env env, const Napi::Object& request, const OutputShape& shape) {
  const EncoderSpecification& specification = shape.specification;
  const size_t B = batch_, H = specification.hidden_size;
  const Napi::Object wanted = as_object(request.Get("outputs"), "outputs");
  Outputs outputs(env, request.Get("out"));
  if (get_boolean(wanted, "last_hidden_state")) {
    float* out = outputs.add("last_hidden_state", output_size({position_count(), H}));
    for (Sequence& sequence : call_->sequences) {
      sequence.last_hidden_state = out;
      out += sequence.length * H;
    }
  }
  if (get_boolean(wanted, "pooler_output")) {
    if (!shape.pooler_output) throw_expected("outputs.pooler_output", "false: this encoder has no pooler");
    float* out = outputs.add("pooler_output", output_size({B, H}));
    for (size_t b = 0; b < B; b++) call_->sequences[b].pooler_output = out + b * H;
  }
  add_padded_outputs(outputs, wanted, shape);
  const size_t pooling_skip = get_size(wanted, "pooling_skip");
  for (Sequence& sequence : call_->sequences) sequence.options.pooling_skip = pooling_skip;
  if (wanted.Get("pooled").IsObject()) add_pooled(outputs, as_object(wanted.Get("pooled"), "outputs.pooled"), H);
  if (get_boolean(wanted, "heads")) add_heads(outputs, wanted, specification);
  outputs_ = outputs.hold();
}

void ForwardJob::add_padded_outputs(Outputs& outputs, const Napi::Object& wanted, const OutputShape& shape) {
  const size_t B = batch_, S = padded_length_, H = shape.specification.hidden_size;
  for (const char* name : {"hidden_states", "attentions"}) {
    if (inputs_->token_rows != nullptr && get_boolean(wanted, name)) {
      throw_expected(std::string("outputs.") + name, "false: rows of tokens have different lengths");
    }
  }
  if (get_boolean(wanted, "hidden_states")) {
    const std::vector<size_t> sizes(shape.hidden_states, output_size({B, S, H}));
    for (float* base : outputs.add_list("hidden_states", sizes)) {
      for (size_t b = 0; b < B; b++) call_->sequences[b].hidden_states.push_back(base + b * S * H);
    }
  }
  if (get_boolean(wanted, "attentions") && !shape.attention_heads.empty()) {
    std::vector<size_t> sizes;
    for (const size_t heads : shape.attention_heads) sizes.push_back(output_size({B, heads, S, S}));
    const std::vector<float*> bases = outputs.add_list("attentions", sizes);
    for (size_t layer = 0; layer < sizes.size(); ++layer) {
      for (size_t b = 0; b < B; b++) call_->sequences[b].attentions.push_back(bases[layer] + b * (sizes[layer] / B));
    }
  }
}

void ForwardJob::add_pooled(Outputs& outputs, const Napi::Object& settings, size_t hidden_size) {
  const std::vector<Pooling> modes = read_pooling_modes(Fields(settings, "outputs.pooled"));
  const bool normalize = get_boolean(settings, "normalize");
  const size_t width = output_size({modes.size(), hidden_size});
  float* out = outputs.add("pooled", output_size({batch_, width}));
  for (size_t b = 0; b < batch_; b++) {
    Sequence& sequence = call_->sequences[b];
    sequence.pooled = out + b * width;
    sequence.options.pooling = modes;
    sequence.options.normalize = normalize;
  }
}

void ForwardJob::add_heads(Outputs& outputs, const Napi::Object& wanted, const EncoderSpecification& specification) {
  const Napi::Value positions = wanted.Get("head_positions");
  const bool listed = !positions.IsNull() && !positions.IsUndefined();
  if (listed) add_head_positions(wanted);
  const size_t rows = listed ? inputs_->head_positions.size() : position_count();
  const Napi::Object results = outputs.add_object("heads");
  for (Sequence& sequence : call_->sequences) sequence.heads.assign(specification.heads.size(), nullptr);
  for (size_t index = 0; index < specification.heads.size(); index++) {
    const HeadSpecification& head = specification.heads[index];
    const size_t width = head_width(head, specification);
    const bool tokens = head.input == HeadInputKind::kTokens;
    float* out = outputs.add_to(results, head.name, output_size({tokens ? rows : batch_, width}));
    for (Sequence& sequence : call_->sequences) {
      const size_t count = !tokens ? 1 : listed ? sequence.head_position_count : sequence.length;
      if (count > 0) sequence.heads[index] = out;
      out += count * width;
    }
  }
}

// Shares the positions out to the sequences.
void ForwardJob::add_head_positions(const Napi::Object& wanted) {
  std::vector<int32_t>& positions = inputs_->head_positions;
  positions = Fields(wanted, "outputs").typed_array<int32_t>("head_positions", napi_int32_array, "an Int32Array");
  const size_t limit = position_count();
  for (size_t i = 0; i < positions.size(); i++) {
    const int64_t least = i == 0 ? 0 : int64_t{positions[i - 1]} + 1;
    if (positions[i] >= least && static_cast<size_t>(positions[i]) < limit) continue;
    throw_expected("outputs.head_positions[" + std::to_string(i) + "]",
                   "ascending numbers below " + std::to_string(limit) + ", not " + std::to_string(positions[i]));
  }
  size_t first = 0, taken = 0;
  for (Sequence& sequence : call_->sequences) {
    sequence.head_positions = positions.data() + taken;
    while (taken < positions.size() && static_cast<size_t>(positions[taken]) < first + sequence.length) ++taken;
    sequence.head_position_count = static_cast<size_t>(positions.data() + taken - sequence.head_positions);
    first += sequence.length;
  }
  first = 0;
  for (const Sequence& sequence : call_->sequences) {
    const size_t begin = static_cast<size_t>(sequence.head_positions - positions.data());
    for (size_t i = 0; i < sequence.head_position_count; i++) positions[begin + i] -= static_cast<int32_t>(first);
    first += sequence.length;
  }
}

Napi::Object forward_stats(Napi::Env env, const ForwardCounts& counts, size_t workspace_size_bytes) {
  const Napi::Object result = Napi::Object::New(env);
  const auto set = [&](const char* name, uint64_t value) {
    result.Set(name, Napi::Number::New(env, static_cast<double>(value)));
  };
  set("queued_calls", counts.queued_calls);
  set("running_calls", counts.running_calls);
  set("finished_calls", counts.finished_calls);
  set("queued_tokens", counts.queued_tokens);
  set("computed_tokens", counts.computed_tokens);
  set("threads", ComputeLimits::instance().thread_count());
  set("workspace_size_bytes", workspace_size_bytes);
  return result;
}

// ---------- an encoder on the processor ----------

namespace {

ForwardJob::OutputShape shape_of(const EncoderSpecification& specification) {
  std::vector<size_t> attention_heads;
  for (const LayerSpecification& layer : specification.layers) {
    attention_heads.push_back(layer.attention.num_attention_heads);
  }
  return {specification, specification.pooler.has_value(), specification.layers.size() + 1, attention_heads};
}

}  // namespace

CpuForwardJob::CpuForwardJob(Napi::Env env, std::shared_ptr<const CpuEncoder> encoder,
                             std::shared_ptr<ForwardCounters> counters, const Napi::Object& request)
    : CpuForwardJob(env, std::make_shared<ForwardTask>(), shape_of(encoder->specification()), std::move(counters),
                    request) {
  task_->encoder = std::move(encoder);
}

CpuForwardJob::CpuForwardJob(Napi::Env env, const std::shared_ptr<ForwardTask>& task, const OutputShape& shape,
                             std::shared_ptr<ForwardCounters> counters, const Napi::Object& request)
    : ForwardJob(env, task, shape, std::move(counters), request), task_(task) {}

void CpuForwardJob::start(Finish finish) {
  task_->done = std::move(finish);
  Scheduler::instance().submit(task_);
}

bool CpuForwardJob::cancel() {
  Scheduler::instance().cancel(*task_);
  return false;
}

// ---------- a graph ----------

GraphForwardJob::GraphForwardJob(Napi::Env env, std::shared_ptr<const GraphEncoder> encoder,
                                 std::shared_ptr<ForwardCounters> counters, const Napi::Object& request)
    : GraphForwardJob(env, std::make_shared<GraphTask>(), shape_of(*encoder, request), std::move(counters), request) {
  task_->encoder = std::move(encoder);
}

GraphForwardJob::GraphForwardJob(Napi::Env env, const std::shared_ptr<GraphTask>& task, const OutputShape& shape,
                                 std::shared_ptr<ForwardCounters> counters, const Napi::Object& request)
    : ForwardJob(env, task, shape, std::move(counters), request), task_(task) {
  // New arrays are this job's until they are handed out. What a caller gave is free once the call is aborted.
  task_->outputs_stay = !request.Get("out").IsObject();
}

ForwardJob::OutputShape GraphForwardJob::shape_of(const GraphEncoder& encoder, const Napi::Object& request) {
  const GraphBinding& binding = encoder.binding;
  const Napi::Object wanted = as_object(request.Get("outputs"), "outputs");
  const auto check = [&](const char* name, bool is_there) {
    if (!is_there && get_boolean(wanted, name)) throw_no_output(encoder, name);
  };
  check("pooler_output", !binding.pooler_output.empty());
  check("hidden_states", !binding.hidden_states.empty());
  check("attentions", !binding.attentions.empty());
  std::vector<size_t> attention_heads;
  if (get_boolean(wanted, "attentions")) {
    for (size_t layer = 0; layer < binding.attentions.size(); ++layer) {
      attention_heads.push_back(graph_attention_heads(encoder, layer));
    }
  }
  return {encoder.specification, !binding.pooler_output.empty(), binding.hidden_states.size(), attention_heads};
}

void GraphForwardJob::start(Finish finish) {
  task_->done = std::move(finish);
  GraphRunner::instance().submit(task_);
}

bool GraphForwardJob::cancel() { return GraphRunner::instance().cancel(*task_); }

}  // namespace bert_native
