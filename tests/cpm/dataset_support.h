// What the tests of the data sets share: a scratch folder, a caught error, a small data set in memory, a
// writer of MATLAB files.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "cpm/dataset/dataset.h"
#include "kernels/base/error.h"
#include "tests/support/temp_folder.h"

namespace tests {

inline bool says(const Thrown& thrown, const std::string& text) {
  return thrown.line.find(text) != std::string::npos;
}

/// People in memory: each image and each pose is another; joint 3 of every third record has no label; every
/// other record shows a second person. Images of `broken` cannot be read.
class SmallDataset : public cpm::Dataset {
 public:
  explicit SmallDataset(int64_t count, int64_t broken = -1, int delay_ms = 0)
      : count_(count), broken_(broken), delay_ms_(delay_ms) {}

  int64_t size() const override { return count_; }
  const cpm::JointSchema& schema() const override { return cpm::lsp_schema(); }

  cpm::Record record(int64_t i) const override {
    cpm::Record record;
    record.name = "im" + std::to_string(i) + ".jpg";
    record.person = person(i, 0);
    if (i % 3 == 0) record.person.joints[3].labelled = false;
    if (i % 2 == 0) record.others.push_back(person(i, 11));
    return record;
  }

  cpm::Image image(int64_t i) const override {
    if (delay_ms_ > 0) std::this_thread::sleep_for(std::chrono::milliseconds(delay_ms_));
    if (i == broken_) {
      throw kernels::Error(kernels::ExitCode::BadData, {.where = record(i).name, .what = "no image"});
    }
    cpm::Image image(40, 30, {0, 0, 0});
    for (size_t b = 0; b < image.rgb.size(); ++b) {
      image.rgb[b] = static_cast<uint8_t>((b * 7 + static_cast<size_t>(i) * 31 + b / 90) % 256);
    }
    return image;
  }

  std::string description() const override { return "small"; }

 private:
  static cpm::Person person(int64_t i, int shift) {
    cpm::Person person;
    for (int j = 0; j < 14; ++j) {
      person.joints.push_back(
          {(j * 5 + static_cast<int>(i) * 3 + shift) % 40 + 0.25, (j * 9 + shift) % 30 * 1.0, true});
    }
    person.center_x = 19.5 + static_cast<double>(i % 4);
    person.center_y = 14;
    person.size = 0.15;
    return person;
  }

  int64_t count_, broken_;
  int delay_ms_;
};

/// A version 5 MATLAB file with one uncompressed double array.
inline void write_mat(const std::filesystem::path& path, const std::string& name,
                      const std::vector<int32_t>& dims, const std::vector<double>& values) {
  std::string body;
  const auto element = [&](uint32_t type, const void* data, size_t bytes) {
    const uint32_t tag[2] = {type, static_cast<uint32_t>(bytes)};
    body.append(reinterpret_cast<const char*>(tag), 8);
    body.append(static_cast<const char*>(data), bytes);
    body.append((8 - bytes % 8) % 8, '\0');
  };
  const uint32_t flags[2] = {6, 0};  // a double array
  element(6, flags, 8);
  element(5, dims.data(), dims.size() * 4);
  element(1, name.data(), name.size());
  element(9, values.data(), values.size() * 8);
  std::string head(124, ' ');
  head.replace(0, 19, "MATLAB 5.0 MAT-file");
  const uint16_t version = 0x0100;
  head.append(reinterpret_cast<const char*>(&version), 2);
  head += "IM";
  const uint32_t tag[2] = {14, static_cast<uint32_t>(body.size())};
  head.append(reinterpret_cast<const char*>(tag), 8);
  std::ofstream(path, std::ios::binary) << head << body;
}

}  // namespace tests
