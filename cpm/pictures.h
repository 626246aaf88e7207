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

struct SheetOptions {
  int64_t first = 0, count = 16;  // records
  int side = 256;                 // of a picture, pixels
  bool names = false;             // beside the joints
};

/// The labels of a part of a data set: each person's crop as the network sees it, with the skeleton in the
/// sides' colours, and below it the record's number, its labelled joints and its image; above, what the
/// colours mean.
Image contact_sheet(const Dataset& dataset, const SheetOptions& options);

/// Belief maps [joints + 1, rows, cols] over the picture, a tile each of `side` pixels, background last.
Image belief_sheet(const Image& picture, const std::vector<float>& maps, int joints, int side);

/// Writes validation pictures of a data set to `folder`: overlay.png (a sheet of the first people).
void write_overlay_sheet(const std::filesystem::path& file, const Dataset& dataset,
                         const std::vector<Prediction>& predictions, int people);

}  // namespace cpm
