#include "engine/io/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <system_error>
#include <utility>

#include "kernels/base/error.h"
#include "kernels/base/nearest.h"

// A temporary is locked (flock) while its writer lives, so that remove_stale_temporaries can tell what was
// left by a killed process from what another one is writing now, whatever happened to process numbers in
// between. After a failed fsync nothing is retried: the kernel has dropped the pages, a second fsync would
// lie (Rebello et al., "Can Applications Recover from fsync Failures?", ATC 2020).

namespace engine {
namespace {

namespace fs = std::filesystem;
using kernels::Error;
using kernels::ExitCode;
using Pieces = std::span<const std::span<const uint8_t>>;

std::string reason(int error) {
  return std::generic_category().message(error);
}

/// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  /// Closes now; false (errno set) where closing reports a write that failed.
  bool close() { return ::close(std::exchange(fd_, -1)) == 0 || errno == EINTR; }

 private:
  int fd_;
};

int open_retrying(const fs::path& path, int flags) {
  int fd = -1;
  do fd = ::open(path.c_str(), flags | O_CLOEXEC, 0666);
  while (fd < 0 && errno == EINTR);
  return fd;
}

/// What to try when `path` is not there: the folder's nearest name.
std::string missing_hint(const fs::path& path) {
  constexpr size_t kMostNames = 20000;  // a hint is not worth more than some milliseconds
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  std::error_code error;
  if (!fs::is_directory(folder, error)) return "there is no folder " + folder.string();
  std::vector<std::string> names;
  for (fs::directory_iterator it(folder, error), end; !error && it != end && names.size() < kMostNames;
       it.increment(error)) {
    names.push_back(it->path().filename().string());
  }
  std::sort(names.begin(), names.end());
  const std::string name = path.filename().string(), nearest = kernels::nearest_name(name, names);
  // A folder holds many names: one that shares half its letters is chance.
  const bool close = 3 * static_cast<size_t>(kernels::edit_distance(name, nearest)) <= name.size();
  if (nearest.empty() || !close) return "check the path";
  return fmt::format("did you mean {}?", path.has_parent_path() ? (folder / nearest).string() : nearest);
}

[[noreturn]] void fail_open_for_reading(const fs::path& path, int error) {
  const bool missing = error == ENOENT || error == ENOTDIR;
  throw Error(ExitCode::BadData, {.where = path.string(),
                                  .what = missing ? "there is no such file" : "cannot open the file",
                                  .expected = "a readable file",
                                  .got = reason(error),
                                  .hint = missing ? missing_hint(path) : "check the file's permissions"});
}

[[noreturn]] void fail_too_large(const fs::path& path, uint64_t limit, const std::string& got) {
  throw Error(ExitCode::BadData, {.where = path.string(),
                                  .what = "the file is too large",
                                  .expected = fmt::format("at most {} bytes", limit),
                                  .got = got,
                                  .hint = "check that this is the file you meant"});
}

/// Fills `bytes` up to the end of the file.
template <class Bytes>
void read_whole(const fs::path& path, uint64_t limit, Bytes* bytes) {
  const Descriptor file(open_retrying(path, O_RDONLY | O_NONBLOCK));  // not waiting for a pipe's other end
  if (!file.valid()) fail_open_for_reading(path, errno);
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) fail_open_for_reading(path, errno);
  if (!S_ISREG(info.st_mode)) {
    throw Error(ExitCode::BadData, {.where = path.string(),
                                    .what = "this is not a regular file",
                                    .expected = "a regular file",
                                    .got = S_ISDIR(info.st_mode) ? "a directory" : "a device, pipe or socket",
                                    .hint = "name the file itself"});
  }
  if (static_cast<uint64_t>(info.st_size) > limit) {
    fail_too_large(path, limit, fmt::format("{} bytes", info.st_size));
  }
  // The size may be 0 (files of the kernel) or change: the end of the file is where read() says so.
  size_t filled = 0;
  bytes->resize(static_cast<size_t>(info.st_size) + 1);
  for (;;) {
    const ssize_t got = ::read(file.get(), bytes->data() + filled, bytes->size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      throw Error(ExitCode::IoError, {.where = path.string(),
                                      .what = "reading failed",
                                      .expected = fmt::format("{} bytes", info.st_size),
                                      .got = fmt::format("{} after {} bytes", reason(errno), filled),
                                      .hint = "check the disk or network the file is on"});
    }
    if (got == 0) break;
    filled += static_cast<size_t>(got);
    if (filled > limit) fail_too_large(path, limit, "more");
    if (filled == bytes->size()) bytes->resize(filled + std::max<size_t>(filled, 4096));
  }
  bytes->resize(filled);
}

