// Report lines, faults and findings.
//
// A line is written with one write() so that lines of several processes or threads do not mix. Findings are
// told once an instruction and kind, and a cap keeps a broken kernel from flooding the terminal. The exit
// status is changed in a handler that is registered when the library is loaded, so that it runs after the
// program's own exit handlers.
#include "core/report.h"

#include <cxxabi.h>
#include <unistd.h>

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <set>
#include <tuple>
#include <vector>

#include "core/block.h"

namespace vgpu {
namespace {

constexpr int kMaximumLines = 100;
constexpr int kFindingStatus = 86, kFailureStatus = 74;

// Never destroyed: the exit handler outlives static objects.
struct Log {
  std::mutex mutex;
  int lines = 0;
  bool finding = false, failure = false;
  std::set<std::tuple<const Inst*, uint32_t, Check>> found;
  std::vector<void (*)()> at_exit;
};

Log& log() {
  static Log* const instance = new Log;
  return *instance;
}

void at_exit() {
  for (void (*function)() : log().at_exit) function();
  if (!log().finding && !log().failure) return;
  std::fflush(nullptr);
  _exit(log().finding ? kFindingStatus : kFailureStatus);
}

[[maybe_unused]] const int registered = std::atexit(at_exit);

void write_line(const std::string& line) {
  ssize_t ignored = write(STDERR_FILENO, line.data(), line.size());
  (void)ignored;
}

// The last two components of a path: what tells files of a project apart.
std::string_view short_path(std::string_view path) {
  size_t slash = path.rfind('/');
  if (slash == std::string_view::npos || slash == 0) return path;
  slash = path.rfind('/', slash - 1);
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string file_and_line(const ptx::Module& module, const ptx::Location& location) {
  const bool known = location.file >= 0 && static_cast<size_t>(location.file) < module.files.size();
  std::string text(known ? short_path(module.files[location.file]) : "?");
  text += ':';
  text += std::to_string(location.line);
  if (!location.function.empty()) {
    // demangle() keeps the parameters; the bare name is enough here.
    const std::string name = demangle(location.function);
    text += " (" + name.substr(0, name.find('(')) + ")";
  }
  return text;
}

std::string triple(const Dim3& v) {
  return "(" + std::to_string(v.x) + "," + std::to_string(v.y) + "," + std::to_string(v.z) + ")";
}

// The statement on one line, spaces squeezed.
std::string one_line(std::string_view text) {
  std::string out;
  for (char c : text) {
    const bool space = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    if (!space) {
      out += c;
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
    }
  }
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

Dim3 thread_of(const Warp& warp, uint32_t lane) {
  const Dim3& size = warp.block->launch->block;
  const uint32_t linear = warp.id * kLanes + lane;
  return {linear % size.x, linear / size.x % size.y, linear / (size.x * size.y)};
}

std::string formatted(const char* format, va_list arguments) {
  char buffer[1024];
  std::vsnprintf(buffer, sizeof buffer, format, arguments);
  return buffer;
}

}  // namespace

std::string demangle(std::string_view name) {
  const std::string text(name);
  int status = 0;
  char* plain = abi::__cxa_demangle(text.c_str(), nullptr, nullptr, &status);
  std::string result = status == 0 && plain != nullptr ? plain : text;
  std::free(plain);
  return result;
}

std::string place(const ptx::Module& module, const ptx::Instruction& instruction) {
  int32_t index = instruction.location;
  if (index < 0 || static_cast<size_t>(index) >= module.locations.size()) {
    return "no line information (compile with -lineinfo)";
  }
  std::string text = file_and_line(module, module.locations[index]);
  // The chain is finite in any sane file; the bound guards against a circle.
  for (int depth = 0; depth < 16; ++depth) {
    index = module.locations[index].inlined_at;
    if (index < 0 || static_cast<size_t>(index) >= module.locations.size()) break;
    text += ", inlined at " + file_and_line(module, module.locations[index]);
  }
  return text;
}

void report_line(const std::string& text) {
  const std::lock_guard<std::mutex> lock(log().mutex);
  if (log().lines >= kMaximumLines) return;
  if (++log().lines < kMaximumLines) {
    write_line("vgpu: error: " + text + "\n");
  } else {
    write_line("vgpu: error: further reports are left out\n");
  }
}

void report(Warp& warp, const Inst& inst, uint32_t lane, const std::string& text) {
  const Launch& launch = *warp.block->launch;
  std::string line = text + " | kernel " + demangle(launch.kernel->name);
  const Program& program = *launch.program;
  const ptx::Instruction* source =
      inst.source < program.sources.size() ? program.sources[inst.source].instruction : nullptr;
  if (source != nullptr) {
    const bool has_line = source->location >= 0;
    line += has_line ? " | at " : " | ";
    line += place(*program.module, *source);
  }
  line += " | block " + triple(warp.block->index) + " thread " + triple(thread_of(warp, lane));
  if (source != nullptr) line += " | instruction `" + one_line(source->text) + "`";
  report_line(line);
}

void fault(Warp& w, const Inst& inst, int error, uint32_t lane, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const std::string text = formatted(format, arguments);
  va_end(arguments);
  report(w, inst, lane, text);
  throw KernelFault{error};
}

void finding(Warp& w, const Inst& inst, Check check, uint32_t lane, const char* format, ...) {
  if ((enabled_checks() & static_cast<uint32_t>(check)) == 0) return;
  {
    const std::lock_guard<std::mutex> lock(log().mutex);
    if (!log().found.emplace(&inst, inst.source, check).second) return;
  }
  va_list arguments;
  va_start(arguments, format);
  const std::string text = formatted(format, arguments);
  va_end(arguments);
  report(w, inst, lane, text);
  remember_finding();
}

bool already_found(const Inst& inst, Check check) {
  const std::lock_guard<std::mutex> lock(log().mutex);
  return log().found.count({&inst, inst.source, check}) != 0;
}

void remember_finding() {
  log().finding = true;
}

void remember_failure() {
  log().failure = true;
}

bool had_finding() {
  return log().finding;
}

void forget_findings() {
  const std::lock_guard<std::mutex> lock(log().mutex);
  log().finding = false;
  log().lines = 0;
  log().found.clear();
}

void call_at_exit(void (*function)()) {
  const std::lock_guard<std::mutex> lock(log().mutex);
  log().at_exit.push_back(function);
}

}  // namespace vgpu
