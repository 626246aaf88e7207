// People in images: what every data set looks like to the rest. Coordinates are 0-based image pixels with
// integers at pixel centres. A record is one person to be found, with the other people of the image beside
// it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cpm/dataset/image.h"
#include "kernels/base/error.h"

namespace cpm {

struct Joint {
  double x = 0, y = 0;
  bool labelled = false;
};

struct Person {
  std::vector<Joint> joints;  // in the data set's own order
  double center_x = 0, center_y = 0;
  double size = 1;       // height / 200 (the S of the crop rule)
  double area = 0;       // square pixels, for OKS; 0: not known
  double head_size = 0;  // pixels, for PCKh; 0: not known
};

struct Record {
  std::string name;  // image file name or "synthetic-000123"
  Person person;
  std::vector<Person> others;
  int64_t number = 0;  // in the annotation file, from 1
};

/// How a data set is scored by custom (cpm/score.h).
enum class Metric { Pck, Pckh, Oks };

/// The joints of a data set.
struct JointSchema {
  std::vector<std::string> names;
  std::vector<std::pair<int, int>> flip_pairs;  // left/right twins
  std::vector<std::pair<int, int>> limbs;       // pairs to draw a line between
  int left_shoulder = -1, right_hip = -1;       // PCK's normaliser
  std::vector<double> oks_sigmas = {};          // OKS' fall-off by joint; empty: no OKS
  std::vector<int> pckh_left_out = {};          // joints outside PCKh's mean
  Metric metric = Metric::Pck;

  int count() const { return static_cast<int>(names.size()); }
};

/// LSP's 14 joints (right ankle ... head top), used by lsp: and synthetic.
const JointSchema& lsp_schema();
/// COCO's 17 (nose ... right ankle) and MPII's 16 (right ankle ... left wrist).
const JointSchema& coco_schema();
const JointSchema& mpii_schema();
/// k joints named "joint1" ..., nothing paired.
JointSchema numbered_schema(int count);
/// The data set with these joints; else joints of these names, left_NAME and right_NAME paired, without
/// limbs.
JointSchema schema_of_names(const std::vector<std::string>& names);

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

/// A parsed `--data` SPEC: "synthetic[:N]", "coco:FILE.json,IMAGE_DIR", "mpii:FILE.json,IMAGE_DIR",
/// "lsp:JOINTS.mat,IMAGE_DIR", "raw:FILE", each with optional ",FIRST-LAST" (1-based, inclusive, counts the
/// source's records before any filtering).
struct DataSpec {
  enum class Kind { Synthetic, Coco, Mpii, Lsp, Raw } kind = Kind::Synthetic;
  int64_t count = 1000;                // synthetic
  std::filesystem::path file, images;  // annotations and folder of images; raw: tensors
  int64_t first = 0, last = 0;         // 0: the whole
};

/// Usage error for a SPEC that cannot be read (unknown kind: names the nearest).
DataSpec parse_data_spec(const std::string& spec);

/// Gets what is wrong with a record.
using OnFault = std::function<void(const kernels::ErrorInfo&)>;

/// Opens any kind but raw. Persons without any labelled joint are left out, and counted in description(). A
/// faulty record is BadData; with `on_fault` it is told and left out, and what is wrong beyond the record's
/// use is told too.
std::unique_ptr<Dataset> open_dataset(const DataSpec& spec, const OnFault& on_fault = {});

}  // namespace cpm
