// The tape's bookkeeping, with ops of known derivatives: who overwrites, who adds, what is freed when.
#include "engine/autograd/tape.h"

#include <limits>

#include "kernels/base/error.h"
#include "tests/support/gradcheck.h"
#include "tests/support/temp_folder.h"

using engine::GradSlot;
using engine::Tape;
using engine::Tensor;
using engine::Variable;
using kernels::DType;
using kernels::GradMode;
using tests::Engine;

namespace {

Tensor filled(double value, int64_t count = 3) {
  Tensor tensor = Tensor::zeros({count}, DType::F64);
  for (double& v : tensor.span<double>()) v = value;
  return tensor;
}

Tensor nans(int64_t count = 3) {
  return filled(std::numeric_limits<double>::quiet_NaN(), count);
}

std::vector<double> values(const Tensor& tensor) {
  const auto span = tensor.span<double>();
  return {span.begin(), span.end()};
}

/// y = factor x, noting how each of its gradients was written. Without an upstream gradient it is a loss.
Variable scale(Tape& tape, const Variable& x, double factor, std::vector<GradMode>* modes) {
  Tensor y = tape.context().allocate(x.shape(), DType::F64);
  for (int64_t i = 0; i < y.count(); ++i) y.data<double>()[i] = factor * x.value.data<double>()[i];
  return tape.record("scale", y, {x}, [factor, modes, state = x.grad](Tape& t, const Tensor& dy) {
    const GradSlot dx = t.slot(state);
    modes->push_back(dx.mode);
    for (int64_t i = 0; dx.mode != GradMode::Ignore && i < dx.grad.count(); ++i) {
      const double added = factor * (dy.defined() ? dy.data<double>()[i] : 1.0);
      double& sum = dx.grad.data<double>()[i];
      sum = dx.mode == GradMode::Accumulate ? sum + added : added;
    }
  });
}

}  // namespace

TEST_CASE("tape: the first gradient overwrites, later ones are added") {
  Engine engine;
  const Tensor x = filled(2), dx = nans();
  for (int step = 0; step < 2; ++step) {  // nothing is carried from one tape to the next
    std::vector<GradMode> modes;
    Tape tape(engine.context);
    const Variable leaf = tape.leaf(x, dx);
    const Variable middle = scale(tape, leaf, 3, &modes);
    const std::vector<Variable> losses = {scale(tape, middle, 5, &modes), scale(tape, leaf, 7, &modes),
                                          scale(tape, middle, 11, &modes)};
    CHECK(values(losses[2].value) == std::vector<double>(3, 66));
    CHECK(tape.nodes() == 4);
    tape.backward(losses);
    CHECK(values(dx) == std::vector<double>(3, 3 * (5 + 11) + 7));
    // In reverse: 11 into the middle, 7 into the leaf, 5 into the middle, 3 into the leaf.
    CHECK(modes == std::vector<GradMode>{GradMode::Overwrite, GradMode::Overwrite, GradMode::Accumulate,
                                         GradMode::Accumulate});
  }
}

TEST_CASE("tape: a watcher sees an output's gradient once, complete, before the vjp reads it") {
  Engine engine;
  const Tensor x = filled(2), dx = nans();
  std::vector<GradMode> modes;
  Tape tape(engine.context);
  const Variable leaf = tape.leaf(x, dx);
  const Variable middle = scale(tape, leaf, 3, &modes), unused = scale(tape, leaf, 11, &modes);
  std::vector<std::vector<double>> seen;
  tape.watch(middle, [&](const Tensor& grad) {
    seen.push_back(values(grad));
    CHECK(modes.size() == 2);  // both losses wrote; the op of `middle` did not run
  });
  tape.watch(unused, [](const Tensor&) { FAIL("no loss depends on it"); });
  const std::vector<Variable> losses = {scale(tape, middle, 5, &modes), scale(tape, middle, 7, &modes)};
  tape.backward(losses);
  CHECK(seen == std::vector<std::vector<double>>{{12, 12, 12}});
  CHECK(values(dx) == std::vector<double>{36, 36, 36});
  CHECK_THROWS_AS(tape.watch(tape.constant(x), nullptr), kernels::Error);
}

