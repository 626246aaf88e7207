#include "kernels/base/plugin.h"

#include <dlfcn.h>

#include <filesystem>

#include "kernels/base/error.h"

namespace kernels {

namespace {

/// bin/cpm-train -> lib/FILE, in a build folder and where it is installed.
std::string beside_program(const char* file) {
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  const auto path = program.parent_path().parent_path() / "lib" / file;
  return !error && std::filesystem::exists(path, error) ? path.string() : file;
}

}  // namespace

void Plugin::open() {
  handle_ = dlopen(beside_program(file_).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle_ == nullptr) {
    failure_ = dlerror();
    return;
  }
  using Version = const char*();
  auto* version = reinterpret_cast<Version*>(dlsym(handle_, "cpm_plugin_version"));
  const std::string found = version == nullptr ? "none" : version();
  if (found != CPM_VERSION) {
    failure_ = fmt::format("{} is of another version: {} instead of {}", file_, found, CPM_VERSION);
  }
}

const std::string& Plugin::open_failure() {
  std::call_once(once_, [this] { open(); });
  return failure_;
}

std::string Plugin::missing(const Exec& exec) {
  std::string reason = open_failure();
  if (reason.empty()) function<void(const Exec&, std::string*)>("cpm_plugin_missing")(exec, &reason);
  return reason;
}

void* Plugin::address(const char* name) {
  CPM_CHECK(open_failure().empty(), "{} is not there: {}", file_, failure_);
  void* found = dlsym(handle_, name);
  CPM_CHECK(found != nullptr, "{} has no {}", file_, name);
  return found;
}

Plugin& cudnn_plugin() {
  static Plugin plugin("libcpm_cudnn.so");
  return plugin;
}

Plugin& cublas_plugin() {
  static Plugin plugin("libcpm_cublas.so");
  return plugin;
}

}  // namespace kernels
