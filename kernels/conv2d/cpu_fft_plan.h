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

struct FftPlan {
  ConvProblem c;  // of the correlation: dgrad's has C and K exchanged and filters turned
  Direction direction = Direction::Fprop;
  const FftKernels* kernels = nullptr;
  const FftSize* size = nullptr;
  FftAxis rows, columns;
  double cost = 0;                     // processor cycles of one core, by the model
  int64_t group = 1;                   // tiles at a time
  int64_t x_blocks = 1, y_blocks = 1;  // vectors of channels
  // Offsets in the workspace, in bytes; `tables` holds the offsets of a product's inputs, then outputs.
  size_t filters = 0, x = 0, y = 0, tables = 0, bytes = 0;

  int64_t line() const { return 2 * kernels->lanes; }
  int64_t tiles() const { return c.N * rows.count * columns.count; }
  int64_t spectrum_columns() const { return size->size / 2 + 1; }
  /// Floats of one column of a tile's spectrum; an odd number of lines, for the caches.
  int64_t column() const { return (size->size | 1) * line(); }
  /// Floats from a column of half-transformed filters to the next.
  int64_t filter_column() const { return y_blocks * c.C * c.R * line(); }
  /// Entries of each table: outputs of a product.
  int64_t outputs() const { return direction == Direction::Wgrad ? c.C : group; }
};

/// The plan of least cost by a fixed model of arithmetic and memory; size is null where no tile fits.
FftPlan make_fft_plan(Isa isa, const ConvProblem& problem, Direction direction);

/// Floating-point operations of a plan, all lanes counted.
double fft_flops(const FftPlan& plan);

}  // namespace kernels
