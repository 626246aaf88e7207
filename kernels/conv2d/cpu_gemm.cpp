// 1x1 convolution as a matrix product, out[i][j] (+)= sum over d of a[i][d] b[d][j], float:
//   fprop  y = w x and dgrad  dx = w^T dy, one product an image, i output channels, j pixels, d input
//   channels; wgrad  dw = dy x^T, summed over images, i output channels, j input channels, d pixels.
// a is packed once as [block of i][d][i]; b panel by panel, [d][columns of one register tile], into 24 KiB
// that stay in the first-level cache while all of a's blocks pass by. cpu.direct's loop over channels is the
// inner loop. Tasks are cut by the problem alone; terms are added in the order of d, images in theirs.
#include <algorithm>

#include "kernels/conv2d/correlation.h"
#include "kernels/conv2d/rows.h"

namespace kernels {

namespace {

constexpr int64_t kPanelFloats = 6144;
constexpr int64_t kMostTileSpans = 8;
constexpr int64_t kRowsAhead = 8;  // that a panel's rows are asked for: each lies pages behind the last
constexpr int64_t kPackedFloats = int64_t{2} << 20;  // of a group of images whose a differs
constexpr int64_t kMinTasks = 32;                    // tasks worth cutting the rows for

/// Strides in floats; out's columns are neighbours.
struct Product {
  const DirectKernels* kernels = nullptr;
  int64_t images = 1, rows = 1, cols = 1, depth = 1;
  int64_t a_row = 1, a_depth = 1, a_image = 0;
  int64_t b_depth = 1, b_col = 1, b_image = 0;
  int64_t out_image = 0;  // 0: images are added up
  int64_t group = 1;      // images at a time

