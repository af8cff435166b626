#include <algorithm>

#include "cpu/attention.h"
#include "cpu/product.h"

namespace bert_native {

namespace {

// Tasks for each thread, so that one that is held up leaves work to the others. With so many queries a task packs its
// keys in an eighth of its time; with fewer, packing takes more, which pays only where threads would have nothing to
// do.
constexpr size_t kTasksPerThread = 4;
constexpr size_t kTaskQueries = 96;
constexpr size_t kLeastTaskQueries = 48;
// With so many queries packing is a hundredth. Tasks are cut no coarser: the keys that they see under a window stay in
// the second-level cache, and an abandoned pass ends soon.
constexpr size_t kMostTaskQueries = 1024;

}  // namespace

std::vector<AttentionTask> attention_tasks(const PlannedBlock& block, size_t heads, size_t threads) {
  const size_t uncut = block.sequences.size() * heads;
  const size_t needed = ceil_div(threads, uncut);
  const size_t wanted = threads == 1 ? 1 : ceil_div(threads * kTasksPerThread, uncut);
  std::vector<AttentionTask> tasks;
  for (size_t sequence = 0; sequence < block.sequences.size(); ++sequence) {
    const PlannedSequence& planned = block.sequences[sequence];
    const size_t queries = planned.key_count + planned.query_count;
    const size_t parts =
        std::max({std::clamp<size_t>(queries / kLeastTaskQueries, 1, needed),
                  std::clamp<size_t>(queries / kTaskQueries, 1, wanted), ceil_div(queries, kMostTaskQueries)});
    for (size_t head = 0; head < heads; ++head) {
      for (size_t part = 0; part < parts; ++part) {
        tasks.push_back({sequence, head, part * queries / parts, (part + 1) * queries / parts});
      }
    }
  }
  return tasks;
}

std::vector<AttentionTask> last_row_attention_tasks(const PlannedBlock& block,
                                                    const std::vector<AttentionTask>& tasks) {
  std::vector<AttentionTask> left;
  for (const AttentionTask& task : tasks) {
    const PlannedSequence& planned = block.sequences[task.sequence];
    size_t end = 0;  // of the task that is added to
    const auto add_queries = [&](size_t row_begin, size_t row_count, size_t first_query) {
      const size_t begin = row_begin + std::clamp(task.query_begin, first_query, first_query + row_count) - first_query;
      const size_t row_end = row_begin + std::clamp(task.query_end, first_query, first_query + row_count) - first_query;
      auto row = std::lower_bound(block.last_rows.begin(), block.last_rows.end(), begin);
      for (; row != block.last_rows.end() && *row < row_end; ++row) {
        const size_t query = *row - row_begin + first_query;
        if (end == 0 || query > end + kLeastTaskQueries) left.push_back({task.sequence, task.head, query, query});
        end = left.back().query_end = query + 1;
      }
    };
    add_queries(planned.key_begin, planned.key_count, 0);
    add_queries(planned.query_begin, planned.query_count, planned.key_count);
  }
  return left;
}

}  // namespace bert_native
