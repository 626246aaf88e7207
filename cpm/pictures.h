// Pictures of people with skeletons and belief maps, for the report, validation folders and cpm-infer.
#pragma once

#include <vector>

#include "cpm/dataset/dataset.h"
#include "cpm/dataset/image.h"
#include "cpm/dataset/loader.h"
#include "cpm/evaluate.h"

namespace cpm {

/// The crop a network sees of a record, `side` pixels wide and high, with the annotated joints in its pixels.
struct PersonView {
  Image picture;
  std::vector<Joint> truth;
  Crop crop;
};
PersonView person_view(const Dataset& dataset, int64_t i, int side);

/// That crop with the prediction and the true skeleton drawn in.
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

/// One joint's belief maps over a person's view, a tile each from left to right, the truth ringed (the
/// background, which comes behind the joints, has none). Maps are square.
Image belief_strip(const PersonView& view, int joint, const std::vector<std::vector<float>>& maps);

/// Sample `slot` of a batch as the network gets it, `side` pixels high, with the joints it is asked for: the
/// centre person's in colour, others' in white. Of a drawn batch they are the peaks of the target maps.
Image input_picture(const Batch& batch, int slot, const JointSchema& schema, int side);

/// Writes validation pictures of a data set to `folder`: overlay.png (a sheet of the first people).
void write_overlay_sheet(const std::filesystem::path& file, const Dataset& dataset,
                         const std::vector<Prediction>& predictions, int people);

}  // namespace cpm
