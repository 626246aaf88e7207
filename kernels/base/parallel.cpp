// Tasks are handed out by an atomic counter. A generation number wakes the workers; the caller waits until
// every worker that joined a generation has left it, so the body may live on the caller's stack.
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

struct ThreadPool::State {
  std::vector<std::thread> workers;
  std::mutex mutex;
  std::condition_variable wake, idle;
  uint64_t generation = 0;  // guarded by mutex, like all but `next`
  int busy = 0;
  bool stopping = false;
  int64_t tasks = 0;
  const std::function<void(int64_t)>* body = nullptr;
  std::exception_ptr error;
  std::atomic<int64_t> next{0};

  void work(const std::function<void(int64_t)>& run, int64_t count) {
    try {
      for (int64_t i = next.fetch_add(1); i < count; i = next.fetch_add(1)) run(i);
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!error) error = std::current_exception();
      next.store(count);
    }
  }

  void worker_loop() {
    uint64_t seen = 0;
    std::unique_lock lock(mutex);
    while (true) {
      wake.wait(lock, [&] { return stopping || generation != seen; });
      if (stopping) return;
      seen = generation;
      const auto* run = body;
      const int64_t count = tasks;
      lock.unlock();
      work(*run, count);
      lock.lock();
      if (--busy == 0) idle.notify_one();
    }
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
    state_->stopping = true;
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
  {
    const std::lock_guard lock(s.mutex);
    s.body = &body;
    s.tasks = tasks;
    s.error = nullptr;
    s.next.store(0);
    s.busy = static_cast<int>(s.workers.size());
    ++s.generation;
  }
  s.wake.notify_all();
  s.work(body, tasks);
  std::unique_lock lock(s.mutex);
  s.idle.wait(lock, [&] { return s.busy == 0; });
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
