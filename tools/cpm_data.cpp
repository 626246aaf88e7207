// cpm-data: looks at a data set without changing it (check, stats, show) and makes JSON of .mat annotations
// (convert, by the program cpm-convert-mat beside this one).
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "cpm/dataset/spec.h"
#include "cpm/dataset/survey.h"
#include "cpm/pictures.h"
#include "kernels/base/nearest.h"
#include "kernels/base/parallel.h"
#include "tools/cli.h"
#include "tools/data_text.h"

namespace {

namespace fs = std::filesystem;
using kernels::Error;
using kernels::ExitCode;

struct Flags {
  std::vector<std::string> words;
  std::optional<std::string> out;
  std::optional<int64_t> first, count, size, threads;
  bool names = false, json = false;
};

const std::vector<std::string>& commands() {
  static const std::vector<std::string> names = {"check", "stats", "show", "convert"};
  return names;
}

/// The command's word and the SPEC behind it.
std::pair<std::string, std::string> parse_words(const std::vector<std::string>& words) {
  const std::string command = words.empty() ? "" : words[0];
  if (std::find(commands().begin(), commands().end(), command) == commands().end()) {
    throw Error(ExitCode::Usage,
                {.where = "command line",
                 .what = command.empty() ? "a command is missing" : "unknown command",
                 .expected = "check, stats, show or convert, then a SPEC",
                 .got = command.empty() ? "nothing" : command,
                 .hint = command.empty() ? "see --help" : kernels::nearest_hint(command, commands())});
  }
  tools::require_usage(words.size() == 2, command, "wrong number of data sets", "one SPEC",
                       std::to_string(words.size() - 1));
  return {command, words[1]};
}

int64_t in_range(const std::string& flag, std::optional<int64_t> given, int64_t fallback, int64_t least,
                 int64_t most) {
  const int64_t value = given.value_or(fallback);
  tools::require_usage(value >= least && value <= most, flag, "out of range",
                       fmt::format("{} to {}", least, most), std::to_string(value));
  return value;
}

/// `asked`, or a name in this folder that is not taken.
fs::path output_file(const std::optional<std::string>& asked, const std::string& fallback) {
  if (asked) return *asked;
  std::error_code ignored;
  if (fs::exists(fallback, ignored)) {
    throw Error(ExitCode::CannotWrite, {.where = fallback,
                                        .what = "there is such a file already",
                                        .expected = "a name that is free",
                                        .got = fallback,
                                        .hint = "name the file with --out"});
  }
  return fallback;
}

int check(const Flags& f, const std::string& text) {
  const auto threads = in_range("--threads", f.threads, kernels::available_processors(), 1, 1024);
  const auto progress = [](int64_t done, int64_t all) { fmt::print(stderr, "{} of {} images\n", done, all); };
  const cpm::CheckResult result =
      cpm::check_dataset(cpm::parse_data_spec(text), static_cast<int>(threads), progress);
  fmt::print("{}", f.json ? tools::check_json(result) : tools::check_text(result));
  if (result.faults.empty()) return 0;
  throw Error(ExitCode::BadData, {.where = text,
                                  .what = "the data set has faults",
                                  .expected = "none",
                                  .got = fmt::format("{} faults", result.faults.size()),
                                  .hint = "they are listed on standard output"});
}

int stats(const Flags& f, const std::string& text) {
  const auto dataset = cpm::open_dataset(cpm::parse_data_spec(text));
  const cpm::DatasetStats found = cpm::dataset_stats(*dataset);
  fmt::print("{}", f.json ? tools::stats_json(found, *dataset) : tools::stats_text(found, *dataset));
  return 0;
}

int show(const Flags& f, const std::string& text) {
  const fs::path out = output_file(f.out, "data-sheet.png");
  const auto dataset = cpm::open_dataset(cpm::parse_data_spec(text));
  constexpr int64_t kMostPictures = 400;
  const int64_t first = in_range("--first", f.first, 1, 1, dataset->size());
  const int64_t count =
      std::min(in_range("--count", f.count, 16, 1, kMostPictures), dataset->size() - first + 1);
  const auto side = static_cast<int>(in_range("--size", f.size, 256, 64, 1024));
  cpm::write_png(out, cpm::contact_sheet(
                          *dataset, {.first = first - 1, .count = count, .side = side, .names = f.names}));
  if (f.json) {
    fmt::print("{}", tools::written_json(out.string(), count));
  } else {
    fmt::print("{}\n{}\n", dataset->description(), out.string());
  }
  return 0;
}

/// The exit code of a program that ran to its end; what a damaged file does to it is an error here.
int run_program(std::vector<std::string> words, const std::string& file) {
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t child = 0;
  if (const int error = ::posix_spawn(&child, arguments[0], nullptr, nullptr, arguments.data(), environ)) {
    throw Error(ExitCode::DeviceUnavailable, {.where = words[0],
                                              .what = "cannot be started",
                                              .expected = "a program",
                                              .got = std::strerror(error),
                                              .hint = "build or install it anew"});
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  if (WIFEXITED(status)) return WEXITSTATUS(status);
  throw Error(ExitCode::BadData, {.where = file,
                                  .what = "the converter broke down on this file",
                                  .expected = "a sound .mat file",
                                  .got = fmt::format("signal {}", WTERMSIG(status)),
                                  .hint = "get the file anew; is it complete?"});
}

int convert(const Flags& f, const std::string& text) {
  const cpm::DataSpec spec = cpm::parse_data_spec(text);
  const bool lsp = spec.kind == cpm::DataSpec::Kind::Lsp;
  tools::require_usage((lsp || spec.kind == cpm::DataSpec::Kind::Mpii) && spec.first == 0, "convert",
                       "not .mat annotations as a whole", "lsp:FILE.mat,IMAGE_DIR or mpii:FILE.mat,IMAGE_DIR",
                       text);
  const fs::path out = output_file(f.out, spec.file.stem().string() + ".json");
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error).parent_path() / "cpm-convert-mat";
  if (!fs::exists(program, error)) {
    throw Error(ExitCode::DeviceUnavailable,
                {.where = program.string(),
                 .what = "this build cannot convert .mat files",
                 .expected = "the program, which is built where matio is found",
                 .got = "nothing there",
                 .hint = "install libmatio-dev, run cmake --preset release again and build"});
  }
  std::vector<std::string> words = {program.string(), lsp ? "lsp" : "mpii", spec.file.string(), out.string()};
  if (f.json) words.emplace_back("--json");
  return run_program(std::move(words), spec.file.string());
}

int run(int argc, char** argv) {
  tools::Cli cli("cpm-data", "Checks, counts and shows a data set, and converts .mat annotations to JSON.");
  Flags f;
  cli.positionals(
      "COMMAND SPEC", &f.words,
      "check: lists every fault; stats: counts; show: draws a contact sheet; convert: .mat to JSON. "
      "SPEC as for cpm-train --data");
  cli.option("--out", &f.out, "FILE", "show: data-sheet.png by default; convert: the file's name with .json");
  cli.option("--first", &f.first, "N", "show: the first person, from 1 (default 1)");
  cli.option("--count", &f.count, "N", "show: how many (default 16, at most 400)");
  cli.option("--size", &f.size, "PIXELS", "show: side of a picture (default 256)");
  cli.flag("--names", &f.names, "show: joint names beside the joints");
  cli.option("--threads", &f.threads, "N", "check: threads (default: all processors)");
  cli.flag("--json", &f.json, "one JSON object on stdout");
  cli.footer("The data set itself is only read. check exits with 65 where it finds a fault.");
  std::vector<tools::CliWord> words = tools::to_words(commands());
  for (const tools::CliWord& kind : tools::to_words(cpm::data_kinds(false), ":")) words.push_back(kind);
  cli.words("COMMAND SPEC", words);
  if (!cli.parse(argc, argv)) return 0;
  const auto [command, spec] = parse_words(f.words);
  if (command == "check") return check(f, spec);
  if (command == "stats") return stats(f, spec);
  if (command == "show") return show(f, spec);
  return convert(f, spec);
}

}  // namespace

int main(int argc, char** argv) {
  return tools::run_main([&] { return run(argc, argv); });
}
