#include "cpm/dataset/targets.h"

#include "kernels/base/error.h"

namespace cpm {

void PackedPeople::add(const std::vector<InputPerson>& people, int count, kernels::TargetPoint center) {
  for (const InputPerson& person : people) {
    CPM_CHECK(static_cast<int>(person.joints.size()) == count, "{} joints of {}", person.joints.size(),
              count);
    for (const Joint& joint : person.joints) joints.push_back({joint.x, joint.y, joint.labelled ? 1 : 0});
  }
  first.push_back(first.back() + static_cast<int64_t>(people.size()));
  centers.push_back(center);
}

void draw(const kernels::TargetsProblem& problem, const PackedPeople& people,
          const kernels::TargetMaps& maps) {
  kernels::ThreadPool here(1);
  kernels::Exec exec;
  exec.threads = &here;
  kernels::targets_kernels(kernels::Backend::Cpu).draw(exec, problem, people.view(), maps);
}

void draw_targets(const std::vector<InputPerson>& people, int joints, int rows, int cols, float* maps) {
  PackedPeople packed;
  packed.add(people, joints, {});
  draw({.n = 1, .joints = joints, .height = rows * kStride, .width = cols * kStride}, packed,
       {.stage1 = maps});
}

void draw_center(double x, double y, int height, int width, float* center) {
  PackedPeople packed;
  packed.add({}, 0, {x, y});
  draw({.n = 1, .joints = 0, .height = height, .width = width}, packed, {.center = center});
}

double dead_plateau(const float* maps, int joints, int64_t cells, bool with_background) {
  const int64_t count = cells * (joints + (with_background ? 1 : 0));
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += static_cast<double>(maps[i]) * maps[i];
  return 0.5 * sum;
}

}  // namespace cpm
