// Kernels in shared objects of their own, for what needs a vendor's library (libcpm_cudnn.so,
// libcpm_cublas.so). One is opened when it is first asked for; no program is linked with them, so a machine
// without the library runs everything else.
#pragma once

#include <mutex>
#include <string>

#include "kernels/base/exec.h"

namespace kernels {

class Plugin {
 public:
  /// `file`: "libcpm_cudnn.so", looked for in ../lib beside the program's folder, then as dlopen does.
  explicit Plugin(const char* file) : file_(file) {}
  Plugin(const Plugin&) = delete;
  Plugin& operator=(const Plugin&) = delete;

  /// Why it cannot compute on exec's device, in the loader's words ("libcudnn.so.9: cannot open shared object
  /// file
  /// ...") or in the library's; empty where it can. The first call opens it, once and for all; it stays open.
  std::string missing(const Exec& exec);

  /// A function that it exports; Internal where it is not open or has no such function.
  template <class Function>
  Function* function(const char* name) {
    return reinterpret_cast<Function*>(address(name));
  }

 private:
  void open();
  const std::string& open_failure();
  void* address(const char* name);

  const char* file_;
  std::once_flag once_;
  void* handle_ = nullptr;
  std::string failure_;
};

Plugin& cudnn_plugin();
Plugin& cublas_plugin();

}  // namespace kernels
