// One handle of a library (cuDNN, cuBLAS) for each device, for its plugin.
#pragma once

#include <cuda_runtime_api.h>

#include <map>
#include <mutex>

namespace kernels {

/// What the library's create() said, and its handle where that was success.
template <class Handle, class Status>
struct LibraryStart {
  Status status;
  Handle handle;
};

template <class Handle, class Status, Status (*create)(Handle*)>
class LibraryHandles {
 public:
  /// Created at the first use; never destroyed, as the driver may be gone before the library. Makes `device`
  /// the thread's current one. The caller holds mutex(), also while it uses the handle.
  static const LibraryStart<Handle, Status>& on(int device) {
    static std::map<int, LibraryStart<Handle, Status>> starts;
    (void)cudaSetDevice(device);  // a device that is not there shows in the status
    const auto [place, is_new] = starts.try_emplace(device);
    if (is_new) place->second.status = create(&place->second.handle);
    return place->second;
  }

  static std::mutex& mutex() {
    static std::mutex one;
    return one;
  }
};

}  // namespace kernels
