// The `--data` argument: what it means, and what is said where it means nothing.
#include <algorithm>

#include "cpm/dataset/dataset.h"
#include "tests/cpm/dataset_support.h"
#include "tests/support/catch.h"

using cpm::DataSpec;
using cpm::parse_data_spec;
using tests::says;
using tests::thrown_by;

TEST_CASE("data specs are read") {
  SECTION("synthetic") {
    const DataSpec plain = parse_data_spec("synthetic");
    CHECK(plain.kind == DataSpec::Kind::Synthetic);
    CHECK(plain.count == 1000);
    CHECK(plain.first == 0);
    CHECK(plain.last == 0);
    const DataSpec part = parse_data_spec("synthetic:2500,101-200");
    CHECK(part.count == 2500);
    CHECK(part.first == 101);
    CHECK(part.last == 200);
    CHECK(parse_data_spec("synthetic,1-1").last == 1);
  }
  SECTION("lsp") {
    const DataSpec whole = parse_data_spec("lsp:a/joints.mat,b/images");
    CHECK(whole.kind == DataSpec::Kind::Lsp);
    CHECK(whole.file == "a/joints.mat");
    CHECK(whole.images == "b/images");
    CHECK(whole.first == 0);
    const DataSpec part = parse_data_spec("lsp:joints.mat,images-2,with-dash,3-40");
    CHECK(part.images == "images-2,with-dash");
    CHECK(part.first == 3);
    CHECK(part.last == 40);
    CHECK(parse_data_spec("lsp:joints.mat,2010-set").images == "2010-set");
  }
  SECTION("raw") {
    const DataSpec raw = parse_data_spec("raw:C:/x.safetensors");
    CHECK(raw.kind == DataSpec::Kind::Raw);
    CHECK(raw.file == "C:/x.safetensors");
    CHECK(parse_data_spec("raw:x.safetensors,2-3").last == 3);
  }
}

TEST_CASE("data specs that cannot be read are usage errors that say what can") {
  const char* bad[] = {"",
                       ":",
                       "synthetic:",
                       "synthetic:0",
                       "synthetic:-5",
                       "synthetic:many",
                       "lsp",
                       "lsp:",
                       "lsp:only.mat",
                       "lsp:,images",
                       "lsp:a.mat,",
                       "raw",
                       "raw:",
                       "video:x",
                       "synthetic,0-10",
                       "synthetic,9-8",
                       "lsp:a.mat,1-5",
                       "synthetic:99999999999999999999",
                       "synthetic:5,1-99999999999999999999"};
  for (const char* spec : bad) {
    CAPTURE(spec);
    const auto error = thrown_by([&] { parse_data_spec(spec); });
    CHECK(error.code == kernels::ExitCode::Usage);
    CHECK(says(error, "expected: synthetic[:N]"));
    CHECK(says(error, spec));
  }
  CHECK(says(thrown_by([] { parse_data_spec("synthtic:5"); }), "did you mean synthetic?"));
  CHECK(says(thrown_by([] { parse_data_spec("lps:a,b"); }), "did you mean lsp?"));
}

TEST_CASE("a range beyond the data names the data's size") {
  const auto error = thrown_by([] { cpm::open_dataset(parse_data_spec("synthetic:40,31-41")); });
  CHECK(error.code == kernels::ExitCode::Usage);
  CHECK(says(error, "expected: a range within 1-40"));
  CHECK(says(error, "got: 31-41"));
  CHECK(cpm::open_dataset(parse_data_spec("synthetic:40,31-40"))->size() == 10);
}

TEST_CASE("raw tensors are no data set of people") {
  const auto error = thrown_by([] { cpm::open_dataset(parse_data_spec("raw:x.safetensors")); });
  CHECK(error.code == kernels::ExitCode::Usage);
}

TEST_CASE("the joints of LSP") {
  const cpm::JointSchema& schema = cpm::lsp_schema();
  REQUIRE(schema.count() == 14);
  CHECK(schema.names[0] == "right_ankle");
  CHECK(schema.names[13] == "head_top");
  CHECK(schema.names[static_cast<size_t>(schema.left_shoulder)] == "left_shoulder");
  CHECK(schema.names[static_cast<size_t>(schema.right_hip)] == "right_hip");
  CHECK(schema.flip_pairs.size() == 6);
}

TEST_CASE("joints pair left with right, and limbs and metrics name joints that are there") {
  for (const cpm::JointSchema* schema : {&cpm::lsp_schema(), &cpm::coco_schema(), &cpm::mpii_schema()}) {
    const auto name = [&](int j) { return schema->names.at(static_cast<size_t>(j)); };
    const auto left_ones =
        std::count_if(schema->names.begin(), schema->names.end(),
                      [](const std::string& joint) { return joint.rfind("left_", 0) == 0; });
    CHECK(left_ones == static_cast<ptrdiff_t>(schema->flip_pairs.size()));
    for (const auto& [a, b] : schema->flip_pairs) {
      const bool first_is_left = name(a).substr(0, 5) == "left_";
      const std::string left = first_is_left ? name(a) : name(b), right = first_is_left ? name(b) : name(a);
      CHECK(left.substr(0, 5) == "left_");
      CHECK(right == "right_" + left.substr(5));
    }
    CHECK(name(schema->left_shoulder) == "left_shoulder");
    CHECK(name(schema->right_hip) == "right_hip");
    for (const auto& [a, b] : schema->limbs) CHECK((name(a) != name(b)));
    CHECK((schema->oks_sigmas.empty() || static_cast<int>(schema->oks_sigmas.size()) == schema->count()));
    // By names alone, the same joints pair up.
    std::vector<std::string> names = schema->names;
    names.push_back("tail");
    CHECK(cpm::schema_of_names(names).flip_pairs.size() == schema->flip_pairs.size());
    CHECK(cpm::schema_of_names(schema->names).limbs == schema->limbs);
  }
  CHECK(cpm::mpii_schema().names[6] == "pelvis");
  CHECK(cpm::mpii_schema().names[7] == "thorax");
}

TEST_CASE("numbered joints pair with nothing") {
  const cpm::JointSchema schema = cpm::numbered_schema(3);
  CHECK(schema.names == std::vector<std::string>{"joint1", "joint2", "joint3"});
  CHECK(schema.flip_pairs.empty());
  CHECK(schema.left_shoulder == -1);
}
