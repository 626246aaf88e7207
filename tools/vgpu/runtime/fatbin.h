// The fat binary that nvcc embeds in a program: PTX texts for several architectures, machine code beside
// them.
//
// Layout (little endian): a wrapper {u32 magic 0x466243B1, u32 version, pointer data}; data is a container
// {u32 magic 0xBA55ED50, u16 version, u16 header size, u64 size} of entries {u16 kind, u16 version, u32
// header size, u64 padded payload size, u32 compressed size @16, u32 architecture @28, u64 flags @40, u64 raw
// size @56}.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace vgpu::runtime {

struct PtxEntry {
  const uint8_t* payload = nullptr;
  uint64_t stored_bytes = 0;  // as it lies in the container
  uint64_t raw_bytes = 0;     // once decompressed; 0 where the entry does not say
  uint64_t flags = 0;
  uint32_t architecture = 0;  // 80, 90, 120 ...

  // "90a", "120f": code for one architecture or one family only.
  bool specific() const;
  // The text, decompressed. False for a damaged or unknown encoding.
  bool read(std::string& text) const;
};

// All PTX entries of a wrapper or of a bare container; empty when it is neither.
std::vector<PtxEntry> ptx_entries(const void* fat_binary);

// The entry for a device of this compute capability (80, 121 ...): the newest portable one that is not newer
// than the device, else one made for exactly this architecture or family. nullptr: no kernel image for this
// device. `lenient` also takes code made for another, older architecture: a device whose capability nobody
// asked for may run it.
const PtxEntry* best_entry(const std::vector<PtxEntry>& entries, uint32_t capability, bool lenient);

}  // namespace vgpu::runtime
