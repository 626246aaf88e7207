// Tensors that any language can make again from a name: 64-bit FNV-1a of the name seeds splitmix64, the top
// 24 bits of draw i are a number in [0, 1). Used for reference weights and inputs in tests and benchmarks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/nn/parameters.h"

namespace engine {

/// `count` multiples of 2^-24 in [0, 1).
std::vector<double> uniform01(const std::string& name, int64_t count);

/// low + (high - low) * uniform01(name), computed in double and rounded to float.
std::vector<float> named_fill(const std::string& name, int64_t count, double low, double high);

/// Weights in [-b, b), b = sqrt(6 / fan-in), biases in [-0.05, 0.05), each from "<tag>/<parameter name>".
void named_fill(const ParameterStore& store, const std::string& tag);

}  // namespace engine
