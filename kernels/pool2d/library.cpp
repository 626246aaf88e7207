#include "kernels/pool2d/library.h"

#include "kernels/base/plugin.h"

namespace kernels {

const LibraryPool2d* cudnn_pool2d(const Exec& exec, std::string* missing) {
  *missing = cudnn_plugin().missing(exec);
  if (!missing->empty()) return nullptr;
  return &cudnn_plugin().function<const LibraryPool2d&()>("cpm_plugin_pool2d")();
}

}  // namespace kernels
