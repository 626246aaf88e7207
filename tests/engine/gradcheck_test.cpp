// Every operation's vjp against central differences. Each test is named "gradcheck: <op>"; coverage_test.cpp
// insists on one per operation of ops.h.
#include "tests/support/gradcheck.h"

#include <algorithm>
#include <limits>

namespace {

using engine::Shape;
using engine::Tape;
using engine::Tensor;
using engine::Variable;
using engine::ops::Pool2dOptions;
using kernels::DType;
using kernels::PoolRounding;
using tests::Kinks;

Tensor normal_tensor(Shape shape, uint64_t seed) {
  Tensor tensor = Tensor::zeros(shape, DType::F64);
  engine::fill_normal(tensor, 1.0, seed, 0);
  return tensor;
}

/// Builds a graph over the leaves and returns the tensor whose squared error is the loss.
using Graph = std::function<Variable(Tape&, const std::vector<Variable>&, Kinks&)>;

struct Case {
  std::vector<Shape> leaves;
  Graph graph;
  bool masked = false;
};

class Gradcheck {
 public:
  explicit Gradcheck(Case setup) : case_(std::move(setup)) {
    for (size_t i = 0; i < case_.leaves.size(); ++i) {
      values_.push_back(normal_tensor(case_.leaves[i], 100 + i));
      // What the tape must overwrite.
      grads_.push_back(Tensor::zeros(case_.leaves[i], DType::F64));
      std::ranges::fill(grads_.back().span<double>(), std::numeric_limits<double>::quiet_NaN());
    }
  }

  void run() {
    evaluate(true);
    int checked = 0, skipped = 0;
    for (size_t i = 0; i < values_.size(); ++i) {
      const auto gradient = grads_[i].span<double>();
      const tests::Checked leaf{
          "leaf " + std::to_string(i), values_[i], {std::vector<double>(gradient.begin(), gradient.end())}};
      REQUIRE(std::ranges::any_of(gradient, [](double g) { return g != 0; }));
      const auto result = tests::check_directions(leaf, 8, 1e-5, [&] { return evaluate(false); });
      checked += result.checked;
      skipped += result.skipped;
    }
    CAPTURE(checked, skipped);
    CHECK(skipped * 8 <= checked);
    CHECK(engine_.arena.live_blocks() == 0);
    CHECK(engine_.arena.guard_violations() == 0);
  }

 private:
  tests::Evaluation evaluate(bool backward) {
    Tape tape(engine_.context, backward);
    std::vector<Variable> leaves;
    for (size_t i = 0; i < values_.size(); ++i) leaves.push_back(tape.leaf(values_[i], grads_[i]));
    tests::Evaluation result;
    const Variable y = case_.graph(tape, leaves, result.kinks);
    Tensor mask;
    if (case_.masked) {
      mask = Tensor::zeros({y.shape()[0], y.shape()[1]}, DType::F64);
      for (int64_t i = 0; i < mask.count(); ++i) mask.data<double>()[i] = i % 3 == 1 ? 0.0 : 1.0;
    }
    const Variable loss = engine::ops::mse(tape, y, normal_tensor(y.shape(), 99), mask);
    result.losses = {*loss.value.data<double>()};
    if (backward) tape.backward({loss});
    return result;
  }

  Case case_;
  tests::Engine engine_;
  std::vector<Tensor> values_, grads_;
};

void check(Case setup) {
  Gradcheck(std::move(setup)).run();
}

/// A convolution of leaves first, first + 1, first + 2 with x.
Variable conv(Tape& tape, const Variable& x, const std::vector<Variable>& leaves, size_t first, int64_t pad) {
  return engine::ops::conv2d(tape, x, leaves[first], leaves[first + 1],
                             {.layer = "c", .pad_h = pad, .pad_w = pad});
}

}  // namespace

