// bench_conv: checks and times the convolution rows on given shapes. The measuring is
// engine/tune/conv_bench.h, the output tools/conv_report.h; what is measured tools/conv_selection.h.
#include <fmt/format.h>

#include <algorithm>

#include "cpm/device.h"
#include "engine/io/file.h"
#include "engine/tune/conv_candidates.h"
#include "kernels/base/device_runtime.h"
#include "kernels/base/error.h"
#include "kernels/base/fma_peak.h"
#include "tools/cli.h"
#include "tools/conv_on_request.h"
#include "tools/conv_report.h"
#include "tools/conv_selection.h"

namespace {

using kernels::Direction;
using kernels::Error;
using kernels::ExitCode;

tools::BenchMachine measure_machine(const kernels::Exec& exec, bool time) {
  const bool cpu = exec.backend == kernels::Backend::Cpu;
  tools::BenchMachine machine{.device = kernels::device_runtime(exec.backend).device_name(exec.device),
                              .threads = exec.threads->size(),
                              .isa = cpu ? kernels::isa_name(exec.isa) : ""};
  if (!time) return machine;
  machine.fma_gflops = kernels::measure_fma_peak_gflops(exec);
  machine.memory = kernels::measure_memory_peaks(exec);
  return machine;
}

void print_machine(std::FILE* stream, const tools::BenchMachine& machine, bool cpu) {
  const std::string what =
      cpu ? fmt::format("{}, {} threads, {}", machine.device, machine.threads, machine.isa)
          : machine.device + ", clocks: unknown (not read, perhaps not locked)";
  fmt::print(stream, "device: {}\n", what);
  if (machine.fma_gflops > 0) {
    fmt::print(stream, "peaks, measured here: FMA {:.1f} GFLOP/s, copy {:.1f} GB/s, triad {:.1f} GB/s\n",
               machine.fma_gflops, machine.memory.copy, machine.memory.triad);
    fmt::print(stream, "{}\n\n",
               cpu ? "samples: hot caches; kept where (user + system) / wall >= 0.95 a thread"
                   : "samples: cold, the second-level cache overwritten before each");
  } else {
    fmt::print(stream, "checked, not timed\n\n");
  }
}

[[noreturn]] void fail(const std::vector<tools::BenchRow>& wrong) {
  const tools::BenchRow& first = wrong.front();
  const engine::ConvBenchResult& r = first.result;
  throw Error(
      ExitCode::CheckFailed,
      {.where = fmt::format("{} {} {}", r.row->name, kernels::direction_name(first.direction), first.name),
       .what = fmt::format("wrong result ({} in all)", wrong.size()),
       .expected = fmt::format("relative error at most {:.1e}", r.error_bound),
       .got = fmt::format("{:.1e}", r.error),
       .hint = "do not train with it on this machine; please report it with the shape"});
}

/// A file that cannot be created is refused before, not behind, minutes of measuring.
void check_place(const std::optional<std::string>& file) {
  if (!file || *file == "-") return;
  const std::filesystem::path folder = std::filesystem::absolute(*file).parent_path();
  std::error_code error;
  if (std::filesystem::is_directory(folder, error)) return;
  throw Error(ExitCode::CannotWrite, {.where = *file,
                                      .what = "cannot create the file",
                                      .expected = "a folder that can be written to",
                                      .got = "no such folder",
                                      .hint = "create the folder first, or name another"});
}

std::vector<tools::BenchRow> measure(const tools::BenchSelection& s, const kernels::Exec& exec,
                                     tools::BenchTable* table) {
  std::vector<tools::BenchRow> rows;
  for (const engine::ConvShape& shape : s.shapes) {
    for (const Direction direction : s.directions) {
      const tools::BenchCandidates with = tools::bench_candidates(s, exec, shape, direction);
      if (with.rows.empty()) continue;
      const auto candidates = engine::conv_candidates(exec, shape.problem, direction, false);
      const auto& ruled = kernels::choose_conv_row<float>(exec, shape.problem, direction);
      for (auto& result :
           engine::bench_conv(exec, shape.problem, direction, with.rows, with.reference, s.options)) {
        const std::string reference = with.reference == nullptr ? "" : with.reference->name;
        const auto* row = result.row;
        rows.push_back({shape.name, shape.problem, direction, reference, std::move(result),
                        std::find(candidates.begin(), candidates.end(), row) != candidates.end(),
                        row == &ruled});
        table->row(rows.back());
      }
    }
  }
  return rows;
}

void write(const std::string& file, const std::string& text) {
  if (file == "-") {
    fmt::print("{}", text);
  } else {
    engine::write_text(file, text);
  }
}

void declare(tools::Cli* cli, tools::BenchFlags* f) {
  cli->option("--shapes", &f->shapes, "FILE", "shapes, one a line (default data/shapes/cpm.txt)");
  cli->repeated(
      "--shape", &f->shape, "SHAPE",
      "a shape as benchdnn writes it, mb16_ic128ih184_oc128oh184_kh9ph4_n\"B\", or the name of one in the "
      "file (B, '*'); repeatable");
  cli->option("--batch", &f->batch, "LIST", "batch sizes, as 1,16 (default: the shape's mb, or 1)");
  cli->option("--device", &f->device, "DEVICE", "auto, cpu, cuda or cuda:N (default auto)");
  cli->option("--algo", &f->algo, "GLOBS", "rows, as 'cpu.*' (default: all but *.reference)");
  cli->option("--direction", &f->direction, "LIST", "fprop, dgrad, wgrad (default all)");
  cli->option("--reference", &f->reference, "NAME",
              "the row that ratios refer to (default: the plainest of those measured, no *.reference)");
  cli->option("--samples", &f->samples, "N",
              "quiet samples wanted of each row (default 7); three times as many are tried");
  cli->option("--seconds", &f->seconds, "S", "no new sample after that long for each row (default 20)");
  cli->option("--threads", &f->threads, "N", "threads (default: all processors)");
  cli->flag("--no-deterministic", &f->no_deterministic,
            "also algorithms of cuDNN whose results vary from run to run");
  cli->flag("--check", &f->check, "check the rows, do not time them");
  cli->flag("--markdown", &f->markdown, "the table as Markdown");
  cli->option("--csv", &f->csv, "FILE", "also write CSV (- is stdout; the table then goes to stderr)");
  cli->option("--json", &f->json, "FILE", "also write a JSON array of rows (- as above)");
  cli->flag("--on-request", &f->on_request,
            "a JSON line that lists the problems; then a problem's place (0, 1, ...) on a line of stdin is "
            "answered by one sample of it, another JSON line");
  cli->footer(
      "ratio is the reference's median time over the row's. An asterisk behind 'kept': fewer than three\n"
      "quiet samples, so all count. 'rule' marks the row that runs by default; the last line compares its\n"
      "time with the quickest row's. Exit codes: 0 done, 1 a row was wrong, 64 usage, 65 bad shapes file,\n"
      "69 no such device, 73/74 cannot write.");
  cli->words("--direction", tools::to_words({"fprop", "dgrad", "wgrad"}));
  cli->words("--algo", tools::conv_row_words());
  cli->words("--reference", tools::conv_row_words());
}

int run(int argc, char** argv) {
  tools::Cli cli("bench_conv", "Checks convolution rows against plain loops in double, then times them.");
  tools::BenchFlags f;
  declare(&cli, &f);
  if (!cli.parse(argc, argv)) return 0;
  const bool json_out = f.json == "-", csv_out = f.csv == "-";
  tools::require_usage(!json_out || !csv_out, "--csv", "standard output is taken by --json", "a file", "-");
  check_place(f.csv);
  check_place(f.json);
  const cpm::Device device = cpm::open_device(f.device, f.threads.value_or(0), !f.no_deterministic);
  const kernels::Exec& exec = device.exec;
  tools::BenchSelection s = tools::select_bench(f, exec.backend);
  std::FILE* const out = json_out || csv_out || f.on_request ? stderr : stdout;

  if (kernels::device_runtime(exec.backend).device_info(exec.device).is_virtual()) {
    constexpr double kMost = 2e6;
    s.options.time = false;
    for (engine::ConvShape& shape : s.shapes) shape.problem = tools::bounded(shape.problem, kMost);
    fmt::print(out, "virtual device: no times; shapes cut to at most {:.0f} million multiply-adds\n",
               kMost * 1e-6);
  }
  const tools::BenchMachine machine = measure_machine(exec, s.options.time);
  if (f.on_request) {
    tools::answer_conv_requests(f, s, exec, machine);
    return 0;
  }
  print_machine(out, machine, exec.backend == kernels::Backend::Cpu);
  size_t name_width = 0, algo_width = 0;
  for (const engine::ConvShape& shape : s.shapes) name_width = std::max(name_width, shape.name.size());
  for (const auto* row : s.rows) algo_width = std::max(algo_width, std::string(row->name).size());
  if (s.reference != nullptr) algo_width = std::max(algo_width, std::string(s.reference->name).size());
  tools::BenchTable table(out, f.markdown, machine, name_width, algo_width);
  table.head();
  const std::vector<tools::BenchRow> rows = measure(s, exec, &table);
  if (const std::string summary = tools::rule_summary(rows); !summary.empty()) {
    fmt::print(out, "\n{}\n", summary);
  }
  if (f.csv) write(*f.csv, tools::bench_csv(rows, machine));
  if (f.json) write(*f.json, tools::bench_json(rows, machine));
  std::vector<tools::BenchRow> wrong;
  std::copy_if(rows.begin(), rows.end(), std::back_inserter(wrong),
               [](const tools::BenchRow& row) { return !row.result.right(); });
  if (!wrong.empty()) fail(wrong);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return tools::run_main([&] { return run(argc, argv); });
}
