#include "tools/mat_view.h"

#include <cmath>

#include "engine/io/file.h"
#include "kernels/base/error.h"

namespace tools {
namespace {

constexpr uint64_t kMostBytes = uint64_t{4} << 30;

/// The last thing that matio complained of; its own way is to print it, and to abort.
std::string& complaint() {
  static std::string text;
  return text;
}

void keep_complaint(int, char* message) {
  if (message != nullptr) complaint() = message;
}

template <class T>
double element(const void* data, size_t index) {
  return static_cast<double>(static_cast<const T*>(data)[index]);
}

/// By storage type: the class says what MATLAB sees, not what lies in memory.
std::optional<double> stored(const matvar_t& variable, size_t index) {
  switch (variable.data_type) {
    case MAT_T_DOUBLE:
      return element<double>(variable.data, index);
    case MAT_T_SINGLE:
      return element<float>(variable.data, index);
    case MAT_T_INT8:
      return element<int8_t>(variable.data, index);
    case MAT_T_UINT8:
    case MAT_T_UTF8:
      return element<uint8_t>(variable.data, index);
    case MAT_T_INT16:
      return element<int16_t>(variable.data, index);
    case MAT_T_UINT16:
    case MAT_T_UTF16:
      return element<uint16_t>(variable.data, index);
    case MAT_T_INT32:
      return element<int32_t>(variable.data, index);
    case MAT_T_UINT32:
    case MAT_T_UTF32:
      return element<uint32_t>(variable.data, index);
    case MAT_T_INT64:
      return element<int64_t>(variable.data, index);
    case MAT_T_UINT64:
      return element<uint64_t>(variable.data, index);
    default:
      return std::nullopt;
  }
}

}  // namespace

size_t MatView::count() const {
  if (variable_ == nullptr || variable_->dims == nullptr || variable_->data == nullptr) return 0;
  size_t count = 1;
  for (int i = 0; i < variable_->rank; ++i) count *= variable_->dims[i];
  return count;
}

std::vector<size_t> MatView::dims() const {
  if (variable_ == nullptr || variable_->dims == nullptr) return {};
  return {variable_->dims, variable_->dims + variable_->rank};
}

MatView MatView::field(const char* name, size_t index) const {
  if (!is_struct() || index >= count()) return MatView();
  // matio takes no const, and changes nothing.
  return MatView(Mat_VarGetStructFieldByName(const_cast<matvar_t*>(variable_), name, index));
}

MatView MatView::cell(size_t index) const {
  if (variable_ == nullptr || variable_->class_type != MAT_C_CELL || index >= count()) return MatView();
  return MatView(Mat_VarGetCell(const_cast<matvar_t*>(variable_), static_cast<int>(index)));
}

std::optional<double> MatView::number(size_t index) const {
  if (index >= count() || variable_->isComplex != 0 || is_struct() || variable_->class_type == MAT_C_CELL)
    return std::nullopt;
  const std::optional<double> value = stored(*variable_, index);
  if (!value || !std::isfinite(*value)) return std::nullopt;
  if (variable_->class_type != MAT_C_CHAR) return value;
  const bool digit = *value >= '0' && *value <= '9';
  return digit ? std::optional(*value - '0') : std::nullopt;
}

std::string MatView::text() const {
  std::string text;
  if (variable_ == nullptr || variable_->class_type != MAT_C_CHAR) return text;
  for (size_t i = 0; i < count(); ++i) {
    const double letter = stored(*variable_, i).value_or('?');
    text += letter > 0 && letter < 128 ? static_cast<char>(letter) : '?';
  }
  return text;
}

MatVariable::MatVariable(const std::string& file, const std::string& name) {
  Mat_LogInitFunc("cpm-convert-mat", keep_complaint);
  const auto refuse = [&](const std::string& what, const std::string& expected, const std::string& hint) {
    throw kernels::Error(kernels::ExitCode::BadData,
                         {.where = file,
                          .what = what,
                          .expected = expected,
                          .got = complaint().empty() ? "nothing of the kind" : complaint(),
                          .hint = hint});
  };
  engine::read_file(file, kMostBytes);  // its errors for what is no readable file are better
  mat_ = Mat_Open(file.c_str(), MAT_ACC_RDONLY);
  if (mat_ == nullptr) refuse("not a .mat file", "MATLAB's format", "is the file complete?");
  variable_ = Mat_VarRead(mat_, name.c_str());
  if (variable_ == nullptr) {
    Mat_Close(mat_);
    refuse("no variable " + name, name, "lsp: takes joints.mat, mpii: takes mpii_human_pose_v1_u12_1.mat");
  }
}

MatVariable::~MatVariable() {
  Mat_VarFree(variable_);
  Mat_Close(mat_);
}

}  // namespace tools
