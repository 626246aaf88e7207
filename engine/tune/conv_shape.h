// Convolutions as benchdnn writes them: "mb16_ic128ih184_oc128oh184_kh9ph4_n\"B\"" (oneDNN, tests/benchdnn,
// problem descriptor of the conv driver). Underscores are optional. What is missing follows from the rest:
// iw kw sw pw from ih kh sh ph (square), oh ow from the other sizes, ph from oh (else 0), sh 1.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "kernels/conv2d/problem.h"

namespace engine {

struct ConvShape {
  std::string name;  // of n"NAME"; the string itself where there is none
  kernels::ConvProblem problem;
  bool has_batch = false;  // mb was given; otherwise problem.N is 1
};

/// The reverse: only what the reader could not infer.
std::string to_shape_string(const kernels::ConvProblem& problem);

/// Usage error that names the field at fault; `where` is the flag the text came from.
ConvShape parse_conv_shape(const std::string& text, const std::string& where);

/// One shape a line; '#' starts a comment line. BadData with file and line.
std::vector<ConvShape> read_conv_shapes(const std::filesystem::path& file);

}  // namespace engine
