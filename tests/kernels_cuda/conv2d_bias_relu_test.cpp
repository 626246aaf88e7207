// The kernel behind the library rows: bias, ReLU, both or neither, in floats as the CPU adds them; NaN stays.
#include "kernels/conv2d/cuda_bias_relu.h"

#include "tests/support/cuda_device.h"

using namespace tests;

TEST_CASE("cuda bias and ReLU of a convolution's output") {
  CudaDevice cuda;
  std::mt19937 random(11);
  for (const auto& [H, W] : {std::pair(1, 1), std::pair(5, 7), std::pair(16, 33)}) {
    const kernels::ConvProblem problem{.N = 2, .C = 1, .H = H, .W = W, .K = 3};
    for (const bool bias : {false, true}) {
      for (const bool relu : {false, true}) {
        CAPTURE(H, W, bias, relu);
        std::vector<float> y = reals<float>(random, problem.y_size());
        const std::vector<float> b = reals<float>(random, problem.K);
        y[0] = NAN;
        DeviceBuffer<float> on_device(cuda, y), biases(cuda, b);
        kernels::cuda_bias_relu(cuda.exec, problem, bias ? biases.data() : nullptr, relu, on_device.data());
        const auto pixels = static_cast<size_t>(problem.P() * problem.Q());
        for (size_t i = 0; i < y.size(); ++i) {
          if (bias) y[i] += b[i / pixels % b.size()];
          if (relu && y[i] < 0.0f) y[i] = 0.0f;
        }
        const GuardedBuffer<float> got = on_device.fetch();
        REQUIRE(got.guards_intact());
        REQUIRE(differing(got.values(), y) == 0);
      }
    }
  }
}
