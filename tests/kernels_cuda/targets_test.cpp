// CUDA's target maps against the CPU's: the same cells are zero and one, the others agree to float's last
// bit.
#include "kernels/targets/targets.h"

#include <cstring>

#include "tests/support/cuda_device.h"
#include "tests/support/target_people.h"

namespace {

using kernels::Backend;
using kernels::TargetsProblem;
using namespace tests;

/// TargetPeople on the device.
struct DevicePeople {
  DeviceBuffer<unsigned char> joints, first, centers;

  DevicePeople(CudaDevice& cuda, const TargetPeople& people)
      : joints(cuda, bytes_of(people.joints)),
        first(cuda, bytes_of(people.first)),
        centers(cuda, bytes_of(people.centers)) {}

  kernels::TargetsPeople view() {
    return {reinterpret_cast<const kernels::TargetJoint*>(joints.data()),
            reinterpret_cast<const int64_t*>(first.data()),
            reinterpret_cast<const kernels::TargetPoint*>(centers.data())};
  }
};

void require_close(const GuardedBuffer<float>& got, const std::vector<float>& expected) {
  REQUIRE(got.guards_intact());
  REQUIRE(got.size() == expected.size());
  double difference = 0, square = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    REQUIRE((got[i] == 0) == (expected[i] == 0));  // false for NaN too, unless both are wrong
    const double d = double{got[i]} - expected[i];
    difference += d * d;
    square += double{expected[i]} * expected[i];
  }
  REQUIRE(std::sqrt(difference) <= 1e-7 * std::sqrt(square));
}

}  // namespace

TEST_CASE("cuda targets: as the CPU") {
  CudaDevice cuda;
  Cpu cpu;
  std::mt19937 random(84);
  for (const bool mask_missing : {false, true}) {
    const TargetsProblem p{5, 4, 104, 88, mask_missing};
    CAPTURE(mask_missing);
    const TargetPeople people(random, p);
    DevicePeople on_device(cuda, people);
    const auto values = static_cast<size_t>(map_values(p));
    const size_t pixels = 5 * 104 * 88;
    std::vector<float> stage1(values), rest(values), mask(25), center(pixels);
    kernels::targets_kernels(Backend::Cpu)
        .draw(cpu.exec, p, people.view(), {stage1.data(), rest.data(), mask.data(), center.data()});
    DeviceBuffer<float> dstage1(cuda, values), drest(cuda, values), dmask(cuda, 25), dcenter(cuda, pixels);
    kernels::targets_kernels(Backend::Cuda)
        .draw(cuda.exec, p, on_device.view(), {dstage1.data(), drest.data(), dmask.data(), dcenter.data()});
    require_close(dstage1.fetch(), stage1);
    require_close(drest.fetch(), rest);
    require_close(dcenter.fetch(), center);
    const auto got = dmask.fetch();
    REQUIRE(got.guards_intact());
    REQUIRE(same_bits(got.values(), mask));
  }
}

TEST_CASE("cuda targets: what is null is not drawn") {
  CudaDevice cuda;
  std::mt19937 random(85);
  const TargetsProblem p{2, 3, 24, 32, true};
  const TargetPeople people(random, p);
  DevicePeople on_device(cuda, people);
  const auto& kernel = kernels::targets_kernels(Backend::Cuda);
  const auto values = static_cast<size_t>(map_values(p));
  DeviceBuffer<float> both(cuda, values), rest(cuda, values), other(cuda, values);
  kernel.draw(cuda.exec, p, on_device.view(), {.stage1 = other.data(), .rest = both.data()});
  kernel.draw(cuda.exec, p, on_device.view(), {.rest = rest.data()});
  REQUIRE(same_bits(rest.values(), both.values()));
  kernel.draw(cuda.exec, p, on_device.view(), {});
  kernel.draw(cuda.exec, {0, 3, 24, 32, true}, on_device.view(), {.rest = rest.data()});
  REQUIRE(same_bits(rest.values(), both.values()));
}
