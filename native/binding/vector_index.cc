#include "binding/vector_index.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "binding/arrays.h"
#include "binding/calls.h"
#include "binding/environment.h"
#include "binding/errors.h"
#include "binding/jobs.h"
#include "binding/outputs.h"
#include "binding/values.h"
#include "cpu/background.h"
#include "encoder/compute_limits.h"
#include "kernels/kernel_table.h"
#include "search/vector_index.h"

namespace bert_native {

namespace {

// Products that are made before other threads are awake.
constexpr double kProductsOfOneThread = 8e6;

using SharedIndex = std::shared_ptr<const VectorIndex>;

size_t threads_for(double products) {
  return products < kProductsOfOneThread ? 1 : ComputeLimits::instance().thread_count();
}

struct Floats {
  const float* data = nullptr;
  size_t size = 0;
  bool shared = false;  // over a SharedArrayBuffer, which cannot be taken away from who holds it
};

Floats read_floats(const Napi::Value& value, const char* name) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_float32_array) {
    throw_expected(name, "a Float32Array");
  }
  Floats floats;
  void* data = nullptr;
  napi_value buffer = nullptr;
  napi_get_typedarray_info(value.Env(), value, nullptr, &floats.size, &data, &buffer, nullptr);
  bool is_array_buffer = true;
  napi_is_arraybuffer(value.Env(), buffer, &is_array_buffer);
  floats.data = static_cast<const float*>(data);
  floats.shared = !is_array_buffer;
  return floats;
}

class SearchJob : public Job {
 public:
  // memory: what holds vectors that are not the index's own, or empty.
  SearchJob(Napi::Env env, SharedIndex index, const Napi::Value& queries, size_t k, const Napi::Object& memory)
      : Job(env), search_(std::make_shared<Search>()) {
    const Floats floats = read_floats(queries, "queries");
    if (floats.size % index->dimensions() != 0) {
      throw Error(ErrorCode::kShape, "queries has " + std::to_string(floats.size) +
                                         " elements: expected a multiple of " + std::to_string(index->dimensions()) +
                                         ", the dimensions of the vectors");
    }
    search_->k = std::min(k, index->size());
    search_->count = floats.size / index->dimensions();
    output_size({search_->count, search_->k});
    search_->queries.assign(floats.data, floats.data + floats.size);
    search_->index = std::move(index);
    if (!memory.IsEmpty()) memory_ = Napi::Persistent(memory);
  }

  void start(Finish finish) {
    const size_t threads = threads_for(search_->index->work(search_->count));
    run_in_turn(threads, [search = search_, finish = std::move(finish)](ThreadPool& pool) {
      std::exception_ptr failure;
      try {
        search->run(pool);
      } catch (...) {
        failure = std::current_exception();
      }
      finish(failure);
    });
  }

  // Waits until the vectors are read no more, since they may go with this job.
  bool cancel() override {
    search_->aborted = true;
    if (!memory_.IsEmpty()) const std::lock_guard wait(search_->running);
    return false;
  }

  Napi::Value result(Napi::Env env) override {
    const SearchResult& found = search_->result;
    auto indices = make_typed_array<Napi::Int32Array>(env, "Int32Array", found.indices.size());
    auto scores = make_typed_array<Napi::Float32Array>(env, "Float32Array", found.scores.size());
    std::copy(found.indices.begin(), found.indices.end(), indices.Data());
    std::copy(found.scores.begin(), found.scores.end(), scores.Data());
    const Napi::Object result = Napi::Object::New(env);
    result.Set("indices", indices);
    result.Set("scores", scores);
    result.Set("k", Napi::Number::New(env, static_cast<double>(search_->k)));
    return result;
  }

 private:
  struct Search {
    SharedIndex index;
    std::vector<float> queries;
    size_t count = 0, k = 0;
    std::atomic<bool> aborted{false};
    std::mutex running;
    SearchResult result;

    void run(ThreadPool& pool) {
      const std::lock_guard lock(running);
      result = index->search(queries.data(), count, k, pool, [this] { return aborted.load(); });
    }
  };
  std::shared_ptr<Search> search_;
  Napi::ObjectReference memory_;
};

