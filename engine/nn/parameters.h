// The parameters of a network: named tensors that lie one after the other in one flat buffer (values) and one
// more (gradients), so that optimisers, statistics and files see flat arrays. Each starts on a 64-byte
// boundary; the gaps hold zeros.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine/tensor/tensor.h"

namespace engine {

struct Parameter {
  std::string name;
  Shape shape;
  int64_t offset = 0;  // elements into the flat buffers
  Tensor value, grad;  // share the flat buffers
};

class ParameterStore {
 public:
  /// The flat buffers lie at `place`.
  explicit ParameterStore(DType dtype, Place place = {}) : dtype_(dtype), place_(place) {}

  /// Before allocate(); names are unique.
  void add(const std::string& name, Shape shape);
  /// Makes the flat buffers, zero-filled.
  void allocate();

  DType dtype() const { return dtype_; }
  const Place& place() const { return place_; }
  const std::vector<Parameter>& all() const { return parameters_; }
  const Parameter& at(const std::string& name) const;
  bool contains(const std::string& name) const { return index_.count(name) != 0; }
  /// Elements of all parameters, without the gaps.
  int64_t count() const;
  /// Elements of a flat buffer, with the gaps.
  int64_t flat_count() const { return flat_count_; }
  const Tensor& flat_value() const { return flat_value_; }
  const Tensor& flat_grad() const { return flat_grad_; }

 private:
  DType dtype_;
  Place place_;
  std::vector<Parameter> parameters_;
  std::map<std::string, size_t> index_;
  int64_t flat_count_ = 0;
  Tensor flat_value_, flat_grad_;
};

/// A tensor of `shape` that shares `flat`'s memory from element `offset` on.
Tensor slice_of(const Tensor& flat, int64_t offset, Shape shape);

/// Fills a weight [K, C, R, S] or any tensor with normal numbers of standard deviation `std`, from stream
/// Weights number `index` of `seed`.
void fill_normal(const Tensor& tensor, double std, uint64_t seed, uint64_t index);

/// sqrt(2 / (C R S)): He et al. 2015, "Delving deep into rectifiers", eq. 10.
double he_std(const Shape& weight);

}  // namespace engine
