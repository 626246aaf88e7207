// Device functions that no PTX defines: vprintf, malloc, free and __assertfail.
//
// printf is done by the host's own printf, one conversion at a time: a conversion's flags, width and
// precision are copied, its length is made to fit what device code has packed.
#include "core/builtins.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <string>

#include "core/block.h"
#include "core/device_memory.h"
#include "ops/memory_slow.h"

namespace vgpu {
namespace {

constexpr uint64_t kDefaultHeapLimit = 8ull << 20;
std::atomic<uint64_t> heap_limit{kDefaultHeapLimit};
std::atomic<uint64_t> heap_used{0};

// Arguments and result of a call, as builtins.h lays them out.
struct CallFrame {
  Warp& w;
  const Inst& inst;

  template <class T>
  T argument(uint32_t number, uint32_t lane) const {
    T value;
    memcpy(&value, area(2 + 2 * number) + size_t{lane} * stride(2 + 2 * number), sizeof(value));
    return value;
  }
  template <class T>
  void result(uint32_t lane, T value) const {
    if (stride(0) == 0) return;
    memcpy(area(0) + size_t{lane} * stride(0), &value, sizeof(value));
  }

 private:
  uint8_t* area(uint32_t index) const { return lanes<uint8_t>(w, w.refs[inst.extra + index]); }
  uint32_t stride(uint32_t index) const { return w.refs[inst.extra + index + 1]; }
};

// The string at a generic address, up to its end or the end of the memory that holds it.
std::string text_at(Warp& w, const Inst& inst, uint32_t lane, uint64_t address) {
  if (address == 0) return "(null)";
  const uint64_t extent = generic_extent(w, inst, lane, address);
  const char* text = reinterpret_cast<const char*>(resolve_generic(w, inst, lane, address, 1, false));
  return std::string(text, strnlen(text, extent));
}

// One lane's printf: format and packed arguments.
class Formatter {
 public:
  Formatter(Warp& w, const Inst& inst, uint32_t lane, uint64_t arguments)
      : w_(w), inst_(inst), lane_(lane), next_(arguments) {}

  // Appends to `out`; returns the number of conversions.
  int32_t run(const std::string& format, std::string& out);

 private:
  // Arguments are aligned to their size, as members of a struct are.
  template <class T>
  T take() {
    next_ = (next_ + sizeof(T) - 1) / sizeof(T) * sizeof(T);
    T value;
    memcpy(&value, resolve_generic(w_, inst_, lane_, next_, sizeof(T), false), sizeof(T));
    next_ += sizeof(T);
    return value;
  }
  template <class T>
  static void print(std::string& out, const std::string& conversion, T value) {
    char buffer[128];
    const int length = snprintf(buffer, sizeof(buffer), conversion.c_str(), value);
    if (length < 0) return;
    if (static_cast<size_t>(length) < sizeof(buffer)) {
      out.append(buffer, static_cast<size_t>(length));
      return;
    }
    std::string large(static_cast<size_t>(length) + 1, '\0');
    snprintf(large.data(), large.size(), conversion.c_str(), value);
    out.append(large.data(), static_cast<size_t>(length));
  }
  void convert(const std::string& start, bool wide, char letter, std::string& out);
  size_t number(const std::string& format, size_t at, std::string& conversion);

