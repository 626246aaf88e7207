#include "kernels/conv2d/cpu_fft_steps.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <new>

#include "kernels/conv2d/correlation.h"

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
const float* roots_of(const FftPlan& plan) {
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
  return tables[plan.size->size].data();
}

/// An inverse transform is not scaled, and both spectra of a product have twice their value.
float scale_of(const FftPlan& plan) {
  const auto T = static_cast<float>(plan.size->size);
  return 1.0f / (4.0f * T * T);
}

struct Tile {
  int64_t image, top, left;  // top and left in pixels of `out`
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

/// Offsets of a product's inputs and outputs: 0 and 1 of correlate (an entry a tile), 2 and 3 of wgrad (a
/// channel).
int64_t* table_of(const FftCall& call, int64_t which) {
  const FftPlan& plan = call.plan;
  auto* tables = reinterpret_cast<int64_t*>(call.scratch + plan.tables);
  return tables + std::min<int64_t>(which, 2) * plan.group + std::max<int64_t>(which - 2, 0) * plan.c.C;
}

/// Floats of one column of all tiles' spectra.
int64_t in_column(const FftPlan& plan) {
  return plan.group * plan.x_blocks * plan.column();
}
int64_t out_column(const FftPlan& plan) {
  return plan.group * plan.y_blocks * plan.column();
}

/// Rows of the filters of channel block `block`, from channel `channel` on.
float* filter_rows_of(const FftCall& call, size_t where, int64_t block, int64_t channel) {
  const FftPlan& plan = call.plan;
  return call.at(where) + (block * plan.c.C + channel) * plan.c.R * plan.line();
}

/// Bins of one chunk of filters in a thread's scratch; an odd number of lines from bin to bin.
int64_t bin_stride(const FftPlan& plan) {
  return (plan.c.C | 1) * plan.line();
}

/// How the filters of the correlation lie in w or dw.
struct FilterPlace {
  int64_t offset, lane_stride;
};

FilterPlace filter_place(const FftPlan& plan, int64_t block, int64_t channel) {
  const ConvProblem& c = plan.c;
  const int64_t k = block * plan.kernels->lanes, taps = c.R * c.S;
  if (plan.turned()) return {(channel * c.K + k) * taps, taps};
  return {(k * c.C + channel) * taps, c.C * taps};
}

/// body(block, channel, scratch) for every filter, in tasks of some.
template <class Body>
void for_filters(const FftCall& call, const Body& body) {
  const FftPlan& plan = call.plan;
  const ConvProblem& c = plan.c;
  const int64_t chunks = ceil_div(c.C, kFilterChunk);
  call.threads.parallel_for(plan.y_blocks * chunks, [&](int64_t task) {
    const int64_t block = task / chunks, begin = task % chunks * kFilterChunk;
    float* scratch = thread_scratch(fft_filter_scratch(plan.size->size, plan.kernels->lanes, c.R, c.S));
    for (int64_t channel = begin; channel < std::min(begin + kFilterChunk, c.C); ++channel) {
      body(block, channel, scratch);
    }
  });
}

/// Images to spectra: those of `in` under whole tiles with their borders, those of `other` under the tiles'
/// outputs.
struct Source {
  const float* images;
  int64_t channels, height, width, blocks;
  int64_t up, left;  // from a tile's first output to its first pixel
  int64_t rows, columns;
  float* spectra;
};

void transform(const FftCall& call, const Source& source, int64_t first, int64_t tiles) {
  const FftPlan& plan = call.plan;
  const int64_t lanes = plan.kernels->lanes, plane = source.height * source.width;
  call.threads.parallel_for(tiles * source.blocks, [&](int64_t task) {
    const int64_t tile = task / source.blocks, block = task % source.blocks;
    const Tile at = tile_at(plan, first + tile);
    plan.kernels->forward({.size = plan.size,
                           .roots = roots_of(plan),
                           .image = source.images + (at.image * source.channels + block * lanes) * plane,
                           .plane = plane,
                           .channels = block_size(plan, source.channels, block),
                           .height = source.height,
                           .width = source.width,
                           .top = at.top - source.up,
                           .left = at.left - source.left,
                           .rows = source.rows,
                           .columns = source.columns,
                           .spectrum = source.spectra + task * plan.column(),
                           .column_stride = plan.group * source.blocks * plan.column(),
                           .scratch = thread_scratch(fft_tile_scratch(plan.size->size, lanes))});
  });
}

/// `out`'s spectra of column j and channel block `block`.
void correlate_column(const FftCall& call, int64_t j, int64_t block, int64_t tiles) {
  const FftPlan& plan = call.plan;
  const FftSize& size = *plan.size;
  float* bins = thread_scratch(size.radix_b * bin_stride(plan));
  for (int64_t k1 = 0; k1 < size.radix_a; ++k1) {
    const int64_t bin = k1 * size.radix_b * plan.line();
    size.filter_bins({.roots = roots_of(plan),
                      .size = size.size,
                      .k1 = k1,
                      .rows = filter_rows_of(call, plan.filters, block, 0) + j * plan.filter_column(),
                      .R = plan.c.R,
                      .filters = plan.c.C,
                      .bins = bins,
                      .bin_stride = bin_stride(plan)});
    plan.kernels->correlate({.a = bins,
                             .a_step = plan.line(),
                             .a_bin = bin_stride(plan),
                             .b = call.at(plan.x) + j * in_column(plan) + bin,
                             .b_offsets = table_of(call, 0),
                             .b_outer = plan.column(),
                             .b_bin = plan.line(),
                             .outer = plan.x_blocks,
                             .last_inner = block_size(plan, plan.c.C, plan.x_blocks - 1),
                             .out = call.at(plan.y) + j * out_column(plan) + block * plan.column() + bin,
                             .out_offsets = table_of(call, 1),
                             .out_bin = plan.line(),
                             .outputs = tiles,
                             .bins = size.radix_b});
  }
}

/// dw's rows of column j and channel block `block`: products over the group's tiles.
void gradient_column(const FftCall& call, int64_t j, int64_t block, int64_t tiles, bool add) {
  const FftPlan& plan = call.plan;
  const FftSize& size = *plan.size;
  float* bins = thread_scratch(size.radix_b * bin_stride(plan));
  for (int64_t k1 = 0; k1 < size.radix_a; ++k1) {
    const int64_t bin = k1 * size.radix_b * plan.line();
    plan.kernels->wgrad({.a = call.at(plan.y) + j * out_column(plan) + block * plan.column() + bin,
                         .a_step = plan.y_blocks * plan.column(),
                         .a_bin = plan.line(),
                         .b = call.at(plan.x) + j * in_column(plan) + bin,
                         .b_offsets = table_of(call, 2),
                         .b_outer = plan.x_blocks * plan.column(),
                         .b_bin = plan.line(),
                         .outer = tiles,
                         .last_inner = 1,
                         .out = bins,
                         .out_offsets = table_of(call, 3),
                         .out_bin = bin_stride(plan),
                         .outputs = plan.c.C,
                         .bins = size.radix_b});
    size.filter_rows_back({.roots = roots_of(plan),
                           .size = size.size,
                           .k1 = k1,
                           .bins = bins,
                           .bin_stride = bin_stride(plan),
                           .rows = filter_rows_of(call, plan.gradient, block, 0) + j * plan.filter_column(),
                           .R = plan.c.R,
                           .filters = plan.c.C,
                           .add = add || k1 > 0});
  }
}

void store_tiles(const FftCall& call, int64_t first, int64_t tiles) {
  const FftPlan& plan = call.plan;
  const ConvProblem& c = plan.c;
  const int64_t lanes = plan.kernels->lanes, plane = c.P() * c.Q();
  call.threads.parallel_for(tiles * plan.y_blocks, [&](int64_t task) {
    const int64_t tile = task / plan.y_blocks, block = task % plan.y_blocks;
    const Tile at = tile_at(plan, first + tile);
    plan.kernels->inverse({.size = plan.size,
                           .roots = roots_of(plan),
                           .spectrum = call.at(plan.y) + task * plan.column(),
                           .column_stride = out_column(plan),
                           .image = call.out + (at.image * c.K + block * lanes) * plane,
                           .plane = plane,
                           .channels = block_size(plan, c.K, block),
                           .width = c.Q(),
                           .top = at.top,
                           .left = at.left,
                           .rows = std::min(plan.rows.step, c.P() - at.top),
                           .columns = std::min(plan.columns.step, c.Q() - at.left),
                           .scale = scale_of(plan),
                           .bias = call.b == nullptr ? nullptr : call.b + block * lanes,
                           .add = call.add,
                           .relu = call.relu,
                           .scratch = thread_scratch(fft_tile_scratch(plan.size->size, lanes))});
  });
}

}  // namespace

