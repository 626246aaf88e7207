// Run directories. Whole files (status, env, a metrics file cut back) go through engine::write_text, which
// replaces them atomically; rows and log lines are one write(2) each to a file opened for appending, taken
// back if the disk fills half-way, so a reader never meets two rows glued together. metrics.jsonl is always
// the rows of metrics.csv under another syntax: on resume both are made from the CSV's kept rows.
#include "cpm/run_dir.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>
#include <tuple>

#include "cpm/metrics_text.h"
#include "engine/io/file.h"
#include "kernels/base/error.h"
#include "kernels/base/exec.h"
#include "kernels/base/parallel.h"

#ifndef CPM_VERSION
#define CPM_VERSION "unknown"
#endif
#ifndef CPM_BUILD_TYPE
#define CPM_BUILD_TYPE "unknown"
#endif

namespace cpm {
namespace {

namespace fs = std::filesystem;
using kernels::Error;
using kernels::ExitCode;
using Json = nlohmann::ordered_json;

constexpr uint64_t kMetricsLimit = uint64_t{1} << 32;
constexpr int kNumberDigits = 3;

std::string reason(int error) {
  return std::generic_category().message(error);
}

[[noreturn]] void cannot_create(const fs::path& path, const std::string& why) {
  throw Error(ExitCode::CannotWrite, {.where = path.string(),
                                      .what = "cannot create the run directory",
                                      .expected = "a place that can be written to",
                                      .got = why,
                                      .hint = "choose a writable place with --out"});
}

/// The run number of a directory named PREFIX-NNN, nullopt for other names. An empty prefix stands for any.
std::optional<int64_t> run_number(const std::string& directory, const std::string& prefix) {
  const size_t dash = directory.rfind('-');
  if (dash == std::string::npos || dash == 0) return std::nullopt;
  if (!prefix.empty() && directory.substr(0, dash) != prefix) return std::nullopt;
  const std::string digits = directory.substr(dash + 1);
  if (digits.size() < kNumberDigits || digits.size() > 12) return std::nullopt;
  if (digits.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
  return std::stoll(digits);
}

/// A directory whose run failed before it wrote anything (only empty folders in it) may be used again.
bool holds_run(const fs::path& path) {
  std::error_code ignored;
  for (const char* name : {"run.toml", "metrics.csv", "metrics.jsonl", "weights.safetensors"}) {
    if (fs::exists(path / name, ignored)) return true;
  }
  return fs::is_directory(path / "ckpt", ignored) && !fs::is_empty(path / "ckpt", ignored);
}

void make_directories(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (!error && !fs::is_directory(path, error)) error = std::make_error_code(std::errc::not_a_directory);
  if (error) cannot_create(path, error.message());
}

/// Makes runs/<name>-NNN with the next free number. mkdir decides between processes that start together.
fs::path make_numbered(const fs::path& runs, const std::string& name) {
  make_directories(runs);
  int64_t number = 0;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(runs, error)) {
    number = std::max(number, run_number(entry.path().filename().string(), name).value_or(0));
  }
  if (error) cannot_create(runs, error.message());
  while (true) {
    const fs::path path = runs / fmt::format("{}-{:0{}}", name, ++number, kNumberDigits);
    if (::mkdir(path.c_str(), 0777) == 0) return path;
    if (errno != EEXIST) cannot_create(path, reason(errno));
  }
}

/// Points runs/latest at the run. A convenience: where it cannot be done (a file of that name, a file system
/// without links), nothing depends on it.
void link_latest(const fs::path& run) {
  const fs::path link = run.parent_path() / "latest";
  const fs::path temporary = run.parent_path() / fmt::format(".latest.tmp.{}", ::getpid());
  std::error_code error;
  if (fs::exists(fs::symlink_status(link, error)) && !fs::is_symlink(link, error)) return;
  fs::create_directory_symlink(run.filename(), temporary, error);
  if (!error) fs::rename(temporary, link, error);
  if (error) fs::remove(temporary, error);
}

void warn(const fs::path& path, const std::string& what) {
  const std::string line = kernels::error_line({.where = path.string(), .what = what});
  fmt::print(stderr, "warning: {}\n", line);
}

std::string utc_time() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

/// Text from outside (arguments, paths) need not be UTF-8, which JSON demands: odd bytes become U+FFFD.
std::string json_text(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string compiler_name() {
#if defined(__clang__)
  return fmt::format("clang {}.{}.{}", __clang_major__, __clang_minor__, __clang_patchlevel__);
#elif defined(__GNUC__)
  return fmt::format("gcc {}.{}.{}", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#else
  return "unknown";
#endif
}

/// Rows of a version that knew fewer columns (new ones go to the end) get the others, without a value.
void add_new_columns(const Cells& columns, std::vector<Cells>* lines) {
  if (lines->empty() || lines->front().size() >= columns.size()) return;
  const size_t known = lines->front().size();
  if (!std::equal(lines->front().begin(), lines->front().end(), columns.begin())) return;
  for (Cells& line : *lines) {
    if (line.size() == known) line.resize(columns.size(), "nan");
  }
  lines->front() = columns;
}

}  // namespace

RunDir RunDir::create(const fs::path& out, const std::string& name) {
  fs::path path = out;
  if (out.empty()) {
    path = make_numbered("runs", name);
    link_latest(path);
  } else {
    if (holds_run(out)) {
      throw Error(ExitCode::Usage, {.where = out.string(),
                                    .what = "the directory already holds a run",
                                    .expected = "a new or empty directory",
                                    .got = "a run.toml or files of a run",
                                    .hint = "continue it with --resume, or choose another --out"});
    }
    make_directories(out);
  }
  make_directories(path / "ckpt");
  make_directories(path / "val");
  return RunDir(path);
}

RunDir RunDir::open(const fs::path& path) {
  fs::path run = path.has_filename() ? path : path.parent_path();  // without a slash at the end
  std::error_code error;
  // runs/latest moves on when another run starts; this run stays where it is.
  if (fs::is_symlink(run, error)) run = run.parent_path() / fs::read_symlink(run);
  if (!fs::is_regular_file(run / "run.toml", error)) {
    throw Error(ExitCode::BadData, {.where = path.string(),
                                    .what = "not a run directory",
                                    .expected = "a directory with a run.toml",
                                    .got = !fs::exists(run, error)        ? "nothing there"
                                           : fs::is_directory(run, error) ? "a directory without one"
                                                                          : "a file",
                                    .hint = "runs are in runs/NAME-NNN or where --out said"});
  }
  return RunDir(run);
}

fs::path RunDir::newest(const fs::path& runs) {
  fs::path best;
  fs::file_time_type best_time;
  int64_t best_number = 0;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(runs, error)) {
    const auto number = run_number(entry.path().filename().string(), "");
    if (!number) continue;
    std::error_code missing;
    const fs::file_time_type time = fs::last_write_time(entry.path() / "run.toml", missing);
    if (missing) continue;
    // Equal times (a copy that lost them) fall back to the number, then the name.
    if (best.empty() || std::tie(time, *number, entry.path()) > std::tie(best_time, best_number, best)) {
      best = entry.path();
      best_time = time;
      best_number = *number;
    }
  }
  if (best.empty()) {
    throw Error(ExitCode::BadData, {.where = runs.string(),
                                    .what = "no run found",
                                    .expected = "a directory NAME-NNN with a run.toml",
                                    .got = error ? error.message() : "none",
                                    .hint = "name the run directory, or start a run without --resume"});
  }
  return best;
}

void RunDir::start_metrics(int stages, int64_t keep_step) {
  stages_ = stages;
  seconds_so_far_ = 0;
  const fs::path csv = path_ / "metrics.csv";
  const Cells columns = metrics_columns(stages);
  std::string csv_text = csv_line(columns), jsonl_text;
  std::error_code error;
  if (fs::exists(csv, error)) {
    std::vector<Cells> lines = complete_lines(engine::read_text(csv, kMetricsLimit));
    add_new_columns(columns, &lines);
    if (lines.empty() || lines[0] != columns) {
      throw Error(ExitCode::BadData,
                  {.where = csv.string(),
                   .what = fmt::format("the columns are not those of a network of {} stages", stages),
                   .expected = fmt::format("{}", fmt::join(columns, ",")),
                   .got = lines.empty() ? "no header" : fmt::format("{}", fmt::join(lines[0], ",")),
                   .hint = "resume with the configuration in the run's run.toml"});
    }
    const auto column = [&](const char* name) {
      return static_cast<size_t>(std::find(columns.begin(), columns.end(), name) - columns.begin());
    };
    const size_t seconds = column("seconds"), loss = column("loss");
    for (size_t i = 1; i < lines.size(); ++i) {
      const auto numbers = parse_row(lines[i], columns.size());
      if (!numbers || !((*numbers)[0] <= static_cast<double>(keep_step))) continue;
      csv_text += csv_line(lines[i]);
      jsonl_text += json_line(columns, lines[i]);
      seconds_so_far_ = (*numbers)[seconds];
      last_loss_ = (*numbers)[loss];
    }
  }
  engine::write_text(csv, csv_text);
  engine::write_text(path_ / "metrics.jsonl", jsonl_text);
}

void RunDir::append(const MetricsRow& row) {
  CPM_CHECK(row.stage_losses.size() == static_cast<size_t>(stages_), "{} stage losses, metrics have {}",
            row.stage_losses.size(), stages_);
  CPM_CHECK(row.dead_plateau.size() == static_cast<size_t>(stages_), "{} plateaus, metrics have {} stages",
            row.dead_plateau.size(), stages_);
  const Cells cells = metrics_cells(row);
  std::string failure = engine::append_text(path_ / "metrics.csv", csv_line(cells));
  const std::string second =
      engine::append_text(path_ / "metrics.jsonl", json_line(metrics_columns(stages_), cells));
  if (failure.empty()) failure = second;
  if (!failure.empty()) {
    warn(path_ / "metrics.csv", fmt::format("the row of step {} is lost: {}", row.step, failure));
  }
}

void RunDir::write_status(const std::string& state, int64_t step, int64_t steps) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const Json json = {{"state", state},
                     {"step", step},
                     {"steps", steps},
                     {"pid", ::getpid()},
                     {"heartbeat", utc_time()},
                     {"heartbeat_unix", std::chrono::duration_cast<std::chrono::seconds>(now).count()}};
  try {
    engine::write_text(path_ / "status.json", json_text(json));
  } catch (const Error& error) {
    // A heartbeat that cannot be written is no reason to lose the training behind it.
    fmt::print(stderr, "warning: {}\n", error.what());
  }
}

std::string RunDir::state() const {
  std::error_code error;
  if (!fs::exists(path_ / "status.json", error)) return "";
  const Json json = Json::parse(engine::read_text(path_ / "status.json", kMetricsLimit), nullptr, false);
  return json.is_object() && json.contains("state") && json["state"].is_string() ? json["state"] : Json("");
}

void RunDir::write_env(const std::vector<std::string>& argv,
                       const std::map<std::string, std::string>& extra) {
  utsname system{};
  Json os = Json::object();
  if (::uname(&system) == 0) {
    os = {{"name", system.sysname}, {"release", system.release}, {"machine", system.machine}};
  }
  const int64_t memory = static_cast<int64_t>(::sysconf(_SC_PHYS_PAGES)) * ::sysconf(_SC_PAGESIZE);
  Json json = {{"version", CPM_VERSION},
               {"compiler", compiler_name()},
               {"build_type", CPM_BUILD_TYPE},
               {"isa", kernels::isa_name(kernels::best_isa())},
               {"processors", kernels::available_processors()},
               {"memory_bytes", memory},
               {"os", os},
               {"time", utc_time()},
               {"argv", argv},
               {"extra", Json::object()}};
  for (const auto& [key, value] : extra) json["extra"][key] = value;
  std::error_code error;
  if (fs::exists(path_ / "env.json", error)) {
    // The run keeps how it began; what went on with it is told after that.
    const Json before = Json::parse(engine::read_text(path_ / "env.json", kMetricsLimit), nullptr, false);
    if (before.is_object() && before.contains("argv")) {
      Json resumes = before.value("resumes", Json::array());
      resumes.push_back(json);
      json = before;
      json["resumes"] = resumes;
    }
  }
  engine::write_text(path_ / "env.json", json_text(json));
}

void RunDir::log(const std::string& line) {
  const std::string failure = engine::append_text(path_ / "train.log", line + "\n");
  if (!failure.empty()) warn(path_ / "train.log", "a line is lost: " + failure);
}

std::map<std::string, std::vector<double>> read_metrics(const fs::path& csv) {
  const std::vector<Cells> lines = complete_lines(engine::read_text(csv, kMetricsLimit));
  if (lines.empty()) {
    throw Error(ExitCode::BadData, {.where = csv.string(),
                                    .what = "not a metrics file",
                                    .expected = "a line of column names",
                                    .got = "none",
                                    .hint = "check that this is metrics.csv of a run"});
  }
  std::map<std::string, std::vector<double>> columns;
  for (const std::string& name : lines[0]) columns[name];
  for (size_t i = 1; i < lines.size(); ++i) {
    const auto numbers = parse_row(lines[i], lines[0].size());
    if (!numbers) continue;  // a row that a crash left damaged has no place in a curve
    for (size_t k = 0; k < numbers->size(); ++k) columns[lines[0][k]].push_back((*numbers)[k]);
  }
  return columns;
}

}  // namespace cpm
