// cudnn.best and cublas.gemm equal the CPU's reference: in all directions and gradient modes, over the
// network's layers at small sizes and over a hundred odd ones. With tools/vgpu's stand-ins this proves what
// we ask for (descriptors, padding, layouts, alpha and beta, workspaces), on a device also what the libraries
// answer.
#include "engine/tune/conv_plan.h"
#include "kernels/base/error.h"
#include "tests/kernels_libs/library_support.h"

using kernels::ConvProblem;
using kernels::Direction;
using kernels::GradMode;
using namespace tests;

namespace {

const ConvProblem kPlain{.N = 2, .C = 3, .H = 8, .W = 9, .K = 4, .R = 3, .S = 3, .pad_h = 1, .pad_w = 1};
const ConvProblem kOneByOne{.N = 2, .C = 3, .H = 4, .W = 5, .K = 6};

void must_not_warn(const std::string& text) {
  FAIL(text);
}

}  // namespace

TEST_CASE("cudnn.best: as the reference, over the network's layers and odd sizes") {
  CudaDevice cuda;
  const auto& row = conv_row("cudnn.best");
  auto problems = stride_one_problems();
  problems.resize(111);  // the network's layers come first
  problems.push_back(
      {.N = 2, .C = 3, .H = 11, .W = 14, .K = 4, .R = 3, .S = 3, .pad_h = 1, .pad_w = 1, .stride = 2});
  problems.push_back({.N = 1, .C = 2, .H = 13, .W = 7, .K = 2, .R = 5, .S = 1, .pad_h = 3, .stride = 3});
  problems.push_back({.N = 1, .C = 2, .H = 5, .W = 6, .K = 3, .R = 2, .S = 3, .pad_h = 3, .pad_w = 5});
  uint64_t seed = 0;
  for (const ConvProblem& problem : problems) check_library_row(cuda, row, problem, ++seed);
}

TEST_CASE("cublas.gemm: as the reference, over the network's 1x1 layers and odd sizes") {
  CudaDevice cuda;
  const auto& row = conv_row("cublas.gemm");
  DeviceBuffer<unsigned char> workspace(cuda, row.workspace(cuda.exec, kOneByOne, Direction::Fprop));
  std::vector<ConvProblem> problems = {{.N = 3, .C = 64, .H = 7, .W = 9, .K = 128},
                                       {.N = 2, .C = 64, .H = 6, .W = 10, .K = 15},
                                       {.N = 1, .C = 1, .H = 1, .W = 1, .K = 1}};
  std::mt19937 random(3);
  while (problems.size() < 103) {
    problems.push_back({.N = pick(random, 1, 4),
                        .C = pick(random, 1, 40),
                        .H = pick(random, 1, 9),
                        .W = pick(random, 1, 17),
                        .K = pick(random, 1, 40)});
  }
  uint64_t seed = 0;
  for (const ConvProblem& problem : problems) check_library_row(cuda, row, problem, ++seed, &workspace);
  REQUIRE(workspace.fetch().guards_intact());
}

TEST_CASE("cublas.gemm works in a workspace of ours as large as the device asks for") {
  CudaDevice cuda;
  const auto& row = conv_row("cublas.gemm");
  const size_t bytes = size_t{cuda.runtime().device_info(0).major >= 9 ? 32u : 4u} << 20;
  for (const Direction direction : kDirections) {
    CHECK(row.workspace(cuda.exec, kOneByOne, direction) == bytes + 256);
  }
  const auto data = integer_data<float>(kOneByOne, 1);
  DeviceConvData on_device(cuda, data);
  device_run(cuda, row, {}, on_device);
  CPM_SKIP_IF(!last_workspace(), "the library is the real cuBLAS, which does not tell");
  CHECK(*last_workspace() == bytes);
}

TEST_CASE("cublas.gemm says which convolutions are no matrix product") {
  CudaDevice cuda;
  const auto& row = conv_row("cublas.gemm");
  const auto reason = [&](const ConvProblem& problem) {
    return row.supports(cuda.exec, problem, Direction::Fprop);
  };
  CHECK(reason({.R = 3, .S = 1}) == "kernel 3x1, only 1x1 is done");
  CHECK(reason({.stride = 2}) == "stride 2, only stride 1 is done");
  CHECK(reason({.pad_w = 1}) == "padding 0x1, only none is done");
  CHECK(reason({.C = int64_t{1} << 31}) == "a size is 2^31 or more");
}

TEST_CASE("cudnn.best declines tensors that its sizes cannot hold") {
  CudaDevice cuda;
  const ConvProblem huge{.N = 1 << 11, .C = 1 << 10, .H = 1 << 10};
  CHECK(conv_row("cudnn.best").supports(cuda.exec, huge, Direction::Dgrad) ==
        "a tensor has 2^31 elements or more");
}

