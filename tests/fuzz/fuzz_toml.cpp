// cpm/config: a configuration file, and its lines as assignments of --set. What was accepted must print as
// TOML that reads back to the same.
#include <string>

#include "cpm/config.h"
#include "tests/fuzz/refused.h"

namespace {

void check_round_trip(const cpm::Config& config) {
  const std::string text = config.to_toml();
  cpm::Config again;
  again.parse(text, "printed");
  fuzz::require(again.to_toml() == text, "what is printed reads back to something else", text);
  fuzz::refused([&] { config.validate(); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  cpm::Config file;
  if (!fuzz::refused([&] { file.parse(text, "input"); })) check_round_trip(file);

  cpm::Config assigned;
  bool any = false;
  for (size_t begin = 0; begin < size;) {
    const size_t end = std::min(text.find('\n', begin), size);
    any |= !fuzz::refused([&] { assigned.set(text.substr(begin, end - begin)); });
    begin = end + 1;
  }
  if (any) check_round_trip(assigned);
  return 0;
}
