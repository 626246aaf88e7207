// The `--data` argument: KIND[:ARGUMENTS][,FIRST-LAST]. The range is taken off the end first, so that
// whatever stands before it may hold dashes; what is left is split at the first comma.
#include "cpm/dataset/spec.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <string_view>

#include "cpm/dataset/dataset.h"
#include "cpm/dataset/open.h"
#include "kernels/base/error.h"
#include "kernels/base/nearest.h"

namespace cpm {
namespace {

constexpr const char* kForms =
    "synthetic[:N], coco:FILE.json,IMAGE_DIR, mpii:FILE.json,IMAGE_DIR, lsp:JOINTS.mat,IMAGE_DIR or "
    "raw:TENSORS.safetensors, then [,FIRST-LAST]";
constexpr int64_t kMostSynthetic = 1'000'000'000;

[[noreturn]] void bad_spec(const std::string& spec, std::string what, std::string got,
                           std::string hint = "") {
  throw kernels::Error(kernels::ExitCode::Usage, {.where = fmt::format("data \"{}\"", spec),
                                                  .what = std::move(what),
                                                  .expected = kForms,
                                                  .got = std::move(got),
                                                  .hint = std::move(hint)});
}

std::optional<int64_t> whole_number(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool only_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// Cuts ",FIRST-LAST" off `rest` where it ends so.
void take_range(const std::string& spec, std::string* rest, DataSpec* out) {
  const size_t comma = rest->rfind(',');
  if (comma == std::string::npos) return;
  const std::string tail = rest->substr(comma + 1);
  const size_t dash = tail.find('-');
  if (dash == std::string::npos) return;
  const std::string first = tail.substr(0, dash), last = tail.substr(dash + 1);
  if (!only_digits(first) || !only_digits(last)) return;
  const auto from = whole_number(first), to = whole_number(last);
  if (!from || !to || *from < 1 || *to < *from) {
    bad_spec(spec, "not a range of records", tail, "ranges count from 1 and include both ends, as in 1-100");
  }
  out->first = *from;
  out->last = *to;
  rest->resize(comma);
}

void parse_synthetic(const std::string& spec, const std::string& arguments, DataSpec* out) {
  out->kind = DataSpec::Kind::Synthetic;
  if (arguments.empty()) return;
  const auto count = whole_number(arguments);
  if (!count || *count < 1 || *count > kMostSynthetic) {
    bad_spec(spec, "the number of synthetic people is no whole number from 1", arguments,
             "as in synthetic:2000");
  }
  out->count = *count;
}

/// "FILE,IMAGE_DIR"
void parse_annotated(const std::string& spec, const std::string& kind, const std::string& arguments,
                     DataSpec* out) {
  const bool lsp = kind == "lsp";
  out->kind = lsp ? DataSpec::Kind::Lsp : kind == "coco" ? DataSpec::Kind::Coco : DataSpec::Kind::Mpii;
  const size_t comma = arguments.find(',');
  if (comma == std::string::npos || comma == 0 || comma + 1 == arguments.size()) {
    bad_spec(spec, fmt::format("{} needs a file of annotations and a folder of images", kind),
             arguments.empty() ? "nothing" : arguments,
             lsp ? "as in lsp:lspet/joints.mat,lspet/images,1-3500"
                 : fmt::format("as in {0}:{0}/annotations.json,{0}/images,1-3500", kind));
  }
  out->file = arguments.substr(0, comma);
  out->images = arguments.substr(comma + 1);
}

}  // namespace

DataSpec parse_data_spec(const std::string& spec) {
  DataSpec out;
  std::string rest = spec;
  take_range(spec, &rest, &out);
  const size_t colon = rest.find(':');
  const std::string kind = rest.substr(0, colon);
  const std::string arguments = colon == std::string::npos ? "" : rest.substr(colon + 1);
  if (kind == "synthetic") {
    if (colon != std::string::npos && arguments.empty()) bad_spec(spec, "nothing after the colon", rest);
    parse_synthetic(spec, arguments, &out);
  } else if (kind == "coco" || kind == "mpii" || kind == "lsp") {
    parse_annotated(spec, kind, arguments, &out);
  } else if (kind == "raw") {
    out.kind = DataSpec::Kind::Raw;
    if (arguments.empty())
      bad_spec(spec, "raw needs a file of tensors", "nothing", "as in raw:batch.safetensors");
    out.file = arguments;
  } else {
    bad_spec(spec, "unknown kind of data", kind.empty() ? "nothing" : kind,
             kernels::nearest_hint(kind, data_kinds()));
  }
  return out;
}

std::vector<std::string> data_kinds(bool raw) {
  std::vector<std::string> kinds = {"synthetic", "coco", "mpii", "lsp"};
  if (raw) kinds.emplace_back("raw");
  return kinds;
}

RecordRange record_range(const DataSpec& spec, int64_t records, const std::string& source) {
  if (spec.first == 0) return {0, records};
  if (spec.last > records) {
    throw kernels::Error(kernels::ExitCode::Usage, {.where = source,
                                                    .what = "the range reaches beyond the records",
                                                    .expected = fmt::format("a range within 1-{}", records),
                                                    .got = fmt::format("{}-{}", spec.first, spec.last),
                                                    .hint = fmt::format("it has {} records", records)});
  }
  return {spec.first - 1, spec.last};
}

std::unique_ptr<Dataset> open_dataset(const DataSpec& spec, const OnFault& on_fault) {
  switch (spec.kind) {
    case DataSpec::Kind::Synthetic:
      return open_synthetic(spec);
    case DataSpec::Kind::Lsp:
      return open_lsp(spec, on_fault);
    case DataSpec::Kind::Coco:
      return open_coco(spec, on_fault);
    case DataSpec::Kind::Mpii:
      return open_mpii(spec, on_fault);
    case DataSpec::Kind::Raw:
      break;
  }
  throw kernels::Error(kernels::ExitCode::Usage,
                       {.where = "raw:" + spec.file.string(),
                        .what = "raw tensors hold no people",
                        .expected = "a data set of images: synthetic, coco, mpii or lsp",
                        .got = "raw",
                        .hint = "only training takes raw:TENSORS.safetensors"});
}

}  // namespace cpm
