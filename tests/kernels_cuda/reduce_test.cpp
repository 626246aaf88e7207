// CUDA's statistics against the CPU's: counts, maxima and histograms exact, sums to rounding in double.
#include "kernels/reduce/reduce.h"

#include <cstring>
#include <limits>

#include "kernels/base/error.h"
#include "tests/support/cuda_device.h"

namespace {

using kernels::ArrayStats;
using kernels::Backend;
using kernels::LogHistogram;
using kernels::Segment;
using kernels::SegmentedArray;
using kernels::SegmentStats;
using namespace tests;

/// Numbers of all magnitudes, with every rare kind among them.
std::vector<float> wild(std::mt19937& random, int64_t count) {
  using Limits = std::numeric_limits<float>;
  const float rare[] = {Limits::quiet_NaN(), Limits::infinity(), -Limits::infinity(), 0.0F, -0.0F, 1e-44F,
                        Limits::max()};
  std::vector<float> values = reals<float>(random, count);
  for (float& value : values) {
    value = std::ldexp(value, static_cast<int>(random() % 100) - 70);
    if (random() % 50 == 0) value = rare[random() % 7];
  }
  return values;
}

/// Structs on the device, as bytes: guard bands and poison as everywhere.
template <class S>
class DeviceStructs {
 public:
  DeviceStructs(CudaDevice& device, size_t count) : bytes_(device, count * sizeof(S)) {}
  DeviceStructs(CudaDevice& device, const std::vector<S>& values) : bytes_(device, raw(values)) {}

  S* data() { return reinterpret_cast<S*>(bytes_.data()); }
  std::vector<S> fetch() {
    const GuardedBuffer<unsigned char> host = bytes_.fetch();
    REQUIRE(host.guards_intact());
    std::vector<S> values(host.size() / sizeof(S));
    std::memcpy(values.data(), host.data(), host.size());
    return values;
  }

 private:
  static std::vector<unsigned char> raw(const std::vector<S>& values) {
    std::vector<unsigned char> bytes(values.size() * sizeof(S));
    std::memcpy(bytes.data(), values.data(), bytes.size());
    return bytes;
  }
  DeviceBuffer<unsigned char> bytes_;
};

void require_close(double got, double expected) {
  CAPTURE(got, expected);
  REQUIRE(std::fabs(got - expected) <= 1e-12 * expected);
}

void require_same(const SegmentStats& got, const SegmentStats& expected) {
  require_close(got.sum_squares, expected.sum_squares);
  require_close(got.sum_abs, expected.sum_abs);
  REQUIRE(got.max_abs == expected.max_abs);
  REQUIRE(got.nan == expected.nan);
  REQUIRE(got.inf == expected.inf);
  REQUIRE(got.zero == expected.zero);
  REQUIRE(got.subnormal == expected.subnormal);
}

// Chunks of 32768: several segments in one, one over three that ends inside, one that begins where a chunk
// does, an empty one, every alignment, a gap at either end.
const std::vector<Segment> kSegments = {{1, 2},       {5, 3},     {10, 301},    {400, 0},
                                        {403, 70001}, {98304, 1}, {98310, 1000}};
constexpr int64_t kElements = 99500;

}  // namespace

TEST_CASE("cuda reduce: segments as the CPU, with and without histograms") {
  CudaDevice cuda;
  Cpu cpu;
  std::mt19937 random(65);
  const auto& device = kernels::reduce_kernels<float>(Backend::Cuda);
  const auto x = wild(random, kElements);
  const size_t size = kSegments.size();
  const auto count = static_cast<int64_t>(size);
  std::vector<SegmentStats> expected(size);
  std::vector<LogHistogram> expected_histograms(size);
  kernels::reduce_kernels<float>(Backend::Cpu)
      .segments(cpu.exec, {kElements, kSegments.data(), count}, x.data(), expected.data(),
                expected_histograms.data());
  DeviceBuffer<float> dx(cuda, x);
  DeviceStructs<Segment> segments(cuda, kSegments);
  for (const bool with_histograms : {false, true}) {
    CAPTURE(with_histograms);
    DeviceStructs<SegmentStats> stats(cuda, size);
    DeviceStructs<LogHistogram> histograms(cuda, size);
    DeviceBuffer<unsigned char> workspace(cuda, device.workspace(kElements, count, with_histograms));
    cuda.exec.workspace = {workspace.data(), device.workspace(kElements, count, with_histograms)};
    device.segments(cuda.exec, {kElements, segments.data(), count}, dx.data(), stats.data(),
                    with_histograms ? histograms.data() : nullptr);
    const auto got = stats.fetch();
    for (size_t i = 0; i < size; ++i) require_same(got[i], expected[i]);
    if (with_histograms) {
      const auto counted = histograms.fetch();
      REQUIRE(std::memcmp(counted.data(), expected_histograms.data(), size * sizeof(LogHistogram)) == 0);
    }
    REQUIRE(workspace.fetch().guards_intact());
  }
}

