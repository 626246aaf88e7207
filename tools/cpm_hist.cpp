// cpm-hist: draws the histograms of gradients that cpm-train --grad-hist records.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <sstream>

#include "cpm/hist/hist_page.h"
#include "engine/io/file.h"
#include "kernels/base/nearest.h"
#include "tools/cli.h"
#include "tools/hist_json.h"
#include "tools/predictions_json.h"

namespace {

namespace fs = std::filesystem;

constexpr size_t kMostRows = 12;

struct Flags {
  std::vector<std::string> words;
  std::optional<std::string> out, epochs;
  std::string tensors = "*", kind = "weight";
  std::optional<double> range;
  bool json = false;
};

std::vector<int64_t> parse_epochs(const std::string& text) {
  std::vector<int64_t> epochs;
  std::istringstream list(text);
  for (std::string word; std::getline(list, word, ',');) {
    int64_t epoch = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), epoch);
    tools::require_usage(
        error == std::errc() && end == word.data() + word.size() && epoch >= 1 && epoch <= 1000000,
        "--epochs", "not a list of epochs", "numbers from 1, e.g. 1,2,3", text);
    epochs.push_back(epoch);
  }
  tools::require_usage(!epochs.empty() && epochs.size() <= kMostRows, "--epochs", "not a list of epochs",
                       fmt::format("1 to {} numbers, e.g. 1,2,3", kMostRows), text);
  return epochs;
}

/// The runs behind the command's word.
std::vector<fs::path> parse_runs(const std::vector<std::string>& words) {
  const std::vector<std::string> commands = {"show", "compare"};
  const std::string command = words.empty() ? "" : words[0];
  if (command != "show" && command != "compare") {
    const std::string near = kernels::nearest_name(command, commands);
    throw kernels::Error(kernels::ExitCode::Usage,
                         {.where = "command line",
                          .what = command.empty() ? "a command is missing" : "unknown command",
                          .expected = "show RUN, or compare RUN_A RUN_B",
                          .got = command,
                          .hint = near.empty() ? "see --help" : fmt::format("did you mean {}?", near)});
  }
  const size_t runs = command == "show" ? 1 : 2;
  tools::require_usage(words.size() == runs + 1, command, "wrong number of runs",
                       command == "show" ? "show RUN" : "compare RUN_A RUN_B",
                       std::to_string(words.size() - 1));
  return {words.begin() + 1, words.end()};
}

/// Beside the (first) run's histograms.
fs::path default_out(const std::vector<fs::path>& runs) {
  const fs::path folder = cpm::GradFolder::open(runs[0]).path();
  if (runs.size() == 1) return folder / "report.html";
  const fs::path other = cpm::GradFolder::open(runs[1]).path();
  const fs::path run = other.filename() == "grads" ? other.parent_path() : other;
  return folder / ("compare-" + fs::absolute(run).lexically_normal().filename().string() + ".html");
}

void print_table(const cpm::HistView& view) {
  fmt::print("median |g| in the first and in the last fifth of the steps\n");
  for (const cpm::HistRun& run : view.runs) {
    fmt::print("{}\n", run.label);
    for (const cpm::HistTensor& tensor : run.tensors) {
      fmt::print("  {:<24} {:>10.3g} {:>10.3g}\n", tensor.tensor.layer,
                 cpm::magnitude_quantile(tensor.slices.front(), 0.5),
                 cpm::magnitude_quantile(tensor.slices.back(), 0.5));
    }
  }
}

int run(int argc, char** argv) {
  tools::Cli cli("cpm-hist", "Draws the histograms of gradients that cpm-train --grad-hist records.");
  Flags f;
  cli.positionals("COMMAND", &f.words, "show RUN, or compare RUN_A RUN_B (on shared axes)");
  cli.option("--out", &f.out, "FILE.html",
             "the page (default: in RUN/grads); pictures go to a folder beside it");
  cli.option("--tensors", &f.tensors, "GLOB", "tensors or layers, e.g. 'Mconv*' (default all)");
  cli.option("--kind", &f.kind, "KIND", "gradients of: weight, bias or activation (default weight)");
  cli.option("--epochs", &f.epochs, "LIST", "rows of the paper's grid (default 1,2,3)");
  cli.option("--range", &f.range, "R", "the grid's axis is -R to R (default: from the data)");
  cli.flag("--json", &f.json, "print one JSON object with the quantiles of every record");
  cli.footer(
      "Writes FILE.html and beside it a folder FILE: ridgelines, map and grid (.svg, .png),\n"
      "quantiles.csv, grid.csv.");
  cli.words("COMMAND", tools::to_words({"show", "compare"}));
  cli.choices("--kind", tools::to_words({cpm::kGradKinds.begin(), cpm::kGradKinds.end()}));
  if (!cli.parse(argc, argv)) return 0;

  cpm::HistOptions options{.kind = f.kind, .tensors = f.tensors, .range = f.range};
  if (f.epochs) options.epochs = parse_epochs(*f.epochs);
  tools::require_usage(!f.range || (*f.range > 0 && *f.range <= 1e30), "--range", "out of range", "above 0",
                       fmt::format("{:g}", f.range.value_or(0)));
  const std::vector<fs::path> runs = parse_runs(f.words);
  const cpm::HistView view = cpm::gather(runs, options);
  const fs::path out = f.out ? fs::path(*f.out) : default_out(runs);
  tools::require_usage(out.extension() == ".html", "--out", "not the name of a page", "FILE.html",
                       out.string());
  const tools::OutputFolder folder(out.parent_path() / out.stem());
  std::vector<fs::path> files = cpm::write_hist_files(view, folder.path());
  engine::write_text(out, cpm::hist_html(view));
  files.insert(files.begin(), out);
  if (f.json) {
    fmt::print("{}\n", tools::hist_json(view, out, files));
  } else {
    print_table(view);
    for (const std::string& name : view.left_out) fmt::print("left out: {}\n", name);
    fmt::print("page: {}\n", out.string());
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return tools::run_main([&] { return run(argc, argv); });
}
