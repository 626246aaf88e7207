// Catching the host as it touches pinned or managed memory that queued work still uses.
//
// Pages that an operation will write are made inaccessible, pages that it will read read-only, until the host
// has synchronised with it; the fault handler names the operation, opens the page and lets the program go on
// with stale data. For managed memory that kernels might use, the access is remembered and compared with the
// kernels' footprints.
#pragma once

#include "runtime/lazy.h"

namespace vgpu::runtime {

void guard_for(const std::shared_ptr<Operation>& operation);  // it has been queued
void open_guards();  // the device is about to run something: every page is accessible
void close_guards();
void check_host_accesses(const Operation& operation);  // it has run, its footprint is known
void drop_guards();                                    // of operations that the host has synchronised with
void drop_all_guards();

}  // namespace vgpu::runtime
