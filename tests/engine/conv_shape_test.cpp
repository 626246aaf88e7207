// benchdnn's shape strings: what is inferred, what is refused, and that every shape reads back as written.
#include "engine/tune/conv_shape.h"

#include <fstream>

#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"

namespace {

using engine::ConvShape;
using kernels::ConvProblem;
using kernels::ExitCode;

ConvShape parse(const std::string& text) {
  return engine::parse_conv_shape(text, "--shape");
}

}  // namespace

TEST_CASE("conv shape: square where only the height is given, with and without underscores") {
  const ConvProblem wanted{
      .N = 16, .C = 128, .H = 184, .W = 184, .K = 128, .R = 9, .S = 9, .pad_h = 4, .pad_w = 4};
  for (const char* text : {"mb16_ic128ih184_oc128oh184_kh9ph4_n\"B\"", "mb16ic128ih184oc128oh184kh9ph4nB",
                           "mb16_ic128_ih184_iw184_oc128_oh184_ow184_kh9_kw9_ph4_pw4_sh1_sw1_dh0_g1_n\"B\"",
                           "ph4kh9oc128ih184ic128mb16_n\"B\""}) {
    CAPTURE(text);
    const ConvShape shape = parse(text);
    CHECK(shape.problem == wanted);
    CHECK(shape.name == "B");
    CHECK(shape.has_batch);
  }
}

TEST_CASE("conv shape: what is missing follows from the rest") {
  CHECK(parse("ic3ih9oc4kh3").problem == ConvProblem{.C = 3, .H = 9, .W = 9, .K = 4, .R = 3, .S = 3});
  CHECK_FALSE(parse("ic3ih9oc4kh3").has_batch);
  CHECK(parse("ic3ih9oc4kh3").name == "ic3ih9oc4kh3");
  // Padding from the output's size.
  CHECK(parse("ic3ih9oc4oh9kh3").problem.pad_h == 1);
  CHECK(parse("ic3ih9oc4oh9kh3").problem.pad_w == 1);
  CHECK(parse("ic3ih9oc4oh5kh3sh2").problem.pad_h == 1);
  CHECK(parse("ic3ih9oc4oh7kh3").problem.pad_h == 0);
  // Axes of their own.
  const ConvProblem wide{.C = 3, .H = 9, .W = 20, .K = 4, .R = 3, .S = 5, .pad_h = 1, .pad_w = 2};
  CHECK(parse("ic3ih9iw20oc4oh9ow20kh3kw5").problem == wide);
  CHECK(parse("ic3ih9iw20oc4kh3kw5ph1pw2").problem == wide);
  CHECK(parse("ic3ih9iw20oc4kh3ph1_n\"a b:c\"").name == "a b:c");
}

TEST_CASE("conv shape: mistakes name the field") {
  const std::vector<std::pair<const char*, const char*>> mistakes = {
      {"ic3ih9oc4", "no kh"},
      {"ih9oc4kh3", "no ic"},
      {"", "no ic"},
      {"ic3ih9oc4kh3oh8", "oh9"},
      {"ic3ih9oc4kh3ph1oh7", "oh9"},
      {"ic3ih9iw8oc4kh3oh7ow7ph0pw0", "ow6"},
      {"ic3ih9oc4khh3", "did you mean kh?"},
      {"ic3ih9oc4kh", "a number"},
      {"ic3ih9oc4kh-3", "a number"},
      {"ic3ih9oc4kh99999999", "up to 16384"},
      {"ic3ih9oc4kh3kh3", "twice"},
      {"ic0ih9oc4kh3", "ic of 1 or more"},
      {"g2ic4ih9oc4kh3", "no groups"},
      {"ic4ih9oc4kh3dh1", "no dilation"},
      {"ic4ih9oc4kh3sh2sw1", "one stride"},
      {"ic4ih2oc4kh3", "does not fit"},
      {"ic3ih9oc4kh3n", "name is empty"},
      {"ic3 ih9oc4kh3", "unknown field"},
  };
  for (const auto& [text, part] : mistakes) {
    CAPTURE(text, part);
    const tests::Thrown thrown = tests::thrown_by([&, text = text] { parse(text); });
    CHECK(thrown.code == ExitCode::Usage);
    CHECK(thrown.line.rfind("--shape: ", 0) == 0);
    CHECK(thrown.line.find(part) != std::string::npos);
  }
}

TEST_CASE("conv shape: written shapes read back equal") {
  int count = 0;
  for (const int64_t R : {1, 3, 4}) {
    for (const int64_t S : {1, 3, 5}) {
      for (const int64_t pad_h : {0, 1, 2}) {
        for (const int64_t pad_w : {0, 1, 3}) {
          for (const int64_t stride : {1, 2, 3}) {
            for (const int64_t W : {7, 12}) {
              const ConvProblem problem{.N = 2,
                                        .C = 3,
                                        .H = 7,
                                        .W = W,
                                        .K = 5,
                                        .R = R,
                                        .S = S,
                                        .pad_h = pad_h,
                                        .pad_w = pad_w,
                                        .stride = stride};
              CAPTURE(engine::to_shape_string(problem));
              CHECK(parse(engine::to_shape_string(problem)).problem == problem);
              ++count;
            }
          }
        }
      }
    }
  }
  CHECK(count == 486);
  CHECK(engine::to_shape_string(parse("ic3ih368_oc128_kh9ph4").problem) == "mb1_ic3ih368_oc128oh368_kh9ph4");
}

TEST_CASE("conv shape: a file of shapes, and mistakes with its lines") {
  const tests::TempFolder folder;
  const auto file = folder / "shapes.txt";
  std::ofstream(file) << "# a comment\n\nic3ih9oc4kh3_n\"a\"\r\nmb2ic3ih9oc4kh3  \n";
  const auto shapes = engine::read_conv_shapes(file);
  REQUIRE(shapes.size() == 2);
  CHECK(shapes[0].name == "a");
  CHECK(shapes[1].problem.N == 2);
  std::ofstream(file) << "ic3ih9oc4kh3\n\nic3ih9oc4kh3oh8\n";
  tests::Thrown thrown = tests::thrown_by([&] { engine::read_conv_shapes(file); });
  CHECK(thrown.code == ExitCode::BadData);
  CHECK(thrown.line.find("shapes.txt:3: ") != std::string::npos);
  std::ofstream(file) << "# nothing\n";
  CHECK(tests::thrown_by([&] { engine::read_conv_shapes(file); }).code == ExitCode::BadData);
  CHECK(tests::thrown_by([&] { engine::read_conv_shapes(folder / "none"); }).code == ExitCode::BadData);
  CHECK(tests::thrown_by([&] { engine::read_conv_shapes(folder.path()); }).code == ExitCode::BadData);
}
