// The counters as a table for people and as JSON for tests.
//
// JSON: {"version": 1, "kernels": [K, ...]}, kernels in order of their first launch. K:
//   name                            demangled
//   mangled                         the symbol of the .entry in PTX
//   launches, blocks, threads       of all launches together, as is everything below
//   warp_instructions               executed by warps
//   lane_instructions               executed by threads
//   lanes_per_instruction           their quotient, at most 32
//   mix                             {class: warp instructions}; classes: fp32_fma fp32_add fp32_mul
//                                   fp32_special (div, sqrt, ex2 ...) fp32_other fp64 fp16 integer conversion
//                                   move compare load_SPACE store_SPACE atomic async_copy matrix matrix_load
//                                   shuffle barrier fence control other
//   flops                           {fp16, fp32, fp64, matrix, total}; a fused multiply-add counts 2
//   matrix_operations               mma instructions executed by warps
//   branches, divergent_branches    executed by warps; divergent: lanes went both ways
//   atomics, barriers               instructions executed by warps
//   memory                          {global, shared, local, const, param}, each
//     load_requests, store_requests, atomic_requests     by warps
//     bytes_read, bytes_written                          requested by lanes; atomics count in both
//     global alone: load_sectors, store_sectors, atomic_sectors (32 bytes), sectors_per_load,
//                   sectors_per_store, unique_bytes_read, unique_bytes_written (different bytes in a launch,
//                   launches added up)
//     shared alone: load_passes, store_passes, atomic_passes, passes_per_load, passes_per_store (1 to 4 by
//                   width without bank conflicts), unique_bytes
//     local alone:  unique_bytes
//   arithmetic_intensity            flops.total / bytes of the global sectors moved, cache ignored
//   ideal_arithmetic_intensity      flops.total / unique bytes of global memory: with a perfect cache
//   instructions                    by pc, those that ran: {pc, text, file, line, place, class, executed,
//                                   lanes, requests, bytes, sectors, passes, flops, divergent}; sectors and
//                                   passes are sums
// Quotients with nothing below the line are 0.
#include <unistd.h>

#include <cerrno>
#include <cinttypes>
#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "check/counters.h"
#include "core/report.h"

namespace vgpu::check {
namespace {

constexpr uint32_t kSectorBytes = 32;

struct Sums {  // of a kernel's instructions
  uint64_t executed = 0, lanes = 0;
  std::array<uint64_t, static_cast<size_t>(Class::Count)> mix{};
  std::array<uint64_t, 4> flops{};  // by Precision
  uint64_t total_flops = 0;
};

Sums sums_of(const KernelTotals& kernel) {
  Sums sums;
  for (const auto& [pc, totals] : kernel.instructions) {
    sums.executed += totals.executed;
    sums.lanes += totals.lanes;
    sums.mix[static_cast<size_t>(totals.facts.kind)] += totals.executed;
    sums.flops[static_cast<size_t>(totals.facts.precision)] += totals.lanes * totals.facts.flops;
  }
  sums.total_flops = sums.flops[1] + sums.flops[2] + sums.flops[3] + kernel.mma_flops;
  return sums;
}

double quotient(uint64_t a, uint64_t b) {
  return b == 0 ? 0.0 : static_cast<double>(a) / static_cast<double>(b);
}

uint64_t sector_bytes(const SpaceTotals& global) {
  return (global.sectors[0] + global.sectors[1] + global.sectors[2]) * kSectorBytes;
}

const SpaceTotals& space_of(const KernelTotals& kernel, ptx::Space space) {
  return kernel.spaces[static_cast<size_t>(space)];
}

// Writes JSON objects; the caller opens and closes them in pairs.
class Json {
 public:
  void open(const char* key, char bracket) {
    name(key);
    out_ += bracket;
    comma_ = false;
  }
  void close(char bracket) {
    out_ += bracket;
    comma_ = true;
  }
  void number(const char* key, uint64_t value) {
    name(key);
    out_ += std::to_string(value);
  }
  void real(const char* key, double value) {
    name(key);
    char buffer[32];
    std::snprintf(buffer, sizeof buffer, "%.6g", value);
    out_ += buffer;
  }
  void text(const char* key, std::string_view value) {
    name(key);
    quote(value);
  }
  void newline() { newline_ = true; }
  const std::string& result() const { return out_; }

 private:
  void name(const char* key) {
    if (comma_) out_ += ',';
    if (newline_) out_ += '\n';
    newline_ = false;
    comma_ = true;
    if (key == nullptr) return;
    quote(key);
    out_ += ':';
  }
  void quote(std::string_view value) {
    out_ += '"';
    for (char c : value) {
      if (c == '"' || c == '\\') {
        out_ += '\\';
        out_ += c;
      } else {
        out_ += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
      }
    }
    out_ += '"';
  }

