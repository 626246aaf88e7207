// On nlohmann-json's SAX parser, which keeps no tree and does not recurse. Each record is built as a small
// tree of its wanted fields, handed over and dropped.
#include "cpm/dataset/json_records.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/io/file.h"
#include "kernels/base/error.h"

namespace cpm {
namespace {

using nlohmann::json;

constexpr uint64_t kMostBytes = uint64_t{4} << 30;
// Annotations nest four deep (people, joints, coordinates); the rest is an attack on the stack.
constexpr size_t kMostNested = 8;
constexpr double kMostWhole = 9007199254740992.0;  // 2^53

[[noreturn]] void bad_json(kernels::ErrorInfo info) {
  if (info.hint.empty()) info.hint = "cpm-data check lists every fault of a data set";
  throw kernels::Error(kernels::ExitCode::BadData, std::move(info));
}

std::string short_text(const json& value) {
  return kernels::printable(value.dump(-1, ' ', true, json::error_handler_t::replace), 60);
}

/// "FILE:LINE:COLUMN" of the byte before `end`.
std::string place_in(std::span<const uint8_t> text, const std::string& name, size_t end) {
  const auto last = text.begin() + static_cast<ptrdiff_t>(std::min(text.size(), end == 0 ? 0 : end - 1));
  const auto line = 1 + std::count(text.begin(), last, '\n');
  const auto back =
      std::find(std::reverse_iterator(last), std::reverse_iterator(text.begin()), uint8_t{'\n'});
  return fmt::format("{}:{}:{}", name, line, last - back.base() + 1);
}

class RecordSax {
 public:
  RecordSax(std::span<const uint8_t> text, const std::string& name, const std::vector<JsonArray>& arrays)
      : lengths(arrays.size(), -1), text_(text), name_(name), arrays_(arrays) {}

  // What the parser calls.
  bool null() { return value(nullptr); }
  bool boolean(bool v) { return value(v); }
  bool number_integer(int64_t v) { return value(v); }
  bool number_unsigned(uint64_t v) { return value(v); }
  bool number_float(double v, const std::string&) { return value(v); }
  bool string(std::string& v) { return value(std::move(v)); }
  bool binary(json::binary_t&) { return true; }  // not in text
  bool start_object(size_t) { return open(json::object()); }
  bool start_array(size_t) {
    json list = json::array();
    list.get_ref<json::array_t&>().reserve(4);  // a place and a flag: most lists by far
    return open(std::move(list));
  }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  bool key(std::string& name);
  bool parse_error(size_t position, const std::string& token, const json::exception& error);

  std::vector<int64_t> lengths;

 private:
  bool value(json v);
  bool open(json container);
  bool close();
  void open_outside(bool is_array);
  json* append(json v);
  const JsonArray& array() const { return arrays_[array_]; }
  [[noreturn]] void bad_element(const std::string& what, const std::string& expected,
                                const std::string& got) {
    bad_json({.where = name_,
              .what = fmt::format("{} {} {}", array().kind, lengths[array_], what),
              .expected = expected,
              .got = got});
  }

