// Thread pool, error lines, the choice of an instruction set, and the sums the kernels share.
#include <atomic>
#include <chrono>
#include <filesystem>
#include <mutex>
#include <set>
#include <thread>

#include "kernels/base/backend.h"
#include "kernels/base/device_memory.h"
#include "kernels/base/elementwise.h"
#include "kernels/base/error.h"
#include "kernels/base/event_timer.h"
#include "kernels/base/fma_peak.h"
#include "kernels/base/memory_peak.h"
#include "tests/support/cpu_kernels.h"

namespace {

using kernels::Error;
using kernels::ExitCode;
using kernels::ThreadPool;
using namespace tests;

/// Runs this program's hidden test "[.isa-child]" with CPM_ISA set; what it prints.
std::string isa_of_child(const std::string& wanted) {
  const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
  const std::string command = "CPM_ISA='" + wanted + "' '" + self + "' '[.isa-child]' 2>&1";
  FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string output;
  char buffer[256];
  while (std::fgets(buffer, sizeof buffer, pipe) != nullptr) output += buffer;
  pclose(pipe);
  return output;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("base: every task runs once, whatever the numbers of tasks and threads") {
  for (const int threads : {1, 2, 3, 5}) {
    ThreadPool pool(threads);
    REQUIRE(pool.size() == threads);
    for (const int64_t tasks : {0, 1, 2, 3, 4, 5, 7, 64, 1000}) {
      CAPTURE(threads, tasks);
      std::vector<std::atomic<int>> runs(static_cast<size_t>(tasks));
      pool.parallel_for(tasks, [&](int64_t i) { ++runs[static_cast<size_t>(i)]; });
      for (const auto& count : runs) REQUIRE(count == 1);
    }
  }
}

TEST_CASE("base: one pool serves thousands of short loops") {
  ThreadPool pool(3);
  std::atomic<int64_t> sum = 0;
  constexpr int64_t kLoops = 5000;
  for (int64_t loop = 0; loop < kLoops; ++loop) pool.parallel_for(loop % 6, [&](int64_t i) { sum += i + 1; });
  int64_t expected = 0;
  for (int64_t loop = 0; loop < kLoops; ++loop) expected += (loop % 6) * (loop % 6 + 1) / 2;
  CHECK(sum == expected);
}

TEST_CASE("base: the first exception of a body reaches the caller and the pool lives on") {
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);
    for (int round = 0; round < 50; ++round) {
      std::atomic<int> runs = 0;
      std::string message;
      try {
        pool.parallel_for(1000, [&](int64_t i) {
          ++runs;
          if (i == 10) throw std::runtime_error("task 10");
        });
      } catch (const std::runtime_error& error) {
        message = error.what();
      }
      REQUIRE(message == "task 10");
      REQUIRE(runs >= 11);
      std::atomic<int> after = 0;
      pool.parallel_for(20, [&](int64_t) { ++after; });
      REQUIRE(after == 20);
    }
  }
}

TEST_CASE("base: tasks behind an exception are skipped") {
  ThreadPool pool(3);
  std::atomic<int> runs = 0;
  CHECK_THROWS_AS(pool.parallel_for(10000,
                                    [&](int64_t i) {
                                      if (i == 0) throw std::runtime_error("task 0");
                                      ++runs;
                                      std::this_thread::sleep_for(std::chrono::microseconds(100));
                                    }),
                  std::runtime_error);
  CHECK(runs < 9999);
}

TEST_CASE("base: pools of different sizes may nest") {
  ThreadPool outer(2);
  std::atomic<int> runs = 0;
  outer.parallel_for(6, [&](int64_t i) {
    ThreadPool inner(static_cast<int>(i % 3) + 1);
    inner.parallel_for(i, [&](int64_t) { ++runs; });
  });
  CHECK(runs == 15);
}

TEST_CASE("base: chunks cover a range once, in pieces that only the chunk size decides") {
  ThreadPool pool(3);
  for (const int64_t count : {0, 1, 9, 10, 11, 95, 100}) {
    std::mutex mutex;
    std::set<std::pair<int64_t, int64_t>> pieces;
    kernels::parallel_chunks(pool, count, 10, [&](int64_t begin, int64_t end) {
      const std::lock_guard lock(mutex);
      pieces.insert({begin, end});
    });
    int64_t covered = 0;
    for (const auto& [begin, end] : pieces) {
      CHECK((begin == covered && end == std::min<int64_t>(count, begin + 10)));
      covered = end;
    }
    CHECK(covered == count);
  }
  CHECK_THROWS_AS(kernels::parallel_chunks(pool, 5, 0, [](int64_t, int64_t) {}), Error);
  CHECK_THROWS_AS(ThreadPool(0), Error);
  CHECK(kernels::available_processors() >= 1);
}

