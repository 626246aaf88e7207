// What the tests of the network share: small networks and batches, made from names so that every run and
// type gets the same numbers.
#pragma once

#include <string>
#include <vector>

#include "cpm/step_runner.h"
#include "engine/nn/named_fill.h"

namespace tests {

/// Sizes of a small batch of the network's inputs and targets.
struct SmallBatch {
  int64_t n = 2, joints = 14, height = 32, width = 48;
  bool mask = false;  // leaves a third of the maps out
};

inline engine::Tensor named_tensor(const std::string& name, engine::Shape shape, engine::DType dtype,
                                   double low, double high) {
  const engine::Tensor tensor = engine::Tensor::zeros(shape, dtype);
  engine::assign<float>(tensor, engine::named_fill(name, shape.count(), low, high));
  return tensor;
}

inline cpm::BatchTensors small_batch(const SmallBatch& sizes, engine::DType dtype) {
  const int64_t n = sizes.n, maps = sizes.joints + 1;
  const engine::Shape belief{n, maps, sizes.height / 8, sizes.width / 8};
  cpm::BatchTensors batch;
  batch.image = named_tensor("image", {n, 3, sizes.height, sizes.width}, dtype, -0.5, 0.5);
  batch.center = named_tensor("center", {n, 1, sizes.height, sizes.width}, dtype, 0, 1);
  batch.targets.stage1 = named_tensor("stage1", belief, dtype, 0, 1);
  batch.targets.rest = named_tensor("rest", belief, dtype, 0, 1);
  if (sizes.mask) {
    std::vector<float> mask(static_cast<size_t>(n * maps), 1.0f);
    for (size_t i = 1; i < mask.size(); i += 3) mask[i] = 0;
    batch.targets.mask = engine::Tensor::zeros({n, maps}, dtype);
    engine::assign<float>(batch.targets.mask, mask);
  }
  return batch;
}

/// A network of named numbers: weights within sqrt(6 / fan-in), so that every layer's values are about 1.
inline cpm::Model small_model(const cpm::NetworkConfig& config, engine::DType dtype) {
  cpm::Model model(config, dtype);
  engine::named_fill(model.parameters(), "small");
  return model;
}

}  // namespace tests
