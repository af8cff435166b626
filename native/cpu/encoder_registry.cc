#include "cpu/encoder_registry.h"

#include <cstdio>
#include <future>
#include <mutex>
#include <unordered_map>
#include <utility>

namespace bert_native {

namespace {

using SharedEncoder = std::shared_ptr<const CpuEncoder>;

// Fields one after another with a separator that no number contains; strings carry their length, so two different lists
// of fields never give the same text.
class KeyWriter {
 public:
  template <typename Integer>
  void add(Integer value) {
    text_ += std::to_string(value);
    text_ += ' ';
  }
  void add_float(double value) {
    char digits[40];
    std::snprintf(digits, sizeof digits, "%a ", value);
    text_ += digits;
  }
  void add_text(const std::string& value) {
    add(value.size());
    text_ += value;
    text_ += ' ';
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

void add_specification(KeyWriter& key, const EncoderSpecification& specification) {
  const EmbeddingsSpecification& embeddings = specification.embeddings;
  key.add(specification.hidden_size);
  key.add(embeddings.vocab_size);
  key.add(static_cast<int>(embeddings.position));
  key.add(embeddings.max_position_embeddings);
  key.add(embeddings.type_vocab_size);
  key.add_float(embeddings.layer_norm_eps);
  key.add(specification.layers.size());
  for (const LayerSpecification& layer : specification.layers) {
    key.add(layer.num_attention_heads);
    key.add(layer.head_size);
    key.add(static_cast<int>(layer.attention_position));
    key.add(static_cast<int>(layer.mask.kind));
    key.add(layer.mask.window);
    key.add(layer.intermediate_size);
    key.add(static_cast<int>(layer.activation));
    key.add_float(layer.layer_norm_eps);
  }
  key.add(static_cast<int>(specification.pooler));
}

struct AddValues {
  KeyWriter& key;

  void operator()(const FileSpan& span) const {
    // Some file systems give an inode to another file later, and an image may stamp all its files with one time.
    key.add_text(span.path);
    key.add(span.identity.device);
    key.add(span.identity.inode);
    key.add(span.identity.size_bytes);
    key.add(span.identity.modified_ns);
    key.add(span.identity.changed_ns);
    key.add(span.byte_offset);
    key.add(static_cast<int>(span.dtype));
    for (const uint64_t stride : span.strides) key.add(stride);
  }
  void operator()(const NormalInit& init) const {
    key.add(init.seed);
    key.add_float(init.std);
    key.add(init.zero_row);
  }
  void operator()(const ConstantInit& init) const { key.add_float(init.value); }
  void operator()(const std::vector<float>&) const {}
};

std::mutex& registry_mutex() {
  static std::mutex* const mutex = new std::mutex();
  return *mutex;
}

// Never destroyed: at process exit a worker may still be letting go of its encoder.
std::unordered_map<std::string, std::weak_ptr<const CpuEncoder>>& loaded_encoders() {
  static auto* const encoders = new std::unordered_map<std::string, std::weak_ptr<const CpuEncoder>>();
  return *encoders;
}

std::unordered_map<std::string, std::shared_future<SharedEncoder>>& loading_encoders() {
  static auto* const encoders = new std::unordered_map<std::string, std::shared_future<SharedEncoder>>();
  return *encoders;
}

void forget_released_encoders() {
  std::erase_if(loaded_encoders(), [](const auto& entry) { return entry.second.expired(); });
}

}  // namespace

std::string encoder_key(const EncoderSpecification& specification, const ParameterSources& sources, MatrixType type,
                        Isa isa) {
  KeyWriter key;
  key.add(static_cast<int>(isa));
  key.add(static_cast<int>(type));
  add_specification(key, specification);
  for (const auto& [name, source] : sources) {
    if (std::holds_alternative<std::vector<float>>(source.values)) return "";
    key.add_text(name);
    key.add(source.values.index());
    for (const size_t size : source.shape) key.add(size);
    std::visit(AddValues{key}, source.values);
  }
  return key.take();
}

SharedEncoder acquire_encoder(const std::string& key, const std::function<std::unique_ptr<CpuEncoder>()>& load) {
  if (key.empty()) return load();

  std::promise<SharedEncoder> promise;
  std::shared_future<SharedEncoder> loading;
  {
    const std::lock_guard lock(registry_mutex());
    forget_released_encoders();
    const auto loaded = loaded_encoders().find(key);
    if (loaded != loaded_encoders().end()) {
      if (SharedEncoder encoder = loaded->second.lock()) return encoder;
    }
    const auto other = loading_encoders().find(key);
    if (other != loading_encoders().end()) {
      loading = other->second;
    } else {
      loading_encoders().emplace(key, promise.get_future().share());
    }
  }
  if (loading.valid()) return loading.get();

  try {
    SharedEncoder encoder = load();
    {
      const std::lock_guard lock(registry_mutex());
      loaded_encoders()[key] = encoder;
      loading_encoders().erase(key);
    }
    promise.set_value(encoder);
    return encoder;
  } catch (...) {
    {
      const std::lock_guard lock(registry_mutex());
      loading_encoders().erase(key);
    }
    promise.set_exception(std::current_exception());
    throw;
  }
}

}  // namespace bert_native
