#include "cpm/dataset/survey.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "cpm/dataset/loader.h"
#include "cpm/dataset/people.h"
#include "kernels/base/parallel.h"

namespace cpm {
namespace {

using kernels::ErrorInfo;

/// Records of one image, by their places in the data set.
std::vector<std::pair<std::string, std::vector<int64_t>>> by_image(const Dataset& dataset) {
  std::vector<std::pair<std::string, std::vector<int64_t>>> images;
  std::unordered_map<std::string, size_t> places;
  for (int64_t i = 0; i < dataset.size(); ++i) {
    const std::string name = dataset.record(i).name;
    const auto [found, fresh] = places.emplace(name, images.size());
    if (fresh) images.emplace_back(name, std::vector<int64_t>{});
    images[found->second].second.push_back(i);
  }
  return images;
}

bool inside(double x, double y, const Image& image) {
  return x >= -0.5 && y >= -0.5 && x <= image.width - 0.5 && y <= image.height - 0.5;
}

ErrorInfo outside(const Record& record, const std::string& what, const std::string& places,
                  const Image& image) {
  return {.where = record.name,
          .what = fmt::format("record {}: {} outside the image", record.number, what),
          .expected = fmt::format("within {} x {} pixels", image.width, image.height),
          .got = places};
}

void check_places(const Record& record, const JointSchema& schema, const Image& image,
                  std::vector<ErrorInfo>* faults) {
  std::string places;
  int count = 0;
  for (size_t j = 0; j < record.person.joints.size(); ++j) {
    const Joint& joint = record.person.joints[j];
    if (!joint.labelled || inside(joint.x, joint.y, image)) continue;
    ++count;
    places +=
        fmt::format("{}{} {:.1f}, {:.1f}", places.empty() ? "" : "; ", schema.names[j], joint.x, joint.y);
  }
  if (count > 0) faults->push_back(outside(record, fmt::format("{} labelled joints", count), places, image));
  if (const Person& p = record.person; !inside(p.center_x, p.center_y, image))
    faults->push_back(
        outside(record, "the person's centre", fmt::format("{:.1f}, {:.1f}", p.center_x, p.center_y), image));
}

bool same_joints(const Person& a, const Person& b) {
  return std::equal(a.joints.begin(), a.joints.end(), b.joints.begin(), b.joints.end(),
                    [](const Joint& p, const Joint& q) {
                      return p.labelled == q.labelled && (!p.labelled || (p.x == q.x && p.y == q.y));
                    });
}

/// The faults of one image and its records.
std::vector<ErrorInfo> check_image(const Dataset& dataset, const std::vector<int64_t>& places) {
  std::vector<ErrorInfo> faults;
  std::optional<Image> image;
  try {
    image = dataset.image(places[0]);
  } catch (const kernels::Error& error) {
    if (error.code() != kernels::ExitCode::BadData) throw;
    faults.push_back(error.info());
  }
  std::vector<Record> records;
  for (const int64_t place : places) {
    records.push_back(dataset.record(place));
    const Record& record = records.back();
    if (image) check_places(record, dataset.schema(), *image, &faults);
    const auto twin = std::find_if(records.begin(), records.end(), [&](const Record& other) {
      return same_joints(other.person, record.person);
    });
    if (twin->number != record.number) {
      faults.push_back(
          {.where = record.name,
           .what = fmt::format("record {}: the same person as record {}", record.number, twin->number),
           .expected = "each person once",
           .got = "equal joints in the same image"});
    }
  }
  return faults;
}

Spread spread_of(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) {
    return values[static_cast<size_t>(share * static_cast<double>(values.size() - 1) + 0.5)];
  };
  return {at(0), at(0.05), at(0.5), at(0.95), at(1)};
}

}  // namespace

CheckResult check_dataset(const DataSpec& spec, int threads,
                          const std::function<void(int64_t, int64_t)>& progress) {
  CheckResult result;
  const OnFault collect = [&](const ErrorInfo& info) { result.faults.push_back(info); };
  std::unique_ptr<Dataset> dataset;
  if (!read_or_tell(collect, [&] { dataset = open_dataset(spec, collect); })) return result;
  result.description = dataset->description();
  result.people = dataset->size();
  const auto images = by_image(*dataset);
  result.images = static_cast<int64_t>(images.size());

  std::vector<std::vector<ErrorInfo>> faults(images.size());
  std::mutex mutex;
  int64_t done = 0;
  kernels::ThreadPool pool(threads);
  pool.parallel_for(result.images, [&](int64_t i) {
    const auto place = static_cast<size_t>(i);
    faults[place] = check_image(*dataset, images[place].second);
    const std::lock_guard lock(mutex);
    if (++done; progress && done % 1000 == 0) progress(done, result.images);
  });
  for (const auto& of_image : faults)
    result.faults.insert(result.faults.end(), of_image.begin(), of_image.end());
  return result;
}

DatasetStats dataset_stats(const Dataset& dataset) {
  const JointSchema& schema = dataset.schema();
  DatasetStats stats;
  const auto count = static_cast<size_t>(schema.count());
  stats.people = dataset.size();
  stats.images = static_cast<int64_t>(by_image(dataset).size());
  stats.joints = stats.people * schema.count();
  stats.labels.assign(count, 0);
  stats.people_with.assign(count + 1, 0);
  const auto place_of = [&](const std::string& name) {
    return static_cast<size_t>(std::find(schema.names.begin(), schema.names.end(), name) -
                               schema.names.begin());
  };
  const size_t right = place_of("right_shoulder"), left = place_of("left_shoulder");
  std::vector<double> heights;
  for (int64_t i = 0; i < dataset.size(); ++i) {
    const Record record = dataset.record(i);
    const std::vector<Joint>& joints = record.person.joints;
    constexpr int kInput = 368;  // any: the square shown does not depend on it
    const InputPerson seen = person_in_input(record.person, schema, person_crop(record.person, kInput));
    size_t labelled = 0;
    for (size_t j = 0; j < count; ++j) {
      if (!joints[j].labelled) continue;
      ++labelled;
      ++stats.labels[j];
      const auto in = [](double v) { return v >= -0.5 && v <= kInput - 0.5; };
      stats.outside_input += in(seen.joints[j].x) && in(seen.joints[j].y) ? 0 : 1;
    }
    stats.labelled += static_cast<int64_t>(labelled);
    ++stats.people_with[labelled];
    const auto has = [&](int j) { return j >= 0 && joints[static_cast<size_t>(j)].labelled; };
    stats.with_torso += has(schema.left_shoulder) && has(schema.right_hip) ? 1 : 0;
    stats.with_company += record.others.empty() ? 0 : 1;
    if (right < count && left < count && joints[right].labelled && joints[left].labelled) {
      ++stats.shoulders;
      stats.turned += joints[right].x < joints[left].x ? 1 : 0;
    }
    heights.push_back(200 * record.person.size);
  }
  stats.height = spread_of(std::move(heights));
  return stats;
}

}  // namespace cpm
