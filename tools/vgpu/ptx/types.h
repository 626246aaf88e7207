// The types and state spaces that instructions and variables name.
#pragma once

#include <cstdint>
#include <string_view>

namespace vgpu::ptx {

enum class Type : uint8_t {
  None,
  Pred,
  B8,
  B16,
  B32,
  B64,
  B128,
  U8,
  U16,
  U32,
  U64,
  S8,
  S16,
  S32,
  S64,
  F16,
  F16x2,
  BF16,
  BF16x2,
  TF32,
  F32,
  F32x2,
  F64,
  U16x2,
  S16x2,
  E4M3x2,
  E5M2x2,
  Other
};

enum class Space : uint8_t { None, Generic, Global, Shared, Local, Const, Param };

// Bytes of one value; predicates and None have 0.
uint32_t size_of(Type type);
// "f32" -> F32; Other for a modifier that is no type.
Type type_named(std::string_view name);

}  // namespace vgpu::ptx
