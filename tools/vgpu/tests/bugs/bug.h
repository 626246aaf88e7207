// What the seeded bugs share. Each program runs one kernel with its bug (`bug`) or its correct twin (`good`).
//
// The comments at the head of each program tell run_bugs.py what to expect:
//   // expect: TEXT     a regular expression that a report line must match
//   // check: LIST      VGPU_CHECK; // set: NAME=VALUE for other variables
//   // status: N        exit status of the bug: 86 for a checker's finding, 3 for a CUDA error
//   // error: N         the CUDA error that the program prints
//   // at: block (..) thread (..)      where it must be found, if only one thread is wrong
//   // first: block (..) thread (..)   the same if several are: random schedules may meet another one first
//   // or: N TEXT       what a schedule may find instead, with its exit status
// and the line of the bug carries a comment BUG (any of them, where there are several).
#pragma once

#include <cuda_runtime.h>

#include <cstdio>
#include <cstring>
#include <vector>

inline bool wants_bug(int argc, char** argv) {
  return argc > 1 && std::strcmp(argv[1], "bug") == 0;
}

// The exit status of a program: 3 when the device reports an error.
inline int finish() {
  int error = cudaDeviceSynchronize();
  if (error == 0) return 0;
  std::printf("cuda error %d\n", error);
  return 3;
}

template <class T>
T* device_memory(size_t count, bool clear = true) {
  T* p = nullptr;
  cudaMalloc(&p, count * sizeof(T));
  if (clear) cudaMemset(p, 0, count * sizeof(T));
  return p;
}