  int64_t tile() const { return kernels->lanes * kernels->tile_spans; }
  bool adds_images() const { return out_image == 0; }
  int64_t packs() const { return a_image == 0 ? 1 : group; }
  size_t bytes() const { return sizeof(float) * static_cast<size_t>(packs() * rows * depth); }
  Split row_blocks() const { return Split::at_most(rows, kernels->k_block); }
  Split depth_parts() const { return Split::at_most(depth, kPanelFloats / tile()); }
};

Product make_product(Isa isa, const ConvProblem& p, Direction direction) {
  const int64_t pixels = p.H * p.W;
  Product m{.images = p.N, .rows = p.K, .cols = pixels, .depth = p.C, .group = p.N};
  switch (direction) {
    case Direction::Fprop:
      m.a_row = p.C;
      m.b_depth = pixels;
      m.b_image = p.C * pixels;
      m.out_image = p.K * pixels;
      break;
    case Direction::Dgrad:
      m.rows = p.C;
      m.depth = p.K;
      m.a_depth = p.C;
      m.b_depth = pixels;
      m.b_image = p.K * pixels;
      m.out_image = p.C * pixels;
      break;
    case Direction::Wgrad:
      m.cols = p.C;
      m.depth = pixels;
      m.a_row = pixels;
      m.a_image = p.K * pixels;
      m.b_col = pixels;
      m.b_image = p.C * pixels;
      m.group = std::clamp<int64_t>(kPackedFloats / std::max<int64_t>(1, p.K * pixels), 1, p.N);
      break;
  }
  m.kernels = &pick_direct_kernels(isa, m.cols);
  return m;
}

/// One call, or a group of images of one.
struct Call {
  const Product& product;
  ThreadPool& threads;
  const float* a;
  const float* b;
  float* packed;  // a: [pack][rows depth], a block of rows as [depth][row]
  float* out;
  const float* bias;
  bool add, relu;
};

void pack_rows(const Call& call, int64_t images) {
  const Product& m = call.product;
  const Split blocks = m.row_blocks();
  const int64_t packs = m.a_image == 0 ? 1 : images;
  call.threads.parallel_for(packs * blocks.parts, [&](int64_t task) {
    const int64_t pack = task / blocks.parts, row = blocks.begin(task % blocks.parts);
    const int64_t count = blocks.size(task % blocks.parts);
    const float* from = call.a + pack * m.a_image + row * m.a_row;
    float* to = call.packed + (pack * m.rows + row) * m.depth;
    for (int64_t d = 0; d < m.depth; ++d, from += m.a_depth) {
      for (int64_t i = 0; i < count; ++i) *to++ = from[i * m.a_row];
    }
  });
}

/// panel[d][tile] = b[d][column + ...] for `depth` rows; zeros beyond the `width` columns.
void pack_panel(const Product& m, const float* b, int64_t depth, int64_t width, float* panel) {
  const int64_t tile = m.tile();
  for (int64_t d = 0; d < depth; ++d) {
    float* to = panel + d * tile;
    if (m.b_col == 1) {
      __builtin_prefetch(b + (d + kRowsAhead) * m.b_depth);
      __builtin_prefetch(b + (d + kRowsAhead) * m.b_depth + width - 1);
      std::copy_n(b + d * m.b_depth, width, to);
    }
    std::fill(to + width, to + tile, 0.0f);
  }
  if (m.b_col == 1) return;
  for (int64_t j = 0; j < width; ++j) {
    for (int64_t d = 0; d < depth; ++d) panel[d * tile + j] = b[j * m.b_col + d * m.b_depth];
  }
}

/// Where a task works: a tile of columns, some blocks of rows, one image or all of a group.
struct Place {
  int64_t image, images;
  int64_t column, width;
  int64_t block, block_end;
};

void multiply(const Call& call, const Place& place) {
  const Product& m = call.product;
  const DirectKernels& kernels = *m.kernels;
  const Split parts = m.depth_parts(), blocks = m.row_blocks();
  const int64_t span_count = ceil_div(place.width, kernels.lanes);
  DirectSpan spans[kMostTileSpans];
  for (int64_t i = 0; i < span_count; ++i) {
    const int64_t at = i * kernels.lanes;
    spans[i] = {at, at, 0, static_cast<int32_t>(std::min(kernels.lanes, place.width - at))};
  }
  float panel[kPanelFloats];
  const int64_t no_tap = 0;
  for (int64_t image = place.image; image < place.image + place.images; ++image) {
    const float* packed = call.packed + (m.a_image == 0 ? 0 : image) * m.rows * m.depth;
    const float* b = call.b + image * m.b_image + place.column * m.b_col;
    float* out = call.out + image * m.out_image + place.column;
    for (int64_t part = 0; part < parts.parts; ++part) {
      const int64_t d = parts.begin(part), depth = parts.size(part);
      pack_panel(m, b + d * m.b_depth, depth, place.width, panel);
      for (int64_t block = place.block; block < place.block_end; ++block) {
        const int64_t row = blocks.begin(block), count = blocks.size(block);
        kernels.correlate({.in = panel,
                           .in_plane = m.tile(),
                           .channels = depth,
                           .taps = &no_tap,
                           .tap_count = 1,
                           .weights = packed + row * m.depth + d * count,
                           .k_count = count,
                           .out = out + row * m.cols,
                           .out_plane = m.cols,
                           .bias = call.bias == nullptr ? nullptr : call.bias + row,
                           .add = call.add || part > 0 || (m.adds_images() && image > 0),
                           .relu = call.relu && part + 1 == parts.parts,
                           .spans = spans,
                           .span_count = span_count});
      }
    }
  }
}

/// Parts that the blocks of rows are cut into: more than one only where tiles alone are too few tasks.
Split row_parts(const Product& m) {
  const int64_t tiles = ceil_div(m.cols, m.tile()) * (m.adds_images() ? 1 : m.images);
  const int64_t blocks = m.row_blocks().parts;
  return {blocks, std::min(blocks, ceil_div(kMinTasks, tiles))};
}

void run_group(const Call& call, int64_t images) {
  const Product& m = call.product;
  const int64_t tiles = ceil_div(m.cols, m.tile());
  const Split parts = row_parts(m);
  const int64_t each = m.adds_images() ? images : 1;
  call.threads.parallel_for(images / each * tiles * parts.parts, [&](int64_t task) {
    const int64_t part = task % parts.parts, tile = task / parts.parts;
    const int64_t column = tile % tiles * m.tile();
    multiply(call, {.image = tile / tiles * each,
                    .images = each,
                    .column = column,
                    .width = std::min(m.tile(), m.cols - column),
                    .block = parts.begin(part),
                    .block_end = parts.begin(part + 1)});
  });
}

std::string supports(const Exec&, const ConvProblem& problem, Direction) {
  if (problem.R != 1 || problem.S != 1) {
    return "kernel " + std::to_string(problem.R) + "x" + std::to_string(problem.S) + ", only 1x1 is done";
  }
  return no_correlation_reason(problem);
}

size_t workspace(const Exec& exec, const ConvProblem& problem, Direction direction) {
  return make_product(exec.isa, problem, direction).bytes();
}

/// Two multiply-adds of a vector a cycle at 72 %; packing an element takes a quarter of a cycle where rows
/// stay rows, and two where they become columns.
double cost(const Exec& exec, const ConvProblem& problem, Direction direction) {
  const Product m = make_product(exec.isa, problem, direction);
  const auto panel = static_cast<double>(m.images * ceil_div(m.cols, m.tile()) * m.depth);
  const double product = panel * static_cast<double>(m.kernels->tile_spans * m.rows) / 1.45;
  const double columns = panel * static_cast<double>(m.tile() * row_parts(m).parts);
  const auto rows = static_cast<double>((m.a_image == 0 ? 1 : m.images) * m.rows * m.depth);
  return product + columns * (m.b_col == 1 ? 0.25 : 2) + rows * 2 + 2e4;
}

void run(const Exec& exec, const ConvProblem& problem, Direction direction, const ConvOperands<float>& t,
         GradMode mode) {
  const bool fprop = direction == Direction::Fprop, dgrad = direction == Direction::Dgrad;
  if (!fprop && mode == GradMode::Ignore) return;
  const Product m = make_product(exec.isa, problem, direction);
  require_workspace(exec, m.bytes(), "cpu.gemm", problem, direction);
  Call call{.product = m,
            .threads = *exec.threads,
            .a = fprop || dgrad ? t.w : t.dy,
            .b = dgrad ? t.dy : t.x,
            .packed = static_cast<float*>(exec.workspace.data),
            .out = t.output(direction),
            .bias = fprop ? t.b : nullptr,
            .add = !fprop && mode == GradMode::Accumulate,
            .relu = fprop && t.relu};
  for (int64_t first = 0; first < m.images; first += m.group) {
    const int64_t images = std::min(m.group, m.images - first);
    pack_rows(call, images);
    run_group(call, images);
    call.a += images * m.a_image;
    call.b += images * m.b_image;
    call.out += images * m.out_image;
    call.add = call.add || m.adds_images();
  }
}

}  // namespace

ConvRow<float> cpu_gemm_conv() {
  return {.name = "cpu.gemm",
          .backend = Backend::Cpu,
          .supports = supports,
          .workspace = workspace,
          .run = run,
          .cost = cost};
}

}  // namespace kernels
