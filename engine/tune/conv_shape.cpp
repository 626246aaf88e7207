#include "engine/tune/conv_shape.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <map>
#include <optional>

#include "kernels/base/error.h"
#include "kernels/base/nearest.h"

namespace engine {

namespace {

using kernels::ConvProblem;
using kernels::Error;
using kernels::ExitCode;

constexpr int64_t kMost = 1 << 14;  // of any one size: a tensor's four sizes multiply without overflow
constexpr const char* kHint = "as in mb16_ic128ih184_oc128oh184_kh9ph4_n\"B\"; data/shapes/cpm.txt has more";
const std::vector<std::string> kFields = {"g",  "mb", "ic", "ih", "iw", "oc", "oh", "ow", "kh",
                                          "kw", "sh", "sw", "ph", "pw", "dh", "dw", "n"};

class Parser {
 public:
  Parser(const std::string& text, const std::string& where) : text_(text), where_(where) {}

  ConvShape parse() {
    read_fields();
    ConvShape shape{.name = name_.empty() ? text_ : name_};
    ConvProblem& c = shape.problem;
    shape.has_batch = given("mb").has_value();
    c.N = given("mb").value_or(1);
    c.C = needed("ic");
    c.K = needed("oc");
    c.H = needed("ih");
    c.W = given("iw").value_or(c.H);
    c.R = needed("kh");
    c.S = given("kw").value_or(c.R);
    c.stride = given("sh").value_or(1);
    only("sw", c.stride, "one stride for both axes");
    only("g", 1, "no groups");
    only("dh", 0, "no dilation");
    only("dw", 0, "no dilation");
    for (const char* field : {"g", "mb", "ic", "oc", "ih", "iw", "kh", "kw", "sh", "sw"}) at_least_one(field);
    c.pad_h = padding("ph", "oh", c.H, c.R, c.stride).value_or(0);
    c.pad_w = padding("pw", "ow", c.W, c.S, c.stride).value_or(c.pad_h);
    check_output("oh", c.H + 2 * c.pad_h >= c.R ? c.P() : 0);
    check_output("ow", c.W + 2 * c.pad_w >= c.S ? c.Q() : 0);
    return shape;
  }

 private:
  [[noreturn]] void fail(const std::string& what, const std::string& expected, const std::string& got,
                         const std::string& hint = kHint) const {
    throw Error(ExitCode::Usage,
                {.where = where_, .what = what, .expected = expected, .got = got, .hint = hint});
  }

  std::optional<int64_t> given(const std::string& field) const {
    const auto found = values_.find(field);
    return found == values_.end() ? std::nullopt : std::optional(found->second);
  }
  int64_t needed(const std::string& field) const {
    if (!given(field)) fail(fmt::format("the shape has no {}", field), "mb ic ih oc kh and more", text_);
    return *given(field);
  }
  void only(const std::string& field, int64_t wanted, const std::string& why) const {
    const int64_t value = given(field).value_or(wanted);
    if (value != wanted) fail(why, fmt::format("{}{}", field, wanted), fmt::format("{}{}", field, value));
  }
  void at_least_one(const std::string& field) const {
    if (given(field).value_or(1) < 1) fail("size out of range", field + " of 1 or more", field + "0");
  }
  /// The padding that was given, or the one that makes the output as large as was asked.
  std::optional<int64_t> padding(const std::string& pad, const std::string& out, int64_t in, int64_t kernel,
                                 int64_t stride) const {
    if (given(pad) || !given(out)) return given(pad);
    return std::max<int64_t>(0, ((*given(out) - 1) * stride + kernel - in + 1) / 2);
  }
  void check_output(const std::string& field, int64_t size) const {
    if (size < 1) fail("the kernel does not fit into the padded input", "kh at most ih + 2 ph", text_);
    if (given(field).value_or(size) != size) {
      fail("the output's size does not follow from the others", fmt::format("{}{}", field, size),
           fmt::format("{}{}", field, *given(field)));
    }
  }

