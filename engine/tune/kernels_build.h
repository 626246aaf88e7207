// Which kernels this program was built with: measured times hold for these alone.
#pragma once

namespace engine {

/// The version and a hash of the kernels' libraries, "0.1.0 1f0c...": equal in all programs of one build.
/// Written by cmake/kernels_build.cmake.
const char* kernels_build();

}  // namespace engine
