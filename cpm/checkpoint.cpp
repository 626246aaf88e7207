#include "cpm/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

#include "engine/io/file.h"
#include "engine/io/safetensors.h"

namespace cpm {

namespace fs = std::filesystem;
using kernels::Error;
using kernels::ExitCode;

namespace {

constexpr const char* kFormat = "cpm-checkpoint-1";

fs::path file_of(const fs::path& folder, int64_t step) {
  return folder / fmt::format("step-{:08}.ckpt", step);
}

/// Steps of the checkpoints in the folder, newest first.
std::vector<int64_t> steps_in(const fs::path& folder) {
  std::vector<int64_t> steps;
  std::error_code missing;
  for (const auto& entry : fs::directory_iterator(folder, missing)) {
    const std::string name = entry.path().filename().string();
    int64_t step = 0;
    if (name.size() < 14 || name.compare(0, 5, "step-") != 0 || entry.path().extension() != ".ckpt") continue;
    const char* end = name.data() + name.size() - 5;
    if (std::from_chars(name.data() + 5, end, step).ptr == end) steps.push_back(step);
  }
  std::sort(steps.rbegin(), steps.rend());
  return steps;
}

void point_last_at(const fs::path& folder, const fs::path& file) {
  const fs::path link = folder / "last", fresh = folder / ".last.new";
  std::error_code ignored;  // the link is a convenience; file systems without links do without
  fs::remove(fresh, ignored);
  fs::create_symlink(file.filename(), fresh, ignored);
  if (!ignored) fs::rename(fresh, link, ignored);
}

void restore(const engine::SafetensorsFile& file, Model* model, engine::Optimizer* optimizer) {
  const auto take = [&](const std::string& name, const engine::Parameter& p, const engine::Tensor& to) {
    const engine::StoredTensor& stored = file.at(name);
    if (stored.shape != p.shape.to_vector()) {
      throw Error(ExitCode::BadData, {.where = file.name(),
                                      .what = "checkpoint of another network: tensor " + name,
                                      .expected = to_string(p.shape),
                                      .got = to_string(engine::Shape(stored.shape)),
                                      .hint = "resume with the run's own configuration"});
    }
    engine::assign<float>(to, file.values<float>(name));
  };
  for (const engine::Parameter& p : model->parameters().all()) {
    take(p.name, p, p.value);
    for (const auto& [state, flat] : optimizer->state()) {
      take(state + "/" + p.name, p, engine::slice_of(flat, p.offset, p.shape));
    }
  }
}

}  // namespace

void save_checkpoint(const fs::path& folder, const Model& model, const engine::Optimizer& optimizer,
                     int64_t keep) {
  std::vector<engine::TensorToStore> tensors;
  const engine::Tensor values = engine::to_host(model.parameters().flat_value());
  std::vector<std::pair<std::string, engine::Tensor>> states;
  for (const auto& [name, flat] : optimizer.state()) states.emplace_back(name, engine::to_host(flat));
  for (const engine::Parameter& p : model.parameters().all()) {
    tensors.push_back(stored_part(p.name, values, p));
    for (const auto& [state, flat] : states) tensors.push_back(stored_part(state + "/" + p.name, flat, p));
  }
  const fs::path file = file_of(folder, optimizer.steps());
  engine::write_safetensors(file, std::move(tensors),
                            {{"format", kFormat}, {"step", std::to_string(optimizer.steps())}}, true);
  point_last_at(folder, file);
  const std::vector<int64_t> steps = steps_in(folder);
  for (size_t i = static_cast<size_t>(std::max<int64_t>(1, keep)); i < steps.size(); ++i) {
    std::error_code ignored;
    fs::remove(file_of(folder, steps[i]), ignored);
  }
}

int64_t load_newest_checkpoint(const fs::path& folder, Model* model, engine::Optimizer* optimizer,
                               const std::function<void(const std::string&)>& warn) {
  engine::remove_stale_temporaries(folder);
  for (const int64_t step : steps_in(folder)) {
    const fs::path path = file_of(folder, step);
    std::optional<engine::SafetensorsFile> file;
    try {
      file = engine::SafetensorsFile::read(path);
      engine::verify_checksums(*file);
      if (const auto it = file->metadata().find("step");
          it == file->metadata().end() || it->second != std::to_string(step)) {
        throw Error(ExitCode::BadData, {.where = path.string(),
                                        .what = "metadata step differs from the file's name",
                                        .expected = path.filename().string(),
                                        .got = "another step",
                                        .hint = "it was renamed; remove it"});
      }
    } catch (const Error& error) {
      warn(fmt::format("skipping a damaged checkpoint: {}", error.what()));
      continue;
    }
    restore(*file, model, optimizer);  // whole, so a misfit means another network: an error, not a fallback
    optimizer->set_steps(step);
    return step;
  }
  return 0;
}

}  // namespace cpm
