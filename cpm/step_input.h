// The input of a step on its way to the device. A batch is copied into pinned memory, from there in a stream
// of its own into a landing buffer while the step before still runs, and at the start of its step to where
// the recorded step reads it, always the same place. In host memory there is nothing to move.
#pragma once

#include <memory>
#include <optional>

#include "cpm/dataset/targets.h"
#include "cpm/model.h"
#include "kernels/base/device_runtime.h"

namespace cpm {

/// The people of a batch whose maps the device draws.
struct PeopleToDraw {
  kernels::TargetsProblem problem;
  PackedPeople people;
};

/// A batch as tensors of the model's element type.
struct BatchTensors {
  engine::Tensor image, center;
  Targets targets;                             // undefined tensors for inference
  std::shared_ptr<const PeopleToDraw> people;  // where centre and targets are not drawn yet; float only
};

/// An inference batch of n images, height x width: shapes alone, to prepare a runner with.
BatchTensors inference_shapes(int64_t n, int64_t height, int64_t width);

/// The batch with tensors of the right shapes, but no memory to follow, in place of what is not drawn.
BatchTensors with_shapes(const BatchTensors& batch);

class StepInput {
 public:
  /// `exec`: the stream that computes.
  explicit StepInput(const kernels::Exec& exec);
  ~StepInput();
  StepInput(const StepInput&) = delete;
  StepInput& operator=(const StepInput&) = delete;

  /// The next step's input, in host memory. With a device it may be changed when this returns, which waits
  /// only for the upload before it; on the CPU the step reads it where it lies.
  void upload(const BatchTensors& host);
  /// The last upload where the step reads it, maps drawn. Queued in exec's stream.
  const BatchTensors& take();
  /// Changes when take()'s addresses do.
  int64_t generation() const { return generation_; }

 private:
  struct Buffers;

  kernels::Exec exec_;
  BatchTensors host_;  // what take() gives where nothing moves
  std::unique_ptr<Buffers> buffers_;
  int64_t generation_ = 0;
};

}  // namespace cpm
