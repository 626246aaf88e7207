// Direct convolution at stride 1 on zero-padded copies, float, jobs run by the SIMD loops of
// cpu_direct_kernel.h:
//   fprop  correlates x with w;   dgrad  correlates dy with w turned by 180 degrees, channels exchanged,
//   padded by R-1-pad_h and S-1-pad_w;   wgrad  correlates x with dy.
// The copies are made for as many images at a time as stay within kGroupBytes; without padding the input is
// read in place. Weights are packed as [k-block][c][tap][k]. Tasks are cut by the problem alone and write
// their own part of the output; y and dx are overwritten or added to in blocks of input channels, dw image
// group by image group, always in the same order.
#include "kernels/conv2d/cpu_direct.h"

#include <algorithm>
#include <cstring>

#include "kernels/conv2d/correlation.h"
#include "kernels/conv2d/rows.h"

namespace kernels {

namespace {

constexpr int64_t kGroupBytes = int64_t{8} << 20;  // copies of a group of images: they stay in a cache
constexpr int64_t kChunkSpans = 24;                // spans of one task: a multiple of most tiles' spans
constexpr int64_t kBlockTaps = 1300;               // c-block x taps: weights of a k-block are then 41 KiB
constexpr int64_t kPointChannels = 128;            // c-block of a 1x1 kernel: its part of x stays in a cache
constexpr int64_t kSegmentVectors = 32;            // of one entry of wgrad's table of rows
constexpr int64_t kMinTasks = 32;                  // tasks worth cutting the channels for

/// Images of `channels` planes, height x width, copied with a border of zeros; the last is followed by slack.
struct PaddedImages {
  int64_t channels = 1, height = 1, width = 1;
  int64_t pad_h = 0, pad_w = 0;
  int64_t pitch = 1;  // floats from row to row, at least width + 2 pad_w
  bool copied = false;

  int64_t plane() const { return (height + 2 * pad_h) * pitch; }
  int64_t image() const { return channels * plane(); }

  void copy_plane(const float* from, float* to) const {
    std::memset(to, 0, sizeof(float) * plane());
    for (int64_t h = 0; h < height; ++h) {
      std::memcpy(to + (h + pad_h) * pitch + pad_w, from + h * width, sizeof(float) * width);
    }
  }
};

/// Everything about a call but its pointers. `out` channels are those of y or dx; wgrad looks at it as fprop.
struct Plan {
  ConvProblem c;  // of the correlation: dgrad's has C and K exchanged; a 1x1 kernel sees one long row
  const DirectKernels* kernels = nullptr;
  PaddedImages in, dy;
  int64_t group = 1;      // images at a time
  int64_t row_spans = 1;  // vectors per output row
  int64_t tap_count = 1;  // R S, wgrad: C R S
  // Offsets in the workspace, in bytes.
  size_t taps = 0, table = 0, mask = 0, weights = 0, in_copy = 0, dy_copy = 0, bytes = 0;
};

size_t book(Plan& plan, size_t bytes) {
  const size_t at = plan.bytes;
  plan.bytes += (bytes + 63) / 64 * 64;
  return at;
}

/// Entries of wgrad's table for one row of dy: its full vectors in pieces, and the masked last one.
int64_t row_segments(const Plan& plan) {
  return ceil_div(plan.row_spans, kSegmentVectors) + 1;
}

Plan make_plan(Isa isa, const ConvProblem& problem, Direction direction) {
  Plan plan{.c = direction == Direction::Dgrad ? dgrad_correlation(problem) : problem};
  ConvProblem& c = plan.c;
  if (c.R == 1 && c.S == 1) {
    c.W *= c.H;
    c.H = 1;
  }
  const bool wgrad = direction == Direction::Wgrad;
  plan.kernels = &pick_direct_kernels(isa, c.Q());
  const int64_t lanes = plan.kernels->lanes;
  // Rows whose last vector reads past their end: those shorter than a vector, and in wgrad, where a masked
  // vector per row costs more than a copy of dy, those of a few vectors.
  const bool ragged = wgrad ? c.Q() % lanes != 0 && c.Q() < 4 * lanes : c.Q() < lanes;
  plan.in = {.channels = c.C,
             .height = c.H,
             .width = c.W,
             .pad_h = c.pad_h,
             .pad_w = c.pad_w,
             .pitch = c.W + 2 * c.pad_w,
             .copied = c.pad_h > 0 || c.pad_w > 0 || ragged};
  plan.dy = {.channels = c.K,
             .height = c.P(),
             .width = c.Q(),
             .pitch = ragged ? ceil_div(c.Q(), lanes) * lanes : c.Q(),
             .copied = wgrad && ragged};
  plan.row_spans = ceil_div(c.Q(), lanes);
  plan.tap_count = wgrad ? c.C * c.R * c.S : c.R * c.S;
  const int64_t image_bytes =
      4 * ((plan.in.copied ? plan.in.image() : 0) + (plan.dy.copied ? plan.dy.image() : 0));
  plan.group = std::clamp<int64_t>(kGroupBytes / std::max<int64_t>(image_bytes, 1), 1, c.N);

  plan.taps = book(plan, sizeof(int64_t) * plan.tap_count);
  if (wgrad) {
    plan.table = book(plan, sizeof(DirectSegment) * plan.group * c.P() * row_segments(plan));
    plan.mask = book(plan, sizeof(float) * lanes);
  } else {
    plan.weights = book(plan, sizeof(float) * c.w_size());
  }
  if (plan.in.copied) plan.in_copy = book(plan, sizeof(float) * (plan.group * plan.in.image() + lanes));
  if (plan.dy.copied) plan.dy_copy = book(plan, sizeof(float) * plan.group * plan.dy.image());
  return plan;
}

/// One call: the plan with its pointers.
struct Call {
  const Plan& plan;
  ThreadPool& threads;
  char* scratch;
  const float* in;  // x, or dy for dgrad
  const float* w;   // [K, C, R, S] of the problem
  const float* b;
  const float* dy;  // wgrad
  float* out;       // y, dx or dw
  bool turned;      // dgrad: w is turned and its channels exchanged
  bool add;
  bool relu;  // fprop

