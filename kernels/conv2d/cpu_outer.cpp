// wgrad as sums of outer products, float, stride 1: for each tap (r, s)
//   dw[:, :, r, s] (+)= sum over images and pixels of dy[:, p, q] x[:, p + r - pad_h, q + s - pad_w]^T.
// Output channels lie in the lanes, a block of input channels in the registers, and only pixels that the tap
// sees are summed: maps that are little wider than their kernel lose nothing to rows that fill no vector, nor
// to padding. The inner loop is cpu.direct's: rows of pixels are its channels, columns its taps, x its
// weights. Terms are added in the order of pixels, at most kJobPixels at a time, then job by job in a fixed
// order.
#include <algorithm>

#include "kernels/conv2d/correlation.h"
#include "kernels/conv2d/rows.h"

namespace kernels {

namespace {

constexpr int64_t kJobPixels = 256;                // summed in registers: bounds rounding
constexpr int64_t kGroupBytes = int64_t{8} << 20;  // copies of a group of images
constexpr int64_t kMostTileSpans = 4;

/// The outputs along one axis that a tap sees: [begin, end), and the input that the first one reads.
struct Seen {
  int64_t begin, end, input;

  Seen(int64_t tap, int64_t pad, int64_t inputs, int64_t outputs)
      : begin(std::clamp<int64_t>(pad - tap, 0, outputs)),
        end(std::clamp<int64_t>(inputs + pad - tap, begin, outputs)),
        input(begin + tap - pad) {}
  int64_t size() const { return end - begin; }
};

/// Everything about a call but its pointers; offsets and sizes in floats.
struct Plan {
  ConvProblem c;
  const DirectKernels* kernels = nullptr;
  int64_t group = 1;  // images at a time
  // Places in the workspace; at its start the columns' offsets.
  int64_t x_copy = 0, dy_copy = 0, sums = 0, floats = 0;

  int64_t tile() const { return kernels->tall_spans * kernels->lanes; }  // output channels of a job
  int64_t tiles() const { return ceil_div(c.K, tile()); }
  int64_t k_pitch() const { return tiles() * tile(); }
  int64_t dy_image() const { return c.P() * c.Q() * k_pitch(); }
  int64_t x_image() const { return c.C * c.H * c.W; }
  Split c_blocks() const { return Split::at_most(c.C, kernels->tall_block); }
  /// Rows of pixels that a job sums.
  int64_t job_rows(int64_t cols) const { return std::max<int64_t>(1, kJobPixels / cols); }
};

Plan make_plan(Isa isa, const ConvProblem& problem) {
  Plan plan{.c = problem, .kernels = &pick_direct_kernels(isa, problem.K)};
  const ConvProblem& c = plan.c;
  const int64_t image_bytes = static_cast<int64_t>(sizeof(float)) * (plan.x_image() + plan.dy_image());
  plan.group = std::clamp<int64_t>(kGroupBytes / std::max<int64_t>(image_bytes, 1), 1, c.N);
  plan.x_copy = ceil_div(c.Q() * static_cast<int64_t>(sizeof(int64_t) / sizeof(float)), 16) * 16;
  plan.dy_copy = plan.x_copy + plan.group * plan.x_image();
  plan.sums = plan.dy_copy + plan.group * plan.dy_image();
  plan.floats = plan.sums + c.R * c.S * c.C * plan.k_pitch();
  return plan;
}

struct Call {
  const Plan& plan;
  ThreadPool& threads;
  const float* x;
  const float* dy;
  float* scratch;
  float* dw;
  bool add;  // to what is in dw

