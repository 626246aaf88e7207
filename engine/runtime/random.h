// Counter-based random numbers: Philox4x32-10 (Salmon et al., SC 2011, "Parallel random numbers: as easy as
// 1, 2, 3"). A draw is a pure function of (seed, stream, index), so samples can be made in any order, by any
// thread, and a resumed run draws what an uninterrupted one would.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace engine {

/// One Philox4x32-10 block: ten rounds over `counter` with `key`.
std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

/// What a stream of numbers is for; part of the counter, so streams never overlap.
enum class RandomStream : uint32_t { Weights = 1, Order = 2, Augment = 3, Synthetic = 4, Test = 5 };

/// Numbers 0, 1, 2, ... of stream (seed, stream, index): `index` is the sample, tensor or epoch.
class Random {
 public:
  Random(uint64_t seed, RandomStream stream, uint64_t index);

  uint32_t bits();
  /// Uniform in [0, 1), a multiple of 2^-32.
  double uniform();
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// Uniform integer in [0, count), without bias; count >= 1.
  uint32_t below(uint32_t count);
  /// Standard normal (Box-Muller).
  double normal();

 private:
  std::array<uint32_t, 2> key_;
  std::array<uint32_t, 4> counter_;
  std::array<uint32_t, 4> block_{};
  int left_ = 0;
  double spare_normal_ = 0;
  bool has_spare_ = false;
};

/// The permutation of 0 ... count - 1 for an epoch (Fisher-Yates, stream Order).
std::vector<uint32_t> permutation(uint64_t seed, uint64_t epoch, uint32_t count);

}  // namespace engine
