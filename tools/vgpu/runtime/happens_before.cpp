// The history of executed operations and the search for conflicts in it.
#include "runtime/happens_before.h"

#include <algorithm>
#include <cstdio>
#include <set>
#include <string>

#include "core/device_memory.h"
#include "core/report.h"

namespace vgpu::runtime {
namespace {

std::vector<std::shared_ptr<Operation>>& history() {
  static auto* operations = new std::vector<std::shared_ptr<Operation>>;
  return *operations;
}

std::string where(const Footprint::Range& range) {
  char text[64];
  std::snprintf(text, sizeof text, "%llu bytes at 0x%llx",
                static_cast<unsigned long long>(range.end - range.begin),
                static_cast<unsigned long long>(range.begin));
  const Allocation* allocation = DeviceMemory::instance().find(range.begin);
  if (allocation == nullptr) return text;
  return std::string(text) + " (offset " + std::to_string(range.begin - allocation->begin) +
         " of allocation #" + std::to_string(allocation->number) + ", " + allocation->name + ")";
}

// One report for each pair of names: a loop would repeat it without end.
void report_conflict(const Operation& first, const char* first_does, const Operation& second,
                     const char* second_does, const Footprint::Range& range) {
  static auto* seen = new std::set<std::string>;
  remember_finding();
  if (!seen->insert(std::min(first.name, second.name) + "|" + std::max(first.name, second.name)).second)
    return;
  report_line("stream race: " + second.name + " " + second_does + " " + where(range) + ", which " +
              first.name + " " + first_does + "; nothing orders them (same stream, event, synchronisation)");
}

void compare(const Operation& first, const Operation& second) {
  Footprint::Range common{0, 0};
  if (first_common(first.footprint.writes, second.footprint.writes, common)) {
    report_conflict(first, "writes", second, "writes", common);
  } else if (first_common(first.footprint.writes, second.footprint.reads, common)) {
    report_conflict(first, "writes", second, "reads", common);
  } else if (first_common(first.footprint.reads, second.footprint.writes, common)) {
    report_conflict(first, "reads", second, "writes", common);
  }
}

}  // namespace

void sort_ranges(std::vector<Footprint::Range>& ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const auto& a, const auto& b) { return a.begin < b.begin; });
}

bool first_common(const std::vector<Footprint::Range>& a, const std::vector<Footprint::Range>& b,
                  Footprint::Range& common) {
  size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    const uint64_t begin = std::max(a[i].begin, b[j].begin);
    const uint64_t end = std::min(a[i].end, b[j].end);
    if (begin < end) {
      common = {begin, end};
      return true;
    }
    if (a[i].end <= b[j].end) {
      i++;
    } else {
      j++;
    }
  }
  return false;
}

void note_executed(const std::shared_ptr<Operation>& operation) {
  sort_ranges(operation->footprint.reads);
  sort_ranges(operation->footprint.writes);
  if (operation->footprint.reads.empty() && operation->footprint.writes.empty()) return;
  for (const auto& earlier : history())
    if (!earlier->before(*operation)) compare(*earlier, *operation);
  // A program that never synchronises must not make the list, and the comparisons with it, endless.
  constexpr size_t kMostRemembered = 8192;
  if (history().size() >= kMostRemembered)
    history().erase(history().begin(), history().begin() + kMostRemembered / 2);
  history().push_back(operation);
}

void forget_ordered(const std::vector<const Operation*>& pending) {
  std::erase_if(history(), [&](const std::shared_ptr<Operation>& old) {
    if (!host_has_seen(old->lane, old->number)) return false;
    return std::all_of(pending.begin(), pending.end(),
                       [&](const Operation* waiting) { return old->before(*waiting); });
  });
}

void forget_history() {
  history().clear();
}

}  // namespace vgpu::runtime
