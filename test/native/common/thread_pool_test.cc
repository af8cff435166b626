#include "common/thread_pool.h"

#include <atomic>
#include <cfenv>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "await.h"
#include "check_throws.h"
#include "common/compiler.h"
#include "common/cpu_quota.h"
#include "common/errors.h"
#include "common/threads.h"
#include "harness.h"
#include "temporary_folder.h"

#if BN_X86_64
#include <xmmintrin.h>
#endif
#if !defined(_WIN32)
#include <pthread.h>
#include <signal.h>
#endif

namespace bert_native::test {

namespace {

void runs_every_index_once() {
  for (const size_t threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    BN_CHECK(pool.thread_count() == threads, "thread_count() is " + std::to_string(pool.thread_count()));
    for (const size_t count : {0, 1, 2, 3, 7, 64, 1000}) {
      std::vector<std::atomic<int>> runs(count);
      std::atomic<bool> worker_in_range{true};
      pool.parallel_for(count, [&](size_t index, size_t worker) {
        ++runs[index];
        if (worker >= threads) worker_in_range = false;
      });
      for (size_t i = 0; i < count; ++i) {
        BN_CHECK(runs[i] == 1, "index " + std::to_string(i) + " ran " + std::to_string(runs[i]) + " times");
      }
      BN_CHECK(worker_in_range, "a worker's number was not below the number of threads");
    }
  }
}

void a_worker_is_one_thread_at_a_time() {
  ThreadPool pool(4);
  std::vector<std::atomic<int>> inside(4);
  std::atomic<bool> shared{false};
  for (int round = 0; round < 200; ++round) {
    pool.parallel_for(16, [&](size_t, size_t worker) {
      if (++inside[worker] != 1) shared = true;
      std::this_thread::yield();
      --inside[worker];
    });
  }
  BN_CHECK(!shared, "two threads had the same worker number at once");
}

// Short jobs back to back find the workers spinning; pauses find them asleep, and on their way there.
void survives_every_rhythm() {
  ThreadPool pool(3);
  size_t sum = 0;
  for (int round = 0; round < 3000; ++round) {
    std::vector<size_t> values(5);
    pool.parallel_for(5, [&](size_t index, size_t) { values[index] = index + 1; });
    for (const size_t value : values) sum += value;
    if (round % 100 == 0) std::this_thread::sleep_for(std::chrono::microseconds(30 + round / 10));
  }
  BN_CHECK(sum == 3000 * 15, "results were lost: " + std::to_string(sum));
}

void all_threads_take_part() {
  for (const int pause_us : {0, 40, 60, 5000}) {
    ThreadPool pool(4);
    for (int round = 0; round < 20; ++round) {
      std::this_thread::sleep_for(std::chrono::microseconds(pause_us));
      std::atomic<size_t> present{0};
      pool.parallel_for(4, [&](size_t, size_t) {
        ++present;
        await([&] { return present == 4; }, "a worker did not wake up");
      });
    }
  }
}

void rethrows_the_first_exception() {
  for (const size_t threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    for (int round = 0; round < 20; ++round) {
      const auto deadline = in_a_minute();
      std::atomic<size_t> present{0};
      std::atomic<bool> went_on{false};
      bool thrown = false;
      try {
        pool.parallel_for(SIZE_MAX / 2, [&](size_t index, size_t) {  // nobody gets to the end of these
          if (std::chrono::steady_clock::now() > deadline) {
            went_on = true;
            throw Error(ErrorCode::kAborted, "too late");
          }
          if (index >= threads) return;
          ++present;
          await([&] { return present == threads; }, "a worker did not wake up");
          if (index == 0) throw Error(ErrorCode::kAborted, "index 0");
        });
      } catch (const Error& error) {
        thrown = error.code() == ErrorCode::kAborted && std::string(error.what()) == "index 0";
      }
      BN_CHECK(thrown, "the exception did not arrive");
      BN_CHECK(!went_on, "the indices after the failure were not skipped");
      std::atomic<size_t> after{0};
      pool.parallel_for(10, [&](size_t, size_t) { ++after; });
      BN_CHECK(after == 10, "the pool does not work after a failure");
    }
  }
}

void needs_a_thread() {
  check_throws(ErrorCode::kOption, "at least 1 thread", [] { ThreadPool pool(0); });
}

#if !defined(_WIN32)
void workers_take_no_signals() {
  ThreadPool pool(2);
  const std::thread::id caller = std::this_thread::get_id();
  std::atomic<bool> seen{false}, blocked{true};
  while (!seen) {
    pool.parallel_for(2, [&](size_t, size_t) {
      if (std::this_thread::get_id() == caller) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));  // leaves the other index to the worker
        return;
      }
      sigset_t mask;
      pthread_sigmask(SIG_BLOCK, nullptr, &mask);
      for (const int signal : {SIGINT, SIGTERM, SIGCHLD, SIGUSR1, SIGPROF}) {
        if (!sigismember(&mask, signal)) blocked = false;
      }
      seen = true;
    });
  }
  BN_CHECK(blocked, "a worker would run the process's signal handlers");
  sigset_t own;
  pthread_sigmask(SIG_BLOCK, nullptr, &own);
  BN_CHECK(!sigismember(&own, SIGTERM), "the caller's signals stayed blocked");
}
#endif

#if !defined(_WIN32)
[[gnu::noinline]] size_t touch_stack(size_t bytes) {
  volatile char piece[16 << 10];
  piece[0] = static_cast<char>(bytes);
  if (bytes <= sizeof piece) return static_cast<size_t>(piece[0] != 0);
  return touch_stack(bytes - sizeof piece) + static_cast<size_t>(piece[0] == 0);
}

