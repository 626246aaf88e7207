// Whole files in and out: what is read, what is refused, and that a write that fails leaves the old file and
// nothing else.
#include "engine/io/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <thread>

#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"

namespace {

namespace fs = std::filesystem;
using kernels::ExitCode;
using tests::TempFolder;
using tests::Thrown;
using tests::thrown_by;

constexpr uint64_t kLimit = 1 << 26;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// Runs `body` in a child process; true where it returned true.
template <class Body>
bool in_child(const Body& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    bool good = false;
    try {
      good = body();
    } catch (...) {
    }
    ::_exit(good ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

TEST_CASE("files come back as they were written", "[file]") {
  const TempFolder folder;
  const fs::path path = folder / "a.bin";
  std::vector<uint8_t> first(3'000'001), second(5, 0);
  for (size_t i = 0; i < first.size(); ++i) first[i] = static_cast<uint8_t>(i * 2654435761u >> 24);
  const std::span<const uint8_t> pieces[] = {first, {}, second};
  engine::write_file(path, pieces);
  std::vector<uint8_t> all(first.size() + second.size());
  std::copy(first.begin(), first.end(), all.begin());
  CHECK(engine::read_file(path, kLimit) == all);

  engine::write_text(path, "short\n");  // a shorter one replaces it whole
  CHECK(engine::read_text(path, kLimit) == "short\n");
  engine::write_text(path, "");
  CHECK(engine::read_text(path, kLimit).empty());
  CHECK(folder.listing() == "a.bin");
  CHECK(engine::read_text(path, 0).empty());
}

TEST_CASE("what cannot be read is bad data with the reason", "[file]") {
  const TempFolder folder;
  engine::write_text(folder / "weights.safetensors", "1234");
  const Thrown missing = thrown_by([&] { engine::read_file(folder / "weigths.safetensors", kLimit); });
  CHECK(missing.code == ExitCode::BadData);
  CHECK(contains(missing.line, "weigths.safetensors"));
  CHECK(contains(missing.line, "did you mean " + (folder / "weights.safetensors").string()));
  CHECK(contains(thrown_by([&] { engine::read_file(folder / "no/x", kLimit); }).line, "there is no folder"));
  CHECK(contains(thrown_by([&] { engine::read_file(folder.path(), kLimit); }).line, "a directory"));
  CHECK(contains(thrown_by([&] { engine::read_file("/dev/zero", kLimit); }).line, "not a regular file"));
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK(contains(thrown_by([&] { engine::read_file(folder / "pipe", kLimit); }).line, "not a regular file"));
  CHECK(engine::read_text(folder / "weights.safetensors", 4) == "1234");
  const Thrown large = thrown_by([&] { engine::read_file(folder / "weights.safetensors", 3); });
  CHECK(large.code == ExitCode::BadData);
  CHECK(contains(large.line, "at most 3 bytes | got: 4 bytes"));
  fs::create_symlink("loop", folder / "loop");
  CHECK(thrown_by([&] { engine::read_file(folder / "loop", kLimit); }).code == ExitCode::BadData);
}

TEST_CASE("what cannot be created or written says so in one line", "[file]") {
  const TempFolder folder;
  const auto code = [](const fs::path& path) {
    return thrown_by([&] { engine::write_text(path, "x"); }).code;
  };
  CHECK(code(folder / "no/file") == ExitCode::CannotWrite);
  CHECK(code(folder.path()) == ExitCode::CannotWrite);
  CHECK(code("") == ExitCode::CannotWrite);
  CHECK(code(folder.path() / "") == ExitCode::CannotWrite);
  CHECK(code(folder / std::string(300, 'n')) == ExitCode::CannotWrite);
  engine::write_text(folder / "plain", "x");
  CHECK(code(folder / "plain/inside") == ExitCode::CannotWrite);
  CHECK(code("/dev/full") == ExitCode::IoError);
  CHECK(code("/dev/null") == ExitCode::Ok);  // taken, and not replaced by a file
  CHECK(fs::is_character_file("/dev/null"));
  const Thrown full = thrown_by([] { engine::write_text("/dev/full", "12345"); });
  CHECK(contains(full.line, "/dev/full"));
  CHECK(contains(full.line, "5 bytes"));
  CHECK(contains(full.line, "No space left on device"));
  CHECK(full.line.find('\n') == std::string::npos);
  CHECK(folder.listing() == "plain");
}

TEST_CASE("a folder without write permission is refused", "[file]") {
  const TempFolder folder;
  engine::write_text(folder / "old", "old");
  CHECK(in_child([&] {
    ::chmod(folder.path().c_str(), 0555);
    if (::geteuid() == 0 && ::seteuid(65534) != 0) return false;  // permissions do not bind root
    return thrown_by([&] { engine::write_text(folder / "old", "new"); }).code == ExitCode::CannotWrite;
  }));
  ::chmod(folder.path().c_str(), 0755);
  CHECK(engine::read_text(folder / "old", kLimit) == "old");
}

TEST_CASE("a file that cannot be replaced stays and the new one's temporary goes", "[file]") {
  CPM_SKIP_IF(::geteuid() != 0, "a file of another user needs root");
  const TempFolder folder;
  engine::write_text(folder / "old", "old");
  CHECK(in_child([&] {
    // In a sticky folder anyone may create files, but only a file's owner may move another over it.
    ::chmod(folder.path().c_str(), 01777);
    if (::seteuid(65534) != 0) return false;
    const Thrown thrown = thrown_by([&] { engine::write_text(folder / "old", "new"); });
    return thrown.code == ExitCode::IoError && contains(thrown.line, "into place");
  }));
  CHECK(folder.listing() == "old");
  CHECK(engine::read_text(folder / "old", kLimit) == "old");
}

TEST_CASE("a symbolic link stays and its target is replaced", "[file]") {
  const TempFolder folder;
  fs::create_directory(folder / "real");
  engine::write_text(folder / "real/file", "old");
  fs::create_symlink("real/file", folder / "link");
  engine::write_text(folder / "link", "new");
  CHECK(fs::is_symlink(folder / "link"));
  CHECK(engine::read_text(folder / "real/file", kLimit) == "new");
  CHECK(folder.listing() == "link real");
}

TEST_CASE("a write over the process's file size limit leaves the old file", "[file]") {
  const TempFolder folder;
  const fs::path path = folder / "file";
  engine::write_text(path, "old");
  CHECK(in_child([&] {
    const struct rlimit limit { 1000, 1000 };
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const Thrown thrown = thrown_by([&] { engine::write_text(path, std::string(1001, 'x')); });
    return thrown.code == ExitCode::IoError && contains(thrown.line, "1000 bytes");
  }));
  CHECK(engine::read_text(path, kLimit) == "old");
  CHECK(folder.listing() == "file");
}

TEST_CASE("a full disk leaves the old file at every size", "[file]") {
  const TempFolder folder;
  const bool can_mount = in_child([&] {
    return ::unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
           ::mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=64k") == 0;
  });
  CPM_SKIP_IF(!can_mount, "mounting a small file system needs root");
  CHECK(in_child([&] {
    ::unshare(CLONE_NEWNS);
    ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
    ::mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=64k");
    const std::string old(30000, 'o');  // 8 of 16 pages
    engine::write_text(folder / "file", old);
    int refused = 0;
    for (size_t size = 1000; size <= 64000; size += 1000) {
      const std::string text(size, 'n');
      const Thrown thrown = thrown_by([&] { engine::write_text(folder / "file", text); });
      const std::string now = engine::read_text(folder / "file", kLimit);
      const bool good = thrown.code == ExitCode::Ok
                            ? now == text
                            : thrown.code == ExitCode::IoError && now == old &&
                                  contains(thrown.line, std::to_string(size) + " bytes") &&
                                  contains(thrown.line, "32768 bytes free");
      if (!good || folder.listing() != "file") return false;
      if (thrown.code != ExitCode::Ok) ++refused;
      engine::write_text(folder / "file", old);
    }
    return refused == 32;  // above the 32768 bytes that are left
  }));
}

TEST_CASE("only what a dead writer left is cleared away", "[file]") {
  const TempFolder folder;
  for (const char* name :
       {".a.tmp.123", ".b.safetensors.tmp.1", "c.tmp.5", ".d.tmp.", ".tmp.7", ".e.tmp.12x", ".f"}) {
    engine::write_text(folder / name, "x");
  }
  fs::create_directory(folder / ".g.tmp.9");
  engine::write_text(folder / "target", "x");
  fs::create_symlink("target", folder / ".h.tmp.3");
  engine::write_text(folder / ".i.tmp.44", "being written");
  const int writer = ::open((folder / ".i.tmp.44").c_str(), O_RDWR);
  REQUIRE(::flock(writer, LOCK_EX) == 0);
  engine::remove_stale_temporaries(folder.path());
  CHECK(folder.listing() == ".d.tmp. .e.tmp.12x .f .g.tmp.9 .h.tmp.3 .i.tmp.44 .tmp.7 c.tmp.5 target");
  ::close(writer);
  engine::remove_stale_temporaries(folder.path());
  CHECK(!fs::exists(folder / ".i.tmp.44"));
  engine::remove_stale_temporaries(folder / "missing");  // nothing to do, no error
}

TEST_CASE("a writer killed at any moment leaves the old or the new file", "[file]") {
  const TempFolder folder;
  const std::string old(200000, 'o'), fresh(300000, 'n');
  engine::write_text(folder / "file", old);
  for (int round = 0; round < 20; ++round) {
    const pid_t child = ::fork();
    if (child == 0) {
      for (;;) {
        engine::write_text(folder / "file", fresh);
        engine::write_text(folder / "file", old);
      }
    }
    ::usleep(static_cast<useconds_t>(500 + 397 * round));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    const std::string now = engine::read_text(folder / "file", kLimit);
    REQUIRE((now == old || now == fresh));
  }
  engine::remove_stale_temporaries(folder.path());
  CHECK(folder.listing() == "file");
}

TEST_CASE("two threads writing one file leave one of the two", "[file]") {
  const TempFolder folder;
  const auto write = [&](char c) {
    for (int i = 0; i < 10; ++i) engine::write_text(folder / "file", std::string(50000, c));
  };
  std::thread other(write, 'a');
  write('b');
  other.join();
  const std::string now = engine::read_text(folder / "file", kLimit);
  CHECK((now == std::string(50000, 'a') || now == std::string(50000, 'b')));
  CHECK(folder.listing() == "file");
}

TEST_CASE("crc32 is zlib's", "[file]") {
  const std::string text = "123456789";  // the check value of CRC-32/ISO-HDLC
  CHECK(engine::crc32({reinterpret_cast<const uint8_t*>(text.data()), text.size()}) == 0xcbf43926u);
  CHECK(engine::crc32({}) == 0u);
}
