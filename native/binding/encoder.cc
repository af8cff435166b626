#include "binding/encoder.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "binding/calls.h"
#include "binding/environment.h"
#include "binding/errors.h"
#include "binding/forward_job.h"
#include "binding/jobs.h"
#include "binding/outputs.h"
#include "binding/specification.h"
#include "binding/values.h"
#include "common/errors.h"
#include "cpu/background.h"
#include "cpu/encoder.h"
#include "cpu/encoder_registry.h"
#include "cpu/scheduler.h"
#include "encoder/batch.h"
#include "encoder/compute_limits.h"
#include "encoder/forward_call.h"
#include "encoder/parameter_source.h"
#include "encoder/specification.h"
#include "kernels/kernel_table.h"

namespace bert_native {

namespace {

// ---------- from JavaScript's objects to plain structures ----------

// How the large matrices are kept, from load_encoder's options.
MatrixType read_matrix_type(const Napi::Value& value) {
  const Napi::Object options = as_object(value, "options");
  const MatrixType type = get_choice<MatrixType>(
      options, "dtype",
      {{"fp32", MatrixType::kF32}, {"fp16", MatrixType::kF16}, {"bf16", MatrixType::kBf16}, {"q8", MatrixType::kInt8}});
  const MatrixType by_parts = get_choice<MatrixType>(options, "fp32_precision",
                                                     {{"highest", MatrixType::kBf16x3}, {"high", MatrixType::kBf16x2}});
  const bool matrix_units = options.Get("fp32_matrix_units").ToBoolean();
  return type == MatrixType::kF32 && matrix_units ? by_parts : type;
}

FileSpan read_file_span(const Napi::Object& span) {
  const Napi::Object file = as_object(span.Get("file"), "file");
  FileSpan result;
  result.path = get_string(file, "path");
  result.identity.size_bytes = get_size(file, "size_bytes");
  result.identity.modified_ns = get_int64(file, "modified_ns");
  result.identity.changed_ns = get_int64(file, "changed_ns");
  result.identity.device = get_uint64(file, "device");
  result.identity.inode = get_uint64(file, "inode");
  result.byte_offset = get_size(span, "byte_offset");
  result.dtype = get_choice<Dtype>(
      span, "dtype", {{"F32", Dtype::kF32}, {"F16", Dtype::kF16}, {"BF16", Dtype::kBF16}, {"F64", Dtype::kF64}});
  result.strides = get_sizes(span, "strides");
  return result;
}

std::vector<float> copy_floats(const Napi::Value& value, const char* field) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_float32_array) {
    throw_expected(field, "a Float32Array");
  }
  const auto array = value.As<Napi::Float32Array>();
  return std::vector<float>(array.Data(), array.Data() + array.ElementLength());
}

ParameterSource read_parameter_source(const Napi::Object& object) {
  ParameterSource source;
  const std::string kind = get_string(object, "kind");
  if (kind == "span") {
    const Napi::Object span = as_object(object.Get("span"), "span");
    source.shape = get_sizes(span, "shape");
    source.values = read_file_span(span);
    return source;
  }
  source.shape = get_sizes(object, "shape");
  if (kind == "normal") {
    NormalInit init;
    init.seed = get_uint64(object, "seed");
    init.std = get_number(object, "std");
    init.zero_row = static_cast<int64_t>(get_number(object, "zero_row"));
    source.values = init;
  } else if (kind == "constant") {
    source.values = ConstantInit{static_cast<float>(get_number(object, "value"))};
  } else if (kind == "values") {
    source.values = copy_floats(object.Get("values"), "values");
  } else {
    throw_expected("kind", "span, normal, constant or values, not '" + kind + "'");
  }
  return source;
}

ParameterSources read_parameter_sources(const Napi::Value& value) {
  if (!value.IsArray()) throw_expected("parameters", "an array of [name, source]");
  const Napi::Array entries = value.As<Napi::Array>();
  ParameterSources sources;
  for (uint32_t i = 0; i < entries.Length(); i++) {
    const Napi::Object entry = as_object(entries.Get(i), "parameters");
    sources.emplace(entry.Get(0u).ToString().Utf8Value(),
                    read_parameter_source(as_object(entry.Get(1u), "parameters")));
  }
  return sources;
}

// ---------- jobs ----------

// Forward passes go first: they get the threads that they would have if no model were loaded, but for one.
struct GiveWay : LoadControl {
  bool must_give_way() const override { return Scheduler::instance().is_computing(); }
};

// More would only wait for memory, and each has buffers of its own.
constexpr size_t kMostLoadingThreads = 8;

// Loading touches nothing of its job's, so that an environment may end while it goes on: others may wait for its
// result.
class LoadJob : public Job {
 public:
  LoadJob(Napi::Env env, EncoderSpecification specification, ParameterSources sources, MatrixType type)
      : Job(env), load_(std::make_shared<Load>()) {
    load_->specification = std::move(specification);
    load_->sources = std::move(sources);
    load_->type = type;
  }

  void start(Finish finish) {
    const size_t threads = std::min(ComputeLimits::instance().thread_count(), kMostLoadingThreads);
    run_on_own_threads(threads, [load = load_, finish = std::move(finish)](ThreadPool& pool) {
      std::exception_ptr failure;
      try {
        const KernelTable& kernels = selected_kernels();
        const MatrixType type = kernels.resolve(load->type);
        load->encoder = acquire_encoder(encoder_key(load->specification, load->sources, type, kernels.isa), [&] {
          return CpuEncoder::load(load->specification, load->sources, type, kernels, pool, GiveWay());
        });
      } catch (...) {
        failure = std::current_exception();
      }
      finish(failure);
    });
  }
  Napi::Value result(Napi::Env env) override;

