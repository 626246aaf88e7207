// A warp, a block and a launch without an engine round them, for tests of memory handlers.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/device_memory.h"
#include "core/observe.h"
#include "core/program.h"
#include "core/report.h"
#include "ops/handler_table.h"
#include "ops/memory_slow.h"
#include "tests/unit/captured.h"

namespace vgpu::test {

class RecordingObserver : public Observer {
 public:
  struct Seen {
    Access access;
    std::vector<uint64_t> address;
  };
  std::vector<Seen> seen;
  int fences = 0, device_fences = 0;

  void access(Warp&, const Inst&, const Access& access) override {
    seen.push_back({access, std::vector<uint64_t>(access.address, access.address + kLanes)});
  }
  void fence(Warp&, bool device_scope) override { ++(device_scope ? device_fences : fences); }
  void warp_barrier(Warp&, uint32_t) override {}
  void barrier_arrive(Warp&, uint32_t) override {}
  void block_barrier(Block&, uint32_t, uint32_t) override {}
  void mma(Warp&, const Inst&, uint64_t) override {}
  void branch(Warp&, const Inst&, bool) override {}
  void block_begin(Block&) override {}
  void block_end(Block&) override {}
};

class MemoryBench {
 public:
  static constexpr uint32_t kSlot = 512;  // the address register is slot 0, data registers follow
  static constexpr uint32_t kShared = 8192, kLocal = 256, kStride = 272;

  MemoryBench() : shared_(kShared + 64), local_(kLanes * kStride + 64) {
    kernel_.name = "test";
    kernel_.param_bytes = 64;
    launch_.program = &program_;
    launch_.kernel = &kernel_;
    launch_.block = {kLanes, 1, 1};
    launch_.shared_bytes = kShared;
    launch_.local_bytes = kLocal;
    launch_.arguments = arguments_;
    block_.launch = &launch_;
    block_.shared = aligned(shared_);
    block_.local = aligned(local_);
    block_.local_stride = kStride;
    warp_.base[0] = window_;
    warp_.block = &block_;
    warp_.local_memory = block_.local;
    warp_.refs = refs_;
    warp_.exec = warp_.active = warp_.live = warp_.members = ~0u;
    for (uint32_t i = 0; i < 64; ++i) arguments_[i] = static_cast<uint8_t>(i + 1);
  }

  template <class T>
  T* slot(uint32_t index) {
    return reinterpret_cast<T*>(window_ + index * kSlot);
  }
  void set_addresses(ptx::Space space, const std::vector<uint64_t>& address) {
    for (uint32_t i = 0; i < kLanes; ++i) {
      if (space == ptx::Space::Shared)
        slot<uint32_t>(0)[i] = static_cast<uint32_t>(address[i]);
      else
        slot<uint64_t>(0)[i] = address[i];
    }
  }
  // Address in slot 0; the register or vector elements in slots 1 ...
  Inst& instruction(const std::string& name, ptx::Space space, uint32_t width) {
    const Handler handler = find_handler(name.c_str());
    if (handler == nullptr) throw std::runtime_error("no handler " + name);
    inst_ = Inst();
    inst_.run = handler;
    inst_.a = 0;
    inst_.flags = static_cast<uint16_t>(static_cast<uint16_t>(space) << memory_flag::kSpaceShift);
    if (space == ptx::Space::Shared) inst_.flags |= memory_flag::kIs32;
    inst_.d = kSlot;
    inst_.count = static_cast<uint8_t>(width);
    for (uint32_t e = 0; e < 2 * width; ++e) refs_[e] = (1 + e) * kSlot;
    return inst_;
  }
  void run() { inst_.run(warp_, inst_); }
  // The CUDA error of running the instruction, and what was reported.
  int run_faulting(std::string& text) {
    Captured captured(STDERR_FILENO);
    forget_findings();
    int error = 0;
    try {
      run();
    } catch (const KernelFault& thrown) {
      error = thrown.error;
    }
    text = captured.text();
    return error;
  }

  Warp& warp() { return warp_; }
  Block& block() { return block_; }
  Launch& launch() { return launch_; }
  Inst& inst() { return inst_; }
  uint32_t* refs() { return refs_; }
  uint8_t* local(uint32_t lane) { return block_.local + lane * kStride; }

 private:
  static uint8_t* aligned(std::vector<uint8_t>& bytes) {
    return reinterpret_cast<uint8_t*>((reinterpret_cast<uintptr_t>(bytes.data()) + 63) / 64 * 64);
  }
  alignas(64) uint8_t window_[40 * kSlot] = {};
  alignas(64) uint8_t arguments_[64] = {};
  std::vector<uint8_t> shared_, local_;
  uint32_t refs_[32] = {};
  Program program_;
  FunctionCode kernel_;
  Launch launch_;
  Block block_;
  Warp warp_;
  Inst inst_;
};

}  // namespace vgpu::test
