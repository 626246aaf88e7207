#include "cpm/raw_tensors.h"

#include "cpm/dataset/targets.h"
#include "engine/io/safetensors.h"

namespace cpm {

namespace {

constexpr const char* kLayout = "the layout is image [N,3,H,W], center [N,1,H,W], target [N,k+1,H/8,W/8]";

engine::Tensor read_tensor(const engine::SafetensorsFile& file, const std::string& name,
                           const engine::Shape& shape, engine::DType dtype) {
  const engine::StoredTensor& stored = file.at(name);
  if (stored.shape != shape.to_vector()) {
    const bool showable = stored.shape.size() <= 4;
    throw kernels::Error(kernels::ExitCode::BadData,
                         {.where = file.name(),
                          .what = "tensor " + name + " has the wrong shape",
                          .expected = to_string(shape),
                          .got = showable ? to_string(engine::Shape(stored.shape)) : "more than four axes",
                          .hint = kLayout});
  }
  engine::Tensor tensor = engine::Tensor::zeros(shape, dtype);
  engine::assign<double>(tensor, file.values<double>(name));
  return tensor;
}

}  // namespace

BatchTensors read_raw_tensors(const std::filesystem::path& path, int joints, engine::DType dtype,
                              bool targets) {
  const auto file = engine::SafetensorsFile::read(path);
  const engine::StoredTensor& image = file.at("image");
  const auto& s = image.shape;
  if (s.size() != 4 || s[0] < 1 || s[1] != 3 || s[2] < kStride || s[3] < kStride || s[2] % kStride != 0 ||
      s[3] % kStride != 0) {
    throw kernels::Error(kernels::ExitCode::BadData,
                         {.where = path.string(),
                          .what = "tensor image has the wrong shape",
                          .expected = "[N, 3, H, W], H and W multiples of 8",
                          .got = s.size() <= 4 ? to_string(engine::Shape(s)) : "more than four axes",
                          .hint = kLayout});
  }
  BatchTensors batch;
  batch.image = read_tensor(file, "image", engine::Shape(s), dtype);
  batch.center = read_tensor(file, "center", {s[0], 1, s[2], s[3]}, dtype);
  if (!targets) return batch;
  const engine::Shape maps = {s[0], joints + 1, s[2] / kStride, s[3] / kStride};
  batch.targets.rest = read_tensor(file, "target", maps, dtype);
  batch.targets.stage1 =
      file.contains("target_stage1") ? read_tensor(file, "target_stage1", maps, dtype) : batch.targets.rest;
  return batch;
}

}  // namespace cpm