  std::span<const uint8_t> text_;
  const std::string& name_;
  const std::vector<JsonArray>& arrays_;
  size_t depth_ = 0;  // open brackets
  std::string key_;   // the last one
  bool root_is_array_ = false;
  bool inside_ = false;        // an array of records,
  size_t array_ = 0;           // this one,
  size_t elements_depth_ = 0;  // which lies so deep
  json record_;
  std::vector<json*> path_;  // from the record to the innermost open container
  bool skip_ = false;        // the field's value
  size_t skip_depth_ = 0;    // where the value is a container: its depth
};

bool RecordSax::key(std::string& name) {
  if (skip_depth_ > 0) return true;
  key_ = std::move(name);
  if (path_.size() == 1) {
    skip_ = std::find(array().keys.begin(), array().keys.end(), key_) == array().keys.end();
    if (!skip_ && record_.contains(key_)) bad_element("has a field twice", "each field once", key_);
  }
  return true;
}

json* RecordSax::append(json v) {
  json& parent = *path_.back();
  if (parent.is_array()) {
    parent.push_back(std::move(v));
    return &parent.back();
  }
  return &(parent[key_] = std::move(v));
}

bool RecordSax::value(json v) {
  if (!path_.empty()) {
    if (skip_depth_ == 0 && !skip_) append(std::move(v));
    if (skip_depth_ == 0) skip_ = false;
  } else if (inside_) {
    ++lengths[array_];
    bad_element("is no record", "an object {...}", short_text(v));
  }
  return true;
}

/// A container that is no part of a record.
void RecordSax::open_outside(bool is_array) {
  if (depth_ == 1) root_is_array_ = is_array;
  if (!is_array || depth_ > 2 || (depth_ == 2 && root_is_array_)) return;
  for (size_t i = 0; i < arrays_.size(); ++i) {
    if (depth_ == 1 ? !arrays_[i].key.empty() : arrays_[i].key.empty() || arrays_[i].key != key_) continue;
    if (lengths[i] >= 0)
      bad_json({.where = name_, .what = "a key comes twice", .expected = "one array", .got = key_});
    inside_ = true;
    array_ = i;
    elements_depth_ = depth_;
    lengths[i] = 0;
    return;
  }
}

bool RecordSax::open(json container) {
  ++depth_;
  if (skip_depth_ > 0) return true;
  if (skip_) {
    skip_depth_ = depth_;
  } else if (!path_.empty()) {
    if (path_.size() >= kMostNested)
      bad_element("is nested too deep", fmt::format("at most {} levels", kMostNested), key_);
    path_.push_back(append(std::move(container)));
  } else if (!inside_) {
    open_outside(container.is_array());
  } else {
    ++lengths[array_];
    if (!container.is_object()) bad_element("is no record", "an object {...}", "a list");
    record_ = std::move(container);
    path_.push_back(&record_);
  }
  return true;
}

bool RecordSax::close() {
  if (skip_depth_ > 0) {
    if (depth_ == skip_depth_) {
      skip_depth_ = 0;
      skip_ = false;
    }
  } else if (!path_.empty()) {
    path_.pop_back();
    if (path_.empty()) array().take(JsonRecord(name_, array().kind, lengths[array_], record_));
  } else if (inside_ && depth_ == elements_depth_) {
    inside_ = false;
  }
  --depth_;
  return true;
}

/// The parser's own text is "[id] parse error at ...: syntax error while parsing X - REASON; expected Y".
bool RecordSax::parse_error(size_t position, const std::string& token, const json::exception& error) {
  std::string reason = error.what();
  if (const size_t dash = reason.find(" - "); dash != std::string::npos) {
    reason = reason.substr(dash + 3);
  } else if (const size_t id = reason.find("] "); id != std::string::npos) {
    reason = reason.substr(id + 2);
  }
  std::string expected;
  if (const size_t at = reason.find("; expected "); at != std::string::npos) {
    expected = reason.substr(at + 11);
    reason.resize(at);
  }
  const char last = token.empty() ? ' ' : token.back();  // of NaN and Infinity no more is read
  const bool no_number = last == 'N' || last == 'I';
  bad_json({.where = place_in(text_, name_, position),
            .what = text_.empty() ? "the file is empty" : "JSON syntax error",
            .expected = expected.empty() ? "JSON (RFC 8259)" : expected,
            .got = kernels::printable(reason, 120),
            .hint = no_number
                        ? "JSON has no NaN and no Infinity; a joint that is not labelled says so by its "
                          "flag"
                        : "is the file complete?"});
}

void gather(const json& value, size_t axis, NumberArray* out, bool* regular) {
  if (!value.is_array()) {
    *regular = *regular && value.is_number() && axis == out->shape.size();
    if (*regular) out->values.push_back(value.get<double>());
    return;
  }
  if (axis >= out->shape.size() || out->shape[axis] != static_cast<int64_t>(value.size())) *regular = false;
  if (!*regular) return;
  for (const json& element : value) gather(element, axis + 1, out, regular);
}

std::string shape_text(const std::vector<int64_t>& shape) {
  return shape.empty() ? "one number" : fmt::format("{} numbers", fmt::join(shape, " x "));
}

}  // namespace

bool JsonRecord::has(const std::string& key) const {
  const auto found = fields_.find(key);
  return found != fields_.end() && !found->is_null();
}

const json& JsonRecord::at(const std::string& key, const char* expected) const {
  if (!has(key)) fail(key + " is missing", expected, "nothing");
  return fields_[key];
}

int64_t JsonRecord::whole(const std::string& key) const {
  const json& field = at(key, "a whole number");
  const double value = field.is_number() ? field.get<double>() : 0.5;
  if (std::floor(value) != value || std::abs(value) > kMostWhole) {
    fail(key + " is no whole number", "a whole number", short_text(field));
  }
  return static_cast<int64_t>(value);
}

std::string JsonRecord::text(const std::string& key) const {
  const json& field = at(key, "a text");
  if (!field.is_string()) fail(key + " is no text", "a text", short_text(field));
  return field.get<std::string>();
}

std::vector<std::string> JsonRecord::texts(const std::string& key) const {
  const json& field = at(key, "a list of texts");
  const bool good = field.is_array() && std::all_of(field.begin(), field.end(),
                                                    [](const json& element) { return element.is_string(); });
  if (!good) fail(key + " is no list of texts", "a list of texts", short_text(field));
  return field.get<std::vector<std::string>>();
}

NumberArray JsonRecord::numbers(const std::string& key) const {
  const json& field = at(key, "numbers");
  NumberArray out;
  for (const json* first = &field; first->is_array(); first = &first->front()) {
    out.shape.push_back(static_cast<int64_t>(first->size()));
    if (first->empty()) break;
  }
  bool regular = true;
  gather(field, 0, &out, &regular);
  if (!regular) fail(key + " holds something else than numbers", "numbers in equal lists", short_text(field));
  return out;
}

std::vector<double> JsonRecord::numbers(const std::string& key, const std::vector<int64_t>& shape) const {
  if (!has(key)) fail(key + " is missing", shape_text(shape), "nothing");
  NumberArray array = numbers(key);
  if (array.shape != shape) {
    fail(key + " has the wrong number of values", shape_text(shape), shape_text(array.shape));
  }
  return std::move(array.values);
}

kernels::ErrorInfo JsonRecord::fault(const std::string& what, const std::string& expected,
                                     const std::string& got, const std::string& hint) const {
  return {.where = file_,
          .what = fmt::format("{} {}: {}", kind_, number_, what),
          .expected = expected,
          .got = got,
          .hint = hint};
}

void JsonRecord::fail(const std::string& what, const std::string& expected, const std::string& got,
                      const std::string& hint) const {
  bad_json(fault(what, expected, got, hint));
}

std::vector<int64_t> parse_json_records(std::span<const uint8_t> text, const std::string& name,
                                        const std::vector<JsonArray>& arrays) {
  RecordSax sax(text, name, arrays);
  json::sax_parse(text.begin(), text.end(), &sax);
  return std::move(sax.lengths);
}

std::vector<int64_t> read_json_records(const std::filesystem::path& file,
                                       const std::vector<JsonArray>& arrays) {
  const std::vector<uint8_t> bytes = engine::read_file(file, kMostBytes);
  return parse_json_records(bytes, file.string(), arrays);
}

}  // namespace cpm