/// One call of write_file: what is written where, for its errors.
struct Writing {
  fs::path asked;   // as the caller named it
  fs::path target;  // symbolic links followed
  fs::path folder, temporary;
  uint64_t size = 0;
  Pieces pieces;

  [[noreturn]] void cannot_create(int error) const {
    const bool no_folder = error == ENOENT || error == ENOTDIR;
    throw Error(ExitCode::CannotWrite, {.where = asked.string(),
                                        .what = "cannot create the file",
                                        .expected = "a folder that can be written to",
                                        .got = reason(error),
                                        .hint = no_folder ? "create the folder first, or name another"
                                                          : "check permissions, or name another folder"});
  }
  [[noreturn]] void failed(const std::string& step, const std::string& got) const {
    throw Error(ExitCode::IoError,
                {.where = asked.string(),
                 .what = step,
                 .expected = fmt::format("{} bytes to be written", size),
                 .got = got,
                 .hint = "check the disk's room and state, or name another folder; the old "
                         "file, if any, is still there"});
  }
};

void check_room(const Writing& w) {
  struct rlimit most {};
  if (::getrlimit(RLIMIT_FSIZE, &most) == 0 && most.rlim_cur != RLIM_INFINITY && w.size > most.rlim_cur) {
    // Going on would end the process by SIGXFSZ.
    w.failed("file larger than this process may write", fmt::format("a limit of {} bytes", most.rlim_cur));
  }
  struct statvfs disk {};
  if (::statvfs(w.folder.c_str(), &disk) != 0) w.cannot_create(errno);
  const uint64_t room = static_cast<uint64_t>(disk.f_bavail) * disk.f_frsize;
  // Some virtual file systems say they have no blocks at all: they know no room.
  if (disk.f_blocks != 0 && room < w.size) {
    w.failed("not enough room on the disk", fmt::format("{} bytes free", room));
  }
}

void write_pieces(const Writing& w, int fd) {
  for (const std::span<const uint8_t> piece : w.pieces) {
    for (size_t done = 0; done < piece.size();) {
      const ssize_t wrote = ::write(fd, piece.data() + done, piece.size() - done);
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0) w.failed("writing failed", reason(errno));
      if (wrote == 0) w.failed("writing failed", "no byte was taken");
      done += static_cast<size_t>(wrote);
    }
  }
}

void read_back(const Writing& w, int fd) {
  // The pages are clean after fsync, so dropping them makes the comparison read what the disk holds.
  ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  std::vector<uint8_t> buffer(size_t{1} << 20);
  uint64_t offset = 0;
  for (const std::span<const uint8_t> piece : w.pieces) {
    for (size_t done = 0; done < piece.size();) {
      const size_t want = std::min(buffer.size(), piece.size() - done);
      const ssize_t got = ::pread(fd, buffer.data(), want, static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) w.failed("reading back what was written failed", reason(errno));
      const auto count = static_cast<size_t>(got);
      if (count == 0 || std::memcmp(buffer.data(), piece.data() + done, count) != 0) {
        w.failed("the disk returns other bytes than were written",
                 fmt::format("a difference at byte {}", offset));
      }
      done += count;
      offset += count;
    }
  }
}

void flush_folder(const Writing& w) {
  const Descriptor folder(open_retrying(w.folder, O_RDONLY | O_DIRECTORY));
  // A file system that cannot flush a folder says EINVAL; then there is nothing more to do.
  if (!folder.valid() || (::fsync(folder.get()) != 0 && errno != EINVAL && errno != ENOTSUP)) {
    throw Error(ExitCode::IoError, {.where = w.asked.string(),
                                    .what = "the new file is in place, but its folder could not be flushed",
                                    .expected = "a flushed folder",
                                    .got = reason(errno),
                                    .hint = "check the disk; a power failure now may undo the write"});
  }
}

int create_temporary(const Writing& w) {
  constexpr int kFlags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW;
  int fd = open_retrying(w.temporary, kFlags);
  if (fd < 0 && errno == EEXIST) {  // left by a killed process that had our number
    ::unlink(w.temporary.c_str());
    fd = open_retrying(w.temporary, kFlags);
  }
  if (fd < 0) w.cannot_create(errno);
  return fd;
}

