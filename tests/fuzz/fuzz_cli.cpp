// tools/cli: command lines, one argument a line, with options of every kind; and what options hold that is a
// small language of its own: the SPEC of --data, the assignments of --set.
#include <string>
#include <vector>

#include "cpm/config.h"
#include "cpm/dataset/dataset.h"
#include "tests/fuzz/refused.h"
#include "tools/cli.h"

namespace {

struct Flags {
  std::string weights;
  std::optional<std::string> data, resume;
  std::optional<int64_t> steps;
  std::optional<double> epochs;
  std::vector<std::string> set, images;
  bool tune = false, json = false;
};

void parse(std::vector<std::string>* arguments) {
  tools::Cli cli("cpm-fuzz", "Options of every kind.");
  Flags f;
  cli.option("--weights", &f.weights, "FILE", "text");
  cli.option("--data", &f.data, "SPEC", "text, perhaps");
  cli.option_with_default("--resume", &f.resume, "PATH", "text, or nothing behind it");
  cli.option("--steps", &f.steps, "N", "an integer");
  cli.option("--epochs", &f.epochs, "N", "a number");
  cli.repeated("--set", &f.set, "KEY=VALUE", "text, several times");
  cli.flag("--tune", &f.tune, "a flag");
  cli.flag("--json", &f.json, "another");
  cli.positionals("IMAGE", &f.images, "what remains");
  std::vector<char*> argv;
  for (std::string& argument : *arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  if (!cli.parse(static_cast<int>(arguments->size()), argv.data())) return;
  fuzz::require(!f.epochs || *f.epochs - *f.epochs == 0, "a number that is none", "");
  if (f.data) cpm::parse_data_spec(*f.data);
  cpm::Config config;
  for (const std::string& assignment : f.set) config.set(assignment);
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  return std::freopen("/dev/null", "w", stdout) == nullptr ? 1 : 0;  // --help
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<std::string> arguments = {"cpm-fuzz"};
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (size_t begin = 0; begin < size;) {
    const size_t end = std::min(text.find('\n', begin), size);
    arguments.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  fuzz::refused([&] { parse(&arguments); });
  return 0;
}
