// Philox against the published known answers, and the numbers made from it against their distributions.
#include "engine/runtime/random.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "kernels/base/nearest.h"
#include "tests/support/catch.h"

using engine::Random;
using engine::RandomStream;

TEST_CASE("Philox4x32-10 gives Random123's known answers", "[random]") {
  // The lines "philox4x32 10" of tests/kat_vectors in the Random123 distribution (D. E. Shaw Research):
  // counter, key, result. The third input is the hexadecimal digits of pi.
  using Block = std::array<uint32_t, 4>;
  CHECK(engine::philox4x32({0, 0, 0, 0}, {0, 0}) == Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(engine::philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}) ==
        Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(engine::philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("a stream is Philox over block number, stream and index, keyed by the seed", "[random]") {
  Random random(0x1122334455667788, RandomStream::Augment, 0x99aabbccddeeff00);
  for (uint32_t block = 0; block < 3; ++block) {
    const auto expected = engine::philox4x32({block, 3, 0xddeeff00, 0x99aabbcc}, {0x55667788, 0x11223344});
    for (const uint32_t word : expected) REQUIRE(random.bits() == word);
  }
}

TEST_CASE("streams, indices and seeds give different numbers", "[random]") {
  std::set<uint32_t> seen;
  for (const uint64_t seed : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 32}) {
    for (uint32_t stream = 1; stream <= 5; ++stream) {
      for (const uint64_t index : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 32}) {
        seen.insert(Random(seed, static_cast<RandomStream>(stream), index).bits());
      }
    }
  }
  CHECK(seen.size() == 45);
}

TEST_CASE("uniform numbers have the mean and variance of the unit interval", "[random]") {
  Random random(7, RandomStream::Test, 0);
  constexpr int kCount = 200000;
  double sum = 0, squares = 0, lowest = 1, highest = 0;
  for (int i = 0; i < kCount; ++i) {
    const double u = random.uniform();
    sum += u;
    squares += u * u;
    lowest = std::min(lowest, u);
    highest = std::max(highest, u);
  }
  CHECK(lowest >= 0);
  CHECK(highest < 1);
  // Bounds of five standard errors.
  CHECK(std::abs(sum / kCount - 0.5) < 5 * std::sqrt(1.0 / 12 / kCount));
  CHECK(std::abs(squares / kCount - 1.0 / 3) < 5 * std::sqrt(4.0 / 45 / kCount));
  const double shifted = random.uniform(-3, -2);
  CHECK((shifted >= -3 && shifted < -2));
}

TEST_CASE("integers below a count are even", "[random]") {
  Random random(7, RandomStream::Test, 1);
  constexpr int kCount = 70000;
  std::array<int, 7> counts{};
  for (int i = 0; i < kCount; ++i) ++counts[random.below(7)];
  double chi = 0;
  for (const int count : counts) chi += (count - kCount / 7.0) * (count - kCount / 7.0) / (kCount / 7.0);
  CHECK(chi < 27.9);  // 6 degrees of freedom, p = 1e-4
  for (int i = 0; i < 100; ++i) REQUIRE(random.below(1) == 0);
  // 3 * 2^30 of 2^32: without rejection, every third result would come twice as often.
  int thirds = 0;
  for (int i = 0; i < kCount; ++i) thirds += random.below(3u << 30) % 3 == 0 ? 1 : 0;
  CHECK(std::abs(thirds - kCount / 3.0) < 5 * std::sqrt(kCount * 2.0 / 9));
}

TEST_CASE("normal numbers have the moments and tails of the standard normal", "[random]") {
  Random random(7, RandomStream::Test, 2);
  constexpr int kCount = 200000;
  double moments[5] = {};
  int beyond_two = 0;
  for (int i = 0; i < kCount; ++i) {
    const double x = random.normal();
    REQUIRE(std::isfinite(x));
    for (int k = 1; k <= 4; ++k) moments[k] += std::pow(x, k) / kCount;
    beyond_two += std::abs(x) > 2 ? 1 : 0;
  }
  const double error = 5 / std::sqrt(kCount);
  CHECK(std::abs(moments[1]) < error);
  CHECK(std::abs(moments[2] - 1) < error * std::sqrt(2));
  CHECK(std::abs(moments[3]) < error * std::sqrt(15));
  CHECK(std::abs(moments[4] - 3) < error * std::sqrt(96));
  CHECK(std::abs(beyond_two / double{kCount} - 0.0455) < error * 0.21);
}

TEST_CASE("permutations are permutations, differ by epoch and repeat by seed", "[random]") {
  const auto first = engine::permutation(5, 0, 1000), second = engine::permutation(5, 1, 1000);
  CHECK(first == engine::permutation(5, 0, 1000));
  CHECK(first != second);
  CHECK(first != engine::permutation(6, 0, 1000));
  auto sorted = first;
  std::sort(sorted.begin(), sorted.end());
  for (uint32_t i = 0; i < 1000; ++i) REQUIRE(sorted[i] == i);
  CHECK(engine::permutation(5, 0, 0).empty());
  CHECK(engine::permutation(5, 0, 1) == std::vector<uint32_t>{0});
  std::array<int, 6> counts{};  // all six orders of three, evenly
  for (uint64_t epoch = 0; epoch < 6000; ++epoch) {
    const auto p = engine::permutation(9, epoch, 3);
    ++counts[p[0] * 2 + (p[1] > p[2] ? 1 : 0)];
  }
  for (const int count : counts) CHECK(std::abs(count - 1000) < 150);
}

TEST_CASE("edit distance counts insertions, deletions, changes and swaps", "[nearest]") {
  CHECK(kernels::edit_distance("", "") == 0);
  CHECK(kernels::edit_distance("abc", "") == 3);
  CHECK(kernels::edit_distance("kitten", "sitting") == 3);
  CHECK(kernels::edit_distance("stpes", "steps") == 1);
  CHECK(kernels::edit_distance("ca", "abc") == 2);  // a swap with an insertion inside
  CHECK(kernels::edit_distance("abc", "ca") == 2);
  CHECK(kernels::edit_distance("\xff\x80", "\x80\xff") == 1);
}

TEST_CASE("the nearest name is within half the length, the first of equals", "[nearest]") {
  const std::vector<std::string> names = {"steps", "stages", "seed", "batch"};
  CHECK(kernels::nearest_name("stpes", names) == "steps");
  CHECK(kernels::nearest_name("stage", names) == "stages");
  CHECK(kernels::nearest_name("batch", names) == "batch");
  CHECK(kernels::nearest_name("zzzzzz", names).empty());
  CHECK(kernels::nearest_name("", names).empty());
  CHECK(kernels::nearest_name("ab", {"ac", "ad"}) == "ac");
  CHECK(kernels::nearest_name("abcd", {"abxx"}) == "abxx");
  CHECK(kernels::nearest_name("abcd", {"axxx"}).empty());
  CHECK(kernels::nearest_name(std::string(1 << 20, 'a'), {std::string(1 << 20, 'b')}).empty());
}
