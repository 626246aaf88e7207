// TensorBoard's event files: records of a length and a message, each with its checksum
// (tensorboard/summary/writer/record_writer.py), the messages Event, Summary and HistogramProto
// (tensorboard/compat/proto/{event,summary,histogram}.proto). Written by hand, since a dozen fields are no
// reason to depend on protocol buffers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace engine {

/// Counts between edges: counts[i] lies between edges[i] and edges[i + 1], ascending, counts.size() + 1.
struct EventHistogram {
  std::vector<double> edges, counts;
};

/// What is told of one step: the message Summary.
class EventSummary {
 public:
  /// Stored in single precision.
  void scalar(const std::string& tag, double value);
  /// Its sums, of values and of squares, take every element at the middle of its bin.
  void histogram(const std::string& tag, const EventHistogram& histogram);
  /// `png`: a whole file, whose header says the size.
  void image(const std::string& tag, std::span<const uint8_t> png);

  bool empty() const { return bytes_.empty(); }
  const std::string& bytes() const { return bytes_; }

 private:
  void add(const std::string& tag, const std::string& value);

  std::string bytes_;
};

class EventFile {
 public:
  /// A file of `folder` that sorts behind the event files that are there, which is the order in which
  /// TensorBoard reads them: "events.out.tfevents.SECONDS.NUMBER". Nothing is written yet.
  explicit EventFile(const std::filesystem::path& folder);

  const std::filesystem::path& path() const { return path_; }

  /// Whoever reads the folder is to forget what earlier files say of `step` and later ones.
  void restart(int64_t step);
  /// Appends in one write, to a new file if need be; empty on success, else the reason. What a full disk cut
  /// short is taken back.
  std::string append(int64_t step, const EventSummary& summary);

 private:
  std::filesystem::path path_;
  std::string head_;  // records that come before the next one
};

/// CRC-32C (Castagnoli; RFC 3720, appendix B.4) of the bytes.
uint32_t crc32c(std::span<const uint8_t> bytes);

}  // namespace engine
