#include "cpm/named_batch.h"

#include "engine/nn/named_fill.h"

namespace cpm {

Batch named_batch(int n, int joints, int height, int width) {
  Batch batch;
  batch.n = n;
  batch.joints = joints;
  batch.height = height;
  batch.width = width;
  const int64_t pixels = int64_t{n} * height * width;
  batch.image = engine::named_fill("golden/image", 3 * pixels, -0.5, 0.5);
  batch.center = engine::named_fill("golden/center", pixels, 0, 1);
  batch.target_rest = engine::named_fill("golden/target", pixels / (kStride * kStride) * (joints + 1), 0, 1);
  batch.target_stage1 = batch.target_rest;
  return batch;
}

}  // namespace cpm
