// The project's one thread pool. Work is cut into tasks by the problem alone, never by the number of threads,
// and a task writes only its own part of the output: so results have the same bits for any thread count.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

namespace kernels {

/// A fixed set of worker threads; the calling thread works too. One parallel_for at a time per pool; a body
/// must not call parallel_for of the same pool.
class ThreadPool {
 public:
  /// `threads` >= 1 counts the caller: a pool of 1 starts no thread.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const;

  /// Runs body(0) ... body(tasks - 1), each once, in any order and on any thread; returns when all are done.
  /// The first exception thrown by a body is rethrown here (remaining tasks are skipped).
  void parallel_for(int64_t tasks, const std::function<void(int64_t)>& body);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// parallel_for over [0, count) in chunks of `chunk` items: body(begin, end).
void parallel_chunks(ThreadPool& pool, int64_t count, int64_t chunk,
                     const std::function<void(int64_t, int64_t)>& body);

/// Processors this process may use (its affinity mask), at least 1.
int available_processors();

}  // namespace kernels
