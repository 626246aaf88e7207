#include "cpm/hist/records.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "cpm/grad_row.h"
#include "engine/io/file.h"
#include "engine/io/npz.h"
#include "kernels/base/error.h"

namespace cpm {
namespace {

using nlohmann::json;

constexpr uint64_t kMetaLimit = uint64_t{64} << 20;
constexpr double kMostSteps = 1e9;  // whose epochs are numbers, too
constexpr int kMostDepth = 8;       // of JSON; the library's copies recurse
constexpr const char* kDamaged =
    "the file is damaged or of another program; copy the run again, or train anew with --grad-hist";
constexpr size_t kSigned = 2 * kGradBins;  // counters of the signed axis
constexpr size_t kStats = GradRow::kStats.size();

[[noreturn]] void bad(const std::filesystem::path& file, const std::string& what, const std::string& expected,
                      const std::string& got, const std::string& hint = kDamaged) {
  throw kernels::Error(
      kernels::ExitCode::BadData,
      {.where = file.string(), .what = what, .expected = expected, .got = got, .hint = hint});
}

/// A value of meta.json, of type T; BadData names the key.
template <class T>
T value(const std::filesystem::path& file, const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) bad(file, std::string("lacks the key ") + key, "meta.json of cpm-train", "none");
  // The library would cast any number to an integer.
  const auto fits = [](const json& number) {
    return number.is_number_integer() && number >= std::numeric_limits<int>::min() &&
           number <= std::numeric_limits<int>::max();
  };
  const bool whole = std::is_same_v<T, int> ? fits(*found)
                     : std::is_same_v<T, std::vector<int64_t>>
                         ? found->is_array() && std::all_of(found->begin(), found->end(), fits)
                         : true;
  try {
    if (whole) return found->get<T>();
  } catch (const json::exception&) {
  }
  bad(file, std::string("wrong type or value of ") + key, "what cpm-train writes there",
      found->dump().substr(0, 80));
}

/// meta.json's text as JSON.
json parse_text(const std::filesystem::path& file, const std::string& text) {
  bool deep = false;
  const auto too_deep = [&](int depth, json::parse_event_t, json&) {
    deep = deep || depth > kMostDepth;
    return !deep;
  };
  const json parsed = json::parse(text, too_deep, false);
  if (deep) bad(file, "is nested too deeply", fmt::format("at most {} levels", kMostDepth), "more");
  if (parsed.is_discarded()) bad(file, "is no JSON", "meta.json of cpm-train", "something else");
  return parsed;
}

GradTensor parse_tensor(const std::filesystem::path& file, const json& entry) {
  GradTensor tensor;
  tensor.name = value<std::string>(file, entry, "name");
  tensor.layer = value<std::string>(file, entry, "layer");
  tensor.kind = value<std::string>(file, entry, "kind");
  if (std::find(kGradKinds.begin(), kGradKinds.end(), tensor.kind) == kGradKinds.end()) {
    bad(file, "unknown kind of tensor", fmt::format("{}", fmt::join(kGradKinds, ", ")), tensor.kind);
  }
  tensor.depth = value<int>(file, entry, "depth");
  tensor.stage = value<int>(file, entry, "stage");
  tensor.shape = value<std::vector<int64_t>>(file, entry, "shape");
  return tensor;
}

void check_list(const std::filesystem::path& file, const json& meta, const char* key,
                std::span<const char* const> names) {
  const auto list = value<std::vector<std::string>>(file, meta, key);
  if (!std::equal(list.begin(), list.end(), names.begin(), names.end())) {
    bad(file, std::string("unknown list of ") + key, fmt::format("{}", fmt::join(names, " ")),
        fmt::format("{}", fmt::join(list, " ")));
  }
}

void check_bins(const std::filesystem::path& file, const json& meta) {
  const auto edges = value<std::vector<double>>(file, value<json>(file, meta, "bins"), "edges");
  bool same = edges.size() == kGradBins + 1;
  for (size_t b = 0; same && b < edges.size(); ++b)
    same = edges[b] == kernels::log_bin_edge(static_cast<int>(b));
  if (!same)
    bad(file, "other bins than this program has", "two an octave from 2^-60 to 2^20",
        fmt::format("{} other edges", edges.size()), "read it with the build that wrote it");
}

RecordedMeta parse_meta(const std::filesystem::path& file, const json& meta) {
  if (!meta.is_object()) bad(file, "is no JSON object", "meta.json of cpm-train", meta.type_name());
  const int format = value<int>(file, meta, "format");
  if (format != 1)
    bad(file, "unknown format", "1", std::to_string(format), "read it with the build that wrote it");
  check_bins(file, meta);
  check_list(file, meta, "specials", GradRow::kSpecials);
  check_list(file, meta, "stats", GradRow::kStats);
  RecordedMeta result;
  result.run = value<std::string>(file, meta, "run");
  result.intermediate_supervision = value<bool>(file, meta, "intermediate_supervision");
  result.epochs = {value<double>(file, meta, "steps_per_epoch"),
                   value<std::string>(file, meta, "accumulate") == "epoch"};
  if (!(result.epochs.steps >= 1 / kMostSteps && result.epochs.steps <= kMostSteps)) {
    bad(file, "steps_per_epoch is out of range", fmt::format("{:g} to {:g}", 1 / kMostSteps, kMostSteps),
        fmt::format("{:g}", result.epochs.steps));
  }
  if (const json linear = value<json>(file, meta, "linear"); !linear.is_null()) {
    const kernels::LinearBins bins{value<int>(file, linear, "bins"), value<double>(file, linear, "range")};
    if (bins.bins < 1 || bins.bins > kernels::LinearBins::kMostBins || !(bins.range > 0)) {
      bad(file, "linear bins", fmt::format("1 to {} bins, a range above 0", kernels::LinearBins::kMostBins),
          linear.dump().substr(0, 80));
    }
    result.linear = bins;
  }
  const json tensors = value<json>(file, meta, "tensors");
  if (!tensors.is_array() || tensors.empty()) bad(file, "names no tensors", "at least one", "none");
  for (const json& entry : tensors) result.tensors.push_back(parse_tensor(file, entry));
  return result;
}

/// An array [records, columns]; BadData where it has another shape.
template <class T>
std::vector<T> table(const engine::NpzFile& file, const std::string& name, size_t records, size_t columns) {
  std::vector<int64_t> shape;
  std::vector<T> values = file.values<T>(name, &shape);
  const std::vector<int64_t> expected = {static_cast<int64_t>(records), static_cast<int64_t>(columns)};
  if (shape != expected) {
    bad(file.name(), fmt::format("{} has the wrong shape", name),
        fmt::format("[{}]", fmt::join(expected, ", ")), fmt::format("[{}]", fmt::join(shape, ", ")));
  }
  return values;
}

/// Every element is counted once a step, so the sum is a multiple of the tensor's size.
void check_sum(const engine::NpzFile& file, const GradTensor& tensor, bool by_epoch, uint64_t sum) {
  uint64_t size = 1;
  for (const int64_t side : tensor.shape) size *= static_cast<uint64_t>(side);
  if (size == 0 || tensor.kind == "activation") return;  // those depend on the batch
  if (by_epoch ? sum % size != 0 : sum != size) {
    bad(file.name(), fmt::format("the counters of {} do not sum to its elements", tensor.name),
        std::to_string(size), std::to_string(sum));
  }
}

}  // namespace

