// Operands of one convolution for benchmarks: random numbers, on exec's device and readable on the host.
#pragma once

#include <vector>

#include "kernels/base/device_memory.h"
#include "kernels/conv2d/conv2d.h"

namespace engine {

/// The inputs that a direction reads, filled; its output, allocated. x, b and dy are uniform in [-1, 1), w is
/// scaled by 1 / sqrt(C R S), so y is of order one. Equal seeds give equal numbers on every machine.
class ConvData {
 public:
  ConvData(const kernels::Exec& exec, const kernels::ConvProblem& problem, kernels::Direction direction,
           uint64_t seed);

  /// For ConvRow::run.
  const kernels::ConvOperands<float>& operands() const { return device_; }
  /// The same inputs where the host can read them; no outputs.
  const kernels::ConvOperands<float>& host() const { return host_; }

  /// Elements of the output (y, dx or dw).
  int64_t output_size() const { return output_size_; }
  /// Makes every element of the output a NaN, so that what a row leaves out shows.
  void poison_output();
  /// The output as it is after all work in exec's stream; valid until the next call.
  const float* fetch_output();

 private:
  const float* add_input(int64_t size, double scale, const float** host);

  kernels::Exec exec_;
  uint64_t seed_;
  kernels::ConvOperands<float> device_, host_;
  std::vector<kernels::DeviceMemory> memory_;
  std::vector<std::vector<float>> copies_;  // of inputs that lie on another device
  std::vector<float> staging_;              // for the output there
  int64_t output_size_ = 0;
  float* output_ = nullptr;
};

/// Elements of y, dx or dw.
int64_t output_size(const kernels::ConvProblem& problem, kernels::Direction direction);

}  // namespace engine
