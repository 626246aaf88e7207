// Two sources of the same batches. Pooled makes one when it is asked for, its samples by the threads that
// also compute: where those have all processors, threads beside them would put one aside in the middle of a
// task that the others wait for. Loader has threads that make batches ahead of the step. Each takes the next
// step that nobody has, makes its batch, and puts it on the shelf under its number; next() waits for its own
// number. At most threads + 1 batches are on the shelf or being made, which bounds the memory. A jump
// (resume) empties the shelf and starts a new round: a thread that comes back with a batch of an older round
// drops it. One mutex guards everything but the making itself.
#include "cpm/dataset/loader.h"

#include <chrono>
#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <thread>

#include "engine/runtime/clock.h"
#include "engine/runtime/random.h"
#include "kernels/base/error.h"

namespace cpm {
namespace {

/// Samples of a run by number. Keeps the last epoch's permutation: each thread has its own.
class SampleOrder {
 public:
  SampleOrder(const Dataset& dataset, LoaderOptions options) : dataset_(dataset), options_(options) {}

  /// The batch of `step`; samples that are drawn by `pool`, where there is one.
  Batch make(int64_t step, kernels::ThreadPool* pool = nullptr) {
    Batch batch = make_batch(options_.batch, dataset_.schema().count(), options_.input, options_.draw);
    batch.mask_missing = options_.mask_missing;
    const uint64_t first = static_cast<uint64_t>(step) * static_cast<uint64_t>(options_.batch);
    std::vector<int64_t> records;
    for (int slot = 0; slot < options_.batch; ++slot) {
      records.push_back(record_of(first + static_cast<uint64_t>(slot)));
    }
    const auto fill = [&](int64_t slot) {
      const int64_t record = records[static_cast<size_t>(slot)];
      Crop crop = person_crop(dataset_.record(record).person, options_.input);
      engine::Random random(options_.seed, engine::RandomStream::Augment,
                            first + static_cast<uint64_t>(slot));
      crop.flip = random.uniform() < options_.flip;
      fill_sample(dataset_, record, crop, options_.mask_missing, static_cast<int>(slot), &batch);
    };
    if (pool != nullptr && batch.drawn) {  // coordinates are packed in order
      pool->parallel_for(options_.batch, fill);
    } else {
      for (int64_t slot = 0; slot < options_.batch; ++slot) fill(slot);
    }
    return batch;
  }

 private:
  int64_t record_of(uint64_t sample) {
    const uint64_t size = static_cast<uint64_t>(dataset_.size());
    const uint64_t epoch = sample / size;
    if (order_.empty() || epoch != epoch_) {
      order_ = engine::permutation(options_.seed, epoch, static_cast<uint32_t>(size));
      epoch_ = epoch;
    }
    return order_[sample % size];
  }

  const Dataset& dataset_;
  const LoaderOptions options_;
  std::vector<uint32_t> order_;
  uint64_t epoch_ = 0;
};

/// What both sources know of their data.
class DatasetSource : public BatchSource {
 public:
  DatasetSource(const Dataset& dataset, const LoaderOptions& options) : dataset_(dataset), options_(options) {
    CPM_CHECK(options.batch >= 1, "batch {}", options.batch);
    CPM_CHECK(dataset.size() >= 1 && dataset.size() <= UINT32_MAX, "{} records", dataset.size());
    CPM_CHECK(options.input >= kStride && options.input % kStride == 0, "input {}", options.input);
  }

  int64_t epoch_size() const override { return dataset_.size(); }
  int batch_size() const override { return options_.batch; }
  const JointSchema& schema() const override { return dataset_.schema(); }
  Batch first_samples(int count) const override {
    LoaderOptions options = options_;
    options.batch = count;
    options.draw = false;
    return SampleOrder(dataset_, options).make(0);
  }

 protected:
  const Dataset& dataset_;
  const LoaderOptions options_;
};

class Pooled : public DatasetSource {
 public:
  Pooled(const Dataset& dataset, const LoaderOptions& options)
      : DatasetSource(dataset, options), order_(dataset, options) {}

  Batch next(int64_t step) override {
    const auto start = std::chrono::steady_clock::now();
    Batch batch = order_.make(step, options_.pool);
    waited_ += engine::seconds_since(start);
    return batch;
  }

  double seconds_waited() const override { return waited_; }

 private:
  SampleOrder order_;
  double waited_ = 0;
};

class Loader : public DatasetSource {
 public:
  Loader(const Dataset& dataset, const LoaderOptions& options) : DatasetSource(dataset, options) {
    CPM_CHECK(options.threads >= 1, "{} threads", options.threads);
    try {
      for (int i = 0; i < options.threads; ++i) threads_.emplace_back([this] { work(); });
    } catch (...) {
      stop();
      throw;
    }
  }

  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;
  ~Loader() override { stop(); }

  Batch next(int64_t step) override {
    const auto start = std::chrono::steady_clock::now();
    std::unique_lock lock(mutex_);
    if (!started_ || step != wanted_) jump(step);
    made_.wait(lock, [&] { return shelf_.count(step) != 0; });
    Made made = std::move(shelf_.extract(step).mapped());
    wanted_ = step + 1;
    room_.notify_all();
    waited_ += engine::seconds_since(start);
    if (made.error) std::rethrow_exception(made.error);
    return std::move(made.batch);
  }

  double seconds_waited() const override {
    const std::lock_guard lock(mutex_);
    return waited_;
  }

 private:
  struct Made {
    Batch batch;
    std::exception_ptr error;
  };

  /// Under the mutex: begins a new round at `step`.
  void jump(int64_t step) {
    started_ = true;
    ++round_;
    shelf_.clear();
    wanted_ = step;
    to_make_ = step;
    room_.notify_all();
  }

  void work() {
    SampleOrder order(dataset_, options_);
    std::unique_lock lock(mutex_);
    while (true) {
      room_.wait(lock, [&] { return stopping_ || (started_ && to_make_ < wanted_ + options_.threads + 1); });
      if (stopping_) return;
      const int64_t step = to_make_++;
      const int64_t round = round_;
      lock.unlock();
      Made made;
      try {
        made.batch = order.make(step);
      } catch (...) {
        made.error = std::current_exception();
      }
      lock.lock();
      if (round != round_) continue;
      shelf_.emplace(step, std::move(made));
      made_.notify_all();
    }
  }

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    room_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  mutable std::mutex mutex_;
  std::condition_variable made_, room_;
  std::map<int64_t, Made> shelf_;
  int64_t wanted_ = 0, to_make_ = 0, round_ = 0;
  bool started_ = false, stopping_ = false;
  double waited_ = 0;
  std::vector<std::thread> threads_;
};

}  // namespace

std::unique_ptr<BatchSource> make_loader(const Dataset& dataset, const LoaderOptions& options) {
  if (options.threads == 0) return std::make_unique<Pooled>(dataset, options);
  return std::make_unique<Loader>(dataset, options);
}

}  // namespace cpm
