#include "engine/io/conv_cache.h"

#include <fmt/format.h>
#include <zlib.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/io/file.h"
#include "engine/tune/kernels_build.h"
#include "kernels/base/device_runtime.h"
#include "kernels/base/error.h"

namespace engine {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr uint64_t kLimit = 16 << 20;  // bytes; a file has a few thousand
constexpr const char* kFormat = "cpm convolution times 1";

/// "model name" of /proc/cpuinfo; "unknown" where the system does not tell.
std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("model name", 0) != 0) continue;
    const size_t at = line.find(": ");
    if (at != std::string::npos) return line.substr(at + 2);
  }
  return "unknown";
}

/// Names a file; that it holds this machine's times is checked against its contents.
std::string file_name(const std::map<std::string, std::string>& machine) {
  const std::string text = Json(machine).dump(-1, ' ', false, Json::error_handler_t::replace);
  return fmt::format("conv-{:08x}.json", crc32({reinterpret_cast<const uint8_t*>(text.data()), text.size()}));
}

/// Throws Json::exception where the document is not what save() writes.
ConvTimes times_of(const Json& document) {
  ConvTimes times;
  for (const auto& [key, rows] : document.at("seconds").get<Json::object_t>()) {
    for (const auto& [row, seconds] : rows.get<Json::object_t>()) {
      times[key][row] = seconds.is_null() ? std::nullopt : std::optional(seconds.get<double>());
    }
  }
  return times;
}

}  // namespace

std::map<std::string, std::string> tuning_machine(const kernels::Exec& exec) {
  kernels::DeviceRuntime& runtime = kernels::device_runtime(exec.backend);
  const kernels::RuntimeVersions versions = runtime.versions();
  return {{"processor", processor_name()},
          {"isa", kernels::isa_name(exec.isa)},
          {"threads", std::to_string(exec.threads->size())},
          {"device", runtime.device_name(exec.device)},
          {"runtime", fmt::format("{}, driver {}", versions.runtime, versions.driver)},
          {"deterministic", exec.deterministic ? "yes" : "no"},
          {"build", kernels_build()}};
}

fs::path cache_folder() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && fs::path(cache).is_absolute()) return fs::path(cache) / "cpm";
  const char* user = std::getenv("HOME");
  return user != nullptr && *user != '\0' ? fs::path(user) / ".cache" / "cpm" : fs::path();
}

ConvCache::ConvCache(fs::path folder, std::map<std::string, std::string> machine, Warn warn)
    : machine_(std::move(machine)), warn_(std::move(warn)) {
  if (!folder.empty()) {
    file_ = folder / file_name(machine_);
    return;
  }
  writable_ = false;
  warn_("times of convolution rows are not kept: neither XDG_CACHE_HOME nor HOME is set");
}

ConvTimes ConvCache::load() const {
  std::error_code ignored;
  if (file_.empty() || !fs::exists(file_, ignored)) return {};
  std::string reason;
  try {
    const Json document = Json::parse(read_text(file_, kLimit));
    if (document.at("format") != kFormat) {
      reason = "of another format";
    } else if (document.at("machine") != Json(machine_)) {
      reason = "of another machine or build";
    } else {
      return times_of(document);
    }
  } catch (const Json::exception&) {
    reason = "damaged";
  } catch (const kernels::Error& error) {
    reason = error.what();
  }
  warn_(fmt::format("{} is left out, and what it holds timed anew: {}", file_.string(), reason));
  return {};
}

void ConvCache::save(const ConvTimes& times) {
  if (!writable_) return;
  Json seconds = Json::object();
  for (const auto& [key, rows] : times) {
    for (const auto& [row, time] : rows) seconds[key][row] = time ? Json(*time) : Json();
  }
  const Json document = {{"format", kFormat}, {"machine", machine_}, {"seconds", seconds}};
  try {
    std::error_code ignored;  // writing into the folder says what is wrong
    fs::create_directories(file_.parent_path(), ignored);
    write_text(file_, document.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
  } catch (const kernels::Error& error) {
    writable_ = false;
    warn_(fmt::format("times of convolution rows are not kept: {}", error.what()));
  }
}

std::map<std::string, std::string> tune_with_cache(const kernels::Exec& exec,
                                                   const std::vector<PlannedConv>& lines, ConvTuning tuning,
                                                   const fs::path& folder, const ConvCache::Warn& warn) {
  if (kernels::device_runtime(exec.backend).device_info(exec.device).is_virtual()) {
    warn("a virtual device's times mean nothing: the fixed rule chooses the convolution rows");
    return {};
  }
  ConvCache cache(folder, tuning_machine(exec), warn);
  ConvTimes times = cache.load();
  tuning.measured = [&](const ConvTimes& all) { cache.save(all); };
  return tune_conv(exec, lines, tuning, &times);
}

}  // namespace engine
