#include "engine/runtime/random.h"

#include <cmath>
#include <numbers>
#include <utility>

#include "kernels/base/error.h"

// Counter words: block number, stream, index (low, high). Key words: seed (low, high). Multipliers and key
// steps are those of the paper's table 2 (the steps are the golden ratio and sqrt(3) - 1 as 32-bit
// fractions).

namespace engine {

std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  constexpr uint64_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
  constexpr uint32_t kKeyStep0 = 0x9E3779B9, kKeyStep1 = 0xBB67AE85;
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = kMultiplier0 * counter[0];
    const uint64_t product1 = kMultiplier1 * counter[2];
    counter = {static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(product1),
               static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(product0)};
    key[0] += kKeyStep0;
    key[1] += kKeyStep1;
  }
  return counter;
}

Random::Random(uint64_t seed, RandomStream stream, uint64_t index)
    : key_{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)},
      counter_{0, static_cast<uint32_t>(stream), static_cast<uint32_t>(index),
               static_cast<uint32_t>(index >> 32)} {}

uint32_t Random::bits() {
  if (left_ == 0) {
    block_ = philox4x32(counter_, key_);
    ++counter_[0];
    CPM_CHECK(counter_[0] != 0, "a random stream gave all its 2^34 numbers");
    left_ = 4;
  }
  return block_[static_cast<size_t>(4 - left_--)];
}

double Random::uniform() {
  return bits() * 0x1p-32;
}

uint32_t Random::below(uint32_t count) {
  CPM_CHECK(count >= 1, "a random integer below {}", count);
  // The high word of bits * count is the result; low words under 2^32 mod count would make some results
  // likelier (Lemire, "Fast Random Integer Generation in an Interval", 2019).
  const uint32_t refused = (0u - count) % count;
  for (;;) {
    const uint64_t product = static_cast<uint64_t>(bits()) * count;
    if (static_cast<uint32_t>(product) >= refused) return static_cast<uint32_t>(product >> 32);
  }
}

double Random::normal() {
  if (has_spare_) {
    has_spare_ = false;
    return spare_normal_;
  }
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));  // 1 - u is in (0, 1]
  const double angle = 2.0 * std::numbers::pi * uniform();
  spare_normal_ = radius * std::sin(angle);
  has_spare_ = true;
  return radius * std::cos(angle);
}

std::vector<uint32_t> permutation(uint64_t seed, uint64_t epoch, uint32_t count) {
  std::vector<uint32_t> order(count);
  for (uint32_t i = 0; i < count; ++i) order[i] = i;
  Random random(seed, RandomStream::Order, epoch);
  for (uint32_t i = count; i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
  return order;
}

}  // namespace engine
