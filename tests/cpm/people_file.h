// A file of annotations written by a test, and what reading it must fail with.
#pragma once

#include <string>

#include "cpm/dataset/dataset.h"
#include "engine/io/file.h"
#include "tests/cpm/dataset_support.h"
#include "tests/support/catch.h"

namespace tests {

/// `text` as people.json of `folder`, which is the folder of images too; `kind` is "coco" or "mpii".
inline cpm::DataSpec people_spec(const std::string& kind, const TempFolder& folder, const std::string& text) {
  engine::write_text(folder / "people.json", text);
  return cpm::parse_data_spec(kind + ":" + (folder / "people.json").string() + "," + folder.path().string());
}

/// The error about bad data, naming the file, that opening it throws.
inline Thrown refused_people(const std::string& kind, const std::string& text) {
  const TempFolder folder;
  const cpm::DataSpec spec = people_spec(kind, folder, text);
  const auto error = thrown_by([&] { cpm::open_dataset(spec); });
  CHECK(error.code == kernels::ExitCode::BadData);
  CHECK(says(error, "people.json"));
  return error;
}

}  // namespace tests
