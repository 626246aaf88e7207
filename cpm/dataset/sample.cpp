// One sample: a record's person cut out of its image, with the maps that the network is to answer.
#include <algorithm>

#include "cpm/dataset/loader.h"
#include "kernels/base/error.h"

namespace cpm {
namespace {

/// Where sample `place` of a drawn batch has its maps.
kernels::TargetMaps maps_of(size_t place, Batch* batch) {
  const size_t pixels = static_cast<size_t>(batch->height) * batch->width;
  const size_t maps = static_cast<size_t>(batch->joints) + 1, cells = pixels / (kStride * kStride);
  return {.stage1 = batch->target_stage1.data() + place * maps * cells,
          .rest = batch->target_rest.data() + place * maps * cells,
          .mask = batch->mask.data() + place * maps,
          .center = batch->center.data() + place * pixels};
}

}  // namespace

Crop person_crop(const Person& person, int input) {
  Crop crop;
  crop.scale = (41.0 / 35.0) * (input / 368.0) / person.size;
  // The middle of the input, pixel (input - 1) / 2, shows the person's centre.
  const double half = 0.5 * input / crop.scale - 0.5;
  crop.left = person.center_x - half;
  crop.top = person.center_y - half;
  crop.width = input;
  crop.height = input;
  return crop;
}

InputPerson person_in_input(const Person& person, const JointSchema& schema, const Crop& crop) {
  InputPerson out;
  for (const Joint& joint : person.joints) {
    Joint moved{0, 0, joint.labelled};
    crop.to_input(joint.x, joint.y, &moved.x, &moved.y);
    out.joints.push_back(moved);
  }
  if (!crop.flip) return out;
  for (const auto& [a, b] : schema.flip_pairs) {
    std::swap(out.joints.at(static_cast<size_t>(a)), out.joints.at(static_cast<size_t>(b)));
  }
  return out;
}

Batch make_batch(int n, int joints, int input, bool draw) {
  CPM_CHECK(n >= 1 && joints >= 1 && input >= kStride && input % kStride == 0,
            "a batch of {} x {} joints at {}", n, joints, input);
  Batch batch;
  batch.n = n;
  batch.joints = joints;
  batch.height = input;
  batch.width = input;
  const size_t images = static_cast<size_t>(n), pixels = static_cast<size_t>(input) * input;
  const size_t maps = static_cast<size_t>(joints) + 1, cells = pixels / (kStride * kStride);
  batch.image.resize(images * 3 * pixels);
  batch.records.resize(images);
  batch.crops.resize(images);
  batch.drawn = draw;
  if (!draw) return batch;
  batch.center.resize(images * pixels);
  batch.target_stage1.resize(images * maps * cells);
  batch.target_rest.resize(images * maps * cells);
  batch.mask.assign(images * maps, 1.0f);
  return batch;
}

kernels::TargetsProblem targets_problem(const Batch& batch) {
  return {batch.n, batch.joints, batch.height, batch.width, batch.mask_missing};
}

void fill_sample(const Dataset& dataset, int64_t record, const Crop& crop, bool mask_missing, int slot,
                 Batch* batch) {
  CPM_CHECK(slot >= 0 && slot < batch->n, "slot {} of {}", slot, batch->n);
  CPM_CHECK(crop.width == batch->width && crop.height == batch->height, "a crop of {} x {}", crop.width,
            crop.height);
  const Record found = dataset.record(record);
  const size_t place = static_cast<size_t>(slot), pixels = static_cast<size_t>(batch->height) * batch->width;
  sample_crop(dataset.image(record), crop, batch->image.data() + place * 3 * pixels);

  std::vector<InputPerson> people{person_in_input(found.person, dataset.schema(), crop)};
  for (const Person& other : found.others) people.push_back(person_in_input(other, dataset.schema(), crop));
  kernels::TargetPoint center;
  crop.to_input(found.person.center_x, found.person.center_y, &center.x, &center.y);
  if (batch->mask_missing != mask_missing) batch->mask_missing = mask_missing;  // slots may be filled at once
  if (batch->drawn) {
    PackedPeople packed;
    packed.add(people, batch->joints, center);
    kernels::TargetsProblem problem = targets_problem(*batch);
    problem.n = 1;
    draw(problem, packed, maps_of(place, batch));
  } else {
    CPM_CHECK(batch->people.centers.size() == place, "slot {} after {} samples", slot,
              batch->people.centers.size());
    batch->people.add(people, batch->joints, center);
  }
  batch->records[place] = record;
  batch->crops[place] = crop;
}

std::vector<double> batch_plateau(const Batch& batch) {
  const int64_t cells = static_cast<int64_t>(batch.height / kStride) * (batch.width / kStride);
  const int64_t maps = (batch.joints + 1) * cells;
  const auto mean = [&](const std::vector<float>& targets) {
    double sum = 0;
    for (int i = 0; i < batch.n; ++i)
      sum += dead_plateau(targets.data() + i * maps, batch.joints, cells, false);
    return sum / batch.n;
  };
  return {mean(batch.target_stage1), mean(batch.target_rest)};
}

}  // namespace cpm
