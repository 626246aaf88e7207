// What the tests of the library rows share: which library is behind them, and a guarded run of a row on the
// device.
#pragma once

#include <dlfcn.h>

#include <cmath>
#include <optional>
#include <string>

#include "tests/kernels_cuda/conv2d_run.h"

namespace tests {

/// What a stand-in's function says; none where the library behind the rows is the real one.
template <class T>
std::optional<T> ask_standin(const char* library, const char* function) {
  void* loaded = dlopen(library, RTLD_NOW | RTLD_NOLOAD);
  if (loaded == nullptr) return std::nullopt;
  auto* ask = reinterpret_cast<T (*)()>(dlsym(loaded, function));
  return ask == nullptr ? std::nullopt : std::optional<T>(ask());
}

/// The algorithm of cuDNN's last convolution.
inline std::optional<int> last_algorithm() {
  return ask_standin<int>("libcudnn.so.9", "vgpu_standin_last_algorithm");
}

/// Bytes of workspace that the last product of cuBLAS was given by its caller.
inline std::optional<size_t> last_workspace() {
  return ask_standin<size_t>("libcublas.so.13", "vgpu_standin_last_workspace");
}

/// Whole numbers: equal, or, where a real library may take an FFT, equal after rounding.
inline void require_whole(const std::vector<float>& got, const std::vector<float>& expected) {
  REQUIRE(got.size() == expected.size());
  const float most = last_algorithm() ? 0.0f : 0.01f;
  size_t wrong = 0;
  for (size_t i = 0; i < got.size(); ++i) wrong += !(std::fabs(got[i] - expected[i]) <= most);
  REQUIRE(wrong == 0);
}

/// Every direction and mode of a row against the reference, on whole numbers; fprop with a bias and without,
/// with ReLU and without.
inline void check_library_row(CudaDevice& cuda, const kernels::ConvRow<float>& row,
                              const kernels::ConvProblem& problem, uint64_t seed,
                              DeviceBuffer<unsigned char>* workspace = nullptr) {
  using kernels::GradMode;
  Cpu cpu;
  const auto data = integer_data<float>(problem, seed);
  DeviceConvData on_device(cuda, data);
  const auto& oracle = conv_row("cpu.reference");
  for (const kernels::Direction direction : kDirections) {
    INFO(row.name << " " << direction_name(direction) << " " << to_string(problem));
    REQUIRE(row.supports(cuda.exec, problem, direction) == "");
    const auto check = [&](const ConvRun& run) {
      require_whole(device_run(cuda, row, run, on_device, workspace), guarded_run(oracle, run, data));
    };
    ConvRun run{.exec = cpu.exec, .direction = direction};
    if (direction == kernels::Direction::Fprop) {
      run.bias = seed % 2 == 0;
      run.relu = seed % 4 < 2;
      check(run);
    } else {
      for (const GradMode mode : {GradMode::Overwrite, GradMode::Accumulate}) {
        run.mode = mode;
        check(run);
      }
    }
  }
}

}  // namespace tests
