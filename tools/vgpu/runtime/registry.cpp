// Fat binaries, kernels and variables by the addresses the program knows them by, and the loading of modules.
#include "runtime/registry.h"

#include <algorithm>
#include <cstring>

#include "core/device_memory.h"
#include "core/report.h"
#include "core/settings.h"

namespace vgpu::runtime {

cudaError_t Kernel::resolve() {
  if (code != nullptr) return cudaSuccess;
  if (const cudaError_t error = binary->load(); error != cudaSuccess) return error;
  const auto& functions = binary->program()->function_by_name;
  const auto found = functions.find(name);
  if (found == functions.end() || !found->second->function->entry) return cudaErrorInvalidDeviceFunction;
  code = found->second;
  return cudaSuccess;
}

cudaError_t Symbol::address(uint64_t& result) {
  if (const cudaError_t error = binary->load(); error != cudaSuccess) return error;
  const Program& program = *binary->program();
  const auto variable = program.variable_by_name.find(name);
  if (variable == program.variable_by_name.end()) return cudaErrorInvalidSymbol;
  const auto found = program.address_of.find(variable->second);
  if (found == program.address_of.end()) return cudaErrorInvalidSymbol;
  result = found->second;
  return cudaSuccess;
}

cudaError_t Binary::load() {
  if (tried_) return error_;
  tried_ = true;
  std::string text = text_;
  if (!entries_.empty() || text.empty()) {
    const PtxEntry* entry = best_entry(entries_, compute_capability(), !capability_was_asked_for());
    if (entry == nullptr) {
      report_line("no PTX for compute capability " + std::to_string(compute_capability() / 10) + "." +
                  std::to_string(compute_capability() % 10) +
                  " in the program (nvcc -arch=compute_XX embeds it, but not with -rdc=true)");
      return error_ = cudaErrorNoKernelImageForDevice;
    }
    if (!entry->read(text)) {
      report_line("the program's PTX cannot be decompressed");
      return error_ = cudaErrorInvalidKernelImage;
    }
    architecture_ = entry->architecture;
  }
  return error_ = load_text(std::move(text));
}

cudaError_t Binary::load_text(std::string text) {
  try {
    std::unique_ptr<ptx::Module> module = ptx::parse(std::move(text));
    if (architecture_ == 0 && module->target.size() > 3)
      architecture_ = static_cast<uint32_t>(std::atoi(std::string(module->target.substr(3)).c_str()));
    program_ = lower(std::move(module));
  } catch (const ptx::SyntaxError& error) {
    report_line("invalid PTX, line " + std::to_string(error.line) + ": " + error.what);
    return cudaErrorInvalidPtx;
  } catch (const Unsupported& error) {
    report_line("PTX that the virtual GPU cannot load: " + error.what);
    return cudaErrorInvalidPtx;
  }
  for (const auto& [variable, address] : program_->address_of) {
    if (variable->initial.empty() && variable->relocations.empty()) continue;
    const auto* bytes = reinterpret_cast<const uint8_t*>(address);
    initial_.emplace_back(address, std::vector<uint8_t>(bytes, bytes + variable->size));
  }
  fill_managed_slots();
  return cudaSuccess;
}

void Binary::restore_variables() {
  if (program_ == nullptr) return;
  for (const auto& [variable, address] : program_->address_of) {
    const bool initialised = !variable->initial.empty() || !variable->relocations.empty();
    if (!initialised) std::memset(reinterpret_cast<void*>(address), 0, variable->size);
  }
  for (const auto& [address, bytes] : initial_)
    std::memcpy(reinterpret_cast<void*>(address), bytes.data(), bytes.size());
}

void Binary::fill_managed_slots() {
  for (Symbol* symbol : managed) {
    uint64_t address = 0;
    if (symbol->address(address) == cudaSuccess) *symbol->host_slot = reinterpret_cast<void*>(address);
  }
}

uint32_t Binary::newest_architecture() const {
  uint32_t newest = 0;
  for (const PtxEntry& entry : entries_) newest = std::max(newest, entry.architecture);
  return newest;
}

Registry& Registry::instance() {
  static auto* registry = new Registry;  // leaked: used from destructors of static objects
  return *registry;
}

Binary* Registry::add_binary(std::unique_ptr<Binary> binary) {
  binaries_.push_back(std::move(binary));
  return binaries_.back().get();
}

void Registry::remove_binary(Binary* binary) {
  // The module itself stays: work that is still queued, and reports, may refer to it.
  std::erase_if(kernel_of_, [&](const auto& entry) { return entry.second->binary == binary; });
  std::erase_if(symbol_of_, [&](const auto& entry) { return entry.second->binary == binary; });
}

Kernel* Registry::add_kernel(Binary* binary, std::string name, const void* host_function) {
  Kernel& kernel = kernels_.emplace_back();
  kernel.binary = binary;
  kernel.name = std::move(name);
  kernel.host_function = host_function;
  kernel_of_[&kernel] = &kernel;
  if (host_function != nullptr) kernel_of_[host_function] = &kernel;
  return &kernel;
}

Symbol* Registry::add_symbol(Symbol symbol) {
  Symbol& added = symbols_.emplace_back(std::move(symbol));
  if (added.managed) added.binary->managed.push_back(&added);
  if (added.host_variable != nullptr) symbol_of_[added.host_variable] = &added;
  return &added;
}

Kernel* Registry::kernel(const void* function) const {
  const auto found = kernel_of_.find(function);
  return found == kernel_of_.end() ? nullptr : found->second;
}

Symbol* Registry::symbol(const void* host_variable) const {
  const auto found = symbol_of_.find(host_variable);
  if (found != symbol_of_.end()) return found->second;
  // A managed variable's name means, in host code, the address that its slot holds.
  for (const auto& [host, symbol] : symbol_of_)
    if (symbol->managed && host_variable != nullptr && *symbol->host_slot == host_variable) return symbol;
  return nullptr;
}

const Symbol* Registry::managed_at(uint64_t address) const {
  for (const Symbol& symbol : symbols_) {
    if (!symbol.managed || *symbol.host_slot == nullptr) continue;
    if (address - reinterpret_cast<uint64_t>(*symbol.host_slot) < symbol.size) return &symbol;
  }
  return nullptr;
}

uint32_t Registry::newest_architecture() const {
  uint32_t newest = 0;
  for (const auto& binary : binaries_) newest = std::max(newest, binary->newest_architecture());
  return newest;
}

void Registry::restore_variables() {
  for (const auto& binary : binaries_) binary->restore_variables();
}

bool capability_was_asked_for() {
  return settings().capability != 0;
}

uint32_t compute_capability() {
  static uint32_t capability = 0;
  if (capability == 0) {
    constexpr uint32_t kDefault = 90;
    capability = capability_was_asked_for() ? settings().capability
                                            : std::max(kDefault, Registry::instance().newest_architecture());
  }
  return capability;
}

}  // namespace vgpu::runtime