RecordedMeta parse_grad_meta(const std::string& text, const std::filesystem::path& file) {
  return parse_meta(file, parse_text(file, text));
}

GradFolder GradFolder::open(const std::filesystem::path& run) {
  std::error_code error;
  GradFolder folder;
  folder.path_ = run / "grads";
  if (!std::filesystem::is_directory(run, error)) {
    bad(run, "there is no such run", "the folder of a run", "nothing there",
        "runs are in runs/NAME-NNN or where --out said");
  }
  if (!std::filesystem::is_directory(folder.path_, error)) folder.path_ = run;
  const std::filesystem::path meta = folder.path_ / "meta.json";
  if (!std::filesystem::is_regular_file(meta, error)) {
    bad(run, "holds no histograms of gradients", "grads/meta.json", "none",
        "train with cpm-train --grad-hist EVERY");
  }
  folder.meta_ = parse_grad_meta(engine::read_text(meta, kMetaLimit), meta);

  for (int number = 1;; ++number) {
    const std::filesystem::path file = folder.path_ / fmt::format("part-{:06}.npz", number);
    if (!std::filesystem::exists(file, error)) break;
    const std::vector<int64_t> steps = engine::NpzFile::read(file).values<int64_t>("step");
    folder.parts_.push_back({file, steps.size()});
    for (const int64_t step : steps) {
      const int64_t last = folder.steps_.empty() ? 0 : folder.steps_.back();
      if (step <= last || static_cast<double>(step) > kMostSteps) {
        bad(file, "steps do not ascend", fmt::format("above {}, at most {:g}", last, kMostSteps),
            std::to_string(step));
      }
      folder.steps_.push_back(step);
    }
  }
  if (folder.steps_.empty()) {
    bad(folder.path_, "holds no record yet", "part-000001.npz with at least one", "none",
        "records are written at each checkpoint and at the end");
  }
  return folder;
}

void GradFolder::each_record(const GradTensor& tensor, const Visitor& visit) const {
  size_t first = 0;
  for (const Part& part : parts_) {
    const engine::NpzFile file = engine::NpzFile::read(part.file);
    const size_t records = part.records;
    const auto counts = table<uint64_t>(file, tensor.name + "/counts", records, kSigned);
    const auto special = table<uint64_t>(file, tensor.name + "/special", records, kSpecials);
    const auto stats = table<double>(file, tensor.name + "/stats", records, kStats);
    const size_t columns = meta_.linear ? static_cast<size_t>(meta_.linear->bins) + 2 : 0;
    std::vector<uint64_t> linear;
    if (columns > 0) linear = table<uint64_t>(file, tensor.name + "/linear", records, columns);
    for (size_t r = 0; r < records; ++r) {
      HistCounts record;
      std::copy_n(&counts[r * kSigned], kSigned, record.counts.begin());
      std::copy_n(&special[r * kSpecials], kSpecials, record.special.begin());
      check_sum(file, tensor, meta_.epochs.accumulated, record.elements());
      const auto row = linear.begin() + static_cast<std::ptrdiff_t>(r * columns);
      record.linear.assign(row, row + static_cast<std::ptrdiff_t>(columns));
      const double* s = &stats[r * kStats];
      visit(first + r, record, {s[0], s[1], s[2], s[3]});
    }
    first += records;
  }
}

}  // namespace cpm
