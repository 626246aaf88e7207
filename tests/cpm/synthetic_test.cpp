// The drawn people: the same whoever asks, when and in which thread; bodies whole, varied and inside their
// images.
#include <algorithm>
#include <cmath>
#include <set>
#include <thread>

#include "cpm/dataset/dataset.h"
#include "tests/cpm/dataset_support.h"
#include "tests/support/catch.h"

namespace {

std::unique_ptr<cpm::Dataset> synthetic(const std::string& arguments) {
  return cpm::open_dataset(cpm::parse_data_spec("synthetic" + arguments));
}

bool same_person(const cpm::Person& a, const cpm::Person& b) {
  return a.center_x == b.center_x && a.center_y == b.center_y && a.size == b.size &&
         std::equal(a.joints.begin(), a.joints.end(), b.joints.begin(), b.joints.end(),
                    [](const cpm::Joint& p, const cpm::Joint& q) {
                      return p.x == q.x && p.y == q.y && p.labelled == q.labelled;
                    });
}

bool same_record(const cpm::Record& a, const cpm::Record& b) {
  return a.name == b.name && same_person(a.person, b.person) &&
         std::equal(a.others.begin(), a.others.end(), b.others.begin(), b.others.end(), same_person);
}

double length(const cpm::Person& person, size_t a, size_t b) {
  return std::hypot(person.joints[a].x - person.joints[b].x, person.joints[a].y - person.joints[b].y);
}

}  // namespace

TEST_CASE("synthetic images do not depend on threads, order or instance") {
  constexpr int64_t kImages = 18;
  const auto reference = synthetic(":18");
  std::vector<cpm::Image> wanted;
  for (int64_t i = 0; i < kImages; ++i) wanted.push_back(reference->image(i));
  const auto again = synthetic(":5000");
  std::vector<cpm::Image> got(kImages);
  std::vector<std::thread> threads;
  for (int64_t t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      for (int64_t i = kImages - 1 - t; i >= 0; i -= 3) got[static_cast<size_t>(i)] = again->image(i);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (size_t i = 0; i < wanted.size(); ++i) {
    CAPTURE(i);
    CHECK(got[i].width == wanted[i].width);
    CHECK(got[i].rgb == wanted[i].rgb);
    for (size_t k = 0; k < i; ++k) CHECK(wanted[k].rgb != wanted[i].rgb);
  }
}

TEST_CASE("a part of a synthetic set is that part of any longer one") {
  const auto whole = synthetic(":300"), part = synthetic(":40,11-20");
  REQUIRE(part->size() == 10);
  for (int64_t i = 0; i < 10; ++i) CHECK(same_record(part->record(i), whole->record(i + 10)));
  CHECK(part->image(3).rgb == whole->image(13).rgb);
  CHECK(whole->record(0).name == "synthetic-000001");
  CHECK(part->description() == "synthetic 11-20: 10 people");
}

TEST_CASE("synthetic people are whole, varied and inside their images") {
  const auto data = synthetic(":600");
  REQUIRE(&data->schema() == &cpm::lsp_schema());
  int outside = 0, facing = 0, with_others = 0, overhead = 0, measurable = 0;
  double least = 1e9, most = 0;
  for (int64_t i = 0; i < data->size(); ++i) {
    const cpm::Record record = data->record(i);
    REQUIRE(record.person.joints.size() == 14);
    for (const cpm::Person& other : record.others) REQUIRE(other.joints.size() == 14);
    for (const cpm::Joint& joint : record.person.joints) {
      REQUIRE(std::isfinite(joint.x));
      REQUIRE(std::isfinite(joint.y));
      outside += joint.labelled ? 0 : 1;
    }
    const cpm::Person& person = record.person;
    facing += person.joints[9].x > person.joints[8].x ? 1 : 0;
    overhead += person.joints[6].y < person.joints[13].y || person.joints[11].y < person.joints[13].y ? 1 : 0;
    with_others += record.others.empty() ? 0 : 1;
    // What PCK measures by must not vanish.
    measurable += length(person, 9, 2) > 0.15 * 200 * person.size ? 1 : 0;
    least = std::min(least, person.size);
    most = std::max(most, person.size);
    CHECK(length(person, 12, 13) > 3);
  }
  CHECK(outside == 0);
  CHECK(facing > 600 * 0.91);
  CHECK(facing < 600 * 0.99);
  CHECK(with_others > 600 * 0.22);
  CHECK(with_others < 600 * 0.38);
  CHECK(overhead > 600 * 0.15);
  CHECK(measurable > 600 * 0.97);
  CHECK(least < 0.5);
  CHECK(most > 0.85);
}

TEST_CASE("synthetic images have the sizes that are promised, and pictures in them") {
  const auto data = synthetic(":12");
  std::set<int> widths;
  for (int64_t i = 0; i < data->size(); ++i) {
    const cpm::Image image = data->image(i);
    CHECK((image.width >= 160 && image.width <= 260));
    CHECK((image.height >= 160 && image.height <= 260));
    REQUIRE(image.rgb.size() == static_cast<size_t>(image.width) * static_cast<size_t>(image.height) * 3);
    widths.insert(image.width);
    double sum = 0, squares = 0;
    for (const uint8_t v : image.rgb) {
      sum += v;
      squares += static_cast<double>(v) * v;
    }
    const auto count = static_cast<double>(image.rgb.size());
    CHECK(squares / count - (sum / count) * (sum / count) > 100);
  }
  CHECK(widths.size() > 4);
}
