// The loops that measure a device's peaks do the work they are counted for.
#include <cmath>

#include "kernels/base/cuda_twins.h"
#include "kernels/base/event_timer.h"
#include "tests/support/cuda_device.h"

using namespace tests;

TEST_CASE("cuda peaks: the FMA burst as on the CPU") {
  constexpr int kBlocks = 2, kThreads = 256, kRounds = 5;
  CudaDevice cuda;
  DeviceBuffer<float> out(cuda, kBlocks * kThreads);
  REQUIRE(kernels::cuda_fma_burst(cuda.exec, kBlocks, kRounds, out.data()) == 2.0 * 8 * 512 * kRounds);
  std::vector<float> expected;
  for (int thread = 0; thread < kBlocks * kThreads; ++thread) {
    float sum = 0;
    for (int i = 0; i < 8; ++i) {
      float chain = static_cast<float>(thread + i);
      for (int round = 0; round < kRounds; ++round) chain = std::fma(chain, 0.999f, 1e-6f);
      sum += chain;
    }
    expected.push_back(sum);
  }
  const GuardedBuffer<float> got = out.fetch();
  REQUIRE(got.guards_intact());
  REQUIRE(same_bits(got.values(), expected));
}

TEST_CASE("cuda peaks: the triad as on the CPU") {
  CudaDevice cuda;
  std::mt19937 random(1);
  for (const int64_t count : {4, 1020, 1024, 1028, 4096}) {
    const auto b = integers<float>(random, count, -9, 9), c = integers<float>(random, count, -9, 9);
    DeviceBuffer<float> da(cuda, static_cast<size_t>(count)), db(cuda, b), dc(cuda, c);
    kernels::cuda_triad(cuda.exec, count, db.data(), dc.data(), da.data());
    const GuardedBuffer<float> got = da.fetch();
    REQUIRE(got.guards_intact());
    for (size_t i = 0; i < b.size(); ++i) REQUIRE(got[i] == b[i] + 3 * c[i]);
  }
}

TEST_CASE("cuda events: time does not run backwards") {
  CudaDevice cuda;
  DeviceBuffer<float> memory(cuda, 1000);
  kernels::EventTimer timer(cuda.exec);
  REQUIRE(timer.time([&] { cuda.runtime().zero(cuda.exec, memory.data(), 4000); }) >= 0);
  REQUIRE(memory.values() == std::vector<float>(1000, 0.0f));
}

TEST_CASE("cuda device: says what it is") {
  CudaDevice cuda;
  const kernels::DeviceInfo info = cuda.runtime().device_info(0);
  REQUIRE(info.name == cuda.runtime().device_name(0));
  REQUIRE(info.is_virtual() == (info.name.substr(0, 4) == "vgpu"));
  REQUIRE(info.major * 10 + info.minor >= 75);
  REQUIRE(info.processors > 0);
  REQUIRE(cuda.runtime().versions().runtime >= 13000);
  // A driver runs every runtime of its own major version.
  REQUIRE(cuda.runtime().versions().driver / 1000 >= cuda.runtime().versions().runtime / 1000);
  REQUIRE(info.memory >= cuda.runtime().free_memory(0));
}

// Counted by tests/tools/cuda_counters_peaks.py.
TEST_CASE("count peaks: triad", "[.count]") {
  CudaDevice cuda;
  const std::vector<float> b(64 * 1024, 0.5F);
  DeviceBuffer<float> b_on_device(cuda, b), a(cuda, b.size());
  kernels::cuda_triad(cuda.exec, std::ssize(b), b_on_device.data(), b_on_device.data(), a.data());
  REQUIRE(same_bits(a.values(), std::vector<float>(b.size(), 2.0F)));
}
