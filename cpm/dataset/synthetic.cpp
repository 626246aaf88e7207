// The synthetic data set: record i is a function of i alone, so that a longer set starts with the shorter one
// and any thread may draw any image at any time. Three streams per record: the pose and place, the
// surroundings, and the looks; a record needs the first alone.
#include "cpm/dataset/synthetic.h"

#include <fmt/format.h>

#include <algorithm>

#include "cpm/dataset/dataset.h"
#include "cpm/dataset/open.h"
#include "kernels/base/error.h"

namespace cpm {
namespace {

constexpr uint64_t kSeed = 20160126;
constexpr int kLeastSide = 160, kMostSide = 260;

Box joint_box(const Figure& figure) {
  Box box{1e9, 1e9, -1e9, -1e9};
  for (const Vec& p : figure.joints) {
    box = {std::min(box.left, p.x), std::min(box.top, p.y), std::max(box.right, p.x),
           std::max(box.bottom, p.y)};
  }
  return box;
}

/// Where a stretch [low, high] goes in [0, side), and the side: within the limits and with room on both ends.
struct Span {
  int side;
  double shift;
};

Span place_span(double low, double high, engine::Random* random) {
  constexpr double kRoom = 9;  // hands and feet reach beyond the joints
  const double need = high - low + 2 * kRoom;
  const int least = std::clamp(static_cast<int>(std::ceil(need)), kLeastSide, kMostSide);
  const int side = least + static_cast<int>(random->below(static_cast<uint32_t>(kMostSide - least) / 2 + 1));
  const double slack = std::max(0.0, side - need);
  return {side, kRoom + slack * random->uniform() - low};
}

Scene make_scene(uint64_t index) {
  engine::Random random(kSeed, engine::RandomStream::Synthetic, 3 * index);
  Scene scene;
  const Figure body = make_figure(&random);
  const Box box = joint_box(body);
  constexpr double kMostSpan = kMostSide - 24;
  const double scale =
      std::min(random.uniform(90, 170), kMostSpan / std::max(box.right - box.left, box.bottom - box.top));
  const Span across = place_span(box.left * scale, box.right * scale, &random);
  const Span down = place_span(box.top * scale, box.bottom * scale, &random);
  scene.width = across.side;
  scene.height = down.side;
  scene.person = place_figure(body, scale, across.shift, down.shift);
  if (random.uniform() < 0.3) {
    const Figure other = make_figure(&random);
    const double other_scale = scale * random.uniform(0.8, 1.15);
    const double away = scale * random.uniform(0.38, 0.85) * (random.uniform() < 0.5 ? -1 : 1);
    const double lower = scale * random.uniform(-0.15, 0.15);
    scene.others.push_back(place_figure(other, other_scale, across.shift + away, down.shift + lower));
    scene.other_in_front = random.uniform() < 0.25;
  }
  return scene;
}

/// A joint outside the image has no label.
Person person_of(const Figure& figure, const Scene& scene) {
  Person person;
  for (const Vec& p : figure.joints) {
    const bool inside = p.x >= 0 && p.y >= 0 && p.x <= scene.width - 1 && p.y <= scene.height - 1;
    person.joints.push_back({p.x, p.y, inside});
  }
  const Box box = joint_box(figure);
  person.center_x = 0.5 * (box.left + box.right);
  person.center_y = 0.5 * (box.top + box.bottom);
  person.size = std::max(box.right - box.left, box.bottom - box.top) / 200;
  return person;
}

class SyntheticDataset : public Dataset {
 public:
  explicit SyntheticDataset(const DataSpec& spec) : range_(record_range(spec, spec.count, source(spec))) {}

  int64_t size() const override { return range_.end - range_.begin; }
  const JointSchema& schema() const override { return lsp_schema(); }

  Record record(int64_t i) const override {
    const uint64_t index = place(i);
    const Scene scene = make_scene(index);
    Record record;
    record.name = fmt::format("synthetic-{:06}", index + 1);
    record.number = static_cast<int64_t>(index) + 1;
    record.person = person_of(scene.person, scene);
    for (const Figure& other : scene.others) record.others.push_back(person_of(other, scene));
    return record;
  }

  Image image(int64_t i) const override {
    const uint64_t index = place(i);
    const Scene scene = make_scene(index);
    engine::Random surroundings(kSeed, engine::RandomStream::Synthetic, 3 * index + 1);
    engine::Random looks(kSeed, engine::RandomStream::Synthetic, 3 * index + 2);
    return draw_scene(scene, &surroundings, &looks);
  }

  std::string description() const override {
    return fmt::format("synthetic {}-{}: {} people", range_.begin + 1, range_.end, size());
  }

 private:
  static std::string source(const DataSpec& spec) { return fmt::format("synthetic:{}", spec.count); }

  uint64_t place(int64_t i) const {
    CPM_CHECK(i >= 0 && i < size(), "record {} of {}", i, size());
    return static_cast<uint64_t>(range_.begin + i);
  }

  RecordRange range_;
};

}  // namespace

std::unique_ptr<Dataset> open_synthetic(const DataSpec& spec) {
  return std::make_unique<SyntheticDataset>(spec);
}

}  // namespace cpm
