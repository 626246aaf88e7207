#include "cpm/json_file.h"

#include <nlohmann/json.hpp>

#include "engine/io/file.h"
#include "kernels/base/error.h"

namespace cpm {

nlohmann::ordered_json read_json_object(const std::filesystem::path& file, const std::string& hint) {
  constexpr uint64_t kMostBytes = uint64_t{16} << 20;
  const auto doc = nlohmann::ordered_json::parse(engine::read_text(file, kMostBytes), nullptr, false);
  if (doc.is_discarded() || !doc.is_object()) {
    throw kernels::Error(kernels::ExitCode::BadData, {.where = file.string(),
                                                      .what = "not a JSON object",
                                                      .expected = "what cpm-train wrote",
                                                      .got = doc.is_discarded() ? "no JSON" : doc.type_name(),
                                                      .hint = hint});
  }
  return doc;
}

}  // namespace cpm
