#include "cpm/step_input.h"

#include <array>
#include <cstring>

namespace cpm {

using engine::DType;
using engine::Tensor;

namespace {

constexpr size_t kParts = 5;

std::array<Tensor*, kParts> parts_of(BatchTensors* batch) {
  return {&batch->image, &batch->center, &batch->targets.stage1, &batch->targets.rest, &batch->targets.mask};
}

/// What goes to the device as it is: tensors, or the arrays of people.
struct Piece {
  const void* data = nullptr;
  size_t bytes = 0;
};

template <class T>
Piece piece_of(const std::vector<T>& values) {
  return {values.data(), values.size() * sizeof(T)};
}

constexpr size_t kPieces = kParts + 3;

std::array<Piece, kPieces> pieces_of(BatchTensors* batch) {
  std::array<Piece, kPieces> pieces{};
  for (size_t i = 0; i < kParts; ++i) {
    const Tensor& tensor = *parts_of(batch)[i];
    if (tensor.defined()) pieces[i] = {tensor.memory().get(), tensor.bytes()};
  }
  if (batch->people) {
    const PackedPeople& people = batch->people->people;
    pieces[kParts] = piece_of(people.joints);
    pieces[kParts + 1] = piece_of(people.first);
    pieces[kParts + 2] = piece_of(people.centers);
  }
  return pieces;
}

Tensor shaped(engine::Shape shape) {
  static std::byte nothing;
  return {shape, DType::F32, std::shared_ptr<void>(std::shared_ptr<void>(), &nothing)};
}

}  // namespace

BatchTensors inference_shapes(int64_t n, int64_t height, int64_t width) {
  BatchTensors batch;
  batch.image = shaped({n, 3, height, width});
  batch.center = shaped({n, 1, height, width});
  return batch;
}

BatchTensors with_shapes(const BatchTensors& batch) {
  if (!batch.people) return batch;
  const kernels::TargetsProblem& p = batch.people->problem;
  const engine::Shape maps{p.n, p.joints + 1, p.height / kernels::kTargetStride,
                           p.width / kernels::kTargetStride};
  BatchTensors result = batch;
  result.center = shaped({p.n, 1, p.height, p.width});
  result.targets = {.stage1 = shaped(maps),
                    .rest = shaped(maps),
                    .mask = p.mask_missing ? shaped({p.n, p.joints + 1}) : Tensor()};
  return result;
}

/// Everything a device needs.
struct StepInput::Buffers {
  Buffers(const kernels::Exec& exec, const BatchTensors& like)
      : runtime(kernels::device_runtime(exec.backend)), compute(exec), copies(exec) {
    BatchTensors shapes = with_shapes(like);
    for (size_t i = 0; i < kParts; ++i) {
      const Tensor& tensor = *parts_of(&shapes)[i];
      if (tensor.defined())
        *parts_of(&input)[i] = Tensor::zeros(tensor.shape(), tensor.dtype(), engine::Place(exec));
    }
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
    if (staging != nullptr) runtime.release_staging(staging);
  }
  Buffers(const Buffers&) = delete;
  Buffers& operator=(const Buffers&) = delete;

  bool fits(const BatchTensors& batch) {
    BatchTensors shapes = with_shapes(batch);
    for (size_t i = 0; i < kParts; ++i) {
      const Tensor& mine = *parts_of(&input)[i];
      const Tensor& other = *parts_of(&shapes)[i];
      if (mine.defined() != other.defined()) return false;
      if (mine.defined() && (mine.shape() != other.shape() || mine.dtype() != other.dtype())) return false;
    }
    return true;
  }

