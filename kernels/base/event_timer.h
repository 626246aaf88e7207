// Seconds that work in a stream takes, by the backend's events.
#pragma once

#include <algorithm>

#include "kernels/base/device_runtime.h"

namespace kernels {

class EventTimer {
 public:
  explicit EventTimer(const Exec& exec)
      : exec_(exec),
        runtime_(device_runtime(exec.backend)),
        start_(runtime_.create_event(exec.device)),
        end_(runtime_.create_event(exec.device)) {}
  ~EventTimer() {
    runtime_.destroy_event(start_);
    runtime_.destroy_event(end_);
  }
  EventTimer(const EventTimer&) = delete;
  EventTimer& operator=(const EventTimer&) = delete;

  /// Seconds of the work that `body` gives to exec's stream; waits for it.
  template <class Body>
  double time(const Body& body) {
    runtime_.record(exec_, start_);
    body();
    runtime_.record(exec_, end_);
    runtime_.synchronize(exec_);
    return runtime_.milliseconds(start_, end_) * 1e-3;
  }

 private:
  Exec exec_;
  DeviceRuntime& runtime_;
  void *start_, *end_;
};

/// The shortest of `passes` calls.
template <class Body>
double best_seconds(const Exec& exec, int passes, const Body& body) {
  EventTimer timer(exec);
  double best = timer.time(body);
  for (int i = 1; i < passes; ++i) best = std::min(best, timer.time(body));
  return best;
}

}  // namespace kernels
