// What a program's start-up code registers: fat binaries, their kernels and their variables.
//
// A binary is parsed and lowered when one of its kernels or variables is first used; an error found then
// belongs to the binary and is returned by every use.
#pragma once

#include <cuda_runtime_api.h>

#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/program.h"
#include "runtime/fatbin.h"

namespace vgpu::runtime {

class Binary;

struct Kernel {  // a cudaKernel_t or cudaFunction_t points at one
  Binary* binary = nullptr;
  std::string name;
  const void* host_function = nullptr;
  const FunctionCode* code = nullptr;  // once resolve() has succeeded
  int max_dynamic_shared = -1;         // cudaFuncSetAttribute; -1: what the default limit leaves
  int carveout = -1;

  cudaError_t resolve();
};

struct Symbol {
  Binary* binary = nullptr;
  std::string name;
  const void* host_variable = nullptr;
  uint64_t size = 0;
  bool constant = false;
  bool managed = false;
  void** host_slot = nullptr;  // managed: where the program keeps the address

  cudaError_t address(uint64_t& result);
};

class Binary {
 public:
  explicit Binary(std::vector<PtxEntry> entries) : entries_(std::move(entries)) {}
  explicit Binary(std::string text) : text_(std::move(text)) {}

  cudaError_t load();
  void restore_variables();   // their initial contents again, after cudaDeviceReset
  void fill_managed_slots();  // once loaded
  Program* program() const { return program_.get(); }
  uint32_t newest_architecture() const;
  uint32_t ptx_version() const { return architecture_; }

  std::vector<Symbol*> managed;

 private:
  cudaError_t load_text(std::string text);

  std::vector<PtxEntry> entries_;
  std::string text_;
  std::unique_ptr<Program> program_;
  bool tried_ = false;
  cudaError_t error_ = cudaSuccess;
  uint32_t architecture_ = 0;
  std::vector<std::pair<uint64_t, std::vector<uint8_t>>>
      initial_;  // address, contents of initialised variables
};

class Registry {
 public:
  static Registry& instance();

  Binary* add_binary(std::unique_ptr<Binary> binary);
  void remove_binary(Binary* binary);
  Kernel* add_kernel(Binary* binary, std::string name, const void* host_function);
  Symbol* add_symbol(Symbol symbol);

  // By host function or handle; nullptr when it is neither.
  Kernel* kernel(const void* function) const;
  Symbol* symbol(const void* host_variable) const;
  // The managed variable that holds the address, nullptr for none.
  const Symbol* managed_at(uint64_t address) const;
  uint32_t newest_architecture() const;
  void restore_variables();

 private:
  std::vector<std::unique_ptr<Binary>> binaries_;
  std::deque<Kernel> kernels_;
  std::deque<Symbol> symbols_;
  std::unordered_map<const void*, Kernel*> kernel_of_;
  std::unordered_map<const void*, Symbol*> symbol_of_;
};

// The device's compute capability: VGPU_CC, else the newest architecture that the program has PTX for, 90 at
// least.
uint32_t compute_capability();
bool capability_was_asked_for();

}  // namespace vgpu::runtime
