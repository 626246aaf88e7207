// Addresses of memory instructions, lane by lane: every space, every check, every fault's wording.
//
// Errors are the ones a driver reports: 700 for an illegal address in any space, 716 for a misaligned one.
#include "ops/memory_slow.h"

#include <memory>
#include <string>

#include "core/device_memory.h"
#include "core/program.h"

namespace vgpu {

using ptx::Space;

__thread RangeCache* range_cache = nullptr;
uint64_t memory_generation = 1;

RangeCache* fresh_range_cache() {
  static thread_local std::unique_ptr<RangeCache>
      owner;  // range_cache itself must stay a plain pointer to be quick
  if (owner == nullptr) owner = std::make_unique<RangeCache>();
  *owner = RangeCache();
  owner->generation = __atomic_load_n(&memory_generation, __ATOMIC_ACQUIRE);
  range_cache = owner.get();
  return range_cache;
}

namespace {

constexpr int kIllegalAddress = 700;
constexpr int kMisalignedAddress = 716;
constexpr uint64_t kNullPage = 4096;

const char* name_of(Space space) {
  switch (space) {
    case Space::Shared:
      return "shared";
    case Space::Local:
      return "local";
    case Space::Const:
      return "const";
    case Space::Param:
      return "parameter";
    case Space::Generic:
      return "generic";
    default:
      return "global";
  }
}

const char* name_of(AccessKind kind) {
  switch (kind) {
    case AccessKind::Store:
      return "write";
    case AccessKind::Atomic:
      return "atomic";
    case AccessKind::AsyncCopyIssue:
      return "asynchronous write";
    case AccessKind::AsyncCopyWrite:
      return "asynchronous write";
    case AccessKind::AsyncCopyRead:
      return "asynchronous read";
    default:
      return "read";
  }
}

bool writes(AccessKind kind) {
  return kind != AccessKind::Load && kind != AccessKind::AsyncCopyRead;
}

// The lane at hand, for one fault's text.
struct Place {
  Warp& w;
  const Inst& inst;
  const MemoryRequest& request;
  uint32_t lane;
  uint64_t address;
};

[[noreturn]] void fault_misaligned(const Place& at, Space space) {
  fault(at.w, at.inst, kMisalignedAddress, at.lane, "misaligned %s %s of %u bytes at 0x%llx", name_of(space),
        name_of(at.request.kind), at.request.bytes, static_cast<unsigned long long>(at.address));
}

[[noreturn]] void fault_window(const Place& at, Space space, uint64_t offset, uint64_t size) {
  const char* owner = space == Space::Shared  ? "bytes of shared memory of the block"
                      : space == Space::Local ? "bytes of local memory of the thread"
                                              : "bytes of parameters of the kernel";
  const unsigned long long distance = offset >= size ? offset - size : 0;
  const unsigned long long at_byte = offset, size_bytes = size;
  if (offset < size) {
    fault(at.w, at.inst, kIllegalAddress, at.lane,
          "out-of-bounds %s %s of %u bytes at 0x%llx: crosses the end of the %llu %s", name_of(space),
          name_of(at.request.kind), at.request.bytes, at_byte, size_bytes, owner);
  }
  fault(at.w, at.inst, kIllegalAddress, at.lane,
        "out-of-bounds %s %s of %u bytes at 0x%llx: %llu bytes past the end of the %llu %s", name_of(space),
        name_of(at.request.kind), at.request.bytes, at_byte, distance, size_bytes, owner);
}

[[noreturn]] void fault_global(const Place& at, Space space) {
  const DeviceMemory& memory = DeviceMemory::instance();
  const unsigned long long address = at.address;
  const char* access = name_of(at.request.kind);
  if (at.address < kNullPage) {
    fault(at.w, at.inst, kIllegalAddress, at.lane, "null pointer: %s %s of %u bytes at 0x%llx",
          name_of(space), access, at.request.bytes, address);
  }
  const Allocation* allocation = memory.nearest(at.address);
  const bool within =
      allocation != nullptr && at.address >= allocation->begin && at.address < allocation->end;
  const std::string where = memory.describe(at.address);
  const char* what = within && allocation->freed ? "use after free:" : "out-of-bounds";
  if (within && !allocation->freed && at.address + at.request.bytes <= allocation->end)
    what = "read-only memory:";
  fault(at.w, at.inst, kIllegalAddress, at.lane, "%s %s %s of %u bytes at 0x%llx: %s", what, name_of(space),
        access, at.request.bytes, address, where.c_str());
}

bool read_only(const Allocation& allocation) {
  return allocation.read_only || allocation.kind == MemoryKind::Parameters;
}

// Offset within shared, local or parameter memory to a host address.
uint64_t in_window(const Place& at, Space space, uint64_t offset) {
  const Block& block = *at.w.block;
  const Launch& launch = *block.launch;
  uint64_t size = launch.shared_bytes;
  if (space == Space::Local) size = launch.local_bytes;
  if (space == Space::Param) size = launch.kernel->param_bytes;
  if (offset % at.request.alignment != 0) fault_misaligned(at, space);
  if (offset > size || size - offset < at.request.bytes) fault_window(at, space, offset, size);
  if (space == Space::Shared) return reinterpret_cast<uint64_t>(block.shared) + offset;
  if (space == Space::Param) return reinterpret_cast<uint64_t>(launch.arguments) + offset;
  return reinterpret_cast<uint64_t>(at.w.local_memory) + uint64_t{at.lane} * block.local_stride + offset;
}

uint64_t in_global(const Place& at, Space space) {
  MemoryRange& range = cached_range(at.inst, writes(at.request.kind));
  if (at.address % at.request.alignment != 0) fault_misaligned(at, space);
  if (at.address >= range.begin && at.address < range.end && range.end - at.address >= at.request.bytes)
    return at.address;
  const Allocation* allocation = DeviceMemory::instance().find(at.address);
  if (allocation == nullptr || allocation->end - at.address < at.request.bytes) fault_global(at, space);
  if (writes(at.request.kind) && read_only(*allocation)) fault_global(at, space);
  range = {allocation->begin, allocation->end};
  return at.address;
}

uint64_t raw_address(Warp& w, const MemoryRequest& request, uint32_t lane) {
  uint64_t address = static_cast<uint64_t>(request.offset) + (request.in_frame ? w.local_base : 0);
  if (request.base != kNoRef) {
    if (request.is32) return static_cast<uint32_t>(address + lanes<uint32_t>(w, request.base)[lane]);
    address += lanes<uint64_t>(w, request.base)[lane];
  }
  return address;
}

// One lane's host address; sets the masks for shared and local memory.
uint64_t translate(const Place& at, Resolved& out) {
  Space space = at.request.space;
  uint64_t offset = at.address;
  if (space == Space::Generic || space == Space::None) {
    space = Space::Generic;
    if (offset - kSharedWindow < kWindowSize) {
      space = Space::Shared;
      offset -= kSharedWindow;
    } else if (offset - kLocalWindow < kWindowSize) {
      space = Space::Local;
      offset -= kLocalWindow;
    }
  }
  if (space == Space::Shared) out.shared_mask |= 1u << at.lane;
  if (space == Space::Local) out.local_mask |= 1u << at.lane;
  if (space == Space::Shared || space == Space::Local || space == Space::Param)
    return in_window(at, space, offset);
  return in_global(at, space == Space::Generic ? Space::Global : space);
}

}  // namespace

MemoryRequest request_of(const Inst& inst, uint32_t mask, uint32_t bytes, uint32_t element, AccessKind kind) {
  MemoryRequest request;
  request.space = space_of(inst);
  request.kind = kind;
  request.mask = mask;
  request.bytes = request.alignment = bytes;
  request.element = element;
  request.base = inst.a;
  request.is32 = (inst.flags & memory_flag::kIs32) != 0;
  request.in_frame = (inst.flags & memory_flag::kFrame) != 0;
  request.strong = (inst.flags & memory_flag::kStrong) != 0 || kind == AccessKind::Atomic;
  request.offset = inst.imm;
  return request;
}

void resolve_slow(Warp& w, const Inst& inst, const MemoryRequest& request, Resolved& out) {
  out.pattern = Pattern::General;
  out.shared_mask = out.local_mask = 0;
  VGPU_FOR_LANES(request.mask, i) {
    const Place at{w, inst, request, i, raw_address(w, request, i)};
    out.address[i] = translate(at, out);
  }
  if (request.mask == 0) return;
  out.first = out.address[__builtin_ctz(request.mask)];
  bool uniform = true, row = request.mask == 0xFFFFFFFFu;
  VGPU_FOR_LANES(request.mask, i) {
    uniform = uniform && out.address[i] == out.first;
    row = row && out.address[i] == out.first + uint64_t{i} * request.bytes;
  }
  if (uniform) out.pattern = Pattern::Uniform;
  if (row) out.pattern = Pattern::Contiguous;
}

void announce(Warp& w, const Inst& inst, const MemoryRequest& request, Resolved& r) {
  if (r.pattern != Pattern::General && request.mask != 0) r.address[__builtin_ctz(request.mask)] = r.first;
  const bool mixed = request.space == Space::Generic || request.space == Space::None;
  const uint32_t windows = r.shared_mask | r.local_mask;
  Access access;
  access.kind = request.kind;
  access.pattern = r.pattern;
  access.strong = request.strong;
  access.element = static_cast<uint8_t>(request.element);
  access.bytes = static_cast<uint8_t>(request.bytes);
  access.address = r.address;
  const auto tell = [&](Space space, uint32_t mask) {
    if (mask == 0) return;
    access.space = space;
    access.mask = mask;
    w.block->launch->observer->access(w, inst, access);
  };
  if (!mixed) {
    tell(request.space, request.mask);
    return;
  }
  tell(Space::Global, request.mask & ~windows);
  tell(Space::Shared, request.mask & r.shared_mask);
  tell(Space::Local, request.mask & r.local_mask);
}

uint8_t* resolve_generic(Warp& w, const Inst& inst, uint32_t lane, uint64_t address, uint32_t bytes,
                         bool write) {
  MemoryRequest request;
  request.kind = write ? AccessKind::Store : AccessKind::Load;
  request.bytes = bytes;
  request.alignment = 1;
  Resolved out;
  return reinterpret_cast<uint8_t*>(translate({w, inst, request, lane, address}, out));
}

uint64_t generic_extent(Warp& w, const Inst& inst, uint32_t lane, uint64_t address) {
  resolve_generic(w, inst, lane, address, 1, false);
  const Launch& launch = *w.block->launch;
  if (address - kSharedWindow < kWindowSize) return launch.shared_bytes - (address - kSharedWindow);
  if (address - kLocalWindow < kWindowSize) return launch.local_bytes - (address - kLocalWindow);
  return DeviceMemory::instance().find(address)->end - address;
}

}  // namespace vgpu
