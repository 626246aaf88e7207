#include "tools/conv_selection.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <sstream>

#include "engine/tune/conv_candidates.h"
#include "kernels/base/error.h"
#include "kernels/base/nearest.h"
#include "tools/cli.h"

namespace tools {

namespace {

using kernels::ConvProblem;
using kernels::Direction;
using kernels::Error;
using kernels::ExitCode;
using Row = kernels::ConvRow<float>;

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> words;
  std::istringstream stream(list);
  for (std::string word; std::getline(stream, word, ',');) words.push_back(word);
  return words;
}

bool matches(const std::string& glob, const std::string& name) {
  return fnmatch(glob.c_str(), name.c_str(), 0) == 0;
}

[[noreturn]] void unknown(const std::string& flag, const std::string& what, const std::string& got,
                          const std::vector<std::string>& names) {
  throw Error(ExitCode::Usage, {.where = flag,
                                .what = what,
                                .expected = fmt::format("{}", fmt::join(names, ", ")),
                                .got = got,
                                .hint = kernels::nearest_hint(got, names)});
}

std::vector<const Row*> rows_of(kernels::Backend backend) {
  std::vector<const Row*> rows;
  for (const Row& row : kernels::conv_rows<float>()) {
    if (row.backend == backend) rows.push_back(&row);
  }
  return rows;
}

std::vector<std::string> names_of(const std::vector<const Row*>& rows) {
  std::vector<std::string> names;
  for (const Row* row : rows) names.emplace_back(row->name);
  return names;
}

/// The rows of --algo; without it all but the references, which take minutes on large shapes, unless there is
/// nothing else.
std::vector<const Row*> select_rows(const std::vector<const Row*>& all,
                                    const std::optional<std::string>& algo) {
  std::vector<const Row*> rows;
  if (!algo) {
    std::copy_if(all.begin(), all.end(), std::back_inserter(rows),
                 [](const Row* row) { return !engine::is_reference(*row); });
    return rows.empty() ? all : rows;
  }
  const std::vector<std::string> globs = split(*algo);
  for (const std::string& glob : globs) {
    if (std::none_of(all.begin(), all.end(), [&](const Row* row) { return matches(glob, row->name); })) {
      unknown("--algo", "no such row on this device", glob, names_of(all));
    }
  }
  require_usage(!globs.empty(), "--algo", "no row", fmt::format("{}", fmt::join(names_of(all), ", ")),
                "nothing");
  std::copy_if(all.begin(), all.end(), std::back_inserter(rows), [&](const Row* row) {
    return std::any_of(globs.begin(), globs.end(),
                       [&](const std::string& glob) { return matches(glob, row->name); });
  });
  return rows;
}

std::vector<Direction> select_directions(const std::string& list) {
  const std::vector<Direction> all = {Direction::Fprop, Direction::Dgrad, Direction::Wgrad};
  std::vector<std::string> names;
  for (const Direction direction : all) names.emplace_back(kernels::direction_name(direction));
  std::set<std::string> wanted;
  for (const std::string& word : split(list)) {
    if (std::find(names.begin(), names.end(), word) == names.end()) {
      unknown("--direction", "unknown direction", word, names);
    }
    wanted.insert(word);
  }
  require_usage(!wanted.empty(), "--direction", "no direction", "fprop, dgrad, wgrad", "nothing");
  std::vector<Direction> directions;
  for (const Direction direction : all) {
    if (wanted.count(kernels::direction_name(direction)) > 0) directions.push_back(direction);
  }
  return directions;
}

/// --shape: names (globs) of the shapes file, or shapes themselves: only those begin with a field and a
/// number.
std::vector<engine::ConvShape> select_shapes(const BenchFlags& f) {
  if (f.shape.empty()) return engine::read_conv_shapes(f.shapes);
  std::vector<engine::ConvShape> shapes;
  for (const std::string& text : f.shape) {
    if (text.find("ic") != std::string::npos && text.find("kh") != std::string::npos) {
      shapes.push_back(engine::parse_conv_shape(text, "--shape"));
      continue;
    }
    std::vector<std::string> names;
    const size_t before = shapes.size();
    for (const engine::ConvShape& shape : engine::read_conv_shapes(f.shapes)) {
      names.push_back(shape.name);
      if (matches(text, shape.name)) shapes.push_back(shape);
    }
    if (shapes.size() == before) unknown("--shape", "neither a shape nor the name of one", text, names);
  }
  return shapes;
}

/// Every shape at every batch of --batch; without it at its own mb, or 1.
std::vector<engine::ConvShape> at_batches(const std::vector<engine::ConvShape>& shapes,
                                          const std::optional<std::string>& list) {
  if (!list) return shapes;
  std::vector<int64_t> batches;
  for (const std::string& word : split(*list)) {
    int64_t batch = 0;
    const auto [stop, error] = std::from_chars(word.data(), word.data() + word.size(), batch);
    const bool number = error == std::errc() && stop == word.data() + word.size();
    require_usage(number && batch >= 1 && batch <= 1024, "--batch", "not a list of batch sizes",
                  "numbers from 1 to 1024, as 1,16", *list);
    batches.push_back(batch);
  }
  require_usage(!batches.empty(), "--batch", "not a list of batch sizes", "numbers, as 1,16", "nothing");
  std::vector<engine::ConvShape> result;
  for (const engine::ConvShape& shape : shapes) {
    for (const int64_t batch : batches) {
      result.push_back(shape);
      result.back().problem.N = batch;
    }
  }
  return result;
}

}  // namespace

