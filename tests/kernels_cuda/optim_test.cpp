// CUDA's optimisers equal the CPU's bit for bit over flat buffers with segments of all kinds; replayed steps
// read new scalars from the same memory.
#include "kernels/optim/optim.h"

#include <cmath>
#include <cstring>

#include "kernels/base/error.h"
#include "tests/support/cuda_device.h"

namespace {

using kernels::AdamStep;
using kernels::Backend;
using kernels::OptimArrays;
using kernels::Segment;
using kernels::SgdStep;
using namespace tests;

// Blocks of 4096: several segments in one, tails of 1 to 3, one over three blocks that ends inside, one that
// begins and one that ends where a block does, an empty one, a block without any, and a gap at either end.
const std::vector<Segment> kSegments = {{16, 5},      {32, 48},      {96, 0},    {112, 7003},
                                        {8192, 4096}, {16384, 4095}, {20480, 1}, {20496, 1026}};
constexpr int64_t kCount = 21600;

double rate_of(int step, size_t segment) {
  return 0.01 * (step + 1) * static_cast<double>(segment % 3 + 1);
}

std::vector<kernels::AdamSegment<float>> adam_table(int step) {
  std::vector<kernels::AdamSegment<float>> table;
  for (const Segment& segment : kSegments) {
    const size_t i = table.size();
    // The second moment's end of the interpolation too (beta1 < 0.5).
    table.push_back(kernels::adam_segment<float>(segment, {.lr = rate_of(step, i),
                                                           .beta1 = i % 2 == 0 ? 0.9 : 0.4,
                                                           .decay = i % 3 == 0 ? 0.1 : 0.0,
                                                           .step = step + 1}));
  }
  return table;
}

std::vector<kernels::SgdSegment<float>> sgd_table(int step, double momentum) {
  std::vector<kernels::SgdSegment<float>> table;
  for (const Segment& segment : kSegments) {
    const SgdStep values{rate_of(step, table.size()), momentum, table.size() % 2 == 0 ? 0.05 : 0.0,
                         step == 0};
    table.push_back(kernels::sgd_segment<float>(segment, values));
  }
  return table;
}

/// The sums of the updates: exact in no order, so to rounding.
void require_close(const std::vector<unsigned char>& got, const std::vector<kernels::UpdateSums>& expected) {
  for (size_t i = 0; i < expected.size(); ++i) {
    CAPTURE(i);
    kernels::UpdateSums sums;
    std::memcpy(&sums, got.data() + i * sizeof(sums), sizeof(sums));
    REQUIRE(std::fabs(sums.change - expected[i].change) <= 1e-12 * expected[i].change);
    REQUIRE(std::fabs(sums.weight - expected[i].weight) <= 1e-12 * expected[i].weight);
  }
}

/// Three steps on both backends from the same start, the last two with sums: run(kernels, exec, table,
/// arrays).
template <class MakeTable, class Run>
void compare(bool with_m, bool with_v, MakeTable make_table, Run run) {
  CudaDevice cuda;
  Cpu cpu;
  std::mt19937 random(74);
  std::vector<float> w = reals<float>(random, kCount);
  std::vector<float> m(with_m ? w.size() : 0, 0.0f), v(with_v ? w.size() : 0, 0.0f);
  DeviceBuffer<float> dw(cuda, w), dm(cuda, m), dv(cuda, v);
  for (int step = 0; step < 3; ++step) {
    CAPTURE(step);
    const auto g = reals<float>(random, kCount);
    const auto table = make_table(step);
    const auto size = static_cast<int64_t>(table.size());
    using S = typename decltype(table)::value_type;
    DeviceBuffer<float> dg(cuda, g);
    DeviceBuffer<unsigned char> segments(cuda, bytes_of(table));
    const auto& device = kernels::optim_kernels<float>(Backend::Cuda);
    std::vector<kernels::UpdateSums> sums(table.size());
    DeviceBuffer<unsigned char> device_sums(cuda, sums.size() * sizeof(kernels::UpdateSums));
    DeviceBuffer<unsigned char> workspace(cuda, device.workspace(kCount, size));
    cuda.exec.workspace = {workspace.data(), device.workspace(kCount, size)};
    const bool measure = step > 0;
    run(device, cuda.exec, kernels::SegmentTable<S>{reinterpret_cast<const S*>(segments.data()), size},
        OptimArrays<float>{kCount, dg.data(), with_m ? dm.data() : nullptr, with_v ? dv.data() : nullptr,
                           dw.data(),
                           measure ? reinterpret_cast<kernels::UpdateSums*>(device_sums.data()) : nullptr});
    run(kernels::optim_kernels<float>(Backend::Cpu), cpu.exec, kernels::SegmentTable<S>{table.data(), size},
        OptimArrays<float>{kCount, g.data(), with_m ? m.data() : nullptr, with_v ? v.data() : nullptr,
                           w.data(), measure ? sums.data() : nullptr});
    if (measure) {
      REQUIRE((device_sums.fetch().guards_intact() && workspace.fetch().guards_intact()));
      require_close(device_sums.values(), sums);
    }
    const auto got_w = dw.fetch(), got_m = dm.fetch(), got_v = dv.fetch();
    REQUIRE((got_w.guards_intact() && got_m.guards_intact() && got_v.guards_intact()));
    REQUIRE(same_bits(got_w.values(), w));
    REQUIRE(same_bits(got_m.values(), m));
    REQUIRE(same_bits(got_v.values(), v));
    REQUIRE(same_bits(dg.values(), g));
  }
}

const auto kSgd = [](const auto& kernels, const auto& exec, auto table, const auto& arrays) {
  kernels.sgd(exec, table, arrays);
};

const auto kAdam = [](const auto& kernels, const auto& exec, auto table, const auto& arrays) {
  kernels.adam(exec, table, arrays);
};

}  // namespace