  Warp& w_;
  const Inst& inst_;
  uint32_t lane_;
  uint64_t next_;
};

// Digits or `*` at `at` go to the conversion; returns where they end.
size_t Formatter::number(const std::string& format, size_t at, std::string& conversion) {
  if (at < format.size() && format[at] == '*') {
    conversion += std::to_string(take<int32_t>());
    return at + 1;
  }
  while (at < format.size() && format[at] >= '0' && format[at] <= '9') conversion += format[at++];
  return at;
}

void Formatter::convert(const std::string& start, bool wide, char letter, std::string& out) {
  switch (letter) {
    case 'd':
    case 'i':
      if (wide)
        print(out, start + "ll" + letter, take<long long>());
      else
        print(out, start + letter, take<int>());
      break;
    case 'u':
    case 'x':
    case 'X':
    case 'o':
      if (wide)
        print(out, start + "ll" + letter, take<unsigned long long>());
      else
        print(out, start + letter, take<unsigned>());
      break;
    case 'c':
      print(out, start + letter, take<int>());
      break;
    case 'p':
      print(out, start + letter, reinterpret_cast<void*>(take<uint64_t>()));
      break;
    case 's':
      print(out, start + letter, text_at(w_, inst_, lane_, take<uint64_t>()).c_str());
      break;
    default:
      print(out, start + letter, take<double>());
      break;
  }
}

int32_t Formatter::run(const std::string& format, std::string& out) {
  int32_t conversions = 0;
  for (size_t at = 0; at < format.size();) {
    if (format[at] != '%') {
      out += format[at++];
      continue;
    }
    const size_t begin = at++;
    std::string start = "%";
    while (at < format.size() && strchr("-+ #0", format[at]) != nullptr) start += format[at++];
    at = number(format, at, start);
    if (at < format.size() && format[at] == '.') {
      start += '.';
      at = number(format, at + 1, start);
    }
    bool wide = false;
    for (; at < format.size() && strchr("hlLqjzt", format[at]) != nullptr; ++at)
      wide = wide || format[at] != 'h';
    const char letter = at < format.size() ? format[at++] : '\0';
    if (letter == '%') {
      out += '%';
    } else if (letter == '\0' || strchr("diuxXocpsfFeEgGaA", letter) == nullptr) {
      out.append(format, begin, at - begin);
    } else {
      convert(start, wide, letter, out);
      ++conversions;
    }
  }
  return conversions;
}

// int vprintf(const char* format, void* arguments)
Status run_vprintf(Warp& w, const Inst& inst) {
  const CallFrame frame{w, inst};
  std::string out;
  VGPU_FOR_LANES(w.exec, i) {
    const std::string format = text_at(w, inst, i, frame.argument<uint64_t>(0, i));
    frame.result(i, Formatter(w, inst, i, frame.argument<uint64_t>(1, i)).run(format, out));
  }
  fwrite(out.data(), 1, out.size(), stdout);
  fflush(stdout);
  return Status::Next;
}

// void* malloc(size_t bytes)
Status run_malloc(Warp& w, const Inst& inst) {
  const CallFrame frame{w, inst};
  VGPU_FOR_LANES(w.exec, i) {
    const uint64_t bytes = frame.argument<uint64_t>(0, i);
    uint64_t address = 0;
    if (bytes != 0 && bytes <= heap_limit && heap_used.fetch_add(bytes) + bytes <= heap_limit)
      address = DeviceMemory::instance().allocate(bytes, 16, MemoryKind::Heap, "malloc in a kernel");
    if (address == 0 && bytes != 0 && bytes <= heap_limit) heap_used -= bytes;
    frame.result(i, address);
  }
  return Status::Next;
}

// void free(void* address)
Status run_free(Warp& w, const Inst& inst) {
  const CallFrame frame{w, inst};
  DeviceMemory& memory = DeviceMemory::instance();
  VGPU_FOR_LANES(w.exec, i) {
    const uint64_t address = frame.argument<uint64_t>(0, i);
    if (address == 0) continue;
    const Allocation* allocation = memory.find(address);
    const bool legal =
        allocation != nullptr && allocation->kind == MemoryKind::Heap && allocation->begin == address;
    const uint64_t bytes = legal ? allocation->end - allocation->begin : 0;
    if (!legal || !memory.release(address)) {
      fault(w, inst, 700, i, "free of 0x%llx, which malloc did not return or which is free already: %s",
            static_cast<unsigned long long>(address), memory.describe(address).c_str());
    }
    heap_used -= bytes;
  }
  return Status::Next;
}

// void __assertfail(const char* message, const char* file, unsigned line, const char* function, size_t
// char_size)
Status run_assertfail(Warp& w, const Inst& inst) {
  const CallFrame frame{w, inst};
  if (w.exec == 0) return Status::Next;
  std::string first, out;
  VGPU_FOR_LANES(w.exec, i) {
    const std::string message = text_at(w, inst, i, frame.argument<uint64_t>(0, i));
    const Dim3 block = w.block->index, thread = w.block->thread_index(w.id, i);
    char place[160];
    snprintf(place, sizeof(place), ": block: [%u,%u,%u], thread: [%u,%u,%u] Assertion `", block.x, block.y,
             block.z, thread.x, thread.y, thread.z);
    out += text_at(w, inst, i, frame.argument<uint64_t>(1, i)) + ":" +
           std::to_string(frame.argument<uint32_t>(2, i)) + ": " +
           text_at(w, inst, i, frame.argument<uint64_t>(3, i)) + place + message + "` failed.\n";
    if (first.empty()) first = message;
  }
  fflush(stdout);
  fwrite(out.data(), 1, out.size(), stderr);
  fault(w, inst, 710, static_cast<uint32_t>(__builtin_ctz(w.exec)), "assertion `%s` failed", first.c_str());
}

}  // namespace

Handler find_builtin(std::string_view name) {
  if (name == "vprintf") return run_vprintf;
  if (name == "malloc") return run_malloc;
  if (name == "free") return run_free;
  if (name == "__assertfail") return run_assertfail;
  return nullptr;
}

void set_heap_limit(uint64_t bytes) {
  heap_limit = bytes;
}
uint64_t heap_limit_bytes() {
  return heap_limit;
}

}  // namespace vgpu