void fft_make_tables(const FftCall& call) {
  const FftPlan& plan = call.plan;
  const int64_t lanes = plan.kernels->lanes;
  for (int64_t i = 0; i < plan.group; ++i) {
    table_of(call, 0)[i] = i * plan.x_blocks * plan.column();
    table_of(call, 1)[i] = i * plan.y_blocks * plan.column();
  }
  for (int64_t i = 0; i < plan.c.C; ++i) {
    table_of(call, 2)[i] = i / lanes * plan.column() + i % lanes;
    table_of(call, 3)[i] = i * plan.line();
  }
}

void fft_transform_filters(const FftCall& call) {
  const FftPlan& plan = call.plan;
  for_filters(call, [&](int64_t block, int64_t channel, float* scratch) {
    const FilterPlace place = filter_place(plan, block, channel);
    plan.kernels->filter_rows({.size = plan.size,
                               .roots = roots_of(plan),
                               .w = call.w + place.offset,
                               .lane_stride = place.lane_stride,
                               .lanes_used = block_size(plan, plan.c.K, block),
                               .R = plan.c.R,
                               .S = plan.c.S,
                               .turned = plan.turned(),
                               .rows = filter_rows_of(call, plan.filters, block, channel),
                               .column_stride = plan.filter_column(),
                               .scratch = scratch});
  });
}

