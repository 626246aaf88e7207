// The tape: ops append nodes in the order they run; backward walks them in reverse, which is a topological
// order, and frees each node once its vjp ran. Gradients carry a mode: the first writer of a buffer
// overwrites, later ones accumulate, so no buffer is ever cleared (CPM's trunk feeds five stages).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/runtime/context.h"
#include "engine/tensor/tensor.h"
#include "kernels/base/types.h"

namespace engine {

/// The gradient side of a variable; outlives its value, which is freed as soon as no op needs it.
struct GradState {
  Tensor grad;  // allocated at the first write, or given (parameters)
  bool written = false;
  Shape shape;
  DType dtype = DType::F32;
  std::function<void(const Tensor& grad)> watcher;
};

/// A value in the graph. `grad` is null where no gradient is wanted.
struct Variable {
  Tensor value;
  std::shared_ptr<GradState> grad;

  bool requires_grad() const { return grad != nullptr; }
  const Shape& shape() const { return value.shape(); }
};

/// Where a vjp writes, and how.
struct GradSlot {
  Tensor grad;
  kernels::GradMode mode = kernels::GradMode::Ignore;
};

class Tape {
 public:
  /// Gets the gradient of the node's output; writes those of its inputs through Tape::slot.
  using Vjp = std::function<void(Tape&, const Tensor& d_output)>;

  /// Without `recording` (inference) nothing is kept.
  explicit Tape(Context& context, bool recording = true) : context_(&context), recording_(recording) {}

  Context& context() { return *context_; }
  bool recording() const { return recording_; }

  Variable constant(Tensor value) { return {std::move(value), nullptr}; }
  /// A leaf whose gradient goes to `grad` (same shape); overwritten by the first contribution of this tape.
  Variable leaf(Tensor value, Tensor grad);
  /// The output of an op over `inputs`: wants a gradient when one of them does; then the vjp is kept.
  Variable record(const char* op, Tensor value, const std::vector<Variable>& inputs, Vjp vjp);

  /// The slot of an input's gradient: Ignore, or a buffer with Overwrite (first time) or Accumulate.
  GradSlot slot(const std::shared_ptr<GradState>& state);

  /// During backward, calls `watcher` with the gradient of an op's output when it is complete: just before
  /// the op's vjp reads it. Not at all where no loss depends on the output.
  void watch(const Variable& output, std::function<void(const Tensor& grad)> watcher);

  /// Runs every vjp, starting from `losses` (outputs of ops whose vjp needs no upstream gradient, as
  /// ops::mse). Leaves that nothing wrote to are zeroed. The tape is empty afterwards.
  void backward(const std::vector<Variable>& losses);

  size_t nodes() const { return nodes_.size(); }

 private:
  struct Node {
    const char* op;
    std::shared_ptr<GradState> output;
    Vjp vjp;
  };

  Context* context_;
  bool recording_;
  std::vector<Node> nodes_;
  std::vector<std::shared_ptr<GradState>> leaves_;
};

}  // namespace engine
