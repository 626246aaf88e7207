// The plan of convolution rows: the rule, a kept plan, names that this build does not have, the text.
#include "engine/tune/conv_plan.h"

#include "tests/support/cpu_kernels.h"

using engine::ConvPlan;
using kernels::ConvProblem;
using kernels::Direction;

namespace {

const ConvProblem kProblem{
    .N = 1, .C = 3, .H = 24, .W = 16, .K = 8, .R = 9, .S = 7, .pad_h = 4, .pad_w = 3, .stride = 1};

void must_not_warn(const std::string& text) {
  FAIL(text);
}

}  // namespace

TEST_CASE("conv plan: by default the first row of the list that supports the problem") {
  tests::Cpu cpu;
  ConvPlan plan;
  for (const auto direction : {Direction::Fprop, Direction::Dgrad, Direction::Wgrad}) {
    const auto& ruled = kernels::choose_conv_row<float>(cpu.exec, kProblem, direction);
    CHECK(&plan.choose<float>(cpu.exec, "layer", kProblem, direction) == &ruled);
    CHECK(ruled.name == std::string(kernels::conv_rows<float>().front().name));
  }
  CHECK(plan.choose<double>(cpu.exec, "double", kProblem, Direction::Fprop).name ==
        std::string("cpu.reference"));
}

TEST_CASE("conv plan: keys name sizes, padding, stride and direction") {
  const std::string key = ConvPlan::key(kProblem, Direction::Fprop);
  CHECK(key == "mb1_ic3ih24iw16_oc8oh24ow16_kh9kw7ph4pw3sh1 fprop");
  CHECK(ConvPlan::key(kProblem, Direction::Wgrad) != key);
  ConvProblem other = kProblem;
  other.stride = 2;
  CHECK(ConvPlan::key(other, Direction::Fprop) == "mb1_ic3ih24iw16_oc8oh12ow8_kh9kw7ph4pw3sh2 fprop");
}

TEST_CASE("conv plan: a kept plan is followed for its problem and direction alone") {
  tests::Cpu cpu;
  ConvPlan plan;
  plan.follow({{ConvPlan::key(kProblem, Direction::Fprop), "cpu.reference"}}, must_not_warn);
  CHECK(plan.choose<float>(cpu.exec, "layer", kProblem, Direction::Fprop).name ==
        std::string("cpu.reference"));
  CHECK(plan.choose<float>(cpu.exec, "layer", kProblem, Direction::Dgrad).name == std::string("cpu.direct"));
  ConvProblem other = kProblem;
  other.N = 2;
  CHECK(plan.choose<float>(cpu.exec, "layer", other, Direction::Fprop).name == std::string("cpu.direct"));
  // What was chosen is what a next run may follow.
  ConvPlan next;
  next.follow(plan.chosen(), must_not_warn);
  CHECK(next.choose<float>(cpu.exec, "layer", kProblem, Direction::Fprop).name ==
        std::string("cpu.reference"));
}

TEST_CASE("conv plan: a row that cannot run falls to the rule, with one warning a row and reason") {
  tests::Cpu cpu;
  ConvPlan plan;
  std::vector<std::string> warnings;
  const auto warn = [&](const std::string& text) { warnings.push_back(text); };
  const auto chosen = [&](const std::string& layer, const ConvProblem& problem) {
    return std::string(plan.choose<float>(cpu.exec, layer, problem, Direction::Fprop).name);
  };
  plan.follow({{ConvPlan::key(kProblem, Direction::Fprop), "cuda.someday"}}, warn);
  for (const char* layer : {"conv1", "conv2"}) CHECK(chosen(layer, kProblem) == "cpu.direct");
  ConvProblem strided = kProblem;
  strided.stride = 2;  // cpu.direct runs at stride 1 only
  plan.follow({{ConvPlan::key(strided, Direction::Fprop), "cpu.direct"}}, warn);
  CHECK(chosen("conv3", strided) == "cpu.reference");
  plan.follow({{ConvPlan::key(kProblem, Direction::Fprop), "cudnn.best"}}, warn);
  CHECK(chosen("conv4", kProblem) == "cpu.direct");
  CHECK(
      warnings ==
      std::vector<std::string>{
          "the plan names cuda.someday, which cannot run conv1 fprop: this build has no such row; cpu.direct "
          "runs instead",
          "the plan names cpu.direct, which cannot run conv3 fprop: stride 2, only stride 1 is done; "
          "cpu.reference runs instead",
          "the plan names cudnn.best, which cannot run conv4 fprop: it needs device cuda; cpu.direct runs "
          "instead"});
}

TEST_CASE("conv plan: one line per layer, problem and direction") {
  tests::Cpu cpu;
  ConvPlan plan;
  for (int step = 0; step < 3; ++step) {
    plan.choose<float>(cpu.exec, "conv1", kProblem, Direction::Fprop);
    plan.choose<float>(cpu.exec, "conv2", kProblem, Direction::Fprop);
    plan.choose<float>(cpu.exec, "conv1", kProblem, Direction::Wgrad);
  }
  REQUIRE(plan.lines().size() == 3);
  CHECK(plan.lines()[1].layer == "conv2");
  CHECK(plan.chosen().size() == 2);  // two layers share a problem
}