  /// Landing memory for every piece and as much pinned memory in all; they grow with the number of people.
  void make_room(const std::array<Piece, kPieces>& pieces) {
    size_t total = 0;
    for (size_t i = 0; i < kPieces; ++i) {
      const auto words = static_cast<int64_t>((pieces[i].bytes + sizeof(double) - 1) / sizeof(double));
      total += static_cast<size_t>(words) * sizeof(double);
      if (words == 0 || (landing[i].defined() && landing[i].count() >= words)) continue;
      runtime.synchronize_device(compute.device);  // what is replaced may be in use
      landing[i] = Tensor::zeros({words + words / 2}, DType::F64, engine::Place(compute));
    }
    if (total <= staging_bytes) return;
    if (staging != nullptr) runtime.release_staging(staging);
    staging = nullptr;
    staging = static_cast<std::byte*>(runtime.allocate_staging(total + total / 2));
    staging_bytes = total + total / 2;
  }

  void draw() {
    const auto at = [&](size_t i) { return landing[kParts + i].memory().get(); };
    const kernels::TargetsPeople people{static_cast<const kernels::TargetJoint*>(at(0)),
                                        static_cast<const int64_t*>(at(1)),
                                        static_cast<const kernels::TargetPoint*>(at(2))};
    const Targets& t = input.targets;
    kernels::targets_kernels(compute.backend)
        .draw(compute, input.people->problem, people,
              {.stage1 = t.stage1.data<float>(),
               .rest = t.rest.data<float>(),
               .mask = t.mask.defined() ? t.mask.data<float>() : nullptr,
               .center = input.center.data<float>()});
  }

  kernels::DeviceRuntime& runtime;
  kernels::Exec compute, copies;
  BatchTensors input;
  std::array<Tensor, kPieces> landing;
  std::array<size_t, kPieces> bytes{};
  std::byte* staging = nullptr;
  size_t staging_bytes = 0;
  void* arrived = nullptr;
  void* consumed = nullptr;
  bool taken = false;  // `consumed` was recorded
};

StepInput::StepInput(const kernels::Exec& exec) : exec_(exec) {}

StepInput::~StepInput() = default;

void StepInput::upload(const BatchTensors& host) {
  host_ = host;
  if (exec_.backend == kernels::Backend::Cpu) return;
  if (!buffers_ || !buffers_->fits(host)) {
    ++generation_;
    buffers_.reset();  // first: both need not fit
    buffers_ = std::make_unique<Buffers>(exec_, host);
  }
  Buffers& b = *buffers_;
  b.runtime.synchronize(b.copies);  // the upload before has left the staging memory
  const std::array<Piece, kPieces> pieces = pieces_of(&host_);
  b.make_room(pieces);
  if (b.taken) b.runtime.wait(b.copies, b.consumed);
  std::byte* from = b.staging;
  for (size_t i = 0; i < kPieces; ++i) {
    b.bytes[i] = pieces[i].bytes;
    if (b.bytes[i] == 0) continue;
    std::memcpy(from, pieces[i].data, b.bytes[i]);
    b.runtime.copy(b.copies, b.landing[i].memory().get(), from, b.bytes[i]);
    from += (b.bytes[i] + sizeof(double) - 1) / sizeof(double) * sizeof(double);
  }
  b.runtime.record(b.copies, b.arrived);
  b.input.people = host_.people;
  host_ = {};
}

const BatchTensors& StepInput::take() {
  if (exec_.backend == kernels::Backend::Cpu) {
    CPM_CHECK(host_.image.defined(), "nothing was uploaded");
    CPM_CHECK(!host_.people, "a batch for the CPU whose maps are not drawn");
    return host_;
  }
  CPM_CHECK(buffers_, "nothing was uploaded");
  Buffers& b = *buffers_;
  b.runtime.wait(b.compute, b.arrived);
  for (size_t i = 0; i < kParts; ++i) {
    if (b.bytes[i] == 0) continue;
    b.runtime.copy(b.compute, parts_of(&b.input)[i]->memory().get(), b.landing[i].memory().get(), b.bytes[i]);
  }
  if (b.input.people) b.draw();
  b.runtime.record(b.compute, b.consumed);
  b.taken = true;
  return b.input;
}

}  // namespace cpm
