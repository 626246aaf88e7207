// Batches, made by threads ahead of the step, or by those of the step before it. Sample g of a run (g = step
// * batch + i) is a pure function of (seed, g): epoch g / size, place in that epoch's permutation, flip drawn
// from stream Augment. So the order of batches is the same for any number of loader threads and after any
// resume.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cpm/dataset/dataset.h"
#include "cpm/dataset/targets.h"
#include "kernels/base/parallel.h"

namespace cpm {

/// One batch, float32. target_stage1 holds all people, target_rest only the centre person. A batch that is
/// not drawn has empty arrays in place of the maps and the mask, and carries the people to draw them from.
struct Batch {
  int n = 0, joints = 0, height = 0, width = 0;
  std::vector<float> image;          // [n, 3, height, width]
  std::vector<float> center;         // [n, 1, height, width]
  std::vector<float> target_stage1;  // [n, joints + 1, height / 8, width / 8]
  std::vector<float> target_rest;    // [n, joints + 1, height / 8, width / 8]
  std::vector<float> mask;           // [n, joints + 1]: 0 where supervise_missing = "mask" leaves a map out
  std::vector<int64_t> records;      // the records' indices, empty for raw
  std::vector<Crop> crops;           // one per image, empty for raw
  bool drawn = true;                 // else center, target_stage1, target_rest and mask are empty
  PackedPeople people;               // of a batch that is not drawn
  bool mask_missing = false;         // whether the mask leaves out joints without a label
};

struct LoaderOptions {
  int input = 368;  // side in pixels, a multiple of 8
  int batch = 1;
  uint64_t seed = 0;
  double flip = 0.5;          // probability of a left/right flip
  bool mask_missing = false;  // else joints without a label are supervised to zero
  bool draw = true;           // draw maps; else batches carry coordinates
  int threads = 1;            // of its own, that make batches ahead; 0: next() makes them with `pool`
  kernels::ThreadPool* pool = nullptr;
};

/// The crop that shows a person to the network: scale (41/35) (input/368) / size, centred on the person.
Crop person_crop(const Person& person, int input);

/// Joints through a crop, left and right swapped where it flips.
InputPerson person_in_input(const Person& person, const JointSchema& schema, const Crop& crop);

/// Sample by sample, without threads: fills entry `slot` of a batch sized by make_batch; in order where the
/// batch is not drawn.
Batch make_batch(int n, int joints, int input, bool draw = true);
void fill_sample(const Dataset& dataset, int64_t record, const Crop& crop, bool mask_missing, int slot,
                 Batch* batch);

/// What kernels::targets_kernels is to draw of a batch that is not drawn, from its `people`.
kernels::TargetsProblem targets_problem(const Batch& batch);

/// What stage 1 and every other stage would lose on a drawn batch that drew the background and no joint:
/// means over its images.
std::vector<double> batch_plateau(const Batch& batch);

/// Where batches come from.
class BatchSource {
 public:
  virtual ~BatchSource() = default;
  /// The batch of step `step` (from 0). Called with consecutive steps; may start anywhere. Errors of a loader
  /// thread (a broken image) are rethrown here, with the file's name.
  virtual Batch next(int64_t step) = 0;
  /// Samples per epoch, and of one batch.
  virtual int64_t epoch_size() const = 0;
  virtual int batch_size() const = 0;
  virtual const JointSchema& schema() const = 0;
  /// Seconds that next() has waited for data so far.
  virtual double seconds_waited() const = 0;
  /// The run's first `count` samples (of raw: as many as there are rows), made now, whatever next() is at. Of
  /// a data set they are not drawn.
  virtual Batch first_samples(int count) const = 0;
};

/// Shuffled batches of a data set (kept alive by the caller).
std::unique_ptr<BatchSource> make_loader(const Dataset& dataset, const LoaderOptions& options);

/// raw:FILE, always drawn: tensors image [N,3,H,W], center [N,1,H,W], target [N,k+1,H/8,W/8] and, optionally,
/// target_stage1, as float32. Batches are the rows in order, `batch` at a time (0: all), wrapping round;
/// batch must divide N.
std::unique_ptr<BatchSource> make_raw_source(const DataSpec& spec, int batch);

}  // namespace cpm