  template <class T>
  T* at(size_t offset) const {
    return reinterpret_cast<T*>(scratch + offset);
  }
};

/// Packs the weights of output channels [k, k + count) as [c][tap][count].
void pack_weights(const Call& call, int64_t k, int64_t count) {
  const ConvProblem& c = call.plan.c;
  const int64_t taps = c.R * c.S;
  float* to = call.at<float>(call.plan.weights) + k * c.C * taps;
  for (int64_t channel = 0; channel < c.C; ++channel) {
    const float* from = call.w + (call.turned ? channel * c.K + k : k * c.C + channel) * taps;
    const int64_t from_k = call.turned ? taps : c.C * taps;
    for (int64_t t = 0; t < taps; ++t) {
      const int64_t tap = call.turned ? taps - 1 - t : t;
      for (int64_t j = 0; j < count; ++j) *to++ = from[j * from_k + tap];
    }
  }
}

/// Copies of `images` images from `first` on, and the packed weights: all that the jobs read.
void prepare(const Call& call, int64_t first, int64_t images, bool with_weights) {
  const Plan& plan = call.plan;
  const Split blocks = Split::at_most(plan.c.K, plan.kernels->k_block);
  const int64_t packs = with_weights ? blocks.parts : 0;
  const int64_t in_planes = plan.in.copied ? images * plan.in.channels : 0;
  const int64_t dy_planes = plan.dy.copied ? images * plan.dy.channels : 0;
  const auto copy = [&](const PaddedImages& shape, const float* from, size_t to, int64_t i) {
    const int64_t plane = first * shape.channels + i;
    shape.copy_plane(from + plane * shape.height * shape.width, call.at<float>(to) + i * shape.plane());
  };
  call.threads.parallel_for(packs + in_planes + dy_planes, [&](int64_t task) {
    if (task < packs) {
      pack_weights(call, blocks.begin(task), blocks.size(task));
    } else if (task < packs + in_planes) {
      copy(plan.in, call.in, plan.in_copy, task - packs);
    } else {
      copy(plan.dy, call.dy, plan.dy_copy, task - packs - in_planes);
    }
  });
}

/// The spans [begin, begin + count) of a group of images, counted along rows, planes, images.
void make_spans(const Plan& plan, int64_t begin, int64_t count, DirectSpan* spans) {
  const ConvProblem& c = plan.c;
  const int64_t lanes = plan.kernels->lanes, P = c.P(), Q = c.Q();
  for (int64_t i = 0; i < count; ++i) {
    const int64_t row = (begin + i) / plan.row_spans, v = (begin + i) % plan.row_spans;
    const int64_t q = std::max<int64_t>(0, std::min(v * lanes, Q - lanes));
    spans[i] = {.in = row / P * plan.in.image() + row % P * plan.in.pitch + q,
                .out = row / P * c.K * P * Q + row % P * Q + q,
                .lane_begin = static_cast<int32_t>(v * lanes - q),
                .lane_end = static_cast<int32_t>(std::min(lanes, Q - q))};
  }
}

int64_t channels_at_once(int64_t taps) {
  return taps == 1 ? kPointChannels : std::max<int64_t>(1, kBlockTaps / taps);
}

/// One chunk of spans of a group of images, for the k-blocks [block, end).
void correlate_chunk(const Call& call, int64_t first, const DirectSpan* spans, int64_t span_count,
                     int64_t block, int64_t end) {
  const Plan& plan = call.plan;
  const ConvProblem& c = plan.c;
  const Split k_blocks = Split::at_most(c.K, plan.kernels->k_block);
  const Split c_blocks = Split::at_most(c.C, channels_at_once(plan.tap_count));
  const float* in = plan.in.copied ? call.at<float>(plan.in_copy) : call.in + first * plan.in.image();
  const int64_t plane = c.P() * c.Q();
  for (int64_t part = 0; part < c_blocks.parts; ++part) {
    const int64_t channel = c_blocks.begin(part);
    for (int64_t i = block; i < end; ++i) {
      const int64_t k = k_blocks.begin(i), k_count = k_blocks.size(i);
      plan.kernels->correlate(
          {.in = in + channel * plan.in.plane(),
           .in_plane = plan.in.plane(),
           .channels = c_blocks.size(part),
           .taps = call.at<int64_t>(plan.taps),
           .tap_count = plan.tap_count,
           .weights = call.at<float>(plan.weights) + (k * c.C + channel * k_count) * plan.tap_count,
           .k_count = k_count,
           .out = call.out + (first * c.K + k) * plane,
           .out_plane = plane,
           .bias = call.b == nullptr ? nullptr : call.b + k,
           .add = call.add || part > 0,
           .relu = call.relu && part + 1 == c_blocks.parts,
           .spans = spans,
           .span_count = span_count});
    }
  }
}

void correlate_group(const Call& call, int64_t first, int64_t images) {
  const Plan& plan = call.plan;
  const Split chunks = Split::at_most(images * plan.c.P() * plan.row_spans, kChunkSpans);
  const Split k_blocks = Split::at_most(plan.c.K, plan.kernels->k_block);
  const Split k_parts{k_blocks.parts, std::min(k_blocks.parts, ceil_div(kMinTasks, chunks.parts))};
  call.threads.parallel_for(chunks.parts * k_parts.parts, [&](int64_t task) {
    const int64_t chunk = task / k_parts.parts, part = task % k_parts.parts;
    const int64_t begin = chunk * kChunkSpans;
    const int64_t count = std::min(kChunkSpans, chunks.total - begin);
    DirectSpan spans[kChunkSpans];
    make_spans(plan, begin, count, spans);
    correlate_chunk(call, first, spans, count, k_parts.begin(part), k_parts.begin(part + 1));
  });
}

/// wgrad's table of the rows of a group of images; returns the number of entries.
int64_t make_segments(const Call& call, int64_t images) {
  const Plan& plan = call.plan;
  const int64_t lanes = plan.kernels->lanes, P = plan.c.P(), Q = plan.c.Q();
  const int64_t full = plan.dy.copied ? plan.row_spans : Q / lanes;
  const int64_t rest = plan.dy.copied ? 0 : Q % lanes;
  DirectSegment* to = call.at<DirectSegment>(plan.table);
  for (int64_t row = 0; row < images * P; ++row) {
    const int64_t x = row / P * plan.in.image() + row % P * plan.in.pitch;
    const int64_t dy = row / P * plan.dy.image() + row % P * plan.dy.pitch;
    for (int64_t v = 0; v < full; v += kSegmentVectors) {
      *to++ = {x + v * lanes, dy + v * lanes, std::min(kSegmentVectors, full - v), false};
    }
    if (rest > 0) *to++ = {x + Q - lanes, dy + Q - lanes, 1, true};
  }
  float* mask = call.at<float>(plan.mask);
  for (int64_t i = 0; i < lanes; ++i) mask[i] = i >= lanes - rest ? 1.0f : 0.0f;
  return to - call.at<DirectSegment>(plan.table);
}

void wgrad_group(const Call& call, int64_t first, int64_t images) {
  const Plan& plan = call.plan;
  const ConvProblem& c = plan.c;
  const int64_t segments = make_segments(call, images);
  const Split k_blocks = Split::at_most(c.K, plan.kernels->wgrad_k_block);
  const Split tap_groups = Split::at_most(plan.tap_count, kDirectMaxTaps);
  call.threads.parallel_for(k_blocks.parts * tap_groups.parts, [&](int64_t task) {
    const int64_t block = task / tap_groups.parts, group = task % tap_groups.parts;
    const int64_t k = k_blocks.begin(block), tap = tap_groups.begin(group);
    const float* dy = plan.dy.copied ? call.at<float>(plan.dy_copy) : call.dy + first * plan.dy.image();
    plan.kernels->wgrad(
        {.x = plan.in.copied ? call.at<float>(plan.in_copy) : call.in + first * plan.in.image(),
         .dy = dy + k * plan.dy.plane(),
         .dy_plane = plan.dy.plane(),
         .segments = call.at<DirectSegment>(plan.table),
         .segment_count = segments,
         .mask = call.at<float>(plan.mask),
         .taps = call.at<int64_t>(plan.taps) + tap,
         .tap_count = tap_groups.size(group),
         .k_count = k_blocks.size(block),
         .dw = call.out + k * plan.tap_count + tap,
         .dw_stride = plan.tap_count,
         .add = call.add || first > 0});
  });
}

/// Offsets of the taps within a padded plane, or of (c, r, s) within a padded image.
void make_taps(const Call& call) {
  const ConvProblem& c = call.plan.c;
  int64_t* taps = call.at<int64_t>(call.plan.taps);
  for (int64_t i = 0; i < call.plan.tap_count; ++i) {
    taps[i] = i / (c.R * c.S) * call.plan.in.plane() + i / c.S % c.R * call.plan.in.pitch + i % c.S;
  }
}

/// What a ragged last row reads past the copies is multiplied by zeros of dy, so it must be numbers.
void clear_slack(const Call& call, int64_t images) {
  const Plan& plan = call.plan;
  if (!plan.in.copied) return;
  std::memset(call.at<float>(plan.in_copy) + images * plan.in.image(), 0,
              sizeof(float) * plan.kernels->lanes);
}

std::string supports(const Exec&, const ConvProblem& problem, Direction) {
  return no_correlation_reason(problem);
}

size_t workspace(const Exec& exec, const ConvProblem& problem, Direction direction) {
  return make_plan(exec.isa, problem, direction).bytes;
}

/// Two multiply-adds of a vector a cycle at 85 %, wgrad's at 75 %, and what a call costs. A 1x1 kernel's
/// wgrad, and its blocks of channels where they are several, wait for the second-level cache.
double cost(const Exec& exec, const ConvProblem& problem, Direction direction) {
  const Plan plan = make_plan(exec.isa, problem, direction);
  const auto rows = static_cast<double>(plan.c.N * plan.c.P() * plan.row_spans);
  const auto terms = static_cast<double>(plan.c.K * plan.c.C * plan.c.R * plan.c.S);
  double rate = direction == Direction::Wgrad ? 1.5 : 1.7;
  if (plan.c.R * plan.c.S == 1) {
    if (direction == Direction::Wgrad)
      rate = 1.1;
    else if (plan.c.C > kPointChannels)
      rate = 1.25;
  }
  return rows * terms / rate + 1e4;
}

void run(const Exec& exec, const ConvProblem& problem, Direction direction, const ConvOperands<float>& t,
         GradMode mode) {
  const bool fprop = direction == Direction::Fprop, dgrad = direction == Direction::Dgrad;
  if (!fprop && mode == GradMode::Ignore) return;
  const Plan plan = make_plan(exec.isa, problem, direction);
  require_workspace(exec, plan.bytes, "cpu.direct", problem, direction);
  const Call call{.plan = plan,
                  .threads = *exec.threads,
                  .scratch = static_cast<char*>(exec.workspace.data),
                  .in = dgrad ? t.dy : t.x,
                  .w = t.w,
                  .b = fprop ? t.b : nullptr,
                  .dy = t.dy,
                  .out = t.output(direction),
                  .turned = dgrad,
                  .add = !fprop && mode == GradMode::Accumulate,
                  .relu = fprop && t.relu};
  make_taps(call);
  for (int64_t first = 0; first < plan.c.N; first += plan.group) {
    const int64_t images = std::min(plan.group, plan.c.N - first);
    clear_slack(call, images);
    if (direction == Direction::Wgrad) {
      prepare(call, first, images, false);
      wgrad_group(call, first, images);
    } else {
      prepare(call, first, images, first == 0);
      correlate_group(call, first, images);
    }
  }
}

}  // namespace

ConvRow<float> cpu_direct_conv() {
  return {.name = "cpu.direct",
          .backend = Backend::Cpu,
          .supports = supports,
          .workspace = workspace,
          .run = run,
          .cost = cost};
}

}  // namespace kernels
