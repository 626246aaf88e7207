#include "tools/conv_on_request.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

#include "engine/tune/conv_shape.h"
#include "kernels/base/error.h"
#include "tools/cli.h"
#include "tools/json_text.h"
#include "tools/on_request.h"

namespace tools {

namespace {

using kernels::ConvProblem;
using kernels::Direction;
using Row = kernels::ConvRow<float>;

struct Request {
  std::string name;  // of the shape
  ConvProblem problem;
  Direction direction = Direction::Fprop;
  const Row* row = nullptr;
};

std::vector<Request> requests_of(const BenchFlags& flags, const BenchSelection& s,
                                 const kernels::Exec& exec) {
  std::vector<Request> requests;
  for (const engine::ConvShape& shape : s.shapes) {
    for (const Direction direction : s.directions) {
      const Row* row = nullptr;
      if (flags.algo) {
        const BenchCandidates with = bench_candidates(s, exec, shape, direction);
        if (with.rows.empty()) continue;
        row = with.rows.front();
      } else {
        row = &kernels::choose_conv_row<float>(exec, shape.problem, direction);
      }
      requests.push_back({shape.name, shape.problem, direction, row});
    }
  }
  return requests;
}

std::string request_json(const Request& request) {
  const ConvProblem& c = request.problem;
  JsonObject json;
  json.add("name", request.name);
  json.add("direction", kernels::direction_name(request.direction));
  json.add("problem", engine::to_shape_string(c));
  for (const auto& [key, size] :
       {std::pair("N", c.N), {"C", c.C}, {"H", c.H}, {"W", c.W}, {"K", c.K}, {"R", c.R}, {"S", c.S}}) {
    json.add(key, size);
  }
  json.add("pad_h", c.pad_h);
  json.add("pad_w", c.pad_w);
  json.add("stride", c.stride);
  json.add("algo", request.row->name);
  return json.text();
}

std::string ready_json(const std::vector<Request>& requests, const BenchMachine& machine) {
  std::vector<std::string> problems;
  for (const Request& request : requests) problems.push_back(request_json(request));
  JsonObject json;
  json.add("device", machine.device);
  json.add("threads", machine.threads);
  json.add("isa", machine.isa);
  json.add("peak_gflops", machine.fma_gflops);
  json.add("peak_copy_gb_per_s", machine.memory.copy);
  json.add("peak_triad_gb_per_s", machine.memory.triad);
  json.add_raw("problems", json_array(problems));
  return json.text();
}

const Request& find_request(const std::vector<Request>& requests, const std::string& line) {
  size_t place = 0;
  const auto [stop, error] = std::from_chars(line.data(), line.data() + line.size(), place);
  require_usage(error == std::errc() && stop == line.data() + line.size() && place < requests.size(),
                "standard input", "not the place of a problem",
                fmt::format("a number below {}", requests.size()), line);
  return requests[place];
}

std::string sample_json(const Request& request, const kernels::Exec& exec,
                        const engine::ConvBenchOptions& options) {
  const std::array rows{request.row};
  const auto results =
      engine::bench_conv(exec, request.problem, request.direction, rows, request.row, options);
  const engine::ConvBenchResult& r = results.front();
  if (!r.right()) {
    throw kernels::Error(kernels::ExitCode::CheckFailed,
                         {.where = fmt::format("{} {} {}", r.row->name,
                                               kernels::direction_name(request.direction), request.name),
                          .what = "wrong result",
                          .expected = fmt::format("relative error at most {:.1e}", r.error_bound),
                          .got = fmt::format("{:.1e}", r.error),
                          .hint = "another row, by algo; please report this one"});
  }
  JsonObject json;
  json.add("algo", r.row->name);
  json.add("detail", r.detail);
  json.add("seconds", r.samples.seconds.front());
  json.add("busy", r.samples.busy.front());
  json.add("calls", r.calls);
  json.add("error", r.error);
  json.add("flops_effective", r.effective_flops);
  json.add("flops_executed", r.executed_flops);
  json.add("workspace_bytes", static_cast<int64_t>(r.workspace));
  return json.text();
}

}  // namespace

void answer_conv_requests(const BenchFlags& flags, const BenchSelection& selection, const kernels::Exec& exec,
                          const BenchMachine& machine) {
  require_usage(selection.options.time, "--on-request", "nothing to time", "a real device, and no --check",
                machine.device);
  const std::vector<Request> requests = requests_of(flags, selection, exec);
  engine::ConvBenchOptions one = selection.options;
  one.samples = 1;
  one.seconds = 0;
  answer_requests(ready_json(requests, machine), [&](const std::string& line) {
    return sample_json(find_request(requests, line), exec, one);
  });
}

}  // namespace tools
