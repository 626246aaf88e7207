// Configuration: every key goes through TOML and back, every typo finds its key, and every refusal says
// where.
#include "cpm/config.h"

#include <cstdio>
#include <fstream>
#include <limits>
#include <set>

#include "cpm/config_table.h"
#include "kernels/base/nearest.h"
#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"

namespace {

using cpm::Config;
using kernels::ExitCode;

void write(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// A value of the row's type that is valid and not the default.
void change(const cpm::KeyRow& row, Config& config) {
  const cpm::Field field = row.field(config);
  if (auto* const* integer = std::get_if<int64_t*>(&field)) {
    **integer += **integer > 5 ? -1 : 1;
  } else if (auto* const* number = std::get_if<double*>(&field)) {
    **number = 0.1 + 0.2 + 1.0 / 4096;
  } else if (auto* const* boolean = std::get_if<bool*>(&field)) {
    **boolean = !**boolean;
  } else if (auto* const* numbers = std::get_if<cpm::StageNumbers*>(&field)) {
    **numbers = {0, 1e-30, 1.0 / 3, 4, 1e22, 123456789.123456789};
  } else if (auto* const* integers = std::get_if<cpm::Integers*>(&field)) {
    **integers = {5, 1};
  } else {
    std::string& text = *std::get<std::string*>(field);
    const auto& choices = row.strings.choices;
    text = row.key == "train.device" ? "cuda:12"
           : row.key == "train.name" ? "a \"b\" c#d"
           : choices.empty()         ? "coco:\"a\\b\",\xc3\xa9\t\x7f'=#\n,1-20"
                                     : choices.back();
  }
}

std::string value_of(const cpm::KeyRow& row, Config config) {
  return cpm::literal(row.field(config));
}

const cpm::KeyRow& row_of(const std::string& key) {
  for (const cpm::KeyRow& row : cpm::key_table()) {
    if (row.key == key) return row;
  }
  FAIL("no key " + key);
  return cpm::key_table()[0];
}

Config loaded(const tests::TempFolder& folder, const std::string& text) {
  write(folder / "c.toml", text);
  Config config;
  config.load(folder / "c.toml");
  return config;
}

tests::Thrown load_error(const tests::TempFolder& folder, const std::string& text) {
  return tests::thrown_by([&] { loaded(folder, text); });
}

tests::Thrown set_error(const std::string& assignment) {
  return tests::thrown_by([&] { Config().set(assignment); });
}

}  // namespace

TEST_CASE("config: the defaults are valid and have one row each") {
  Config().validate();
  std::set<std::string> keys;
  for (const cpm::ConfigKey& key : cpm::config_keys()) {
    CAPTURE(key.key);
    CHECK(keys.insert(key.key).second);
    CHECK(!key.help.empty());
    CHECK(key.default_value == value_of(row_of(key.key), Config()));
  }
  CHECK(keys.size() == 50);  // the members of the seven structures in config.h
  std::set<void*> places;
  Config config;
  for (const cpm::KeyRow& row : cpm::key_table()) {
    places.insert(std::visit([](auto* value) -> void* { return value; }, row.field(config)));
  }
  CHECK(places.size() == keys.size());
}

TEST_CASE("config: every key round-trips through to_toml and load") {
  const tests::TempFolder folder;
  Config all;
  for (const cpm::KeyRow& row : cpm::key_table()) {
    CAPTURE(row.key);
    Config config;
    change(row, config);
    if (row.key != "train.precision") {
      CHECK(value_of(row, config) != value_of(row, Config()));
    }
    const bool alone =
        row.key != "data.input" && row.key != "supervision.stage_steps" && row.key != "grads.linear_bins";
    if (alone) config.validate();
    change(row, all);
    const Config back = loaded(folder, config.to_toml());
    for (const cpm::KeyRow& other : cpm::key_table()) CHECK(value_of(other, back) == value_of(other, config));
    CHECK(back.to_toml() == config.to_toml());
  }
  CHECK(loaded(folder, all.to_toml()).to_toml() == all.to_toml());
  CHECK(loaded(folder, "").to_toml() == Config().to_toml());
  CHECK(loaded(folder, all.to_toml()).optim.lr == 0.1 + 0.2 + 1.0 / 4096);
  CHECK(loaded(folder, all.to_toml()).data.train == "coco:\"a\\b\",\xc3\xa9\t\x7f'=#\n,1-20");
}

TEST_CASE("config: the printed form names sections, limits and help") {
  const std::string text = Config().to_toml();
  CHECK(text.rfind("[model]\nstages = 6 ", 0) == 0);
  CHECK(contains(text, "  # stages of the network (1-6)\n"));
  CHECK(contains(text, "\n\n[data]\ntrain = \"\" "));
  CHECK(contains(text, "\nlr = 0.0001 "));
  CHECK(contains(text, "\nweight_multiplier = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]  # "));
  CHECK(contains(text, "(\"constant\", \"step\" or \"cosine\")\n"));
}

TEST_CASE("config: a file changes what it names and keeps the rest") {
  const tests::TempFolder folder;
  write(folder / "c.toml", "optim.lr = 1\n[model]\nstages = 2\n[train]\nname = 'x'\n");
  Config config;
  config.model.width = 0.5;
  config.load(folder / "c.toml");
  CHECK(config.optim.lr == 1);
  CHECK(config.model.stages == 2);
  CHECK(config.model.width == 0.5);
  CHECK(config.train.name == "x");

  // All or nothing: the wrong second key leaves the first one alone too.
  write(folder / "c.toml", "[model]\nstages = 3\nwidht = 1\n");
  CHECK(tests::thrown_by([&] { config.load(folder / "c.toml"); }).code == ExitCode::Usage);
  CHECK(config.model.stages == 2);
}

TEST_CASE("config: one to six multipliers, those left out are 1") {
  const tests::TempFolder folder;
  Config config = loaded(folder, "[optim]\nbias_multiplier = [2, 0.5]\nweight_multiplier = [1,2,3,4,5,6]\n");
  CHECK(config.optim.bias_multiplier == cpm::StageNumbers{2, 0.5, 1, 1, 1, 1});
  CHECK(config.optim.weight_multiplier == cpm::StageNumbers{1, 2, 3, 4, 5, 6});
  config.set("optim.weight_multiplier=[8]");
  CHECK(config.optim.weight_multiplier == cpm::StageNumbers{8, 1, 1, 1, 1, 1});
  for (const char* bad : {"[]", "[1,2,3,4,5,6,7]", "[1,true]", "[[1]]", "2", "[1", "\"1\""}) {
    CAPTURE(bad);
    const auto thrown = set_error("optim.weight_multiplier=" + std::string(bad));
    CHECK(thrown.code == ExitCode::Usage);
    CHECK(contains(thrown.line, "expected: an array of 1-6 numbers, >= 0"));
  }
  CHECK(contains(set_error("optim.bias_multiplier=[1,-2]").line, "expected: numbers >= 0 | got: -2"));
}

TEST_CASE("config: every typo within distance 2 of a key gets a suggestion") {
  // One edit at each place of a name: a letter left out, wrong, doubled, or swapped with the next.
  const auto edits = [](const std::string& name) {
    std::vector<std::string> typos;
    for (size_t i = 0; i < name.size(); ++i) {
      std::string typo = name;
      typos.push_back(typo.erase(i, 1));
      typo = name;
      typo[i] = 'q';
      typos.push_back(typo);
      typos.push_back(name.substr(0, i + 1) + name.substr(i));
      typo = name;
      if (i + 1 < name.size()) std::swap(typo[i], typo[i + 1]);
      typos.push_back(typo);
    }
    return typos;
  };
  std::set<std::string> keys;
  for (const cpm::KeyRow& row : cpm::key_table()) keys.insert(row.key);
  int tried = 0;
  const auto check = [&](const std::string& typo) {
    if (keys.count(typo) != 0) return;
    ++tried;
    const std::string line = set_error(typo + "=1").line;
    const size_t begin = line.find("did you mean ");
    CAPTURE(typo, line);
    REQUIRE(begin != std::string::npos);
    const std::string key = line.substr(begin + 13, line.size() - begin - 14);
    CHECK(keys.count(key) == 1);
    const bool same_name = typo.substr(typo.find('.') + 1) == key.substr(key.find('.') + 1);
    CHECK((same_name || kernels::edit_distance(typo, key) <= 2));
  };
  for (const std::string& key : keys) {
    for (const std::string& once : edits(key.substr(key.find('.') + 1))) {
      const std::string typo = key.substr(0, key.find('.') + 1) + once;
      check(typo);
      const std::vector<std::string> twice = edits(once);
      for (size_t i = 0; i < twice.size(); i += 7) check(key.substr(0, key.find('.') + 1) + twice[i]);
    }
  }
  CHECK(tried > 3000);
}

TEST_CASE("config: unknown keys and sections say where and what was meant") {
  const tests::TempFolder folder;
  const std::string file = (folder / "c.toml").string();
  auto thrown = load_error(folder, "[optim]\nname = \"sgd\"\n  lrr = 1\n");
  CHECK(thrown.code == ExitCode::Usage);
  CHECK(thrown.line == file +
                           ":3:3: unknown configuration key | expected: a key that --print-config shows | "
                           "got: optim.lrr | hint: did you mean optim.lr?");
  CHECK(load_error(folder, "lr = 1\n").line ==
        file +
            ":1:1: unknown configuration key | expected: a key that --print-config shows | got: lr | hint: "
            "did you mean optim.lr?");
  CHECK(load_error(folder, "\n[optm]\nlr = 1\n").line ==
        file +
            ":2:2: unknown configuration section | expected: [model], [data], [optim], [supervision], "
            "[train], [grads], [report] | got: [optm]"
            " | hint: did you mean [optim]?");
  CHECK(contains(load_error(folder, "[optim.lr]\nx = 1\n").line, "optim.lr has the wrong type | expected: "));
  CHECK(contains(load_error(folder, "[[optim]]\nlr = 1\n").line,
                 "expected: a section [optim] | got: an array"));
  CHECK(contains(load_error(folder, "model = 3\n").line, "expected: a section [model] | got: the integer 3"));
  CHECK(contains(set_error("lr=1").line, "did you mean optim.lr?"));
  CHECK(contains(set_error("model.lr=1").line, "did you mean optim.lr?"));
  CHECK(contains(set_error("modle.stages=1").line, "did you mean model.stages?"));
  CHECK(contains(set_error("xyzzy.plugh=1").line, "expected: a key that --print-config shows"));
  CHECK(set_error("=1").code == ExitCode::Usage);
  CHECK(contains(set_error("optim.lr").line, "expected: KEY=VALUE | got: optim.lr"));
  CHECK(set_error("").code == ExitCode::Usage);
}

TEST_CASE("config: wrong types name file, line and column") {
  const tests::TempFolder folder;
  const std::string file = (folder / "c.toml").string();
  const auto thrown = load_error(folder, "# a comment\n[model]\nstages = \"six\"\n");
  CHECK(thrown.code == ExitCode::Usage);
  CHECK(thrown.line == file +
                           ":3:10: model.stages has the wrong type | expected: an integer, 1-6 | got: the "
                           "string \"six\" | hint: model.stages: stages of the network");
  CHECK(contains(load_error(folder, "[model]\nstages = 6.0\n").line, ":2:10: "));
  CHECK(contains(load_error(folder, "[model]\nwidth = true\n").line,
                 "expected: a number, > 0 and <= 16 | got: true"));
  CHECK(contains(load_error(folder, "[train]\ndeterministic = 1\n").line,
                 "expected: true or false | got: the integer 1"));
  CHECK(contains(load_error(folder, "[data]\nval = 1979-05-27\n").line, "expected: a string | got: a date"));
  CHECK(contains(load_error(folder, "[optim]\nbias_multiplier = [1, 'x']\n").line,
                 "got: the string \"x\" in the array"));
}

TEST_CASE("config: values out of range") {
  const tests::TempFolder folder;
  const std::string file = (folder / "c.toml").string();
  CHECK(load_error(folder, "[model]\nstages = 7\n").line ==
        file +
            ":2:10: model.stages is out of range | expected: 1-6 | got: 7 | hint: model.stages: stages of "
            "the network");
  CHECK(load_error(folder, "[model]\npooling = 'cafe'\n").line ==
        file +
            ":2:11: model.pooling has an unknown value | expected: \"torch\" or \"caffe\" | got: \"cafe\""
            " | hint: did you mean \"caffe\"?");
  for (const char* bad :
       {"model.stages=0",      "model.width=0",        "model.width=16.5",        "model.width=nan",
        "optim.lr=inf",        "optim.lr=-1e-9",       "optim.beta1=1",           "optim.eps=0",
        "data.flip=1.01",      "data.input=7",         "train.batch=0",           "train.seed=-1",
        "train.device=gpu",    "train.device=cuda:",   "train.device=cuda:x",     "train.device=cuda:-1",
        "train.name=",         "train.name=a/b",       "train.name=..",           "train.name=-x",
        "train.precision=fp8", "train.threads=100000", "optim.step_every=0",      "optim.step_gamma=0",
        "data.train=\xff",     "data.train=\xc0\xaf",  "data.train=\xed\xa0\x80", "data.train=\xe2\x82"}) {
    CAPTURE(bad);
    const auto thrown = set_error(bad);
    CHECK(thrown.code == ExitCode::Usage);
    CHECK(thrown.line.rfind("--set ", 0) == 0);
    CHECK(contains(thrown.line, "expected: "));
  }
  for (const char* good :
       {"model.stages=1", "model.width=16", "optim.lr=0", "optim.beta1=0", "data.flip=1", "data.flip=0",
        "data.input=8", "train.device=cuda:0", "train.seed=9223372036854775807", "data.train=\xe2\x82\xac"}) {
    CAPTURE(good);
    CHECK(set_error(good).code == ExitCode::Ok);
  }
}

TEST_CASE("config: syntax errors are bad data with line and column") {
  const tests::TempFolder folder;
  const std::string file = (folder / "c.toml").string();
  auto thrown = load_error(folder, "[model]\nstages = 6\nwidth = = 1\n");
  CHECK(thrown.code == ExitCode::BadData);
  CHECK(thrown.line.rfind(file + ":3:9: not valid TOML | ", 0) == 0);
  thrown = load_error(folder, "[model]\nstages = 6\nstages = 5\n");  // given twice
  CHECK(thrown.code == ExitCode::BadData);
  CHECK(contains(thrown.line, file + ":3:"));
  CHECK(load_error(folder, "[model\n").code == ExitCode::BadData);
  CHECK(load_error(folder, "[data]\ntrain = \"\xff\"\n").code == ExitCode::BadData);
  CHECK(load_error(folder, std::string(1, '\0')).code == ExitCode::BadData);
  CHECK(tests::thrown_by([&] { Config().load(folder / "none.toml"); }).code == ExitCode::BadData);
  CHECK(tests::thrown_by([&] { Config().load(folder.path()); }).code == ExitCode::BadData);
}

TEST_CASE("config: assignments take TOML values, bare words and spaces") {
  Config config;
  const auto text = [&](const std::string& value) {
    config.set("data.train=" + value);
    return config.data.train;
  };
  CHECK(text("coco:a.json,dir,1-20") == "coco:a.json,dir,1-20");
  CHECK(text("\"quo\\\"ted\"") == "quo\"ted");
  CHECK(text("'single \\ quoted'") == "single \\ quoted");
  CHECK(text("  two words ") == "two words");
  CHECK(text("a=b#c") == "a=b#c");
  CHECK(text("12") == "12");
  CHECK(text("true") == "true");
  CHECK(text("").empty());
  CHECK(text("\"\"").empty());
  CHECK(text("[1]") == "[1]");
  CHECK(set_error("data.train=\"open").code == ExitCode::Usage);
  CHECK(set_error("data.train='a' b").code == ExitCode::Usage);
  CHECK(set_error("data.train=\"a\"\nother = \"b\"").code == ExitCode::Usage);

  config.set(" optim.lr = 1e-3 ");
  CHECK(config.optim.lr == 1e-3);
  config.set("optim.lr=2");
  CHECK(config.optim.lr == 2);
  config.set("train.steps=1_000");
  CHECK(config.train.steps == 1000);
  config.set("train.deterministic=false");
  CHECK(config.train.deterministic == false);
  config.set("optim.schedule=cosine");
  CHECK(config.optim.schedule == "cosine");
  for (const char* bad :
       {"train.deterministic=False", "train.deterministic=1", "train.steps=1e3",
        "train.steps=", "train.steps=10 # ten", "train.steps=1\nvalue2 = 2", "optim.lr=fast", "optim.lr=1,5",
        "train.steps=99999999999999999999", "optim.lr='1'"}) {
    CAPTURE(bad);
    CHECK(set_error(bad).code == ExitCode::Usage);
  }
  CHECK(set_error("train.steps=ten").line ==
        "--set train.steps=ten: train.steps has the wrong type | expected: an integer, >= 0 | got: ten | "
        "hint: train.steps: steps to train; 0: by epochs");
}

TEST_CASE("config: validate checks what flags set and what no single key shows") {
  const auto line = [](auto change_it) {
    Config config;
    change_it(config);
    return tests::thrown_by([&] { config.validate(); }).line;
  };
  CHECK(line([](Config&) {}).empty());
  CHECK(line([](Config& c) { c.data.input = 100; }) ==
        "data.input: the input's side does not fit the network | expected: a multiple of 8 | got: 100 | "
        "hint: take 96 or 104");
  CHECK(contains(line([](Config& c) { c.train.steps = 5, c.train.epochs = 0.5; }),
                 "train.steps: steps and epochs are both given"));
  CHECK(line([](Config& c) { c.train.batch = -3; }) ==
        "train.batch (--batch): out of range | expected: 1-65536 | got: -3 | hint: train.batch: persons in a "
        "batch");
  CHECK(!line([](Config& c) { c.train.device = "tpu"; }).empty());
  CHECK(!line([](Config& c) { c.optim.lr = std::numeric_limits<double>::quiet_NaN(); }).empty());
}
