#include "cpm/config_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kernels/base/error.h"
#include "kernels/base/nearest.h"

namespace cpm {
namespace {

constexpr Range kNotNegative = {.low = 0};
constexpr Range kPositive = {.low = 0, .low_open = true};
constexpr Range kAtLeastOne = {.low = 1};
constexpr Range kFraction = {.low = 0, .high = 1};
constexpr Range kBelowOne = {.low = 0, .high = 1, .high_open = true};
constexpr Range kAnyNumber = {};

bool is_device(const std::string& text) {
  if (text == "auto" || text == "cpu" || text == "cuda") return true;
  const std::string prefix = "cuda:";
  if (text.rfind(prefix, 0) != 0) return false;
  const std::string number = text.substr(prefix.size());
  return !number.empty() && number.size() <= 3 &&
         std::all_of(number.begin(), number.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// A run's name becomes a part of a directory name.
bool is_run_name(const std::string& text) {
  if (text.empty() || text.size() > 100 || text[0] == '.' || text[0] == '-') return false;
  return std::none_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f || c == '/' || c == '\\';
  });
}

/// UTF-8 by RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. TOML can hold nothing else.
bool is_utf8(const std::string& text) {
  size_t i = 0;
  while (i < text.size()) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const int more = lead < 0x80 ? 0 : lead >> 5 == 6 ? 1 : lead >> 4 == 14 ? 2 : lead >> 3 == 30 ? 3 : -1;
    if (more < 0 || i + static_cast<size_t>(more) >= text.size()) return false;
    uint32_t point = more == 0 ? lead : lead & (0x3fu >> more);
    for (int k = 1; k <= more; ++k) {
      const auto next = static_cast<unsigned char>(text[i + static_cast<size_t>(k)]);
      if (next >> 6 != 2) return false;
      point = point << 6 | (next & 0x3fu);
    }
    constexpr uint32_t kSmallest[4] = {0, 0x80, 0x800, 0x10000};
    if (point < kSmallest[more] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return false;
    i += static_cast<size_t>(more) + 1;
  }
  return true;
}

#define CPM_FIELD(member) [](Config& c) -> Field { return &c.member; }

std::vector<KeyRow> model_rows() {
  return {
      {"model.stages", CPM_FIELD(model.stages), "stages of the network", {.low = 1, .high = kMaxStages}, {}},
      {"model.width",
       CPM_FIELD(model.width),
       "multiplies every inner channel count; 1 is the paper's",
       {.low = 0, .high = 16, .low_open = true},
       {}},
      {"model.pooling",
       CPM_FIELD(model.pooling),
       "how a pooling window rounds at the border",
       kAnyNumber,
       {.choices = {"torch", "caffe"}}},
      {"model.init",
       CPM_FIELD(model.init),
       "first weights: normal, scaled by the fan-in (he) or of deviation 0.01 (gaussian)",
       kAnyNumber,
       {.choices = {"he", "gaussian"}}},
  };
}

std::vector<KeyRow> data_rows() {
  return {
      {"data.train", CPM_FIELD(data.train), "training data, as --data", kAnyNumber, {}},
      {"data.val", CPM_FIELD(data.val), "validation data, as --val; may be empty", kAnyNumber, {}},
      {"data.input",
       CPM_FIELD(data.input),
       "side of the network's input in pixels, a multiple of 8",
       {.low = 8, .high = 4096},
       {}},
      {"data.flip", CPM_FIELD(data.flip), "probability of a mirrored person", kFraction, {}},
      {"data.supervise_missing",
       CPM_FIELD(data.supervise_missing),
       "a joint without a label: supervised to an empty map (zero) or left out of the loss (mask)",
       kAnyNumber,
       {.choices = {"zero", "mask"}}},
      {"data.loader_threads",
       CPM_FIELD(data.loader_threads),
       "threads that read and crop images",
       {.low = 1, .high = 256},
       {}},
  };
}

std::vector<KeyRow> optim_rows() {
  return {
      {"optim.name", CPM_FIELD(optim.name), "update rule", kAnyNumber, {.choices = {"adam", "sgd"}}},
      {"optim.lr", CPM_FIELD(optim.lr), "learning rate", kNotNegative, {}},
      {"optim.momentum", CPM_FIELD(optim.momentum), "sgd: momentum", kBelowOne, {}},
      {"optim.weight_decay",
       CPM_FIELD(optim.weight_decay),
       "L2 decay, added to the gradient",
       kNotNegative,
       {}},
      {"optim.decay_bias", CPM_FIELD(optim.decay_bias), "whether biases decay too", kAnyNumber, {}},
      {"optim.beta1", CPM_FIELD(optim.beta1), "adam: decay of the mean gradient", kBelowOne, {}},
      {"optim.beta2", CPM_FIELD(optim.beta2), "adam: decay of the mean square", kBelowOne, {}},
      {"optim.eps", CPM_FIELD(optim.eps), "adam: added to the root of the mean square", kPositive, {}},
      {"optim.schedule",
       CPM_FIELD(optim.schedule),
       "how the learning rate changes",
       kAnyNumber,
       {.choices = {"constant", "step", "cosine"}}},
      {"optim.step_every",
       CPM_FIELD(optim.step_every),
       "schedule step: steps between two reductions",
       kAtLeastOne,
       {}},
      {"optim.step_gamma",
       CPM_FIELD(optim.step_gamma),
       "schedule step: factor of a reduction",
       kPositive,
       {}},
      {"optim.warmup", CPM_FIELD(optim.warmup), "steps of linear warm-up", kNotNegative, {}},
      {"optim.weight_multiplier",
       CPM_FIELD(optim.weight_multiplier),
       "learning rate of the weights by stage, a factor; left out: 1",
       kNotNegative,
       {}},
      {"optim.bias_multiplier",
       CPM_FIELD(optim.bias_multiplier),
       "learning rate of the biases by stage, a factor; left out: 1",
       kNotNegative,
       {}},
  };
}

std::vector<KeyRow> supervision_rows() {
  return {
      {"supervision.weights",
       CPM_FIELD(supervision.weights),
       "weight of the loss by stage, 0 leaves it out; left out: 1",
       kNotNegative,
       {}},
      {"supervision.frozen",
       CPM_FIELD(supervision.frozen),
       "stages, from 1, that keep their parameters",
       {.low = 1, .high = kMaxStages},
       {}},
      {"supervision.schedule",
       CPM_FIELD(supervision.schedule),
       "all stages at once, or one after the other, each from its own loss",
       kAnyNumber,
       {.choices = {"joint", "stagewise"}}},
      {"supervision.stage_steps",
       CPM_FIELD(supervision.stage_steps),
       "schedule stagewise: steps of each stage; empty: equal shares",
       kAtLeastOne,
       {}},
  };
}

std::vector<KeyRow> train_rows() {
  const Strings name = {.accepts = is_run_name,
                        .form = "1-100 characters without / or \\, the first neither . nor -"};
  const Strings device = {.accepts = is_device, .form = "\"auto\", \"cpu\", \"cuda\" or \"cuda:N\""};
  return {
      {"train.name", CPM_FIELD(train.name), "run directories are runs/NAME-001, -002...", kAnyNumber, name},
      {"train.steps", CPM_FIELD(train.steps), "steps to train; 0: by epochs", kNotNegative, {}},
      {"train.epochs", CPM_FIELD(train.epochs), "epochs to train; 0 and no steps: 10", kNotNegative, {}},
      {"train.batch", CPM_FIELD(train.batch), "persons in a batch", {.low = 1, .high = 65536}, {}},
      {"train.seed", CPM_FIELD(train.seed), "of first weights, order and augmentation", kNotNegative, {}},
      {"train.threads",
       CPM_FIELD(train.threads),
       "threads that compute; 0: all processors",
       {.low = 0, .high = 1024},
       {}},
      {"train.checkpoint_every",
       CPM_FIELD(train.checkpoint_every),
       "steps between checkpoints; 0: only at the end and when interrupted",
       kNotNegative,
       {}},
      {"train.keep_checkpoints",
       CPM_FIELD(train.keep_checkpoints),
       "checkpoints kept, the newest",
       kAtLeastOne,
       {}},
      {"train.val_every",
       CPM_FIELD(train.val_every),
       "steps between validations; 0: at the end only",
       kNotNegative,
       {}},
      {"train.intermediate_supervision",
       CPM_FIELD(train.intermediate_supervision),
       "whether every stage has a loss, or only the last (all other supervision.weights are 0)",
       kAnyNumber,
       {}},
      {"train.deterministic",
       CPM_FIELD(train.deterministic),
       "same bits from run to run: rows of cuDNN may vary where this is false, all others never do",
       kAnyNumber,
       {}},
      {"train.cuda_graph",
       CPM_FIELD(train.cuda_graph),
       "record the step on a CUDA device once and replay it",
       kAnyNumber,
       {}},
      {"train.device", CPM_FIELD(train.device), "where to compute", kAnyNumber, device},
      {"train.precision",
       CPM_FIELD(train.precision),
       "number format of the arithmetic",
       kAnyNumber,
       {.choices = {"fp32"}, .later = {"bf16", "tf32"}}},
  };
}

#undef CPM_FIELD

std::string number_text(double number) {
  std::string text = fmt::format("{}", number);
  // A number that looks like an integer gets a decimal point, so that any TOML reader sees a float.
  if (text.find_first_not_of("-0123456789") == std::string::npos) text += ".0";
  return text;
}

std::string range_text(const Range& range) {
  const bool low = std::isfinite(range.low), high = std::isfinite(range.high);
  if (low && high && !range.low_open && !range.high_open) return fmt::format("{}-{}", range.low, range.high);
  std::string text;
  if (low) text = fmt::format("{} {}", range.low_open ? ">" : ">=", range.low);
  if (high) text += fmt::format("{}{} {}", low ? " and " : "", range.high_open ? "<" : "<=", range.high);
  return text;
}

bool in_range(const Range& range, double number) {
  const bool above = range.low_open ? number > range.low : number >= range.low;
  const bool below = range.high_open ? number < range.high : number <= range.high;
  return std::isfinite(number) && above && below;
}

/// What is wrong with a key: its name belongs to it unless `where` says it already.
std::string said(const KeyRow& row, const std::string& where, const char* alone, const char* predicate) {
  return where.compare(0, row.key.size(), row.key) == 0 ? alone : row.key + " " + predicate;
}

void check_string(const KeyRow& row, const std::string& text, const std::string& where) {
  const Strings& strings = row.strings;
  const bool known = strings.choices.empty() ||
                     std::find(strings.choices.begin(), strings.choices.end(), text) != strings.choices.end();
  const bool utf8 = is_utf8(text);
  if (utf8 && known && (strings.accepts == nullptr || strings.accepts(text))) return;
  if (std::find(strings.later.begin(), strings.later.end(), text) != strings.later.end()) {
    throw kernels::Error(kernels::ExitCode::Usage,
                         {.where = where,
                          .what = said(row, where, "not available yet", "cannot have this value yet"),
                          .expected = limits_text(row),
                          .got = quoted(text),
                          .hint = "leave it out: nothing else is computed in so far"});
  }
  const bool guess = !known && strings.choices.size() > 1;  // "expected" names an only choice already
  const std::string near = !guess ? "" : kernels::nearest_name(text, strings.choices);
  throw kernels::Error(kernels::ExitCode::Usage,
                       {.where = where,
                        .what = known ? said(row, where, "not valid", "is not valid")
                                      : said(row, where, "unknown value", "has an unknown value"),
                        .expected = utf8 ? limits_text(row) : "text in UTF-8",
                        .got = quoted(text),
                        .hint = near.empty() ? "" : fmt::format("did you mean {}?", quoted(near))});
}

}  // namespace

const std::vector<KeyRow>& key_table() {
  static const std::vector<KeyRow> table = [] {
    std::vector<KeyRow> rows;
    for (const auto& part : {model_rows(), data_rows(), optim_rows(), supervision_rows(), train_rows()}) {
      rows.insert(rows.end(), part.begin(), part.end());
    }
    return rows;
  }();
  return table;
}

std::string type_name(const Field& field) {
  constexpr const char* kNames[] = {"integer", "number", "boolean", "string", "numbers", "integers"};
  static_assert(std::size(kNames) == std::variant_size_v<Field>);
  return kNames[field.index()];
}

std::string limits_text(const KeyRow& row) {
  if (row.strings.accepts != nullptr) return row.strings.form;
  std::string text;
  for (size_t i = 0; i < row.strings.choices.size(); ++i) {
    if (i > 0) text += i + 1 == row.strings.choices.size() ? " or " : ", ";
    text += quoted(row.strings.choices[i]);
  }
  return text.empty() ? range_text(row.range) : text;
}

std::string expected_text(const KeyRow& row, const Field& field) {
  static const std::string array = fmt::format("an array of 1-{} numbers", kMaxStages);
  static const std::string integers = fmt::format("an array of at most {} integers", kMaxStages);
  const std::string kNames[] = {"an integer", "a number", "true or false", "a string", array, integers};
  static_assert(std::size(kNames) == std::variant_size_v<Field>);
  const std::string limits = limits_text(row);
  return kNames[field.index()] + (limits.empty() ? "" : ", " + limits);
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\u{:04X}", byte);
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string literal(const Field& field) {
  struct Visitor {
    std::string operator()(const int64_t* value) const { return fmt::format("{}", *value); }
    std::string operator()(const double* value) const { return number_text(*value); }
    std::string operator()(const bool* value) const { return *value ? "true" : "false"; }
    std::string operator()(const std::string* value) const { return quoted(*value); }
    std::string operator()(const StageNumbers* value) const {
      std::string out;
      for (const double number : *value) out += (out.empty() ? "[" : ", ") + number_text(number);
      return out + "]";
    }
    std::string operator()(const Integers* value) const {
      return fmt::format("[{}]", fmt::join(*value, ", "));
    }
  };
  return std::visit(Visitor{}, field);
}

void check_limits(const KeyRow& row, const Field& field, const std::string& where) {
  const auto check_number = [&](double number, const std::string& text) {
    if (in_range(row.range, number)) return;
    const bool array =
        std::holds_alternative<StageNumbers*>(field) || std::holds_alternative<Integers*>(field);
    const std::string limits = limits_text(row);
    throw kernels::Error(kernels::ExitCode::Usage,
                         {.where = where,
                          .what = said(row, where, "out of range", "is out of range"),
                          .expected = (array ? "numbers " : "") + (limits.empty() ? "finite" : limits),
                          .got = text,
                          .hint = ""});
  };
  if (const auto* text = std::get_if<std::string*>(&field)) {
    check_string(row, **text, where);
  } else if (const auto* integer = std::get_if<int64_t*>(&field)) {
    check_number(static_cast<double>(**integer), fmt::format("{}", **integer));
  } else if (const auto* number = std::get_if<double*>(&field)) {
    check_number(**number, fmt::format("{}", **number));
  } else if (const auto* numbers = std::get_if<StageNumbers*>(&field)) {
    for (const double item : **numbers) check_number(item, fmt::format("{}", item));
  } else if (const auto* integers = std::get_if<Integers*>(&field)) {
    for (const int64_t item : **integers) check_number(static_cast<double>(item), fmt::format("{}", item));
  }
}

}  // namespace cpm