TEST_CASE("tape: only what a loss depends on gets a gradient") {
  Engine engine;
  const Tensor reached = nans(), unreached = nans(), unread = nans();
  std::vector<GradMode> used, unused;
  Tape tape(engine.context);
  const Variable a = tape.leaf(filled(1), reached), b = tape.leaf(filled(1), unreached);
  tape.leaf(filled(1), unread);
  const Variable loss = scale(tape, a, 2, &used);
  const Variable dead_end = scale(tape, scale(tape, b, 2, &unused), 3, &unused);
  tape.backward({loss});
  CHECK(values(reached) == std::vector<double>(3, 2));
  CHECK(values(unreached) == std::vector<double>(3, 0));
  CHECK(values(unread) == std::vector<double>(3, 0));
  CHECK(unused.empty());
}

TEST_CASE("tape: a constant gets no gradient, and an op of constants alone is not recorded") {
  Engine engine;
  std::vector<GradMode> modes;
  Tape tape(engine.context);
  const Variable constant = tape.constant(filled(4));
  CHECK(!constant.requires_grad());
  CHECK(!scale(tape, constant, 2, &modes).requires_grad());
  CHECK(tape.nodes() == 0);
  CHECK(tape.slot(constant.grad).mode == GradMode::Ignore);
  // A convolution of an image: weight and bias get gradients, the image none and no memory for one.
  const auto ones = [](engine::Shape shape) {
    Tensor tensor = Tensor::zeros(shape, DType::F64);
    for (double& v : tensor.span<double>()) v = 1;
    return tensor;
  };
  const Tensor dw = ones({1, 2, 1, 1}), db = ones({1});
  const Variable y =
      engine::ops::conv2d(tape, tape.constant(ones({1, 2, 2, 2})), tape.leaf(ones({1, 2, 1, 1}), dw),
                          tape.leaf(ones({1}), db), {.layer = "c"});
  const Variable loss = engine::ops::mse(tape, y, Tensor::zeros(y.shape(), DType::F64), {});
  CHECK(*loss.value.data<double>() == 0.5 * 4 * 9);  // y = 3 on four pixels
  tape.backward({loss});
  CHECK(values(dw) == std::vector<double>(2, 12));
  CHECK(values(db) == std::vector<double>(1, 12));
}

TEST_CASE("tape: without recording nothing is kept") {
  Engine engine;
  std::vector<GradMode> modes;
  Tape tape(engine.context, false);
  const Tensor dx = filled(8);
  Variable y = tape.leaf(filled(1), dx);
  CHECK(!y.requires_grad());
  for (int i = 0; i < 5; ++i) {
    y = scale(tape, y, 2, &modes);
    CHECK(engine.arena.live_blocks() == 1);  // its input went with the last reader
  }
  CHECK(tape.nodes() == 0);
  CHECK(values(y.value) == std::vector<double>(3, 32));
  CHECK(tests::thrown_by([&] { tape.backward({y}); }).code == kernels::ExitCode::Internal);
  CHECK(values(dx) == std::vector<double>(3, 8));
}

