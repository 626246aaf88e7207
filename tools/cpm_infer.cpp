// cpm-infer: finds one person's joints in photographs, or runs the network on given tensors.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "cpm/device.h"
#include "cpm/evaluate.h"
#include "cpm/raw_tensors.h"
#include "cpm/report/draw.h"
#include "engine/io/file.h"
#include "engine/io/safetensors.h"
#include "tools/cli.h"
#include "tools/json_text.h"
#include "tools/predictions_json.h"

namespace {

namespace fs = std::filesystem;

struct Flags {
  std::string weights, out, device = "auto", precision = "fp32";
  std::optional<std::string> center, raw_input;
  std::optional<double> scale;
  std::optional<int64_t> threads;
  std::vector<std::string> images;
  bool heatmaps = false, json = false;
};

using StageMaps = std::vector<std::vector<float>>;

/// heatmaps.safetensors: stage1 ... stageT, each [n, k + 1, H/8, W/8].
void write_heatmaps(const fs::path& file, const StageMaps& stages, const engine::Shape& shape) {
  std::vector<engine::TensorToStore> tensors;
  for (size_t t = 0; t < stages.size(); ++t) {
    tensors.push_back(
        {fmt::format("stage{}", t + 1), engine::DType::F32, shape.to_vector(), stages[t].data()});
  }
  engine::write_safetensors(file, std::move(tensors), {});
}

void parse_center(const std::string& text, double* x, double* y) {
  int used = 0;
  const int read = std::sscanf(text.c_str(), "%lf,%lf%n", x, y, &used);
  tools::require_usage(
      read == 2 && used == static_cast<int>(text.size()) && std::abs(*x) < 1e6 && std::abs(*y) < 1e6,
      "--center", "not a point", "X,Y in pixels of the image, e.g. 120,85.5", text);
}

/// One image: where the person is, what the network says.
cpm::Prediction infer(const Flags& f, const cpm::Model& model, const cpm::Image& image,
                      cpm::StepRunner* runner, StageMaps* stages) {
  cpm::Person person;
  person.center_x = (image.width - 1) / 2.0;
  person.center_y = (image.height - 1) / 2.0;
  if (f.center) parse_center(*f.center, &person.center_x, &person.center_y);
  constexpr double kReferenceHeight = 200;
  person.size = f.scale.value_or(image.height / kReferenceHeight);
  return predict_crop(*runner, model, image, cpm::person_crop(person, model.info().input), schema_of(model),
                      stages);
}

/// Where the picture of `image` goes: a name in `folder` that no earlier image of this call took and that is
/// none of the images themselves.
fs::path free_place(const fs::path& folder, const fs::path& image, const std::vector<std::string>& images,
                    std::set<fs::path>* taken) {
  const auto is_input = [&](const fs::path& place) {
    return std::any_of(images.begin(), images.end(), [&](const std::string& file) {
      std::error_code missing;
      return fs::equivalent(file, place, missing);
    });
  };
  const std::string stem = image.stem().string();
  fs::path place = folder / (stem + ".png");
  for (int i = 2; is_input(place) || !taken->insert(place).second; ++i) {
    place = folder / fmt::format("{}-{}.png", stem, i);
  }
  return place;
}

std::vector<cpm::Prediction> infer_images(const Flags& f, const cpm::Model& model, cpm::StepRunner* runner,
                                          const fs::path& folder) {
  const cpm::JointSchema schema = schema_of(model);
  std::vector<cpm::Prediction> predictions;
  StageMaps all(static_cast<size_t>(model.stages()));
  std::set<fs::path> taken;
  for (const std::string& file : f.images) {
    cpm::Image image = cpm::read_image(file);
    StageMaps stages;
    predictions.push_back(infer(f, model, image, runner, &stages));
    predictions.back().image = file;
    for (size_t t = 0; f.heatmaps && t < stages.size(); ++t) {
      all[t].insert(all[t].end(), stages[t].begin(), stages[t].end());
    }
    draw_skeleton(&image, predictions.back().joints, schema, cpm::SkeletonStyle::Predicted);
    cpm::write_png(free_place(folder, file, f.images, &taken), image);
  }
  const int64_t side = model.info().input / cpm::kStride;
  if (f.heatmaps) {
    write_heatmaps(folder / "heatmaps.safetensors", all,
                   {static_cast<int64_t>(f.images.size()), model.joints() + 1, side, side});
  }
  return predictions;
}

void infer_tensors(const Flags& f, const cpm::Model& model, cpm::StepRunner* runner, const fs::path& folder) {
  const cpm::BatchTensors batch =
      cpm::read_raw_tensors(*f.raw_input, model.joints(), model.parameters().dtype(), false);
  const engine::Shape& s = batch.image.shape();
  write_heatmaps(folder / "heatmaps.safetensors", runner->beliefs(batch),
                 {s[0], model.joints() + 1, s[2] / cpm::kStride, s[3] / cpm::kStride});
}

void declare(tools::Cli* cli, Flags* f) {
  cli->option("--weights", &f->weights, "FILE", "weights.safetensors");
  cli->option("--center", &f->center, "X,Y", "the person's centre in pixels (default: the image's centre)");
  cli->option("--scale", &f->scale, "S",
              "the person's height / 200 pixels (default: the image's height / 200)");
  cli->flag("--heatmaps", &f->heatmaps,
            "also write heatmaps.safetensors: stage1 ... stageT, [N, k+1, H/8, W/8]");
  cli->option(
      "--raw-input", &f->raw_input, "FILE",
      "safetensors with image [N,3,H,W] and center [N,1,H,W], taken as they are; writes heatmaps only");
  cli->option("--out", &f->out, "DIR", "folder for NAME.png, keypoints.json, heatmaps.safetensors");
  cli->option("--device", &f->device, "DEVICE", "auto, cpu, cuda or cuda:N (default auto)");
  cli->option("--precision", &f->precision, "P", "fp32, or fp64 for checking (slow: the reference rows)");
  cli->option("--threads", &f->threads, "N", "threads (default: all processors)");
  cli->flag("--json", &f->json, "one JSON object on stdout");
  cli->words("--precision", tools::to_words({"fp32", "fp64"}));
  cli->positionals("IMAGE", &f->images, "JPEG or PNG files");
}

int run(int argc, char** argv) {
  tools::Cli cli("cpm-infer", "Finds the joints of the person in the middle (or at --center) of each image.");
  Flags f;
  declare(&cli, &f);
  if (!cli.parse(argc, argv)) return 0;
  tools::require_usage(!f.weights.empty(), "--weights", "missing", "a safetensors file", "nothing");
  tools::require_usage(!f.out.empty(), "--out", "missing", "a folder", "nothing");
  tools::require_usage(f.raw_input.has_value() != !f.images.empty(), "IMAGE", "nothing to do or too much",
                       "images, or --raw-input FILE", fmt::format("{} images", f.images.size()));
  tools::require_usage(!f.scale || (*f.scale > 0.01 && *f.scale < 100), "--scale", "out of range",
                       "0.01 to 100", fmt::format("{:g}", f.scale.value_or(0)));
  const cpm::Device device = cpm::open_device(f.device, f.threads.value_or(0));
  cpm::Model model =
      cpm::Model::load(f.weights, tools::parse_precision(f.precision, device.exec), device.place());
  cpm::StepRunner runner(model, device.exec);
  const tools::OutputFolder out(f.out);
  std::vector<cpm::Prediction> predictions;
  if (f.raw_input) {
    infer_tensors(f, model, &runner, out.path());
  } else {
    predictions = infer_images(f, model, &runner, out.path());
    engine::write_text(out.path() / "keypoints.json", tools::predictions_json(predictions) + "\n");
  }
  if (f.json) {
    tools::JsonObject json;
    json.add("out", f.out);
    json.add_raw("people", tools::predictions_json(predictions));
    fmt::print("{}\n", json.text());
  } else {
    fmt::print("{} written to {}\n",
               f.raw_input
                   ? "heat maps"
                   : fmt::format("{} picture{}", predictions.size(), predictions.size() == 1 ? "" : "s"),
               f.out);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return tools::run_main([&] { return run(argc, argv); });
}
