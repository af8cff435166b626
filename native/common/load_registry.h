#pragma once

#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

namespace bert_native {

// What is loaded once for all who want it, by key. A value stays as long as somebody holds it. Of several callers with
// the same key at once one loads and the others wait; if it fails they all get its error, and the next call tries
// again. An empty key: of that caller alone.
//
// Make one with new, and never destroy it: at process exit a thread may still be letting go of its value.
template <typename Value>
class LoadRegistry {
 public:
  using Shared = std::shared_ptr<const Value>;

  Shared acquire(const std::string& key, const std::function<Shared()>& load) {
    if (key.empty()) return load();

    std::promise<Shared> promise;
    std::shared_future<Shared> loading;
    {
      const std::lock_guard lock(mutex_);
      std::erase_if(loaded_, [](const auto& entry) { return entry.second.expired(); });
      const auto loaded = loaded_.find(key);
      if (loaded != loaded_.end()) {
        if (Shared value = loaded->second.lock()) return value;
      }
      const auto other = loading_.find(key);
      if (other != loading_.end()) {
        loading = other->second;
      } else {
        loading_.emplace(key, promise.get_future().share());
      }
    }
    if (loading.valid()) return loading.get();

    try {
      Shared value = load();
      {
        const std::lock_guard lock(mutex_);
        loaded_[key] = value;
        loading_.erase(key);
      }
      promise.set_value(value);
      return value;
    } catch (...) {
      {
        const std::lock_guard lock(mutex_);
        loading_.erase(key);
      }
      promise.set_exception(std::current_exception());
      throw;
    }
  }

 private:
  std::mutex mutex_;
  std::unordered_map<std::string, std::weak_ptr<const Value>> loaded_;
  std::unordered_map<std::string, std::shared_future<Shared>> loading_;
};

}  // namespace bert_native
