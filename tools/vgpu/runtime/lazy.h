// Lazy mode (VGPU_CHECK=sync): work waits in queues until the program synchronises, then runs in a random
// legal order.
//
// Every operation has a lane (its stream, or one of a graph's) and a vector clock over all lanes, joined from
// what it waits for and from what the host knew when it was queued. A happened before B exactly when B's
// clock has reached A's number in A's lane. The clocks find conflicting operations that have no order
// (happens_before.h) and host accesses that come too early (host_guard.h).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/event.h"
#include "runtime/stream.h"
#include "runtime/work.h"

namespace vgpu::runtime {

class Clock {
 public:
  uint64_t at(uint32_t lane) const { return lane < time_.size() ? time_[lane] : 0; }
  void set(uint32_t lane, uint64_t time);
  void join(const Clock& other);

 private:
  std::vector<uint64_t> time_;
};

struct Operation {
  Work work;
  std::string name;  // "kernel scale(float*, int) in stream 2"
  uint32_t lane = 0;
  uint64_t number = 0;
  Clock clock;
  std::vector<std::shared_ptr<Operation>> after;
  bool done = false;
  Footprint footprint;

  bool before(const Operation& other) const { return other.clock.at(lane) >= number; }
};

bool lazy_mode();

uint32_t new_lane();
void retire_lane(uint32_t lane);

// Queues work in a stream, after everything the stream's rules name and `also_after`.
std::shared_ptr<Operation> enqueue(Stream& stream, Work work,
                                   std::vector<std::shared_ptr<Operation>> also_after = {});
// Queues work in a lane of its own (a node of a graph), after `after` alone.
std::shared_ptr<Operation> enqueue_in_lane(uint32_t lane, Work work, std::string name,
                                           std::vector<std::shared_ptr<Operation>> after);

// Runs queued operations until this one is done.
cudaError_t run_until_done(const std::shared_ptr<Operation>& operation);
// The same for a call that the program made in order to wait: the host knows then that the operation is done.
cudaError_t run_until(const std::shared_ptr<Operation>& operation);
cudaError_t run_everything();
// Runs a random number of operations, for queries: a program that polls makes progress.
void run_some();
// The host learns that the operation, which is done, is done.
void host_knows(const Operation& operation);
// True while `operation` may not have been noticed by the host.
bool host_has_seen(uint32_t lane, uint64_t number);
const Clock& host_clock();
// Work that the program never waited for, at its end.
void finish_at_exit();
void forget_queues();  // cudaDeviceReset

}  // namespace vgpu::runtime
