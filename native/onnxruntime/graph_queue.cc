#include "onnxruntime/graph_queue.h"

#include <algorithm>
#include <utility>

namespace bert_native {

bool GraphQueue::Before::operator()(const std::shared_ptr<GraphTask>& a, const std::shared_ptr<GraphTask>& b) const {
  if (!a->small && a->virtual_time != b->virtual_time) return a->virtual_time < b->virtual_time;
  return a->arrival < b->arrival;
}

void GraphQueue::add(std::shared_ptr<GraphTask> task) {
  task->small = task->waiting_tokens <= kSmallTokens;
  task->arrival = arrivals_++;
  Class& own = class_of(*task);
  task->virtual_time = own.virtual_time;
  // What it did not use while it had nothing to do is gone.
  if (own.tasks.empty()) own.served = std::max(own.served, (task->small ? large_ : small_).served);
  own.tasks.insert(std::move(task));
}

void GraphQueue::remove(GraphTask& task) {
  Class& own = class_of(task);
  // The set compares what the tasks say, not who holds them.
  const std::shared_ptr<GraphTask> key(std::shared_ptr<GraphTask>(), &task);
  const auto entry = own.tasks.find(key);
  if (entry != own.tasks.end() && entry->get() == &task) own.tasks.erase(entry);
}

const GraphQueue::Class& GraphQueue::next_class() const {
  const bool small = !small_.tasks.empty() && (large_.tasks.empty() || small_.served <= large_.served);
  return small ? small_ : large_;
}

const GraphTask* GraphQueue::next() const { return is_empty() ? nullptr : next_class().tasks.begin()->get(); }
const GraphTask* GraphQueue::next_small() const { return has_small() ? small_.tasks.begin()->get() : nullptr; }

std::pair<std::shared_ptr<GraphTask>, const GraphBatch*> GraphQueue::take() {
  return take_from(const_cast<Class&>(next_class()));
}

std::pair<std::shared_ptr<GraphTask>, const GraphBatch*> GraphQueue::take_small() { return take_from(small_); }

std::pair<std::shared_ptr<GraphTask>, const GraphBatch*> GraphQueue::take_from(Class& from) {
  const size_t tasks_at_start = from.tasks.size();
  auto node = from.tasks.extract(from.tasks.begin());
  std::shared_ptr<GraphTask> task = node.value();
  const GraphBatch& batch = task->batches[task->next++];
  const size_t tokens = task->tokens(batch);
  task->waiting_tokens -= tokens;
  task->virtual_time += static_cast<double>(tokens);
  from.served += static_cast<double>(tokens);
  from.virtual_time += static_cast<double>(tokens) / static_cast<double>(tasks_at_start);
  if (task->next < task->batches.size()) from.tasks.insert(std::move(node));
  return {std::move(task), &batch};
}

}  // namespace bert_native
