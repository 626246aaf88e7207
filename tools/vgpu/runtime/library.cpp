// cudaLibrary*: code that a program loads by itself, as PTX text or as a fat binary.
#include <algorithm>
#include <deque>
#include <fstream>
#include <iterator>
#include <memory>
#include <unordered_map>
#include <vector>

#include "runtime/context.h"
#include "runtime/registry.h"

using namespace vgpu::runtime;

namespace {

struct Library {
  Binary* binary = nullptr;
  std::unordered_map<std::string, Kernel*> kernels;
};

std::vector<std::unique_ptr<Library>>& libraries() {
  static auto* all = new std::vector<std::unique_ptr<Library>>;
  return *all;
}

Library* library_of(cudaLibrary_t handle) {
  for (const auto& library : libraries())
    if (library.get() == reinterpret_cast<Library*>(handle)) return library.get();
  return nullptr;
}

cudaError_t load(cudaLibrary_t* result, const void* code) {
  if (result == nullptr || code == nullptr) return cudaErrorInvalidValue;
  std::vector<PtxEntry> entries = ptx_entries(code);
  auto binary = entries.empty() ? std::make_unique<Binary>(std::string(static_cast<const char*>(code)))
                                : std::make_unique<Binary>(std::move(entries));
  if (const cudaError_t error = binary->load(); error != cudaSuccess) return error;
  auto library = std::make_unique<Library>();
  library->binary = Registry::instance().add_binary(std::move(binary));
  for (const auto& [name, function] : library->binary->program()->function_by_name) {
    if (!function->function->entry) continue;
    const std::string text(name);
    library->kernels[text] = Registry::instance().add_kernel(library->binary, text, nullptr);
  }
  *result = reinterpret_cast<cudaLibrary_t>(library.get());
  libraries().push_back(std::move(library));
  return cudaSuccess;
}

// body(library)
template <class Body>
cudaError_t library_api(cudaLibrary_t handle, Body&& body) {
  return api([&] {
    Library* library = library_of(handle);
    return library == nullptr ? cudaErrorInvalidResourceHandle : body(*library);
  });
}

cudaError_t find_global(const Library& library, const char* name, void** address, size_t* bytes) {
  const vgpu::Program& program = *library.binary->program();
  const auto variable =
      name == nullptr ? program.variable_by_name.end() : program.variable_by_name.find(name);
  if (variable == program.variable_by_name.end()) return cudaErrorSymbolNotFound;
  const auto found = program.address_of.find(variable->second);
  if (found == program.address_of.end()) return cudaErrorSymbolNotFound;
  if (address != nullptr) *address = reinterpret_cast<void*>(found->second);
  if (bytes != nullptr) *bytes = variable->second->size;
  return cudaSuccess;
}

}  // namespace

VGPU_API cudaError_t cudaLibraryLoadData(cudaLibrary_t* result, const void* code, cudaJitOption*, void**,
                                         unsigned, cudaLibraryOption*, void**, unsigned) {
  return api([&] { return load(result, code); });
}

VGPU_API cudaError_t cudaLibraryLoadFromFile(cudaLibrary_t* result, const char* path, cudaJitOption*, void**,
                                             unsigned, cudaLibraryOption*, void**, unsigned) {
  return api([&] {
    static auto* files = new std::deque<std::string>;  // entries of a fat binary point into its file's bytes
    if (path == nullptr) return cudaErrorInvalidValue;
    std::ifstream in(path, std::ios::binary);
    if (!in) return cudaErrorFileNotFound;
    files->emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    return load(result, files->back().c_str());
  });
}

VGPU_API cudaError_t cudaLibraryUnload(cudaLibrary_t handle) {
  return library_api(handle, [](Library& library) {
    Registry::instance().remove_binary(library.binary);
    std::erase_if(libraries(), [&](const auto& other) { return other.get() == &library; });
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaLibraryGetKernel(cudaKernel_t* result, cudaLibrary_t handle, const char* name) {
  return library_api(handle, [&](const Library& library) {
    if (result == nullptr || name == nullptr) return cudaErrorInvalidValue;
    const auto found = library.kernels.find(name);
    if (found == library.kernels.end()) return cudaErrorSymbolNotFound;
    *result = reinterpret_cast<cudaKernel_t>(found->second);
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaLibraryGetKernelCount(unsigned* count, cudaLibrary_t handle) {
  return library_api(handle, [&](const Library& library) {
    if (count == nullptr) return cudaErrorInvalidValue;
    *count = static_cast<unsigned>(library.kernels.size());
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaLibraryEnumerateKernels(cudaKernel_t* kernels, unsigned count,
                                                 cudaLibrary_t handle) {
  return library_api(handle, [&](const Library& library) {
    if (kernels == nullptr) return cudaErrorInvalidValue;
    unsigned i = 0;
    for (const auto& [name, kernel] : library.kernels)
      if (i < count) kernels[i++] = reinterpret_cast<cudaKernel_t>(kernel);
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaLibraryGetGlobal(void** address, size_t* bytes, cudaLibrary_t handle,
                                          const char* name) {
  return library_api(handle,
                     [&](const Library& library) { return find_global(library, name, address, bytes); });
}

VGPU_API cudaError_t cudaLibraryGetManaged(void** address, size_t* bytes, cudaLibrary_t handle,
                                           const char* name) {
  return cudaLibraryGetGlobal(address, bytes, handle, name);
}
