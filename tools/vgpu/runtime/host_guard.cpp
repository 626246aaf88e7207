// Page protection of pinned and managed memory in lazy mode, and the SIGSEGV handler behind it.
#include "runtime/host_guard.h"

#include <sys/mman.h>
#include <ucontext.h>
#include <csignal>
#include <set>

#include <algorithm>
#include <string>
#include <utility>

#include "core/device_memory.h"
#include "core/report.h"
#include "runtime/context.h"
#include "runtime/memory.h"

namespace vgpu::runtime {
namespace {

constexpr uint64_t kPage = 4096;
constexpr int kOpen = PROT_READ | PROT_WRITE;

struct PageGuard {  // a copy or memset that touches pinned or managed memory
  std::shared_ptr<Operation> operation;
  Footprint::Range range;
  bool device_writes = false;
};

struct HostAccess {  // to managed memory while kernels were unfinished
  uint64_t address = 0;
  bool write = false;
  std::vector<std::shared_ptr<Operation>> kernels;  // those that have not run yet
};

struct Guards {
  std::vector<PageGuard> pages;
  std::vector<std::shared_ptr<Operation>> kernels;  // that the host has not synchronised with
  std::vector<HostAccess> accesses;
  int open = 0;
  struct sigaction previous {};
};

Guards& guards() {
  static auto* all = new Guards;
  return *all;
}

void protect(uint64_t begin, uint64_t end, int protection) {
  const uint64_t first = begin & ~(kPage - 1);
  const uint64_t last = (end + kPage - 1) & ~(kPage - 1);
  mprotect(reinterpret_cast<void*>(first), last - first, protection);
}

void protect_managed(const Block& block, void* protection) {
  if (block.kind == MemoryKind::Managed)
    protect(block.address, block.address + block.bytes, *static_cast<int*>(protection));
}

void protect_all(bool closed) {
  int managed = closed ? PROT_NONE : kOpen;
  if (!guards().kernels.empty()) for_each_block(protect_managed, &managed);
  // Reads first: a page that something also writes must end up inaccessible.
  for (const bool writes : {false, true})
    for (const PageGuard& guard : guards().pages)
      if (guard.device_writes == writes)
        protect(guard.range.begin, guard.range.end, !closed ? kOpen : writes ? PROT_NONE : PROT_READ);
}

void report_once(bool write, uint64_t address, const Operation& operation, const char* device_does) {
  static auto* seen = new std::set<std::string>;
  remember_finding();
  const Allocation* allocation = DeviceMemory::instance().find(address);
  std::string place =
      allocation == nullptr ? "" : allocation->name + " #" + std::to_string(allocation->number);
  if (!seen->insert(operation.name + "|" + place + (write ? "w" : "r")).second) return;
  if (allocation != nullptr)
    place = ", offset " + std::to_string(address - allocation->begin) + " of " + place + ",";
  report_line(std::string("host ") + (write ? "writes" : "reads") + " memory" + place + " that " +
              operation.name + " " + device_does +
              ", before it has synchronised with it (cudaStreamSynchronize or an event)");
}

bool touches(const std::vector<Footprint::Range>& ranges, uint64_t address) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [&](const auto& range) { return address >= range.begin && address < range.end; });
}

void compare(const HostAccess& access, const Operation& kernel) {
  if (touches(kernel.footprint.writes, access.address)) {
    report_once(access.write, access.address, kernel, "writes");
  } else if (access.write && touches(kernel.footprint.reads, access.address)) {
    report_once(true, access.address, kernel, "reads");
  }
}

bool on_same_page(uint64_t address, const Footprint::Range& range) {
  return address / kPage >= range.begin / kPage && address / kPage <= (range.end - 1) / kPage;
}

// True when the fault was one of ours: the page is open now and the instruction can run again.
bool handle(uint64_t address, bool write) {
  Guards& all = guards();
  bool ours = false;
  for (const PageGuard& guard : all.pages) {
    if (!on_same_page(address, guard.range)) continue;
    ours = true;
    const bool inside = address >= guard.range.begin && address < guard.range.end;
    if (inside && (write || guard.device_writes))
      report_once(write, address, *guard.operation, guard.device_writes ? "writes" : "reads");
  }
  const Block* block = nullptr;
  const Allocation* allocation = DeviceMemory::instance().find(address);
  if (allocation != nullptr) block = block_starting(allocation->begin);
  if (block != nullptr && block->kind == MemoryKind::Managed && !all.kernels.empty()) {
    ours = true;
    HostAccess access{address, write, {}};
    for (const auto& kernel : all.kernels) {
      if (kernel->done) {
        compare(access, *kernel);
      } else {
        access.kernels.push_back(kernel);
      }
    }
    if (!access.kernels.empty()) all.accesses.push_back(std::move(access));
  }
  if (ours) protect(address, address + 1, kOpen);
  return ours;
}

