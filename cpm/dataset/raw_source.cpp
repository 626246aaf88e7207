// raw:FILE: the tensors of a safetensors file as batches, untouched, so that another implementation's
// training can be replayed. The whole file is kept as floats; a batch copies its rows.
#include <fmt/format.h>

#include <algorithm>

#include "cpm/dataset/loader.h"
#include "cpm/dataset/open.h"
#include "engine/io/safetensors.h"
#include "kernels/base/error.h"

namespace cpm {
namespace {

std::string shape_text(const std::vector<int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

[[noreturn]] void bad_shape(const std::string& file, const std::string& tensor, std::string expected,
                            const std::vector<int64_t>& got) {
  throw kernels::Error(kernels::ExitCode::BadData,
                       {.where = fmt::format("{}: {}", file, tensor),
                        .what = "wrong shape",
                        .expected = std::move(expected),
                        .got = shape_text(got),
                        .hint = "the layout is image [N,3,H,W], center [N,1,H,W], "
                                "target [N,k+1,H/8,W/8]"});
}

/// Rows [begin, end) of a tensor whose rows hold `row` values.
std::vector<float> rows_of(const std::vector<float>& values, size_t row, int64_t begin, int64_t end) {
  return {values.begin() + static_cast<std::ptrdiff_t>(row * static_cast<size_t>(begin)),
          values.begin() + static_cast<std::ptrdiff_t>(row * static_cast<size_t>(end))};
}

class RawSource : public BatchSource {
 public:
  RawSource(const DataSpec& spec, int batch) {
    const auto file = engine::SafetensorsFile::read(spec.file);
    read_shapes(file);
    image_ = file.values<float>("image");
    center_ = file.values<float>("center");
    target_rest_ = file.values<float>("target");
    target_stage1_ = file.contains("target_stage1") ? file.values<float>("target_stage1") : target_rest_;
    take_rows(record_range(spec, rows_, file.name()));
    batch_ = batch == 0 ? static_cast<int>(rows_) : batch;
    if (batch_ < 1 || rows_ % batch_ != 0) {
      throw kernels::Error(kernels::ExitCode::Usage,
                           {.where = "raw:" + file.name(),
                            .what = "the batch does not divide the file's rows",
                            .expected = fmt::format("a divisor of {}", rows_),
                            .got = fmt::format("batch {}", batch_),
                            .hint = fmt::format("--batch {} takes them all at once", rows_)});
    }
    schema_ = numbered_schema(joints_);
  }

  Batch next(int64_t step) override {
    CPM_CHECK(step >= 0, "step {}", step);
    const int64_t begin = step % (rows_ / batch_) * batch_;
    return rows(begin, begin + batch_);
  }

  int64_t epoch_size() const override { return rows_; }
  int batch_size() const override { return batch_; }
  const JointSchema& schema() const override { return schema_; }
  double seconds_waited() const override { return 0; }
  Batch first_samples(int count) const override { return rows(0, std::min<int64_t>(count, rows_)); }

 private:
  Batch rows(int64_t begin, int64_t end) const {
    Batch batch;
    batch.n = static_cast<int>(end - begin);
    batch.joints = joints_;
    batch.height = height_;
    batch.width = width_;
    batch.image = rows_of(image_, 3 * pixels(), begin, end);
    batch.center = rows_of(center_, pixels(), begin, end);
    batch.target_stage1 = rows_of(target_stage1_, map_values(), begin, end);
    batch.target_rest = rows_of(target_rest_, map_values(), begin, end);
    batch.mask.assign(static_cast<size_t>(batch.n) * (static_cast<size_t>(joints_) + 1), 1.0f);
    return batch;
  }

  size_t pixels() const { return static_cast<size_t>(height_) * static_cast<size_t>(width_); }
  size_t map_values() const { return (static_cast<size_t>(joints_) + 1) * pixels() / (kStride * kStride); }

  void read_shapes(const engine::SafetensorsFile& file) {
    const std::vector<int64_t>& image = file.at("image").shape;
    const auto side_fits = [](int64_t side) {
      return side >= kStride && side <= kMaxImageSide && side % kStride == 0;
    };
    if (image.size() != 4 || image[0] < 1 || image[1] != 3 || !side_fits(image[2]) || !side_fits(image[3])) {
      bad_shape(file.name(), "image", "[N, 3, H, W] with H and W multiples of 8", image);
    }
    const std::vector<int64_t> center{image[0], 1, image[2], image[3]};
    if (file.at("center").shape != center) {
      bad_shape(file.name(), "center", shape_text(center), file.at("center").shape);
    }
    const std::vector<int64_t>& target = file.at("target").shape;
    const int64_t rows = image[2] / kStride, cols = image[3] / kStride;
    if (target.size() != 4 || target[0] != image[0] || target[1] < 2 || target[2] != rows ||
        target[3] != cols) {
      bad_shape(file.name(), "target", fmt::format("[{}, k + 1, {}, {}]", image[0], rows, cols), target);
    }
    if (file.contains("target_stage1") && file.at("target_stage1").shape != target) {
      bad_shape(file.name(), "target_stage1", shape_text(target), file.at("target_stage1").shape);
    }
    rows_ = image[0];
    height_ = static_cast<int>(image[2]);
    width_ = static_cast<int>(image[3]);
    joints_ = static_cast<int>(target[1]) - 1;
  }

  void take_rows(const RecordRange& range) {
    if (range.begin == 0 && range.end == rows_) return;
    image_ = rows_of(image_, 3 * pixels(), range.begin, range.end);
    center_ = rows_of(center_, pixels(), range.begin, range.end);
    target_stage1_ = rows_of(target_stage1_, map_values(), range.begin, range.end);
    target_rest_ = rows_of(target_rest_, map_values(), range.begin, range.end);
    rows_ = range.end - range.begin;
  }

  int64_t rows_ = 0;
  int batch_ = 0, joints_ = 0, height_ = 0, width_ = 0;
  std::vector<float> image_, center_, target_stage1_, target_rest_;
  JointSchema schema_;
};

}  // namespace

std::unique_ptr<BatchSource> make_raw_source(const DataSpec& spec, int batch) {
  CPM_CHECK(spec.kind == DataSpec::Kind::Raw, "not a raw: SPEC");
  return std::make_unique<RawSource>(spec, batch);
}

}  // namespace cpm
