// A benchmark program's frame: measures its kernels and the core's FMA peak in turns and prints medians as
// JSON.
//
// Both in one process and interleaved, so that other work on the machine slows down both alike.
#pragma once

#include <cuda_runtime.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "peak.h"

struct Kernel {
  std::string name;
  double fma;  // fused multiply-adds of one launch
  std::function<void()> launch;
};

// Processor time: what other programs take does not count.
inline double seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return double(time.tv_sec) + 1e-9 * double(time.tv_nsec);
}

inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

inline double peak_rate() {
  constexpr long kRounds = 2000000;
  bool wide = peak::has_avx512();
  double start = seconds();
  volatile double kept = wide ? peak::run_avx512(kRounds) : peak::run_avx2(kRounds);
  (void)kept;
  return (wide ? 160.0 : 80.0) * kRounds / (seconds() - start);
}

inline int measure(const std::vector<Kernel>& kernels, int rounds) {
  std::vector<double> peaks;
  std::vector<std::vector<double>> rates(kernels.size());
  for (int r = 0; r < rounds; ++r) {
    peaks.push_back(peak_rate());
    for (size_t k = 0; k < kernels.size(); ++k) {
      double start = seconds();
      kernels[k].launch();
      if (int error = cudaDeviceSynchronize()) {
        std::fprintf(stderr, "%s: CUDA error %d\n", kernels[k].name.c_str(), error);
        return 1;
      }
      rates[k].push_back(kernels[k].fma / (seconds() - start));
    }
  }
  std::printf("{\"peak\": %.4g", median(peaks));
  for (size_t k = 0; k < kernels.size(); ++k)
    std::printf(", \"%s\": %.4g", kernels[k].name.c_str(), median(rates[k]));
  std::printf("}\n");
  return 0;
}

inline float* filled(size_t count) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) values[i] = float(i % 17) * 0.25f - 2;
  float* p = nullptr;
  cudaMalloc(&p, count * sizeof(float));
  cudaMemcpy(p, values.data(), count * sizeof(float), cudaMemcpyHostToDevice);
  return p;
}

inline int rounds_from(int argc, char** argv) {
  return argc > 1 ? std::atoi(argv[1]) : 5;
}
