# Plugins: what cuDNN and cuBLAS compute, in shared objects that the programs open at run time (kernels/base/plugin.h).
# They are linked with the stand-ins of tools/vgpu, which carry the libraries' names and versions: a build needs only
# the headers, and a machine runs them with the library it has.
# cpm_plugin(LIBRARY INCLUDE_DIRECTORY SOURCE...): the target cpm_LIBRARY, lib/libcpm_LIBRARY.so.
function(cpm_plugin library include)
  if(NOT TARGET vgpu_${library})
    message(STATUS "${library}: headers not found, its rows are not built")
    return()
  endif()
  add_library(cpm_${library} MODULE ${ARGN} kernels/base/error.cpp kernels/conv2d/problem.cpp
    kernels/pool2d/pool2d.cpp)
  target_include_directories(cpm_${library} PRIVATE ${PROJECT_SOURCE_DIR})
  target_include_directories(cpm_${library} SYSTEM PRIVATE ${include} ${CUDAToolkit_INCLUDE_DIRS})
  target_compile_definitions(cpm_${library} PRIVATE CPM_VERSION="${PROJECT_VERSION}")
  target_compile_options(cpm_${library} PRIVATE -fvisibility=hidden)
  target_link_libraries(cpm_${library} PRIVATE cpm_flags fmt::fmt CUDA::cudart vgpu_${library})
  # No path to the stand-ins; the toolkit's folder is searched behind LD_LIBRARY_PATH.
  set_target_properties(cpm_${library} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib SKIP_BUILD_RPATH ON)
  target_link_options(cpm_${library} PRIVATE "LINKER:--no-undefined,--enable-new-dtags,-rpath=${CUDAToolkit_LIBRARY_DIR}")
  add_dependencies(programs cpm_${library})
  install(TARGETS cpm_${library} LIBRARY DESTINATION lib)
endfunction()

file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/*/cudnn*.cpp)
cpm_plugin(cudnn ${CUDNN_INCLUDE_DIR} ${sources})
file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/*/cublas*.cpp)
cpm_plugin(cublas ${CUBLAS_INCLUDE_DIR} ${sources})
