// A guarded run of a convolution row on the device, the twin of guarded_run (tests/support/conv2d_cases.h).
#pragma once

#include "tests/support/conv2d_cases.h"
#include "tests/support/cuda_device.h"

namespace tests {

/// The data of a problem on the device.
struct DeviceConvData {
  DeviceConvData(CudaDevice& cuda, const ConvData<float>& data)
      : host(data), x(cuda, data.x), w(cuda, data.w), b(cuda, data.b), dy(cuda, data.dy) {}

  const ConvData<float>& host;
  DeviceBuffer<float> x, w, b, dy;
};

/// Runs a row with guard bands round the output and a workspace of exactly the size it asks for, both NaN
/// before; checks the bands and returns the output. run.exec is not used.
inline std::vector<float> device_run(CudaDevice& cuda, const kernels::ConvRow<float>& row, const ConvRun& run,
                                     DeviceConvData& data) {
  using kernels::Direction;
  const kernels::ConvProblem& c = data.host.problem;
  const bool fprop = run.direction == Direction::Fprop;
  const std::vector<float>& old = run.direction == Direction::Dgrad ? data.host.old_dx : data.host.old_dw;
  const bool add = !fprop && run.mode == kernels::GradMode::Accumulate;
  const GuardedBuffer<float> poison(fprop ? static_cast<size_t>(c.y_size()) : old.size());
  DeviceBuffer<float> out(cuda, add ? old : poison.values());
  DeviceBuffer<unsigned char> scratch(cuda, row.workspace(cuda.exec, c, run.direction));

  kernels::Exec exec = cuda.exec;
  exec.workspace = {.data = scratch.data(), .bytes = row.workspace(cuda.exec, c, run.direction)};
  kernels::ConvOperands<float> operands{.relu = run.relu};
  if (run.direction != Direction::Wgrad) operands.w = data.w.data();
  if (run.direction != Direction::Dgrad) operands.x = data.x.data();
  if (!fprop) operands.dy = data.dy.data();
  if (fprop && run.bias) operands.b = data.b.data();
  (fprop ? operands.y : run.direction == Direction::Dgrad ? operands.dx : operands.dw) = out.data();
  row.run(exec, c, run.direction, operands, run.mode);

  const GuardedBuffer<float> got = out.fetch();
  CHECK(got.guards_intact());
  CHECK(scratch.fetch().guards_intact());
  if (!fprop && run.mode == kernels::GradMode::Ignore) {
    CHECK(got.untouched());
  } else if (!run.nans) {
    CHECK(got.no_nans());
  }
  return got.values();
}

/// The first row of that name, which must be there.
inline const kernels::ConvRow<float>& conv_row(const std::string& name) {
  for (const auto& row : kernels::conv_rows<float>()) {
    if (row.name == name) return row;
  }
  FAIL("no convolution row " << name);
  std::abort();
}

}  // namespace tests