  int64_t* columns() const { return reinterpret_cast<int64_t*>(scratch); }
  float* x_copy() const { return scratch + plan.x_copy; }    // [image][block of c][h][w][c]
  float* dy_copy() const { return scratch + plan.dy_copy; }  // [image][tile of k][p][q][k], zeros beyond K
  float* sums() const { return scratch + plan.sums; }        // [r][s][c][k]
};

/// Channels [first, first + count) of an image become [pixel][pitch].
void to_pixels(const float* from, int64_t pixels, int64_t count, int64_t pitch, float* to) {
  for (int64_t i = 0; i < pixels; ++i, to += pitch) {
    for (int64_t j = 0; j < count; ++j) to[j] = from[j * pixels + i];
    std::fill(to + count, to + pitch, 0.0f);
  }
}

void copy_images(const Call& call, int64_t first, int64_t images) {
  const Plan& plan = call.plan;
  const Split blocks = plan.c_blocks();
  const int64_t in = plan.c.H * plan.c.W, out = plan.c.P() * plan.c.Q(), tile = plan.tile();
  const int64_t parts = blocks.parts + plan.tiles();
  call.threads.parallel_for(images * parts, [&](int64_t task) {
    const int64_t image = task / parts, part = task % parts;
    if (part < blocks.parts) {
      const int64_t channel = blocks.begin(part), count = blocks.size(part);
      to_pixels(call.x + (first + image) * plan.x_image() + channel * in, in, count, count,
                call.x_copy() + image * plan.x_image() + channel * in);
    } else {
      const int64_t k = (part - blocks.parts) * tile;
      to_pixels(call.dy + ((first + image) * plan.c.K + k) * out, out, std::min(tile, plan.c.K - k), tile,
                call.dy_copy() + image * plan.dy_image() + k * out);
    }
  });
}

/// What a job adds up: one image, a block of input channels, a tile of output channels, one tap.
struct Place {
  int64_t image, block, tile, r, s;
};

/// sums[r][s][block][tile] (+)= one image.
void add_image(const Call& call, const Place& place, bool add) {
  const Plan& plan = call.plan;
  const ConvProblem& c = plan.c;
  const Split blocks = plan.c_blocks();
  const int64_t channel = blocks.begin(place.block), count = blocks.size(place.block), tile = plan.tile();
  const Seen rows(place.r, c.pad_h, c.H, c.P()), cols(place.s, c.pad_w, c.W, c.Q());
  float* const out =
      call.sums() + ((place.r * c.S + place.s) * c.C + channel) * plan.k_pitch() + place.tile * tile;
  if (rows.size() == 0 || cols.size() == 0) {
    for (int64_t i = 0; i < count && !add; ++i) std::fill_n(out + i * plan.k_pitch(), tile, 0.0f);
    return;
  }
  const int64_t lanes = plan.kernels->lanes;
  DirectSpan spans[kMostTileSpans];
  for (int64_t i = 0; i < plan.kernels->tall_spans; ++i) {
    spans[i] = {i * lanes, i * lanes, 0, static_cast<int32_t>(lanes)};
  }
  const float* x = call.x_copy() + place.image * plan.x_image() + channel * c.H * c.W;
  const float* dy = call.dy_copy() + place.image * plan.dy_image() + place.tile * tile * c.P() * c.Q();
  const int64_t job_rows = plan.job_rows(cols.size());
  for (int64_t row = 0; row < rows.size(); row += job_rows) {
    plan.kernels->correlate({.in = dy + ((rows.begin + row) * c.Q() + cols.begin) * tile,
                             .in_plane = c.Q() * tile,
                             .channels = std::min(job_rows, rows.size() - row),
                             .taps = call.columns(),
                             .tap_count = cols.size(),
                             .weights = x + ((rows.input + row) * c.W + cols.input) * count,
                             .weights_skip = (c.W - cols.size()) * count,
                             .k_count = count,
                             .out = out,
                             .out_plane = plan.k_pitch(),
                             .bias = nullptr,
                             .add = add || row > 0,
                             .relu = false,
                             .spans = spans,
                             .span_count = plan.kernels->tall_spans});
  }
}

void sum_group(const Call& call, int64_t first, int64_t images) {
  const ConvProblem& c = call.plan.c;
  const int64_t blocks = call.plan.c_blocks().parts, tiles = call.plan.tiles();
  call.threads.parallel_for(c.R * tiles * blocks, [&](int64_t task) {
    Place place{.block = task % blocks, .tile = task / blocks % tiles, .r = task / blocks / tiles};
    for (place.image = 0; place.image < images; ++place.image) {
      for (place.s = 0; place.s < c.S; ++place.s) add_image(call, place, first + place.image > 0);
    }
  });
}

/// dw[k][c][r][s] (+)= sums[r][s][c][k], a tile of k at a time, so that sums are read line by line.
void store(const Call& call) {
  const Plan& plan = call.plan;
  const int64_t C = plan.c.C, taps = plan.c.R * plan.c.S, tile = plan.tile();
  call.threads.parallel_for(plan.tiles(), [&](int64_t task) {
    const int64_t k = task * tile, count = std::min(tile, plan.c.K - k);
    for (int64_t at = 0; at < C * taps; ++at) {
      const int64_t channel = at / taps, tap = at % taps;
      const float* sums = call.sums() + (tap * C + channel) * plan.k_pitch() + k;
      float* dw = call.dw + k * C * taps + at;
      for (int64_t i = 0; i < count; ++i, dw += C * taps) *dw = call.add ? *dw + sums[i] : sums[i];
    }
  });
}

std::string supports(const Exec&, const ConvProblem& problem, Direction direction) {
  if (direction != Direction::Wgrad) return "only wgrad is done";
  return no_correlation_reason(problem);
}

size_t workspace(const Exec& exec, const ConvProblem& problem, Direction) {
  return sizeof(float) * static_cast<size_t>(make_plan(exec.isa, problem).floats);
}

/// Two multiply-adds of a vector a cycle at 70 %, what a job costs, and copies at three cycles an element.
double cost(const Exec& exec, const ConvProblem& problem, Direction) {
  const Plan plan = make_plan(exec.isa, problem);
  const ConvProblem& c = plan.c;
  double pixels = 0, jobs = 0;
  for (int64_t s = 0; s < c.S; ++s) {
    const Seen cols(s, c.pad_w, c.W, c.Q());
    if (cols.size() == 0) continue;
    for (int64_t r = 0; r < c.R; ++r) {
      const Seen rows(r, c.pad_h, c.H, c.P());
      pixels += static_cast<double>(rows.size() * cols.size());
      jobs += static_cast<double>(ceil_div(rows.size(), plan.job_rows(cols.size())));
    }
  }
  const auto images = static_cast<double>(c.N);
  const double vectors = pixels * static_cast<double>(c.C * plan.tiles() * plan.kernels->tall_spans);
  const double calls = jobs * static_cast<double>(plan.c_blocks().parts * plan.tiles());
  const auto copied = static_cast<double>(plan.x_image() + plan.dy_image());
  return images * (vectors / 1.4 + 60 * calls + 3 * copied) + static_cast<double>(c.w_size()) + 2e4;
}

void run(const Exec& exec, const ConvProblem& problem, Direction direction, const ConvOperands<float>& t,
         GradMode mode) {
  if (mode == GradMode::Ignore) return;
  const Plan plan = make_plan(exec.isa, problem);
  require_workspace(exec, workspace(exec, problem, direction), "cpu.outer", problem, direction);
  const Call call{.plan = plan,
                  .threads = *exec.threads,
                  .x = t.x,
                  .dy = t.dy,
                  .scratch = static_cast<float*>(exec.workspace.data),
                  .dw = t.dw,
                  .add = mode == GradMode::Accumulate};
  int64_t* columns = call.columns();
  for (int64_t q = 0; q < problem.Q(); ++q) columns[q] = q * plan.tile();
  for (int64_t first = 0; first < problem.N; first += plan.group) {
    const int64_t images = std::min(plan.group, problem.N - first);
    copy_images(call, first, images);
    sum_group(call, first, images);
  }
  store(call);
}

}  // namespace

ConvRow<float> cpu_outer_conv() {
  return {.name = "cpu.outer",
          .backend = Backend::Cpu,
          .supports = supports,
          .workspace = workspace,
          .run = run,
          .cost = cost};
}

}  // namespace kernels
