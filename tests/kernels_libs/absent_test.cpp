// What is missing is said, in words that help; nothing crashes. Tests with the tag [absent] run without the
// stand-ins: there the library is missing or, without a driver, does not start.
#include "engine/tune/conv_plan.h"
#include "kernels/base/error.h"
#include "kernels/base/plugin.h"
#include "kernels/pool2d/library.h"
#include "kernels/relu/library.h"
#include "tests/kernels_libs/library_support.h"

using kernels::ConvProblem;
using kernels::Direction;
using kernels::Plugin;
using namespace tests;

TEST_CASE("a plugin that is not there, that needs a missing library, or of another version says so") {
  const kernels::Exec exec{.backend = kernels::Backend::Cuda};
  Plugin nowhere("libcpm_test_nowhere.so"), needs("libcpm_test_needs_absent.so"),
      other("libcpm_test_version.so");
  CHECK(nowhere.missing(exec) ==
        "libcpm_test_nowhere.so: cannot open shared object file: No such file or directory");
  CHECK(needs.missing(exec) ==
        "libcpm_test_absent.so.7: cannot open shared object file: No such file or directory");
  CHECK(other.missing(exec).rfind("libcpm_test_version.so is of another version: 0.0.0 instead of ", 0) == 0);
  CHECK_THROWS_AS(nowhere.function<void()>("cpm_plugin_conv2d"), kernels::Error);
  CHECK_THROWS_AS(kernels::cudnn_plugin().function<void()>("no_such_function"), kernels::Error);
}

TEST_CASE("without the libraries the rows are listed and say why they cannot run", "[absent]") {
  CudaDevice cuda;
  const ConvProblem problem{.N = 1, .C = 2, .H = 3, .W = 4, .K = 5};
  for (const auto& [name, library, starts] : {std::tuple("cudnn.best", "libcudnn.so.9", "cuDNN 9"),
                                              std::tuple("cublas.gemm", "libcublas.so.13", "cuBLAS")}) {
    const std::string reason = conv_row(name).supports(cuda.exec, problem, Direction::Fprop);
    CPM_SKIP_IF(reason.empty(), "the library and its driver are there");
    INFO(reason);
    const bool missing =
        reason == std::string(library) + ": cannot open shared object file: No such file or directory";
    const bool idle = reason.rfind(starts, 0) == 0 && reason.find("does not start: CU") != std::string::npos;
    CHECK((missing || idle));
    engine::ConvPlan plan;
    std::vector<std::string> warnings;
    plan.follow({{engine::ConvPlan::key(problem, Direction::Fprop), name}},
                [&](const std::string& text) { warnings.push_back(text); });
    CHECK_FALSE(plan.choose<float>(cuda.exec, "conv1", problem, Direction::Fprop).by_name);
    REQUIRE(warnings.size() == 1);
    CHECK(warnings[0].find(reason) != std::string::npos);
  }
  std::string relu, pool;
  CHECK(kernels::cudnn_relu_kernels(cuda.exec, &relu) == nullptr);
  CHECK(kernels::cudnn_pool2d(cuda.exec, &pool) == nullptr);
  CHECK(!relu.empty());
  CHECK(relu == pool);
}