  std::string out_;
  bool comma_ = false, newline_ = false;
};

void write_requests(Json& json, const SpaceTotals& totals) {
  json.number("load_requests", totals.requests[0]);
  json.number("store_requests", totals.requests[1]);
  json.number("atomic_requests", totals.requests[2]);
  json.number("bytes_read", totals.bytes[0] + totals.bytes[2]);
  json.number("bytes_written", totals.bytes[1] + totals.bytes[2]);
}

void write_memory(Json& json, const KernelTotals& kernel) {
  json.open("memory", '{');
  const SpaceTotals& global = space_of(kernel, ptx::Space::Global);
  json.open("global", '{');
  write_requests(json, global);
  json.number("load_sectors", global.sectors[0]);
  json.number("store_sectors", global.sectors[1]);
  json.number("atomic_sectors", global.sectors[2]);
  json.real("sectors_per_load", quotient(global.sectors[0], global.requests[0]));
  json.real("sectors_per_store", quotient(global.sectors[1], global.requests[1]));
  json.number("unique_bytes_read", kernel.global_read);
  json.number("unique_bytes_written", kernel.global_written);
  json.close('}');
  const SpaceTotals& shared = space_of(kernel, ptx::Space::Shared);
  json.open("shared", '{');
  write_requests(json, shared);
  json.number("load_passes", shared.passes[0]);
  json.number("store_passes", shared.passes[1]);
  json.number("atomic_passes", shared.passes[2]);
  json.real("passes_per_load", quotient(shared.passes[0], shared.requests[0]));
  json.real("passes_per_store", quotient(shared.passes[1], shared.requests[1]));
  json.number("unique_bytes", kernel.shared);
  json.close('}');
  json.open("local", '{');
  write_requests(json, space_of(kernel, ptx::Space::Local));
  json.number("unique_bytes", kernel.local);
  json.close('}');
  json.open("const", '{');
  write_requests(json, space_of(kernel, ptx::Space::Const));
  json.close('}');
  json.open("param", '{');
  write_requests(json, space_of(kernel, ptx::Space::Param));
  json.close('}');
  json.close('}');
}

void write_instruction(Json& json, uint32_t pc, const InstructionTotals& totals) {
  json.newline();
  json.open(nullptr, '{');
  json.number("pc", pc);
  json.text("text", totals.text);
  json.text("file", totals.file);
  json.number("line", static_cast<uint64_t>(totals.line));
  json.text("place", totals.place);
  json.text("class", name_of(totals.facts.kind));
  json.number("executed", totals.executed);
  json.number("lanes", totals.lanes);
  json.number("requests", totals.requests);
  json.number("bytes", totals.bytes);
  json.number("sectors", totals.sectors);
  json.number("passes", totals.passes);
  json.number("flops", totals.lanes * totals.facts.flops + totals.mma_flops);
  json.number("divergent", totals.divergent);
  json.close('}');
}

void write_work(Json& json, const KernelTotals& kernel, const Sums& sums) {
  json.number("warp_instructions", sums.executed);
  json.number("lane_instructions", sums.lanes);
  json.real("lanes_per_instruction", quotient(sums.lanes, sums.executed));
  json.open("mix", '{');
  for (size_t i = 0; i < sums.mix.size(); ++i) {
    if (sums.mix[i] != 0) json.number(name_of(static_cast<Class>(i)), sums.mix[i]);
  }
  json.close('}');
  json.open("flops", '{');
  json.number("fp16", sums.flops[static_cast<size_t>(Precision::Fp16)]);
  json.number("fp32", sums.flops[static_cast<size_t>(Precision::Fp32)]);
  json.number("fp64", sums.flops[static_cast<size_t>(Precision::Fp64)]);
  json.number("matrix", kernel.mma_flops);
  json.number("total", sums.total_flops);
  json.close('}');
  json.number("matrix_operations", kernel.mma_operations);
  json.number("branches", kernel.branches);
  json.number("divergent_branches", kernel.divergent_branches);
  json.number("atomics", sums.mix[static_cast<size_t>(Class::Atomic)]);
  json.number("barriers", sums.mix[static_cast<size_t>(Class::Barrier)]);
}

void write_kernel(Json& json, const KernelTotals& kernel) {
  const Sums sums = sums_of(kernel);
  json.newline();
  json.open(nullptr, '{');
  json.text("name", kernel.name);
  json.text("mangled", kernel.mangled);
  json.number("launches", kernel.launches);
  json.number("blocks", kernel.blocks);
  json.number("threads", kernel.threads);
  write_work(json, kernel, sums);
  write_memory(json, kernel);
  json.real("arithmetic_intensity",
            quotient(sums.total_flops, sector_bytes(space_of(kernel, ptx::Space::Global))));
  json.real("ideal_arithmetic_intensity",
            quotient(sums.total_flops, kernel.global_read + kernel.global_written));
  json.open("instructions", '[');
  for (const auto& [pc, totals] : kernel.instructions) write_instruction(json, pc, totals);
  json.close(']');
  json.close('}');
}

[[gnu::format(printf, 2, 3)]] void add_line(std::string& out, const char* format, ...) {
  char buffer[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(buffer, sizeof buffer, format, arguments);
  va_end(arguments);
  out += "vgpu: count: ";
  out += buffer;
  out += '\n';
}

void add_kernel(std::string& out, const KernelTotals& kernel) {
  const Sums sums = sums_of(kernel);
  const SpaceTotals& global = space_of(kernel, ptx::Space::Global);
  const SpaceTotals& shared = space_of(kernel, ptx::Space::Shared);
  const SpaceTotals& local = space_of(kernel, ptx::Space::Local);
  add_line(out, "%.400s", kernel.name.c_str());
  add_line(out, "  launches %" PRIu64 ", blocks %" PRIu64 ", threads %" PRIu64, kernel.launches,
           kernel.blocks, kernel.threads);
  add_line(out, "  warp instructions %" PRIu64 ", %.2f lanes each; branches %" PRIu64 ", divergent %" PRIu64,
           sums.executed, quotient(sums.lanes, sums.executed), kernel.branches, kernel.divergent_branches);
  std::string mix;
  for (size_t i = 0; i < sums.mix.size(); ++i) {
    if (sums.mix[i] == 0) continue;
    if (!mix.empty()) mix += ", ";
    mix += std::string(name_of(static_cast<Class>(i))) + " " + std::to_string(sums.mix[i]);
  }
  add_line(out, "  mix: %.400s", mix.c_str());
  add_line(out,
           "  flops %" PRIu64 " (matrix %" PRIu64 " in %" PRIu64
           " operations), %.2f a byte of sectors, %.2f a "
           "unique byte",
           sums.total_flops, kernel.mma_flops, kernel.mma_operations,
           quotient(sums.total_flops, sector_bytes(global)),
           quotient(sums.total_flops, kernel.global_read + kernel.global_written));
  add_line(out,
           "  global: loads %" PRIu64 " (%.2f sectors each), stores %" PRIu64 " (%.2f), atomics %" PRIu64
           "; unique bytes read %" PRIu64 ", written %" PRIu64,
           global.requests[0], quotient(global.sectors[0], global.requests[0]), global.requests[1],
           quotient(global.sectors[1], global.requests[1]), global.requests[2], kernel.global_read,
           kernel.global_written);
  add_line(out,
           "  shared: loads %" PRIu64 " (%.2f passes each), stores %" PRIu64 " (%.2f), atomics %" PRIu64
           "; unique bytes %" PRIu64,
           shared.requests[0], quotient(shared.passes[0], shared.requests[0]), shared.requests[1],
           quotient(shared.passes[1], shared.requests[1]), shared.requests[2], kernel.shared);
  if (local.requests[0] + local.requests[1] != 0) {
    add_line(out, "  local: loads %" PRIu64 ", stores %" PRIu64 "; unique bytes %" PRIu64, local.requests[0],
             local.requests[1], kernel.local);
  }
}

}  // namespace

std::string counters_as_json(const Counters& counters) {
  Json json;
  json.open(nullptr, '{');
  json.number("version", 1);
  json.open("kernels", '[');
  for (const KernelTotals* kernel : counters.in_order()) write_kernel(json, *kernel);
  json.close(']');
  json.close('}');
  return json.result() + "\n";
}

std::string counters_as_table(const Counters& counters) {
  std::string out;
  for (const KernelTotals* kernel : counters.in_order()) add_kernel(out, *kernel);
  return out;
}

void write_counters(const Counters& counters, const std::string& destination) {
  if (destination == "1") {
    const std::string table = counters_as_table(counters);
    const ssize_t ignored = write(STDERR_FILENO, table.data(), table.size());
    (void)ignored;
    return;
  }
  const std::string text = counters_as_json(counters);
  std::FILE* file = std::fopen(destination.c_str(), "w");
  const bool written = file != nullptr && std::fwrite(text.data(), 1, text.size(), file) == text.size();
  const bool closed = file != nullptr && std::fclose(file) == 0;
  if (written && closed) return;
  report_line("cannot write the counters to " + destination + ": " + std::strerror(errno));
  remember_failure();
}

}  // namespace vgpu::check
