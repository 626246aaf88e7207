// Finding operations of different streams that touch the same bytes, one of them writing, without an order
// between them.
#pragma once

#include <memory>
#include <vector>

#include "runtime/lazy.h"

namespace vgpu::runtime {

// The operation has run and its footprint is known: compares it with everything it has no order with.
void note_executed(const std::shared_ptr<Operation>& operation);
// Drops what no pending and no later operation can conflict with any more.
void forget_ordered(const std::vector<const Operation*>& pending);
void forget_history();

// The first byte that both lists hold; false for none. Both are sorted.
bool first_common(const std::vector<Footprint::Range>& a, const std::vector<Footprint::Range>& b,
                  Footprint::Range& common);
void sort_ranges(std::vector<Footprint::Range>& ranges);

}  // namespace vgpu::runtime