TEST_CASE("base: an error is one line with the fields that are set") {
  const Error full(ExitCode::BadData, {"a.json", "no key", "an object", "a list", "see the docs"});
  CHECK(full.code() == ExitCode::BadData);
  CHECK(std::string(full.what()) ==
        "a.json: no key | expected: an object | got: a list | hint: see the docs");
  CHECK(kernels::error_line({.what = "broken"}) == "broken");
  CHECK(kernels::error_line({.where = "--k", .what = "bad", .got = "x"}) == "--k: bad | got: x");
  CHECK(kernels::error_line({.what = "two\nlines\t\x7f\x1b[31m"}) == "two\\x0alines\\x09\\x7f\\x1b[31m");
  CHECK(kernels::printable("Stra\xc3\x9f"
                           "e") ==
        "Stra\xc3\x9f"
        "e");
  CHECK(kernels::printable("abcdef", 3) == "abc...");
  CHECK(kernels::printable("abc", 3) == "abc");
  const std::string line = kernels::error_line({.where = std::string(5000, 'x'), .what = "long"});
  CHECK(line.size() <= 392);
  CHECK(contains(line, "xxx...xxx"));
  CHECK(contains(line, "xxx: long"));
  // Long fields lose their middle, at the edges of characters, until the line fits.
  std::string name;
  for (int i = 0; i < 2000; ++i) name += "\xe6\x97\xa5";
  const std::string all = kernels::error_line(
      {.where = name + ".png", .what = name, .expected = name, .got = "\x01" + name, .hint = name});
  CHECK(all.size() <= 392);
  CHECK(kernels::printable(all, 1000) == all);
  CHECK(contains(all, "\xe6\x97\xa5.png: "));
  CHECK(contains(all, "got: \\x01\xe6\x97\xa5"));
  // Marks that end a line or turn the direction of writing.
  CHECK(kernels::printable("a\xe2\x80\xaegnp\xe2\x80\xa8\xe2\x81\xa6") ==
        "a\\xe2\\x80\\xaegnp\\xe2\\x80\\xa8\\xe2\\x81\\xa6");
  CHECK(kernels::printable("\xe2\x80\x93") == "\xe2\x80\x93");
}

TEST_CASE("base: a failed check names its expression and place") {
  try {
    const int count = 3;
    CPM_CHECK(count == 4, "count {}", count);
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::Internal);
    CHECK(error.info().what == "count 3");
    CHECK(error.info().expected == "count == 4");
    CHECK(contains(error.info().where, "base_test.cpp:"));
  }
}

TEST_CASE("base: a missing backend says so") {
  try {
    kernels::no_backend("relu", kernels::Backend::Cuda);
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::DeviceUnavailable);
    CHECK(contains(error.what(), "relu: this build has no CUDA kernels | "));
    CHECK(contains(error.what(), "got: cuda"));
  }
}

TEST_CASE("base: prints the instruction set", "[.isa-child]") {
  try {
    std::printf("isa=%s\n", kernels::isa_name(kernels::best_isa()));
  } catch (const Error& error) {
    std::printf("code=%d %s\n", static_cast<int>(error.code()), error.what());
  }
}

TEST_CASE("base: CPM_ISA caps the instruction set") {
  const std::string best = kernels::isa_name(kernels::best_isa());
  if (std::getenv("CPM_ISA") == nullptr) CHECK(contains(isa_of_child(""), "isa=" + best));
  CHECK(contains(isa_of_child("portable"), "isa=portable"));
  CHECK(contains(isa_of_child(best), "isa=" + best));
  CHECK(contains(isa_of_child("sse9"), "code=64 CPM_ISA: instruction set not available"));
}

TEST_CASE("base: a lane sum adds every term once") {
  for (int64_t count = 0; count < 40; ++count) {
    CHECK(kernels::lane_sum(count, [](int64_t i) { return static_cast<double>(i + 1); }) ==
          static_cast<double>(count * (count + 1) / 2));
  }
}

TEST_CASE("base: element types") {
  CHECK(kernels::dtype_size(kernels::DType::F32) == sizeof(float));
  CHECK(kernels::dtype_size(kernels::DType::F64) == sizeof(double));
  CHECK(std::string(kernels::dtype_name(kernels::DType::F64)) == "F64");
  const auto size = [](auto value) { return sizeof value; };
  CHECK(kernels::visit_dtype(kernels::DType::F32, size) == 4);
  CHECK(kernels::visit_dtype(kernels::DType::F64, size) == 8);
}

TEST_CASE("base: events of the CPU measure time") {
  Cpu cpu(1);
  kernels::EventTimer timer(cpu.exec);
  const double slept = timer.time([] { std::this_thread::sleep_for(std::chrono::milliseconds(5)); });
  CHECK(slept >= 0.005);
  CHECK(kernels::best_seconds(cpu.exec, 3, [] {}) < slept);
}

TEST_CASE("base: device memory moves with its owner") {
  Cpu cpu(1);
  kernels::DeviceMemory a(cpu.exec, 100);
  void* const data = a.data();
  CHECK(reinterpret_cast<uintptr_t>(data) % 256 == 0);
  kernels::DeviceMemory b(std::move(a));
  CHECK(b.data() == data);
  CHECK(b.bytes() == 100);
  kernels::DeviceMemory c;
  c = std::move(b);
  CHECK(c.data() == data);
}

TEST_CASE("base: measured peaks are positive and in proportion") {
  Cpu cpu(1);
  cpu.exec.isa = kernels::best_isa();
  CHECK(kernels::measure_fma_peak_gflops(cpu.exec) > 0);
  const kernels::MemoryPeaks memory = kernels::measure_memory_peaks(cpu.exec);
  CHECK(memory.copy > 0);
  CHECK(memory.triad > memory.copy / 20);
  CHECK(memory.triad < memory.copy * 20);
}
