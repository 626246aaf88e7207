// People in images: what every data set looks like to the rest. Coordinates are 0-based image pixels with
// integers at pixel centres. A record is one person to be found, with the other people of the image beside
// it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cpm/dataset/image.h"

namespace cpm {

struct Joint {
  double x = 0, y = 0;
  bool labelled = false;
};

struct Person {
  std::vector<Joint> joints;  // in the data set's own order
  double center_x = 0, center_y = 0;
  double size = 1;  // height / 200 (the S of the crop rule)
};

struct Record {
  std::string name;  // image file name or "synthetic-000123"
  Person person;
  std::vector<Person> others;
};

/// The joints of a data set.
struct JointSchema {
  std::vector<std::string> names;
  std::vector<std::pair<int, int>> flip_pairs;  // left/right twins
  std::vector<std::pair<int, int>> limbs;       // pairs to draw a line between
  int left_shoulder = -1, right_hip = -1;       // PCK's normaliser

  int count() const { return static_cast<int>(names.size()); }
};

/// LSP's 14 joints (right ankle ... head top), used by lsp: and synthetic.
const JointSchema& lsp_schema();
/// k joints named "joint1" ..., nothing paired.
JointSchema numbered_schema(int count);

class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual int64_t size() const = 0;
  virtual const JointSchema& schema() const = 0;
  /// Record i in [0, size): cheap, safe from many threads.
  virtual Record record(int64_t i) const = 0;
  /// The image of record i, decoded or drawn now; safe from many threads.
  virtual Image image(int64_t i) const = 0;
  /// The part of the annotation source that this is, for logs: e.g. "lsp joints.mat 1-3500: 3500 people".
  virtual std::string description() const = 0;
};

/// A parsed `--data` SPEC: "synthetic[:N]", "lsp:JOINTS.mat,IMAGE_DIR", "raw:FILE", each with optional
/// ",FIRST-LAST" (1-based, inclusive, counts the source's records before any filtering).
struct DataSpec {
  enum class Kind { Synthetic, Lsp, Raw } kind = Kind::Synthetic;
  int64_t count = 1000;                // synthetic
  std::filesystem::path file, images;  // lsp: joints.mat and folder; raw: tensors
  int64_t first = 0, last = 0;         // 0: the whole
};

/// Usage error for a SPEC that cannot be read (unknown kind: names the nearest).
DataSpec parse_data_spec(const std::string& spec);

/// Opens synthetic or lsp (not raw). Persons without any labelled joint are left out, and counted in
/// description().
std::unique_ptr<Dataset> open_dataset(const DataSpec& spec);

}  // namespace cpm