TEST_CASE("cuda reduce: linear bins as the CPU, added to what is there") {
  CudaDevice cuda;
  Cpu cpu;
  std::mt19937 random(68);
  auto x = wild(random, kElements);
  for (size_t i = 0; i < x.size(); i += 3)
    x[i] = static_cast<float>(static_cast<int>(random() % 100) - 50) / 8;
  const auto count = static_cast<int64_t>(kSegments.size());
  DeviceBuffer<float> dx(cuda, x);
  DeviceStructs<Segment> segments(cuda, kSegments);
  for (const kernels::LinearBins bins : {kernels::LinearBins{12, 3}, kernels::LinearBins{1022, 6.25}}) {
    CAPTURE(bins.bins);
    std::vector<uint32_t> expected(kSegments.size() * static_cast<size_t>(bins.counters()), 7);
    DeviceStructs<uint32_t> counts(cuda, expected);
    kernels::reduce_kernels<float>(Backend::Cpu)
        .linear(cpu.exec, {kElements, kSegments.data(), count}, x.data(), bins, expected.data());
    kernels::reduce_kernels<float>(Backend::Cuda)
        .linear(cuda.exec, {kElements, segments.data(), count}, dx.data(), bins, counts.data());
    REQUIRE(counts.fetch() == expected);
  }
  CHECK_THROWS_AS(kernels::reduce_kernels<float>(Backend::Cuda)
                      .linear(cuda.exec, {kElements, segments.data(), count}, dx.data(), {1023, 1}, nullptr),
                  kernels::Error);
}

TEST_CASE("cuda reduce: one array as the CPU, wherever it begins") {
  CudaDevice cuda;
  Cpu cpu;
  std::mt19937 random(66);
  const auto& device = kernels::reduce_kernels<float>(Backend::Cuda);
  for (const int64_t count : {0, 1, 3, 4, 7, 1025, 32768, 40001}) {
    for (const int64_t offset : {0, 1, 3}) {
      CAPTURE(count, offset);
      const auto x = wild(random, count + offset);
      ArrayStats expected;
      kernels::reduce_kernels<float>(Backend::Cpu).stats(cpu.exec, count, x.data() + offset, &expected);
      DeviceBuffer<float> dx(cuda, x);
      DeviceStructs<ArrayStats> stats(cuda, 1);
      DeviceBuffer<unsigned char> workspace(cuda, device.workspace(count, 1, false));
      cuda.exec.workspace = {workspace.data(), device.workspace(count, 1, false)};
      device.stats(cuda.exec, count, dx.data() + offset, stats.data());
      const ArrayStats got = stats.fetch().front();
      require_close(got.sum_squares, expected.sum_squares);
      REQUIRE(got.max_abs == expected.max_abs);
      REQUIRE(got.non_finite == expected.non_finite);
      REQUIRE(workspace.fetch().guards_intact());
    }
  }
}

TEST_CASE("cuda reduce: a workspace too small is refused") {
  CudaDevice cuda;
  DeviceBuffer<float> x(cuda, 8);
  DeviceStructs<ArrayStats> stats(cuda, 1);
  CHECK_THROWS_AS(kernels::reduce_kernels<float>(Backend::Cuda).stats(cuda.exec, 8, x.data(), stats.data()),
                  kernels::Error);
}

namespace {

/// One launch over two layers of the network: what tests/tools/cuda_counters_reduce.py counts.
void count_launch(bool with_histograms) {
  CudaDevice cuda;
  std::mt19937 random(67);
  std::vector<Segment> table;
  int64_t elements = 0;
  for (int layer = 0; layer < 2; ++layer) {
    for (const int64_t size : {7 * 7 * 128 * 128, 128}) {
      table.push_back({elements, size});
      elements += size;
    }
  }
  const auto& device = kernels::reduce_kernels<float>(Backend::Cuda);
  const auto count = static_cast<int64_t>(table.size());
  DeviceBuffer<float> x(cuda, reals<float>(random, elements));
  DeviceStructs<Segment> segments(cuda, table);
  DeviceStructs<SegmentStats> stats(cuda, table.size());
  DeviceStructs<LogHistogram> histograms(cuda, table.size());
  DeviceBuffer<unsigned char> workspace(cuda, device.workspace(elements, count, true));
  cuda.exec.workspace = {workspace.data(), device.workspace(elements, count, true)};
  device.segments(cuda.exec, {elements, segments.data(), count}, x.data(), stats.data(),
                  with_histograms ? histograms.data() : nullptr);
  REQUIRE(stats.fetch().front().nan == 0);
}

}  // namespace

TEST_CASE("count reduce: statistics", "[.count]") {
  count_launch(false);
}

TEST_CASE("count reduce: histograms", "[.count]") {
  count_launch(true);
}