/// Everything up to the rename; the temporary exists while this runs.
void fill_temporary(const Writing& w, Descriptor& file) {
  ::flock(file.get(), LOCK_EX | LOCK_NB);
  if (w.size > 0) {
    const int error = ::posix_fallocate(file.get(), 0, static_cast<off_t>(w.size));
    const bool unsupported = error == EOPNOTSUPP || error == EINVAL || error == ENOSYS || error == EINTR;
    if (error != 0 && !unsupported) w.failed("no room could be set aside for the file", reason(error));
  }
  write_pieces(w, file.get());
  if (::fsync(file.get()) != 0) w.failed("flushing the file to the disk failed", reason(errno));
  read_back(w, file.get());
  if (::rename(w.temporary.c_str(), w.target.c_str()) != 0) {
    w.failed("moving the finished file into place failed", reason(errno));
  }
  if (!file.close()) w.failed("closing the file failed", reason(errno));
}

/// Devices and pipes take the bytes as they come: there is nothing to replace.
void write_special(const Writing& w) {
  Descriptor file(open_retrying(w.target, O_WRONLY));
  if (!file.valid()) w.cannot_create(errno);
  write_pieces(w, file.get());
  if (!file.close()) w.failed("closing the file failed", reason(errno));
}

bool is_temporary_name(const std::string& name) {
  const size_t digits = name.find_last_not_of("0123456789") + 1;
  constexpr std::string_view kMark = ".tmp.";
  return name.front() == '.' && digits < name.size() && digits > kMark.size() + 1 &&
         std::string_view(name).substr(digits - kMark.size(), kMark.size()) == kMark;
}

}  // namespace

std::vector<uint8_t> read_file(const fs::path& path, uint64_t limit) {
  std::vector<uint8_t> bytes;
  read_whole(path, limit, &bytes);
  return bytes;
}

std::string read_text(const fs::path& path, uint64_t limit) {
  std::string text;
  read_whole(path, limit, &text);
  return text;
}

void write_file(const fs::path& path, std::span<const std::span<const uint8_t>> pieces) {
  // One at a time, so that two threads cannot share a temporary's name.
  static std::mutex mutex;
  const std::lock_guard lock(mutex);

  Writing w;
  w.asked = path;
  w.pieces = pieces;
  for (const auto& piece : pieces) w.size += piece.size();
  std::error_code error;
  w.target = fs::is_symlink(path, error) ? fs::weakly_canonical(path, error) : path;
  if (error || w.target.empty()) w.target = path;
  if (w.target.filename().empty()) w.cannot_create(EISDIR);
  const fs::file_status status = fs::status(w.target, error);
  if (fs::is_directory(status)) w.cannot_create(EISDIR);
  if (fs::exists(status) && !fs::is_regular_file(status)) return write_special(w);

  w.folder = w.target.has_parent_path() ? w.target.parent_path() : fs::path(".");
  w.temporary = w.folder / fmt::format(".{}.tmp.{}", w.target.filename().string(), ::getpid());
  check_room(w);
  Descriptor file(create_temporary(w));
  try {
    fill_temporary(w, file);
  } catch (...) {
    ::unlink(w.temporary.c_str());
    throw;
  }
  flush_folder(w);
}

void write_text(const fs::path& path, std::string_view text) {
  const std::span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(text.data()), text.size());
  write_file(path, {&bytes, 1});
}

std::string append_text(const fs::path& path, const std::string& text) {
  const int file = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
  if (file < 0) return reason(errno);
  const off_t before = ::lseek(file, 0, SEEK_END);
  ssize_t written = -1;
  do {
    written = ::write(file, text.data(), text.size());
  } while (written < 0 && errno == EINTR);
  std::string failure;
  if (written != static_cast<ssize_t>(text.size())) {
    failure = written < 0 ? reason(errno) : "no space for the whole line";
    if (written > 0 && before >= 0 && ::ftruncate(file, before) != 0) failure += ", and a part of it stays";
  }
  if (::close(file) != 0 && failure.empty()) failure = reason(errno);
  return failure;
}

void remove_stale_temporaries(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> found;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (is_temporary_name(it->path().filename().string())) found.push_back(it->path());
  }
  for (const fs::path& path : found) {
    const Descriptor file(open_retrying(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
    struct stat info {};
    if (!file.valid() || ::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) ::unlink(path.c_str());
  }
}

uint32_t crc32(std::span<const uint8_t> bytes) {
  return static_cast<uint32_t>(::crc32_z(0, bytes.data(), bytes.size()));
}

}  // namespace engine
