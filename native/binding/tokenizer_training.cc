#include "binding/tokenizer_training.h"

#include <cstring>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "binding/arrays.h"
#include "binding/environment.h"
#include "binding/errors.h"
#include "binding/jobs.h"
#include "binding/texts.h"
#include "binding/values.h"
#include "cpu/background.h"
#include "tokenizer/trainers/wordpiece.h"
#include "tokenizer/unicode.h"

namespace bert_native {

namespace {

struct TrainerState {
  TrainerState(const BertNormalizerOptions& normalizer, WordPieceTrainerOptions options)
      : trainer(normalizer, std::move(options)) {}

  std::mutex mutex;  // of the trainer: one job at a time
  WordPieceTrainer trainer;
  TrainingProgress progress;
  std::atomic<uint64_t> words{0};
};

using SharedTrainer = std::shared_ptr<TrainerState>;

// A thread of its own: training takes long, and what is tokenized meanwhile should not wait for it.
void run_alone(BackgroundJob job) { run_on_own_threads(1, std::move(job)); }

class TrainerJob : public ThreadJob {
 public:
  TrainerJob(Napi::Env env, SharedTrainer state) : ThreadJob(env), state_(std::move(state)) {}
  bool cancel() override {
    state_->progress.stop = true;
    return false;
  }

 protected:
  TrainerState& state() { return *state_; }

 private:
  SharedTrainer state_;
};

class CountJob : public TrainerJob {
 public:
  CountJob(Napi::Env env, SharedTrainer state, SampleTexts texts)
      : TrainerJob(env, std::move(state)), texts_(std::move(texts)) {}

  void run(ThreadPool&) override {
    const std::lock_guard lock(state().mutex);
    const std::u16string_view units(texts_.units.data(), texts_.units.size());
    for (size_t i = 0; i + 1 < texts_.starts.size(); ++i) {
      if (state().progress.stop) throw Error(ErrorCode::kAborted, "training was aborted");
      state().trainer.count_words(units.substr(texts_.starts[i], texts_.starts[i + 1] - texts_.starts[i]));
    }
    state().words = state().trainer.words().size();
  }

  Napi::Value result(Napi::Env env) override { return env.Undefined(); }

 private:
  SampleTexts texts_;
};

class TrainJob : public TrainerJob {
 public:
  using TrainerJob::TrainerJob;

  void run(ThreadPool&) override {
    const std::lock_guard lock(state().mutex);
    starts_.push_back(0);
    for (const std::string& token : state().trainer.train(state().progress)) {
      bytes_ += token;
      if (bytes_.size() > std::numeric_limits<uint32_t>::max()) {
        throw Error(ErrorCode::kMemory, "the tokens have more than 4294967295 bytes");
      }
      starts_.push_back(static_cast<uint32_t>(bytes_.size()));
    }
  }

  Napi::Value result(Napi::Env env) override {
    auto bytes = make_typed_array<Napi::Uint8Array>(env, "Uint8Array", bytes_.size());
    if (!bytes_.empty()) std::memcpy(bytes.Data(), bytes_.data(), bytes_.size());
    auto starts = make_typed_array<Napi::Uint32Array>(env, "Uint32Array", starts_.size());
    std::memcpy(starts.Data(), starts_.data(), starts_.size() * sizeof(uint32_t));
    Napi::Object result = Napi::Object::New(env);
    result.Set("bytes", bytes);
    result.Set("starts", starts);
    return result;
  }

