// cudnn.best: the algorithm that cuDNN's heuristics like best among those that are deterministic (where exec
// asks for it), compute in FP32 without Tensor Cores, and need at most kWorkspaceLimit. No clock: the same
// problem gets the same algorithm. fprop writes the bare sum over c, r, s; bias and ReLU are the caller's
// (library_rows.cpp). dgrad and wgrad overwrite with beta 0 and add with beta 1.
#include <map>
#include <tuple>
#include <vector>

#include "kernels/base/cudnn_handle.h"
#include "kernels/base/error.h"
#include "kernels/base/plugin_export.h"
#include "kernels/conv2d/conv2d.h"

namespace kernels {

namespace {

using cudnn::check;
using cudnn::Handle;
using cudnn::Tensor;

constexpr size_t kWorkspaceLimit = size_t{1} << 30;

class Filter : public cudnn::Descriptor<cudnnFilterDescriptor_t, cudnnCreateFilterDescriptor,
                                        cudnnDestroyFilterDescriptor> {
 public:
  explicit Filter(const ConvProblem& c) {
    check(cudnnSetFilter4dDescriptor(*this, CUDNN_DATA_FLOAT, CUDNN_TENSOR_NCHW, static_cast<int>(c.K),
                                     static_cast<int>(c.C), static_cast<int>(c.R), static_cast<int>(c.S)),
          "cudnnSetFilter4dDescriptor", to_string(c));
  }
};

class Convolution : public cudnn::Descriptor<cudnnConvolutionDescriptor_t, cudnnCreateConvolutionDescriptor,
                                             cudnnDestroyConvolutionDescriptor> {
 public:
  explicit Convolution(const ConvProblem& c) {
    const int stride = static_cast<int>(c.stride);
    check(cudnnSetConvolution2dDescriptor(*this, static_cast<int>(c.pad_h), static_cast<int>(c.pad_w), stride,
                                          stride, 1, 1, CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT),
          "cudnnSetConvolution2dDescriptor", to_string(c));
    check(cudnnSetConvolutionMathType(*this, CUDNN_FMA_MATH), "cudnnSetConvolutionMathType");
  }
};

struct Descriptors {
  Tensor x, y;
  Filter w;
  Convolution conv;

