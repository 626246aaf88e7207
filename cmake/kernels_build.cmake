# Writes OUT, the source of engine/tune/kernels_build.h: VERSION and a hash of the files LIBRARIES.
# usage: cmake -D OUT=FILE -D VERSION=V "-D LIBRARIES=A;B" -P kernels_build.cmake
set(hashes)
foreach(library IN LISTS LIBRARIES)
  file(SHA256 ${library} hash)
  string(APPEND hashes ${hash})
endforeach()
string(SHA256 hash "${hashes}")
string(SUBSTRING ${hash} 0 16 hash)
file(WRITE ${OUT} "#include \"engine/tune/kernels_build.h\"

const char* engine::kernels_build() {
  return \"${VERSION} ${hash}\";
}
")
