#include "cpm/device.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <limits>

#include "kernels/base/device_runtime.h"
#include "kernels/base/error.h"
#include "kernels/base/nearest.h"
#include "kernels/copy/copy.h"

namespace cpm {

using kernels::Error;
using kernels::ExitCode;

namespace {

using kernels::Backend;

constexpr int kAnyDevice = -1, kNoDevice = -2;

/// N of "cuda:N", kAnyDevice for "cuda", kNoDevice for anything else.
int cuda_index(const std::string& device) {
  constexpr size_t kPrefix = 5, kDigits = 4;
  if (device == "cuda") return kAnyDevice;
  if (device.compare(0, kPrefix, "cuda:") != 0) return kNoDevice;
  const std::string number = device.substr(kPrefix);
  const bool digits =
      !number.empty() && number.size() <= kDigits &&
      std::all_of(number.begin(), number.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
  return digits ? std::stoi(number) : kNoDevice;
}

[[noreturn]] void no_device(const std::string& what, const std::string& expected, const std::string& got,
                            const std::string& hint) {
  throw Error(ExitCode::DeviceUnavailable,
              {.where = "--device", .what = what, .expected = expected, .got = got, .hint = hint});
}

/// The number of CUDA devices; a reason why there are none.
int count_cuda_devices(std::string* reason) {
  try {
    const int count = kernels::device_runtime(Backend::Cuda).device_count();
    if (count == 0) {
      const std::string why = kernels::device_runtime(Backend::Cuda).no_device_reason();
      *reason = "no CUDA device was found" + (why.empty() ? "" : " (" + why + ")");
    }
    return count;
  } catch (const Error&) {
    *reason = "this build has no CUDA backend";
    return 0;
  }
}

void use_cuda(int device, bool deterministic, Device* result) {
  kernels::DeviceRuntime& runtime = kernels::device_runtime(Backend::Cuda);
  kernels::Exec exec = result->exec;
  exec.backend = Backend::Cuda;
  exec.device = device;
  exec.deterministic = deterministic;
  const std::shared_ptr<void> stream(runtime.create_stream(device),
                                     [&runtime](void* s) { runtime.destroy_stream(s); });
  exec.stream = stream.get();
  // One kernel: whether the build has code for this device shows here, not in the middle of something.
  const engine::Tensor probe = engine::Tensor::zeros({1}, engine::DType::F32, engine::Place(exec));
  kernels::copy_kernels<float>(Backend::Cuda).fill(exec, 1, 1.0f, probe.data<float>());
  runtime.synchronize(exec);
  result->stream = stream;
  result->exec = exec;
}

/// The first device, unless it is virtual or cannot run this build's kernels, which a warning tells.
void use_cuda_if_fit(bool deterministic, Device* result) {
  if (kernels::device_runtime(Backend::Cuda).device_info(0).is_virtual()) return;
  try {
    use_cuda(0, deterministic, result);
  } catch (const Error& error) {
    fmt::print(stderr, "warning: cuda:0 is not used: {}\n", error.what());
  }
}

/// What --device asks for, on an Exec that has its threads.
void choose_backend(const std::string& device, bool deterministic, Device* result) {
  const int index = cuda_index(device);
  if (device == "cpu") return;
  if (device != "auto" && index == kNoDevice) {
    throw Error(ExitCode::Usage, {.where = "--device",
                                  .what = "unknown device",
                                  .expected = "auto, cpu, cuda or cuda:N",
                                  .got = device,
                                  .hint = kernels::nearest_hint(device, {"auto", "cpu", "cuda"})});
  }
  std::string reason;
  const int count = count_cuda_devices(&reason);
  if (device == "auto") {
    if (count > 0) use_cuda_if_fit(deterministic, result);
    return;
  }
  if (count == 0) no_device(reason, "auto or cpu", device, "use --device cpu");
  if (index >= count) {
    no_device("there is no such device", count == 1 ? "cuda:0" : fmt::format("cuda:0 to cuda:{}", count - 1),
              device, "cpm-doctor lists the devices");
  }
  use_cuda(index == kAnyDevice ? 0 : index, deterministic, result);
}

}  // namespace

std::string Device::description() const {
  if (exec.backend == Backend::Cpu)
    return fmt::format("cpu ({}), {} threads", kernels::isa_name(exec.isa), threads->size());
  return fmt::format("cuda:{} ({}){}", exec.device,
                     kernels::device_runtime(Backend::Cuda).device_name(exec.device),
                     exec.deterministic ? "" : ", results may vary from run to run");
}

uint64_t Device::available_memory() const {
  if (exec.backend == Backend::Cpu) return cpm::available_memory();
  return kernels::device_runtime(exec.backend).free_memory(exec.device);
}

Device open_device(const std::string& device, int64_t threads, bool deterministic) {
  constexpr int64_t kMostThreads = 1024;
  if (threads < 0 || threads > kMostThreads) {
    throw Error(ExitCode::Usage, {.where = "--threads",
                                  .what = "number of threads out of range",
                                  .expected = "0 (all processors) to 1024",
                                  .got = std::to_string(threads),
                                  .hint = "leave it out to use every processor; it never changes results"});
  }
  Device result;
  const int count = threads == 0 ? kernels::available_processors() : static_cast<int>(threads);
  result.threads = std::make_unique<kernels::ThreadPool>(count);
  result.exec.threads = result.threads.get();
  result.exec.isa = kernels::best_isa();
  choose_backend(device, deterministic, &result);
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
