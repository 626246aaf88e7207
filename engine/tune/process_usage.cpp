#include "engine/tune/process_usage.h"

#include <sys/resource.h>

#include <chrono>
#include <thread>

namespace engine {

namespace {

rusage usage() {
  rusage result{};
  getrusage(RUSAGE_SELF, &result);
  return result;
}

}  // namespace

double processor_seconds() {
  // Workers that look for more work are charged to nobody yet; a moment later they sleep and are.
  std::this_thread::sleep_for(std::chrono::microseconds(300));
  const rusage used = usage();
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

double peak_resident_mb() {
  return static_cast<double>(usage().ru_maxrss) / 1024.0;
}

}  // namespace engine
