// Statistics of a step's gradients, tensor by tensor, taken where the step computes and fetched by one copy:
// every parameter's, in one pass over the flat gradient that also finds NaN and the norm; on request those of
// what each convolution hands on, when backward has completed them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cpm/model.h"
#include "engine/runtime/context.h"
#include "kernels/base/device_runtime.h"
#include "kernels/optim/optim.h"
#include "kernels/reduce/reduce.h"

namespace cpm {

/// What is collected beside the parameters' histograms.
struct GradOptions {
  bool activations = false;
  kernels::LinearBins linear;  // bins 0: none
};

/// A tensor whose gradient is collected.
struct GradTensor {
  std::string name;            // "conv1_stage1.weight", "conv1_stage1.output"
  std::string kind;            // "weight", "bias" or "activation"
  int depth = 0, stage = 0;    // depth: of the convolution in the order in which they run, from 1
  std::string layer;           // "conv1_stage1"
  std::vector<int64_t> shape;  // activations: with the batch
};

/// Of one tensor in one step.
struct GradCounts {
  kernels::SegmentStats stats;
  kernels::LogHistogram histogram;
  kernels::UpdateSums update;    // zeros where the step made no update, and for activations
  std::vector<uint32_t> linear;  // [bins + 2], or empty
};

class GradCollector {
 public:
  GradCollector(const Model& model, const kernels::Exec& exec, const GradOptions& options);

  /// In a step, in this order. During a dry run they take memory and learn the shapes, and compute nothing.
  void begin(const engine::Context& context);
  /// What Model::forward is to call; null where nobody asked for activations.
  Model::OutputObserver observer(engine::Tape* tape);
  void count_parameters(const engine::Context& context);
  /// Where the optimiser's update of this step leaves its sums.
  kernels::UpdateSums* update_sums();
  /// Behind the update: copies everything to the host.
  void fetch();

  /// After a dry run: uploads what depends on its shapes. Waits.
  void prepare();
  /// In order of depth, a layer's weight, bias and output one after the other. Complete after a dry run.
  std::vector<GradTensor> tensors() const;
  /// Of the step that was fetched and waited for, in the order of tensors().
  std::vector<GradCounts> counts() const;
  /// The norm and the NaN of all parameters, as reduce's `stats` finds them.
  kernels::ArrayStats total() const;

 private:
  /// Parameters, then activations: places in the arrays.
  size_t parameters() const { return model_->parameters().all().size(); }
  size_t places() const { return parameters() + outputs_.size(); }
  void count(const engine::Context& context, const engine::Tensor& grad, size_t place, size_t tensors);

  const Model* model_;
  kernels::Exec exec_;
  kernels::DeviceRuntime* runtime_;
  GradOptions options_;
  std::vector<Layer> convs_;                      // in the order in which they run
  std::vector<engine::Shape> outputs_;            // of convs_, where activations are asked for
  size_t stats_, histograms_, updates_, linear_;  // offsets in the block of results
  size_t bytes_ = 0;                              // of that block
  engine::Tensor segments_;                       // kernels::Segment [places]: where the step computes
  engine::Tensor results_;                        // there too
  std::shared_ptr<void> host_;                    // a copy of the results
};

}  // namespace cpm