 private:
  struct Load {
    EncoderSpecification specification;
    ParameterSources sources;
    MatrixType type = MatrixType::kF32;
    std::shared_ptr<const CpuEncoder> encoder;
  };
  std::shared_ptr<Load> load_;
};

class ReadParameterJob : public ThreadJob {
 public:
  ReadParameterJob(Napi::Env env, std::shared_ptr<const CpuEncoder> encoder, std::string name)
      : ThreadJob(env), encoder_(std::move(encoder)), name_(std::move(name)) {
    Outputs outputs(env, env.Null());
    values_ = outputs.add("values", element_count());
    outputs_ = outputs.hold();
  }
  void run(ThreadPool&) override { encoder_->read_parameter(name_, values_); }
  Napi::Value result(Napi::Env) override { return outputs_.Value().Get("values"); }

 private:
  size_t element_count() const {
    for (const Parameter& parameter : encoder_parameters(encoder_->specification())) {
      if (parameter.name != name_) continue;
      size_t count = 1;
      for (const size_t size : parameter.shape) count *= size;
      return count;
    }
    throw Error(ErrorCode::kWeightMissing, "the encoder has no parameter '" + name_ + "'");
  }

  std::shared_ptr<const CpuEncoder> encoder_;
  std::string name_;
  float* values_ = nullptr;
  Napi::ObjectReference outputs_;
};

// ---------- the JavaScript object ----------

class NativeEncoder : public Napi::ObjectWrap<NativeEncoder> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "NativeEncoder",
                       {
                           InstanceMethod<&NativeEncoder::forward>("forward"),
                           InstanceMethod<&NativeEncoder::new_call_id>("new_call_id"),
                           InstanceMethod<&NativeEncoder::abort>("abort"),
                           InstanceMethod<&NativeEncoder::stats>("stats"),
                           InstanceMethod<&NativeEncoder::read_parameter>("read_parameter"),
                           InstanceMethod<&NativeEncoder::dispose>("dispose"),
                           InstanceAccessor<&NativeEncoder::weights_size_bytes>("weights_size_bytes"),
                       });
  }

  static Napi::Object wrap(Napi::Env env, std::shared_ptr<const CpuEncoder> encoder) {
    const Napi::Object object = environment_data(env).encoder_class.New({});
    // So that a model that was forgotten, not disposed, weighs on the garbage collector what it holds.
    Napi::MemoryManagement::AdjustExternalMemory(env, static_cast<int64_t>(encoder->weights_size_bytes()));
    Unwrap(object)->encoder_ = std::move(encoder);
    return object;
  }

  explicit NativeEncoder(const Napi::CallbackInfo& info) : Napi::ObjectWrap<NativeEncoder>(info) {}
  void Finalize(Napi::BasicEnv env) override { release(env); }

 private:
  Napi::Value forward(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    return guarded(env, [&]() -> Napi::Value {
      const Napi::Object request = as_object(info[0], "request");
      auto job = std::make_unique<CpuForwardJob>(env, encoder(), counters_, request);
      const auto start = [started = job.get()](Finish finish) { started->start(std::move(finish)); };
      return environment_data(env).jobs.submit(std::move(job), get_size(request, "call_id"), start);
    });
  }

  Napi::Value read_parameter(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    return guarded(env, [&]() -> Napi::Value {
      auto job = std::make_unique<ReadParameterJob>(env, encoder(), info[0].ToString().Utf8Value());
      return environment_data(env).jobs.submit(std::move(job), run_in_background);
    });
  }

  Napi::Value new_call_id(const Napi::CallbackInfo& info) { return make_call_id(info); }
  Napi::Value abort(const Napi::CallbackInfo& info) { return abort_call(info); }

  // Still tells what was done once the encoder is disposed of.
  Napi::Value stats(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    return guarded(env, [&]() -> Napi::Value {
      Scheduler& scheduler = Scheduler::instance();
      return forward_stats(env, scheduler.read(*counters_), scheduler.workspace_size_bytes());
    });
  }

  Napi::Value dispose(const Napi::CallbackInfo& info) {
    release(info.Env());
    return info.Env().Undefined();
  }

  Napi::Value weights_size_bytes(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      return Napi::Number::New(info.Env(), static_cast<double>(encoder()->weights_size_bytes()));
    });
  }

  void release(Napi::BasicEnv env) {
    if (encoder_ == nullptr) return;
    Napi::MemoryManagement::AdjustExternalMemory(env, -static_cast<int64_t>(encoder_->weights_size_bytes()));
    encoder_ = nullptr;
  }

  std::shared_ptr<const CpuEncoder> encoder() const {
    if (encoder_ == nullptr) throw Error(ErrorCode::kDisposed, "the model was disposed");
    return encoder_;
  }

  std::shared_ptr<const CpuEncoder> encoder_;
  std::shared_ptr<ForwardCounters> counters_ = std::make_shared<ForwardCounters>();
};

Napi::Value LoadJob::result(Napi::Env env) { return NativeEncoder::wrap(env, std::move(load_->encoder)); }

}  // namespace

Napi::Value load_encoder(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    auto job = std::make_unique<LoadJob>(env, read_specification(Fields(info[0], "specification")),
                                         read_parameter_sources(info[1]), read_matrix_type(info[2]));
    const auto start = [started = job.get()](Finish finish) { started->start(std::move(finish)); };
    return environment_data(env).jobs.submit(std::move(job), 0, start);
  });
}

void define_encoder_class(Napi::Env env) {
  environment_data(env).encoder_class = Napi::Persistent(NativeEncoder::define(env));
}

}  // namespace bert_native
