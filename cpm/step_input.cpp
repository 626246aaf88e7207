#include "cpm/step_input.h"

#include <array>
#include <cstring>

namespace cpm {

using engine::Tensor;

namespace {

constexpr size_t kParts = 5;

std::array<Tensor*, kParts> parts_of(BatchTensors* batch) {
  return {&batch->image, &batch->center, &batch->targets.stage1, &batch->targets.rest, &batch->targets.mask};
}

size_t bytes_of(const Tensor& tensor) {
  return tensor.defined() ? tensor.bytes() : 0;
}

}  // namespace

/// Everything a device needs: sized for one set of shapes.
struct StepInput::Buffers {
  Buffers(const kernels::Exec& exec, BatchTensors like)
      : runtime(kernels::device_runtime(exec.backend)), compute(exec), copies(exec) {
    for (Tensor* part : parts_of(&like)) {
      sizes[count] = bytes_of(*part);
      total += sizes[count++];
    }
    for (size_t i = 0; i < kParts; ++i) {
      const Tensor& tensor = *parts_of(&like)[i];
      if (!tensor.defined()) continue;
      *parts_of(&landing)[i] = Tensor::zeros(tensor.shape(), tensor.dtype(), engine::Place(exec));
      *parts_of(&input)[i] = Tensor::zeros(tensor.shape(), tensor.dtype(), engine::Place(exec));
    }
    staging = static_cast<std::byte*>(runtime.allocate_staging(total));
    copies.stream = runtime.create_stream(exec.device);
    arrived = runtime.create_event(exec.device);
    consumed = runtime.create_event(exec.device);
  }
  ~Buffers() {
    try {
      runtime.synchronize_device(compute.device);
    } catch (const kernels::Error&) {  // told where it happened
    }
    runtime.destroy_event(arrived);
    runtime.destroy_event(consumed);
    runtime.destroy_stream(copies.stream);
    runtime.release_staging(staging);
  }

  bool fits(BatchTensors batch) {
    for (size_t i = 0; i < kParts; ++i) {
      const Tensor& mine = *parts_of(&input)[i];
      const Tensor& other = *parts_of(&batch)[i];
      if (mine.defined() != other.defined()) return false;
      if (mine.defined() && (mine.shape() != other.shape() || mine.dtype() != other.dtype())) return false;
    }
    return true;
  }

  kernels::DeviceRuntime& runtime;
  kernels::Exec compute, copies;
  BatchTensors landing, input;
  std::array<size_t, kParts> sizes{};
  size_t count = 0, total = 0;
  std::byte* staging = nullptr;
  void* arrived = nullptr;
  void* consumed = nullptr;
  bool taken = false;  // `consumed` was recorded since the last upload's predecessor
};

StepInput::StepInput(const kernels::Exec& exec) : exec_(exec) {}

StepInput::~StepInput() = default;

void StepInput::upload(const BatchTensors& host) {
  host_ = host;
  if (exec_.backend == kernels::Backend::Cpu) return;
  if (!buffers_ || !buffers_->fits(host)) buffers_ = std::make_unique<Buffers>(exec_, host);
  Buffers& b = *buffers_;
  b.runtime.synchronize(b.copies);  // the upload before has left the staging memory
  if (b.taken) b.runtime.wait(b.copies, b.consumed);
  std::byte* from = b.staging;
  for (size_t i = 0; i < kParts; ++i) {
    if (b.sizes[i] == 0) continue;
    std::memcpy(from, parts_of(&host_)[i]->memory().get(), b.sizes[i]);
    b.runtime.copy(b.copies, parts_of(&b.landing)[i]->memory().get(), from, b.sizes[i]);
    from += b.sizes[i];
  }
  b.runtime.record(b.copies, b.arrived);
  host_ = {};
}

const BatchTensors& StepInput::take() {
  if (!buffers_) return host_;
  Buffers& b = *buffers_;
  b.runtime.wait(b.compute, b.arrived);
  for (size_t i = 0; i < kParts; ++i) {
    if (b.sizes[i] == 0) continue;
    b.runtime.copy(b.compute, parts_of(&b.input)[i]->memory().get(), parts_of(&b.landing)[i]->memory().get(),
                   b.sizes[i]);
  }
  b.runtime.record(b.compute, b.consumed);
  b.taken = true;
  return b.input;
}

}  // namespace cpm