void fft_transform_in(const FftCall& call, int64_t first, int64_t tiles) {
  const FftPlan& plan = call.plan;
  const ConvProblem& c = plan.c;
  const int64_t T = plan.size->size;
  transform(call, {call.in, c.C, c.H, c.W, plan.x_blocks, c.pad_h, c.pad_w, T, T, call.at(plan.x)}, first,
            tiles);
}

void fft_correlate(const FftCall& call, int64_t first, int64_t tiles) {
  const FftPlan& plan = call.plan;
  call.threads.parallel_for(plan.spectrum_columns() * plan.y_blocks, [&](int64_t task) {
    correlate_column(call, task / plan.y_blocks, task % plan.y_blocks, tiles);
  });
  store_tiles(call, first, tiles);
}

void fft_gradient(const FftCall& call, int64_t first, int64_t tiles) {
  const FftPlan& plan = call.plan;
  const ConvProblem& c = plan.c;
  transform(call,
            {call.other, c.K, c.P(), c.Q(), plan.y_blocks, 0, 0, plan.rows.step, plan.columns.step,
             call.at(plan.y)},
            first, tiles);
  call.threads.parallel_for(plan.spectrum_columns() * plan.y_blocks, [&](int64_t task) {
    gradient_column(call, task / plan.y_blocks, task % plan.y_blocks, tiles, first > 0);
  });
}

void fft_store_gradient(const FftCall& call) {
  const FftPlan& plan = call.plan;
  for_filters(call, [&](int64_t block, int64_t channel, float* scratch) {
    const FilterPlace place = filter_place(plan, block, channel);
    plan.kernels->filter_taps({.size = plan.size,
                               .roots = roots_of(plan),
                               .rows = filter_rows_of(call, plan.gradient, block, channel),
                               .column_stride = plan.filter_column(),
                               .w = call.dw + place.offset,
                               .lane_stride = place.lane_stride,
                               .lanes_used = block_size(plan, plan.c.K, block),
                               .R = plan.c.R,
                               .S = plan.c.S,
                               .scale = scale_of(plan),
                               .add = call.add_dw,
                               .turned = plan.turned(),
                               .scratch = scratch});
  });
}

}  // namespace kernels
