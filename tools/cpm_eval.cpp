// cpm-eval: scores weights on a data set with PCK.
#include <fmt/format.h>

#include <filesystem>
#include <sstream>

#include "cpm/device.h"
#include "cpm/evaluate.h"
#include "cpm/pictures.h"
#include "cpm/run_report.h"
#include "engine/io/file.h"
#include "tools/cli.h"
#include "tools/json_text.h"
#include "tools/predictions_json.h"

namespace {

struct Flags {
  std::string weights, data, metric = "auto", scales = "1", device = "auto";
  std::optional<std::string> out;
  std::optional<int64_t> threads, batch;
  std::optional<double> threshold;
  bool flip = false, json = false;
};

std::vector<double> parse_scales(const std::string& text) {
  std::vector<double> scales;
  std::istringstream list(text);
  for (std::string word; std::getline(list, word, ',');) {
    char* end = nullptr;
    const double scale = std::strtod(word.c_str(), &end);
    tools::require_usage(!word.empty() && *end == '\0' && scale >= 0.1 && scale <= 10, "--scales",
                         "not a list of scales", "numbers from 0.1 to 10, e.g. 0.7,1,1.3", text);
    scales.push_back(scale);
  }
  tools::require_usage(!scales.empty(), "--scales", "an empty list", "numbers, e.g. 0.7,1,1.3", text);
  return scales;
}

void print_table(const cpm::PckResult& result, const cpm::JointSchema& schema) {
  fmt::print("{:<16} {:>8} {:>8}\n", "joint", fmt::format("PCK@{:g}", result.threshold), "scored");
  for (size_t j = 0; j < result.per_joint.size(); ++j) {
    if (result.per_joint_count[j] == 0) {
      fmt::print("{:<16} {:>8} {:>8}\n", schema.names[j], "-", 0);
    } else {
      fmt::print("{:<16} {:>8.3f} {:>8}\n", schema.names[j], result.per_joint[j], result.per_joint_count[j]);
    }
  }
  fmt::print("{:<16} {:>8.3f} {:>8}\n", "mean", result.mean, result.count);
}

int run(int argc, char** argv) {
  tools::Cli cli("cpm-eval",
                 "Scores weights on a data set (PCK: percentage of correct keypoints, as a fraction).");
  Flags f;
  cli.option("--weights", &f.weights, "FILE", "weights.safetensors");
  cli.option("--data", &f.data, "SPEC", "synthetic[:N] or lsp:JOINTS.mat,IMAGE_DIR, each with ,FIRST-LAST");
  cli.option("--metric", &f.metric, "NAME", "pck or auto (default auto)");
  cli.option("--threshold", &f.threshold, "T", "share of |left shoulder - right hip| (default 0.2)");
  cli.flag("--flip", &f.flip, "add the mirrored image's maps");
  cli.option("--scales", &f.scales, "LIST", "zooms whose maps are added, e.g. 0.7,1,1.3 (default 1)");
  cli.option("--out", &f.out, "DIR", "also writes predictions.json and overlay.png there");
  cli.option("--device", &f.device, "DEVICE", "auto, cpu, cuda or cuda:N (default auto)");
  cli.option("--threads", &f.threads, "N", "threads (default: all processors)");
  cli.option("--batch", &f.batch, "N", "images a pass (default 8)");
  cli.flag("--json", &f.json, "one JSON object on stdout: metric, mean, per_joint, count, threshold");
  cli.choices("--metric", tools::to_words({"pck", "auto"}));
  cli.words("--data", tools::to_words({"synthetic", "lsp"}, ":"));
  if (!cli.parse(argc, argv)) return 0;
  tools::require_usage(!f.weights.empty(), "--weights", "missing", "a safetensors file", "nothing");
  tools::require_usage(!f.data.empty(), "--data", "missing", "a SPEC, e.g. synthetic:100", "nothing");
  const int64_t batch = f.batch.value_or(8);
  tools::require_usage(batch >= 1 && batch <= 1024, "--batch", "out of range", "1 to 1024",
                       std::to_string(batch));
  const double threshold = f.threshold.value_or(0.2);
  tools::require_usage(threshold > 0 && threshold <= 10, "--threshold", "out of range", "above 0, at most 10",
                       fmt::format("{:g}", threshold));
  const cpm::PredictOptions base{.flip = f.flip, .scales = parse_scales(f.scales)};
  const cpm::Device device = cpm::open_device(f.device, f.threads.value_or(0));
  const auto dataset = cpm::open_dataset(cpm::parse_data_spec(f.data));
  cpm::Model model = cpm::Model::load(f.weights, engine::DType::F32, device.place());
  if (model.joints() != dataset->schema().count()) {
    throw kernels::Error(kernels::ExitCode::BadData,
                         {.where = f.weights,
                          .what = "the network has other joints than the data",
                          .expected = fmt::format("{} joints", dataset->schema().count()),
                          .got = std::to_string(model.joints())});
  }
  std::optional<tools::OutputFolder> out;  // made before the long part, which must not end in vain
  if (f.out) out.emplace(*f.out);
  cpm::StepRunner runner(model, device.exec);
  cpm::PredictOptions options = base;
  options.input = model.info().input;
  options.batch = static_cast<int>(batch);
  const auto predictions = cpm::predict(runner, model, *dataset, options, {});
  const cpm::PckResult result = cpm::pck(*dataset, predictions, threshold);
  if (f.out) {
    constexpr int kPeople = 16;
    const auto& folder = out->path();
    engine::write_text(folder / "predictions.json", tools::predictions_json(predictions) + "\n");
    cpm::write_overlay_sheet(folder / "overlay.png", *dataset, predictions, kPeople);
  }
  if (f.json) {
    fmt::print("{}\n", cpm::pck_json(result, dataset->schema()));
  } else {
    print_table(result, dataset->schema());
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return tools::run_main([&] { return run(argc, argv); });
}
