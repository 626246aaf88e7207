// Tasks are handed out by an atomic counter. A call opens the pool; workers that are awake join, and the
// caller, once no task is left, closes it and waits for those that joined only: a worker that the system put
// aside costs nothing. A training step makes hundreds of short calls, so both sides look for a while before
// they sleep.
#include "kernels/base/parallel.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "kernels/base/error.h"

namespace kernels {

namespace {

constexpr int kLooks = 4000;  // some tens of microseconds: longer than the gaps within a step
constexpr int64_t kClosed = int64_t{1} << 32;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

struct ThreadPool::State {
  std::vector<std::thread> workers;
  std::mutex mutex;
  std::condition_variable wake, idle;
  std::atomic<uint64_t> generation{0};    // of calls; raised under the mutex
  std::atomic<bool> stopping{false};      // set under the mutex
  std::atomic<int64_t> members{kClosed};  // workers inside, plus kClosed when nobody may join
  std::atomic<int64_t> next{0};
  int64_t tasks = 0;  // this and `body` are written only while closed and empty
  const std::function<void(int64_t)>* body = nullptr;
  std::exception_ptr error;  // guarded by the mutex

  void work() {
    try {
      for (int64_t i = next.fetch_add(1); i < tasks; i = next.fetch_add(1)) (*body)(i);
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!error) error = std::current_exception();
      next.store(tasks);
    }
  }

  bool join() {
    int64_t inside = members.load(std::memory_order_relaxed);
    while ((inside & kClosed) == 0) {
      if (members.compare_exchange_weak(inside, inside + 1, std::memory_order_acq_rel)) return true;
    }
    return false;
  }

  void leave() {
    if (members.fetch_sub(1, std::memory_order_acq_rel) - 1 != kClosed) return;
    const std::lock_guard lock(mutex);
    idle.notify_one();
  }

  void worker_loop() {
    uint64_t seen = 0;
    const auto called = [&] { return stopping.load() || generation.load(std::memory_order_acquire) != seen; };
    while (true) {
      for (int look = 0; look < kLooks && !called(); ++look) pause();
      if (!called()) {
        std::unique_lock lock(mutex);
        wake.wait(lock, called);
      }
      if (stopping.load()) return;
      seen = generation.load(std::memory_order_acquire);
      if (!join()) continue;
      work();
      leave();
    }
  }

  void wait_until_empty() {
    const auto empty = [&] { return members.load(std::memory_order_acquire) == kClosed; };
    for (int look = 0; look < kLooks && !empty(); ++look) pause();
    if (empty()) return;
    std::unique_lock lock(mutex);
    idle.wait(lock, empty);
  }
};

ThreadPool::ThreadPool(int threads) : state_(std::make_unique<State>()) {
  CPM_CHECK(threads >= 1, "a thread pool of {} threads", threads);
  for (int i = 1; i < threads; ++i)
    state_->workers.emplace_back([state = state_.get()] { state->worker_loop(); });
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping.store(true);
  }
  state_->wake.notify_all();
  for (auto& worker : state_->workers) worker.join();
}

int ThreadPool::size() const {
  return static_cast<int>(state_->workers.size()) + 1;
}

void ThreadPool::parallel_for(int64_t tasks, const std::function<void(int64_t)>& body) {
  State& s = *state_;
  if (s.workers.empty() || tasks <= 1) {
    for (int64_t i = 0; i < tasks; ++i) body(i);
    return;
  }
  s.body = &body;
  s.tasks = tasks;
  s.error = nullptr;
  s.next.store(0);
  s.members.store(0, std::memory_order_release);
  {
    const std::lock_guard lock(s.mutex);
    s.generation.fetch_add(1, std::memory_order_acq_rel);
  }
  s.wake.notify_all();
  s.work();
  s.members.fetch_or(kClosed, std::memory_order_acq_rel);
  s.wait_until_empty();
  if (s.error) std::rethrow_exception(s.error);
}

void parallel_chunks(ThreadPool& pool, int64_t count, int64_t chunk,
                     const std::function<void(int64_t, int64_t)>& body) {
  CPM_CHECK(chunk >= 1, "chunks of {} items", chunk);
  pool.parallel_for((count + chunk - 1) / chunk,
                    [&](int64_t task) { body(task * chunk, std::min(count, (task + 1) * chunk)); });
}

int available_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

}  // namespace kernels
