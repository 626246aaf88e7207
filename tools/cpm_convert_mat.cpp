// cpm-convert-mat KIND IN.mat OUT.json: .mat annotations as JSON. A program of its own, started by cpm-data,
// because matio is made for files that one trusts: what it does to a hostile one stays in this process.
//   lsp   `joints` of the Leeds sets becomes COCO's form with their 14 joints, which coco: reads as lsp: does
//   the
//         .mat file: pixels from 0, box and area by the labelled joints.
//   mpii  `RELEASE` becomes the list of the CPM release (what mpii: reads), with the head's box: a record for
//   each
//         person with annotated joints, pixels from 1 as in the file. Missing: objpos, scale, is_visible,
//         joints.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "cpm/dataset/dataset.h"
#include "engine/io/file.h"
#include "kernels/base/error.h"
#include "tools/cli.h"
#include "tools/data_text.h"
#include "tools/json_text.h"
#include "tools/mat_view.h"

namespace {

using tools::json_array;
using tools::JsonObject;
using tools::MatView;

[[noreturn]] void bad_data(const std::string& file, const std::string& what, const std::string& expected,
                           const std::string& got) {
  throw kernels::Error(kernels::ExitCode::BadData,
                       {.where = file, .what = what, .expected = expected, .got = got});
}

struct Converted {
  std::string json;
  int64_t records = 0;
};

/// Elements of a JSON list, one a line.
std::string lines(const std::vector<std::string>& elements) {
  return fmt::format("[\n{}\n]", fmt::join(elements, ",\n"));
}

constexpr size_t kLspJoints = 14;

/// One person of `joints`; `at(joint, field)` gives x, y, flag.
template <class At>
std::string lsp_annotation(size_t record, bool extended, const At& at) {
  std::string points;
  int labelled = 0;
  double left = 1e9, right = -1e9, top = 1e9, bottom = -1e9;
  for (size_t j = 0; j < kLspJoints; ++j) {
    const auto x = at(j, 0), y = at(j, 1), flag = at(j, 2);
    // LSPet's flag: labelled or not. LSP's: occluded or not.
    const bool label = x && y && flag && (!extended || *flag == 1);
    const int v = !label ? 0 : !extended && *flag == 1 ? 1 : 2;
    points += fmt::format("{}{}, {}, {}", j == 0 ? "" : ", ", label ? *x - 1 : 0, label ? *y - 1 : 0, v);
    if (!label) continue;
    ++labelled;
    left = std::min(left, *x - 1);
    right = std::max(right, *x - 1);
    top = std::min(top, *y - 1);
    bottom = std::max(bottom, *y - 1);
  }
  JsonObject object;
  object.add("id", static_cast<int64_t>(record) + 1);
  object.add("image_id", static_cast<int64_t>(record) + 1);
  object.add("category_id", 1);
  object.add("iscrowd", 0);
  object.add("num_keypoints", labelled);
  object.add_raw("keypoints", "[" + points + "]");
  if (labelled > 0) {
    object.add("bbox", std::vector<double>{left, top, right - left, bottom - top});
    object.add("area", (right - left) * (bottom - top));
  }
  return object.text();
}

Converted convert_lsp(const std::string& file) {
  const tools::MatVariable variable(file, "joints");
  const MatView joints = variable.view();
  std::vector<size_t> dims = joints.dims();
  if (dims.size() == 2) dims.push_back(1);  // MATLAB drops a last axis of one
  const bool extended = dims.size() == 3 && dims[0] == kLspJoints && dims[1] == 3;
  const bool original = dims.size() == 3 && dims[0] == 3 && dims[1] == kLspJoints;
  if (!extended && !original)
    bad_data(file, "joints has another shape", "3x14xN (LSP) or 14x3xN (LSPet)",
             fmt::format("{}", fmt::join(dims, "x")));
  std::vector<std::string> images, annotations;
  for (size_t i = 0; i < dims[2]; ++i) {
    JsonObject image;
    image.add("id", static_cast<int64_t>(i) + 1);
    image.add("file_name", fmt::format("im{:0{}}.jpg", i + 1, extended ? 5 : 4));
    images.push_back(image.text());
    annotations.push_back(lsp_annotation(i, extended, [&](size_t joint, size_t field) {
      return joints.number(3 * kLspJoints * i + (extended ? joint + kLspJoints * field : field + 3 * joint));
    }));
  }
  const cpm::JointSchema& schema = cpm::lsp_schema();
  std::vector<std::string> names, limbs;
  for (const std::string& name : schema.names) names.push_back(tools::json_string(name));
  for (const auto& [a, b] : schema.limbs) limbs.push_back(fmt::format("[{}, {}]", a + 1, b + 1));
  JsonObject category;
  category.add("id", 1);
  category.add("name", "person");
  category.add_raw("keypoints", json_array(names));
  category.add_raw("skeleton", json_array(limbs));
  JsonObject out;
  out.add_raw("images", lines(images));
  out.add_raw("annotations", lines(annotations));
  out.add_raw("categories", json_array({category.text()}));
  return {out.text() + "\n", static_cast<int64_t>(dims[2])};
}

constexpr size_t kMpiiJoints = 16;

/// One annorect of MPII.
struct MpiiPerson {
  size_t index = 0;  // in its image
  std::array<std::array<double, 3>, kMpiiJoints> joints{};
  std::vector<double> objpos, headbox;
  double scale = 0;

