#include "cpm/grad_records.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <system_error>

#include "engine/io/file.h"
#include "engine/io/npz.h"

namespace cpm {

namespace fs = std::filesystem;
using engine::ArrayToStore;
using engine::NpyType;
using engine::NpzFile;
using kernels::Error;
using kernels::ExitCode;

namespace {

constexpr size_t kRecords = 256;  // of a part: some MB before they are deflated
constexpr const char* kQuantileColumns = "step,tensor,depth,stage,q05,q25,q50,q75,q95\n";
constexpr double kQuantiles[] = {0.05, 0.25, 0.5, 0.75, 0.95};

void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (!error) return;
  throw Error(ExitCode::CannotWrite, {.where = folder.string(),
                                      .what = "cannot create the folder of gradient records",
                                      .got = error.message()});
}

/// An array of `rows` x `columns`; BadData for another shape.
template <class T>
std::vector<T> read_rows(const NpzFile& file, const std::string& name, size_t rows, size_t columns) {
  std::vector<int64_t> shape;
  std::vector<T> values = file.values<T>(name, &shape);
  const std::vector<int64_t> expected = {static_cast<int64_t>(rows), static_cast<int64_t>(columns)};
  if (shape == expected) return values;
  throw Error(ExitCode::BadData, {.where = file.name(),
                                  .what = fmt::format("array '{}' has another shape", name),
                                  .expected = fmt::format("[{}]", fmt::join(expected, ", ")),
                                  .got = fmt::format("[{}]", fmt::join(shape, ", ")),
                                  .hint = "gradient records of another run; move them away"});
}

/// "PREFIX000012.npz" -> 12; -1 for other names.
int64_t number_in(const fs::path& path, const std::string& prefix) {
  const std::string name = path.stem().string();
  int64_t number = -1;
  if (path.extension() != ".npz" || name.rfind(prefix, 0) != 0) return -1;
  const char* end = name.data() + name.size();
  return std::from_chars(name.data() + prefix.size(), end, number).ptr == end ? number : -1;
}

/// Numbers of the folder's files "PREFIX000012.npz", ascending.
std::vector<int64_t> numbers_of(const fs::path& folder, const std::string& prefix) {
  std::vector<int64_t> numbers;
  std::error_code missing;
  for (const auto& entry : fs::directory_iterator(folder, missing)) {
    if (const int64_t number = number_in(entry.path(), prefix); number >= 0) numbers.push_back(number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

template <class T>
void append_row(std::vector<T>* to, const auto& row) {
  to->insert(to->end(), row.begin(), row.end());
}

/// Arrays of a file, in the order in which they are written; narrowed copies live here.
class ArrayList {
 public:
  explicit ArrayList(bool narrow) : narrow_(narrow) {}

  void add(const std::string& name, const std::vector<uint64_t>& values, size_t rows) {
    if (!narrow_) return push(name, NpyType::U64, values, rows);
    narrowed_.emplace_back(values.begin(), values.end());
    push(name, NpyType::U32, narrowed_.back(), rows);
  }
  void add(const std::string& name, const std::vector<double>& values, size_t rows) {
    push(name, NpyType::F64, values, rows);
  }
  void add(const std::string& name, const std::vector<int64_t>& values) {
    arrays_.push_back({name, NpyType::I64, {static_cast<int64_t>(values.size())}, values.data()});
  }
  void write(const fs::path& path) const { engine::write_npz(path, arrays_); }

 private:
  template <class T>
  void push(const std::string& name, NpyType type, const std::vector<T>& values, size_t rows) {
    arrays_.push_back({name,
                       type,
                       {static_cast<int64_t>(rows), static_cast<int64_t>(values.size() / rows)},
                       values.data()});
  }

  bool narrow_;
  std::vector<std::vector<uint32_t>> narrowed_;  // moving one keeps its elements where they are
  std::vector<ArrayToStore> arrays_;
};

}  // namespace

GradRecords::GradRecords(fs::path folder, GradPlan plan, int64_t keep_step,
                         const std::function<void(const std::string&)>& warn)
    : folder_(std::move(folder)),
      plan_(std::move(plan)),
      rows_(plan_.tensors.size(), empty_row()),
      part_(empty_part()) {
  make_folder(folder_);
  engine::remove_stale_temporaries(folder_);
  write_meta();
  cut(keep_step);
  if (plan_.epochs) read_open(keep_step, warn);
}

fs::path GradRecords::part_path(int64_t number) const {
  return folder_ / fmt::format("part-{:06}.npz", number);
}

fs::path GradRecords::open_path(int64_t step) const {
  return folder_ / fmt::format("open-{:08}.npz", step);
}

size_t GradRecords::counters() const {
  return plan_.linear.bins > 0 ? static_cast<size_t>(plan_.linear.counters()) : 0;
}

void GradRecords::write_meta() const {
  using Json = nlohmann::ordered_json;
  std::vector<double> edges;
  for (int bin = 0; bin <= kernels::LogHistogram::kBins; ++bin) edges.push_back(kernels::log_bin_edge(bin));
  Json json = {{"format", 1},
               {"every", plan_.every},
               {"accumulate", plan_.epochs ? "epoch" : "step"},
               {"taken", "before clipping and multipliers"},
               {"steps_per_epoch", static_cast<double>(plan_.samples) / static_cast<double>(plan_.batch)},
               {"run", plan_.run},
               {"intermediate_supervision", plan_.supervised},
               {"bins",
                {{"per_octave", 2},
                 {"lowest", kernels::LogHistogram::kLowest},
                 {"highest", kernels::LogHistogram::kHighest},
                 {"edges", edges}}},
               {"specials", GradRow::kSpecials},
               {"stats", GradRow::kStats},
               {"linear", nullptr},
               {"tensors", Json::array()}};
  if (counters() > 0) json["linear"] = {{"bins", plan_.linear.bins}, {"range", plan_.linear.range}};
  for (const GradTensor& tensor : plan_.tensors) {
    json["tensors"].push_back({{"name", tensor.name},
                               {"kind", tensor.kind},
                               {"depth", tensor.depth},
                               {"stage", tensor.stage},
                               {"layer", tensor.layer},
                               {"shape", tensor.shape}});
  }
  engine::write_text(folder_ / "meta.json", json.dump(1) + "\n");
}

GradRow GradRecords::empty_row() const {
  GradRow row;
  row.linear.resize(counters());
  return row;
}

GradRecords::Part GradRecords::empty_part() const {
  const size_t n = plan_.tensors.size();
  Part part;
  part.counts.resize(n);
  part.special.resize(n);
  part.linear.resize(n);
  part.stats.resize(n);
  return part;
}

void GradRecords::add(int64_t step, const std::vector<GradCounts>& counts) {
  CPM_CHECK(counts.empty() || counts.size() == rows_.size(), "{} counts for {} tensors", counts.size(),
            rows_.size());
  for (size_t i = 0; i < counts.size(); ++i) rows_[i].add(counts[i]);
  const bool record = plan_.epochs ? plan_.ends_epoch(step) && rows_[0].steps > 0 : !counts.empty();
  if (record) append(step);
}

/// The record under way joins the part under way.
void GradRecords::append(int64_t step) {
  part_.steps.push_back(step);
  const auto number =
      static_cast<int64_t>((static_cast<size_t>(number_) - 1) * kRecords + part_.steps.size());
  if (listener_) listener_(number, step, rows_);
  for (size_t i = 0; i < rows_.size(); ++i) {
    append_row(&part_.counts[i], rows_[i].counts);
    append_row(&part_.special[i], rows_[i].special);
    append_row(&part_.linear[i], rows_[i].linear);
    append_row(&part_.stats[i], rows_[i].stats());
    rows_[i] = empty_row();
  }
  quantiles_ += quantile_rows(part_, part_.steps.size() - 1);
  if (part_.steps.size() % kRecords == 0) write_part();
}

void GradRecords::write_part() {
  const size_t records = part_.steps.size();
  if (records > written_) {
    ArrayList arrays(!plan_.epochs);
    arrays.add("step", part_.steps);
    for (size_t i = 0; i < plan_.tensors.size(); ++i) {
      const std::string& name = plan_.tensors[i].name;
      arrays.add(name + "/counts", part_.counts[i], records);
      arrays.add(name + "/special", part_.special[i], records);
      arrays.add(name + "/stats", part_.stats[i], records);
      if (counters() > 0) arrays.add(name + "/linear", part_.linear[i], records);
    }
    arrays.write(part_path(number_));
    written_ = records;
  }
  if (records >= kRecords) {
    part_ = empty_part();
    ++number_;
    written_ = 0;
  }
}

void GradRecords::flush(int64_t step, int64_t keep) {
  write_part();
  const std::string failure = engine::append_text(folder_ / "quantiles.csv", quantiles_);
  if (!failure.empty()) {
    throw Error(ExitCode::IoError, {.where = (folder_ / "quantiles.csv").string(),
                                    .what = "rows cannot be appended",
                                    .got = failure,
                                    .hint = "make room; they are kept until then"});
  }
  quantiles_.clear();
  if (plan_.epochs) write_open(step, keep);
}

GradRecords::Part GradRecords::read_part(const fs::path& path) const {
  const NpzFile file = NpzFile::read(path);
  Part part = empty_part();
  part.steps = file.values<int64_t>("step");
  const size_t records = part.steps.size();
  for (size_t i = 0; i < plan_.tensors.size(); ++i) {
    const std::string& name = plan_.tensors[i].name;
    part.counts[i] = read_rows<uint64_t>(file, name + "/counts", records, GradRow::kBins);
    part.special[i] = read_rows<uint64_t>(file, name + "/special", records, GradRow::kSpecials.size());
    part.stats[i] = read_rows<double>(file, name + "/stats", records, GradRow::kStats.size());
    if (counters() > 0) part.linear[i] = read_rows<uint64_t>(file, name + "/linear", records, counters());
  }
  return part;
}

/// Leaves records up to `keep_step`; says whether all were.
bool GradRecords::shorten(Part* part, int64_t keep_step) const {
  const auto end = std::upper_bound(part->steps.begin(), part->steps.end(), keep_step);
  const auto kept = static_cast<size_t>(end - part->steps.begin());
  if (kept == part->steps.size()) return true;
  part->steps.resize(kept);
  for (size_t i = 0; i < plan_.tensors.size(); ++i) {
    part->counts[i].resize(kept * GradRow::kBins);
    part->special[i].resize(kept * GradRow::kSpecials.size());
    part->stats[i].resize(kept * GradRow::kStats.size());
    part->linear[i].resize(kept * counters());
  }
  return false;
}

/// Makes files and members what they were after `keep_step`; quantiles.csv is made anew from the records.
void GradRecords::cut(int64_t keep_step) {
  std::string quantiles = kQuantileColumns;
  std::error_code ignored;
  bool last = keep_step == 0;  // nothing behind is to be kept
  for (const int64_t number : numbers_of(folder_, "part-")) {
    if (last) {
      fs::remove(part_path(number), ignored);
      continue;
    }
    part_ = read_part(part_path(number));
    const bool whole = shorten(&part_, keep_step);
    const size_t kept = part_.steps.size();
    for (size_t record = 0; record < kept; ++record) quantiles += quantile_rows(part_, record);
    if (kept == 0) fs::remove(part_path(number), ignored);
    last = !whole || kept < kRecords;
    number_ = number;
    written_ = whole ? kept : 0;
    write_part();
  }
  engine::write_text(folder_ / "quantiles.csv", quantiles);
  for (const int64_t step : numbers_of(folder_, "open-")) {
    if (step > keep_step) fs::remove(open_path(step), ignored);
  }
}

/// The counts of an epoch that was under way when the checkpoint of `step` was written.
void GradRecords::read_open(int64_t step, const std::function<void(const std::string&)>& warn) {
  if (step == 0) return;
  std::error_code error;
  if (!fs::exists(open_path(step), error)) {
    warn(fmt::format("{} is missing: the epoch under way counts gradients from step {} on only",
                     open_path(step).string(), step + 1));
    return;
  }
  const NpzFile file = NpzFile::read(open_path(step));
  for (size_t i = 0; i < rows_.size(); ++i) {
    const std::string& name = plan_.tensors[i].name;
    rows_[i].counts = read_rows<uint64_t>(file, name + "/counts", 1, GradRow::kBins);
    rows_[i].special = read_rows<uint64_t>(file, name + "/special", 1, GradRow::kSpecials.size());
    if (counters() > 0) rows_[i].linear = read_rows<uint64_t>(file, name + "/linear", 1, counters());
    rows_[i].set_sums(read_rows<double>(file, name + "/sums", 1, GradRow::kSums));
  }
}

void GradRecords::write_open(int64_t step, int64_t keep) const {
  ArrayList arrays(false);
  std::vector<std::vector<double>> sums;
  sums.reserve(rows_.size());
  for (size_t i = 0; i < rows_.size(); ++i) {
    const std::string& name = plan_.tensors[i].name;
    arrays.add(name + "/counts", rows_[i].counts, 1);
    arrays.add(name + "/special", rows_[i].special, 1);
    const auto own = rows_[i].sums();
    arrays.add(name + "/sums", sums.emplace_back(own.begin(), own.end()), 1);
    if (counters() > 0) arrays.add(name + "/linear", rows_[i].linear, 1);
  }
  arrays.write(open_path(step));
  const std::vector<int64_t> steps = numbers_of(folder_, "open-");
  for (size_t i = 0; i + static_cast<size_t>(keep) < steps.size(); ++i) {
    std::error_code ignored;
    fs::remove(open_path(steps[i]), ignored);
  }
}

std::string GradRecords::quantile_rows(const Part& part, size_t record) const {
  std::string text;
  for (size_t i = 0; i < plan_.tensors.size(); ++i) {
    const GradTensor& tensor = plan_.tensors[i];
    text += fmt::format("{},{},{},{}", part.steps[record], tensor.name, tensor.depth, tensor.stage);
    const uint64_t* counts = part.counts[i].data() + record * GradRow::kBins;
    const uint64_t* special = part.special[i].data() + record * GradRow::kSpecials.size();
    // A bin is half an octave wide: more digits would say nothing.
    for (const double q : kQuantiles) text += fmt::format(",{:.3g}", magnitude_quantile(counts, special, q));
    text += '\n';
  }
  return text;
}

}  // namespace cpm
