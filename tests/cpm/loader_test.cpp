// Crops, samples and batches: geometry against pictures, order against the definition, threads against each
// other.
#include "cpm/dataset/loader.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

#include "engine/runtime/random.h"
#include "tests/cpm/dataset_support.h"
#include "tests/support/catch.h"

using cpm::Batch;
using cpm::Crop;
using tests::says;
using tests::SmallDataset;
using tests::thrown_by;

namespace {

bool same_floats(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

bool same(const Batch& a, const Batch& b) {
  return a.n == b.n && a.joints == b.joints && a.records == b.records && same_floats(a.image, b.image) &&
         same_floats(a.center, b.center) && same_floats(a.target_stage1, b.target_stage1) &&
         same_floats(a.target_rest, b.target_rest) && same_floats(a.mask, b.mask);
}

cpm::LoaderOptions small_options(int batch, int threads) {
  cpm::LoaderOptions options;
  options.input = 32;
  options.batch = batch;
  options.seed = 5;
  options.threads = threads;
  return options;
}

/// A white disc with a smooth edge on the grey of the padding, which the crop turns into zero.
cpm::Image disc_image(int width, int height, double x, double y, double radius) {
  cpm::Image image(width, height, {128, 128, 128});
  for (int v = 0; v < height; ++v) {
    for (int u = 0; u < width; ++u) {
      const double level = std::clamp(radius + 0.5 - std::hypot(u - x, v - y), 0.0, 1.0);
      for (int c = 0; c < 3; ++c) image.at(u, v)[c] = static_cast<uint8_t>(std::lround(128 + 127 * level));
    }
  }
  return image;
}

}  // namespace

TEST_CASE("the crop follows the rule and centres on the person") {
  cpm::Person person;
  person.center_x = 101.25;
  person.center_y = 57;
  person.size = 0.8;
  const Crop crop = cpm::person_crop(person, 368);
  CHECK(std::abs(crop.scale - 41.0 / 35 / 0.8) < 1e-12);
  CHECK(std::abs(cpm::person_crop(person, 184).scale - 41.0 / 35 / 0.8 / 2) < 1e-12);
  double u = 0, v = 0;
  crop.to_input(101.25, 57, &u, &v);
  CHECK(std::abs(u - 183.5) < 1e-9);
  CHECK(std::abs(v - 183.5) < 1e-9);
}

TEST_CASE("a joint's disc lands where person_in_input says") {
  // All so near the centre that even the closest crop shows the whole disc.
  const double places[][2] = {{60, 70}, {75.5, 62.25}, {52.75, 81}};
  for (const auto& place : places) {
    for (const double size : {0.15, 0.4, 1.6}) {
      for (const bool flip : {false, true}) {
        cpm::Person person;
        person.joints.assign(14, {place[0], place[1], true});
        person.center_x = 64;
        person.center_y = 70;
        person.size = size;
        Crop crop = cpm::person_crop(person, 96);
        crop.flip = flip;
        std::vector<float> pixels(3 * 96 * 96);
        cpm::sample_crop(disc_image(128, 140, place[0], place[1], 4), crop, pixels.data());
        const cpm::Joint wanted = cpm::person_in_input(person, cpm::lsp_schema(), crop).joints[0];
        double sum = 0, x = 0, y = 0;
        for (int v = 0; v < 96; ++v) {
          for (int u = 0; u < 96; ++u) {
            const double level = pixels[static_cast<size_t>(v * 96 + u)];
            sum += level;
            x += level * u;
            y += level * v;
          }
        }
        CAPTURE(place[0], place[1], size, flip, wanted.x, wanted.y);
        REQUIRE(sum > 0);
        CHECK(std::abs(x / sum - wanted.x) < 0.5);
        CHECK(std::abs(y / sum - wanted.y) < 0.5);
      }
    }
  }
}

TEST_CASE("a flip mirrors the picture and the maps, and swaps left and right") {
  const SmallDataset data(4);
  const int side = 64, cells = 64;
  Batch plain = cpm::make_batch(1, 14, side), flipped = cpm::make_batch(1, 14, side);
  for (int64_t i = 0; i < 4; ++i) {
    CAPTURE(i);
    Crop crop = cpm::person_crop(data.record(i).person, side);
    cpm::fill_sample(data, i, crop, true, 0, &plain);
    crop.flip = true;
    cpm::fill_sample(data, i, crop, true, 0, &flipped);
    std::vector<size_t> twin(15);
    for (size_t j = 0; j < 15; ++j) twin[j] = j;
    for (const auto& [a, b] : data.schema().flip_pairs) {
      std::swap(twin[static_cast<size_t>(a)], twin[static_cast<size_t>(b)]);
    }
    const auto mirrored = [&](const std::vector<float>& a, size_t map_a, const std::vector<float>& b,
                              size_t map_b, size_t width) {
      double most = 0;
      for (size_t y = 0; y < width; ++y) {
        for (size_t x = 0; x < width; ++x) {
          const double left = a[(map_a * width + y) * width + x];
          most = std::max(most, std::abs(left - b[(map_b * width + y) * width + width - 1 - x]));
        }
      }
      return most;
    };
    for (size_t c = 0; c < 3; ++c) CHECK(mirrored(plain.image, c, flipped.image, c, 64) < 1e-6);
    CHECK(mirrored(plain.center, 0, flipped.center, 0, 64) < 1e-6);
    for (size_t j = 0; j < 15; ++j) {
      CHECK(mirrored(plain.target_rest, j, flipped.target_rest, twin[j], cells / 8) < 1e-6);
      CHECK(mirrored(plain.target_stage1, j, flipped.target_stage1, twin[j], cells / 8) < 1e-6);
      CHECK(plain.mask[j] == flipped.mask[twin[j]]);
    }
    // Twice is the identity.
    const cpm::InputPerson there = cpm::person_in_input(data.record(i).person, data.schema(), crop);
    crop.flip = false;
    const cpm::InputPerson straight = cpm::person_in_input(data.record(i).person, data.schema(), crop);
    for (size_t j = 0; j < 14; ++j) {
      CHECK(std::abs(side - 1 - there.joints[twin[j]].x - straight.joints[j].x) < 1e-9);
      CHECK(std::abs(there.joints[twin[j]].y - straight.joints[j].y) < 1e-9);
      CHECK(there.joints[twin[j]].labelled == straight.joints[j].labelled);
    }
  }
}

TEST_CASE("stage one sees all people, the rest the centre person") {
  const SmallDataset data(2);
  Batch batch = cpm::make_batch(2, 14, 64);
  for (int i = 0; i < 2; ++i) {
    cpm::fill_sample(data, i, cpm::person_crop(data.record(i).person, 64), false, i, &batch);
  }
  const size_t half = batch.target_rest.size() / 2;
  const auto sum = [](const std::vector<float>& v, size_t from, size_t to) {
    double total = 0;
    for (size_t i = from; i < to; ++i) total += v[i];
    return total;
  };
  const size_t joint_values = half / 15 * 14;
  CHECK(sum(batch.target_stage1, 0, joint_values) > 1.2 * sum(batch.target_rest, 0, joint_values));
  // Record 1 shows one person.
  CHECK(std::equal(batch.target_stage1.begin() + static_cast<std::ptrdiff_t>(half), batch.target_stage1.end(),
                   batch.target_rest.begin() + static_cast<std::ptrdiff_t>(half)));
}

TEST_CASE("the mask leaves out joints without a label, and only where it is asked for") {
  const SmallDataset data(3);
  Batch batch = cpm::make_batch(2, 14, 64);
  const Crop crop = cpm::person_crop(data.record(0).person, 64);
  cpm::fill_sample(data, 0, crop, true, 0, &batch);
  cpm::fill_sample(data, 0, crop, false, 1, &batch);
  for (size_t j = 0; j < 15; ++j) {
    CHECK(batch.mask[j] == (j == 3 ? 0.0f : 1.0f));
    CHECK(batch.mask[15 + j] == 1.0f);
  }
}

TEST_CASE("a batch is the samples of the definition") {
  const SmallDataset data(10);
  const auto source = cpm::make_loader(data, small_options(3, 2));
  CHECK(source->epoch_size() == 10);
  CHECK(source->batch_size() == 3);
  int flips = 0;
  for (int64_t step = 0; step < 12; ++step) {
    const Batch got = source->next(step);
    Batch wanted = cpm::make_batch(3, 14, 32);
    for (int slot = 0; slot < 3; ++slot) {
      const uint64_t g = static_cast<uint64_t>(step) * 3 + static_cast<uint64_t>(slot);
      const int64_t record = engine::permutation(5, g / 10, 10)[g % 10];
      Crop crop = cpm::person_crop(data.record(record).person, 32);
      crop.flip = engine::Random(5, engine::RandomStream::Augment, g).uniform() < 0.5;
      flips += crop.flip ? 1 : 0;
      cpm::fill_sample(data, record, crop, false, slot, &wanted);
      CHECK(got.crops[static_cast<size_t>(slot)].flip == crop.flip);
    }
    CHECK(same(got, wanted));
  }
  CHECK(flips > 8);
  CHECK(flips < 28);
}

TEST_CASE("a run's first samples are there at any time, and disturb no batch") {
  const SmallDataset data(11);
  const auto source = cpm::make_loader(data, small_options(4, 2));
  const auto undisturbed = cpm::make_loader(data, small_options(4, 1));
  for (int64_t step = 0; step < 3; ++step) {
    const Batch first = source->first_samples(6);
    const Batch a = undisturbed->next(0), b = undisturbed->next(1);
    CHECK(first.n == 6);
    CHECK_FALSE(first.drawn);
    CHECK(first.people.centers.size() == 6);
    std::vector<float> images = a.image;
    images.insert(images.end(), b.image.begin(), b.image.begin() + 2 * 3 * 32 * 32);
    CHECK(same_floats(first.image, images));
    CHECK(first.records == std::vector<int64_t>{a.records[0], a.records[1], a.records[2], a.records[3],
                                                b.records[0], b.records[1]});
    CHECK(first.crops[5].flip == b.crops[1].flip);
    CHECK(same(source->next(step), undisturbed->next(step)));
  }
}

TEST_CASE("batches do not depend on threads, nor on where the run starts") {
  const SmallDataset data(11);
  const auto reference = cpm::make_loader(data, small_options(4, 1));
  std::vector<Batch> wanted;
  for (int64_t step = 0; step < 12; ++step) wanted.push_back(reference->next(step));
  for (int threads = 1; threads <= 3; ++threads) {
    CAPTURE(threads);
    const auto from_start = cpm::make_loader(data, small_options(4, threads));
    for (int64_t step = 0; step < 12; ++step)
      CHECK(same(from_start->next(step), wanted[static_cast<size_t>(step)]));
    const auto resumed = cpm::make_loader(data, small_options(4, threads));
    for (int64_t step = 7; step < 12; ++step)
      CHECK(same(resumed->next(step), wanted[static_cast<size_t>(step)]));
    // Back and forth, in the middle of the work ahead.
    for (const int64_t step : {2, 3, 9, 0, 0, 11}) {
      CHECK(same(resumed->next(step), wanted[static_cast<size_t>(step)]));
    }
  }
}

TEST_CASE("batches that computing threads make are those of loader threads") {
  const SmallDataset data(11);
  kernels::ThreadPool pool(3);
  for (const bool draw : {true, false}) {
    CAPTURE(draw);
    cpm::LoaderOptions options = small_options(4, 1);
    options.draw = draw;
    options.mask_missing = true;
    const auto ahead = cpm::make_loader(data, options);
    options.threads = 0;
    options.pool = &pool;
    const auto pooled = cpm::make_loader(data, options);
    for (const int64_t step : {0, 1, 2, 7, 3}) {
      const Batch got = pooled->next(step), wanted = ahead->next(step);
      CHECK(got.mask_missing);
      CHECK(same(got, wanted));
      CHECK(got.people.centers.size() == wanted.people.centers.size());
    }
    CHECK(pooled->seconds_waited() > 0);
  }
}

TEST_CASE("a batch that is not drawn carries what its maps are drawn from") {
  const SmallDataset data(10);
  cpm::LoaderOptions options = small_options(3, 2);
  options.mask_missing = true;
  const auto drawn = cpm::make_loader(data, options);
  options.draw = false;
  const auto carried = cpm::make_loader(data, options);
  for (int64_t step = 0; step < 8; ++step) {
    const Batch wanted = drawn->next(step);
    Batch got = carried->next(step);
    CHECK((wanted.drawn && wanted.people.joints.empty()));
    REQUIRE((!got.drawn && got.center.empty() && got.target_stage1.empty() && got.target_rest.empty() &&
             got.mask.empty()));
    const Batch room = cpm::make_batch(3, 14, 32);
    got.center = room.center;
    got.target_stage1 = room.target_stage1;
    got.target_rest = room.target_rest;
    got.mask = room.mask;
    cpm::draw(cpm::targets_problem(got), got.people,
              {got.target_stage1.data(), got.target_rest.data(), got.mask.data(), got.center.data()});
    CHECK(same(got, wanted));
    CHECK(std::count(got.mask.begin(), got.mask.end(), 0.0f) ==
          std::count_if(got.records.begin(), got.records.end(), [](int64_t r) { return r % 3 == 0; }));
  }
}

TEST_CASE("samples of a batch that is not drawn come in order") {
  const SmallDataset data(2);
  Batch batch = cpm::make_batch(2, 14, 64, false);
  const Crop crop = cpm::person_crop(data.record(0).person, 64);
  CHECK(thrown_by([&] { cpm::fill_sample(data, 0, crop, false, 1, &batch); }).code ==
        kernels::ExitCode::Internal);
  cpm::fill_sample(data, 0, crop, false, 0, &batch);
  cpm::fill_sample(data, 0, crop, false, 1, &batch);
  CHECK(batch.people.first == std::vector<int64_t>{0, 2, 4});  // record 0 shows two people
}

TEST_CASE("an epoch shows each record once, in another order than the one before") {
  const SmallDataset data(12);
  const auto source = cpm::make_loader(data, small_options(4, 2));
  std::vector<std::vector<int64_t>> epochs(3);
  for (int64_t step = 0; step < 9; ++step) {
    for (const int64_t record : source->next(step).records)
      epochs[static_cast<size_t>(step / 3)].push_back(record);
  }
  for (const auto& epoch : epochs) CHECK(std::set<int64_t>(epoch.begin(), epoch.end()).size() == 12);
  CHECK(epochs[0] != epochs[1]);
  CHECK(epochs[1] != epochs[2]);
}

TEST_CASE("a batch larger than the data set goes round") {
  const SmallDataset data(3);
  const auto source = cpm::make_loader(data, small_options(8, 2));
  const Batch batch = source->next(0);
  for (int64_t record = 0; record < 3; ++record) {
    CHECK(std::count(batch.records.begin(), batch.records.begin() + 6, record) == 2);
  }
}

TEST_CASE("no flips at probability zero, all at one") {
  const SmallDataset data(6);
  for (const double flip : {0.0, 1.0}) {
    cpm::LoaderOptions options = small_options(6, 1);
    options.flip = flip;
    for (const Crop& crop : cpm::make_loader(data, options)->next(0).crops) CHECK(crop.flip == (flip > 0.5));
  }
}

TEST_CASE("a broken image is reported by the step that needs it, with its name") {
  const SmallDataset data(6, 4);
  const auto source = cpm::make_loader(data, small_options(1, 3));
  int errors = 0;
  for (int64_t step = 0; step < 12; ++step) {
    const int64_t record =
        engine::permutation(5, static_cast<uint64_t>(step / 6), 6)[static_cast<size_t>(step % 6)];
    const auto error = thrown_by([&] { source->next(step); });
    CHECK(((error.code != kernels::ExitCode::Ok) == (record == 4)));
    if (record != 4) continue;
    ++errors;
    CHECK(says(error, "im4.jpg"));
    CHECK(error.code == kernels::ExitCode::BadData);
  }
  CHECK(errors == 2);
}

TEST_CASE("a loader can be left at any time") {
  const SmallDataset slow(50, -1, 3);
  for (int threads = 1; threads <= 4; ++threads) {
    { const auto never_asked = cpm::make_loader(slow, small_options(2, threads)); }
    const auto busy = cpm::make_loader(slow, small_options(2, threads));
    CHECK(busy->seconds_waited() == 0);
    busy->next(0);
    CHECK(busy->seconds_waited() > 0.002);
    busy->next(20);
  }
}
