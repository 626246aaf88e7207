// Run directories: numbering, what is refused, and metrics that survive a cut.
#include "cpm/run_dir.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"

namespace {

namespace fs = std::filesystem;
using cpm::MetricsRow;
using cpm::RunDir;
using kernels::ExitCode;

void write(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

std::string read(const fs::path& path) {
  std::stringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// The working directory, for as long as the object lives.
class Inside {
 public:
  explicit Inside(const fs::path& path) : before_(fs::current_path()) { fs::current_path(path); }
  ~Inside() { fs::current_path(before_); }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

 private:
  fs::path before_;
};

MetricsRow row(int64_t step) {
  const double x = static_cast<double>(step);
  return {step, x / 8, step * 4, 1 / x, {0.25 / x, 0.75 / x}, {16.5, 17}, 1e-4, 3 * x, 0.5 * x, 0.25 / x};
}

RunDir with_rows(const fs::path& path, int64_t rows) {
  RunDir run = RunDir::create(path, "t");
  write(path / "run.toml", "");
  run.start_metrics(2, 0);
  for (int64_t step = 1; step <= rows; ++step) run.append(row(step));
  return run;
}

constexpr const char* kHeader =
    "step,epoch,samples,loss,loss_stage1,loss_stage2,lr,grad_norm,seconds,dead_stage1,dead_stage2,data_"
    "wait\n";

}  // namespace

TEST_CASE("run_dir: numbers go on and latest follows") {
  const tests::TempFolder folder;
  const Inside inside(folder.path());
  CHECK(RunDir::create("", "demo").path() == "runs/demo-001");
  CHECK(RunDir::create("", "demo").path() == "runs/demo-002");
  CHECK(RunDir::create("", "demo-x").path() == "runs/demo-x-001");
  CHECK(fs::read_symlink("runs/latest") == "demo-x-001");
  fs::create_directories("runs/demo-041");
  write("runs/demo-998", "a file counts too");
  fs::create_directories("runs/demo-12");  // not a run's name
  fs::create_directories("runs/demo-1x23");
  CHECK(RunDir::create("", "demo").path() == "runs/demo-999");
  CHECK(RunDir::create("", "demo").path() == "runs/demo-1000");
  CHECK(fs::read_symlink("runs/latest") == "demo-1000");
  CHECK(fs::is_directory("runs/demo-1000/ckpt"));

  fs::remove("runs/latest");
  write("runs/latest", "not a link: left alone");
  CHECK(RunDir::create("", "demo").path() == "runs/demo-1001");
  CHECK(read("runs/latest") == "not a link: left alone");
}

TEST_CASE("run_dir: processes that start together get a number each") {
  const tests::TempFolder folder;
  const Inside inside(folder.path());
  constexpr int kProcesses = 4, kEach = 25;
  int gate[2];  // closes at once for all children
  REQUIRE(::pipe(gate) == 0);
  for (int i = 0; i < kProcesses; ++i) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      int failed = 0;
      char byte = 0;
      ::close(gate[1]);
      while (::read(gate[0], &byte, 1) > 0) continue;
      try {
        for (int k = 0; k < kEach; ++k) RunDir::create("", "race");
      } catch (...) {
        failed = 1;
      }
      ::_exit(failed);
    }
  }
  ::close(gate[0]);
  ::close(gate[1]);
  for (int i = 0; i < kProcesses; ++i) {
    int status = -1;
    REQUIRE(::wait(&status) > 0);
    CHECK(status == 0);
  }
  for (int number = 1; number <= kProcesses * kEach; ++number) {
    char name[32];
    std::snprintf(name, sizeof name, "runs/race-%03d", number);
    CAPTURE(number);
    CHECK(fs::is_directory(name));
  }
  CHECK(!fs::exists("runs/race-101"));
  CHECK(fs::is_symlink("runs/latest"));
}