TEST_CASE("cuda optim: Adam as the CPU") {
  compare(true, true, adam_table, kAdam);
}

TEST_CASE("cuda optim: SGD as the CPU, with and without momentum") {
  compare(
      true, false, [](int step) { return sgd_table(step, 0.9); }, kSgd);
  compare(
      false, false, [](int step) { return sgd_table(step, 0); }, kSgd);
}

TEST_CASE("cuda optim: the first step with momentum does not care what the buffer holds") {
  CudaDevice cuda;
  std::mt19937 random(75);
  const auto segment = kernels::sgd_segment<float>({0, 37}, {.lr = 0.5, .momentum = 0.9, .first = true});
  const auto g = reals<float>(random, 37);
  DeviceBuffer<float> dg(cuda, g), m(cuda, 37), w(cuda, std::vector<float>(37, 0));  // m: poison
  DeviceBuffer<unsigned char> segments(cuda, bytes_of(std::vector{segment}));
  kernels::optim_kernels<float>(Backend::Cuda)
      .sgd(cuda.exec, {reinterpret_cast<const kernels::SgdSegment<float>*>(segments.data()), 1},
           {37, dg.data(), m.data(), nullptr, w.data()});
  CHECK(same_bits(m.values(), g));
  CHECK(w.values()[36] == -0.5f * g[36]);
}

TEST_CASE("cuda optim: nothing to do, and arrays off their boundary") {
  CudaDevice cuda;
  const auto& optim = kernels::optim_kernels<float>(Backend::Cuda);
  optim.sgd(cuda.exec, {}, {});
  optim.adam(cuda.exec, {}, {});
  DeviceBuffer<unsigned char> segments(cuda, bytes_of(sgd_table(0, 0)));
  DeviceBuffer<float> w(cuda, 64);
  CHECK_THROWS_AS(
      optim.sgd(cuda.exec, {reinterpret_cast<const kernels::SgdSegment<float>*>(segments.data()), 1},
                {32, w.data() + 1, nullptr, nullptr, w.data()}),
      kernels::Error);
  kernels::UpdateSums sums;
  CHECK_THROWS_AS(  // no workspace
      optim.sgd(cuda.exec, {reinterpret_cast<const kernels::SgdSegment<float>*>(segments.data()), 1},
                {32, w.data(), nullptr, nullptr, w.data() + 32, &sums}),
      kernels::Error);
}

namespace {

/// One launch over a network's worth of segments, large and small: what tests/tools/cuda_counters_optim.py
/// counts.
template <class S, class MakeSegment, class Run>
void count_launch(MakeSegment make_segment, Run run) {
  CudaDevice cuda;
  std::vector<S> table;
  int64_t count = 0;
  for (int layer = 0; layer < 20; ++layer) {
    for (const int64_t size : {9 * 9 * 128 * 2, 128}) {
      table.push_back(make_segment(Segment{count, size}));
      count += size;
    }
  }
  const std::vector<float> ones(static_cast<size_t>(count), 1.0f);
  DeviceBuffer<float> g(cuda, ones), m(cuda, ones), v(cuda, ones), w(cuda, ones);
  DeviceBuffer<unsigned char> segments(cuda, bytes_of(table));
  run(kernels::optim_kernels<float>(Backend::Cuda), cuda.exec,
      kernels::SegmentTable<S>{reinterpret_cast<const S*>(segments.data()),
                               static_cast<int64_t>(table.size())},
      OptimArrays<float>{count, g.data(), m.data(), v.data(), w.data()});
  cuda.synchronize();
}

const auto kPlainSgd = [](const auto& kernels, const auto& exec, auto table, auto arrays) {
  arrays.m = nullptr;
  kernels.sgd(exec, table, arrays);
};

kernels::SgdSegment<float> counted_sgd(Segment segment) {
  return kernels::sgd_segment<float>(segment, {.lr = 0.1, .momentum = 0.9, .first = false});
}

}  // namespace

TEST_CASE("count optim: sgd", "[.count]") {
  count_launch<kernels::SgdSegment<float>>(counted_sgd, kPlainSgd);
}

TEST_CASE("count optim: momentum", "[.count]") {
  count_launch<kernels::SgdSegment<float>>(counted_sgd, kSgd);
}

TEST_CASE("count optim: adam", "[.count]") {
  count_launch<kernels::AdamSegment<float>>(
      [](Segment segment) { return kernels::adam_segment<float>(segment, {}); }, kAdam);
}
