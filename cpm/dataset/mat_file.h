// MATLAB MAT-file version 5 (MathWorks, "MAT-File Format"): the numeric arrays of a file, bounded in memory.
// Cells, structs, objects, text and sparse arrays are skipped; files of versions 4 and 7.3 are named as such.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace cpm {

/// A real numeric array. 64-bit integers above 2^53 are rounded to double.
struct MatArray {
  std::string name;
  std::vector<int64_t> dims;   // at least two
  std::vector<double> values;  // column-major: the first index runs fastest
};

/// The numeric arrays in the file's order. BadData names the byte offset and the reason for anything that is
/// damaged, complex or larger than 1 GiB after decompression.
std::vector<MatArray> read_mat(const std::filesystem::path& path);
/// The same from memory; `name` stands for the path in errors.
std::vector<MatArray> parse_mat(std::span<const uint8_t> bytes, const std::string& name);

}  // namespace cpm
