// A module lowered to instructions the engine runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/inst.h"
#include "ptx/module.h"

namespace vgpu {

// Vectors whose data starts at a cache line.
template <class T>
struct CacheLineAllocator {
  using value_type = T;
  CacheLineAllocator() = default;
  template <class U>
  CacheLineAllocator(const CacheLineAllocator<U>&) {}
  T* allocate(std::size_t n) { return static_cast<T*>(::operator new (n * sizeof(T), std::align_val_t{64})); }
  void deallocate(T* p, std::size_t) { ::operator delete (p, std::align_val_t{64}); }
  bool operator==(const CacheLineAllocator&) const { return true; }
};

// What a report and the counters say about an instruction.
struct Source {
  const ptx::Instruction* instruction = nullptr;
  const ptx::Function* function = nullptr;
};

// A `.param` variable of a function or of its body: lane-major bytes in the register window, `stride` a lane.
struct ParamSlot {
  const ptx::Variable* variable = nullptr;
  Ref area = kNoRef;    // stride * 32 bytes in the window
  uint32_t stride = 0;  // size rounded up to 16
};

struct FunctionCode {
  std::string_view name;
  const ptx::Function* function = nullptr;
  uint32_t entry_pc = 0, end_pc = 0;
  uint32_t window_bytes = 0;               // register window, a multiple of 64
  uint32_t local_bytes = 0;                // .local of this function alone, per thread
  std::vector<ParamSlot> params, returns;  // of a device function
  // Kernels only: offsets of the parameters in the argument buffer, and shared memory declared in the
  // function.
  std::vector<uint32_t> param_offsets;
  uint32_t param_bytes = 0;
  uint32_t shared_bytes = 0;  // static; dynamic shared memory starts at dynamic_shared_offset
  uint32_t dynamic_shared_offset = 0;
  uint32_t register_estimate = 0;  // 32-bit registers a thread, for cudaFuncGetAttributes and occupancy
};

struct Program {
  std::unique_ptr<ptx::Module> module;
  std::vector<Inst> code;
  std::vector<Ref> refs;                                        // operand lists, Inst::extra points here
  std::vector<uint8_t, CacheLineAllocator<uint8_t>> constants;  // immediates, 32 times each, 64-byte aligned
  std::vector<Source> sources;
  std::vector<std::string> messages;          // why an instruction is unsupported; its Inst::imm is the index
  std::vector<std::vector<uint32_t>> tables;  // brx: pcs
  std::vector<std::unique_ptr<FunctionCode>> functions;
  std::unordered_map<std::string_view, FunctionCode*> function_by_name;
  std::unordered_map<const ptx::Variable*, uint64_t>
      address_of;  // module variables: host addresses (global, const)
  std::unordered_map<std::string_view, const ptx::Variable*> variable_by_name;

  // A function's address as kernels see it: an index into `functions` behind a tag, never a real address.
  static constexpr uint64_t kFunctionTag = 0x00F0'0000'0000'0000ull;
  uint64_t function_address(std::string_view name) const;
  const FunctionCode* function_at(uint64_t address) const;  // nullptr: no function there
};

struct Unsupported {  // thrown by lower(): an instruction nobody wrote a rule for
  std::string what;
};

// Lowers every function of the module, places its variables in device memory and fills them. Throws
// Unsupported only for a module whose variables cannot be placed; an instruction without a rule becomes one
// that faults, with its text, when it is executed (so that one exotic kernel does not take its module's
// neighbours along).
std::unique_ptr<Program> lower(std::unique_ptr<ptx::Module> module);

}  // namespace vgpu
