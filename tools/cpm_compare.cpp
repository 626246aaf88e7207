// cpm-compare: validation accuracy of several runs beside each other.
#include <fmt/format.h>

#include <filesystem>

#include "cpm/report/compare.h"
#include "cpm/validations.h"
#include "engine/io/file.h"
#include "tools/cli.h"
#include "tools/json_text.h"
#include "tools/predictions_json.h"

namespace {

struct Flags {
  std::optional<std::string> out;
  std::vector<std::string> runs, stages;
  bool json = false;
};

std::vector<cpm::ComparedRun> read_runs(const std::vector<std::string>& paths) {
  std::vector<cpm::ComparedRun> runs;
  for (const std::string& path : paths) runs.push_back(cpm::compared_run(path));
  return runs;
}

void write_pictures(const cpm::Comparison& comparison, const std::filesystem::path& folder) {
  const tools::OutputFolder out(folder);
  engine::write_text(out.path() / "compare.html", cpm::comparison_html(comparison));
  engine::write_text(out.path() / "pck-steps.svg", cpm::steps_chart_file(comparison));
  const std::string stages = cpm::stages_chart_file(comparison);
  if (!stages.empty()) engine::write_text(out.path() / "pck-stages.svg", stages);
}

void print_table(const std::vector<cpm::ComparedRun>& runs) {
  for (const cpm::ComparedRun& run : runs) {
    const auto& [step, pck] = run.validation.back();
    fmt::print("{:<28} {:>6} {:>9} {:>8.3f}\n", run.label, run.stages, step, pck);
  }
}

std::string json_of(const std::vector<cpm::ComparedRun>& runs) {
  std::vector<std::string> objects;
  for (const cpm::ComparedRun& run : runs) {
    std::vector<std::string> steps;
    std::vector<double> pck;
    for (const auto& [step, mean] : run.validation) {
      steps.push_back(std::to_string(step));
      pck.push_back(mean);
    }
    tools::JsonObject object;
    object.add("run", run.label);
    object.add("stages", run.stages);
    object.add_raw("steps", tools::json_array(steps));
    object.add("pck", pck);
    objects.push_back(object.text());
  }
  return tools::json_array(objects);
}

int run(int argc, char** argv) {
  tools::Cli cli("cpm-compare", "Validation PCK@0.2 of several runs: a table, and pictures of it.");
  Flags f;
  cli.positionals("RUN", &f.runs, "run directories: a line each in the picture against steps");
  cli.repeated("--stages", &f.stages, "RUN",
               "run directories: a point each in a picture against the number of stages; repeatable");
  cli.option("--out", &f.out, "DIR",
             "writes compare.html, pck-steps.svg and, with --stages, pck-stages.svg there");
  cli.flag("--json", &f.json,
           "one JSON object on stdout: runs and by_stages, each with run, stages, steps, pck");
  if (!cli.parse(argc, argv)) return 0;
  tools::require_usage(!f.runs.empty() && f.runs.size() <= cpm::kMostLines, "RUN", "wrong number of runs",
                       fmt::format("1 to {}", cpm::kMostLines), std::to_string(f.runs.size()));
  const cpm::Comparison comparison{.runs = read_runs(f.runs), .by_stages = read_runs(f.stages)};
  if (f.out) write_pictures(comparison, *f.out);
  if (f.json) {
    tools::JsonObject json;
    json.add_raw("runs", json_of(comparison.runs));
    json.add_raw("by_stages", json_of(comparison.by_stages));
    fmt::print("{}\n", json.text());
    return 0;
  }
  fmt::print("{:<28} {:>6} {:>9} {:>8}\n", "run", "stages", "step", "PCK@0.2");
  print_table(comparison.runs);
  if (!comparison.by_stages.empty()) fmt::print("\nby number of stages\n");
  print_table(comparison.by_stages);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return tools::run_main([&] { return run(argc, argv); });
}
