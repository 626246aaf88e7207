// cpm/dataset/coco and mpii: a file of annotations, read as each of the two. Records that were accepted hold
// finite numbers.
#include <cmath>
#include <filesystem>
#include <fstream>

#include <unistd.h>

#include "cpm/dataset/dataset.h"
#include "tests/fuzz/refused.h"

namespace {

/// A folder for the file, in memory where that is there.
std::filesystem::path folder() {
  const std::filesystem::path memory = "/dev/shm";
  const auto base = std::filesystem::is_directory(memory) ? memory : std::filesystem::temp_directory_path();
  return base / ("cpm_fuzz_" + std::to_string(::getpid()));
}

void remove_folder() {
  std::error_code ignored;
  std::filesystem::remove_all(folder(), ignored);
}

void read_as(cpm::DataSpec::Kind kind, const std::filesystem::path& file) {
  cpm::DataSpec spec;
  spec.kind = kind;
  spec.file = file;
  spec.images = file.parent_path();
  fuzz::refused([&] {
    const auto data = cpm::open_dataset(spec);
    for (int64_t i = 0; i < data->size(); ++i) {
      const cpm::Record record = data->record(i);
      fuzz::require(std::isfinite(record.person.center_x + record.person.center_y) && record.person.size > 0,
                    "a person without a place or size", record.name);
      for (const cpm::Joint& joint : record.person.joints) {
        fuzz::require(!joint.labelled || std::isfinite(joint.x + joint.y), "a label that is no number",
                      record.name);
      }
    }
  });
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  std::filesystem::create_directories(folder());
  return std::atexit(remove_folder);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::filesystem::path file = folder() / "input.json";
  std::ofstream(file, std::ios::binary)
      .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  read_as(cpm::DataSpec::Kind::Coco, file);
  read_as(cpm::DataSpec::Kind::Mpii, file);
  return 0;
}
