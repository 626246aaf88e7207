#include "cpm/device.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <limits>

#include "kernels/base/error.h"

namespace cpm {

using kernels::Error;
using kernels::ExitCode;

namespace {

bool is_cuda(const std::string& device) {
  if (device == "cuda") return true;
  return device.size() > 5 && device.compare(0, 5, "cuda:") == 0 &&
         std::all_of(device.begin() + 5, device.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
}

}  // namespace

Device open_device(const std::string& device, int64_t threads) {
  if (is_cuda(device)) {
    throw Error(ExitCode::DeviceUnavailable, {.where = "--device",
                                              .what = "this build has no CUDA backend",
                                              .expected = "auto or cpu",
                                              .got = device,
                                              .hint = "use --device cpu"});
  }
  if (device != "auto" && device != "cpu") {
    throw Error(ExitCode::Usage, {.where = "--device",
                                  .what = "unknown device",
                                  .expected = "auto, cpu, cuda or cuda:N",
                                  .got = device});
  }
  constexpr int64_t kMostThreads = 1024;
  if (threads < 0 || threads > kMostThreads) {
    throw Error(ExitCode::Usage, {.where = "--threads",
                                  .what = "number of threads out of range",
                                  .expected = "0 (all processors) to 1024",
                                  .got = std::to_string(threads)});
  }
  Device result;
  const int count = threads == 0 ? kernels::available_processors() : static_cast<int>(threads);
  result.threads = std::make_unique<kernels::ThreadPool>(count);
  result.exec.threads = result.threads.get();
  result.exec.isa = kernels::best_isa();
  return result;
}

uint64_t available_memory() {
  uint64_t available = std::numeric_limits<uint64_t>::max();
  std::ifstream meminfo("/proc/meminfo");
  for (std::string key, unit; meminfo >> key;) {
    uint64_t kib = 0;
    if (!(meminfo >> kib)) break;
    std::getline(meminfo, unit);
    if (key == "MemAvailable:") available = kib * 1024;
  }
  uint64_t limit = 0, used = 0;
  if (std::ifstream("/sys/fs/cgroup/memory.max") >> limit &&
      std::ifstream("/sys/fs/cgroup/memory.current") >> used) {
    available = std::min(available, limit > used ? limit - used : 0);
  }
  return available;
}

}  // namespace cpm
