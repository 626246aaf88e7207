#include "tests/support/golden.h"

#include <nlohmann/json.hpp>

#include "cpm/named_batch.h"
#include "cpm/step_runner.h"
#include "engine/io/file.h"
#include "engine/io/safetensors.h"
#include "engine/nn/named_fill.h"

namespace tests::golden {

using engine::DType;
using nlohmann::json;

std::filesystem::path golden_folder(const std::string& name) {
  const auto own = tests::source_file("data/golden");
  if (std::filesystem::exists(own / (name + ".json"))) return own;
  return tests::test_data().empty() ? "" : tests::test_data() / "golden";
}

namespace {

struct Case {
  int k = 0, stages = 0, n = 0, h = 0, w = 0;
};

json read_json(const std::filesystem::path& file) {
  return json::parse(engine::read_text(file, uint64_t{1} << 24));
}

Case read_case(const json& doc) {
  const json& c = doc.at("case");
  return {c.at("k"), c.at("stages"), c.at("n"), c.at("h"), c.at("w")};
}

std::vector<double> gradient_of(const engine::Parameter& p) {
  std::vector<double> values(static_cast<size_t>(p.grad.count()));
  kernels::visit_dtype(p.grad.dtype(), [&](auto zero) {
    const engine::Tensor host = engine::to_host(p.grad);
    const auto grad = host.span<decltype(zero)>();
    std::copy(grad.begin(), grad.end(), values.begin());
  });
  return values;
}

/// |difference of norms|, |difference of projections|, both over the norm, and the samples' relative L2
/// difference: the largest over all parameters.
double worst_gradient(const engine::ParameterStore& store, const json& want) {
  double worst = 0;
  REQUIRE(want.size() == store.all().size());
  for (const engine::Parameter& p : store.all()) {
    const json& reference = want.at(p.name);
    const std::vector<double> g = gradient_of(p);
    const std::vector<double> direction = engine::uniform01("projection/" + p.name, p.grad.count());
    double squares = 0, projection = 0;
    for (size_t i = 0; i < g.size(); ++i) {
      squares += g[i] * g[i];
      projection += g[i] * (direction[i] * 2 - 1);
    }
    const double norm = reference.at("norm");
    std::vector<double> samples;
    for (const size_t index : reference.at("index")) samples.push_back(g.at(index));
    const double errors[] = {std::abs(std::sqrt(squares) - norm) / norm,
                             std::abs(projection - static_cast<double>(reference.at("projection"))) / norm,
                             relative_l2(samples, reference.at("value").get<std::vector<double>>())};
    for (const double error : errors) {
      INFO(p.name << " error " << error);
      REQUIRE(std::isfinite(error));
      worst = std::max(worst, error);
    }
  }
  return worst;
}

/// Total losses before each update of `steps` full-batch steps.
std::vector<double> train_curve(const Case& c, const engine::OptimizerOptions& options, double lr,
                                size_t steps, const kernels::Exec& exec) {
  cpm::Model model({.stages = c.stages, .joints = c.k}, DType::F32, engine::Place(exec));
  engine::named_fill(model.parameters(), "golden");
  engine::Optimizer optimizer(model.parameters(), options,
                              std::vector<engine::ParameterScale>(model.parameters().all().size()));
  const cpm::BatchTensors batch = cpm::to_tensors(cpm::named_batch(c.n, c.k, c.h, c.w), DType::F32);
  cpm::StepRunner runner(model, exec);
  std::vector<double> losses;
  for (size_t step = 0; step < steps; ++step) {
    runner.upload(batch);
    runner.launch({.optimizer = &optimizer, .lr = lr});
    losses.push_back(runner.wait().loss);
  }
  return losses;
}

}  // namespace

void check_golden(const std::string& name, DType dtype, const Bounds& bounds, const kernels::Exec& exec) {
  const auto folder = golden_folder(name);
  const json doc = read_json(folder / (name + ".json"));
  const auto maps = engine::SafetensorsFile::read(folder / (name + ".safetensors"));
  const Case c = read_case(doc);
  cpm::Model model({.stages = c.stages, .joints = c.k}, dtype, engine::Place(exec));
  engine::named_fill(model.parameters(), "golden");
  const cpm::BatchTensors batch = cpm::to_tensors(cpm::named_batch(c.n, c.k, c.h, c.w), dtype);
  cpm::StepRunner runner(model, exec);

  const auto beliefs = runner.beliefs(batch);
  REQUIRE(static_cast<int>(beliefs.size()) == c.stages);
  for (int t = 0; t < c.stages; ++t) {
    const double error = relative_l2(beliefs[t], maps.values<float>("stage" + std::to_string(t + 1)));
    INFO(name << " stage " << t + 1 << " maps " << error);
    CHECK(error <= bounds.maps);
  }
  const auto losses = doc.at("loss").get<std::vector<double>>();
  for (const bool supervised : {true, false}) {
    const cpm::StepResult result =
        runner.gradients(batch, supervised ? cpm::Supervision{} : cpm::Supervision::last_only(c.stages));
    double total = 0;
    for (size_t t = 0; t < losses.size(); ++t) {
      INFO(name << " stage " << t + 1 << " loss " << result.stage_losses[t] << " wanted " << losses[t]);
      CHECK(std::abs(result.stage_losses[t] - losses[t]) <= bounds.loss * losses[t]);
      total += losses[t];
    }
    CHECK(std::abs(result.loss - (supervised ? total : losses.back())) <= bounds.loss * total);
    const double worst = worst_gradient(model.parameters(), doc.at(supervised ? "supervised" : "last_only"));
    std::printf("%s %s %s: worst gradient error %.3g (bound %.3g)\n", name.c_str(),
                kernels::dtype_name(dtype), supervised ? "supervised" : "last only", worst, bounds.gradient);
    CHECK(worst <= bounds.gradient);
  }
}

void write_case(const std::string& name, const std::filesystem::path& folder) {
  const Case c = read_case(read_json(golden_folder(name) / (name + ".json")));
  cpm::Model model({.stages = c.stages, .joints = c.k}, DType::F32);
  engine::named_fill(model.parameters(), "golden");
  model.save(folder / "weights.safetensors");
  const cpm::Batch batch = cpm::named_batch(c.n, c.k, c.h, c.w);
  const int64_t n = c.n, h = c.h, w = c.w;
  engine::write_safetensors(folder / "raw.safetensors",
                            {{"image", DType::F32, {n, 3, h, w}, batch.image.data()},
                             {"center", DType::F32, {n, 1, h, w}, batch.center.data()},
                             {"target", DType::F32, {n, c.k + 1, h / 8, w / 8}, batch.target_rest.data()}},
                            {});
}

void check_curve(const std::string& key, const engine::OptimizerOptions& options, double lr, double bound,
                 const kernels::Exec& exec) {
  const json doc = read_json(tests::source_file("data/golden/trajectory_two_stages.json"));
  const auto want = doc.at("curves").at(key).at("loss").get<std::vector<double>>();
  REQUIRE(want.size() == 50);
  const std::vector<double> got = train_curve(read_case(doc), options, lr, want.size(), exec);
  double worst = 0;
  for (size_t i = 0; i < want.size(); ++i) worst = std::max(worst, std::abs(got[i] - want[i]) / want[i]);
  std::printf("%s: worst relative difference over 50 steps %.3g (bound %.3g)\n", key.c_str(), worst, bound);
  CHECK(worst <= bound);
}

}  // namespace tests::golden
