// The parameter store's layout, its random fills, and the fills that other languages repeat from a name.
#include "engine/nn/parameters.h"

#include <cmath>
#include <cstring>

#include "engine/nn/named_fill.h"
#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"

using engine::Parameter;
using engine::ParameterStore;
using kernels::DType;

namespace {

ParameterStore make_store(DType dtype) {
  ParameterStore store(dtype);
  store.add("c.weight", {2, 3, 3, 3});  // 54, padded to 64
  store.add("c.bias", {16});
  store.add("d.weight", {1, 17, 1, 1});  // 17, padded to 32
  store.allocate();
  return store;
}

}  // namespace

TEST_CASE("parameters: offsets, counts and shared memory") {
  for (const auto dtype : {DType::F32, DType::F64}) {
    ParameterStore store = make_store(dtype);
    CHECK(store.count() == 54 + 16 + 17);
    CHECK(store.flat_count() == 64 + 16 + 32);
    CHECK(store.flat_value().count() == store.flat_count());
    CHECK(store.flat_grad().count() == store.flat_count());
    std::vector<int64_t> offsets;
    std::vector<std::string> names;
    for (const Parameter& p : store.all()) {
      offsets.push_back(p.offset);
      names.push_back(p.name);
      const auto at = [&](const engine::Tensor& t) { return static_cast<std::byte*>(t.memory().get()); };
      const auto bytes = p.offset * static_cast<int64_t>(kernels::dtype_size(dtype));
      CHECK(at(p.value) == at(store.flat_value()) + bytes);
      CHECK(at(p.grad) == at(store.flat_grad()) + bytes);
      CHECK(reinterpret_cast<uintptr_t>(at(p.value)) % 64 == 0);
      CHECK(p.value.shape() == p.shape);
      CHECK(p.grad.shape() == p.shape);
    }
    CHECK(offsets == std::vector<int64_t>{0, 64, 80});
    CHECK(names == std::vector<std::string>{"c.weight", "c.bias", "d.weight"});
    CHECK(store.contains("c.bias"));
    CHECK(!store.contains("c.Bias"));
    CHECK(store.at("d.weight").offset == 80);
  }
}

TEST_CASE("parameters: what fills the tensors leaves the gaps between them zero") {
  ParameterStore store = make_store(DType::F32);
  engine::named_fill(store, "tag");
  for (size_t i = 0; i < store.all().size(); ++i) {
    const Parameter& p = store.all()[i];
    engine::fill_normal(p.grad, 1.0, 1, i);
    const int64_t end = i + 1 < store.all().size() ? store.all()[i + 1].offset : store.flat_count();
    for (int64_t k = p.offset; k < end; ++k) {
      const bool gap = k >= p.offset + p.shape.count();
      CAPTURE(p.name, k);
      REQUIRE((store.flat_value().data<float>()[k] == 0) == gap);
      REQUIRE((store.flat_grad().data<float>()[k] == 0) == gap);
    }
  }
}

TEST_CASE("parameters: misuse is a bug that is named") {
  ParameterStore store(DType::F32);
  store.add("a", {3});
  CHECK(tests::thrown_by([&] { store.add("a", {3}); }).line.find("two parameters named a") !=
        std::string::npos);
  CHECK(tests::thrown_by([&] { store.at("b"); }).line.find("no parameter named b") != std::string::npos);
  store.allocate();
  CHECK(tests::thrown_by([&] { store.add("c", {3}); }).code == kernels::ExitCode::Internal);
  CHECK(tests::thrown_by([&] { engine::slice_of(store.flat_value(), 14, {3}); }).code ==
        kernels::ExitCode::Internal);
  CHECK(tests::thrown_by([&] { store.at("a").value.data<double>(); }).code == kernels::ExitCode::Internal);
}

TEST_CASE("parameters: normal fills have the asked-for spread and differ by seed and index") {
  const auto fill = [](double std, uint64_t seed, uint64_t index) {
    const engine::Tensor t = engine::Tensor::zeros({40000}, DType::F64);
    engine::fill_normal(t, std, seed, index);
    const auto span = t.span<double>();
    return std::vector<double>(span.begin(), span.end());
  };
  const std::vector<double> values = fill(0.25, 1, 2);
  double sum = 0, squares = 0;
  for (const double v : values) {
    sum += v;
    squares += v * v;
  }
  const double mean = sum / 40000, deviation = std::sqrt(squares / 40000 - mean * mean);
  CHECK(std::fabs(mean) < 4 * 0.25 / 200);  // four standard errors
  CHECK(std::fabs(deviation - 0.25) < 4 * 0.25 / std::sqrt(80000.0));
  CHECK(fill(0.25, 1, 2) == values);
  CHECK(fill(0.25, 1, 3) != values);
  CHECK(fill(0.25, 2, 2) != values);
  CHECK(engine::he_std({7, 2, 5, 5}) == std::sqrt(2.0 / 50));
}

TEST_CASE("named fill: the numbers that other languages get from the same name") {
  const std::vector<double> expected = {0.27922064, 0.9968105, 0.01408273};
  const std::vector<double> numbers = engine::uniform01("golden/image", 3);
  REQUIRE(numbers.size() == 3);
  for (size_t i = 0; i < 3; ++i) {
    CHECK(std::fabs(numbers[i] - expected[i]) < 1e-8);
    CHECK(std::ldexp(numbers[i], 24) == std::floor(std::ldexp(numbers[i], 24)));
  }
  const std::vector<float> scaled = engine::named_fill("golden/image", 3, -2, 6);
  for (size_t i = 0; i < 3; ++i) CHECK(scaled[i] == static_cast<float>(-2 + 8 * numbers[i]));
}

TEST_CASE("named fill: weights within sqrt(6 / fan-in), biases within 0.05, each from its own name") {
  ParameterStore store = make_store(DType::F32);
  engine::named_fill(store, "golden");
  for (const Parameter& p : store.all()) {
    const int64_t fan_in = p.shape.rank() == 4 ? p.shape[1] * p.shape[2] * p.shape[3] : 0;
    const double bound = fan_in > 0 ? std::sqrt(6.0 / static_cast<double>(fan_in)) : 0.05;
    const std::vector<float> expected =
        engine::named_fill("golden/" + p.name, p.shape.count(), -bound, bound);
    CHECK(std::memcmp(expected.data(), p.value.data<float>(), p.value.bytes()) == 0);
    for (const float v : expected) CHECK(std::fabs(v) <= static_cast<float>(bound));
  }
}
