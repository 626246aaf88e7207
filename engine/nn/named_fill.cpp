#include "engine/nn/named_fill.h"

#include <cmath>

namespace engine {

namespace {

uint64_t fnv1a64(const std::string& text) {
  uint64_t hash = 0xCBF29CE484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  return hash;
}

uint64_t splitmix64(uint64_t state) {
  uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

}  // namespace

std::vector<double> uniform01(const std::string& name, int64_t count) {
  constexpr uint64_t kStep = 0x9E3779B97F4A7C15;
  uint64_t state = fnv1a64(name);
  std::vector<double> values(static_cast<size_t>(count));
  for (double& value : values) {
    state += kStep;
    value = std::ldexp(static_cast<double>(splitmix64(state) >> 40), -24);
  }
  return values;
}

std::vector<float> named_fill(const std::string& name, int64_t count, double low, double high) {
  std::vector<float> values;
  values.reserve(static_cast<size_t>(count));
  for (const double u : uniform01(name, count)) values.push_back(static_cast<float>(low + (high - low) * u));
  return values;
}

void named_fill(const ParameterStore& store, const std::string& tag) {
  constexpr double kBiasBound = 0.05;
  for (const Parameter& p : store.all()) {
    const bool weight = p.shape.rank() == 4;
    const double bound =
        weight ? std::sqrt(6.0 / static_cast<double>(p.shape[1] * p.shape[2] * p.shape[3])) : kBiasBound;
    assign<float>(p.value, named_fill(tag + "/" + p.name, p.shape.count(), -bound, bound));
  }
}

}  // namespace engine
