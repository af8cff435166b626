#include "cpu/task_queue.h"

#include <algorithm>
#include <new>
#include <numeric>
#include <utility>

namespace bert_native {

bool TaskQueue::Before::operator()(const std::shared_ptr<ForwardTask>& a, const std::shared_ptr<ForwardTask>& b) const {
  if (!a->small && a->virtual_time != b->virtual_time) return a->virtual_time < b->virtual_time;
  return a->arrival < b->arrival;
}

void TaskQueue::add(std::shared_ptr<ForwardTask> task) {
  task->waiting_rows = std::accumulate(task->rows.begin(), task->rows.end(), size_t{0});
  task->small = task->waiting_rows <= kSmallRows;
  task->arrival = arrivals_++;
  Class& own = class_of(*task);
  task->virtual_time = own.virtual_time;
  const size_t rows = task->waiting_rows;
  if (own.encoders.empty()) {
    // What it did not use while it had nothing to do is gone. A block that runs is not held against it.
    own.served = std::max(own.served, task->small ? large_served_before_block_ : small_.served);
  }
  const auto [encoder, is_new] = own.encoders.try_emplace(task->encoder.get());
  try {
    encoder->second.insert(std::move(task));
  } catch (...) {
    if (is_new) own.encoders.erase(encoder);
    throw;
  }
  ++own.task_count;
  waiting_rows_ += rows;
}

bool TaskQueue::remove(ForwardTask& task) {
  Class& own = class_of(task);
  const auto encoder = own.encoders.find(task.encoder.get());
  if (encoder == own.encoders.end()) return false;
  // The set compares what the tasks say, not who holds them.
  const std::shared_ptr<ForwardTask> key(std::shared_ptr<ForwardTask>(), &task);
  const auto entry = encoder->second.find(key);
  if (entry == encoder->second.end() || entry->get() != &task) return false;
  encoder->second.erase(entry);
  if (encoder->second.empty()) own.encoders.erase(encoder);
  --own.task_count;
  waiting_rows_ -= task.waiting_rows;
  task.waiting_rows = 0;
  return true;
}

Block TaskQueue::take(size_t row_budget) {
  const bool small = !small_.encoders.empty() && (large_.encoders.empty() || small_.served <= large_.served);
  large_served_before_block_ = large_.served;
  return take_from(small ? small_ : large_, row_budget);
}

Block TaskQueue::take_interruption(size_t row_budget) {
  if (small_.encoders.empty() || small_.served > large_.served) return {};
  return take_from(small_, row_budget);
}

// Takes sequence by sequence, each of the task whose turn it is, until the next would not fit.
Block TaskQueue::take_from(Class& from, size_t row_budget) {
  Block block;
  if (from.encoders.empty()) return block;
  block.small = &from == &small_;
  const auto encoder = std::min_element(from.encoders.begin(), from.encoders.end(), [](const auto& a, const auto& b) {
    return Before()(*a.second.begin(), *b.second.begin());
  });
  auto& tasks = encoder->second;
  const size_t tasks_at_start = from.task_count;
  block.shares.reserve(1);
  while (!tasks.empty() && block.rows < row_budget) {
    const std::shared_ptr<ForwardTask>& first = *tasks.begin();
    if (!block.shares.empty() && block.rows + first->rows[first->next] > row_budget) break;
    if (block.shares.empty() || block.shares.back().task != first) {
      try {
        block.shares.push_back({first, first->next, first->next});
      } catch (const std::bad_alloc&) {
        break;  // what was taken is enough
      }
    }
    auto node = tasks.extract(tasks.begin());
    ForwardTask& task = *node.value();
    const size_t rows = task.rows[task.next++];
    ++block.shares.back().end;
    block.rows += rows;
    task.waiting_rows -= rows;
    task.virtual_time += static_cast<double>(rows);
    if (task.next < task.sequences.size()) {
      tasks.insert(std::move(node));
    } else {
      --from.task_count;
    }
  }
  if (tasks.empty()) from.encoders.erase(encoder);
  waiting_rows_ -= block.rows;
  from.served += static_cast<double>(block.rows);
  from.virtual_time += static_cast<double>(block.rows) / static_cast<double>(tasks_at_start);
  return block;
}

}  // namespace bert_native
