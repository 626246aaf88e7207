#include "core/settings.h"

#include <sched.h>

#include <cctype>
#include <charconv>
#include <cstdlib>

#include "core/device_memory.h"
#include "core/execute.h"
#include "core/report.h"
#include "core/warp.h"

namespace vgpu {
namespace {

constexpr int kUsageStatus = 64;
constexpr uint32_t kMostThreads = 1024;
constexpr uint32_t kOldestCapability = 75, kNewestCapability = 121;

// The variable's text; empty where it is not set.
std::string_view variable(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? std::string_view() : text;
}

uint64_t number(const char* name, uint64_t otherwise, uint64_t least, uint64_t most) {
  const std::string_view text = variable(name);
  if (text.empty()) return otherwise;
  if (const auto value = parse_number(text, least, most)) return *value;
  refuse_setting(name, "a number from " + std::to_string(least) + " to " + std::to_string(most), text);
}

uint64_t bytes(const char* name, uint64_t otherwise, uint64_t most) {
  const std::string_view text = variable(name);
  if (text.empty()) return otherwise;
  if (const auto value = parse_bytes(text, most)) return *value;
  refuse_setting(name, "bytes, as 1000000, 512M or 16G, at most " + std::to_string(most >> 30) + "G", text);
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
      refuse_setting("VGPU_CHECK", "uninit, race, sync, all or none", name);
    }
  }
  return checks;
}

Settings read_settings() {
  Settings settings;
  settings.checks = checks_named(variable("VGPU_CHECK"));
  const uint64_t budget = settings.checks == 0 ? kBudget : kCheckedBudget;
  settings.budget = number("VGPU_BUDGET", budget, 1, 1ull << 60);
  settings.memory = bytes("VGPU_MEMORY", settings.memory, DeviceMemory::kArenaSize);
  settings.threads = static_cast<uint32_t>(number("VGPU_THREADS", processors(), 1, kMostThreads));
  settings.capability = static_cast<uint32_t>(number("VGPU_CC", 0, kOldestCapability, kNewestCapability));
  if (const std::string_view count = variable("VGPU_COUNT"); count != "0") settings.count = count;
  const std::string_view trace = variable("VGPU_TRACE");
  settings.trace = !trace.empty() && trace != "0";
  return settings;
}

Schedule read_schedule() {
  Schedule schedule;
  const std::string_view name = variable("VGPU_SCHED");
  if (name == "rr" || name.empty()) return schedule;
  if (name == "reverse") {
    schedule.kind = Schedule::Kind::Reverse;
    return schedule;
  }
  constexpr std::string_view kRandom = "random:";
  const bool is_random = name.substr(0, kRandom.size()) == kRandom;
  const auto seed = is_random ? parse_number(name.substr(kRandom.size()), 0, ~0ull) : std::nullopt;
  if (!seed) refuse_setting("VGPU_SCHED", "rr, reverse or random:SEED", name);
  return {Schedule::Kind::Random, *seed, true};
}

}  // namespace

std::optional<uint64_t> parse_number(std::string_view text, uint64_t least, uint64_t most) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool is_whole = error == std::errc() && end == text.data() + text.size();
  if (!is_whole || value < least || value > most) return std::nullopt;
  return value;
}

std::optional<uint64_t> parse_bytes(std::string_view text, uint64_t most) {
  uint64_t unit = 1;
  if (!text.empty()) {
    const char last = text.back();
    unit = last == 'K' ? 1ull << 10 : last == 'M' ? 1ull << 20 : last == 'G' ? 1ull << 30 : 1;
  }
  if (unit != 1) text.remove_suffix(1);
  const auto units = parse_number(text, 1, most / unit);
  return units ? std::optional(*units * unit) : std::nullopt;
}

void refuse_setting(std::string_view name, const std::string& expected, std::string_view got) {
  std::string flag(name.substr(name.find('_') + 1));
  for (char& c : flag) c = static_cast<char>(std::tolower(c));
  report_line(std::string(name) + " (vgpu-run --" + flag + "): expected " + expected + ", got '" +
              std::string(got) + "'");
  std::_Exit(kUsageStatus);
}

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
