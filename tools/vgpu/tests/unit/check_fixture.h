// A launch without an engine: tests tell the observer by hand what warps do.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "check/observer.h"
#include "core/report.h"

namespace vgpu::test {

// A program of `size` instructions; number i stands in line i of dir/file.cu. Their PTX is given by set().
struct FakeProgram {
  Program program;
  FunctionCode kernel;

  explicit FakeProgram(uint32_t size) {
    program.module = std::make_unique<ptx::Module>();
    program.module->files = {"", "/somewhere/dir/file.cu"};
    instructions.resize(size);
    program.code.resize(size);
    for (uint32_t i = 0; i < size; ++i) {
      program.module->locations.push_back({1, static_cast<int32_t>(i), -1, {}});
      instructions[i].location = static_cast<int32_t>(i);
      set(i, "ld", {"shared", "f32"}, "ld.shared.f32 %f1, [%r1];");
      program.code[i].source = i;
      program.sources.push_back({&instructions[i], nullptr});
    }
    kernel.name = "_Z5saxpyfPfS_i";
    kernel.end_pc = size;
  }
  void set(uint32_t pc, std::string_view opcode, std::vector<std::string_view> modifiers,
           std::string_view text) {
    instructions[pc].opcode = opcode;
    instructions[pc].modifiers = std::move(modifiers);
    instructions[pc].text = text;
  }
  std::vector<ptx::Instruction> instructions;
};

struct FakeBlock {
  Block block;
  std::vector<uint8_t> shared = std::vector<uint8_t>(1 << 16);
  std::vector<uint8_t> local = std::vector<uint8_t>(1 << 16);
};

using Addresses = std::array<uint64_t, 32>;

class FakeLaunch {
 public:
  FakeProgram code{64};
  Launch launch;
  check::LaunchObserver observer;
  Footprint footprint;

  FakeLaunch(uint32_t checks, bool counts, uint32_t blocks, uint32_t threads)
      : observer(checks, counts), blocks_(blocks) {
    launch.program = &code.program;
    launch.kernel = &code.kernel;
    launch.grid = {blocks, 1, 1};
    launch.block = {threads, 1, 1};
    launch.shared_bytes = 1 << 15;
    launch.warps_per_block = (threads + 31) / 32;
    begin();
  }
  ~FakeLaunch() {
    end();
    forget_findings();
  }
  void begin() {
    launch.footprint = &footprint;
    observer.begin(launch);
    fake_.clear();
    for (uint32_t i = 0; i < blocks_; ++i) {
      fake_.push_back(std::make_unique<FakeBlock>());
      Block& block = fake_.back()->block;
      block.launch = &launch;
      block.index = {i, 0, 0};
      block.linear_index = i;
      block.shared = fake_.back()->shared.data();
      block.local = fake_.back()->local.data();
      block.local_stride = 64;
      block.warps.resize(launch.warps_per_block);
      for (uint32_t w = 0; w < launch.warps_per_block; ++w) {
        block.warps[w].id = w;
        block.warps[w].block = &block;
        block.warps[w].live = block.warps[w].members = ~0u;
      }
      observer.block_begin(block);
    }
  }
  void end() {
    if (fake_.empty()) return;
    for (auto& fake : fake_) observer.block_end(fake->block);
    fake_.clear();
    observer.end(launch);
  }
  Block& block(uint32_t i) { return fake_[i]->block; }
  Warp& warp(uint32_t block_index, uint32_t w) { return block(block_index).warps[w]; }
  uint64_t shared(uint32_t block_index, uint64_t offset = 0) {
    return reinterpret_cast<uint64_t>(block(block_index).shared) + offset;
  }
  void tell(Warp& w, uint32_t pc, Access access, const Addresses& addresses) {
    access.address = addresses.data();
    observer.access(w, code.program.code[pc], access);
  }

 private:
  uint32_t blocks_;
  std::vector<std::unique_ptr<FakeBlock>> fake_;
};

// base, base + step, base + 2 * step ...
inline Addresses strided(uint64_t base, uint64_t step) {
  Addresses addresses{};
  for (uint32_t i = 0; i < 32; ++i) addresses[i] = base + i * step;
  return addresses;
}

inline Access an_access(ptx::Space space, AccessKind kind, uint32_t bytes = 4, uint32_t element = 4,
                        uint32_t mask = ~0u) {
  Access access;
  access.space = space;
  access.kind = kind;
  access.bytes = static_cast<uint8_t>(bytes);
  access.element = static_cast<uint8_t>(element);
  access.mask = mask;
  return access;
}

}  // namespace vgpu::test
