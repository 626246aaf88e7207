// How cpu.fft cuts a problem: the size of the tiles, how many are transformed at a time, and where in the
// workspace everything lies.
#pragma once

#include "kernels/base/exec.h"
#include "kernels/base/types.h"
#include "kernels/conv2d/cpu_fft.h"
#include "kernels/conv2d/problem.h"

namespace kernels {

/// Tiles along one axis: `count` of `step` outputs each. A single tile may have up to T - pad outputs, more
/// than T - R + 1: what wraps round meets the zeros of both paddings.
struct FftAxis {
  int64_t count = 0, step = 0;
};

/// Tiles of T points over an axis of `in` points; count 0 where the kernel does not fit.
FftAxis fft_axis(int64_t T, int64_t in, int64_t pad, int64_t kernel);

/// Backward: dgrad and wgrad at once.
enum class FftTask { Fprop, Dgrad, Wgrad, Backward };

FftTask fft_task(Direction direction);

/// Of a correlation of c's images. dgrad's has C and K exchanged and filters turned; so has Backward, whose
/// dw is the gradient of those filters, and both use the spectra of dy.
struct FftPlan {
  ConvProblem c;
  FftTask task = FftTask::Fprop;
  const FftKernels* kernels = nullptr;
  const FftSize* size = nullptr;
  FftAxis rows, columns;
  double cost = 0;                     // processor cycles of one core, by the model
  int64_t group = 1;                   // tiles at a time
  int64_t x_blocks = 1, y_blocks = 1;  // vectors of channels
  // Offsets in the workspace, in bytes. `tables`: where the inputs, then the outputs of correlate lie, then
  // of wgrad.
  size_t filters = 0, gradient = 0, x = 0, y = 0, tables = 0, bytes = 0;

  bool turned() const { return task == FftTask::Dgrad || task == FftTask::Backward; }
  bool correlates() const { return task != FftTask::Wgrad; }
  bool has_gradient() const { return task == FftTask::Wgrad || task == FftTask::Backward; }

  int64_t line() const { return 2 * kernels->lanes; }
  int64_t tiles() const { return c.N * rows.count * columns.count; }
  int64_t spectrum_columns() const { return size->size / 2 + 1; }
  /// Floats of one column of a tile's spectrum; an odd number of lines, for the caches.
  int64_t column() const { return (size->size | 1) * line(); }
  /// Floats from a column of half-transformed filters to the next.
  int64_t filter_column() const { return y_blocks * c.C * c.R * line(); }
};

/// The plan of least cost by a fixed model of arithmetic and memory; size is null where no tile fits.
FftPlan make_fft_plan(Isa isa, const ConvProblem& problem, FftTask task);

/// Floating-point operations of a plan, all lanes counted.
double fft_flops(const FftPlan& plan);

}  // namespace kernels
