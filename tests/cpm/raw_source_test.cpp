// raw:FILE as batches: the rows as they are, in order, and plain words about shapes that do not fit.
#include <numeric>

#include "cpm/dataset/loader.h"
#include "engine/io/safetensors.h"
#include "tests/cpm/dataset_support.h"
#include "tests/support/catch.h"

using tests::says;
using tests::thrown_by;

namespace {

using Shapes = std::vector<std::pair<std::string, std::vector<int64_t>>>;

/// Tensors filled with 0, 1, 2, ... times 1/8, each starting at another number.
std::filesystem::path write_tensors(const tests::TempFolder& folder, const Shapes& shapes) {
  std::vector<std::vector<float>> values;
  std::vector<engine::TensorToStore> tensors;
  values.reserve(shapes.size());
  for (const auto& [name, shape] : shapes) {
    const int64_t count = std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
    std::vector<float>& filled = values.emplace_back(static_cast<size_t>(count));
    for (size_t i = 0; i < filled.size(); ++i)
      filled[i] = 0.125f * static_cast<float>(i + 1000 * values.size());
    tensors.push_back({name, kernels::DType::F32, shape, filled.data()});
  }
  const std::filesystem::path path = folder / "raw.safetensors";
  engine::write_safetensors(path, tensors, {});
  return path;
}

Shapes good_shapes() {
  return {{"image", {4, 3, 16, 24}}, {"center", {4, 1, 16, 24}}, {"target", {4, 3, 2, 3}}};
}

cpm::DataSpec raw_spec(const std::filesystem::path& path) {
  cpm::DataSpec spec;
  spec.kind = cpm::DataSpec::Kind::Raw;
  spec.file = path;
  return spec;
}

}  // namespace

TEST_CASE("raw batches are the rows in order, wrapping round") {
  const tests::TempFolder folder;
  const cpm::DataSpec spec = raw_spec(write_tensors(folder, good_shapes()));
  const auto source = cpm::make_raw_source(spec, 2);
  CHECK(source->epoch_size() == 4);
  CHECK(source->batch_size() == 2);
  CHECK(source->schema().count() == 2);
  for (const int64_t step : {0, 1, 2, 5}) {
    const cpm::Batch batch = source->next(step);
    const auto row = static_cast<float>(step % 2 * 2);
    CHECK(batch.n == 2);
    CHECK(batch.joints == 2);
    CHECK(batch.height == 16);
    CHECK(batch.width == 24);
    CHECK(batch.records.empty());
    REQUIRE(batch.image.size() == 2 * 3 * 16 * 24);
    REQUIRE(batch.center.size() == 2 * 16 * 24);
    REQUIRE(batch.target_rest.size() == 2 * 3 * 6);
    CHECK(batch.image.front() == 0.125f * (1000 + row * 3 * 16 * 24));
    CHECK(batch.image.back() == 0.125f * (1000 + (row + 2) * 3 * 16 * 24 - 1));
    CHECK(batch.center.front() == 0.125f * (2000 + row * 16 * 24));
    CHECK(batch.target_rest.front() == 0.125f * (3000 + row * 18));
    CHECK(batch.target_stage1 == batch.target_rest);
    CHECK(batch.mask == std::vector<float>(6, 1.0f));
  }
}

TEST_CASE("raw: a batch of zero takes all rows, a range takes some, target_stage1 is its own") {
  const tests::TempFolder folder;
  Shapes shapes = good_shapes();
  shapes.push_back({"target_stage1", {4, 3, 2, 3}});
  cpm::DataSpec spec = raw_spec(write_tensors(folder, shapes));
  CHECK(cpm::make_raw_source(spec, 0)->batch_size() == 4);
  spec.first = 2;
  spec.last = 4;
  const auto source = cpm::make_raw_source(spec, 0);
  CHECK(source->epoch_size() == 3);
  const cpm::Batch batch = source->next(3);
  CHECK(batch.target_rest.front() == 0.125f * (3000 + 18));
  CHECK(batch.target_stage1.front() == 0.125f * (4000 + 18));
  CHECK(batch.image.size() == 3 * 3 * 16 * 24);
}

TEST_CASE("raw: shapes that do not fit are named") {
  const tests::TempFolder folder;
  const std::pair<size_t, std::vector<int64_t>> wrong[] = {
      {0, {4, 1, 16, 24}}, {0, {4, 3, 16}},   {0, {4, 3, 12, 24}}, {1, {4, 1, 16, 16}},
      {1, {3, 1, 16, 24}}, {2, {4, 3, 2, 2}}, {2, {4, 1, 2, 3}},   {2, {2, 3, 2, 3}}};
  for (const auto& [which, shape] : wrong) {
    Shapes shapes = good_shapes();
    shapes[which].second = shape;
    const auto error = thrown_by([&] { cpm::make_raw_source(raw_spec(write_tensors(folder, shapes)), 0); });
    CHECK(error.code == kernels::ExitCode::BadData);
    CHECK(says(error, "raw.safetensors"));
    CHECK(says(error, "expected: ["));
  }
  Shapes shapes = good_shapes();
  shapes.push_back({"target_stage1", {4, 2, 2, 3}});
  CHECK(says(thrown_by([&] { cpm::make_raw_source(raw_spec(write_tensors(folder, shapes)), 0); }),
             "target_stage1"));
  shapes = good_shapes();
  shapes.pop_back();
  CHECK(says(thrown_by([&] { cpm::make_raw_source(raw_spec(write_tensors(folder, shapes)), 0); }), "target"));
}

TEST_CASE("raw: a batch that does not divide the rows is a usage error") {
  const tests::TempFolder folder;
  const cpm::DataSpec spec = raw_spec(write_tensors(folder, good_shapes()));
  for (const int batch : {3, 8, -1}) {
    const auto error = thrown_by([&] { cpm::make_raw_source(spec, batch); });
    CHECK(error.code == kernels::ExitCode::Usage);
    CHECK(says(error, "a divisor of 4"));
  }
}