TEST_CASE("run_dir: an exact directory is made, and refused when it holds a run") {
  const tests::TempFolder folder;
  CHECK(RunDir::create(folder / "a/b/c", "x").path() == folder / "a/b/c");
  // Nothing was written in it yet.
  CHECK(RunDir::create(folder / "a/b/c", "x").path() == folder / "a/b/c");
  fs::create_directories(folder / "other");
  write(folder / "other/notes.txt", "not a run");
  CHECK(RunDir::create(folder / "other", "x").path() == folder / "other");
  int number = 0;
  for (const char* name : {"run.toml", "metrics.csv", "ckpt/x", "weights.safetensors"}) {
    CAPTURE(name);
    const fs::path run = folder / ("held_" + std::to_string(++number));
    fs::create_directories((run / name).parent_path());
    write(run / name, "");
    const auto thrown = tests::thrown_by([&] { RunDir::create(run, "x"); });
    CHECK(thrown.code == ExitCode::Usage);
    CHECK(contains(thrown.line, "hint: continue it with --resume, or choose another --out"));
    CHECK(fs::file_size(run / name) == 0);
  }
}

TEST_CASE("run_dir: places that cannot be written") {
  const tests::TempFolder folder;
  write(folder / "file", "x");
  // Not by permissions: they do not bind a superuser.
  for (const fs::path& bad : {folder / "file", folder / "file/run", fs::path("/proc/cpm_run")}) {
    CAPTURE(bad.string());
    const auto thrown = tests::thrown_by([&] { RunDir::create(bad, "x"); });
    CHECK(thrown.code == ExitCode::CannotWrite);
    CHECK(contains(thrown.line, bad.string()));
  }
  const Inside inside(folder.path());
  write("runs", "a file");
  CHECK(tests::thrown_by([&] { RunDir::create("", "x"); }).code == ExitCode::CannotWrite);
}

TEST_CASE("run_dir: opening and the newest run") {
  const tests::TempFolder folder;
  const Inside inside(folder.path());
  CHECK(tests::thrown_by([] { RunDir::newest(); }).code == ExitCode::BadData);
  for (const char* name : {"a-001", "a-002", "b-001", "b-002", "c"}) {
    fs::create_directories(fs::path("runs") / name);
  }
  CHECK(tests::thrown_by([] { RunDir::newest(); }).code == ExitCode::BadData);
  for (const char* name : {"a-001", "a-002", "b-001", "c"}) write(fs::path("runs") / name / "run.toml", "");
  const auto now = fs::file_time_type::clock::now();
  for (const char* name : {"a-001", "a-002", "b-001", "c"}) {
    fs::last_write_time(fs::path("runs") / name / "run.toml", now);
  }
  CHECK(RunDir::newest() == "runs/a-002");  // equal times: the higher number
  fs::last_write_time("runs/b-001/run.toml", now + std::chrono::seconds(5));
  CHECK(RunDir::newest() == "runs/b-001");
  fs::last_write_time("runs/c/run.toml", now + std::chrono::seconds(9));  // has no number
  CHECK(RunDir::newest("runs") == "runs/b-001");

  fs::create_directory_symlink("a-001", "runs/latest");
  CHECK(RunDir::open("runs/latest").path() == "runs/a-001");
  CHECK(RunDir::open("runs/latest/").path() == "runs/a-001");
  CHECK(RunDir::open("runs/c").path() == "runs/c");
  const auto thrown = tests::thrown_by([] { RunDir::open("runs/b-002"); });
  CHECK(thrown.code == ExitCode::BadData);
  CHECK(contains(thrown.line, "runs/b-002"));
  CHECK(tests::thrown_by([] { RunDir::open("runs/none"); }).code == ExitCode::BadData);
}

