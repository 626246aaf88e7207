// cudnn.best and cublas.gemm as rows of the list. What they run lies in plugins (cudnn.cpp, cublas.cpp) that
// are opened when a row is first asked whether it supports a problem; where one is missing, its reason is the
// row's. The plugins' fprop leaves bias and ReLU to a kernel of ours.
#include "kernels/base/plugin.h"
#include "kernels/conv2d/cuda_bias_relu.h"
#include "kernels/conv2d/rows.h"

namespace kernels {

namespace {

/// A row whose work the plugin's row does.
template <Plugin& (*plugin)()>
struct LibraryRow {
  using GetRow = const ConvRow<float>&();

  static const ConvRow<float>& inner() { return plugin().function<GetRow>("cpm_plugin_conv2d")(); }

  static std::string supports(const Exec& exec, const ConvProblem& problem, Direction direction) {
    const std::string missing = plugin().missing(exec);
    return missing.empty() ? inner().supports(exec, problem, direction) : missing;
  }

  static size_t workspace(const Exec& exec, const ConvProblem& problem, Direction direction) {
    return inner().workspace(exec, problem, direction);
  }

  static void run(const Exec& exec, const ConvProblem& problem, Direction direction,
                  const ConvOperands<float>& operands, GradMode mode) {
    inner().run(exec, problem, direction, operands, mode);
    if (direction == Direction::Fprop) {
      cuda_bias_relu(exec, problem, operands.b, operands.relu, operands.y);
    }
  }

  static ConvRow<float> row(const char* name) {
    return {.name = name,
            .backend = Backend::Cuda,
            .supports = supports,
            .workspace = workspace,
            .run = run,
            .by_name = true};
  }
};

}  // namespace

ConvRow<float> cudnn_best_conv() {
  return LibraryRow<cudnn_plugin>::row("cudnn.best");
}

ConvRow<float> cublas_gemm_conv() {
  return LibraryRow<cublas_plugin>::row("cublas.gemm");
}

}  // namespace kernels
