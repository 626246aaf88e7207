// Convolution by tiles of Fourier transforms at stride 1, float (Mathieu, Henaff and LeCun 2013; overlapping
// tiles as in Zlateski et al. 2019). Jobs are run by the SIMD loops of cpu_fft_kernel.h:
//   fprop  spectra of tiles of x, times conjugate spectra of w, summed over C, back to y
//   dgrad  the same of dy with w turned by 180 degrees and channels exchanged
//   wgrad  spectra of tiles of x times conjugate spectra of the tiles' own outputs dy, summed over tiles,
//   back to dw
// Filters are kept half-transformed (rows only: R of T rows are other than zero), and each product's bins are
// made when they are needed, in cache. Tasks are cut by the problem alone; sums are taken in a fixed order.
#include "kernels/conv2d/cpu_fft.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <memory>
#include <new>

#include "kernels/base/error.h"
#include "kernels/conv2d/cpu_fft_plan.h"
#include "kernels/conv2d/rows.h"

namespace kernels {

namespace {

constexpr int64_t kFilterChunk = 16;  // filters of one task

/// Memory of a thread's own, kept from task to task: at least `floats`, undefined content.
float* thread_scratch(int64_t floats) {
  struct Free {
    void operator()(float* p) const { ::operator delete(p, std::align_val_t(64)); }
  };
  thread_local std::unique_ptr<float, Free> memory;
  thread_local int64_t size = 0;
  if (size < floats) {
    memory.reset();
    memory.reset(static_cast<float*>(::operator new(sizeof(float) * floats, std::align_val_t(64))));
    size = floats;
  }
  return memory.get();
}

/// cos and -sin of 2 pi n / T, for each n < T.
const float* roots_of(int64_t T) {
  static const auto tables = [] {
    std::array<std::array<float, 2 * kFftMaxSize>, kFftMaxSize + 1> all = {};
    for (int64_t size = 1; size <= kFftMaxSize; ++size) {
      for (int64_t n = 0; n < size; ++n) {
        const double angle =
            2.0 * 3.14159265358979323846 * static_cast<double>(n) / static_cast<double>(size);
        all[size][2 * n] = static_cast<float>(std::cos(angle));
        all[size][2 * n + 1] = static_cast<float>(-std::sin(angle));
      }
    }
    return all;
  }();
  return tables[T].data();
}

/// One call: the plan with its pointers.
struct Call {
  const FftPlan& plan;
  ThreadPool& threads;
  char* scratch;
  const float* x;  // images that are correlated: x, or dy for dgrad
  const float* w;
  const float* b;
  const float* dy;  // wgrad
  float* out;
  bool add, relu;
  const float* roots;