const Row& find_row(const std::string& flag, const std::string& name, kernels::Backend backend) {
  const std::vector<const Row*> all = rows_of(backend);
  const auto found = std::find_if(all.begin(), all.end(), [&](const Row* row) { return name == row->name; });
  if (found == all.end()) unknown(flag, "no such row on this device", name, names_of(all));
  return **found;
}

std::vector<CliWord> conv_row_words() {
  std::vector<CliWord> words;
  for (const Row& row : kernels::conv_rows<float>()) words.push_back({row.name});
  return words;
}

BenchSelection select_bench(const BenchFlags& f, kernels::Backend backend) {
  BenchSelection s;
  const std::vector<const Row*> all = rows_of(backend);
  s.rows = select_rows(all, f.algo);
  if (!f.algo && !all.empty()) s.fallback = all.back();
  if (f.reference) s.reference = &find_row("--reference", *f.reference, backend);
  s.directions = select_directions(f.direction);
  s.shapes = at_batches(select_shapes(f), f.batch);
  const int64_t samples = f.samples.value_or(s.options.samples);
  require_usage(samples >= 1 && samples <= 10000, "--samples", "out of range", "1 to 10000",
                std::to_string(samples));
  s.options.samples = static_cast<int>(samples);
  s.options.seconds = f.seconds.value_or(s.options.seconds);
  require_usage(s.options.seconds >= 0, "--seconds", "out of range", "0 or more",
                fmt::format("{:g}", s.options.seconds));
  s.options.time = !f.check;
  return s;
}

ConvProblem bounded(ConvProblem c, double most) {
  while (c.macs() > most) {
    const auto halve = [](int64_t& size) { size = (size + 1) / 2; };
    if (c.N > 1) {
      halve(c.N);
    } else if (std::min(c.P(), c.Q()) > 8) {
      halve(c.H);
      halve(c.W);
    } else if (c.C > 1 || c.K > 1) {
      halve(c.C);
      halve(c.K);
    } else {
      break;
    }
  }
  return c;
}

BenchCandidates bench_candidates(const BenchSelection& s, const kernels::Exec& exec,
                                 const engine::ConvShape& shape, Direction direction) {
  BenchCandidates result;
  std::vector<const Row*> rows = s.rows;
  if (s.reference != nullptr && std::find(rows.begin(), rows.end(), s.reference) == rows.end()) {
    rows.push_back(s.reference);
  }
  for (const Row* row : rows) {
    const std::string reason = row->supports(exec, shape.problem, direction);
    if (reason.empty()) {
      result.rows.push_back(row);
      if (row == s.reference ||
          (s.reference == nullptr && (result.reference == nullptr || !engine::is_reference(*row)))) {
        result.reference = row;
      }
    } else {
      fmt::print(stderr, "skipped: {} {} {}: {}\n", shape.name, kernels::direction_name(direction), row->name,
                 reason);
    }
  }
  if (result.rows.empty() && s.fallback != nullptr) return {{s.fallback}, s.fallback};
  return result;
}

}  // namespace tools