TEST_CASE("run_dir: rows go out as text and come back") {
  const tests::TempFolder folder;
  RunDir run = with_rows(folder / "r", 0);
  CHECK(read(folder / "r/metrics.csv") == kHeader);
  CHECK(read(folder / "r/metrics.jsonl").empty());
  run.append({1, 0.125, 16, 1.0 / 3, {1e-12, 12345678.9012}, {1, 2.5}, 1e-4, 1.0f / 3, 2, 0.5});
  run.append({2, 0.25, 32, std::nan(""), {std::numeric_limits<double>::infinity(), 0}, {0, 0}, 0, 0, 1e6});
  CHECK(read(folder / "r/metrics.csv") ==
        std::string(kHeader) +
            "1,0.125,16,0.333333333,1e-12,12345678.9,0.0001,0.333333343,2,1,2.5,0.5\n"
            "2,0.25,32,nan,inf,0,0,0,1000000,0,0,0\n");
  CHECK(read(folder / "r/metrics.jsonl") ==
        "{\"step\":1,\"epoch\":0.125,\"samples\":16,\"loss\":0.333333333,\"loss_stage1\":1e-12,"
        "\"loss_stage2\":12345678.9,\"lr\":0.0001,\"grad_norm\":0.333333343,\"seconds\":2,\"dead_stage1\":1,"
        "\"dead_stage2\":2.5,\"data_wait\":0.5}\n"
        "{\"step\":2,\"epoch\":0.25,\"samples\":32,\"loss\":null,\"loss_stage1\":null,\"loss_stage2\":0,"
        "\"lr\":0,\"grad_norm\":0,\"seconds\":1000000,\"dead_stage1\":0,\"dead_stage2\":0,"
        "\"data_wait\":0}\n");
  std::istringstream lines(read(folder / "r/metrics.jsonl"));
  for (std::string line; std::getline(lines, line);) CHECK(nlohmann::json::parse(line).size() == 12);

  const auto metrics = cpm::read_metrics(folder / "r/metrics.csv");
  CHECK(metrics.size() == 12);
  CHECK(metrics.at("step") == std::vector<double>{1, 2});
  CHECK(metrics.at("loss_stage2") == std::vector<double>{12345678.9, 0});
  CHECK(static_cast<float>(metrics.at("grad_norm")[0]) == 1.0f / 3);  // nine digits bring a float back
  CHECK(std::isnan(metrics.at("loss")[1]));
}

TEST_CASE("run_dir: resuming cuts both files back") {
  const tests::TempFolder folder;
  with_rows(folder / "short", 3);
  with_rows(folder / "long", 6);
  const std::string csv = read(folder / "short/metrics.csv"), jsonl = read(folder / "short/metrics.jsonl");

  SECTION("to the checkpoint's step, and goes on to the same files") {
    RunDir run = RunDir::open(folder / "long");
    CHECK(run.seconds_so_far() == 0);
    run.start_metrics(2, 3);
    CHECK(run.seconds_so_far() == 1.5);
    CHECK(read(folder / "long/metrics.csv") == csv);
    CHECK(read(folder / "long/metrics.jsonl") == jsonl);
    run.append(row(4));
    with_rows(folder / "four", 4);
    CHECK(read(folder / "long/metrics.csv") == read(folder / "four/metrics.csv"));
    CHECK(read(folder / "long/metrics.jsonl") == read(folder / "four/metrics.jsonl"));
  }
  SECTION("to nothing") {
    RunDir run = RunDir::open(folder / "long");
    run.start_metrics(2, 0);
    CHECK(run.seconds_so_far() == 0);
    CHECK(read(folder / "long/metrics.csv") == kHeader);
    CHECK(read(folder / "long/metrics.jsonl").empty());
  }
  SECTION("without a torn last line, even where its step would be kept") {
    for (const char* torn : {"4,0.5,16,0.25,0.0625,0.1875,0.0001,12,2,16.5,17,0.0625", "4,0.5", "4", "x"}) {
      CAPTURE(torn);
      write(folder / "long/metrics.csv", csv + torn);
      write(folder / "long/metrics.jsonl", jsonl + "{\"step\":4,\"ep");
      RunDir run = RunDir::open(folder / "long");
      run.start_metrics(2, 9);
      CHECK(read(folder / "long/metrics.csv") == csv);
      CHECK(read(folder / "long/metrics.jsonl") == jsonl);
    }
  }
  SECTION("without damaged rows, and with a lost JSON file made again") {
    write(folder / "long/metrics.csv",
          csv + std::string(40, '\0') + "\n2,junk\n3,1,2,3,4,5,6,7,8,9,10,11,12\n");
    fs::remove(folder / "long/metrics.jsonl");
    RunDir::open(folder / "long").start_metrics(2, 9);
    CHECK(read(folder / "long/metrics.csv") == csv);
    CHECK(read(folder / "long/metrics.jsonl") == jsonl);
  }
  SECTION("and refuses columns of another network") {
    RunDir run = RunDir::open(folder / "long");
    const std::string before = read(folder / "long/metrics.csv");
    for (const int stages : {1, 3}) {
      const auto thrown = tests::thrown_by([&] { run.start_metrics(stages, 3); });
      CHECK(thrown.code == ExitCode::BadData);
      CHECK(contains(thrown.line, "metrics.csv: the columns are not those of a network of"));
    }
    CHECK(read(folder / "long/metrics.csv") == before);
    write(folder / "long/metrics.csv", "");
    CHECK(tests::thrown_by([&] { run.start_metrics(2, 3); }).code == ExitCode::BadData);
  }
}

