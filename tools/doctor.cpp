#include "tools/doctor.h"

#include <fmt/format.h>
#include <unistd.h>
#include <zlib.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cpm/device.h"
#include "cpm/self_test.h"
#include "kernels/base/cuda_twins.h"
#include "kernels/base/device_runtime.h"
#include "kernels/base/error.h"
#include "kernels/base/plugin.h"

namespace tools {

namespace {

namespace fs = std::filesystem;
using kernels::Error;
using Lines = std::vector<DoctorLine>;

constexpr double kGiB = 1024.0 * 1024 * 1024;

Lines processor(const DoctorOptions&) {
  const kernels::Isa isa = kernels::best_isa();
  const std::string detail =
      fmt::format("{}, {} threads", kernels::isa_name(isa), kernels::available_processors());
  if (isa != kernels::Isa::Portable) return {{Verdict::Pass, "processor", detail, ""}};
  return {{Verdict::Warn, "processor", detail,
           "without AVX2 training takes several times as long; is CPM_ISA set?"}};
}

Lines libraries(const DoctorOptions&) {
  const std::string fmt_version =
      fmt::format("{}.{}.{}", FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100);
  const std::string detail =
      fmt::format("fmt {}, nlohmann-json {}.{}.{}, zlib {}", fmt_version, NLOHMANN_JSON_VERSION_MAJOR,
                  NLOHMANN_JSON_VERSION_MINOR, NLOHMANN_JSON_VERSION_PATCH, zlibVersion());
  if (zlibVersion()[0] == ZLIB_VERSION[0]) return {{Verdict::Pass, "libraries", detail, ""}};
  return {{Verdict::Fail, "libraries", detail, "the program was built with zlib " ZLIB_VERSION}};
}

Lines memory(const DoctorOptions&) {
  constexpr double kWanted = 2;  // the paper's network at batch 1 takes 1.3 GiB
  const double available = static_cast<double>(cpm::available_memory()) / kGiB;
  const std::string detail = fmt::format("{:.1f} GiB available", available);
  if (available >= kWanted) return {{Verdict::Pass, "memory", detail, ""}};
  return {{Verdict::Warn, "memory", detail, "a smaller --batch, data.input or model.width needs less"}};
}

Lines disk(const DoctorOptions& options) {
  constexpr double kWanted = 2;  // a checkpoint of the paper's network takes 0.5 GiB, and three are kept
  fs::path folder = fs::absolute(options.runs);
  while (!fs::exists(folder) && folder.has_relative_path()) folder = folder.parent_path();
  const std::string place = kernels::printable(folder.string());
  if (!fs::is_directory(folder) || access(folder.c_str(), W_OK | X_OK) != 0) {
    return {{Verdict::Fail, "disk", fmt::format("{} is no folder that can be written", place),
             "choose another place with --out"}};
  }
  const double available = static_cast<double>(fs::space(folder).available) / kGiB;
  const std::string detail = fmt::format("{:.1f} GiB free in {}", available, place);
  if (available >= kWanted) return {{Verdict::Pass, "disk", detail, ""}};
  return {{Verdict::Warn, "disk", detail, "make room, or choose another place with --out"}};
}

std::string version_text(int version) {
  return version == 0 ? "none" : fmt::format("{}.{}", version / 1000, version % 1000 / 10);
}

DoctorLine cuda_device(kernels::DeviceRuntime& runtime, int device) {
  const kernels::DeviceInfo info = runtime.device_info(device);
  const std::string detail = fmt::format(
      "{}, compute capability {}.{}, {} multiprocessors, {:.1f} of {:.1f} GiB free", info.name, info.major,
      info.minor, info.processors, static_cast<double>(runtime.free_memory(device)) / kGiB,
      static_cast<double>(info.memory) / kGiB);
  const std::string check = fmt::format("cuda:{}", device);
  if (!info.is_virtual()) return {Verdict::Pass, check, detail, ""};
  return {Verdict::Warn, check, "VIRTUAL GPU: " + detail,
          "it computes on the processor, for tests; never for speed"};
}

Lines cuda(const DoctorOptions&) {
  kernels::DeviceRuntime* const runtime = kernels::cuda_device_runtime();
  if (runtime == nullptr) {
    return {{Verdict::Warn, "cuda", "this build has no CUDA backend", "install nvcc 13 and configure again"}};
  }
  const kernels::RuntimeVersions versions = runtime->versions();
  const std::string detail = fmt::format("runtime {}, driver for CUDA {}", version_text(versions.runtime),
                                         version_text(versions.driver));
  const int count = runtime->device_count();
  if (count == 0) return {{Verdict::Warn, "cuda", detail + ", no device", "training runs on the processor"}};
  Lines lines = {{Verdict::Pass, "cuda", detail, ""}};
  for (int device = 0; device < count; ++device) lines.push_back(cuda_device(*runtime, device));
  return lines;
}

/// The libraries whose convolutions benchmarks compare ours with; nothing needs them.
Lines vendor_libraries(const DoctorOptions&) {
  kernels::DeviceRuntime* const runtime = kernels::cuda_device_runtime();
  if (runtime == nullptr) return {};
  const kernels::Exec exec{.backend = kernels::Backend::Cuda};
  Lines lines;
  for (const auto& [name, plugin] :
       {std::pair("cuDNN", &kernels::cudnn_plugin()), std::pair("cuBLAS", &kernels::cublas_plugin())}) {
    const std::string missing = plugin->missing(exec);
    if (missing.empty()) {
      lines.push_back(
          {Verdict::Pass, name, "starts on cuda:0; runs where a benchmark or a plan names it", ""});
    } else {
      lines.push_back({Verdict::Warn, name, missing, "only comparisons with it need it"});
    }
  }
  return lines;
}

std::vector<std::string> devices() {
  std::vector<std::string> names = {"cpu"};
  kernels::DeviceRuntime* const runtime = kernels::cuda_device_runtime();
  for (int i = 0; runtime != nullptr && i < runtime->device_count(); ++i)
    names.push_back(fmt::format("cuda:{}", i));
  return names;
}

DoctorLine step_on(const std::string& name, int64_t threads) {
  const std::string check = "step on " + name;
  const cpm::Device device = cpm::open_device(name, threads);
  const auto start = std::chrono::steady_clock::now();
  const std::vector<double> losses = cpm::self_test_losses({}, device.exec, engine::DType::F32);
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  double worst = 0;
  for (size_t i = 0; i < losses.size(); ++i) {
    const double difference = std::abs(losses[i] / cpm::kSelfTestLosses[i] - 1);
    worst = difference <= worst ? worst : difference;  // a NaN stays
  }
  const std::string detail =
      fmt::format("{} training steps in {:.2f} s, losses within {:.1e} of the known ones", losses.size(),
                  time.count(), worst);
  if (worst <= cpm::kSelfTestBound) return {Verdict::Pass, check, detail, ""};
  return {Verdict::Fail, check, fmt::format("{}, at most {:.0e} wanted", detail, cpm::kSelfTestBound),
          "this build computes wrong numbers here: please report it"};
}

Lines steps(const DoctorOptions& options) {
  Lines lines;
  for (const std::string& name : devices()) {
    try {
      lines.push_back(step_on(name, options.threads));
    } catch (const Error& error) {
      lines.push_back({Verdict::Fail, "step on " + name, error.what(), ""});
    }
  }
  return lines;
}

struct Check {
  const char* name;
  Lines (*examine)(const DoctorOptions& options);
};

constexpr Check kChecks[] = {
    {"processor", processor}, {"libraries", libraries}, {"memory", memory},
    {"disk", disk},           {"cuda", cuda},           {"vendor libraries", vendor_libraries},
    {"steps", steps},
};

}  // namespace

const char* verdict_name(Verdict verdict) {
  return verdict == Verdict::Pass ? "PASS" : verdict == Verdict::Warn ? "WARN" : "FAIL";
}

std::vector<DoctorLine> examine(const DoctorOptions& options) {
  Lines all;
  for (const Check& check : kChecks) {
    try {
      for (DoctorLine& line : check.examine(options)) all.push_back(std::move(line));
    } catch (const std::exception& error) {
      all.push_back({Verdict::Fail, check.name, error.what(), ""});
    }
  }
  return all;
}

}  // namespace tools