TEST_CASE("a library row does not run in less workspace than it asks for") {
  CudaDevice cuda;
  for (const char* name : {"cudnn.best", "cublas.gemm"}) {
    const auto& row = conv_row(name);
    for (const Direction direction : kDirections) {
      kernels::Exec exec = cuda.exec;
      const size_t bytes = row.workspace(exec, kOneByOne, direction);
      if (bytes == 0) continue;
      DeviceBuffer<unsigned char> scratch(cuda, bytes);
      exec.workspace = {.data = scratch.data(), .bytes = bytes - 1};
      CHECK_THROWS_AS(row.run(exec, kOneByOne, direction, {}, GradMode::Overwrite), kernels::Error);
    }
  }
}

TEST_CASE("library rows leave an ignored gradient alone") {
  CudaDevice cuda;
  const auto data = integer_data<float>(kOneByOne, 1);
  DeviceConvData on_device(cuda, data);
  for (const char* name : {"cudnn.best", "cublas.gemm"}) {
    for (const Direction direction : {Direction::Dgrad, Direction::Wgrad}) {
      device_run(cuda, conv_row(name), {.direction = direction, .mode = GradMode::Ignore}, on_device);
    }
  }
}

TEST_CASE("cudnn.best turns down large workspaces, Tensor Cores and, where asked, non-determinism") {
  CudaDevice cuda;
  const auto& row = conv_row("cudnn.best");
  const auto data = integer_data<float>(kPlain, 1);
  DeviceConvData on_device(cuda, data);
  device_run(cuda, row, {}, on_device);
  CPM_SKIP_IF(!last_algorithm(), "the library is the real cuDNN, whose choice is its own");
  // Numbers of cudnn.h's enumerations, in the order fprop, dgrad, wgrad.
  const int deterministic[] = {1, 1, 1}, any[] = {1, 0, 0};
  for (const bool asked : {true, false}) {
    cuda.exec.deterministic = asked;
    for (const Direction direction : kDirections) {
      INFO(direction_name(direction) << " deterministic " << asked);
      device_run(cuda, row, {.direction = direction}, on_device);
      CHECK(*last_algorithm() == (asked ? deterministic : any)[static_cast<int>(direction)]);
      CHECK(row.workspace(cuda.exec, kPlain, direction) <= size_t{1} << 30);
    }
  }
}

TEST_CASE("an error of a library names the call, the sizes and the status") {
  CudaDevice cuda;
  kernels::Exec exec = cuda.exec;
  for (const auto& [name, call, status] :
       {std::tuple("cudnn.best", "cuDNN cudnnConvolutionForward n2 c3 4x5 -> k6, 1x1",
                   "CUDNN_STATUS_BAD_PARAM ("),
        std::tuple("cublas.gemm", "cuBLAS cublasSgemmStridedBatched n2 c3 4x5 -> k6, 1x1",
                   "CUBLAS_STATUS_INVALID_VALUE (")}) {
    const auto& row = conv_row(name);
    DeviceBuffer<unsigned char> scratch(cuda, row.workspace(exec, kOneByOne, Direction::Fprop));
    exec.workspace = {.data = scratch.data(), .bytes = row.workspace(exec, kOneByOne, Direction::Fprop)};
    try {
      row.run(exec, kOneByOne, Direction::Fprop, {}, GradMode::Overwrite);
      FAIL(name << " took null operands");
    } catch (const kernels::Error& error) {
      CHECK(error.code() == kernels::ExitCode::Internal);
      CHECK(error.info().where == call);
      CHECK(error.info().got.rfind(status, 0) == 0);
    }
  }
}

TEST_CASE("library rows run where a plan names them, and never by the rule") {
  CudaDevice cuda;
  for (const Direction direction : kDirections) {
    CHECK_FALSE(kernels::choose_conv_row<float>(cuda.exec, kOneByOne, direction).by_name);
  }
  engine::ConvPlan plan;
  plan.follow({{engine::ConvPlan::key(kPlain, Direction::Dgrad), "cudnn.best"},
               {engine::ConvPlan::key(kOneByOne, Direction::Fprop), "cublas.gemm"}},
              must_not_warn);
  CHECK(plan.choose<float>(cuda.exec, "conv1", kPlain, Direction::Dgrad).name == std::string("cudnn.best"));
  CHECK(plan.choose<float>(cuda.exec, "conv2", kOneByOne, Direction::Fprop).name ==
        std::string("cublas.gemm"));
}
