// The data sets behind open_dataset. Private to cpm/dataset.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "cpm/dataset/dataset.h"

namespace cpm {

/// Records FIRST to LAST of a source, 0-based and half open.
struct RecordRange {
  int64_t begin = 0, end = 0;
};

/// The range that `spec` asks of a source with `records` records. Usage where it reaches beyond them.
RecordRange record_range(const DataSpec& spec, int64_t records, const std::string& source);

std::unique_ptr<Dataset> open_lsp(const DataSpec& spec, const OnFault& on_fault);
std::unique_ptr<Dataset> open_coco(const DataSpec& spec, const OnFault& on_fault);
std::unique_ptr<Dataset> open_mpii(const DataSpec& spec, const OnFault& on_fault);
std::unique_ptr<Dataset> open_synthetic(const DataSpec& spec);

}  // namespace cpm
