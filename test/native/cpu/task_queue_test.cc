#include "cpu/task_queue.h"

#include <algorithm>
#include <new>
#include <string>
#include <vector>

#include "allocation_limit.h"
#include "harness.h"

namespace bert_native::test {

namespace {

// Stands for an encoder: the queue looks at nothing but its address.
std::shared_ptr<const CpuEncoder> encoder(size_t number) {
  static const char addresses[4] = {};
  return {std::shared_ptr<void>(), reinterpret_cast<const CpuEncoder*>(&addresses[number])};
}

// A call with a name, of sequences that need so many rows each.
struct NamedTask : ForwardTask {
  std::string name;

  NamedTask(std::string called, std::vector<uint32_t> rows_of_sequences, size_t encoder_number)
      : name(std::move(called)) {
    encoder = test::encoder(encoder_number);
    sequences.resize(rows_of_sequences.size());
    rows = std::move(rows_of_sequences);
    unfinished = rows.size();
  }
};

std::shared_ptr<NamedTask> task(const std::string& name, std::vector<uint32_t> rows, size_t encoder_number = 0) {
  return std::make_shared<NamedTask>(name, std::move(rows), encoder_number);
}

// "a0-2 b0": sequences 0 to 2 of a and 0 of b. Shares of one call that follow each other are shown as one.
std::string shown(const Block& block) {
  std::string text;
  for (const auto& [shared, begin, end] : block.shares) {
    if (!text.empty()) text += " ";
    text += static_cast<const NamedTask&>(*shared).name + std::to_string(begin);
    if (end > begin + 1) text += "-" + std::to_string(end - 1);
  }
  return text;
}

void expect(const Block& block, const std::string& expected) {
  BN_CHECK(shown(block) == expected, "the block is '" + shown(block) + "', expected '" + expected + "'");
}

void merges_calls_up_to_the_budget() {
  TaskQueue queue;
  queue.add(task("a", {10, 20}));
  queue.add(task("b", {30}));
  queue.add(task("c", {40, 50}));
  BN_CHECK(queue.waiting_rows() == 150, "150 rows wait, not " + std::to_string(queue.waiting_rows()));
  expect(queue.take(100), "a0-1 b0 c0");
  BN_CHECK(queue.waiting_rows() == 50, "50 rows wait");
  expect(queue.take(100), "c1");
  expect(queue.take(100), "");
  BN_CHECK(queue.is_empty() && queue.waiting_rows() == 0, "the queue is not empty");
}

void gives_a_long_sequence_a_block_of_its_own() {
  TaskQueue queue;
  queue.add(task("a", {10, 500, 10}));
  expect(queue.take(100), "a0");
  expect(queue.take(100), "a1");
  expect(queue.take(100), "a2");
}

void keeps_encoders_apart_in_order_of_arrival() {
  TaskQueue queue;
  queue.add(task("a", {10}, 0));
  queue.add(task("b", {10}, 1));
  queue.add(task("c", {10}, 0));
  queue.add(task("d", {10}, 1));
  expect(queue.take(100), "a0 c0");
  expect(queue.take(100), "b0 d0");
}

void serves_small_calls_first_and_by_themselves() {
  TaskQueue queue;
  queue.add(task("large", std::vector<uint32_t>(10, 50)));
  queue.add(task("small", {20}));
  const Block first = queue.take(100);
  expect(first, "small0");
  BN_CHECK(first.small, "the block of a small call is not marked as one");
  expect(queue.take(100), "large0-1");
}

void shares_evenly_between_small_and_large() {
  TaskQueue queue;
  queue.add(task("large", std::vector<uint32_t>(100, 50)));
  size_t rows_of_small = 0, rows_of_large = 0;
  for (int round = 0; round < 40; ++round) {
    // More small calls than can ever be served.
    for (int i = 0; i < 4; ++i) queue.add(task("small", {100}));
    const Block block = queue.take(100);
    (block.small ? rows_of_small : rows_of_large) += block.rows;
  }
  BN_CHECK(rows_of_large == 2000 && rows_of_small == 2000, std::to_string(rows_of_small) + " rows of small calls and " +
                                                               std::to_string(rows_of_large) + " of the large");
}

void does_not_save_up_shares() {
  TaskQueue queue;
  queue.add(task("large", std::vector<uint32_t>(1000, 100)));
  for (int i = 0; i < 100; ++i) queue.take(100);
  // Small calls had nothing to do for 10,000 rows: that does not entitle them to as many in a row.
  for (int i = 0; i < 20; ++i) queue.add(task("small", {100}));
  int small = 0;
  for (int i = 0; i < 10; ++i) small += queue.take(100).small ? 1 : 0;
  BN_CHECK(small <= 6, std::to_string(small) + " of 10 blocks went to small calls");
}

void interrupts_a_large_block_by_small_calls() {
  TaskQueue queue;
  queue.add(task("large", std::vector<uint32_t>(100, 100)));
  expect(queue.take_interruption(256), "");
  queue.take(1000);
  for (int i = 0; i < 100; ++i) queue.add(task("s", {100}));
  // As many rows as the block has, and one batch on top; then the large call goes on.
  size_t rows = 0;
  for (Block block; !(block = queue.take_interruption(256)).shares.empty();) rows += block.rows;
  BN_CHECK(rows > 1000 && rows <= 1256, std::to_string(rows) + " rows interrupted a block of 1000");
  BN_CHECK(!queue.take(1000).small, "small calls come again before the large one");
}

void shares_evenly_among_large_calls() {
  TaskQueue queue;
  queue.add(task("a", std::vector<uint32_t>(100, 100)));
  for (int i = 0; i < 5; ++i) expect(queue.take(200), "a" + std::to_string(2 * i) + "-" + std::to_string(2 * i + 1));
  queue.add(task("b", std::vector<uint32_t>(100, 100)));
  // From here on both advance; what `a` had while it was alone is not held against it.
  size_t rows_of_b = 0;
  for (int i = 0; i < 10; ++i) {
    for (const auto& [shared, begin, end] : queue.take(200).shares) {
      if (static_cast<const NamedTask&>(*shared).name == "b") rows_of_b += 100 * (end - begin);
    }
  }
  BN_CHECK(rows_of_b >= 900 && rows_of_b <= 1200, "b had " + std::to_string(rows_of_b) + " of 2000 rows");
}

void starves_nobody() {
  TaskQueue queue;
  const auto old = task("old", std::vector<uint32_t>(20, 100));
  queue.add(old);
  queue.take(100);
  int blocks = 0;
  for (; old->next < old->sequences.size() && blocks < 1000; ++blocks) {
    queue.add(task("new", {150}));  // larger than a small call, and more work than there is room for
    queue.take(100);
  }
  BN_CHECK(blocks < 200, "an old call was not done after " + std::to_string(blocks) + " blocks");
}

void removes_what_waits() {
  TaskQueue queue;
  const auto a = task("a", {10}), b = task("b", std::vector<uint32_t>(10, 50)), c = task("c", {10});
  queue.add(a);
  queue.add(b);
  queue.add(c);
  BN_CHECK(queue.remove(*a), "a did not wait");
  BN_CHECK(!queue.remove(*a), "a waits twice");
  expect(queue.take(100), "c0");
  BN_CHECK(!queue.remove(*c), "c waits although it was taken");
  expect(queue.take(100), "b0-1");
  BN_CHECK(queue.waiting_rows() == 400, std::to_string(queue.waiting_rows()) + " rows wait");
  BN_CHECK(queue.remove(*b), "the rest of b did not wait");
  BN_CHECK(queue.is_empty() && queue.waiting_rows() == 0, "something waits");
}

// Wherever an allocation fails, a call is in the queue or not, and what is taken is whole.
void survives_allocations_that_fail() {
  for (size_t count = 0;; ++count) {
    TaskQueue queue;
    queue.add(task("other", {10}, 1));
    const auto small = task("small", {10, 20}), large = task("large", {100, 100, 100});
    bool failed = false;
    for (const auto& added : {small, large}) {
      const std::shared_ptr<ForwardTask> copy = added;
      const FailingAllocations failing(count);
      try {
        queue.add(copy);
      } catch (const std::bad_alloc&) {
        BN_CHECK(failing.failed(), "an allocation failed by itself");
        failed = true;
      }
    }
    size_t rows = 0;
    for (int round = 0; round < 100 && !queue.is_empty(); ++round) {
      const FailingAllocations failing(round % 2 == 0 ? count : 1000);
      try {
        const Block block = queue.take(64);
        BN_CHECK(!block.shares.empty(), "a queue that is not empty gave nothing");
        rows += block.rows;
      } catch (const std::bad_alloc&) {
        failed = true;
      }
    }
    BN_CHECK(queue.is_empty() && queue.waiting_rows() == 0, "something is left in the queue");
    const size_t expected = 10 + (small->next == 2 ? 30 : 0) + (large->next == 3 ? 300 : 0);
    BN_CHECK(rows == expected, std::to_string(rows) + " rows were taken of " + std::to_string(expected));
    if (!failed) return;
    BN_CHECK(count < 100, "there is no end of failing");
  }
}

void add_tests() {
  add("cpu/task_queue: merges calls up to the budget", merges_calls_up_to_the_budget);
  add("cpu/task_queue: gives a long sequence a block of its own", gives_a_long_sequence_a_block_of_its_own);
  add("cpu/task_queue: keeps encoders apart, in order of arrival", keeps_encoders_apart_in_order_of_arrival);
  add("cpu/task_queue: serves small calls first and by themselves", serves_small_calls_first_and_by_themselves);
  add("cpu/task_queue: shares evenly between small and large calls", shares_evenly_between_small_and_large);
  add("cpu/task_queue: does not save up shares", does_not_save_up_shares);
  add("cpu/task_queue: interrupts a large block by small calls", interrupts_a_large_block_by_small_calls);
  add("cpu/task_queue: shares evenly among large calls", shares_evenly_among_large_calls);
  add("cpu/task_queue: starves nobody", starves_nobody);
  add("cpu/task_queue: removes what waits", removes_what_waits);
  add("cpu/task_queue: survives allocations that fail", survives_allocations_that_fail);
}

const Registration registration(add_tests);

}  // namespace

}  // namespace bert_native::test
