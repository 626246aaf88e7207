// A value inside a .mat file as matio read it: structs, cells, numbers and text, absent parts being empty
// values. For cpm-convert-mat alone.
#pragma once

#include <matio.h>

#include <optional>
#include <string>
#include <vector>

namespace tools {

class MatView {
 public:
  /// May be null: an absent value. The variable outlives the view.
  explicit MatView(const matvar_t* variable = nullptr) : variable_(variable) {}

  bool is_struct() const { return variable_ != nullptr && variable_->class_type == MAT_C_STRUCT; }
  /// Elements of any kind; 0 where the value is absent or empty.
  size_t count() const;
  std::vector<size_t> dims() const;
  /// Field of element `index` of a struct array; absent where there is none.
  MatView field(const char* name, size_t index = 0) const;
  /// Element of a cell array.
  MatView cell(size_t index) const;
  /// A number of any storage type, or a digit that is text; nothing for NaN and everything else.
  std::optional<double> number(size_t index = 0) const;
  std::string text() const;

 private:
  const matvar_t* variable_;
};

/// An opened file and one variable of it. BadData that names the file, and matio's own words, where it cannot
/// be read or lacks the variable.
class MatVariable {
 public:
  MatVariable(const std::string& file, const std::string& name);
  ~MatVariable();
  MatVariable(const MatVariable&) = delete;
  MatVariable& operator=(const MatVariable&) = delete;

  MatView view() const { return MatView(variable_); }

 private:
  mat_t* mat_ = nullptr;
  matvar_t* variable_ = nullptr;
};

}  // namespace tools
