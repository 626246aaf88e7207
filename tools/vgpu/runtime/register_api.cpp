// The entry points that nvcc's start-up code calls before main().
#include <string>

#include "runtime/context.h"
#include "runtime/lazy.h"
#include "runtime/registry.h"
#include "runtime/summary.h"

using namespace vgpu::runtime;

VGPU_API void** __cudaRegisterFatBinary(void* fat_binary) {
  Guard guard;
  write_summary_at_exit();
  Binary* binary = Registry::instance().add_binary(std::make_unique<Binary>(ptx_entries(fat_binary)));
  return reinterpret_cast<void**>(binary);
}

VGPU_API void __cudaRegisterFatBinaryEnd(void**) {}

VGPU_API void __cudaUnregisterFatBinary(void** handle) {
  Guard guard;
  finish_at_exit();
  Registry::instance().remove_binary(reinterpret_cast<Binary*>(handle));
}

VGPU_API void __cudaRegisterFunction(void** handle, const char* host_function, char*, const char* name, int,
                                     uint3*, uint3*, dim3*, dim3*, int*) {
  Guard guard;
  Registry::instance().add_kernel(reinterpret_cast<Binary*>(handle), name, host_function);
}

VGPU_API void __cudaRegisterVar(void** handle, char* host_variable, char*, const char* name, int, size_t size,
                                int constant, int) {
  Guard guard;
  Symbol symbol;
  symbol.binary = reinterpret_cast<Binary*>(handle);
  symbol.name = name;
  symbol.host_variable = host_variable;
  symbol.size = size;
  symbol.constant = constant != 0;
  Registry::instance().add_symbol(std::move(symbol));
}

VGPU_API void __cudaRegisterManagedVar(void** handle, void** host_slot, char*, const char* name, int,
                                       size_t size, int, int) {
  Guard guard;
  Symbol symbol;
  symbol.binary = reinterpret_cast<Binary*>(handle);
  symbol.name = name;
  symbol.host_variable = host_slot;
  symbol.size = size;
  symbol.managed = true;
  symbol.host_slot = host_slot;
  Registry::instance().add_symbol(std::move(symbol));
}

VGPU_API void __cudaRegisterHostVar(void**, const char*, char*, size_t) {}

VGPU_API void __cudaRegisterUnifiedTable(void**, void*) {}

// Host code reads a managed variable for the first time: its address has to be known now.
VGPU_API char __cudaInitModule(void** handle) {
  Guard guard;
  auto* binary = reinterpret_cast<Binary*>(handle);
  const cudaError_t error = binary->load();
  if (error != cudaSuccess) remember(error);
  return 1;
}
