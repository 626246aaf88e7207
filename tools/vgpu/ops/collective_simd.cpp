// Warp collectives: shfl, vote, match, redux, activemask, elect and bar.warp.sync.
//
// The lanes that execute one of these may name different member masks: each set of lanes with the same mask
// acts on its own. An instruction waits until every live lane of every mask is at this pc. What CUDA leaves
// undefined gets a tame meaning here (a lane that reads from an absent one gets its own value) and a finding
// of the sync checker.
#include "core/block.h"
#include "core/observe.h"
#include "ops/simd_support.h"

namespace vgpu::VGPU_ISA {
namespace {

constexpr uint16_t kNegate = flag::kFree;    // vote of !p
constexpr uint16_t kAbs = flag::kFree << 1;  // redux.abs.f32

// Lanes that act together.
struct Group {
  uint32_t members = 0;  // the mask they name
  uint32_t lanes = 0;    // those that execute
  uint32_t present() const { return members & lanes; }
};

struct Groups {
  uint32_t count = 0;
  Group group[kLanes];
};

__attribute__((noinline, cold)) void report_members(Warp& w, const Inst& inst, const Group& g) {
  if ((enabled_checks() & static_cast<uint32_t>(Check::Sync)) == 0) return;
  VGPU_FOR_LANES(g.lanes & ~g.members, lane)
  finding(w, inst, Check::Sync, lane, "lane %u is not in its own member mask 0x%08x", lane, g.members);
  const uint32_t first = static_cast<uint32_t>(__builtin_ctz(g.lanes));
  VGPU_FOR_LANES(g.members & w.live & ~g.lanes, lane)
  finding(w, inst, Check::Sync, first, "lane %u is in the member mask 0x%08x but does not take part", lane,
          g.members);
}

VGPU_INLINE void check_members(Warp& w, const Inst& inst, const Group& g) {
  if (((g.lanes & ~g.members) | (g.members & w.live & ~g.lanes)) != 0) report_members(w, inst, g);
}

// Sorts the executing lanes by their member masks; false while a live member of one of them is still
// elsewhere.
VGPU_INLINE bool gather_groups(Warp& w, const Inst& inst, Ref ref, Groups& groups) {
  const uint32_t* members = lanes<uint32_t>(w, ref);
  uint32_t rest = w.exec, everybody = 0;
  groups.count = 0;
  while (rest != 0) {
    Group& g = groups.group[groups.count++];
    g.members = members[__builtin_ctz(rest)];
    g.lanes = rest;
    if ((ref & 1) == 0) {
      alignas(64) int32_t equal[kLanes];
      VGPU_LANE_LOOP equal[i] = members[i] == g.members ? -1 : 0;
      g.lanes &= sign_mask(equal);
    }
    everybody |= g.members;
    rest &= ~g.lanes;
  }
  if (!lanes_arrived(w, everybody)) return false;
  for (uint32_t k = 0; k < groups.count; ++k) check_members(w, inst, groups.group[k]);
  return true;
}

enum class Shuffle { Up, Down, Butterfly, Index };

// The lane that lane `i` reads from, -1 where that is out of its segment: PTX ISA, "shfl.sync".
template <Shuffle kMode>
VGPU_INLINE int32_t shuffle_source(int32_t i, int32_t b, int32_t c) {
  const int32_t segment = c >> 8 & 31, clamp = c & 31, offset = b & 31;
  const int32_t last = (i & segment) | (clamp & ~segment);
  int32_t j = 0;
  if (kMode == Shuffle::Up) j = i - offset;
  if (kMode == Shuffle::Down) j = i + offset;
  if (kMode == Shuffle::Butterfly) j = i ^ offset;
  if (kMode == Shuffle::Index) j = (i & segment) | (offset & ~segment);
  const bool inside = kMode == Shuffle::Up ? j >= last : j <= last;
  return inside ? j : -1;
}

__attribute__((noinline, cold)) void report_absent(Warp& w, const Inst& inst, uint32_t readers,
                                                   const int32_t* source) {
  if ((enabled_checks() & static_cast<uint32_t>(Check::Sync)) == 0) return;
  const uint32_t* members = lanes<uint32_t>(w, w.refs[inst.extra]);
  VGPU_FOR_LANES(readers, lane) {
    const bool is_named = (members[lane] >> source[lane] & 1) != 0;
    finding(w, inst, Check::Sync, lane, "shfl reads lane %d, which %s its member mask 0x%08x", source[lane],
            is_named ? "does not take part: absent lanes are named in" : "is not in", members[lane]);
  }
}

template <Shuffle kMode>
Status shuffle(Warp& w, const Inst& inst) {
  Groups groups;
  const uint32_t members = w.refs[inst.extra], inside = w.refs[inst.extra + 1];
  if (!gather_groups(w, inst, members, groups)) return Status::Blocked;
  alignas(64) uint32_t value[kLanes], present[kLanes];
  alignas(64) int32_t source[kLanes], absent[kLanes];
  const int32_t* b = lanes<int32_t>(w, inst.b);
  const int32_t* c = lanes<int32_t>(w, inst.c);
  memcpy(value, lanes<uint32_t>(w, inst.a), sizeof(value));
  if (groups.count == 1) {
    const uint32_t all = groups.group[0].present();
    VGPU_LANE_LOOP present[i] = all;
  } else {
    for (uint32_t k = 0; k < groups.count; ++k) {
      VGPU_FOR_LANES(groups.group[k].lanes, lane) present[lane] = groups.group[k].present();
    }
  }
  VGPU_LANE_LOOP source[i] = shuffle_source<kMode>(static_cast<int32_t>(i), b[i], c[i]);
  const uint32_t outside = sign_mask(source);
  VGPU_LANE_LOOP source[i] = source[i] < 0 ? static_cast<int32_t>(i) : source[i];
  // A lane that reads itself needs nobody, whether or not its own mask names it.
  VGPU_LANE_LOOP {
    const bool there = (present[i] >> source[i] & 1) != 0 || source[i] == static_cast<int32_t>(i);
    absent[i] = there ? 0 : -1;
  }
  const uint32_t readers = sign_mask(absent) & w.exec;
  if (readers != 0) {
    report_absent(w, inst, readers, source);
    VGPU_FOR_LANES(readers, lane) source[lane] = static_cast<int32_t>(lane);
  }
  store_lanes(w, lanes<uint32_t>(w, inst.d), [&](uint32_t i) { return value[source[i] & 31]; });
  if (inside != kNoRef) write_mask(w, inside, ~outside);
  return Status::Next;
}

enum class Vote { All, Any, Uniform, Ballot };

template <Vote kMode>
Status vote(Warp& w, const Inst& inst) {
  Groups groups;
  if (!gather_groups(w, inst, inst.b, groups)) return Status::Blocked;
  const uint32_t predicate = read_mask(w, inst.a) ^ (inst.flags & kNegate ? kAllLanes : 0u);
  uint32_t yes = 0;
  uint32_t* d = lanes<uint32_t>(w, inst.d);
  for (uint32_t k = 0; k < groups.count; ++k) {
    const Group& g = groups.group[k];
    const uint32_t ballot = predicate & g.present();
    if constexpr (kMode == Vote::Ballot) {
      VGPU_FOR_LANES(g.lanes, lane) d[lane] = ballot;
    } else {
      const bool all = ballot == g.present(), any = ballot != 0;
      const bool result = kMode == Vote::All ? all : kMode == Vote::Any ? any : all || !any;
      if (result) yes |= g.lanes;
    }
  }
  if constexpr (kMode != Vote::Ballot) write_mask(w, inst.d, yes);
  return Status::Next;
}

template <class T>
Status match_any(Warp& w, const Inst& inst) {
  Groups groups;
  if (!gather_groups(w, inst, inst.b, groups)) return Status::Blocked;
  T a[kLanes];
  memcpy(a, lanes<T>(w, inst.a), sizeof(a));
  uint32_t* d = lanes<uint32_t>(w, inst.d);
  for (uint32_t k = 0; k < groups.count; ++k) {
    const Group& g = groups.group[k];
    uint32_t rest = g.lanes;
    while (rest != 0) {
      const T value = a[__builtin_ctz(rest)];
      uint32_t equal = 0;
      for (uint32_t i = 0; i < kLanes; ++i) equal |= static_cast<uint32_t>(a[i] == value) << i;
      VGPU_FOR_LANES(equal & g.lanes, lane) d[lane] = equal & g.present();
      rest &= ~equal;
    }
  }
  return Status::Next;
}

template <class T>
Status match_all(Warp& w, const Inst& inst) {
  Groups groups;
  if (!gather_groups(w, inst, inst.b, groups)) return Status::Blocked;
  T a[kLanes];
  memcpy(a, lanes<T>(w, inst.a), sizeof(a));
  uint32_t* d = lanes<uint32_t>(w, inst.d);
  uint32_t yes = 0;
  for (uint32_t k = 0; k < groups.count; ++k) {
    const Group& g = groups.group[k];
    const T value = a[__builtin_ctz(g.lanes)];
    uint32_t different = 0;
    VGPU_FOR_LANES(g.present(), lane) different |= static_cast<uint32_t>(a[lane] != value);
    VGPU_FOR_LANES(g.lanes, lane) d[lane] = different != 0 ? 0 : g.present();
    if (different == 0) yes |= g.lanes;
  }
  if (inst.c != kNoRef) write_mask(w, inst.c, yes);
  return Status::Next;
}

struct Add {
  template <class T>
  static T apply(T x, T y, bool) {
    return x + y;
  }
};
struct And {
  template <class T>
  static T apply(T x, T y, bool) {
    return x & y;
  }
};
struct Or {
  template <class T>
  static T apply(T x, T y, bool) {
    return x | y;
  }
};
struct Xor {
  template <class T>
  static T apply(T x, T y, bool) {
    return x ^ y;
  }
};

// For floats: one NaN operand loses, unless .NaN was asked for; -0 is less than +0.
template <bool kMax>
struct MinMax {
  template <class T>
  static T apply(T x, T y, bool) {
    return (kMax ? x < y : y < x) ? y : x;
  }
  static float apply(float x, float y, bool keep_nan) {
    if (x != x || y != y) return keep_nan ? __builtin_nanf("") : x != x ? y : x;
    if (x == y) return (__builtin_signbit(x) != 0) == kMax ? y : x;
    return (kMax ? x < y : y < x) ? y : x;
  }
};

template <class T>
constexpr bool kIsFloat = false;
template <>
constexpr bool kIsFloat<float> = true;

template <class Op, class T>
Status redux(Warp& w, const Inst& inst) {
  Groups groups;
  if (!gather_groups(w, inst, inst.b, groups)) return Status::Blocked;
  const T* a = lanes<T>(w, inst.a);
  T result[kLanes] = {};
  const bool keep_nan = (inst.flags & flag::kNan) != 0;
  for (uint32_t k = 0; k < groups.count; ++k) {
    const Group& g = groups.group[k];
    const uint32_t present = g.present() != 0 ? g.present() : g.lanes;
    const uint32_t first = static_cast<uint32_t>(__builtin_ctz(present));
    T sum = a[first];
    if constexpr (kIsFloat<T>) {
      const bool absolute = (inst.flags & kAbs) != 0;
      if (absolute) sum = __builtin_fabsf(sum);
      VGPU_FOR_LANES(present, lane)
      sum = Op::apply(sum, absolute ? __builtin_fabsf(a[lane]) : a[lane], keep_nan);
      if (sum != sum) {
        const uint32_t canonical = 0x7FFFFFFFu;
        memcpy(&sum, &canonical, sizeof(sum));
      }
    } else {
      VGPU_FOR_LANES(present & (present - 1), lane) sum = Op::apply(sum, a[lane], keep_nan);
    }
    VGPU_FOR_LANES(g.lanes, lane) result[lane] = sum;
  }
  store_lanes(w, lanes<T>(w, inst.d), [&](uint32_t i) { return result[i]; });
  return Status::Next;
}

Status active_mask(Warp& w, const Inst& inst) {
  store_lanes(w, lanes<uint32_t>(w, inst.d), [&](uint32_t) { return w.exec; });
  return Status::Next;
}

Status elect(Warp& w, const Inst& inst) {
  Groups groups;
  if (!gather_groups(w, inst, inst.b, groups)) return Status::Blocked;
  uint32_t leaders = 0;
  uint32_t* d = lanes<uint32_t>(w, inst.d);
  for (uint32_t k = 0; k < groups.count; ++k) {
    const Group& g = groups.group[k];
    const uint32_t leader = static_cast<uint32_t>(__builtin_ctz(g.present() != 0 ? g.present() : g.lanes));
    leaders |= 1u << leader;
    VGPU_FOR_LANES(g.lanes, lane) d[lane] = leader;
  }
  write_mask(w, inst.c, leaders);
  return Status::Next;
}

Status warp_barrier(Warp& w, const Inst& inst) {
  Groups groups;
  if (!gather_groups(w, inst, inst.a, groups)) return Status::Blocked;
  Observer* observer = w.block->launch->observer;
  for (uint32_t k = 0; k < groups.count; ++k) {
    ++w.warp_phase;
    if (observer != nullptr) observer->warp_barrier(w, groups.group[k].members);
  }
  return Status::Next;
}

}  // namespace

const HandlerEntry kCollectiveHandlers[] = {
    {"shfl.up", shuffle<Shuffle::Up>},
    {"shfl.down", shuffle<Shuffle::Down>},
    {"shfl.bfly", shuffle<Shuffle::Butterfly>},
    {"shfl.idx", shuffle<Shuffle::Index>},
    {"vote.all", vote<Vote::All>},
    {"vote.any", vote<Vote::Any>},
    {"vote.uni", vote<Vote::Uniform>},
    {"vote.ballot", vote<Vote::Ballot>},
    {"match.any.b32", match_any<uint32_t>},
    {"match.any.b64", match_any<uint64_t>},
    {"match.all.b32", match_all<uint32_t>},
    {"match.all.b64", match_all<uint64_t>},
    {"redux.add.u32", redux<Add, uint32_t>},
    {"redux.add.s32", redux<Add, uint32_t>},
    {"redux.min.u32", redux<MinMax<false>, uint32_t>},
    {"redux.min.s32", redux<MinMax<false>, int32_t>},
    {"redux.min.f32", redux<MinMax<false>, float>},
    {"redux.max.u32", redux<MinMax<true>, uint32_t>},
    {"redux.max.s32", redux<MinMax<true>, int32_t>},
    {"redux.max.f32", redux<MinMax<true>, float>},
    {"redux.and.b32", redux<And, uint32_t>},
    {"redux.or.b32", redux<Or, uint32_t>},
    {"redux.xor.b32", redux<Xor, uint32_t>},
    {"activemask", active_mask},
    {"elect", elect},
    {"bar.warp", warp_barrier},
    {nullptr, nullptr},
};

}  // namespace vgpu::VGPU_ISA
