// cpm-doctor: is this machine fit to train? The checks are in tools/doctor.cpp; here they are printed.
#include <fmt/format.h>

#include <algorithm>

#include "kernels/base/error.h"
#include "tools/cli.h"
#include "tools/doctor.h"
#include "tools/json_text.h"

namespace {

using tools::DoctorLine;
using tools::Verdict;

std::string to_json(const std::vector<DoctorLine>& lines, bool ok) {
  std::vector<std::string> checks;
  for (const DoctorLine& line : lines) {
    tools::JsonObject check;
    check.add("check", line.check);
    check.add("verdict", tools::verdict_name(line.verdict));
    check.add("detail", line.detail);
    check.add("hint", line.hint);
    checks.push_back(check.text());
  }
  tools::JsonObject json;
  json.add("ok", ok);
  json.add_raw("checks", tools::json_array(checks));
  return json.text();
}

void print(const std::vector<DoctorLine>& lines) {
  size_t width = 0;
  for (const DoctorLine& line : lines) width = std::max(width, line.check.size());
  for (const DoctorLine& line : lines) {
    fmt::print("{}  {:<{}}  {}{}\n", tools::verdict_name(line.verdict), line.check, width, line.detail,
               line.hint.empty() ? "" : " | hint: " + line.hint);
  }
}

int run(int argc, char** argv) {
  tools::Cli cli("cpm-doctor", "Checks whether this machine and build are fit to train.");
  tools::DoctorOptions options;
  std::optional<int64_t> threads;
  bool json = false;
  cli.option("--out", &options.runs, "DIR", "the folder of run directories (default runs)");
  cli.option("--threads", &threads, "N",
             "threads of the training step on the processor (default: all processors)");
  cli.flag("--json", &json, "one JSON object on stdout");
  cli.footer("Exit codes: 0 no FAIL, 1 a FAIL, 64 usage. A missing GPU is a WARN.");
  if (!cli.parse(argc, argv)) return 0;
  options.threads = threads.value_or(0);
  tools::require_usage(options.threads >= 0 && options.threads <= 1024, "--threads", "out of range",
                       "0 (all processors) to 1024", std::to_string(options.threads));
  const std::vector<DoctorLine> lines = tools::examine(options);
  const bool ok = std::none_of(lines.begin(), lines.end(),
                               [](const DoctorLine& line) { return line.verdict == Verdict::Fail; });
  if (json) {
    fmt::print("{}\n", to_json(lines, ok));
  } else {
    print(lines);
  }
  return static_cast<int>(ok ? kernels::ExitCode::Ok : kernels::ExitCode::CheckFailed);
}

}  // namespace

int main(int argc, char** argv) {
  return tools::run_main([&] { return run(argc, argv); });
}