void on_fault(int signal, siginfo_t* info, void* context) {
  constexpr uint64_t kWriteFault = 2;  // x86 page fault error code
  const auto* machine = static_cast<const ucontext_t*>(context);
  const bool write = (static_cast<uint64_t>(machine->uc_mcontext.gregs[REG_ERR]) & kWriteFault) != 0;
  const uint64_t address = address_of(info->si_addr);
  if (DeviceMemory::instance().in_arena(address)) {
    Guard guard;
    if (handle(address, write)) return;
  }
  // Only once: a handler that ends by raising the signal again must not come back here and to itself.
  struct sigaction previous {};
  std::swap(previous, guards().previous);
  if ((previous.sa_flags & SA_SIGINFO) != 0 && previous.sa_sigaction != nullptr) {
    previous.sa_sigaction(signal, info, context);
  } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
    previous.sa_handler(signal);
  } else {
    sigaction(SIGSEGV, &previous, nullptr);  // the instruction faults again and ends the program as usual
  }
}

/// On top of whatever handler is there now: a test framework installs one for each of its tests.
void install() {
  Guards& all = guards();
  struct sigaction action {};
  sigaction(SIGSEGV, nullptr, &action);
  if ((action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == on_fault) return;
  action = {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  sigaction(SIGSEGV, &action, &all.previous);
}

bool is_host_visible(const Footprint::Range& range) {
  const Allocation* allocation = DeviceMemory::instance().find(range.begin);
  if (allocation == nullptr || range.begin == range.end) return false;
  return allocation->kind == MemoryKind::Pinned || allocation->kind == MemoryKind::Managed;
}

}  // namespace

void guard_for(const std::shared_ptr<Operation>& operation) {
  Guards& all = guards();
  const size_t before = all.pages.size();
  const bool first_kernel = all.kernels.empty();
  if (std::holds_alternative<KernelWork>(operation->work)) {
    all.kernels.push_back(operation);
  } else if (!std::holds_alternative<AllocateWork>(operation->work)) {
    for (const auto& range : operation->footprint.writes)
      if (is_host_visible(range)) all.pages.push_back({operation, range, true});
    for (const auto& range : operation->footprint.reads)
      if (is_host_visible(range)) all.pages.push_back({operation, range, false});
  }
  if (all.pages.size() == before && (!first_kernel || all.kernels.empty())) return;
  install();
  if (all.open == 0) protect_all(true);
}

void open_guards() {
  if (guards().open++ == 0) protect_all(false);
}

void close_guards() {
  if (--guards().open == 0) protect_all(true);
}

void check_host_accesses(const Operation& operation) {
  for (HostAccess& access : guards().accesses) {
    const auto found = std::find_if(access.kernels.begin(), access.kernels.end(),
                                    [&](const auto& kernel) { return kernel.get() == &operation; });
    if (found == access.kernels.end()) continue;
    compare(access, operation);
    access.kernels.erase(found);
  }
  std::erase_if(guards().accesses, [](const HostAccess& access) { return access.kernels.empty(); });
}

void drop_guards() {
  Guards& all = guards();
  const auto seen = [](const Operation& operation) {
    return host_has_seen(operation.lane, operation.number);
  };
  const auto count = all.pages.size() + all.kernels.size();
  if (count == 0) return;
  if (all.open == 0) protect_all(false);
  std::erase_if(all.pages, [&](const PageGuard& guard) { return seen(*guard.operation); });
  std::erase_if(all.kernels, [&](const auto& kernel) { return seen(*kernel); });
  if (all.open == 0) protect_all(true);
}

void drop_all_guards() {
  Guards& all = guards();
  protect_all(false);
  all.pages.clear();
  all.kernels.clear();
  all.accesses.clear();
}

}  // namespace vgpu::runtime