  std::string joints_text() const {
    std::vector<std::string> rows;
    for (const auto& joint : joints) rows.push_back(fmt::format("[{}]", fmt::join(joint, ", ")));
    return json_array(rows);
  }
};

/// Numbers of these fields; empty unless all are there.
std::vector<double> fields(const MatView& from, size_t index, std::initializer_list<const char*> names) {
  std::vector<double> values;
  for (const char* name : names) {
    if (const auto value = from.field(name, index).number()) values.push_back(*value);
  }
  return values.size() == names.size() ? values : std::vector<double>{};
}

/// False where the person has no annotated joint.
bool read_person(const std::string& file, const std::string& place, const MatView& rects, size_t index,
                 MpiiPerson* person) {
  const MatView points = rects.field("annopoints", index).field("point");
  person->index = index;
  bool any = false;
  for (size_t k = 0; points.is_struct() && k < points.count(); ++k) {
    const auto id = points.field("id", k).number(), x = points.field("x", k).number(),
               y = points.field("y", k).number();
    if (!id || !x || !y) continue;
    if (!(*id >= 0 && *id < static_cast<double>(kMpiiJoints)))
      bad_data(file, place + " has a strange joint", "id 0 to 15", fmt::format("{}", *id));
    const double visible = points.field("is_visible", k).number().value_or(0) != 0 ? 1 : 0;
    person->joints[static_cast<size_t>(*id)] = {*x, *y, visible};
    any = true;
  }
  person->objpos = fields(rects.field("objpos", index), 0, {"x", "y"});
  person->headbox = fields(rects, index, {"x1", "y1", "x2", "y2"});
  person->scale = rects.field("scale", index).number().value_or(0);
  return any;
}

std::string mpii_record(const std::string& image, size_t image_index, const std::vector<MpiiPerson>& people,
                        size_t self) {
  const MpiiPerson& person = people[self];
  JsonObject object;
  object.add("dataset", "MPI");
  object.add("isValidation", 0);
  object.add("img_paths", image);
  if (!person.objpos.empty()) object.add("objpos", person.objpos);
  if (person.scale > 0) object.add("scale_provided", person.scale);
  if (!person.headbox.empty()) object.add("headbox", person.headbox);
  object.add_raw("joint_self", person.joints_text());
  std::vector<std::string> others;
  for (size_t i = 0; i < people.size(); ++i) {
    if (i != self) others.push_back(people[i].joints_text());
  }
  object.add_raw("joint_others", json_array(others));
  object.add("numOtherPeople", static_cast<int64_t>(others.size()));
  object.add("annolist_index", static_cast<int64_t>(image_index) + 1);
  object.add("people_index", static_cast<int64_t>(person.index) + 1);
  return object.text();
}

Converted convert_mpii(const std::string& file) {
  const tools::MatVariable variable(file, "RELEASE");
  const MatView list = variable.view().field("annolist");
  if (!list.is_struct() || list.count() == 0)
    bad_data(file, "RELEASE has no annolist", "a struct array", "none");
  std::vector<std::string> records;
  for (size_t i = 0; i < list.count(); ++i) {
    const MatView rects = list.field("annorect", i);
    const std::string image = list.field("image", i).field("name").text();
    std::vector<MpiiPerson> people;
    for (size_t r = 0; rects.is_struct() && r < rects.count(); ++r) {
      MpiiPerson person;
      const std::string place = fmt::format("annolist({}).annorect({})", i + 1, r + 1);
      if (read_person(file, place, rects, r, &person)) people.push_back(person);
    }
    if (!people.empty() && image.empty())
      bad_data(file, fmt::format("annolist({}) has people and no image", i + 1), "image.name", "nothing");
    for (size_t p = 0; p < people.size(); ++p) records.push_back(mpii_record(image, i, people, p));
  }
  if (records.empty()) bad_data(file, "RELEASE has no person with annotated joints", "at least one", "none");
  return {lines(records) + "\n", static_cast<int64_t>(records.size())};
}

int run(int argc, char** argv) {
  tools::Cli cli("cpm-convert-mat", "Makes JSON of .mat annotations; cpm-data convert starts it.");
  std::vector<std::string> words;
  bool json = false;
  cli.positionals("KIND IN.mat OUT.json", &words, "KIND: lsp or mpii");
  cli.flag("--json", &json, "one JSON object on stdout: file, records");
  if (!cli.parse(argc, argv)) return 0;
  tools::require_usage(words.size() == 3 && (words[0] == "lsp" || words[0] == "mpii"), "command line",
                       "not a conversion", "lsp or mpii, IN.mat and OUT.json",
                       fmt::format("{}", fmt::join(words, " ")));
  const Converted converted = words[0] == "lsp" ? convert_lsp(words[1]) : convert_mpii(words[1]);
  engine::write_text(words[2], converted.json);
  if (json) {
    fmt::print("{}", tools::written_json(words[2], converted.records));
  } else {
    fmt::print("{} records: {}\n", converted.records, words[2]);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return tools::run_main([&] { return run(argc, argv); });
}
