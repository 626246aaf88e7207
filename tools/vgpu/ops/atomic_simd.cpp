// Atomics and reductions.
//
// The lanes go one after the other in ascending order, so a result is the same on every run of one block.
// Global memory is shared with the interpreter's other threads and takes a host compare-and-swap; shared and
// local memory belong to blocks that run on one thread. Elements of a vector are atomic one by one, as PTX
// has it.
#include "ops/memory_resolve.h"
#include "ops/simd_float.h"

namespace vgpu::VGPU_ISA {
namespace {

using Wide = unsigned __int128;

// Operations: apply(old, b, c, flush); `flush` is set for global memory, where f32 additions lose subnormals.
struct And {
  template <class T>
  VGPU_FORCE static T apply(T old, T b, T, bool) {
    return old & b;
  }
};
struct Or {
  template <class T>
  VGPU_FORCE static T apply(T old, T b, T, bool) {
    return old | b;
  }
};
struct Xor {
  template <class T>
  VGPU_FORCE static T apply(T old, T b, T, bool) {
    return old ^ b;
  }
};
struct Exchange {
  template <class T>
  VGPU_FORCE static T apply(T, T b, T, bool) {
    return b;
  }
};
struct CompareAndSwap {
  template <class T>
  VGPU_FORCE static T apply(T old, T b, T c, bool) {
    return old == b ? c : old;
  }
};
struct Add {
  template <class T>
  VGPU_FORCE static T apply(T old, T b, T, bool) {
    return old + b;
  }
};
struct Min {
  template <class T>
  VGPU_FORCE static T apply(T old, T b, T, bool) {
    return b < old ? b : old;
  }
};
struct Max {
  template <class T>
  VGPU_FORCE static T apply(T old, T b, T, bool) {
    return b > old ? b : old;
  }
};
struct Increment {
  VGPU_FORCE static uint32_t apply(uint32_t old, uint32_t b, uint32_t, bool) {
    return old >= b ? 0 : old + 1;
  }
};
struct Decrement {
  VGPU_FORCE static uint32_t apply(uint32_t old, uint32_t b, uint32_t, bool) {
    return old == 0 || old > b ? b : old - 1;
  }
};
struct AddFloat {
  VGPU_FORCE static uint32_t apply(uint32_t old, uint32_t b, uint32_t, bool flushing) {
    float x = bits_as<float>(old), y = bits_as<float>(b);
    if (!flushing) return bits_as<uint32_t>(canonical(x + y));
    return bits_as<uint32_t>(flush(canonical(flush(x) + flush(y))));
  }
};
struct AddDouble {
  VGPU_FORCE static uint64_t apply(uint64_t old, uint64_t b, uint64_t, bool) {
    return bits_as<uint64_t>(bits_as<double>(old) + bits_as<double>(b));
  }
};

// 16-bit formats: a sum rounded to float and then once more is the sum rounded once (24 >= 2 * 11 + 2).
struct HalfFormat {
  VGPU_FORCE static float widen(uint16_t x) { return _cvtsh_ss(x); }
  VGPU_FORCE static uint16_t shorten(float x) {
    return x == x ? static_cast<uint16_t>(_cvtss_sh(x, _MM_FROUND_TO_NEAREST_INT)) : uint16_t{0x7FFF};
  }
};
struct BrainFormat {
  VGPU_FORCE static float widen(uint16_t x) { return bfloat_to_float(x); }
  VGPU_FORCE static uint16_t shorten(float x) { return float_to_bfloat(x); }
};

enum class Combine { Add, Min, Max };

// min and max: a NaN loses against a number, -0 is less than +0.
template <Combine kHow>
VGPU_INLINE float combine(float x, float y) {
  if (kHow == Combine::Add) return x + y;
  if (x != x || y != y) return x != x ? y : x;
  if (x == y) return (bits_as<uint32_t>(x) >> 31 != 0) == (kHow == Combine::Min) ? x : y;
  return (x < y) == (kHow == Combine::Min) ? x : y;
}

template <class Format, Combine kHow>
struct Narrow {
  VGPU_FORCE static uint16_t apply(uint16_t old, uint16_t b, uint16_t, bool) {
    return Format::shorten(combine<kHow>(Format::widen(old), Format::widen(b)));
  }
  VGPU_FORCE static uint32_t apply(uint32_t old, uint32_t b, uint32_t, bool) {
    const uint16_t low = apply(static_cast<uint16_t>(old), static_cast<uint16_t>(b), uint16_t{0}, false);
    const uint16_t high =
        apply(static_cast<uint16_t>(old >> 16), static_cast<uint16_t>(b >> 16), uint16_t{0}, false);
    return static_cast<uint32_t>(high) << 16 | low;
  }
};

template <class T>
VGPU_INLINE bool swap_if_equal(T* at, T& expected, T fresh) {
  return __atomic_compare_exchange_n(at, &expected, fresh, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}
// Written out, as compilers call a library for 16 bytes.
VGPU_INLINE bool swap_if_equal(Wide* at, Wide& expected, Wide fresh) {
  uint64_t low = static_cast<uint64_t>(expected), high = static_cast<uint64_t>(expected >> 64);
  bool equal;
  asm volatile("lock cmpxchg16b %1"
               : "=@ccz"(equal), "+m"(*at), "+a"(low), "+d"(high)
               : "b"(static_cast<uint64_t>(fresh)), "c"(static_cast<uint64_t>(fresh >> 64))
               : "memory");
  expected = static_cast<Wide>(high) << 64 | low;
  return equal;
}

// One lane's operation; returns what was there. `own`: no other thread can see the memory.
template <class T, class Op>
VGPU_INLINE T update(T* at, T b, T c, bool own) {
  T old = *at;
  if (own) {
    *at = Op::apply(old, b, c, false);
    return old;
  }
  for (;;) {
    const T fresh = Op::apply(old, b, c, true);
    if (swap_if_equal(at, old, fresh)) return old;
  }
}

template <class T, class Op, uint32_t N>
Status atomic(Warp& w, const Inst& inst) {
  if (w.exec == 0) return Status::Next;
  Resolved r;
  resolve<sizeof(T) * N>(w, inst, AccessKind::Atomic, sizeof(T), r);
  const uint32_t own = r.shared_mask | r.local_mask;
  if constexpr (N == 1) {
    const T* b = lanes<T>(w, inst.b);
    const T* c = inst.c == kNoRef ? b : lanes<T>(w, inst.c);
    T* d = inst.d == kNoRef ? nullptr : lanes<T>(w, inst.d);
    VGPU_FOR_LANES(w.exec, i) {
      T* at = reinterpret_cast<T*>(lane_address<sizeof(T)>(r, i));
      const T old = update<T, Op>(at, b[i], c[i], (own >> i & 1) != 0);
      if (d != nullptr) d[i] = old;
    }
  } else {
    alignas(64) T value[N][kLanes];  // a copy: results may take the place of operands
    for (uint32_t e = 0; e < N; ++e) memcpy(value[e], lanes<T>(w, w.refs[inst.extra + e]), sizeof(value[e]));
    const bool wanted = inst.d != kNoRef;
    VGPU_FOR_LANES(w.exec, i) {
      T* at = reinterpret_cast<T*>(lane_address<sizeof(T) * N>(r, i));
      for (uint32_t e = 0; e < N; ++e) {
        const T old = update<T, Op>(at + e, value[e][i], value[e][i], (own >> i & 1) != 0);
        if (wanted) lanes<T>(w, w.refs[inst.extra + N + e])[i] = old;
      }
    }
  }
  return Status::Next;
}

}  // namespace

#define VGPU_NARROW(NAME, FORMAT)                                                                       \
  VGPU_NARROW_OP("add." NAME, FORMAT, Combine::Add), VGPU_NARROW_OP("min." NAME, FORMAT, Combine::Min), \
      VGPU_NARROW_OP("max." NAME, FORMAT, Combine::Max)
#define VGPU_NARROW_OP(NAME, FORMAT, HOW)                                 \
  {"atom." NAME ".v1", atomic<uint16_t, Narrow<FORMAT, HOW>, 1>},         \
      {"atom." NAME ".v2", atomic<uint16_t, Narrow<FORMAT, HOW>, 2>},     \
      {"atom." NAME ".v4", atomic<uint16_t, Narrow<FORMAT, HOW>, 4>},     \
      {"atom." NAME ".v8", atomic<uint16_t, Narrow<FORMAT, HOW>, 8>},     \
      {"atom." NAME "x2.v1", atomic<uint32_t, Narrow<FORMAT, HOW>, 1>},   \
      {"atom." NAME "x2.v2", atomic<uint32_t, Narrow<FORMAT, HOW>, 2>}, { \
    "atom." NAME "x2.v4", atomic<uint32_t, Narrow<FORMAT, HOW>, 4>        \
  }

// "atom.", operation, type class, vector width: for atom and red alike.
const HandlerEntry kAtomicHandlers[] = {
    {"atom.and.b32.v1", atomic<uint32_t, And, 1>},
    {"atom.and.b64.v1", atomic<uint64_t, And, 1>},
    {"atom.or.b32.v1", atomic<uint32_t, Or, 1>},
    {"atom.or.b64.v1", atomic<uint64_t, Or, 1>},
    {"atom.xor.b32.v1", atomic<uint32_t, Xor, 1>},
    {"atom.xor.b64.v1", atomic<uint64_t, Xor, 1>},
    {"atom.exch.b32.v1", atomic<uint32_t, Exchange, 1>},
    {"atom.exch.b64.v1", atomic<uint64_t, Exchange, 1>},
    {"atom.exch.b128.v1", atomic<Wide, Exchange, 1>},
    {"atom.cas.b16.v1", atomic<uint16_t, CompareAndSwap, 1>},
    {"atom.cas.b32.v1", atomic<uint32_t, CompareAndSwap, 1>},
    {"atom.cas.b64.v1", atomic<uint64_t, CompareAndSwap, 1>},
    {"atom.cas.b128.v1", atomic<Wide, CompareAndSwap, 1>},
    {"atom.add.b32.v1", atomic<uint32_t, Add, 1>},
    {"atom.add.b64.v1", atomic<uint64_t, Add, 1>},
    {"atom.inc.b32.v1", atomic<uint32_t, Increment, 1>},
    {"atom.dec.b32.v1", atomic<uint32_t, Decrement, 1>},
    {"atom.min.u32.v1", atomic<uint32_t, Min, 1>},
    {"atom.min.s32.v1", atomic<int32_t, Min, 1>},
    {"atom.min.u64.v1", atomic<uint64_t, Min, 1>},
    {"atom.min.s64.v1", atomic<int64_t, Min, 1>},
    {"atom.max.u32.v1", atomic<uint32_t, Max, 1>},
    {"atom.max.s32.v1", atomic<int32_t, Max, 1>},
    {"atom.max.u64.v1", atomic<uint64_t, Max, 1>},
    {"atom.max.s64.v1", atomic<int64_t, Max, 1>},
    {"atom.add.f32.v1", atomic<uint32_t, AddFloat, 1>},
    {"atom.add.f32.v2", atomic<uint32_t, AddFloat, 2>},
    {"atom.add.f32.v4", atomic<uint32_t, AddFloat, 4>},
    {"atom.add.f64.v1", atomic<uint64_t, AddDouble, 1>},
    VGPU_NARROW("f16", HalfFormat),
    VGPU_NARROW("bf16", BrainFormat),
    {nullptr, nullptr},
};

}  // namespace vgpu::VGPU_ISA
