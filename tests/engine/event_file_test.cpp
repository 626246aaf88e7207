// Event files where Python's reader does not reach (tests/tools/event_files.py): published checksums, names
// beside other files, and what happens when nothing can be written for a while.
#include "engine/io/event_file.h"

#include <string_view>

#include "engine/io/file.h"
#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"

namespace {

namespace fs = std::filesystem;
using tests::TempFolder;

uint32_t crc_of(const std::vector<uint8_t>& bytes) {
  return engine::crc32c(bytes);
}

size_t count_of(const std::string& text, std::string_view part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

}  // namespace

TEST_CASE("crc32c gives the values of RFC 3720, appendix B.4") {
  std::vector<uint8_t> bytes(32);
  CHECK(crc_of(bytes) == 0x8a9136aau);
  bytes.assign(32, 0xff);
  CHECK(crc_of(bytes) == 0x62a8ab43u);
  for (size_t i = 0; i < 32; ++i) bytes[i] = static_cast<uint8_t>(i);
  CHECK(crc_of(bytes) == 0x46dd794eu);
  for (size_t i = 0; i < 32; ++i) bytes[i] = static_cast<uint8_t>(31 - i);
  CHECK(crc_of(bytes) == 0x113fdb5cu);
  CHECK(crc_of({}) == 0);
}

TEST_CASE("an event file sorts behind those that are there, whatever the clock says") {
  const TempFolder folder;
  engine::write_text(folder.path() / "events.out.tfevents.9999999999.0007", "");
  engine::write_text(folder.path() / "events.out.tfevents.0000000001.elsewhere.1.0", "");
  engine::write_text(folder.path() / "events.txt", "");
  CHECK(engine::EventFile(folder.path()).path().filename() == "events.out.tfevents.9999999999.0002");
}

TEST_CASE("an event file begins with the first record that can be written") {
  const TempFolder folder;
  const fs::path run = folder.path() / "run";
  engine::EventFile file(run);
  file.restart(8);
  engine::EventSummary summary;
  CHECK(summary.empty());
  summary.scalar("loss", 0.5);
  CHECK(file.append(8, summary) == "No such file or directory");
  CHECK(!fs::exists(file.path()));
  fs::create_directory(run);
  CHECK(file.append(9, summary).empty());
  const std::string first = engine::read_text(file.path(), 1 << 16);
  CHECK(file.append(10, summary).empty());
  const std::string both = engine::read_text(file.path(), 1 << 16);
  // Length and its checksum, 8 + 1 bytes of time, 2 of step, 2 and 2 of lengths, 6 of tag, 5 of value,
  // checksum.
  CHECK(both.size() - first.size() == 12 + 9 + 2 + 2 + 2 + 6 + 5 + 4);
  CHECK(both.substr(0, first.size()) == first);
  CHECK(count_of(both, "brain.Event:2") == 1);
  CHECK(count_of(both, std::string_view("\x3a\x02\x08\x01", 4)) == 1);  // SessionLog START
  CHECK(count_of(both, "loss") == 2);
}
