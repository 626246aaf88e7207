// Pictures of people with skeletons and belief maps, for the report, validation folders and cpm-infer.
#pragma once

#include <vector>

#include "cpm/dataset/dataset.h"
#include "cpm/dataset/image.h"
#include "cpm/evaluate.h"

namespace cpm {

/// The crop a network sees of record i, `side` pixels wide, with the prediction and the true skeleton drawn
/// in.
Image person_picture(const Dataset& dataset, int64_t i, int side, const Prediction& prediction);

/// Belief maps [joints + 1, rows, cols] over the picture, a tile each of `side` pixels, background last.
Image belief_sheet(const Image& picture, const std::vector<float>& maps, int joints, int side);

/// Writes validation pictures of a data set to `folder`: overlay.png (a sheet of the first people).
void write_overlay_sheet(const std::filesystem::path& file, const Dataset& dataset,
                         const std::vector<Prediction>& predictions, int people);

}  // namespace cpm
