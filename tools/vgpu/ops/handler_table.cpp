// Picks the instruction set once and gathers its tables.
#include "ops/handler_table.h"

#include <cstdlib>
#include <string_view>
#include <unordered_map>

#include "core/report.h"
#include "core/settings.h"

namespace vgpu {
namespace {

using Map = std::unordered_map<std::string_view, Handler>;

bool has_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
}

bool choose_avx512() {
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !__builtin_cpu_supports("f16c") ||
      !__builtin_cpu_supports("bmi2")) {
    report_line("this processor lacks AVX2, FMA, F16C or BMI2, which the virtual GPU needs");
    std::_Exit(69);
  }
  const char* cap = std::getenv("VGPU_ISA");
  const std::string_view name = cap == nullptr ? "" : cap;
  if (name == "avx2") return false;
  if (name == "avx512" && !has_avx512()) {
    refuse_setting("VGPU_ISA", "avx2, as this processor has no AVX-512", name);
  }
  if (!name.empty() && name != "avx512") {
    refuse_setting("VGPU_ISA", "avx2 or avx512", name);
  }
  return has_avx512();
}

bool use_avx512() {
  static const bool chosen = choose_avx512();
  return chosen;
}

#define VGPU_ALL_TABLES(ISA)                                                                       \
  {                                                                                                \
    ISA::kIntegerHandlers, ISA::kBitHandlers, ISA::kCompareHandlers, ISA::kFloatHandlers,          \
        ISA::kHalfHandlers, ISA::kConvertHandlers, ISA::kFloatConvertHandlers, ISA::kMoveHandlers, \
        ISA::kLoadHandlers, ISA::kStoreHandlers, ISA::kAtomicHandlers, ISA::kCollectiveHandlers,   \
        ISA::kTensorHandlers, ISA::kMmaHandlers, ISA::kWmmaHandlers, ISA::kAsyncHandlers           \
  }

Map gather() {
  const HandlerEntry* const avx2_tables[] = VGPU_ALL_TABLES(avx2);
  const HandlerEntry* const avx512_tables[] = VGPU_ALL_TABLES(avx512);
  Map map;
  for (const HandlerEntry* table : use_avx512() ? avx512_tables : avx2_tables)
    for (const HandlerEntry* entry = table; entry->name != nullptr; ++entry)
      map.emplace(entry->name, entry->run);
  return map;
}

}  // namespace

Handler find_handler(const char* name) {
  static const Map map = gather();
  const auto found = map.find(name);
  return found == map.end() ? nullptr : found->second;
}

const char* active_isa() {
  return use_avx512() ? "avx512" : "avx2";
}

}  // namespace vgpu
