// Runs a PTX text on the virtual GPU without the CUDA runtime: for tests of single instructions.
//
//   PtxProgram program(".visible .entry k(.param .u64 out) { ... ret; }");      // a header is put in front
//   DeviceArray<uint32_t> out(32);
//   REQUIRE(program.run("k", {1}, {32}, {out.address()}) == 0);
//   CHECK(out[3] == 7);
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "core/device_memory.h"
#include "core/execute.h"
#include "core/program.h"

namespace vgpu::test {

// Device memory the test may read and write directly (a device pointer is a host address).
template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(size_t count, T fill = T{}) : count_(count) {
    address_ = DeviceMemory::instance().allocate(count * sizeof(T), 256, MemoryKind::Device, "test");
    for (size_t i = 0; i < count; ++i) data()[i] = fill;
    DeviceMemory::instance().mark_written(address_, count * sizeof(T));
  }
  explicit DeviceArray(const std::vector<T>& values) : DeviceArray(values.size()) {
    std::memcpy(data(), values.data(), values.size() * sizeof(T));
  }
  ~DeviceArray() { DeviceMemory::instance().release(address_); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  uint64_t address() const { return address_; }
  T* data() { return reinterpret_cast<T*>(address_); }
  T& operator[](size_t i) { return data()[i]; }
  size_t size() const { return count_; }
  std::vector<T> values() { return std::vector<T>(data(), data() + count_); }

 private:
  uint64_t address_ = 0;
  size_t count_ = 0;
};

class PtxProgram {
 public:
  explicit PtxProgram(std::string text, const std::string& target = "sm_90") {
    if (text.find(".version") == std::string::npos)
      text = ".version 9.0\n.target " + target + "\n.address_size 64\n" + text;
    program_ = lower(ptx::parse(std::move(text)));
  }

  // Arguments by value, each stored in its parameter's size. Returns 0 or the CUDA error of the launch.
  int run(std::string_view kernel, Dim3 grid, Dim3 block, const std::vector<uint64_t>& arguments,
          uint32_t dynamic_shared = 0, bool cooperative = false) {
    const FunctionCode& code = *program_->function_by_name.at(kernel);
    DeviceMemory& memory = DeviceMemory::instance();
    const uint64_t buffer = memory.allocate(code.param_bytes + 16, 256, MemoryKind::Parameters, "arguments");
    for (size_t i = 0; i < arguments.size(); ++i)
      std::memcpy(reinterpret_cast<void*>(buffer + code.param_offsets.at(i)), &arguments[i],
                  std::min<uint64_t>(8, code.function->params.at(i).size));
    memory.mark_written(buffer, code.param_bytes);
    Launch launch;
    launch.program = program_.get();
    launch.kernel = &code;
    launch.grid = grid;
    launch.block = block;
    launch.dynamic_shared = dynamic_shared;
    launch.cooperative = cooperative;
    launch.arguments = reinterpret_cast<const uint8_t*>(buffer);
    const int error = execute(launch);
    memory.release(buffer);
    return error;
  }
  Program& program() { return *program_; }

 private:
  std::unique_ptr<Program> program_;
};

}  // namespace vgpu::test
