// cpm-eval: scores weights on a data set with PCK, PCKh or OKS.
#include <fmt/format.h>

#include <filesystem>
#include <sstream>

#include "cpm/dataset/spec.h"
#include "cpm/device.h"
#include "cpm/pictures.h"
#include "cpm/score.h"
#include "cpm/validations.h"
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

void print_table(const cpm::Score& result, const cpm::JointSchema& schema) {
  const bool oks = result.metric == cpm::Metric::Oks;
  const std::string name = result.metric == cpm::Metric::Pckh ? "PCKh" : "PCK";
  fmt::print("{:<16} {:>8} {:>8}\n", "joint", oks ? "OKS" : fmt::format("{}@{:g}", name, result.threshold),
             "scored");
  for (size_t j = 0; j < result.per_joint.size(); ++j) {
    if (result.per_joint_count[j] == 0) {
      fmt::print("{:<16} {:>8} {:>8}\n", schema.names[j], "-", 0);
    } else {
      fmt::print("{:<16} {:>8.3f} {:>8}\n", schema.names[j], result.per_joint[j], result.per_joint_count[j]);
    }
  }
  if (oks) {
    fmt::print("{:<16} {:>8.3f} {:>8}\n{:<16} {:>8.3f}\n{:<16} {:>8.3f}\n", "persons", result.mean_oks,
               result.count, "AP at OKS 0.50", result.ap.front(), "AP at OKS 0.75", result.ap[5]);
  }
  fmt::print("{:<16} {:>8.3f} {:>8}\n", oks ? "mean AP" : "mean", result.mean, result.count);
}

void check_joints(const std::string& weights, const cpm::Model& model, const cpm::JointSchema& schema) {
  if (model.joints() == schema.count()) return;
  throw kernels::Error(kernels::ExitCode::BadData, {.where = weights,
                                                    .what = "the network has other joints than the data",
                                                    .expected = fmt::format("{} joints", schema.count()),
                                                    .got = std::to_string(model.joints())});
}

int run(int argc, char** argv) {
  tools::Cli cli("cpm-eval",
                 "Scores weights on a data set (PCK, PCKh: share of joints close enough; OKS: COCO's AP).");
  Flags f;
  cli.option("--weights", &f.weights, "FILE", "weights.safetensors");
  cli.option("--data", &f.data, "SPEC",
             "synthetic[:N], coco:FILE.json,IMAGE_DIR, mpii:FILE.json,IMAGE_DIR or lsp:JOINTS.mat,IMAGE_DIR, "
             "each with ,FIRST-LAST");
  cli.option("--metric", &f.metric, "NAME",
             "pck, pckh (mpii:), oks (coco:) or auto, the data's own (default auto)");
  cli.option("--threshold", &f.threshold, "T",
             "share of |left shoulder - right hip| (pck, default 0.2) or of the head's size (pckh, 0.5)");
  cli.flag("--flip", &f.flip, "add the mirrored image's maps");
  cli.option("--scales", &f.scales, "LIST", "zooms whose maps are added, e.g. 0.7,1,1.3 (default 1)");
  cli.option("--out", &f.out, "DIR", "also writes predictions.json and overlay.png there");
  cli.option("--device", &f.device, "DEVICE", "auto, cpu, cuda or cuda:N (default auto)");
  cli.option("--threads", &f.threads, "N", "threads (default: all processors)");
  cli.option("--batch", &f.batch, "N", "images a pass (default 8)");
  cli.flag("--json", &f.json, "one JSON object on stdout: metric, mean, per_joint, count, threshold");
  cli.choices("--metric", tools::to_words({"pck", "pckh", "oks", "auto"}));
  cli.words("--data", tools::to_words(cpm::data_kinds(false), ":"));
  if (!cli.parse(argc, argv)) return 0;
  tools::require_usage(!f.weights.empty(), "--weights", "missing", "a safetensors file", "nothing");
  tools::require_usage(!f.data.empty(), "--data", "missing", "a SPEC, e.g. synthetic:100", "nothing");
  const int64_t batch = f.batch.value_or(8);
  tools::require_usage(batch >= 1 && batch <= 1024, "--batch", "out of range", "1 to 1024",
                       std::to_string(batch));
  tools::require_usage(!f.threshold || (*f.threshold > 0 && *f.threshold <= 10), "--threshold",
                       "out of range", "above 0, at most 10", fmt::format("{:g}", f.threshold.value_or(0)));
  const cpm::PredictOptions base{.flip = f.flip, .scales = parse_scales(f.scales)};
  const cpm::Device device = cpm::open_device(f.device, f.threads.value_or(0));
  const auto dataset = cpm::open_dataset(cpm::parse_data_spec(f.data));
  const cpm::Metric metric = cpm::parse_metric(f.metric, dataset->schema());
  tools::require_usage(!f.threshold || metric != cpm::Metric::Oks, "--threshold",
                       "oks has its own thresholds", "no --threshold, or --metric pck",
                       fmt::format("{:g}", f.threshold.value_or(0)));
  cpm::Model model = cpm::Model::load(f.weights, engine::DType::F32, device.place());
  check_joints(f.weights, model, dataset->schema());
  std::optional<tools::OutputFolder> out;  // made before the long part, which must not end in vain
  if (f.out) out.emplace(*f.out);
  cpm::StepRunner runner(model, device.exec);
  cpm::PredictOptions options = base;
  options.input = model.info().input;
  options.batch = static_cast<int>(batch);
  const auto predictions = cpm::predict(runner, model, *dataset, options, {});
  const cpm::Score result = cpm::score(*dataset, predictions, metric, f.threshold);
  if (f.out) {
    constexpr int kPeople = 16;
    const auto& folder = out->path();
    engine::write_text(folder / "predictions.json", tools::predictions_json(predictions) + "\n");
    cpm::write_overlay_sheet(folder / "overlay.png", *dataset, predictions, kPeople);
  }
  if (f.json) {
    fmt::print("{}\n", cpm::score_json(result, dataset->schema()));
  } else {
    print_table(result, dataset->schema());
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return tools::run_main([&] { return run(argc, argv); });
}
