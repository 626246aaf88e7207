// A buffer for kernel tests: 64-byte aligned content between two guard bands. Content and guards start as
// NaNs of two different patterns, so that a read outside the buffer, or of memory nobody wrote, spoils the
// result, and a write outside is seen. T is float, double or unsigned char (a workspace of so many bytes).
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

namespace tests {

template <class T>
class GuardedBuffer {
 public:
  explicit GuardedBuffer(size_t count)
      : count_(count), memory_(static_cast<unsigned char*>(::operator new(total(count), kAlign))) {
    fill(memory_.get(), kGuardBytes, kGuard);
    fill(bytes() + count_ * sizeof(T), kGuardBytes, kGuard);
    poison();
  }

  /// Content copied from `values`.
  explicit GuardedBuffer(const std::vector<T>& values) : GuardedBuffer(values.size()) {
    if (!values.empty()) std::memcpy(bytes(), values.data(), count_ * sizeof(T));
  }

  T* data() { return reinterpret_cast<T*>(bytes()); }
  const T* data() const { return reinterpret_cast<const T*>(bytes()); }
  size_t size() const { return count_; }
  T* begin() { return data(); }
  T* end() { return data() + count_; }
  const T* begin() const { return data(); }
  const T* end() const { return data() + count_; }
  T& operator[](size_t i) { return data()[i]; }
  const T& operator[](size_t i) const { return data()[i]; }
  std::vector<T> values() const { return std::vector<T>(begin(), end()); }

  /// Makes every element the poison NaN again.
  void poison() { fill(bytes(), count_ * sizeof(T), kPoison); }

  /// Width of each band; the buffer's memory starts that far before data().
  static constexpr size_t guard_bytes() { return kGuardBytes; }

  /// Nobody wrote before the first or behind the last element.
  bool guards_intact() const {
    return holds(memory_.get(), kGuardBytes, kGuard) &&
           holds(bytes() + count_ * sizeof(T), kGuardBytes, kGuard);
  }

  /// No element is a NaN: every element was written, and from memory that holds numbers.
  bool no_nans() const {
    for (const T& value : *this) {
      if (!(value <= value)) return false;
    }
    return true;
  }

  /// Every element still is the poison: nothing was written.
  bool untouched() const { return holds(bytes(), count_ * sizeof(T), kPoison); }

 private:
  static constexpr std::align_val_t kAlign{64};
  static constexpr size_t kGuardBytes = 1024;  // a multiple of the alignment, so that the content is aligned
  // Words that are NaNs as floats and, doubled, as doubles.
  static constexpr unsigned char kGuard[4] = {0xde, 0xc0, 0xfa, 0x7f};
  static constexpr unsigned char kPoison[4] = {0xad, 0x0b, 0xfb, 0x7f};

  struct Free {
    void operator()(unsigned char* memory) const { ::operator delete(memory, kAlign); }
  };

  static size_t total(size_t count) { return count * sizeof(T) + 2 * kGuardBytes; }
  unsigned char* bytes() const { return memory_.get() + kGuardBytes; }

  static void fill(unsigned char* to, size_t size, const unsigned char (&pattern)[4]) {
    for (size_t i = 0; i < size; ++i) to[i] = pattern[i % 4];
  }
  static bool holds(const unsigned char* from, size_t size, const unsigned char (&pattern)[4]) {
    for (size_t i = 0; i < size; ++i) {
      if (from[i] != pattern[i % 4]) return false;
    }
    return true;
  }

  size_t count_;
  std::unique_ptr<unsigned char, Free> memory_;
};

}  // namespace tests
