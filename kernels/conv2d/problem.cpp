#include "kernels/conv2d/problem.h"

#include <fmt/format.h>

namespace kernels {

std::string to_string(const ConvProblem& problem) {
  std::string text = fmt::format("n{} c{} {}x{} -> k{}, {}x{}", problem.N, problem.C, problem.H, problem.W,
                                 problem.K, problem.R, problem.S);
  if (problem.pad_h == problem.pad_w) {
    if (problem.pad_h != 0) text += fmt::format(" pad {}", problem.pad_h);
  } else {
    text += fmt::format(" pad {}x{}", problem.pad_h, problem.pad_w);
  }
  if (problem.stride != 1) text += fmt::format(" stride {}", problem.stride);
  return text;
}

}  // namespace kernels
