// What the self-checking programs share: tests by name, CUDA call checks, comparisons, device buffers, random
// numbers.
//
// A program registers its tests with TEST(name) and runs them from main() by run_tests(). Each prints `ok
// name`; the first difference is described and ends the program with exit status 1. Tests that need a newer
// device are skipped.
#pragma once

#include <cuda_runtime.h>

#include <cmath>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#define TEST_SINCE(name, capability)                                    \
  static void name();                                                   \
  static const bool name##_added = add_test({#name, name, capability}); \
  static void name()
#define TEST(name) TEST_SINCE(name, 0)

#define CHECK_CUDA(call) check_cuda((call), #call, __FILE__, __LINE__)
#define EXPECT(condition) \
  if (!(condition)) fail("%s:%d: not true: %s", __FILE__, __LINE__, #condition)
#define EXPECT_ERROR(want, call) expect_error((want), (call), #call, __FILE__, __LINE__)

struct Test {
  const char* name;
  void (*run)();
  int capability;  // 80: skipped on devices below compute capability 8.0
};

inline std::vector<Test>& all_tests() {
  static std::vector<Test> tests;
  return tests;
}

inline bool add_test(const Test& test) {
  all_tests().push_back(test);
  return true;
}

[[noreturn]] inline void fail(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  std::vfprintf(stdout, format, arguments);
  va_end(arguments);
  std::printf("\n");
  std::fflush(stdout);
  std::_Exit(1);
}

inline void check_cuda(cudaError_t error, const char* call, const char* file, int line) {
  if (error != cudaSuccess)
    fail("%s:%d: %s: %s (%d)", file, line, call, cudaGetErrorString(error), int(error));
}

inline void expect_error(int want, cudaError_t got, const char* call, const char* file, int line) {
  if (int(got) != want)
    fail("%s:%d: %s: returned %d (%s), expected %d", file, line, call, int(got), cudaGetErrorName(got), want);
}

// After a kernel launch: both ways an error can arrive.
inline void check_launch() {
  CHECK_CUDA(cudaGetLastError());
  CHECK_CUDA(cudaDeviceSynchronize());
}

inline int capability() {
  int major = 0, minor = 0;
  CHECK_CUDA(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0));
  CHECK_CUDA(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, 0));
  return major * 10 + minor;
}

// Memory on the device, filled from and read back into vectors.
template <class T>
class Buffer {
 public:
  explicit Buffer(size_t count) : count_(count) {
    CHECK_CUDA(cudaMalloc(&data_, count * sizeof(T)));
    CHECK_CUDA(cudaMemset(data_, 0, count * sizeof(T)));
  }
  explicit Buffer(const std::vector<T>& values) : Buffer(values.size()) {
    CHECK_CUDA(cudaMemcpy(data_, values.data(), count_ * sizeof(T), cudaMemcpyHostToDevice));
  }
  ~Buffer() { cudaFree(data_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  operator T*() const { return data_; }
  std::vector<T> host() const {
    std::vector<T> values(count_);
    CHECK_CUDA(cudaMemcpy(values.data(), data_, count_ * sizeof(T), cudaMemcpyDeviceToHost));
    return values;
  }

 private:
  T* data_ = nullptr;
  size_t count_;
};

// The same numbers everywhere (splitmix64).
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t bits() {
    uint64_t z = state_ += 0x9E3779B97F4A7C15ull;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ z >> 27) * 0x94D049BB133111EBull;
    return z ^ z >> 31;
  }
  double uniform(double low = -1, double high = 1) {
    return low + (high - low) * double(bits() >> 11) * 0x1p-53;
  }
  int below(int limit) { return int(bits() >> 33) % limit; }

 private:
  uint64_t state_;
};

inline std::vector<float> random_floats(size_t count, uint64_t seed, double low = -1, double high = 1) {
  Random random(seed);
  std::vector<float> values(count);
  for (float& v : values) v = float(random.uniform(low, high));
  return values;
}

template <class T>
void expect_equal(const std::vector<T>& got, const std::vector<T>& want, const char* what) {
  if (got.size() != want.size()) fail("%s: %zu values, expected %zu", what, got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) {
    if (std::memcmp(&got[i], &want[i], sizeof(T)) == 0) continue;
    fail("%s: element %zu is %.17g (0x%llx), expected %.17g (0x%llx)", what, i, double(got[i]),
         static_cast<unsigned long long>(got[i]), double(want[i]), static_cast<unsigned long long>(want[i]));
  }
}

// |got - want| <= tolerance * max(1, |want|); NaN and infinities must agree.
template <class T, class W>
void expect_near(const std::vector<T>& got, const std::vector<W>& want, double tolerance, const char* what) {
  if (got.size() != want.size()) fail("%s: %zu values, expected %zu", what, got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) {
    double g = double(got[i]), w = double(want[i]);
    if ((std::isnan(g) && std::isnan(w)) || g == w) continue;
    if (std::fabs(g - w) <= tolerance * std::fmax(1, std::fabs(w))) continue;
    fail("%s: element %zu is %.9g, expected %.9g (tolerance %g)", what, i, g, w, tolerance);
  }
}

// Runs every test, or those named on the command line.
inline int run_tests(int argc, char** argv) {
  int device = capability();
  for (const Test& test : all_tests()) {
    bool wanted = argc < 2;
    for (int i = 1; i < argc; ++i) wanted |= std::strcmp(argv[i], test.name) == 0;
    if (!wanted) continue;
    if (device < test.capability) {
      std::printf("skip %s: needs compute capability %d.%d\n", test.name, test.capability / 10,
                  test.capability % 10);
      continue;
    }
    test.run();
    check_launch();
    std::printf("ok %s\n", test.name);
    std::fflush(stdout);
  }
  return 0;
}
