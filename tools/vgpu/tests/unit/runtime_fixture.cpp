// The PTX of the runtime tests and its registration.
#include "tests/unit/runtime_fixture.h"

#include <cstdint>
#include <cstring>
#include <deque>

namespace vgpu::test {
namespace {

constexpr const char* kText = R"(
.version 9.0
.target sm_80
.address_size 64
.visible .const .align 4 .b8 table[16];
.visible .global .align 4 .u32 counter = 7;
.visible .global .attribute(.managed) .align 4 .u32 shared_number = 5;

.visible .entry scale(.param .u64 p, .param .u32 factor, .param .u32 n)
{
  .reg .pred %q;
  .reg .b32 %r<7>;
  .reg .b64 %rd<4>;
  ld.param.u64 %rd1, [p];
  ld.param.u32 %r1, [factor];
  ld.param.u32 %r2, [n];
  mov.u32 %r3, %ctaid.x;
  mov.u32 %r4, %ntid.x;
  mov.u32 %r5, %tid.x;
  mad.lo.s32 %r6, %r3, %r4, %r5;
  setp.ge.s32 %q, %r6, %r2;
  @%q bra DONE;
  cvta.to.global.u64 %rd2, %rd1;
  mul.wide.s32 %rd3, %r6, 4;
  add.s64 %rd2, %rd2, %rd3;
  ld.global.u32 %r3, [%rd2];
  mul.lo.s32 %r3, %r3, %r1;
  st.global.u32 [%rd2], %r3;
DONE:
  ret;
}

.visible .entry store_at(.param .u64 address)
{
  .reg .b64 %rd<2>;
  ld.param.u64 %rd1, [address];
  st.global.u32 [%rd1], 1;
  ret;
}

.visible .entry bounded()
.maxntid 64, 1, 1
{
  ret;
}

.visible .entry big()
{
  .shared .align 4 .b8 values[4096];
  .reg .b32 %r<2>;
  mov.u32 %r1, values;
  st.shared.u32 [%r1], 1;
  ret;
}
)";

struct Wrapper {
  uint32_t magic = 0x466243B1, version = 1;
  const void* data = nullptr;
  const void* unused = nullptr;
};

void** register_container(const std::string& text, uint32_t architecture) {
  // What is registered lives as long as the process.
  static auto* containers = new std::deque<std::vector<uint8_t>>;
  static auto* wrappers = new std::deque<Wrapper>;
  constexpr uint32_t kContainer = 16, kEntry = 64;
  const uint64_t padded = (text.size() + 8) / 8 * 8;
  std::vector<uint8_t>& bytes = containers->emplace_back(kContainer + kEntry + padded);
  const auto put = [&](size_t offset, auto value) {
    std::memcpy(bytes.data() + offset, &value, sizeof value);
  };
  put(0, uint32_t{0xBA55ED50});
  put(4, uint16_t{1});
  put(6, uint16_t{kContainer});
  put(8, uint64_t{kEntry + padded});
  put(kContainer, uint16_t{1});
  put(kContainer + 4, kEntry);
  put(kContainer + 8, padded);
  put(kContainer + 28, architecture);
  std::memcpy(bytes.data() + kContainer + kEntry, text.data(), text.size());
  wrappers->emplace_back().data = bytes.data();
  return __cudaRegisterFatBinary(&wrappers->back());
}

void add_function(void** handle, const char* host, const char* name) {
  __cudaRegisterFunction(handle, host, const_cast<char*>(name), name, -1, nullptr, nullptr, nullptr, nullptr,
                         nullptr);
}

}  // namespace

RuntimeProgram& runtime_program() {
  static RuntimeProgram* program = [] {
    auto* made = new RuntimeProgram;
    made->handle = register_container(kText, 80);
    add_function(made->handle, &made->scale, "scale");
    add_function(made->handle, &made->store_at, "store_at");
    add_function(made->handle, &made->bounded, "bounded");
    add_function(made->handle, &made->big, "big");
    __cudaRegisterVar(made->handle, &made->table, nullptr, "table", 0, 16, 1, 0);
    __cudaRegisterVar(made->handle, &made->counter, nullptr, "counter", 0, 4, 0, 0);
    __cudaRegisterManagedVar(made->handle, reinterpret_cast<void**>(&made->managed), nullptr, "shared_number",
                             0, 4, 0, 0);
    __cudaRegisterFatBinaryEnd(made->handle);
    return made;
  }();
  return *program;
}

void register_text(const std::string& text, uint32_t architecture, const char* function) {
  void** handle = register_container(text, architecture);
  add_function(handle, function, "only");
  __cudaRegisterFatBinaryEnd(handle);
}

cudaError_t launch_scale(int* p, int factor, int n, cudaStream_t stream) {
  void* arguments[] = {&p, &factor, &n};
  const unsigned blocks = static_cast<unsigned>(n + 63) / 64;
  return cudaLaunchKernel(&runtime_program().scale, dim3(blocks), dim3(64), arguments, 0, stream);
}

}  // namespace vgpu::test