// Dies of it otherwise.
void threads_have_room_on_their_stacks() {
  constexpr size_t kForTheFramesThemselves = 256 << 10;
  size_t touched = 0;
  Thread thread = start_thread([&] { touched = touch_stack(kThreadStackBytes - kForTheFramesThemselves); });
  thread.join();
  note(std::to_string(touched) + " pieces");
  BN_CHECK(touched > 0, "the thread did not run");
}
#endif

// A worker's results where the pool was started by a thread that rounds up and, on x86, takes subnormal numbers for 0.
void workers_round_to_nearest() {
  std::atomic<bool> seen{false};
  std::atomic<float> subnormal{0}, rounded{0};
  std::thread starter([&] {
#if BN_X86_64
    constexpr unsigned kFlushToZero = 1u << 15, kDenormalsAreZero = 1u << 6;
    _mm_setcsr(_mm_getcsr() | kFlushToZero | kDenormalsAreZero);
#endif
    std::fesetround(FE_UPWARD);
    ThreadPool pool(2);
    const std::thread::id caller = std::this_thread::get_id();
    while (!seen) {
      pool.parallel_for(2, [&](size_t, size_t) {
        if (std::this_thread::get_id() == caller) {
          std::this_thread::sleep_for(std::chrono::milliseconds(1));  // leaves the other index to the worker
          return;
        }
        volatile float small = 0x1p-100f, smaller = 0x1p-40f, one = 1, tiny = 0x1p-30f;
        subnormal = small * smaller;
        rounded = one + tiny;
        seen = true;
      });
    }
  });
  starter.join();
  BN_CHECK(subnormal == 0x1p-140f, "a worker lost a subnormal product");
  BN_CHECK(rounded == 1, "a worker does not round to nearest");
}

void counts_usable_threads() {
  const size_t count = usable_thread_count();
  note("usable_thread_count() is " + std::to_string(count));
  BN_CHECK(count >= 1 && count <= 1 << 20, std::to_string(count));
}

void check_quota(const TemporaryFolder& root, double expected) {
  const double quota = cgroup_cpu_quota(root.path());
  BN_CHECK(quota == expected, "quota is " + std::to_string(quota) + ", expected " + std::to_string(expected));
}

void reads_cgroup_v2() {
  TemporaryFolder root;
  check_quota(root, INFINITY);
  root.write("proc/self/cgroup", "0::/slice/service\n");
  root.write("proc/self/mountinfo",
             "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
             "31 22 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n");
  check_quota(root, INFINITY);
  root.write("sys/fs/cgroup/slice/service/cpu.max", "max 100000\n");
  check_quota(root, INFINITY);
  root.write("sys/fs/cgroup/slice/cpu.max", "250000 100000\n");
  check_quota(root, 2.5);
  root.write("sys/fs/cgroup/slice/service/cpu.max", "50000 100000\n");
  check_quota(root, 0.5);
}

void reads_cgroup_v1() {
  TemporaryFolder root;
  root.write("proc/self/cgroup", "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc/inner\n1:name=systemd:/docker/abc\n");
  // As a container sees it: the mount shows the container's own group.
  root.write("proc/self/mountinfo",
             "40 30 0:30 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
             "41 30 0:31 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro,nosuid master:11 - cgroup cgroup rw,cpu,cpuacct\n");
  root.write("sys/fs/cgroup/cpu,cpuacct/inner/cpu.cfs_quota_us", "-1\n");
  root.write("sys/fs/cgroup/cpu,cpuacct/inner/cpu.cfs_period_us", "100000\n");
  check_quota(root, INFINITY);
  root.write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "300000\n");
  root.write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  check_quota(root, 3);
}

void survives_odd_cgroup_files() {
  TemporaryFolder root;
  root.write("proc/self/cgroup", "\n::\n0\n0::\nnonsense");
  root.write("proc/self/mountinfo", "\n- cgroup2\n1 2 3 4 5 - cgroup2\n1 2 0:1 / /cg rw - cgroup2 none rw\n");
  check_quota(root, INFINITY);
  root.write("cg/cpu.max", "0 0\n");
  check_quota(root, INFINITY);
  root.write("cg/cpu.max", "");
  check_quota(root, INFINITY);
}

void add_tests() {
  add("common/thread_pool: runs every index once", runs_every_index_once);
  add("common/thread_pool: a worker is one thread at a time", a_worker_is_one_thread_at_a_time);
  add("common/thread_pool: survives every rhythm of jobs and pauses", survives_every_rhythm);
  add("common/thread_pool: all threads take part, awake or asleep", all_threads_take_part);
  add("common/thread_pool: rethrows the first exception and goes on", rethrows_the_first_exception);
  add("common/thread_pool: needs at least one thread", needs_a_thread);
#if !defined(_WIN32)
  add("common/thread_pool: workers take no signals", workers_take_no_signals);
  add("common/threads: threads have room on their stacks", threads_have_room_on_their_stacks);
#endif
  add("common/thread_pool: workers round to nearest and keep subnormal numbers", workers_round_to_nearest);
  add("common/thread_pool: counts usable threads", counts_usable_threads);
  add("common/cpu_quota: reads cgroup v2", reads_cgroup_v2);
  add("common/cpu_quota: reads cgroup v1", reads_cgroup_v1);
  add("common/cpu_quota: survives odd files", survives_odd_cgroup_files);
}

const Registration registration(add_tests);

}  // namespace

}  // namespace bert_native::test