  void read_fields() {
    size_t at = 0;
    while (at < text_.size()) {
      if (text_[at] == '_') {
        ++at;
        continue;
      }
      if (text_[at] == 'n') return read_name(at + 1);
      size_t digits = at;
      while (digits < text_.size() && text_[digits] >= 'a' && text_[digits] <= 'z') ++digits;
      at = read_number(text_.substr(at, digits - at), digits);
    }
  }
  /// The name is the rest of the text, with or without quotes.
  void read_name(size_t at) {
    name_ = text_.substr(at);
    if (name_.size() >= 2 && name_.front() == '"' && name_.back() == '"')
      name_ = name_.substr(1, name_.size() - 2);
    if (name_.empty()) fail("the name is empty", "n\"NAME\"", text_);
  }
  size_t read_number(const std::string& field, size_t at) {
    if (std::find(kFields.begin(), kFields.end(), field) == kFields.end()) {
      const std::string near = kernels::nearest_hint(field, kFields);
      fail(fmt::format("unknown field '{}' in a shape", field), fmt::format("{}", fmt::join(kFields, " ")),
           text_, near.empty() ? kHint : near);
    }
    int64_t value = 0;
    const char* const end = text_.data() + text_.size();
    const auto [stop, error] = std::from_chars(text_.data() + at, end, value);
    if (error != std::errc() || value < 0 || value > kMost) {
      fail("a size is missing or out of range", fmt::format("{} with a number up to {}", field, kMost),
           text_);
    }
    if (!values_.emplace(field, value).second) fail("a size is given twice", "each field once", field);
    return static_cast<size_t>(stop - text_.data());
  }

  std::string text_, where_, name_;
  std::map<std::string, int64_t> values_;
};

}  // namespace

std::string to_shape_string(const ConvProblem& p) {
  std::string text = fmt::format("mb{}_ic{}ih{}", p.N, p.C, p.H);
  if (p.W != p.H) text += fmt::format("iw{}", p.W);
  text += fmt::format("_oc{}oh{}", p.K, p.P());
  if (p.Q() != p.P()) text += fmt::format("ow{}", p.Q());
  text += fmt::format("_kh{}", p.R);
  if (p.S != p.R) text += fmt::format("kw{}", p.S);
  if (p.stride != 1) text += fmt::format("sh{}", p.stride);
  text += fmt::format("ph{}", p.pad_h);
  if (p.pad_w != p.pad_h || p.Q() != p.P()) text += fmt::format("pw{}", p.pad_w);  // else ow would decide
  return text;
}

ConvShape parse_conv_shape(const std::string& text, const std::string& where) {
  return Parser(text, where).parse();
}

std::vector<ConvShape> read_conv_shapes(const std::filesystem::path& file) {
  std::ifstream stream(file);
  if (!stream || !std::filesystem::is_regular_file(file)) {
    throw Error(ExitCode::BadData, {.where = file.string(),
                                    .what = "cannot read the shapes",
                                    .expected = "a text file with a convolution a line",
                                    .got = std::filesystem::exists(file) ? "something else" : "nothing there",
                                    .hint = "name one with --shapes, or give --shape"});
  }
  std::vector<ConvShape> shapes;
  int number = 0;
  for (std::string line; std::getline(stream, line);) {
    ++number;
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    if (line.empty() || line[0] == '#') continue;
    try {
      shapes.push_back(parse_conv_shape(line, fmt::format("{}:{}", file.string(), number)));
    } catch (const Error& error) {
      throw Error(ExitCode::BadData, error.info());
    }
  }
  if (shapes.empty()) {
    throw Error(ExitCode::BadData, {.where = file.string(),
                                    .what = "holds no shape",
                                    .expected = "a convolution a line",
                                    .got = "comments and empty lines at the most",
                                    .hint = kHint});
  }
  return shapes;
}

}  // namespace engine
