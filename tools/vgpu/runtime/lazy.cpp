// The queues of lazy mode and the choice of what runs next.
#include "runtime/lazy.h"

#include <algorithm>
#include <deque>
#include <map>

#include "core/execute.h"
#include "core/warp.h"
#include "runtime/context.h"
#include "runtime/happens_before.h"
#include "runtime/host_guard.h"

namespace vgpu::runtime {
namespace {

struct Queues {
  std::map<uint32_t, std::deque<std::shared_ptr<Operation>>> pending;  // by lane; only heads can be ready
  std::vector<uint64_t> numbers;                                       // operations so far, by lane
  std::vector<uint32_t> free_lanes;
  Clock host;
  uint64_t random = 0x9E3779B97F4A7C15ull;
  bool seeded = false;
  bool exiting = false;
};

Queues& queues() {
  static auto* all = new Queues;
  return *all;
}

uint64_t next_random() {  // xorshift64*, Vigna 2016
  Queues& q = queues();
  if (!q.seeded) {
    q.seeded = true;
    if (schedule().kind == Schedule::Kind::Random) q.random ^= (schedule().seed + 1) * 0xBF58476D1CE4E5B9ull;
    if (q.random == 0) q.random = 1;
  }
  q.random ^= q.random >> 12;
  q.random ^= q.random << 25;
  q.random ^= q.random >> 27;
  return q.random * 0x2545F4914F6CDD1Dull;
}

bool ready(const Operation& operation) {
  return std::all_of(operation.after.begin(), operation.after.end(),
                     [](const auto& other) { return other->done; });
}

void start(const std::shared_ptr<Operation>& operation) {
  Queues& q = queues();
  std::erase_if(operation->after, [](const auto& other) { return other->done; });
  q.pending[operation->lane].push_back(operation);
  guard_for(operation);
}

void drop_pending() {
  for (auto& [lane, queue] : queues().pending) {
    for (const auto& operation : queue) {
      operation->done = true;
      operation->after.clear();
    }
  }
  queues().pending.clear();
}

struct OpenGuards {
  OpenGuards() { open_guards(); }
  ~OpenGuards() { close_guards(); }
};

bool is_host_work(const Work& work) {
  return std::holds_alternative<HostWork>(work);
}

// Runs one operation; its queue's head is gone before the program's host functions get control.
cudaError_t run_one(const std::shared_ptr<Operation>& operation) {
  Queues& q = queues();
  auto& queue = q.pending[operation->lane];
  queue.pop_front();
  if (queue.empty()) q.pending.erase(operation->lane);
  cudaError_t error = cudaSuccess;
  if (!(q.exiting && is_host_work(operation->work))) error = run_now(operation->work, &operation->footprint);
  operation->done = true;
  operation->after.clear();
  note_executed(operation);
  check_host_accesses(*operation);
  if (sticky_error() != cudaSuccess) drop_pending();
  return error;
}

std::vector<std::shared_ptr<Operation>> ready_operations() {
  std::vector<std::shared_ptr<Operation>> heads;
  for (const auto& [lane, queue] : queues().pending)
    if (ready(*queue.front())) heads.push_back(queue.front());
  return heads;
}

bool run_a_random_one(cudaError_t& error) {
  const auto heads = ready_operations();
  if (heads.empty()) return false;
  const cudaError_t result = run_one(heads[next_random() % heads.size()]);
  if (error == cudaSuccess) error = result;
  return true;
}

std::shared_ptr<Operation> make(uint32_t lane, Work work, std::string name,
                                std::vector<std::shared_ptr<Operation>> after) {
  Queues& q = queues();
  auto operation = std::make_shared<Operation>();
  operation->work = std::move(work);
  operation->name = std::move(name);
  operation->lane = lane;
  operation->number = ++q.numbers[lane];
  operation->clock = q.host;
  for (const auto& other : after)
    if (other) operation->clock.join(other->clock);
  operation->clock.set(lane, operation->number);
  std::erase(after, nullptr);
  operation->after = std::move(after);
  known_footprint(operation->work, operation->footprint);
  return operation;
}

}  // namespace

void Clock::set(uint32_t lane, uint64_t time) {
  if (lane >= time_.size()) time_.resize(lane + 1, 0);
  time_[lane] = time;
}

void Clock::join(const Clock& other) {
  if (other.time_.size() > time_.size()) time_.resize(other.time_.size(), 0);
  for (size_t i = 0; i < other.time_.size(); i++) time_[i] = std::max(time_[i], other.time_[i]);
}

bool lazy_mode() {
  static const bool lazy = (enabled_checks() & static_cast<uint32_t>(Check::Sync)) != 0;
  return lazy;
}

uint32_t new_lane() {
  Queues& q = queues();
  if (!q.free_lanes.empty()) {
    const uint32_t lane = q.free_lanes.back();
    q.free_lanes.pop_back();
    return lane;
  }
  q.numbers.push_back(0);
  return static_cast<uint32_t>(q.numbers.size() - 1);
}

void retire_lane(uint32_t lane) {
  queues().free_lanes.push_back(lane);
}

std::shared_ptr<Operation> enqueue(Stream& stream, Work work,
                                   std::vector<std::shared_ptr<Operation>> also_after) {
  std::vector<std::shared_ptr<Operation>> after = std::move(also_after);
  after.push_back(stream.last);
  if (stream.legacy) {
    for (const Stream* other : all_streams())
      if (other->blocking()) after.push_back(other->last);
  } else if (stream.blocking()) {
    after.push_back(legacy_stream().last);
  }
  std::string name = describe(work) + " in " + stream_name(stream);
  auto operation = make(stream.lane, std::move(work), std::move(name), std::move(after));
  stream.last = operation;
  start(operation);
  return operation;
}

std::shared_ptr<Operation> enqueue_in_lane(uint32_t lane, Work work, std::string name,
                                           std::vector<std::shared_ptr<Operation>> after) {
  auto operation = make(lane, std::move(work), std::move(name), std::move(after));
  start(operation);
  return operation;
}

cudaError_t run_until_done(const std::shared_ptr<Operation>& operation) {
  OpenGuards open;
  cudaError_t error = cudaSuccess;
  while (operation && !operation->done && run_a_random_one(error)) {
  }
  return sticky_error() != cudaSuccess ? sticky_error() : error;
}

cudaError_t run_until(const std::shared_ptr<Operation>& operation) {
  const cudaError_t error = run_until_done(operation);
  if (operation) host_knows(*operation);
  return error;
}

cudaError_t run_everything() {
  OpenGuards open;
  cudaError_t error = cudaSuccess;
  while (run_a_random_one(error)) {
  }
  for (const Stream* stream : all_streams())
    if (stream->last) host_knows(*stream->last);
  return sticky_error() != cudaSuccess ? sticky_error() : error;
}

void run_some() {
  constexpr uint64_t kMost = 3;
  OpenGuards open;
  cudaError_t ignored = cudaSuccess;
  for (uint64_t i = next_random() % kMost + 1; i > 0 && run_a_random_one(ignored); i--) {
  }
}

void host_knows(const Operation& operation) {
  Queues& q = queues();
  q.host.join(operation.clock);
  drop_guards();
  std::vector<const Operation*> pending;
  for (const auto& [lane, queue] : q.pending)
    for (const auto& waiting : queue) pending.push_back(waiting.get());
  forget_ordered(pending);
}

bool host_has_seen(uint32_t lane, uint64_t number) {
  return queues().host.at(lane) >= number;
}

const Clock& host_clock() {
  return queues().host;
}

void finish_at_exit() {
  if (!lazy_mode() || queues().pending.empty()) return;
  queues().exiting = true;
  run_everything();
}

void forget_queues() {
  drop_pending();
  for (Stream* stream : all_streams()) stream->last.reset();
  forget_history();
  drop_all_guards();
}

}  // namespace vgpu::runtime
