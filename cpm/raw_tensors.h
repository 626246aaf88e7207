// Network inputs as tensors from a file, bit for bit, so that another implementation's input can be replayed.
#pragma once

#include <filesystem>

#include "cpm/step_runner.h"

namespace cpm {

/// image [N, 3, H, W], center [N, 1, H, W] and, with `targets`, target [N, joints + 1, H/8, W/8], which
/// serves every stage unless target_stage1 replaces it for stage 1. BadData names the tensor and the shape
/// that was expected.
BatchTensors read_raw_tensors(const std::filesystem::path& file, int joints, engine::DType dtype,
                              bool targets);

}  // namespace cpm
