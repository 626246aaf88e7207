// ldmatrix, stmatrix and movmatrix: 8x8 matrices of 16-bit elements between shared memory and registers.
//
// A register of 32 lanes is such a matrix in row-major order (ops/fragment_layout.h), a row of it 16 bytes:
// moving one is eight copies. Lane 8 * i + r names the address of row r of matrix i.
#include "ops/memory_resolve.h"
#include "ops/tensor_support.h"

namespace vgpu::VGPU_ISA {
namespace {

struct alignas(16) Matrix {
  uint32_t word[kLanes];
};

VGPU_INLINE __m128i* row_of(Matrix& matrix, uint32_t row) {
  return reinterpret_cast<__m128i*>(matrix.word) + row;
}

// Three rounds of interleaving row r with row r + 4 transpose eight rows of eight.
VGPU_INLINE void transpose(Matrix& matrix) {
  __m128i r[8], s[8];
  for (uint32_t i = 0; i < 8; ++i) r[i] = _mm_load_si128(row_of(matrix, i));
  for (uint32_t round = 0; round < 3; ++round) {
    for (uint32_t i = 0; i < 4; ++i) {
      s[2 * i] = _mm_unpacklo_epi16(r[i], r[i + 4]);
      s[2 * i + 1] = _mm_unpackhi_epi16(r[i], r[i + 4]);
    }
    for (uint32_t i = 0; i < 8; ++i) r[i] = s[i];
  }
  for (uint32_t i = 0; i < 8; ++i) _mm_store_si128(row_of(matrix, i), r[i]);
}

// The rows' addresses. Only the lanes that name one take part; false when none of them runs.
template <uint32_t kMatrices>
VGPU_INLINE bool resolve_rows(Warp& w, const Inst& inst, AccessKind kind, Resolved& r) {
  const uint32_t running = w.exec;
  w.exec &= kMatrices == 4 ? kAllLanes : (1u << 8 * kMatrices) - 1;
  const bool any = w.exec != 0;
  if (any) resolve<16>(w, inst, kind, 2, r);
  w.exec = running;
  return any;
}

template <uint32_t kMatrices, bool kTranspose>
Status load_matrix(Warp& w, const Inst& inst) {
  if (!whole_warp(w, inst)) return Status::Blocked;
  Resolved r;
  if (!resolve_rows<kMatrices>(w, inst, AccessKind::Load, r)) return Status::Next;
  for (uint32_t m = 0; m < kMatrices; ++m) {
    Matrix matrix = {};
    for (uint32_t row = 0; row < 8; ++row) {
      const uint32_t lane = 8 * m + row;
      if ((w.exec >> lane & 1) == 0) continue;
      memcpy(row_of(matrix, row), reinterpret_cast<const void*>(lane_address<16>(r, lane)), 16);
    }
    if (kTranspose) transpose(matrix);
    store_register(w, w.refs[inst.extra + m], matrix.word);
  }
  return Status::Next;
}

template <uint32_t kMatrices, bool kTranspose>
Status store_matrix(Warp& w, const Inst& inst) {
  if (!whole_warp(w, inst)) return Status::Blocked;
  Resolved r;
  if (!resolve_rows<kMatrices>(w, inst, AccessKind::Store, r)) return Status::Next;
  for (uint32_t m = 0; m < kMatrices; ++m) {
    Matrix matrix;
    memcpy(matrix.word, lanes<uint32_t>(w, w.refs[inst.extra + m]), sizeof(matrix.word));
    if (kTranspose) transpose(matrix);
    for (uint32_t row = 0; row < 8; ++row) {
      const uint32_t lane = 8 * m + row;
      if ((w.exec >> lane & 1) == 0) continue;
      memcpy(reinterpret_cast<void*>(lane_address<16>(r, lane)), row_of(matrix, row), 16);
    }
  }
  return Status::Next;
}

Status move_matrix(Warp& w, const Inst& inst) {
  if (!whole_warp(w, inst)) return Status::Blocked;
  Matrix matrix;
  memcpy(matrix.word, lanes<uint32_t>(w, inst.a), sizeof(matrix.word));
  transpose(matrix);
  store_register(w, inst.d, matrix.word);
  return Status::Next;
}

}  // namespace

const HandlerEntry kTensorHandlers[] = {
    {"ldmatrix.x1", load_matrix<1, false>},
    {"ldmatrix.x2", load_matrix<2, false>},
    {"ldmatrix.x4", load_matrix<4, false>},
    {"ldmatrix.x1.trans", load_matrix<1, true>},
    {"ldmatrix.x2.trans", load_matrix<2, true>},
    {"ldmatrix.x4.trans", load_matrix<4, true>},
    {"stmatrix.x1", store_matrix<1, false>},
    {"stmatrix.x2", store_matrix<2, false>},
    {"stmatrix.x4", store_matrix<4, false>},
    {"stmatrix.x1.trans", store_matrix<1, true>},
    {"stmatrix.x2.trans", store_matrix<2, true>},
    {"stmatrix.x4.trans", store_matrix<4, true>},
    {"movmatrix", move_matrix},
    {nullptr, nullptr},
};

}  // namespace vgpu::VGPU_ISA
