# Compiler flags: warnings are errors, no fast-math, and floating-point contraction is written out: off
# everywhere (so the reference rows give the same bits with any compiler), on only in the SIMD kernel files.
# Nobody reads errno after sqrt; setting it would keep loops that call it from becoming vector code.
add_library(cpm_flags INTERFACE)
# For C++ alone: nvcc has its own (CMakeLists.txt).
function(cpm_cxx_options)
  foreach(option IN LISTS ARGN)
    target_compile_options(cpm_flags INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:${option}>")
  endforeach()
endfunction()
cpm_cxx_options(
  -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wold-style-cast -Wnon-virtual-dtor -Wpedantic
  -ffp-contract=off -fno-math-errno "-fmacro-prefix-map=${PROJECT_SOURCE_DIR}/=")
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  cpm_cxx_options(-Wno-missing-field-initializers)
elseif(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  cpm_cxx_options(-Wno-missing-field-initializers -Wno-missing-braces)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # False positives inside libraries: string concatenation at -O3 (GCC bug 105651), variants of nlohmann-json,
  # std::function under sanitizers.
  cpm_cxx_options(-Wno-restrict -Wno-maybe-uninitialized)
endif()
if(CPM_WERROR)
  cpm_cxx_options(-Werror)
endif()
if(CPM_SANITIZE)
  cpm_cxx_options(-fsanitize=${CPM_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -g)
  target_link_options(cpm_flags INTERFACE -fsanitize=${CPM_SANITIZE})
endif()

# Flags of single files. stb_image's sums of damaged JPEGs overflow: there -fwrapv says what comes out.
# Files named *_avx512.cpp and *_avx2.cpp get their instruction set; they are called only after a run-time check
# and include no header with inline functions of the standard library (a linker may keep either copy of those).
function(cpm_file_flags)
  foreach(source IN LISTS ARGN)
    if(source MATCHES "/image_codec\\.cpp$")
      set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "-fwrapv")
    endif()
    if(source MATCHES "_(avx512|avx2|portable)\\.cpp$")
      set(flags "-ffp-contract=fast")
      if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
        if(source MATCHES "_avx512\\.cpp$")
          list(APPEND flags -mavx512f -mavx512vl -mavx512dq -mavx512bw -mfma -mprefer-vector-width=512)
        elseif(source MATCHES "_avx2\\.cpp$")
          list(APPEND flags -mavx2 -mfma)
        endif()
      endif()
      set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "${flags}")
    endif()
  endforeach()
endfunction()
