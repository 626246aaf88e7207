// Device memory in one block. A dry run of the step (measuring) finds the peak; commit() reserves exactly
// that, and a later request beyond it is a bug: the requirement is known before step 0. Blocks return when
// their last owner drops them, so an activation's memory is reused as soon as its last reader ran. Allocation
// is deterministic (lowest fitting offset), so the dry run and every step make the same layout.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>

#include "engine/tensor/tensor.h"

namespace engine {

class Arena {
 public:
  struct Options {
    bool guards = false;  // NaN-poison every block and check guard bands round it when it is freed (host)
    Place place = {};     // where the memory lies
  };

  Arena();
  explicit Arena(Options options);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  /// `bytes` of memory aligned to 64 bytes (256 on a device), undefined content; freed when the last copy of
  /// the pointer goes. While measuring, the pointer is not null but must not be followed.
  std::shared_ptr<void> allocate(size_t bytes);

  /// Until measure() is called every allocation has memory of its own (for tests and one-shot programs).
  void measure();
  /// Ends measuring: reserves the peak. No block may be alive.
  void commit();

  bool measuring() const { return mode_ == Mode::Measuring; }
  const Place& place() const { return options_.place; }
  /// Most bytes alive at once so far (with alignment and fragmentation where measured or committed).
  size_t peak_bytes() const { return peak_; }
  size_t live_blocks() const { return live_; }
  /// Guard bands found damaged so far.
  int64_t guard_violations() const { return violations_; }

 private:
  enum class Mode { Separate, Measuring, Committed };

  size_t find_place(size_t bytes);
  void release(size_t offset, size_t bytes);
  std::shared_ptr<void> separate(size_t bytes);
  std::byte* reserve(size_t bytes) const;
  void give_back(std::byte* memory) const;
  size_t alignment() const;

  Options options_;
  Mode mode_ = Mode::Separate;
  std::map<size_t, size_t> free_;  // offset -> bytes; the last one is the open end
  std::byte* base_ = nullptr;
  size_t reserved_ = 0, peak_ = 0, separate_bytes_ = 0, live_ = 0;
  int64_t violations_ = 0;
};

}  // namespace engine