  explicit Descriptors(const ConvProblem& c)
      : x(c.N, c.C, c.H, c.W), y(c.N, c.K, c.P(), c.Q()), w(c), conv(c) {}
};

/// What runs a problem, or the reason why nothing does.
struct Choice {
  int algorithm = -1;
  size_t workspace = 0;
  std::string reason;
};

/// The first offer of `offer(count, &returned, results)` that is allowed; `workspace_of(algorithm, &bytes)`.
template <class Perf, class OfferAll, class WorkspaceOf>
Choice first_allowed(bool deterministic, int count, const OfferAll& offer, const WorkspaceOf& workspace_of) {
  std::vector<Perf> results(static_cast<size_t>(count));
  int returned = 0;
  if (const cudnnStatus_t status = offer(count, &returned, results.data()); status != CUDNN_STATUS_SUCCESS) {
    return {.reason = fmt::format("cuDNN declines: {}", cudnnGetErrorString(status))};
  }
  results.resize(static_cast<size_t>(returned));
  for (const Perf& result : results) {
    const bool fp32 = result.mathType == CUDNN_DEFAULT_MATH || result.mathType == CUDNN_FMA_MATH;
    if (result.status != CUDNN_STATUS_SUCCESS || !fp32) continue;
    if (deterministic && result.determinism != CUDNN_DETERMINISTIC) continue;
    size_t bytes = 0;  // asked anew: the result's own figure may be that of another math type
    if (workspace_of(result.algo, &bytes) != CUDNN_STATUS_SUCCESS || bytes > kWorkspaceLimit) continue;
    return {.algorithm = result.algo, .workspace = bytes, .reason = ""};
  }
  return {.reason = fmt::format("none of cuDNN's {} algorithms is {}FP32 within {} MiB of workspace",
                                returned, deterministic ? "deterministic and " : "", kWorkspaceLimit >> 20)};
}

Choice ask_cudnn(const Exec& exec, const ConvProblem& problem, Direction direction) {
  const Handle handle(exec);
  const Descriptors d(problem);
  int most = 0;
  if (direction == Direction::Fprop) {
    check(cudnnGetConvolutionForwardAlgorithmMaxCount(handle, &most), "count of algorithms");
    return first_allowed<cudnnConvolutionFwdAlgoPerf_t>(
        exec.deterministic, most,
        [&](int count, int* returned, auto* results) {
          return cudnnGetConvolutionForwardAlgorithm_v7(handle, d.x, d.w, d.conv, d.y, count, returned,
                                                        results);
        },
        [&](auto algorithm, size_t* bytes) {
          return cudnnGetConvolutionForwardWorkspaceSize(handle, d.x, d.w, d.conv, d.y, algorithm, bytes);
        });
  }
  if (direction == Direction::Dgrad) {
    check(cudnnGetConvolutionBackwardDataAlgorithmMaxCount(handle, &most), "count of algorithms");
    return first_allowed<cudnnConvolutionBwdDataAlgoPerf_t>(
        exec.deterministic, most,
        [&](int count, int* returned, auto* results) {
          return cudnnGetConvolutionBackwardDataAlgorithm_v7(handle, d.w, d.y, d.conv, d.x, count, returned,
                                                             results);
        },
        [&](auto algorithm, size_t* bytes) {
          return cudnnGetConvolutionBackwardDataWorkspaceSize(handle, d.w, d.y, d.conv, d.x, algorithm,
                                                              bytes);
        });
  }
  check(cudnnGetConvolutionBackwardFilterAlgorithmMaxCount(handle, &most), "count of algorithms");
  return first_allowed<cudnnConvolutionBwdFilterAlgoPerf_t>(
      exec.deterministic, most,
      [&](int count, int* returned, auto* results) {
        return cudnnGetConvolutionBackwardFilterAlgorithm_v7(handle, d.x, d.y, d.conv, d.w, count, returned,
                                                             results);
      },
      [&](auto algorithm, size_t* bytes) {
        return cudnnGetConvolutionBackwardFilterWorkspaceSize(handle, d.x, d.y, d.conv, d.w, algorithm,
                                                              bytes);
      });
}

/// ask_cudnn(), once a problem.
Choice choose(const Exec& exec, const ConvProblem& c, Direction direction) {
  using Key = std::tuple<int, bool, Direction, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t,
                         int64_t, int64_t, int64_t>;
  static std::mutex mutex;
  static std::map<Key, Choice> known;
  const std::lock_guard<std::mutex> lock(mutex);
  const Key key{
      exec.device, exec.deterministic, direction, c.N, c.C, c.H, c.W, c.K, c.R, c.S, c.pad_h, c.pad_w,
      c.stride};
  const auto found = known.find(key);
  if (found != known.end()) return found->second;
  return known[key] = ask_cudnn(exec, c, direction);
}

std::string supports(const Exec& exec, const ConvProblem& problem, Direction direction) {
  if (!cudnn::fits(problem.x_size()) || !cudnn::fits(problem.w_size()) || !cudnn::fits(problem.y_size())) {
    return "a tensor has 2^31 elements or more";
  }
  return choose(exec, problem, direction).reason;
}

size_t workspace(const Exec& exec, const ConvProblem& problem, Direction direction) {
  return choose(exec, problem, direction).workspace;
}

void run(const Exec& exec, const ConvProblem& problem, Direction direction, const ConvOperands<float>& t,
         GradMode mode) {
  if (direction != Direction::Fprop && mode == GradMode::Ignore) return;
  const Choice choice = choose(exec, problem, direction);
  CPM_CHECK(choice.reason.empty() && exec.workspace.bytes >= choice.workspace,
            "cudnn.best {} {}: workspace of {} bytes instead of {} {}", direction_name(direction),
            to_string(problem), exec.workspace.bytes, choice.workspace, choice.reason);
  const Handle handle(exec);
  const Descriptors d(problem);
  const float alpha = cudnn::kAlpha, beta = cudnn::beta_of(mode), overwrite = 0.0f;
  void* scratch = exec.workspace.data;
  const std::string sizes = to_string(problem);
  if (direction == Direction::Fprop) {
    const auto algorithm = static_cast<cudnnConvolutionFwdAlgo_t>(choice.algorithm);
    check(cudnnConvolutionForward(handle, &alpha, d.x, t.x, d.w, t.w, d.conv, algorithm, scratch,
                                  choice.workspace, &overwrite, d.y, t.y),
          "cudnnConvolutionForward", sizes);
  } else if (direction == Direction::Dgrad) {
    const auto algorithm = static_cast<cudnnConvolutionBwdDataAlgo_t>(choice.algorithm);
    check(cudnnConvolutionBackwardData(handle, &alpha, d.w, t.w, d.y, t.dy, d.conv, algorithm, scratch,
                                       choice.workspace, &beta, d.x, t.dx),
          "cudnnConvolutionBackwardData", sizes);
  } else {
    const auto algorithm = static_cast<cudnnConvolutionBwdFilterAlgo_t>(choice.algorithm);
    check(cudnnConvolutionBackwardFilter(handle, &alpha, d.x, t.x, d.y, t.dy, d.conv, algorithm, scratch,
                                         choice.workspace, &beta, d.w, t.dw),
          "cudnnConvolutionBackwardFilter", sizes);
  }
}

}  // namespace

}  // namespace kernels

CPM_PLUGIN_EXPORT const kernels::ConvRow<float>& cpm_plugin_conv2d() {
  using namespace kernels;
  static const ConvRow<float> row{.name = "cudnn.best",
                                  .backend = Backend::Cuda,
                                  .supports = supports,
                                  .workspace = workspace,
                                  .run = run,
                                  .by_name = true};
  return row;
}
