// A launch on the interpreter's threads: blocks are taken in order; one that spins for another lets a further
// one in.
#include "core/execute.h"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "core/block_runner.h"
#include "core/device_memory.h"
#include "core/float_mode.h"
#include "core/observe.h"
#include "core/report.h"
#include "core/settings.h"
#include "core/stack_size.h"

namespace vgpu {
namespace {

constexpr uint32_t kRoundsBeforeCompany = 50;  // a block that long on its own may wait for a later one
constexpr size_t kMostResident = 64;
// Instructions a warp may run before the next one's turn: many, so that it runs far ahead; few where blocks
// wait for others.
constexpr uint32_t kQuantum = 20000, kSharedQuantum = 1000;

std::atomic<uint64_t> launches{0};

// A fixed crew that runs one function on all of its threads at a time; the caller is one of them. Never taken
// down: programs exit while streams are idle.
class Crew {
 public:
  explicit Crew(uint32_t threads) {
    for (uint32_t i = 1; i < threads; ++i) std::thread([this, i] { serve(i); }).detach();
    others_ = threads - 1;
  }
  void run(const std::function<void(uint32_t)>& work) {
    {
      const std::lock_guard lock(mutex_);
      work_ = &work;
      busy_ = others_;
      ++round_;
    }
    wake_.notify_all();
    work(0);
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return busy_ == 0; });
  }
  uint32_t size() const { return others_ + 1; }

 private:
  void serve(uint32_t index) {
    uint64_t seen = 0;
    while (true) {
      const std::function<void(uint32_t)>* work = nullptr;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] { return round_ != seen; });
        seen = round_;
        work = work_;
      }
      (*work)(index);
      const std::lock_guard lock(mutex_);
      if (--busy_ == 0) done_.notify_one();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_, done_;
  const std::function<void(uint32_t)>* work_ = nullptr;
  uint64_t round_ = 0;
  uint32_t others_ = 0, busy_ = 0;
};

Crew& crew() {
  static Crew& instance = *new Crew(settings().threads);
  return instance;
}

struct SharedState {
  std::atomic<uint64_t> next{0};
  std::atomic<int> error{0};
};

using Runners = std::vector<std::unique_ptr<BlockRunner>>;

std::unique_ptr<BlockRunner> take_runner(Runners& spare) {
  if (spare.empty()) return std::make_unique<BlockRunner>();
  std::unique_ptr<BlockRunner> runner = std::move(spare.back());
  spare.pop_back();
  return runner;
}

// Blocks of a cooperative launch are all resident: this thread's share of them takes turns. Otherwise one
// block at a time, joined by the next one whenever those here have run long without an end.
void run_blocks(const Launch& launch, SharedState& state, Runners& spare) {
  const uint64_t count = launch.grid.count();
  Runners resident;
  auto admit = [&] {
    const uint64_t index = state.next.fetch_add(1);
    if (index >= count) return false;
    resident.push_back(take_runner(spare));
    resident.back()->start(launch, index);
    return true;
  };
  uint32_t rounds = 0;
  while (state.error.load(std::memory_order_relaxed) == 0) {
    const size_t most = launch.cooperative ? count : kMostResident;
    const bool wants_company = resident.empty() || launch.cooperative || rounds > kRoundsBeforeCompany;
    if (wants_company && resident.size() < most && admit()) rounds = 0;
    if (resident.empty()) break;
    ++rounds;
    const uint32_t quantum = resident.size() > 1 ? kSharedQuantum : kQuantum;
    for (size_t i = 0; i < resident.size();) {
      if (resident[i]->round(quantum)) {
        ++i;
        continue;
      }
      resident[i]->finish();
      spare.push_back(std::move(resident[i]));
      resident.erase(resident.begin() + static_cast<std::ptrdiff_t>(i));
      rounds = 0;
    }
  }
  for (auto& runner : resident) {
    runner->finish();
    spare.push_back(std::move(runner));
  }
}

void work_through(const Launch& launch, SharedState& state) {
  thread_local Runners spare;
  const DefaultFloatMode float_mode;  // whatever the program has set for itself
  try {
    run_blocks(launch, state, spare);
  } catch (const KernelFault& caught) {
    int none = 0;
    state.error.compare_exchange_strong(none, caught.error);
  } catch (const std::bad_alloc&) {
    report_line("out of memory for the blocks of a launch");
    state.error = 2;
  }
}

void complete_launch(Launch& launch) {
  const StackSize stack = stack_size(*launch.program, *launch.kernel);
  launch.warps_per_block = static_cast<uint32_t>((launch.block.count() + kLanes - 1) / kLanes);
  launch.shared_bytes = launch.kernel->dynamic_shared_offset + launch.dynamic_shared;
  if (launch.dynamic_shared == 0) launch.shared_bytes = launch.kernel->shared_bytes;
  launch.local_bytes = static_cast<uint32_t>(stack.local_bytes);
  launch.register_bytes = static_cast<uint32_t>(stack.register_bytes);
  launch.constants = launch.program->constants.data();
  launch.number = launches.fetch_add(1) + 1;
}

}  // namespace

int execute(Launch& launch) {
  static std::mutex one_at_a_time;  // kernels of several host threads run one after the other
  const std::lock_guard lock(one_at_a_time);
  complete_launch(launch);
  begin_observation(launch);
  SharedState state;
  const bool alone = launch.observer != nullptr || launch.counters != nullptr || settings().trace ||
                     launch.grid.count() == 1 || settings().threads == 1;
  if (alone)
    work_through(launch, state);
  else
    crew().run([&](uint32_t) { work_through(launch, state); });
  end_observation(launch);
  return state.error;
}

uint32_t resident_blocks(const FunctionCode& kernel, uint32_t threads, uint32_t dynamic_shared) {
  constexpr uint32_t kThreads = 2048, kBlocks = 32, kRegisters = 65536, kShared = 228 << 10,
                     kReserved = 1 << 10;
  if (threads == 0 || threads > 1024) return 0;
  const uint32_t warps = (threads + kLanes - 1) / kLanes;
  const uint32_t shared = kernel.shared_bytes + dynamic_shared + kReserved;
  const uint32_t registers = std::max(16u, (kernel.register_estimate + 7) / 8 * 8) * warps * kLanes;
  return std::min({kBlocks, kThreads / (warps * kLanes), kRegisters / registers, kShared / shared});
}

uint64_t kernels_executed() {
  return launches;
}

}  // namespace vgpu
