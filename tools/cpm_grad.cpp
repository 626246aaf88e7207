// cpm-grad: the gradient of every parameter for given weights and inputs, for comparison with other
// implementations.
#include <fmt/format.h>

#include <filesystem>

#include "cpm/device.h"
#include "cpm/raw_tensors.h"
#include "cpm/step_runner.h"
#include "engine/io/safetensors.h"
#include "tools/cli.h"
#include "tools/json_text.h"

namespace {

struct Flags {
  std::string weights, raw_input, out, device = "auto", precision = "fp32";
  std::optional<int64_t> threads;
  bool no_supervision = false, json = false;
};

int run(int argc, char** argv) {
  tools::Cli cli("cpm-grad", "Writes the losses and the gradient of every parameter.");
  Flags f;
  cli.option("--weights", &f.weights, "FILE", "weights.safetensors");
  cli.option("--raw-input", &f.raw_input, "FILE",
             "safetensors with image [N,3,H,W], center [N,1,H,W], target [N,k+1,H/8,W/8] and optionally "
             "target_stage1");
  cli.option("--out", &f.out, "FILE",
             "safetensors to write: each parameter's gradient by name, and loss [stages]");
  cli.flag("--no-intermediate-supervision", &f.no_supervision, "differentiate the last stage's loss only");
  cli.option("--device", &f.device, "DEVICE", "auto, cpu, cuda or cuda:N (default auto)");
  cli.option("--precision", &f.precision, "P", "fp32, or fp64 for checking (slow: the reference rows)");
  cli.option("--threads", &f.threads, "N", "threads (default: all processors)");
  cli.flag("--json", &f.json, "one JSON object on stdout");
  cli.words("--precision", tools::to_words({"fp32", "fp64"}));
  if (!cli.parse(argc, argv)) return 0;
  tools::require_usage(!f.weights.empty(), "--weights", "missing", "a safetensors file", "nothing");
  tools::require_usage(!f.raw_input.empty(), "--raw-input", "missing", "a safetensors file", "nothing");
  tools::require_usage(!f.out.empty(), "--out", "missing", "a file to write", "nothing");
  for (const std::string& input : {f.weights, f.raw_input}) {
    std::error_code missing;
    tools::require_usage(!std::filesystem::equivalent(f.out, input, missing), "--out",
                         "would overwrite an input", "another file", f.out);
  }
  const cpm::Device device = cpm::open_device(f.device, f.threads.value_or(0));
  const engine::DType dtype = tools::parse_precision(f.precision, device.exec);
  cpm::Model model = cpm::Model::load(f.weights, dtype, device.place());
  const cpm::BatchTensors batch = cpm::read_raw_tensors(f.raw_input, model.joints(), dtype, true);
  cpm::StepRunner runner(model, device.exec);
  const cpm::StepResult result = runner.gradients(
      batch, f.no_supervision ? cpm::Supervision::last_only(model.stages()) : cpm::Supervision{});

  const std::vector<float> losses(result.stage_losses.begin(), result.stage_losses.end());
  std::vector<engine::TensorToStore> tensors;
  const engine::Tensor gradient = engine::to_host(model.parameters().flat_grad());
  for (const engine::Parameter& p : model.parameters().all()) {
    tensors.push_back(cpm::stored_part(p.name, gradient, p));
  }
  tensors.push_back({"loss", engine::DType::F32, {static_cast<int64_t>(losses.size())}, losses.data()});
  engine::write_safetensors(f.out, std::move(tensors), {});
  if (f.json) {
    tools::JsonObject json;
    json.add("loss", result.stage_losses);
    json.add("total", result.loss);
    json.add("grad_norm", result.grad_norm);
    json.add("out", f.out);
    fmt::print("{}\n", json.text());
  } else {
    for (size_t t = 0; t < losses.size(); ++t)
      fmt::print("stage {} loss {:.9g}\n", t + 1, result.stage_losses[t]);
    fmt::print("gradient norm {:.9g}; written to {}\n", result.grad_norm, f.out);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return tools::run_main([&] { return run(argc, argv); });
}