TEST_CASE("gradcheck: conv2d") {
  struct Sizes {
    Shape x, w, y;
    engine::ops::Conv2dOptions options;
  };
  const std::vector<Sizes> cases = {
      {{2, 3, 7, 9}, {4, 3, 3, 3}, {2, 4, 7, 9}, {"same", 1, 1, 1}},
      {{1, 2, 11, 5}, {3, 2, 5, 3}, {1, 3, 11, 5}, {"asymmetric kernel", 2, 1, 1}},
      {{2, 2, 6, 13}, {2, 2, 1, 4}, {2, 2, 6, 16}, {"asymmetric padding", 0, 3, 1}},
      {{1, 1, 9, 8}, {1, 1, 9, 9}, {1, 1, 9, 8}, {"larger than half the image", 4, 4, 1}},
      {{2, 3, 9, 10}, {2, 3, 3, 5}, {2, 2, 5, 5}, {"stride 2", 1, 2, 2}},
      {{3, 5, 4, 4}, {6, 5, 1, 1}, {3, 6, 4, 4}, {"pointwise", 0, 0, 1}},
      {{1, 2, 8, 7}, {2, 2, 2, 3}, {1, 2, 3, 2}, {"no padding, rest left over", 0, 0, 3}},
  };
  for (const Sizes& sizes : cases) {
    CAPTURE(sizes.options.layer);
    check({{sizes.x, sizes.w, Shape{sizes.w[0]}}, [&](Tape& tape, const std::vector<Variable>& l, Kinks&) {
             const Variable y = engine::ops::conv2d(tape, l[0], l[1], l[2], sizes.options);
             CHECK(y.shape() == sizes.y);
             return y;
           }});
  }
}

TEST_CASE("gradcheck: relu") {
  check({{{2, 3, 5, 7}}, [](Tape& tape, const std::vector<Variable>& l, Kinks& kinks) {
           const Variable y = engine::ops::relu(tape, l[0]);
           kinks.relu(y.value);
           return y;
         }});
}

TEST_CASE("gradcheck: max_pool2d") {
  const std::vector<std::pair<Pool2dOptions, Shape>> cases = {{{3, 2, 1, PoolRounding::Floor}, {2, 3, 5, 6}},
                                                              {{3, 2, 0, PoolRounding::Ceil}, {2, 3, 4, 6}},
                                                              {{2, 2, 0, PoolRounding::Floor}, {2, 3, 4, 6}},
                                                              {{4, 3, 2, PoolRounding::Ceil}, {2, 3, 4, 5}}};
  for (const auto& entry : cases) {
    const auto& options = entry.first;
    const Shape& shape = entry.second;
    CAPTURE(options.kernel, options.pad);
    check({{{2, 3, 9, 12}}, [&](Tape& tape, const std::vector<Variable>& l, Kinks& kinks) {
             kinks.max_pool(l[0].value, options);
             const Variable y = engine::ops::max_pool2d(tape, l[0], options);
             CHECK(y.shape() == shape);
             return y;
           }});
  }
}

TEST_CASE("gradcheck: conv2d_max_pool") {
  const engine::ops::Conv2dOptions conv{.layer = "layer", .pad_h = 1, .pad_w = 1};
  const Pool2dOptions pool{.relu = true};
  for (const int64_t group_bytes : {int64_t{1} << 30, int64_t{1}}) {  // all four images at once; one by one
    check({{{4, 2, 7, 6}, {3, 2, 3, 3}, {3}}, [&](Tape& tape, const std::vector<Variable>& l, Kinks& kinks) {
             const auto constant = [&](size_t i) { return tape.constant(l[i].value); };
             const Variable inner = engine::ops::conv2d(tape, constant(0), constant(1), constant(2), conv);
             const Variable cut = engine::ops::relu(tape, inner);
             kinks.relu(cut.value);
             kinks.max_pool(cut.value, pool);
             const Variable y = engine::ops::conv2d_max_pool(tape, l[0], l[1], l[2], conv, pool, group_bytes);
             const Variable two = engine::ops::max_pool2d(tape, inner, pool);
             CHECK(std::ranges::equal(y.value.span<double>(), two.value.span<double>()));
             return y;
           }});
  }
}