 private:
  std::string bytes_;
  std::vector<uint32_t> starts_;
};

std::u32string read_code_points(const Fields& fields, const char* name) {
  const std::u16string units = fields.utf16(name);
  std::u32string code_points;
  for (size_t i = 0; i < units.size();) {
    const auto [c, length] = unicode::decode_utf16(units, i);
    if ((c & ~char32_t{0x7ff}) == 0xd800) throw_expected(fields.path(name), "text without lone surrogates");
    code_points += c;
    i += length;
  }
  return code_points;
}

WordPieceTrainerOptions read_options(const Fields& fields) {
  WordPieceTrainerOptions options;
  options.vocab_size = static_cast<size_t>(fields.integer("vocab_size", 0));
  options.min_frequency = static_cast<uint64_t>(fields.integer("min_frequency", 0));
  if (!fields.is_null("limit_alphabet")) {
    options.limit_alphabet = static_cast<size_t>(fields.integer("limit_alphabet", 0));
  }
  options.initial_alphabet = read_code_points(fields, "initial_alphabet");
  fields.each("special_tokens", [&](const Napi::Value& value, auto&& path) {
    if (!value.IsString()) throw_expected(path(), "a string");
    options.special_tokens.push_back(value.As<Napi::String>().Utf8Value());
  });
  options.continuing_subword_prefix = fields.utf8("continuing_subword_prefix");
  return options;
}

BertNormalizerOptions read_normalizer(const Fields& fields) {
  return {true, fields.boolean("handle_chinese_chars"), fields.boolean("strip_accents"), fields.boolean("lowercase")};
}

SampleTexts read_texts(const Napi::Value& value) {
  const TextReader reader(value, value.Env().Null(), "");
  SampleTexts texts;
  for (size_t i = 0; i < reader.sample_count(); ++i) {
    const Napi::HandleScope scope(reader.env());
    reader.read(i, texts);
  }
  return texts;
}

Napi::Value progress_of(const Napi::CallbackInfo& info, const SharedTrainer& state) {
  using Phase = TrainingProgress::Phase;
  const Phase phase = state->progress.phase;
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("phase", phase == Phase::kCounting ? "words" : phase == Phase::kPairs ? "pairs" : "merges");
  result.Set("done", static_cast<double>(phase == Phase::kCounting ? state->words : state->progress.done));
  result.Set("total", static_cast<double>(state->progress.total));
  return result;
}

// What `body` throws rejects the promise.
template <typename Body>
Napi::Value promise_of(Napi::Env env, Body&& body) {
  try {
    return guarded(env, body);
  } catch (const Napi::Error& error) {
    const Napi::Promise::Deferred refused = Napi::Promise::Deferred::New(env);
    refused.Reject(error.Value());
    return refused.Promise();
  }
}

Napi::Value count(const Napi::CallbackInfo& info, const SharedTrainer& state) {
  const Napi::Env env = info.Env();
  return promise_of(env, [&]() -> Napi::Value {
    return environment_data(env).jobs.submit(std::make_unique<CountJob>(env, state, read_texts(info[0])), run_alone);
  });
}

Napi::Value train(const Napi::CallbackInfo& info, const SharedTrainer& state) {
  const Napi::Env env = info.Env();
  return promise_of(env, [&]() -> Napi::Value {
    return environment_data(env).jobs.submit(std::make_unique<TrainJob>(env, state), run_alone);
  });
}

Napi::Value abort(const Napi::CallbackInfo& info, const SharedTrainer& state) {
  state->progress.stop = true;
  return info.Env().Undefined();
}

}  // namespace

Napi::Value create_wordpiece_trainer(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const Fields fields(info[0], "options");
    const auto state =
        std::make_shared<TrainerState>(read_normalizer(fields.object("normalizer")), read_options(fields));
    const auto method = [&](Napi::Value (*body)(const Napi::CallbackInfo&, const SharedTrainer&), const char* name) {
      return Napi::Function::New(
          env, [body, state](const Napi::CallbackInfo& call) { return body(call, state); }, name);
    };
    Napi::Object handle = Napi::Object::New(env);
    handle.Set("count", method(count, "count"));
    handle.Set("train", method(train, "train"));
    handle.Set("progress", method(progress_of, "progress"));
    handle.Set("abort", method(abort, "abort"));
    return handle;
  });
}

}  // namespace bert_native
