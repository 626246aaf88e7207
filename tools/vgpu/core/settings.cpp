#include "core/settings.h"

#include <sched.h>

#include <cstdlib>
#include <string_view>

#include "core/execute.h"
#include "core/report.h"
#include "core/warp.h"

namespace vgpu {
namespace {

uint64_t number(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  if (text == nullptr || *text == '\0') return otherwise;
  char* end = nullptr;
  const uint64_t value = std::strtoull(text, &end, 10);
  if (*end == '\0' && value > 0) return value;
  report_line(std::string(name) + ": expected a positive number, got '" + text + "'");
  std::_Exit(64);
}

uint32_t processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return 1;
  return static_cast<uint32_t>(CPU_COUNT(&set));
}

uint32_t checks_named(std::string_view list) {
  uint32_t checks = 0;
  while (!list.empty()) {
    const std::string_view name = list.substr(0, list.find(','));
    list.remove_prefix(name.size() < list.size() ? name.size() + 1 : name.size());
    if (name == "uninit")
      checks |= static_cast<uint32_t>(Check::Uninitialised);
    else if (name == "race")
      checks |= static_cast<uint32_t>(Check::Race);
    else if (name == "sync")
      checks |= static_cast<uint32_t>(Check::Sync);
    else if (name == "all")
      checks |= 7;
    else if (name != "none" && !name.empty()) {
      report_line("VGPU_CHECK: expected uninit, race, sync, all or none, got '" + std::string(name) + "'");
      std::_Exit(64);
    }
  }
  return checks;
}

Settings read_settings() {
  Settings settings;
  settings.budget = number("VGPU_BUDGET", settings.budget);
  settings.threads = static_cast<uint32_t>(number("VGPU_THREADS", processors()));
  if (const char* list = std::getenv("VGPU_CHECK")) settings.checks = checks_named(list);
  if (const char* count = std::getenv("VGPU_COUNT"); count != nullptr && std::string_view(count) != "0")
    settings.count = count;
  if (const char* trace = std::getenv("VGPU_TRACE"))
    settings.trace = *trace != '\0' && std::string_view(trace) != "0";
  return settings;
}

Schedule read_schedule() {
  Schedule schedule;
  const char* text = std::getenv("VGPU_SCHED");
  const std::string_view name = text == nullptr ? "rr" : text;
  if (name == "rr" || name.empty()) return schedule;
  if (name == "reverse") {
    schedule.kind = Schedule::Kind::Reverse;
    return schedule;
  }
  char* end = nullptr;
  if (name.substr(0, 7) == "random:" && name.size() > 7) {
    schedule.seed = std::strtoull(text + 7, &end, 10);
    if (*end == '\0') {
      schedule.kind = Schedule::Kind::Random;
      schedule.split_warps = true;
      return schedule;
    }
  }
  report_line("VGPU_SCHED: expected rr, reverse or random:SEED, got '" + std::string(name) + "'");
  std::_Exit(64);
}

}  // namespace

// Never destroyed: the counters' file name is needed at exit.
const Settings& settings() {
  static const Settings* const instance = new Settings(read_settings());
  return *instance;
}

const Schedule& schedule() {
  static const Schedule instance = read_schedule();
  return instance;
}

}  // namespace vgpu
