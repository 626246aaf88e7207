// Order statistics against values counted by hand.
#include "engine/tune/sample_stats.h"

#include "tests/support/catch.h"

using engine::sample_stats;
using engine::SampleStats;

TEST_CASE("sample stats: quartiles of odd, even, single and no samples") {
  const SampleStats odd = sample_stats({5, 1, 4, 2, 3});
  CHECK(odd.min == 1);
  CHECK(odd.q1 == 2);
  CHECK(odd.median == 3);
  CHECK(odd.q3 == 4);
  CHECK(odd.max == 5);
  CHECK(odd.iqr() == 2);
  const SampleStats even = sample_stats({10, 40, 20, 30});
  CHECK(even.q1 == 17.5);
  CHECK(even.median == 25);
  CHECK(even.q3 == 32.5);
  const SampleStats one = sample_stats({7});
  CHECK(one.min == 7);
  CHECK(one.median == 7);
  CHECK(one.max == 7);
  CHECK(one.iqr() == 0);
  CHECK(sample_stats({}).median == 0);
}

TEST_CASE("sample stats: one outlier moves neither median nor quartiles") {
  std::vector<double> samples(21, 1.0);
  samples[10] = 1e9;
  CHECK(sample_stats(samples).median == 1);
  CHECK(sample_stats(samples).iqr() == 0);
  CHECK(sample_stats(samples).max == 1e9);
}
