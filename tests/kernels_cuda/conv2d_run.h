// A guarded run of a convolution row on the device, the twin of guarded_run (tests/support/conv2d_cases.h).
#pragma once

#include <limits>
#include <optional>

#include "tests/support/conv2d_cases.h"
#include "tests/support/cuda_device.h"

namespace tests {

/// `values` behind `offset` NaNs.
inline std::vector<float> shifted(const std::vector<float>& values, size_t offset) {
  std::vector<float> result(offset, std::numeric_limits<float>::quiet_NaN());
  result.insert(result.end(), values.begin(), values.end());
  return result;
}

/// The data of a problem on the device, every array `offset` floats behind an aligned address.
struct DeviceConvData {
  DeviceConvData(CudaDevice& cuda, const ConvData<float>& data, size_t floats = 0)
      : host(data),
        offset(floats),
        x(cuda, shifted(data.x, offset)),
        w(cuda, shifted(data.w, offset)),
        b(cuda, shifted(data.b, offset)),
        dy(cuda, shifted(data.dy, offset)) {}

  const ConvData<float>& host;
  size_t offset;
  DeviceBuffer<float> x, w, b, dy;
};

/// Runs a row with guard bands round the output and a workspace of exactly the size it asks for, both NaN
/// before; checks the bands and returns the output. run.exec is not used. `shared`, if given, is the
/// workspace, of that size, and its bands are the caller's to check: for rows that ask for megabytes.
inline std::vector<float> device_run(CudaDevice& cuda, const kernels::ConvRow<float>& row, const ConvRun& run,
                                     DeviceConvData& data, DeviceBuffer<unsigned char>* shared = nullptr) {
  using kernels::Direction;
  const kernels::ConvProblem& c = data.host.problem;
  const size_t offset = data.offset;
  const bool fprop = run.direction == Direction::Fprop;
  const std::vector<float>& old = run.direction == Direction::Dgrad ? data.host.old_dx : data.host.old_dw;
  const bool add = !fprop && run.mode == kernels::GradMode::Accumulate;
  const GuardedBuffer<float> poison(fprop ? static_cast<size_t>(c.y_size()) : old.size());
  DeviceBuffer<float> out(cuda, shifted(add ? old : poison.values(), offset));
  const size_t bytes = row.workspace(cuda.exec, c, run.direction);
  std::optional<DeviceBuffer<unsigned char>> own;
  DeviceBuffer<unsigned char>& scratch = shared != nullptr ? *shared : own.emplace(cuda, bytes);

  kernels::Exec exec = cuda.exec;
  exec.workspace = {.data = scratch.data(), .bytes = bytes};
  kernels::ConvOperands<float> operands;
  operands.relu = run.relu;
  if (run.direction != Direction::Wgrad) operands.w = data.w.data() + offset;
  if (run.direction != Direction::Dgrad) operands.x = data.x.data() + offset;
  if (!fprop) operands.dy = data.dy.data() + offset;
  if (fprop && run.bias) operands.b = data.b.data() + offset;
  (fprop ? operands.y : run.direction == Direction::Dgrad ? operands.dx : operands.dw) = out.data() + offset;
  row.run(exec, c, run.direction, operands, run.mode);

  const GuardedBuffer<float> got = out.fetch();
  CHECK(got.guards_intact());
  if (own) CHECK(own->fetch().guards_intact());
  const GuardedBuffer<float> values(std::vector<float>(got.begin() + offset, got.end()));
  if (!fprop && run.mode == kernels::GradMode::Ignore) {
    CHECK(values.untouched());
  } else if (!run.nans) {
    CHECK(values.no_nans());
  }
  for (size_t i = 0; i < offset; ++i) CHECK(got[i] != got[i]);
  return values.values();
}

/// The row of that name, which must be there.
inline const kernels::ConvRow<float>& conv_row(const std::string& name) {
  for (const auto& row : kernels::conv_rows<float>()) {
    if (row.name == name) return row;
  }
  FAIL("no convolution row " << name);
  std::abort();
}

}  // namespace tests
