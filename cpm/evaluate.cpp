#include "cpm/evaluate.h"

#include <algorithm>
#include <cmath>

#include "cpm/decode.h"

namespace cpm {

namespace {

struct View {
  double zoom = 1;
  bool flip = false;
};

std::vector<View> views_of(const PredictOptions& options) {
  std::vector<View> views;
  for (const double zoom : options.scales) {
    views.push_back({zoom, false});
    if (options.flip) views.push_back({zoom, true});
  }
  return views;
}

/// The base crop seen closer: `zoom` times larger about its middle.
Crop zoomed(Crop crop, const View& view) {
  const double middle_x = crop.left + crop.width / (2 * crop.scale);
  const double middle_y = crop.top + crop.height / (2 * crop.scale);
  crop.scale *= view.zoom;
  crop.left = middle_x - crop.width / (2 * crop.scale);
  crop.top = middle_y - crop.height / (2 * crop.scale);
  crop.flip = view.flip;
  return crop;
}

/// Image and centre map of an empty-target batch.
void fill_view(const Image& image, const Crop& crop, int slot, Batch* batch) {
  const int64_t pixels = static_cast<int64_t>(crop.width) * crop.height;
  sample_crop(image, crop, batch->image.data() + slot * 3 * pixels);
  draw_center((crop.width - 1) / 2.0, (crop.height - 1) / 2.0, crop.height, crop.width,
              batch->center.data() + slot * pixels);
}

Batch view_batch(int n, int joints, int height, int width) {
  Batch batch;
  batch.n = n;
  batch.joints = joints;
  batch.height = height;
  batch.width = width;
  batch.image.resize(static_cast<size_t>(n) * 3 * height * width);
  batch.center.resize(static_cast<size_t>(n) * height * width);
  return batch;
}

/// Where a crop comes from.
struct Source {
  Crop crop;
  int width, height;  // of the picture
};

/// The crop reaches beyond the picture's edges; a joint that is found there is moved to the edge.
Prediction to_prediction(const FullMaps& maps, const Source& source) {
  Prediction prediction;
  prediction.joints = maps.joints(&prediction.scores);
  for (Joint& joint : prediction.joints) {
    const double u = joint.x, v = joint.y;
    source.crop.to_image(u, v, &joint.x, &joint.y);
    joint.x = std::clamp(joint.x, 0.0, source.width - 1.0);
    joint.y = std::clamp(joint.y, 0.0, source.height - 1.0);
  }
  return prediction;
}

}  // namespace

JointSchema schema_of(const Model& model) {
  return schema_of_names(model.info().joint_names);
}

std::vector<Prediction> predict(StepRunner& runner, const Model& model, const Dataset& dataset,
                                const PredictOptions& options, const std::function<void(int64_t)>& progress) {
  const std::vector<View> views = views_of(options);
  const int people = std::max(1, options.batch / static_cast<int>(views.size()));
  const int input = options.input;
  const int64_t map_size = static_cast<int64_t>(model.joints() + 1) * (input / kStride) * (input / kStride);
  std::vector<Prediction> result;
  for (int64_t first = 0; first < dataset.size(); first += people) {
    const int64_t last = std::min(dataset.size(), first + people);
    const auto views_count = static_cast<int64_t>(views.size());
    // Always a full batch (the last one repeats its first person), so memory is planned once.
    Batch batch = view_batch(static_cast<int>(people * views_count), model.joints(), input, input);
    std::vector<Source> sources;
    for (int64_t i = 0; i < people; ++i) {
      const int64_t who = first + i < last ? first + i : first;
      const Image image = dataset.image(who);
      const Crop crop = person_crop(dataset.record(who).person, input);
      sources.push_back({crop, image.width, image.height});
      for (int64_t v = 0; v < views_count; ++v) {
        fill_view(image, zoomed(crop, views[static_cast<size_t>(v)]), static_cast<int>(i * views_count + v),
                  &batch);
      }
    }
    const auto stages = runner.beliefs(to_tensors(std::move(batch), model.parameters().dtype()));
    const auto& read = options.stage == 0 ? stages.back() : stages.at(static_cast<size_t>(options.stage - 1));
    for (int64_t i = 0; first + i < last; ++i) {
      FullMaps maps(model.joints(), input, input);
      for (int64_t v = 0; v < views_count; ++v) {
        const View& view = views[static_cast<size_t>(v)];
        maps.add(read.data() + (i * views_count + v) * map_size, view.zoom, view.flip, dataset.schema());
      }
      result.push_back(to_prediction(maps, sources[static_cast<size_t>(i)]));
      result.back().image = dataset.record(first + i).name;
    }
    if (progress) progress(last);
  }
  return result;
}

std::vector<std::vector<float>> person_beliefs(StepRunner& runner, const Model& model, const Dataset& dataset,
                                               int64_t person, const PredictOptions& options) {
  const Image image = dataset.image(person);
  const Crop crop = person_crop(dataset.record(person).person, options.input);
  Batch batch = view_batch(options.batch, model.joints(), options.input, options.input);
  for (int slot = 0; slot < options.batch; ++slot) fill_view(image, crop, slot, &batch);
  auto stages = runner.beliefs(to_tensors(std::move(batch), model.parameters().dtype()));
  for (std::vector<float>& maps : stages) maps.resize(maps.size() / static_cast<size_t>(options.batch));
  return stages;
}

Prediction predict_crop(StepRunner& runner, const Model& model, const Image& image, const Crop& crop,
                        const JointSchema& schema, std::vector<std::vector<float>>* stage_maps) {
  Batch batch = view_batch(1, model.joints(), crop.height, crop.width);
  fill_view(image, crop, 0, &batch);
  auto stages = runner.beliefs(to_tensors(std::move(batch), model.parameters().dtype()));
  FullMaps maps(model.joints(), crop.height, crop.width);
  maps.add(stages.back().data(), 1.0, false, schema);
  if (stage_maps != nullptr) *stage_maps = std::move(stages);
  return to_prediction(maps, {crop, image.width, image.height});
}

}  // namespace cpm
