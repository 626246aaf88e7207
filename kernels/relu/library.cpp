#include "kernels/relu/library.h"

#include "kernels/base/plugin.h"

namespace kernels {

const ReluKernels<float>* cudnn_relu_kernels(const Exec& exec, std::string* missing) {
  *missing = cudnn_plugin().missing(exec);
  if (!missing->empty()) return nullptr;
  return &cudnn_plugin().function<const ReluKernels<float>&()>("cpm_plugin_relu")();
}

}  // namespace kernels
