#include "onnxruntime/graph_runner.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "allocation_limit.h"
#include "check_throws.h"
#include "common/errors.h"
#include "encoder/compute_limits.h"
#include "harness.h"
#include "onnxruntime/fake_session.h"
#include "onnxruntime/graph_call.h"

namespace bert_native::test {

namespace {

const std::vector<Pooling> kAllModes = {Pooling::kCls,           Pooling::kMax,          Pooling::kMean,
                                        Pooling::kMeanSqrtLength, Pooling::kWeightedMean, Pooling::kLastToken};

std::shared_ptr<GraphEncoder> make_encoder(const FakeSession::Types& types = {}) {
  return make_fake_encoder(std::make_shared<FakeSession>(types));
}

const FakeSession& fake(const GraphEncoder& encoder) { return static_cast<const FakeSession&>(*encoder.session); }

GraphWanted everything(bool compute_masked) {
  GraphWanted wanted;
  wanted.states = wanted.pooler = wanted.layers = wanted.heads = true;
  wanted.pooling = kAllModes;
  wanted.compute_masked = compute_masked;
  return wanted;
}

GraphWanted only_states() {
  GraphWanted wanted;
  wanted.states = true;
  return wanted;
}

// A rectangle of ten positions with every kind of mask.
std::vector<GraphRow> masked_rows() {
  std::vector<GraphRow> rows = plain_rows(std::vector<size_t>(8, 10), 3);
  rows[1].mask = {1, 1, 1, 1, 0, 0, 0, 0, 0, 0};
  rows[2].mask = {0, 0, 0, 1, 1, 1, 1, 1, 1, 1};
  rows[3].mask = {1, 0, 1, 0, 1, 1, 0, 1, 0, 0};
  rows[4].mask = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  rows[5].mask = {0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  rows[6].mask = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  rows[7].types = {0, 0, 0, 0, 1, 1, 1, 1, 1, 1};
  rows[7].positions = {9, 8, 7, 6, 5, 4, 3, 2, 1, 0};
  return rows;
}

void run_and_check(const std::shared_ptr<const GraphEncoder>& encoder, std::vector<GraphRow> rows,
                   const GraphWanted& wanted, bool stays = true) {
  const auto call = submit(encoder, std::move(rows), wanted, stays);
  call->await();
  call->check_results();
}

void gives_every_output() {
  for (const bool compute : {false, true}) {
    for (const bool stays : {false, true}) {
      run_and_check(make_encoder(), masked_rows(), everything(compute), stays);
      run_and_check(make_encoder(), plain_rows({12, 12, 12, 12}, 4), everything(compute), stays);
      run_and_check(make_encoder(), plain_rows({1, 40, 7, 7, 33, 2, 19, 7}, 5), everything(compute), stays);
    }
  }
}

void takes_every_type() {
  const GraphType wholes[] = {GraphType::kInt32, GraphType::kInt64};
  const GraphType masks[] = {GraphType::kInt32, GraphType::kInt64, GraphType::kBool, GraphType::kF16, GraphType::kF32};
  for (const GraphType ids : wholes) {
    for (const GraphType mask : masks) {
      for (const GraphType outputs : {GraphType::kF16, GraphType::kF32}) {
        for (const bool choices : {false, true}) {
          run_and_check(make_encoder({ids, mask, outputs, choices}), masked_rows(), everything(true));
        }
      }
    }
  }
}

void pools_and_selects() {
  GraphWanted wanted;
  wanted.pooling = kAllModes;
  wanted.normalize = true;
  wanted.skip = 2;
  run_and_check(make_encoder(), masked_rows(), wanted);
  GraphWanted listed;
  listed.heads = true;
  listed.head_positions = {0, 3, 7};
  for (const bool compute : {false, true}) {
    listed.compute_masked = compute;
    run_and_check(make_encoder(), masked_rows(), listed);
  }
}

void counts_positions_as_roberta() {
  const auto encoder = make_encoder();
  encoder->specification.embeddings.position_padding_id = 1;
  std::vector<GraphRow> rows = plain_rows({9, 4, 6}, 8);
  rows[0].ids[2] = rows[2].ids[0] = rows[2].ids[5] = 1;
  run_and_check(encoder, rows, everything(true));
}

// Only what is needed runs: not the masked end of a row, nor what nobody asked for.
void trims_rows() {
  const auto encoder = make_encoder();
  std::vector<GraphRow> rows = plain_rows({10, 10}, 6);
  rows[0].mask = {1, 1, 1, 0, 0, 0, 0, 0, 0, 0};
  rows[1].mask = {1, 0, 1, 1, 0, 0, 0, 0, 0, 0};
  run_and_check(encoder, rows, only_states());
  const auto runs = fake(*encoder).runs();
  size_t columns = 0;
  for (const FakeSession::Run& run : runs) {
    columns = std::max(columns, run.columns);
    BN_CHECK(run.outputs == std::vector<std::string>{"states"}, "another output was computed");
  }
  BN_CHECK(columns == 4, "masked positions at the end went through the graph");
}

void finishes_calls_of_nothing() {
  const auto encoder = make_encoder();
  submit(encoder, {}, only_states())->await();
  GraphWanted wanted = everything(false);
  wanted.layers = false;
  const auto empty = submit(encoder, plain_rows({0, 0}, 1), wanted);
  empty->await();
  for (const float x : empty->pooled) BN_CHECK(x == 0, "the vector of no tokens is not zero");
  GraphWanted mean;
  mean.states = true;
  mean.pooling = {Pooling::kMean};
  std::vector<GraphRow> masked = plain_rows({5}, 1);
  masked[0].mask = {0, 0, 0, 0, 0};
  run_and_check(encoder, masked, mean);
  BN_CHECK(fake(*encoder).runs().empty(), "the graph ran for nothing");
}

void writes_in_place_where_it_can() {
  const auto encoder = make_encoder();
  encoder->token_budget = 1000;
  ComputeLimits::instance().set_thread_count(1);
  const auto in_place = [&](std::vector<GraphRow> rows, const GraphWanted& wanted, bool stays) {
    const auto call = submit(encoder, std::move(rows), wanted, stays);
    call->await();
    call->check_results();
    const FakeSession::Run run = fake(*encoder).runs().back();
    return run.memory[0] == call->states.data();
  };
  std::vector<GraphRow> masked = plain_rows({8, 8}, 2);
  masked[1].mask = {1, 1, 1, 1, 1, 1, 0, 1};
  GraphWanted skip = only_states(), compute = only_states();
  compute.compute_masked = true;
  BN_CHECK(in_place(plain_rows({8, 8, 8}, 2), skip, true), "whole rows were copied");
  BN_CHECK(in_place(masked, compute, true), "computed masked positions were copied");
  BN_CHECK(!in_place(masked, skip, true), "masked positions are not zeros then");
  BN_CHECK(!in_place(plain_rows({8, 9}, 2), skip, true), "rows of different lengths");
  BN_CHECK(!in_place(plain_rows({8, 8, 8}, 2), skip, false), "memory that may go away was written to");
  ComputeLimits::instance().set_thread_count(2);
}

void fills_fixed_shapes() {
  const auto encoder = make_encoder();
  encoder->binding.fixed_rows = 3;
  encoder->binding.fixed_columns = 16;
  run_and_check(encoder, plain_rows({16, 3, 16, 7, 1}, 7), everything(false));
  run_and_check(encoder, plain_rows({16, 16, 16}, 7), everything(false));
  for (const FakeSession::Run& run : fake(*encoder).runs()) {
    BN_CHECK(run.rows == 3 && run.columns == 16, "the graph ran in another shape than it has");
  }
  check_throws(ErrorCode::kShape, "17 positions", [&] { submit(encoder, plain_rows({17}, 1), only_states()); });
}

void runs_without_a_mask() {
  const auto session = std::make_shared<FakeSession>();
  session->drop_input("attention_mask");
  const auto encoder = make_fake_encoder(session);
  run_and_check(encoder, plain_rows({3, 9, 3, 5, 9}, 9), everything(false));
  std::vector<GraphRow> rows = plain_rows({4}, 9);
  rows[0].mask = {1, 1, 0, 0};
  run_and_check(encoder, rows, only_states());
  rows[0].mask = {1, 0, 1, 0};
  check_throws(ErrorCode::kOption, "position 1 of sequence 0 is masked",
               [&] { submit(encoder, rows, only_states()); });
}

void names_what_the_graph_lacks() {
  const auto encoder = make_encoder();
  encoder->binding.pooler_output = "";
  encoder->binding.heads[1].clear();
  encoder->binding.hidden_states.clear();
  GraphWanted pooler;
  pooler.pooler = true;
  check_throws(ErrorCode::kOption, "no output for pooler_output: its outputs are states",
               [&] { submit(encoder, plain_rows({3}, 1), pooler); });
  GraphWanted heads;
  heads.heads = true;
  check_throws(ErrorCode::kOption, "no output for the head 'span'",
               [&] { submit(encoder, plain_rows({3}, 1), heads); });
  GraphWanted layers;
  layers.layers = true;
  check_throws(ErrorCode::kOption, "no output for hidden_states",
               [&] { submit(encoder, plain_rows({3}, 1), layers); });
  const auto session = std::make_shared<FakeSession>();
  session->drop_input("position_ids");
  std::vector<GraphRow> rows = plain_rows({2}, 1);
  rows[0].positions = {1, 0};
  check_throws(ErrorCode::kOption, "takes no position_ids: its inputs are input_ids",
               [&] { submit(make_fake_encoder(session), rows, only_states()); });
}

void refuses_wrong_sequences_before_they_wait() {
  std::vector<GraphRow> rows = plain_rows({3, 3}, 1);
  rows[1].ids[2] = 32;
  check_throws(ErrorCode::kTokenId, "token id 32 at sequence 1, position 2",
               [&] { submit(make_encoder(), rows, only_states()); });
  check_throws(ErrorCode::kSequenceTooLong, "65 positions",
               [&] { submit(make_encoder(), plain_rows({65}, 1), only_states()); });
}

void runs_batches_at_once() {
  ComputeLimits::instance().set_thread_count(3);
  const auto session = std::make_shared<FakeSession>();
  const auto encoder = make_fake_encoder(session);
  session->block();
  const auto call = submit(encoder, plain_rows(std::vector<size_t>(12, 32), 2), only_states());
  session->await_blocked(3);
  session->release();
  call->await();
  call->check_results();
  BN_CHECK(session->most_at_once() == 3, std::to_string(session->most_at_once()) + " runs at once on three threads");

  // Runs that compute on two threads each leave no room for a second.
  const auto wide_session = std::make_shared<FakeSession>();
  const auto wide = make_fake_encoder(wide_session);
  wide->intra_op_threads = 2;
  submit(wide, plain_rows(std::vector<size_t>(12, 32), 2), only_states())->await();
  BN_CHECK(wide_session->most_at_once() == 1, "two runs of two threads on three");
  ComputeLimits::instance().set_thread_count(2);
}

// All threads are in batches of a large call, which do not end; a small call runs all the same.
void small_calls_overtake_large_ones() {
  const auto session = std::make_shared<FakeSession>(), other = std::make_shared<FakeSession>();
  const auto encoder = make_fake_encoder(session), free = make_fake_encoder(other);
  session->block();
  const auto large = submit(encoder, plain_rows(std::vector<size_t>(40, 32), 2), only_states());
  session->await_blocked(2);
  for (int i = 0; i < 3; ++i) submit(free, plain_rows({5}, 2), only_states())->await();
  BN_CHECK(large->outcome.wait_for(std::chrono::seconds(0)) != std::future_status::ready, "the large call is done");
  session->release();
  large->await();
  large->check_results();
}

// Of two large calls, neither waits until the other is done.
void large_calls_take_turns() {
  ComputeLimits::instance().set_thread_count(1);
  const auto session = std::make_shared<FakeSession>();
  const auto encoder = make_fake_encoder(session);
  std::mutex mutex;
  std::vector<char> order;
  session->on_run = [&](size_t rows) {
    const std::lock_guard lock(mutex);
    order.push_back(rows == 1 ? 'b' : 'a');
  };
  session->block();
  const auto first = submit(encoder, plain_rows(std::vector<size_t>(20, 32), 2), only_states());
  session->await_blocked(1);
  const auto second = submit(encoder, plain_rows(std::vector<size_t>(5, 64), 2), only_states());
  session->release();
  first->await();
  second->await();
  const auto last_of_second = std::find(order.rbegin(), order.rend(), 'b');
  BN_CHECK(std::count(order.begin(), order.end(), 'b') == 5, "the second call has other batches than expected");
  BN_CHECK(std::count(order.rbegin(), last_of_second, 'a') >= 3, "the second call waited: " + std::string(order.begin(), order.end()));
  ComputeLimits::instance().set_thread_count(2);
}

void many_callers_at_once() {
  const auto encoder = make_encoder();
  std::vector<std::thread> callers;
  std::atomic<size_t> failed{0};
  for (uint32_t caller = 0; caller < 6; ++caller) {
    callers.emplace_back([&, caller] {
      for (uint32_t i = 0; i < 30; ++i) {
        try {
          const size_t longest = 1 + (caller * 7 + i) % 60;
          run_and_check(encoder, plain_rows({longest, 3, 1 + longest / 2, longest}, caller * 100 + i),
                        everything(i % 2 == 0), i % 3 == 0);
        } catch (...) {
          ++failed;
        }
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  BN_CHECK(failed == 0, std::to_string(failed) + " calls failed or gave wrong results");
}

void counts_what_it_does() {
  const auto session = std::make_shared<FakeSession>();
  const auto encoder = make_fake_encoder(session);
  const auto counters = std::make_shared<ForwardCounters>();
  const auto add = [&](std::vector<GraphRow> rows) {
    auto call = std::make_shared<GraphCall>(encoder, std::move(rows), only_states());
    call->counters = counters;
    GraphRunner::instance().submit(call);
    return call;
  };
  session->block();
  const auto running = add(plain_rows(std::vector<size_t>(8, 32), 1));
  session->await_blocked(2);
  const auto waiting = add(plain_rows({64, 64, 64}, 1));
  BN_CHECK(counters->running_calls == 1 && counters->queued_calls == 1, "not one call runs and one waits");
  BN_CHECK(counters->queued_tokens == 8 * 32 - 2 * 64 + 3 * 64, std::to_string(counters->queued_tokens) + " tokens wait");
  session->release();
  running->await();
  waiting->await();
  BN_CHECK(counters->running_calls == 0 && counters->queued_calls == 0 && counters->queued_tokens == 0,
           "something is left");
  BN_CHECK(counters->finished_calls == 2 && counters->computed_tokens == 8 * 32 + 3 * 64, "wrong sums");
  BN_CHECK(running->started_at >= running->submitted_at && running->finished_at >= running->started_at, "wrong times");
}

void refuses_what_the_queue_cannot_hold() {
  const auto session = std::make_shared<FakeSession>();
  const auto encoder = make_fake_encoder(session);
  ComputeLimits::instance().set_max_queued_tokens(200);
  session->block();
  const auto running = submit(encoder, plain_rows({64, 64}, 1), only_states());
  session->await_blocked(2);
  const auto waiting = submit(encoder, plain_rows({64, 64, 64}, 1), only_states());
  check_throws(ErrorCode::kQueueFull, "brings 10 tokens and 192 wait",
               [&] { submit(encoder, plain_rows({10}, 1), only_states()); });
  GraphRunner::instance().cancel(*waiting);
  const auto fits = submit(encoder, plain_rows({10}, 1), only_states());
  session->release();
  running->await();
  fits->await();
  ComputeLimits::instance().set_max_queued_tokens(std::numeric_limits<size_t>::max());
}

// Its runs end, and only then is the memory that it promised free.
void cancels_in_mid_run() {
  for (const bool late : {false, true}) {
    const auto session = std::make_shared<FakeSession>();
    session->ends_late = late;
    const auto encoder = make_fake_encoder(session);
    session->block();
    const auto call = submit(encoder, plain_rows(std::vector<size_t>(20, 32), 1), only_states());
    session->await_blocked(2);
    BN_CHECK(GraphRunner::instance().cancel(*call), "nothing runs of a call that does");
    BN_CHECK(!GraphRunner::instance().cancel(*call), "it can be cancelled twice");
    const bool ended = call->outcome.wait_for(std::chrono::milliseconds(late ? 20 : 60000)) == std::future_status::ready;
    BN_CHECK(ended == !late, late ? "the call was told to be done while it still ran" : "its runs did not end");
    session->release();
    call->outcome.wait();
    BN_CHECK(session->runs().size() == 2, "batches of a cancelled call ran");
    BN_CHECK(call->counters->running_calls == 0 && call->counters->finished_calls == 0 &&
                 call->counters->queued_tokens == 0,
             "a cancelled call is still counted");
    run_and_check(encoder, plain_rows({8, 8}, 2), everything(true));
  }
}

// A caller's own memory is not touched from the return of cancel() on.
void writes_nothing_behind_an_abort() {
  const auto session = std::make_shared<FakeSession>();
  session->ends_late = true;
  const auto encoder = make_fake_encoder(session);
  session->block();
  const auto call = submit(encoder, plain_rows({16, 16}, 1), everything(true), false);
  session->await_blocked(1);
  GraphRunner::instance().cancel(*call);
  session->release();
  call->outcome.wait();
  for (const auto* values : {&call->states, &call->pooler, &call->pooled, &call->labels, &call->classes}) {
    BN_CHECK(std::all_of(values->begin(), values->end(), [](float x) { return std::isnan(x); }),
             "something was written behind the abort");
  }
}

void cancels_what_waits() {
  const auto session = std::make_shared<FakeSession>();
  const auto encoder = make_fake_encoder(session);
  session->block();
  const auto running = submit(encoder, plain_rows({64, 64}, 1), only_states());
  session->await_blocked(2);
  const auto waiting = submit(encoder, plain_rows({64, 64, 64}, 1), only_states());
  BN_CHECK(!GraphRunner::instance().cancel(*waiting), "what waits has runs");
  session->release();
  running->await();
  running->check_results();
  BN_CHECK(session->runs().size() == 2, "a cancelled call ran");
}

// One batch fails: the call ends with its error, once no other runs, and others go on.
void fails_as_a_whole() {
  const auto session = std::make_shared<FakeSession>();
  const auto encoder = make_fake_encoder(session);
  std::atomic<size_t> runs{0};
  session->on_run = [&](size_t) {
    if (++runs == 2) throw Error(ErrorCode::kFileFormat, "the operator Gemm failed");
  };
  const auto call = submit(encoder, plain_rows(std::vector<size_t>(20, 32), 1), only_states());
  check_throws(ErrorCode::kFileFormat, "the operator Gemm failed", [&] { call->await(); });
  BN_CHECK(runs < 10, "batches of a call that had failed ran");
  BN_CHECK(call->counters->finished_calls == 1 && call->counters->queued_tokens == 0, "it is still counted");
  run_and_check(encoder, plain_rows({8, 8}, 2), everything(true));
}

void runs_smaller_batches_where_memory_is_short() {
  const auto session = std::make_shared<FakeSession>();
  const auto encoder = make_fake_encoder(session);
  encoder->token_budget = 1000;
  session->on_run = [](size_t rows) {
    if (rows > 2) throw Error(ErrorCode::kMemory, "could not allocate");
  };
  run_and_check(encoder, plain_rows(std::vector<size_t>(20, 16), 1), everything(true));
  session->on_run = [](size_t) { throw Error(ErrorCode::kMemory, "could not allocate"); };
  check_throws(ErrorCode::kMemory, "could not allocate",
               [&] { submit(encoder, plain_rows({16, 16}, 1), only_states())->await(); });
  session->on_run = nullptr;
  // The library's own memory.
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));  // until what the last batches left is given back
  const AllocationLimit limit(4096);
  run_and_check(encoder, plain_rows(std::vector<size_t>(20, 64), 1), only_states(), false);
  BN_CHECK(limit.failures() > 0, "no allocation failed");
}

void gives_scratch_back() {
  run_and_check(make_encoder(), plain_rows({30, 7}, 1), everything(true));
  for (int i = 0; i < 600 && GraphRunner::instance().workspace_size_bytes() > 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  BN_CHECK(GraphRunner::instance().workspace_size_bytes() == 0, "idle threads keep memory");
}

void add_tests() {
  add("onnxruntime/runner: gives every output", gives_every_output);
  add("onnxruntime/runner: takes every type", takes_every_type);
  add("onnxruntime/runner: pools and selects", pools_and_selects);
  add("onnxruntime/runner: counts positions as RoBERTa", counts_positions_as_roberta);
  add("onnxruntime/runner: trims rows", trims_rows);
  add("onnxruntime/runner: finishes calls of nothing", finishes_calls_of_nothing);
  add("onnxruntime/runner: writes in place where it can", writes_in_place_where_it_can);
  add("onnxruntime/runner: fills fixed shapes", fills_fixed_shapes);
  add("onnxruntime/runner: runs without a mask", runs_without_a_mask);
  add("onnxruntime/runner: names what the graph lacks", names_what_the_graph_lacks);
  add("onnxruntime/runner: refuses wrong sequences before they wait", refuses_wrong_sequences_before_they_wait);
  add("onnxruntime/runner: runs batches at once", runs_batches_at_once);
  add("onnxruntime/runner: small calls overtake large ones", small_calls_overtake_large_ones);
  add("onnxruntime/runner: large calls take turns", large_calls_take_turns);
  add("onnxruntime/runner: many callers at once", many_callers_at_once);
  add("onnxruntime/runner: counts what it does", counts_what_it_does);
  add("onnxruntime/runner: refuses what the queue cannot hold", refuses_what_the_queue_cannot_hold);
  add("onnxruntime/runner: cancels in mid-run", cancels_in_mid_run);
  add("onnxruntime/runner: writes nothing behind an abort", writes_nothing_behind_an_abort);
  add("onnxruntime/runner: cancels what waits", cancels_what_waits);
  add("onnxruntime/runner: fails as a whole", fails_as_a_whole);
  add("onnxruntime/runner: runs smaller batches where memory is short", runs_smaller_batches_where_memory_is_short);
  add("onnxruntime/runner: gives scratch back", gives_scratch_back);
}

const Registration registration(add_tests);

}  // namespace

}  // namespace bert_native::test
