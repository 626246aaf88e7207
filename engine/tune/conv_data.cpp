#include "engine/tune/conv_data.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/runtime/random.h"

namespace engine {

using kernels::Backend;
using kernels::ConvProblem;
using kernels::DeviceMemory;
using kernels::Direction;

namespace {

constexpr int64_t kChunk = 1 << 16;

/// One stream of numbers a chunk: any number of threads gives the same.
void fill_random(const kernels::Exec& exec, uint64_t seed, double scale, int64_t count, float* to) {
  kernels::parallel_chunks(*exec.threads, count, kChunk, [&](int64_t begin, int64_t end) {
    Random random(seed, RandomStream::Test, static_cast<uint64_t>(begin / kChunk));
    for (int64_t i = begin; i < end; ++i) to[i] = static_cast<float>(random.uniform(-scale, scale));
  });
}

void fill(const kernels::Exec& exec, float value, int64_t count, float* to) {
  kernels::parallel_chunks(*exec.threads, count, kChunk,
                           [&](int64_t begin, int64_t end) { std::fill(to + begin, to + end, value); });
}

}  // namespace

int64_t output_size(const ConvProblem& problem, Direction direction) {
  return direction == Direction::Fprop   ? problem.y_size()
         : direction == Direction::Dgrad ? problem.x_size()
                                         : problem.w_size();
}

ConvData::ConvData(const kernels::Exec& exec, const ConvProblem& c, Direction direction, uint64_t seed)
    : exec_(exec), seed_(seed), output_size_(engine::output_size(c, direction)) {
  const double weight = 1.0 / std::sqrt(static_cast<double>(c.C * c.R * c.S));
  if (direction != Direction::Dgrad) device_.x = add_input(c.x_size(), 1, &host_.x);
  if (direction != Direction::Wgrad) device_.w = add_input(c.w_size(), weight, &host_.w);
  if (direction == Direction::Fprop) device_.b = add_input(c.K, 1, &host_.b);
  if (direction != Direction::Fprop) device_.dy = add_input(c.y_size(), 1, &host_.dy);
  memory_.emplace_back(exec_, static_cast<size_t>(output_size_) * sizeof(float));
  output_ = memory_.back().floats();
  (direction == Direction::Fprop   ? device_.y
   : direction == Direction::Dgrad ? device_.dx
                                   : device_.dw) = output_;
  if (exec_.backend != Backend::Cpu) staging_.resize(static_cast<size_t>(output_size_));
}

const float* ConvData::add_input(int64_t size, double scale, const float** host) {
  const size_t bytes = static_cast<size_t>(size) * sizeof(float);
  const uint64_t seed = seed_ + (memory_.size() << 32);
  memory_.emplace_back(exec_, bytes);
  float* const data = memory_.back().floats();
  if (exec_.backend == Backend::Cpu) {
    fill_random(exec_, seed, scale, size, data);
    *host = data;
    return data;
  }
  std::vector<float>& copy = copies_.emplace_back(static_cast<size_t>(size));
  fill_random(exec_, seed, scale, size, copy.data());
  kernels::DeviceRuntime& runtime = kernels::device_runtime(exec_.backend);
  runtime.copy(exec_, data, copy.data(), bytes);
  runtime.synchronize(exec_);
  *host = copy.data();
  return data;
}

void ConvData::poison_output() {
  constexpr float kPoison = std::numeric_limits<float>::quiet_NaN();
  if (exec_.backend == Backend::Cpu) return fill(exec_, kPoison, output_size_, output_);
  fill(exec_, kPoison, output_size_, staging_.data());
  kernels::DeviceRuntime& runtime = kernels::device_runtime(exec_.backend);
  runtime.copy(exec_, output_, staging_.data(), staging_.size() * sizeof(float));
  runtime.synchronize(exec_);
}

const float* ConvData::fetch_output() {
  kernels::DeviceRuntime& runtime = kernels::device_runtime(exec_.backend);
  runtime.synchronize(exec_);
  if (exec_.backend == Backend::Cpu) return output_;
  runtime.copy(exec_, staging_.data(), output_, staging_.size() * sizeof(float));
  runtime.synchronize(exec_);
  return staging_.data();
}

}  // namespace engine
