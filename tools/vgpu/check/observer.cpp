// Which checkers run, and the way of events to them.
#include "check/observer.h"

#include "core/report.h"
#include "core/settings.h"
#include "ops/handler_table.h"

namespace vgpu {

namespace avx2 {
extern const check::Kernels kCheckKernels;
}
namespace avx512 {
extern const check::Kernels kCheckKernels;
}

namespace check {
namespace {

bool is_on(uint32_t checks, Check check) {
  return (checks & static_cast<uint32_t>(check)) != 0;
}

// Never destroyed: counters are written when the process ends.
LaunchObserver* the_observer() {
  static LaunchObserver* const observer = [] {
    auto* made = new LaunchObserver(settings().checks, !settings().count.empty());
    if (made->counters() != nullptr) {
      call_at_exit([] { write_counters(*the_observer()->counters(), settings().count); });
    }
    return made;
  }();
  return observer;
}

}  // namespace

const Kernels& kernels() {
  static const Kernels chosen =
      std::string_view(active_isa()) == "avx512" ? avx512::kCheckKernels : avx2::kCheckKernels;
  return chosen;
}

LaunchObserver::LaunchObserver(uint32_t checks, bool counts) {
  if (is_on(checks, Check::Uninitialised)) uninit_ = std::make_unique<Uninit>();
  if (is_on(checks, Check::Race) || is_on(checks, Check::Sync)) race_ = std::make_unique<Race>(checks);
  if (counts) counters_ = std::make_unique<Counters>();
}

void LaunchObserver::begin(Launch& launch) {
  footprint_ = launch.footprint;
  code_ = launch.program->code.data();
  code_size_ = launch.program->code.size();
  if (race_) race_->begin_launch();
  if (counters_) counters_->begin_launch(launch);
  launch.observer = this;
}

void LaunchObserver::end(Launch& launch) {
  if (race_) race_->end_launch();
  if (counters_) counters_->end_launch(launch);
  if (footprint_ != nullptr) {
    footprint_->reads = reads_.ranges();
    footprint_->writes = writes_.ranges();
    reads_.clear();
    writes_.clear();
  }
  footprint_ = nullptr;
  launch.observer = nullptr;
}

void LaunchObserver::access(Warp& warp, const Inst& inst, const Access& access) {
  if (race_) race_->settle();
  if (access.mask == 0) return;
  const uint32_t pc = pc_of(warp, inst);
  const LaneRuns lanes(access);
  if (race_) race_->access(warp, inst, access, lanes, pc);
  if (uninit_) uninit_->access(warp, inst, access, lanes);
  if (counters_) counters_->access(warp, access, lanes, pc);
  if (footprint_ == nullptr || access.space != ptx::Space::Global) return;
  const bool stores = access.kind == AccessKind::Store;
  if (!stores) add_access(reads_, access, lanes, 0);
  if (stores || access.kind == AccessKind::Atomic) add_access(writes_, access, lanes, 0);
}

void LaunchObserver::warp_barrier(Warp& warp, uint32_t mask) {
  if (race_) race_->clock().warp_barrier(warp, mask);
}

void LaunchObserver::barrier_arrive(Warp& warp, uint32_t barrier) {
  if (race_) race_->clock().barrier_arrive(warp, barrier);
}

void LaunchObserver::block_barrier(Block& block, uint32_t barrier, uint32_t waited) {
  if (race_) race_->clock().block_barrier(block, barrier, waited);
}

void LaunchObserver::fence(Warp& warp, bool device_scope) {
  if (race_) race_->clock().fence(warp, device_scope);
}

void LaunchObserver::mma(Warp& warp, const Inst& inst, uint64_t flops) {
  if (counters_) counters_->mma(flops, pc_of(warp, inst));
}

void LaunchObserver::branch(Warp& warp, const Inst& inst, bool diverged) {
  if (counters_) counters_->branch(diverged, pc_of(warp, inst));
}

void LaunchObserver::block_begin(Block& block) {
  if (uninit_) uninit_->block_begin(block);
  if (race_) race_->block_begin(block);
}

void LaunchObserver::block_end(Block& block) {
  if (race_) race_->block_end(block);
  if (uninit_) uninit_->block_end(block);
}

}  // namespace check

uint32_t enabled_checks() {
  return settings().checks;
}

void begin_observation(Launch& launch) {
  launch.observer = nullptr;
  launch.counters = nullptr;
  if (settings().checks == 0 && settings().count.empty() && launch.footprint == nullptr) return;
  check::the_observer()->begin(launch);
}

void end_observation(Launch& launch) {
  if (launch.observer != nullptr) check::the_observer()->end(launch);
}

}  // namespace vgpu
