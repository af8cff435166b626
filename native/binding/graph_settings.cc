#include "binding/graph_settings.h"

#include <limits>

#include "common/key_writer.h"

namespace bert_native {

namespace {

// More than a machine has, fewer than a system gives.
constexpr int32_t kMostThreads = 1024;

std::string name_or_empty(const Fields& object, const char* name) {
  return object.is_null(name) ? std::string() : object.utf8(name);
}

std::vector<std::string> read_names(const Fields& object, const char* name) {
  std::vector<std::string> names;
  object.each(name, [&](const Napi::Value& value, const auto& path) {
    if (!value.IsString()) throw_expected(path(), "a string");
    names.push_back(value.As<Napi::String>().Utf8Value());
  });
  return names;
}

// Calls visit(key, value, path) for each pair of an array.
template <typename Visit>
void each_pair(const Fields& object, const char* name, Visit&& visit) {
  object.each(name, [&](const Napi::Value& element, const auto& path) {
    if (!element.IsArray() || element.As<Napi::Array>().Length() != 2) throw_expected(path(), "a pair");
    const Napi::Array pair = element.As<Napi::Array>();
    const Napi::Value key = pair.Get(0u);
    if (!key.IsString()) throw_expected(path() + "[0]", "a string");
    visit(key.As<Napi::String>().Utf8Value(), Napi::Value(pair.Get(1u)), path() + "[1]");
  });
}

NamedSettings read_settings(const Fields& object, const char* name) {
  NamedSettings settings;
  each_pair(object, name, [&](std::string key, const Napi::Value& value, const std::string& path) {
    if (!value.IsString()) throw_expected(path, "a string");
    settings.emplace_back(std::move(key), value.As<Napi::String>().Utf8Value());
  });
  return settings;
}

void add_settings(KeyWriter& key, const NamedSettings& settings) {
  key.add(settings.size());
  for (const auto& [name, value] : settings) {
    key.add_text(name);
    key.add_text(value);
  }
}

}  // namespace

GraphBinding read_graph_binding(const Fields& object) {
  GraphBinding binding;
  binding.input_ids = name_or_empty(object, "input_ids");
  binding.attention_mask = name_or_empty(object, "attention_mask");
  binding.token_type_ids = name_or_empty(object, "token_type_ids");
  binding.position_ids = name_or_empty(object, "position_ids");
  binding.inputs_embeds = name_or_empty(object, "inputs_embeds");
  binding.has_choices = object.boolean("has_choices");
  binding.padding_token_id = object.integer("padding_token_id", 0);
  binding.fixed_rows = object.size("fixed_rows");
  binding.fixed_columns = object.size("fixed_columns");
  binding.last_hidden_state = name_or_empty(object, "last_hidden_state");
  binding.pooler_output = name_or_empty(object, "pooler_output");
  binding.hidden_states = read_names(object, "hidden_states");
  binding.attentions = read_names(object, "attentions");
  object.each("heads", [&](const Napi::Value& head, const auto& path) {
    if (!head.IsArray()) throw_expected(path(), "an array");
    auto& outputs = binding.heads.emplace_back();
    const Napi::Array elements = head.As<Napi::Array>();
    for (uint32_t i = 0; i < elements.Length(); i++) {
      const Fields output(elements.Get(i), path() + "[" + std::to_string(i) + "]");
      outputs.push_back({output.utf8("name"), output.integer("column", -1)});
    }
  });
  return binding;
}

SessionSettings read_session_settings(const Fields& object) {
  SessionSettings settings;
  settings.intra_op_threads = static_cast<size_t>(object.integer("intra_op_threads", 0, kMostThreads));
  settings.inter_op_threads = static_cast<size_t>(object.integer("inter_op_threads", 0, kMostThreads));
  settings.parallel_execution = object.boolean("parallel_execution");
  settings.optimization = choose<GraphOptimization>(object.utf8("optimization"), object.path("optimization"),
                                                    {{"disabled", GraphOptimization::kDisabled},
                                                     {"basic", GraphOptimization::kBasic},
                                                     {"extended", GraphOptimization::kExtended},
                                                     {"layout", GraphOptimization::kLayout},
                                                     {"all", GraphOptimization::kAll}});
  settings.optimized_model_path = object.utf8("optimized_model_path");
  settings.memory_arena = object.boolean("memory_arena");
  settings.memory_pattern = object.boolean("memory_pattern");
  settings.log_severity = object.integer("log_severity", 0, 4);
  object.each("providers", [&](const Napi::Value& value, const auto& path) {
    const Fields provider(value, path());
    settings.providers.push_back({provider.utf8("name"), read_settings(provider, "settings")});
  });
  settings.entries = read_settings(object, "entries");
  each_pair(object, "free_dimensions", [&](std::string name, const Napi::Value& length, const std::string& path) {
    const uint64_t size = to_size(length, path);
    if (size == 0) throw_expected(path, "a length above 0");
    settings.free_dimensions.emplace_back(std::move(name), static_cast<int64_t>(size));
  });
  return settings;
}

std::string session_key(const std::string& path, const std::vector<std::string>& identity,
                        const SessionSettings& settings) {
  KeyWriter key;
  key.add_text(path);
  key.add(identity.size());
  for (const std::string& part : identity) key.add_text(part);
  key.add(settings.intra_op_threads);
  key.add(settings.inter_op_threads);
  key.add(settings.parallel_execution);
  key.add(static_cast<int>(settings.optimization));
  key.add_text(settings.optimized_model_path);
  key.add(settings.memory_arena);
  key.add(settings.memory_pattern);
  key.add(settings.log_severity);
  key.add(settings.providers.size());
  for (const ExecutionProvider& provider : settings.providers) {
    key.add_text(provider.name);
    add_settings(key, provider.settings);
  }
  add_settings(key, settings.entries);
  for (const auto& [name, length] : settings.free_dimensions) {
    key.add_text(name);
    key.add(length);
  }
  return key.take();
}

}  // namespace bert_native
