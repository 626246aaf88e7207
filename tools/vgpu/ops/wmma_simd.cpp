// wmma.load and wmma.store: fragments between memory and registers.
//
// Each register is one access of the warp (4 or 8 bytes a lane) where a lane's packed elements are neighbours
// in memory, and one for each packed element where they are not. Copies of a register are loaded once.
#include "ops/memory_support.h"
#include "ops/tensor_support.h"
#include "ops/wmma_layout.h"

namespace vgpu::VGPU_ISA {
namespace {

constexpr uint32_t kMostRegisters = 8;

struct Place {
  uint32_t row, column;
};

// Element `e` of register `reg` in lane `lane`, in the tiles' view of the matrix.
VGPU_INLINE Place place_of(const FragmentWords& f, uint32_t reg, uint32_t lane, uint32_t e) {
  TileOrigin tile;
  uint32_t column = lane % 4 * f.packed + e;
  if (f.role == static_cast<uint32_t>(FragmentRole::A)) {
    tile = tile_of_a(f.rows, f.columns, 4 * f.packed, reg);
  } else if (f.role == static_cast<uint32_t>(FragmentRole::B)) {
    tile = tile_of_b(f.columns, 4 * f.packed, reg);
  } else if (f.packed == 2) {
    tile = tile_of_c(f.rows, f.columns, reg);
  } else {
    tile = tile_of_c(f.rows, f.columns, reg / 2);
    column = lane % 4 * 2 + reg % 2;
  }
  return {tile.row + lane / 4, tile.column + column};
}

// Everything an instruction needs again and again. `step` is the instruction with the addresses of one access
// as base.
struct FragmentAccess {
  FragmentWords fragment;
  const Ref* registers;
  Inst step;
  uint64_t base[kLanes];
  uint32_t stride[kLanes];
};

VGPU_INLINE void prepare(Warp& w, const Inst& inst, FragmentAccess& a) {
  memcpy(&a.fragment, w.refs + inst.extra, sizeof(a.fragment));
  a.registers = w.refs + inst.extra + kFragmentWords;
  a.step = inst;
  a.step.a = inst.d;
  const bool is32 = (inst.flags & memory_flag::kIs32) != 0;
  for (uint32_t i = 0; i < kLanes; ++i) {
    if (inst.a == kNoRef)
      a.base[i] = 0;
    else
      a.base[i] = is32 ? lanes<uint32_t>(w, inst.a)[i] : lanes<uint64_t>(w, inst.a)[i];
    a.stride[i] = inst.b == kNoRef ? (a.fragment.along ? a.fragment.columns : a.fragment.rows)
                                   : lanes<uint32_t>(w, inst.b)[i];
  }
}

// Addresses of element `e` of register `reg` of every lane, checked; the observer has been told.
template <uint32_t kBytes>
VGPU_INLINE void resolve_element(Warp& w, const Inst& inst, FragmentAccess& a, AccessKind kind, uint32_t reg,
                                 uint32_t e, Resolved& r) {
  const bool is32 = (a.step.flags & memory_flag::kIs32) != 0;
  for (uint32_t i = 0; i < kLanes; ++i) {
    const Place at = place_of(a.fragment, reg, i, e);
    const uint64_t elements = a.fragment.along ? uint64_t{at.row} * a.stride[i] + at.column
                                               : uint64_t{at.column} * a.stride[i] + at.row;
    const uint64_t address = a.base[i] + elements * a.fragment.bits / 8;
    if (is32)
      lanes<uint32_t>(w, a.step.a)[i] = static_cast<uint32_t>(address);
    else
      lanes<uint64_t>(w, a.step.a)[i] = address;
  }
  const uint32_t element = a.fragment.bits < 8 ? 1 : a.fragment.bits / 8;
  const MemoryRequest request = request_of(a.step, w.exec, kBytes, element, kind);
  const bool legal = request.space == ptx::Space::Shared
                         ? resolve_shared<kBytes>(w, a.step, r)
                         : resolve_global<kBytes>(w, a.step, kind == AccessKind::Store, r);
  if (!legal) resolve_slow(w, a.step, request, r);
  if (w.block->launch->observer != nullptr) announce(w, inst, request, r);
}

template <class T>
VGPU_INLINE void load_element(Warp& w, const Inst& inst, FragmentAccess& a, uint32_t reg, uint32_t e,
                              T* out) {
  Resolved r;
  resolve_element<sizeof(T)>(w, inst, a, AccessKind::Load, reg, e, r);
  VGPU_FOR_LANES(w.exec, i)
  memcpy(out + i, reinterpret_cast<const void*>(lane_address<sizeof(T)>(r, i)), sizeof(T));
}

template <class T>
VGPU_INLINE void store_element(Warp& w, const Inst& inst, FragmentAccess& a, uint32_t reg, uint32_t e,
                               const T* in) {
  Resolved r;
  resolve_element<sizeof(T)>(w, inst, a, AccessKind::Store, reg, e, r);
  VGPU_FOR_LANES(w.exec, i) memcpy(reinterpret_cast<void*>(lane_address<sizeof(T)>(r, i)), in + i, sizeof(T));
}

template <class T>
VGPU_INLINE void load_scattered(Warp& w, const Inst& inst, FragmentAccess& a, uint32_t reg, uint32_t* out) {
  for (uint32_t e = 0; e < a.fragment.packed; ++e) {
    T part[kLanes] = {};
    load_element(w, inst, a, reg, e, part);
    for (uint32_t i = 0; i < kLanes; ++i) out[i] |= static_cast<uint32_t>(part[i]) << e * a.fragment.bits;
  }
}

template <class T>
VGPU_INLINE void store_scattered(Warp& w, const Inst& inst, FragmentAccess& a, uint32_t reg,
                                 const uint32_t* in) {
  for (uint32_t e = 0; e < a.fragment.packed; ++e) {
    T part[kLanes];
    for (uint32_t i = 0; i < kLanes; ++i) part[i] = static_cast<T>(in[i] >> e * a.fragment.bits);
    store_element(w, inst, a, reg, e, part);
  }
}

template <class Lane>
Status load_fragment(Warp& w, const Inst& inst) {
  if (!whole_warp(w, inst)) return Status::Blocked;
  FragmentAccess a;
  prepare(w, inst, a);
  for (uint32_t reg = 0; reg < a.fragment.distinct; ++reg) {
    Lane value[kLanes] = {};
    if (sizeof(Lane) == 8 || a.fragment.packed == 1 || a.fragment.along)
      load_element(w, inst, a, reg, 0, value);
    else if (a.fragment.bits == 16)
      load_scattered<uint16_t>(w, inst, a, reg, reinterpret_cast<uint32_t*>(value));
    else
      load_scattered<uint8_t>(w, inst, a, reg, reinterpret_cast<uint32_t*>(value));
    for (uint32_t copy = reg; copy < a.fragment.registers; copy += a.fragment.distinct)
      store_register(w, a.registers[copy], value);
  }
  return Status::Next;
}

template <class Lane>
Status store_fragment(Warp& w, const Inst& inst) {
  if (!whole_warp(w, inst)) return Status::Blocked;
  FragmentAccess a;
  prepare(w, inst, a);
  Lane value[kMostRegisters]
            [kLanes];  // copied before addresses are written: those may reuse a register's bytes
  for (uint32_t reg = 0; reg < a.fragment.distinct; ++reg)
    memcpy(value[reg], lanes<Lane>(w, a.registers[reg]), sizeof(value[reg]));
  for (uint32_t reg = 0; reg < a.fragment.distinct; ++reg) {
    if (sizeof(Lane) == 8 || a.fragment.packed == 1 || a.fragment.along)
      store_element(w, inst, a, reg, 0, value[reg]);
    else
      store_scattered<uint16_t>(w, inst, a, reg, reinterpret_cast<const uint32_t*>(value[reg]));
  }
  return Status::Next;
}

}  // namespace

const HandlerEntry kWmmaHandlers[] = {
    {"wmma.load.b32", load_fragment<uint32_t>},
    {"wmma.load.b64", load_fragment<uint64_t>},
    {"wmma.store.b32", store_fragment<uint32_t>},
    {"wmma.store.b64", store_fragment<uint64_t>},
    {nullptr, nullptr},
};

}  // namespace vgpu::VGPU_ISA
