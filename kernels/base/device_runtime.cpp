// The CPU's runtime: plain memory, nothing to wait for, nothing to record.
#include "kernels/base/device_runtime.h"

#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>

#include "kernels/base/backend.h"
#include "kernels/base/cuda_twins.h"
#include "kernels/base/error.h"

namespace kernels {

namespace {

constexpr size_t kAlign = 256;
constexpr size_t kHugePage = size_t{2} << 20;
using TimePoint = std::chrono::steady_clock::time_point;

class CpuRuntime final : public DeviceRuntime {
 public:
  /// Large blocks in huge pages where the system has them: CPM's activations are tens of megabytes each, and
  /// page faults alone would cost as much as some layers.
  void* allocate(int, size_t bytes) override {
    const size_t unit = bytes < 2 * kHugePage ? kAlign : kHugePage;
    void* memory = std::aligned_alloc(unit, (bytes + unit - 1) / unit * unit);
    if (memory == nullptr) {
      throw Error(ExitCode::DeviceUnavailable, {.where = "CPU",
                                                .what = "not enough memory",
                                                .expected = fmt::format("{} MiB", bytes >> 20),
                                                .got = fmt::format("{} MiB free", free_memory(0) >> 20),
                                                .hint = "use a smaller --batch, data.input or model.width"});
    }
    if (unit == kHugePage) madvise(memory, bytes, MADV_HUGEPAGE);  // a refusal costs speed only
    return memory;
  }
  void release(int, void* memory) override { std::free(memory); }
  void* allocate_staging(size_t bytes) override { return allocate(0, bytes); }
  void release_staging(void* memory) override { release(0, memory); }
  size_t free_memory(int) override {
    return static_cast<size_t>(sysconf(_SC_AVPHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGESIZE));
  }
  void copy(const Exec&, void* to, const void* from, size_t bytes) override {
    if (bytes > 0) std::memcpy(to, from, bytes);
  }
  void zero(const Exec&, void* to, size_t bytes) override {
    if (bytes > 0) std::memset(to, 0, bytes);
  }
  void synchronize(const Exec&) override {}
  void synchronize_device(int) override {}
  void* create_stream(int) override { return nullptr; }
  void destroy_stream(void*) override {}
  void* create_event(int) override { return new TimePoint(); }
  void destroy_event(void* event) override { delete static_cast<TimePoint*>(event); }
  void record(const Exec&, void* event) override {
    *static_cast<TimePoint*>(event) = std::chrono::steady_clock::now();
  }
  void wait(const Exec&, void*) override {}
  double milliseconds(void* from, void* to) override {
    const auto time = *static_cast<TimePoint*>(to) - *static_cast<TimePoint*>(from);
    return std::chrono::duration<double, std::milli>(time).count();
  }
  bool begin_recording(const Exec&) override { return false; }
  void abandon_recording(const Exec&) override {}
  void* end_recording(const Exec&) override { return nullptr; }
  void replay(const Exec&, void*) override { CPM_CHECK(false, "the CPU records nothing"); }
  void destroy_recording(void*) override {}
  int device_count() override { return 1; }
  DeviceInfo device_info(int) override { return {.name = "cpu"}; }
};

}  // namespace

DeviceRuntime& device_runtime(Backend backend) {
  static CpuRuntime cpu;
  if (backend == Backend::Cpu) return cpu;
  if (DeviceRuntime* cuda = cuda_device_runtime()) return *cuda;
  no_backend("device memory", backend);
}

}  // namespace kernels