TEST_CASE("tape: backward frees each node and its gradient as soon as its vjp ran") {
  Engine engine;
  std::vector<GradMode> modes;
  std::vector<size_t> alive;
  const Tensor dx = nans();
  Tape tape(engine.context);
  {
    const Variable x = tape.leaf(filled(1), dx);
    Variable y = x;
    std::vector<Variable> handles;  // that somebody still holds keep no gradient alive
    for (int i = 0; i < 4; ++i) {
      y = scale(tape, y, 2, &modes);
      handles.push_back({Tensor{}, y.grad});
      // Records how many blocks are alive when this link's vjp runs; keeps its input alive till then.
      y = tape.record("watch", y.value, {y}, [&, kept = y.value, state = y.grad](Tape& t, const Tensor& dy) {
        alive.push_back(engine.arena.live_blocks());
        const GradSlot d = t.slot(state);
        for (int64_t k = 0; k < 3; ++k) d.grad.data<double>()[k] = dy.defined() ? dy.data<double>()[k] : 1.0;
      });
    }
    const std::vector<Variable> losses = {{Tensor{}, y.grad}};
    y = {};
    CHECK(engine.arena.live_blocks() == 4);
    tape.backward(losses);
    CHECK(engine.arena.live_blocks() == 0);
  }
  // The values of this link and those before it, and the gradient that comes in.
  CHECK(alive == std::vector<size_t>{4, 4, 3, 2});
  CHECK(tape.nodes() == 0);
  CHECK(engine.arena.live_blocks() == 0);
  CHECK(values(dx) == std::vector<double>(3, 16));
}

TEST_CASE("tape: ReLU in place takes no memory, neither forward nor backward") {
  Engine engine(1, {});
  constexpr int64_t kCount = 4096;
  const Tensor x = filled(1, kCount), dx = nans(kCount);
  const engine::Shape image{1, 1, 64, 64};
  const Tensor target = Tensor::zeros(image, DType::F64);
  Tape tape(engine.context);
  Variable y =
      engine::ops::concat(tape, {tape.leaf(engine::slice_of(x, 0, image), engine::slice_of(dx, 0, image))});
  y = engine::ops::relu(tape, std::move(y));
  const Variable loss = engine::ops::mse(tape, y, target, {});
  tape.backward({loss});
  CHECK(values(dx) == std::vector<double>(kCount, 1));
  CHECK(engine.arena.peak_bytes() == 2 * kCount * sizeof(double) + 64);  // y, its gradient and the loss
}

TEST_CASE("tape: a dry run allocates the same blocks and computes nothing") {
  Engine engine(1, {});
  const Tensor x = Tensor::zeros({1, 2, 8, 8}, DType::F64), target = Tensor::zeros({1, 3, 4, 4}, DType::F64);
  const Tensor w = filled(1, 3 * 2 * 3 * 3), b = filled(1), dw = filled(5, 54), db = filled(5);
  const auto step = [&] {
    Tape tape(engine.context);
    const auto weight = [](const Tensor& flat) { return engine::slice_of(flat, 0, {3, 2, 3, 3}); };
    Variable y = engine::ops::conv2d(tape, tape.constant(x), tape.leaf(weight(w), weight(dw)),
                                     tape.leaf(b, db), {.layer = "c", .pad_h = 1, .pad_w = 1});
    y = engine::ops::max_pool2d(tape, engine::ops::relu(tape, std::move(y)), {});
    const Variable loss = engine::ops::mse(tape, y, target, {});
    tape.backward({loss});
  };
  engine.arena.measure();
  step();
  CHECK(values(dw) == std::vector<double>(54, 5));
  CHECK(values(db) == std::vector<double>(3, 5));
  const size_t peak = engine.arena.peak_bytes();
  engine.arena.commit();
  step();
  CHECK(engine.arena.peak_bytes() == peak);
  CHECK(values(db) == std::vector<double>(3, 16));  // 16 cells of 1 (x = 0, so y = b), over N = 1
  CHECK(values(dw) == std::vector<double>(54, 0));
}

TEST_CASE("tape: a parameter that is a leaf twice has one gradient") {
  Engine engine;
  const Tensor x = filled(2), dx = nans();
  std::vector<GradMode> modes;
  Tape tape(engine.context);
  tape.backward({scale(tape, tape.leaf(x, dx), 3, &modes), scale(tape, tape.leaf(x, dx), 5, &modes)});
  CHECK(values(dx) == std::vector<double>{8, 8, 8});
  CHECK(modes == std::vector<GradMode>{GradMode::Overwrite, GradMode::Accumulate});
}