class NativeVectorIndex : public Napi::ObjectWrap<NativeVectorIndex> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "NativeVectorIndex",
                       {
                           InstanceMethod<&NativeVectorIndex::search>("search"),
                           InstanceMethod<&NativeVectorIndex::new_call_id>("new_call_id"),
                           InstanceMethod<&NativeVectorIndex::abort>("abort"),
                           InstanceMethod<&NativeVectorIndex::dispose>("dispose"),
                           InstanceAccessor<&NativeVectorIndex::size>("size"),
                           InstanceAccessor<&NativeVectorIndex::dimensions>("dimensions"),
                           InstanceAccessor<&NativeVectorIndex::size_bytes>("size_bytes"),
                       });
  }

  // memory: as in SearchJob.
  static Napi::Object wrap(Napi::Env env, SharedIndex index, const Napi::Object& memory) {
    const Napi::Object object = environment_data(env).vector_index_class.New({});
    Napi::MemoryManagement::AdjustExternalMemory(env, static_cast<int64_t>(index->size_in_bytes()));
    NativeVectorIndex& made = *Unwrap(object);
    made.index_ = std::move(index);
    if (!memory.IsEmpty()) made.memory_ = Napi::Persistent(memory);
    return object;
  }

  explicit NativeVectorIndex(const Napi::CallbackInfo& info) : Napi::ObjectWrap<NativeVectorIndex>(info) {}
  void Finalize(Napi::BasicEnv env) override { release(env); }

 private:
  Napi::Value search(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    return guarded(env, [&]() -> Napi::Value {
      const Napi::Object memory = memory_.IsEmpty() ? Napi::Object() : memory_.Value();
      auto job = std::make_unique<SearchJob>(env, index(), info[0], to_size(info[1], "k"), memory);
      const auto start = [started = job.get()](Finish finish) { started->start(std::move(finish)); };
      return environment_data(env).jobs.submit(std::move(job), to_size(info[2], "call_id"), start);
    });
  }

  Napi::Value new_call_id(const Napi::CallbackInfo& info) { return make_call_id(info); }
  Napi::Value abort(const Napi::CallbackInfo& info) { return abort_call(info); }

  Napi::Value dispose(const Napi::CallbackInfo& info) {
    release(info.Env());
    memory_.Reset();
    return info.Env().Undefined();
  }

  Napi::Value size(const Napi::CallbackInfo& info) { return number(info, &VectorIndex::size); }
  Napi::Value dimensions(const Napi::CallbackInfo& info) { return number(info, &VectorIndex::dimensions); }
  Napi::Value size_bytes(const Napi::CallbackInfo& info) { return number(info, &VectorIndex::size_in_bytes); }

  Napi::Value number(const Napi::CallbackInfo& info, size_t (VectorIndex::*value)() const) const {
    return guarded(info.Env(), [&]() -> Napi::Value {
      return Napi::Number::New(info.Env(), static_cast<double>(((*index()).*value)()));
    });
  }

  void release(Napi::BasicEnv env) {
    if (index_ == nullptr) return;
    Napi::MemoryManagement::AdjustExternalMemory(env, -static_cast<int64_t>(index_->size_in_bytes()));
    index_ = nullptr;
  }

  SharedIndex index() const {
    if (index_ == nullptr) throw Error(ErrorCode::kDisposed, "the index was disposed");
    return index_;
  }

  SharedIndex index_;
  Napi::ObjectReference memory_;
};

SharedIndex make_index(const Floats& vectors, size_t dimensions, SearchScore score) {
  SharedIndex index;
  const auto make = [&](ThreadPool* pool) {
    ThreadPool alone(1);
    index = std::make_shared<VectorIndex>(vectors.data, vectors.size / dimensions, dimensions, score, !vectors.shared,
                                          selected_kernels(), pool != nullptr ? *pool : alone);
  };
  const size_t threads = vectors.shared ? 1 : threads_for(static_cast<double>(vectors.size));
  if (threads == 1) {
    make(nullptr);
  } else {
    with_shared_threads(threads, make);
  }
  return index;
}

}  // namespace

Napi::Value create_vector_index(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const Floats vectors = read_floats(info[0], "vectors");
    const size_t dimensions = to_size(info[1], "dimensions");
    const SearchScore score = choose<SearchScore>(info[2].ToString().Utf8Value(), "score",
                                                  {{"dot", SearchScore::kDot}, {"cosine", SearchScore::kCosine}});
    if (dimensions == 0 || vectors.size % dimensions != 0) {
      throw Error(ErrorCode::kShape, "vectors has " + std::to_string(vectors.size) +
                                         " elements: expected a multiple of " + "the dimensions, " +
                                         std::to_string(dimensions));
    }
    SharedIndex index = make_index(vectors, dimensions, score);
    return NativeVectorIndex::wrap(env, std::move(index), vectors.shared ? info[0].As<Napi::Object>() : Napi::Object());
  });
}

void define_vector_index_class(Napi::Env env) {
  environment_data(env).vector_index_class = Napi::Persistent(NativeVectorIndex::define(env));
}

}  // namespace bert_native
