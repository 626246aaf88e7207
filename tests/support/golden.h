// The golden numbers (data/golden, CPM_TEST_DATA/golden): PyTorch's in float64, and how the network is
// compared with them on any device: belief maps, losses and every parameter's gradient as norm, projection on
// a random vector (one wrong entry moves it) and samples; and two training curves.
#pragma once

#include <cmath>
#include <filesystem>
#include <string>

#include "engine/optim/optimizer.h"
#include "tests/support/catch.h"

namespace tests::golden {

/// Largest relative errors.
struct Bounds {
  double maps, loss, gradient;
};

inline constexpr Bounds kSmall{.maps = 1e-5, .loss = 1e-6, .gradient = 1e-5};
inline constexpr Bounds kLarge{.maps = 1e-5, .loss = 1e-6, .gradient = 1e-2};
// The maps are stored as float32 of the float64 result.
inline constexpr Bounds kDouble{.maps = 1e-7, .loss = 1e-12, .gradient = 1e-9};

template <class A, class B>
double relative_l2(const A& got, const B& want) {
  REQUIRE(got.size() == want.size());
  double difference = 0, norm = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    const double g = static_cast<double>(got[i]), w = static_cast<double>(want[i]);
    difference += (g - w) * (g - w);
    norm += w * w;
  }
  return std::sqrt(difference / norm);
}

/// Where the case's files are; empty where they are nowhere.
std::filesystem::path golden_folder(const std::string& name);

void check_golden(const std::string& name, engine::DType dtype, const Bounds& bounds,
                  const kernels::Exec& exec);

/// The case's weights (weights.safetensors) and input (raw.safetensors) in a folder, for the programs.
void write_case(const std::string& name, const std::filesystem::path& folder);

/// 50 full-batch steps of the case in data/golden/trajectory_two_stages.json against its curve `key`.
void check_curve(const std::string& key, const engine::OptimizerOptions& options, double lr, double bound,
                 const kernels::Exec& exec);

}  // namespace tests::golden