  float* at(size_t offset) const { return reinterpret_cast<float*>(scratch + offset); }
  int64_t* table(int64_t which) const {
    return reinterpret_cast<int64_t*>(scratch + plan.tables) + which * plan.outputs();
  }
  float scale() const {
    const auto T = static_cast<float>(plan.size->size);
    return 1.0f / (4.0f * T * T);
  }
};

struct Tile {
  int64_t image, top, left;  // top and left in output pixels
};

Tile tile_at(const FftPlan& plan, int64_t tile) {
  const int64_t per_image = plan.rows.count * plan.columns.count;
  return {tile / per_image, tile % per_image / plan.columns.count * plan.rows.step,
          tile % plan.columns.count * plan.columns.step};
}

/// Channels of block `block` of `channels`.
int64_t block_size(const FftPlan& plan, int64_t channels, int64_t block) {
  return std::min(plan.kernels->lanes, channels - block * plan.kernels->lanes);
}

void transform_filters(const Call& call) {
  const FftPlan& plan = call.plan;
  const ConvProblem& c = plan.c;
  const int64_t lanes = plan.kernels->lanes, taps = c.R * c.S,
                chunks = (c.C + kFilterChunk - 1) / kFilterChunk;
  const bool turned = plan.direction == Direction::Dgrad;
  call.threads.parallel_for(plan.y_blocks * chunks, [&](int64_t task) {
    const int64_t block = task / chunks, begin = task % chunks * kFilterChunk;
    float* scratch = thread_scratch(fft_filter_scratch(plan.size->size, lanes, c.R, c.S));
    for (int64_t channel = begin; channel < std::min(begin + kFilterChunk, c.C); ++channel) {
      const int64_t k = block * lanes;
      plan.kernels->filter_rows({.size = plan.size,
                                 .roots = call.roots,
                                 .w = call.w + (turned ? channel * c.K + k : k * c.C + channel) * taps,
                                 .lane_stride = turned ? taps : c.C * taps,
                                 .lanes_used = block_size(plan, c.K, block),
                                 .R = c.R,
                                 .S = c.S,
                                 .turned = turned,
                                 .rows = call.at(plan.filters) + (block * c.C + channel) * c.R * plan.line(),
                                 .column_stride = plan.filter_column(),
                                 .scratch = scratch});
    }
  });
}

/// Spectra of x's tiles, and for wgrad those of dy.
void transform_tiles(const Call& call, int64_t first, int64_t tiles) {
  const FftPlan& plan = call.plan;
  const ConvProblem& c = plan.c;
  const int64_t lanes = plan.kernels->lanes, T = plan.size->size;
  const int64_t blocks = plan.x_blocks + (plan.direction == Direction::Wgrad ? plan.y_blocks : 0);
  call.threads.parallel_for(tiles * blocks, [&](int64_t task) {
    const int64_t tile = task / blocks;
    const bool of_dy = task % blocks >= plan.x_blocks;
    const int64_t block = task % blocks - (of_dy ? plan.x_blocks : 0);
    const int64_t of_tile = of_dy ? plan.y_blocks : plan.x_blocks;
    const int64_t channels = of_dy ? c.K : c.C, height = of_dy ? c.P() : c.H, width = of_dy ? c.Q() : c.W;
    const Tile at = tile_at(plan, first + tile);
    plan.kernels->forward(
        {.size = plan.size,
         .roots = call.roots,
         .image = (of_dy ? call.dy : call.x) + (at.image * channels + block * lanes) * height * width,
         .plane = height * width,
         .channels = block_size(plan, channels, block),
         .height = height,
         .width = width,
         .top = of_dy ? at.top : at.top - c.pad_h,
         .left = of_dy ? at.left : at.left - c.pad_w,
         .rows = of_dy ? plan.rows.step : T,
         .columns = of_dy ? plan.columns.step : T,
         .spectrum = call.at(of_dy ? plan.y : plan.x) + (tile * of_tile + block) * plan.column(),
         .column_stride = plan.group * of_tile * plan.column(),
         .scratch = thread_scratch(fft_tile_scratch(T, lanes))});
  });
}

/// Where a product's inputs and outputs lie: of each tile, or for wgrad of each channel of x.
void make_tables(const Call& call) {
  const FftPlan& plan = call.plan;
  const int64_t lanes = plan.kernels->lanes;
  for (int64_t i = 0; i < plan.outputs(); ++i) {
    const bool wgrad = plan.direction == Direction::Wgrad;
    call.table(0)[i] = wgrad ? i / lanes * plan.column() + i % lanes : i * plan.x_blocks * plan.column();
    call.table(1)[i] = wgrad ? i * plan.line() : i * plan.y_blocks * plan.column();
  }
}

/// Bins of one chunk of filters in a thread's scratch; an odd number of lines from bin to bin.
int64_t bin_stride(const FftPlan& plan) {
  return (plan.c.C | 1) * plan.line();
}

/// y's spectra of column j and channel block `block`: products over C.
void correlate_column(const Call& call, int64_t j, int64_t block, int64_t tiles) {
  const FftPlan& plan = call.plan;
  const ConvProblem& c = plan.c;
  const FftSize& size = *plan.size;
  float* bins = thread_scratch(size.radix_b * bin_stride(plan));
  for (int64_t k1 = 0; k1 < size.radix_a; ++k1) {
    const int64_t bin = k1 * size.radix_b * plan.line();
    size.filter_bins(
        {.roots = call.roots,
         .size = size.size,
         .radix_a = size.radix_a,
         .k1 = k1,
         .rows = call.at(plan.filters) + j * plan.filter_column() + block * c.C * c.R * plan.line(),
         .R = c.R,
         .filters = c.C,
         .bins = bins,
         .bin_stride = bin_stride(plan)});
    plan.kernels->correlate(
        {.a = bins,
         .a_step = plan.line(),
         .a_bin = bin_stride(plan),
         .b = call.at(plan.x) + j * plan.group * plan.x_blocks * plan.column() + bin,
         .b_offsets = call.table(0),
         .b_outer = plan.column(),
         .b_bin = plan.line(),
         .outer = plan.x_blocks,
         .last_inner = block_size(plan, c.C, plan.x_blocks - 1),
         .out = call.at(plan.y) + (j * plan.group * plan.y_blocks + block) * plan.column() + bin,
         .out_offsets = call.table(1),
         .out_bin = plan.line(),
         .outputs = tiles,
         .bins = size.radix_b});
  }
}

/// Rows of dw of column j and channel block `block`: products over the group's tiles.
void wgrad_column(const Call& call, int64_t j, int64_t block, int64_t tiles, bool add) {
  const FftPlan& plan = call.plan;
  const ConvProblem& c = plan.c;
  const FftSize& size = *plan.size;
  float* bins = thread_scratch(size.radix_b * bin_stride(plan));
  for (int64_t k1 = 0; k1 < size.radix_a; ++k1) {
    const int64_t bin = k1 * size.radix_b * plan.line();
    plan.kernels->wgrad(
        {.a = call.at(plan.y) + (j * plan.group * plan.y_blocks + block) * plan.column() + bin,
         .a_step = plan.y_blocks * plan.column(),
         .a_bin = plan.line(),
         .b = call.at(plan.x) + j * plan.group * plan.x_blocks * plan.column() + bin,
         .b_offsets = call.table(0),
         .b_outer = plan.x_blocks * plan.column(),
         .b_bin = plan.line(),
         .outer = tiles,
         .last_inner = 1,
         .out = bins,
         .out_offsets = call.table(1),
         .out_bin = bin_stride(plan),
         .outputs = c.C,
         .bins = size.radix_b});
    size.filter_rows_back(
        {.roots = call.roots,
         .size = size.size,
         .radix_a = size.radix_a,
         .k1 = k1,
         .bins = bins,
         .bin_stride = bin_stride(plan),
         .rows = call.at(plan.filters) + j * plan.filter_column() + block * c.C * c.R * plan.line(),
         .R = c.R,
         .filters = c.C,
         .add = add || k1 > 0});
  }
}

void products(const Call& call, int64_t first, int64_t tiles) {
  const FftPlan& plan = call.plan;
  call.threads.parallel_for(plan.spectrum_columns() * plan.y_blocks, [&](int64_t task) {
    const int64_t j = task / plan.y_blocks, block = task % plan.y_blocks;
    if (plan.direction == Direction::Wgrad) {
      wgrad_column(call, j, block, tiles, first > 0);
    } else {
      correlate_column(call, j, block, tiles);
    }
  });
}

void store_tiles(const Call& call, int64_t first, int64_t tiles) {
  const FftPlan& plan = call.plan;
  const ConvProblem& c = plan.c;
  const int64_t lanes = plan.kernels->lanes, plane = c.P() * c.Q();
  call.threads.parallel_for(tiles * plan.y_blocks, [&](int64_t task) {
    const int64_t tile = task / plan.y_blocks, block = task % plan.y_blocks;
    const Tile at = tile_at(plan, first + tile);
    plan.kernels->inverse({.size = plan.size,
                           .roots = call.roots,
                           .spectrum = call.at(plan.y) + task * plan.column(),
                           .column_stride = plan.group * plan.y_blocks * plan.column(),
                           .image = call.out + (at.image * c.K + block * lanes) * plane,
                           .plane = plane,
                           .channels = block_size(plan, c.K, block),
                           .width = c.Q(),
                           .top = at.top,
                           .left = at.left,
                           .rows = std::min(plan.rows.step, c.P() - at.top),
                           .columns = std::min(plan.columns.step, c.Q() - at.left),
                           .scale = call.scale(),
                           .bias = call.b == nullptr ? nullptr : call.b + block * lanes,
                           .add = call.add,
                           .relu = call.relu,
                           .scratch = thread_scratch(fft_tile_scratch(plan.size->size, lanes))});
  });
}

void store_filters(const Call& call) {
  const FftPlan& plan = call.plan;
  const ConvProblem& c = plan.c;
  const int64_t lanes = plan.kernels->lanes, taps = c.R * c.S,
                chunks = (c.C + kFilterChunk - 1) / kFilterChunk;
  call.threads.parallel_for(plan.y_blocks * chunks, [&](int64_t task) {
    const int64_t block = task / chunks, begin = task % chunks * kFilterChunk;
    float* scratch = thread_scratch(fft_filter_scratch(plan.size->size, lanes, c.R, c.S));
    for (int64_t channel = begin; channel < std::min(begin + kFilterChunk, c.C); ++channel) {
      plan.kernels->filter_taps({.size = plan.size,
                                 .roots = call.roots,
                                 .rows = call.at(plan.filters) + (block * c.C + channel) * c.R * plan.line(),
                                 .column_stride = plan.filter_column(),
                                 .w = call.out + (block * lanes * c.C + channel) * taps,
                                 .lane_stride = c.C * taps,
                                 .lanes_used = block_size(plan, c.K, block),
                                 .R = c.R,
                                 .S = c.S,
                                 .scale = call.scale(),
                                 .add = call.add,
                                 .scratch = scratch});
    }
  });
}

std::string supports(const Exec& exec, const ConvProblem& c, Direction direction) {
  if (std::min({c.N, c.C, c.K, c.P(), c.Q()}) < 1) return "an empty tensor";
  if (c.stride != 1) return fmt::format("stride {}, only stride 1 is done", c.stride);
  if (c.pad_h >= c.R || c.pad_w >= c.S) {
    return fmt::format("padding {}x{} is wider than the kernel less one", c.pad_h, c.pad_w);
  }
  if (make_fft_plan(exec.isa, c, direction).size == nullptr) {
    return fmt::format("a kernel of {}x{}, tiles are at most {} wide", c.R, c.S, kFftMaxSize);
  }
  return "";
}

size_t workspace(const Exec& exec, const ConvProblem& problem, Direction direction) {
  return make_fft_plan(exec.isa, problem, direction).bytes;
}

double executed_flops(const Exec& exec, const ConvProblem& problem, Direction direction) {
  return fft_flops(make_fft_plan(exec.isa, problem, direction));
}

/// The share of all outputs that the tap least covered sees: those that its shift leaves in the image.
double least_coverage(const ConvProblem& c) {
  const auto axis = [](int64_t in, int64_t pad, int64_t kernel, int64_t out) {
    const int64_t reach = std::max(pad, kernel - 1 - pad + out - in);
    return static_cast<double>(std::max<int64_t>(out - reach, 0)) / static_cast<double>(out);
  };
  return axis(c.H, c.pad_h, c.R, c.P()) * axis(c.W, c.pad_w, c.S, c.Q());
}

/// Rounding errors of a transform are those of its largest elements. Where some taps of dw sum far fewer
/// terms than others, theirs would drown, and Adam, which divides by each element's own size, would make
/// steps of them.
double cost(const Exec& exec, const ConvProblem& problem, Direction direction) {
  if (direction == Direction::Wgrad && least_coverage(problem) < 0.7) {
    return std::numeric_limits<double>::infinity();
  }
  return make_fft_plan(exec.isa, problem, direction).cost;
}

void run(const Exec& exec, const ConvProblem& problem, Direction direction, const ConvOperands<float>& t,
         GradMode mode) {
  const bool fprop = direction == Direction::Fprop, dgrad = direction == Direction::Dgrad;
  if (!fprop && mode == GradMode::Ignore) return;
  const FftPlan plan = make_fft_plan(exec.isa, problem, direction);
  CPM_CHECK(exec.workspace.bytes >= plan.bytes, "cpu.fft got {} bytes of workspace for {} {}",
            exec.workspace.bytes, direction_name(direction), to_string(problem));
  const Call call{.plan = plan,
                  .threads = *exec.threads,
                  .scratch = static_cast<char*>(exec.workspace.data),
                  .x = dgrad ? t.dy : t.x,
                  .w = t.w,
                  .b = fprop ? t.b : nullptr,
                  .dy = t.dy,
                  .out = fprop   ? t.y
                         : dgrad ? t.dx
                                 : t.dw,
                  .add = !fprop && mode == GradMode::Accumulate,
                  .relu = fprop && t.relu,
                  .roots = roots_of(plan.size->size)};
  make_tables(call);
  if (direction != Direction::Wgrad) transform_filters(call);
  for (int64_t first = 0; first < plan.tiles(); first += plan.group) {
    const int64_t tiles = std::min(plan.group, plan.tiles() - first);
    transform_tiles(call, first, tiles);
    products(call, first, tiles);
    if (direction != Direction::Wgrad) store_tiles(call, first, tiles);
  }
  if (direction == Direction::Wgrad) store_filters(call);
}

}  // namespace

ConvRow<float> cpu_fft_conv() {
  return {.name = "cpu.fft",
          .backend = Backend::Cpu,
          .supports = supports,
          .workspace = workspace,
          .run = run,
          .executed_flops = executed_flops,
          .cost = cost};
}

}  // namespace kernels
