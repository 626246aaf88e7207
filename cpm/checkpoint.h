// Checkpoints: one checksummed safetensors file a step (several files could be half-updated): parameters
// under their names, optimiser state under "<state>/<name>", step and configuration hash in the metadata.
// Counter-based random numbers and a step-indexed sampler need no other state, so resuming is bit-exact.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "cpm/model.h"
#include "engine/optim/optimizer.h"

namespace cpm {

/// Writes ckpt/step-NNNNNNNN.ckpt, points the link `last` at it, then removes all but the newest `keep`.
void save_checkpoint(const std::filesystem::path& folder, const Model& model,
                     const engine::Optimizer& optimizer, int64_t keep);

/// Loads the newest valid checkpoint of the folder into model and optimiser; returns its step, or 0 where
/// there is none. A damaged file is skipped, and `warn` is told which and why; one of another network is a
/// BadData error.
int64_t load_newest_checkpoint(const std::filesystem::path& folder, Model* model,
                               engine::Optimizer* optimizer,
                               const std::function<void(const std::string&)>& warn);

}  // namespace cpm