TEST_CASE("run_dir: rows of a version that knew fewer columns get the new ones on resume") {
  const tests::TempFolder folder;
  with_rows(folder / "long", 6);
  const std::string last = ",data_wait";
  std::string old = kHeader;
  old.erase(old.find(last), last.size());
  write(folder / "long/metrics.csv", old + "1,0.125,4,1,0.25,0.75,0.0001,3,0.5,16.5,17\n2,0.25\n");
  RunDir::open(folder / "long").start_metrics(2, 9);
  CHECK(read(folder / "long/metrics.csv") ==
        std::string(kHeader) + "1,0.125,4,1,0.25,0.75,0.0001,3,0.5,16.5,17,nan\n");
  CHECK(contains(read(folder / "long/metrics.jsonl"), "\"dead_stage2\":17,\"data_wait\":null}"));
}

TEST_CASE("run_dir: metrics of other columns are read, damaged rows left out") {
  const tests::TempFolder folder;
  write(folder / "m.csv", "a,b\n1,2\n3\n4,x\n5,-6e3\n7,8");
  const auto metrics = cpm::read_metrics(folder / "m.csv");
  CHECK(metrics.size() == 2);
  CHECK(metrics.at("a") == std::vector<double>{1, 5});
  CHECK(metrics.at("b") == std::vector<double>{2, -6000});
  write(folder / "m.csv", "");
  CHECK(tests::thrown_by([&] { cpm::read_metrics(folder / "m.csv"); }).code == ExitCode::BadData);
  CHECK(tests::thrown_by([&] { cpm::read_metrics(folder / "none.csv"); }).code == ExitCode::BadData);
}

TEST_CASE("run_dir: a full disk loses rows, not the run") {
  const tests::TempFolder folder;
  RunDir run = with_rows(folder / "r", 1);
  CPM_SKIP_IF(!fs::exists("/dev/full"), "no /dev/full on this system");
  for (const char* name : {"metrics.csv", "train.log"}) {
    fs::remove(folder / "r" / name);
    fs::create_symlink("/dev/full", folder / "r" / name);
  }
  run.append(row(2));
  run.log("lost");
  fs::remove(folder / "r/metrics.csv");
  run.append(row(3));
  CHECK(read(folder / "r/metrics.csv").rfind("3,", 0) == 0);
}

TEST_CASE("run_dir: status, environment and log") {
  const tests::TempFolder folder;
  RunDir run = RunDir::create(folder / "r", "x");
  run.write_status("running", 7, 100);
  run.write_status("done", 100, 100);
  const auto status = nlohmann::json::parse(read(folder / "r/status.json"));
  CHECK(status.at("state") == "done");
  CHECK(status.at("step") == 100);
  CHECK(status.at("steps") == 100);
  CHECK(status.at("pid") == ::getpid());
  CHECK(status.at("heartbeat").get<std::string>().size() == 20);
  CHECK(status.at("heartbeat_unix").get<int64_t>() > 1700000000);

  run.write_env({"cpm-train", "--data", "not \xff utf-8"}, {{"train", "12 persons"}});
  const auto env = nlohmann::json::parse(read(folder / "r/env.json"));
  for (const char* key : {"version", "compiler", "build_type", "isa", "os", "time", "extra"}) {
    CAPTURE(key);
    CHECK(env.contains(key));
  }
  CHECK(env.at("argv").size() == 3);
  CHECK(env.at("argv")[2] == "not \xef\xbf\xbd utf-8");
  CHECK(env.at("extra").at("train") == "12 persons");
  CHECK(env.at("processors").get<int>() >= 1);
  CHECK(env.at("memory_bytes").get<int64_t>() > (1 << 20));
  char host[256] = "";
  REQUIRE(::gethostname(host, sizeof host - 1) == 0);
  CHECK(!contains(read(folder / "r/env.json"), "nodename"));
  CHECK(env.at("os").size() == 3);

  run.log("first");
  run.log("second");
  CHECK(read(folder / "r/train.log") == "first\nsecond\n");
}
