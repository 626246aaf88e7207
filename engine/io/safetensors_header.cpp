#include "engine/io/safetensors_header.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "kernels/base/error.h"

// The JSON is read event by event: a document tree would silently keep one of two equal keys, turn a number
// above 64 bits into a floating one and take memory for whatever nesting a broken file claims. Every event
// must fit the place it comes at; as unknown fields are refused, nothing can nest deeper than tensor ->
// shape.

namespace engine {
namespace {

using nlohmann::json;

enum class Place { Document, Names, Tensor, Shape, Offsets, Metadata };

class HeaderEvents : public json::json_sax_t {
 public:
  explicit HeaderEvents(const std::string& file) : file_(file) {}

  SafetensorsHeader take() { return std::move(header_); }

  bool null() override { wrong_value("null"); }
  bool boolean(bool) override { wrong_value("true or false"); }
  bool number_integer(number_integer_t value) override { wrong_value(std::to_string(value)); }
  bool number_float(number_float_t, const string_t& text) override { wrong_value(text); }
  bool binary(binary_t&) override { wrong_value("binary data"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (place_ == Place::Shape) {
      if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
        wrong_value(std::to_string(value));
      entry().shape.push_back(static_cast<int64_t>(value));
    } else if (place_ == Place::Offsets) {
      if (++offsets_ > 2) wrong_value("a third number");
      (offsets_ == 1 ? entry().begin : entry().end) = value;
    } else {
      wrong_value(std::to_string(value));
    }
    return true;
  }

  bool string(string_t& value) override {
    if (place_ == Place::Metadata) {
      header_.metadata[key_] = std::move(value);
    } else if (place_ == Place::Tensor && key_ == "dtype") {
      entry().dtype = std::move(value);
    } else {
      wrong_value(fmt::format("the string \"{}\"", kernels::printable(value, 40)));
    }
    return true;
  }

  bool start_object(size_t) override {
    if (place_ == Place::Document) {
      place_ = Place::Names;
    } else if (place_ == Place::Names && key_ == "__metadata__") {
      place_ = Place::Metadata;
    } else if (place_ == Place::Names) {
      header_.entries.emplace_back().name = key_;
      fields_.clear();
      offsets_ = 0;
      place_ = Place::Tensor;
    } else {
      wrong_value("an object");
    }
    return true;
  }

  bool key(string_t& name) override {
    if (place_ == Place::Tensor) {
      if (name != "dtype" && name != "shape" && name != "data_offsets") {
        fail("unknown field in " + place_name(), "dtype, shape, data_offsets", kernels::printable(name, 80));
      }
      if (!fields_.insert(name).second) fail("field given twice in " + place_name(), "each field once", name);
    } else {
      const bool fresh =
          place_ == Place::Metadata ? header_.metadata.count(name) == 0 : names_.insert(name).second;
      if (!fresh) {
        fail(place_ == Place::Metadata ? "metadata key given twice" : "tensor name given twice",
             "different names", kernels::printable(name, 80));
      }
    }
    key_ = std::move(name);
    return true;
  }

  bool end_object() override {
    if (place_ == Place::Tensor && fields_.size() != 3) {
      std::string got;
      for (const std::string& field : fields_) got += (got.empty() ? "" : ", ") + field;
      fail("a field is missing in tensor " + entry_name(), "dtype, shape, data_offsets",
           got.empty() ? "no field" : got);
    }
    place_ = place_ == Place::Names ? Place::Document : Place::Names;
    return true;
  }

  bool start_array(size_t) override {
    if (place_ != Place::Tensor || key_ == "dtype") wrong_value("an array");
    place_ = key_ == "shape" ? Place::Shape : Place::Offsets;
    return true;
  }

  bool end_array() override {
    if (place_ == Place::Offsets && offsets_ != 2) wrong_value(fmt::format("{} numbers", offsets_));
    place_ = Place::Tensor;
    return true;
  }

  bool parse_error(size_t position, const std::string&, const json::exception& error) override {
    const std::string text = error.what();
    const size_t detail = text.find("syntax error");
    fail("the header is not valid JSON", "a JSON object",
         fmt::format("at byte {} of the header: {}", position,
                     kernels::printable(detail == std::string::npos ? text : text.substr(detail), 300)));
  }

 private:
  SafetensorsEntry& entry() { return header_.entries.back(); }
  std::string entry_name() { return fmt::format("'{}'", kernels::printable(entry().name, 80)); }

  std::string place_name() {
    switch (place_) {
      case Place::Document:
        return "the header";
      case Place::Names:
        return fmt::format("the header's value for '{}'", kernels::printable(key_, 80));
      case Place::Tensor:
        return "tensor " + entry_name() + (key_.empty() ? "" : ", field " + key_);
      case Place::Shape:
        return "the shape of tensor " + entry_name();
      case Place::Offsets:
        return "data_offsets of tensor " + entry_name();
      case Place::Metadata:
        break;
    }
    return fmt::format("metadata '{}'", kernels::printable(key_, 80));
  }

  const char* place_wants() const {
    switch (place_) {
      case Place::Document:
      case Place::Names:
        return "an object";
      case Place::Tensor:
        return key_ == "dtype" ? "a string" : "an array of whole numbers";
      case Place::Shape:
        return "whole numbers from 0 to 2^63 - 1";
      case Place::Offsets:
        return "two whole numbers, begin and end";
      case Place::Metadata:
        break;
    }
    return "a string";
  }

  [[noreturn]] void wrong_value(const std::string& got) {
    fail("wrong value in " + place_name(), place_wants(), got);
  }

  [[noreturn]] void fail(const std::string& what, const std::string& expected, const std::string& got) const {
    throw kernels::Error(kernels::ExitCode::BadData,
                         {.where = file_,
                          .what = what,
                          .expected = expected,
                          .got = got,
                          .hint = "the file is damaged or was not written by a safetensors library"});
  }

  const std::string& file_;
  SafetensorsHeader header_;
  Place place_ = Place::Document;
  std::string key_;               // the last one read
  std::set<std::string> names_;   // seen at the top, "__metadata__" too
  std::set<std::string> fields_;  // seen in the current tensor
  int offsets_ = 0;               // numbers seen in the current data_offsets
};

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view text, const std::string& file) {
  HeaderEvents events(file);
  json::sax_parse(text.begin(), text.end(), &events);
  return events.take();
}

std::string json_string(const std::string& text) {
  return json(text).dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace engine