TEST_CASE("gradcheck: avg_pool2d") {
  const std::vector<std::pair<Pool2dOptions, Shape>> cases = {
      {{9, 8, 1, PoolRounding::Floor}, {2, 2, 2, 3}},
      {{9, 8, 0, PoolRounding::Ceil}, {2, 2, 3, 3}},
      {{3, 2, 1, PoolRounding::Ceil}, {2, 2, 10, 12}},
      {{2, 1, 0, PoolRounding::Floor}, {2, 2, 17, 22}}};
  for (const auto& entry : cases) {
    const auto& options = entry.first;
    const Shape& shape = entry.second;
    CAPTURE(options.kernel, options.pad);
    check({{{2, 2, 18, 23}}, [&](Tape& tape, const std::vector<Variable>& l, Kinks&) {
             const Variable y = engine::ops::avg_pool2d(tape, l[0], options);
             CHECK(y.shape() == shape);
             return y;
           }});
  }
}

TEST_CASE("gradcheck: concat") {
  check({{{2, 3, 4, 5}, {2, 1, 4, 5}, {2, 4, 4, 5}}, [](Tape& tape, const std::vector<Variable>& l, Kinks&) {
           return engine::ops::concat(tape, {l[0], l[1], l[2]});
         }});
  // One operand twice: its slices add up. A constant between them gets nothing.
  check({{{2, 3, 4, 5}}, [](Tape& tape, const std::vector<Variable>& l, Kinks&) {
           return engine::ops::concat(tape, {l[0], tape.constant(normal_tensor({2, 2, 4, 5}, 7)), l[0]});
         }});
}

TEST_CASE("gradcheck: mse") {
  const Graph identity = [](Tape&, const std::vector<Variable>& l, Kinks&) { return l[0]; };
  check({{{3, 4, 5, 6}}, identity});
  check({{{3, 4, 5, 6}}, identity, true});
}

TEST_CASE("gradcheck: a tensor that several operations read") {
  check({{{2, 3, 8, 8}, {3, 3, 3, 3}, {3}, {2, 3, 1, 1}, {2}},
         [](Tape& tape, const std::vector<Variable>& l, Kinks& kinks) {
           const Variable first = conv(tape, l[0], l, 1, 1);
           const Variable second = conv(tape, l[0], l, 3, 0);
           const Variable pooled = engine::ops::avg_pool2d(tape, first, {3, 1, 1, PoolRounding::Floor});
           const Variable cut = engine::ops::relu(tape, first);
           kinks.relu(cut.value);
           kinks.max_pool(l[0].value, {3, 1, 1, PoolRounding::Floor});
           const Variable top = engine::ops::max_pool2d(tape, l[0], {3, 1, 1, PoolRounding::Floor});
           return engine::ops::concat(tape, {first, cut, second, pooled, top, l[0]});
         }});
}

TEST_CASE("gradcheck: a chain with ReLU in place") {
  check({{{2, 3, 8, 10}, {4, 3, 3, 3}, {4}, {5, 4, 3, 3}, {5}, {2, 5, 1, 1}, {2}},
         [](Tape& tape, const std::vector<Variable>& l, Kinks& kinks) {
           Variable y = l[0];
           for (const size_t layer : {1, 3}) {
             Variable sum = conv(tape, y, l, layer, 1);
             const void* memory = sum.value.memory().get();
             y = engine::ops::relu(tape, std::move(sum));
             CHECK(y.value.memory().get() == memory);
             kinks.relu(y.value);
             kinks.max_pool(y.value, {});
             y = engine::ops::max_pool2d(tape, y, {});
           }
           return conv(tape, y, l, 5, 0);
         },
         true});
}
