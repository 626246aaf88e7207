// The rows of the table of configuration keys, section by section.
#include <algorithm>

#include "cpm/config_table.h"
#include "kernels/reduce/reduce.h"

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
       "threads that read and crop images ahead of the step; 0: those that compute do, between steps",
       {.low = 0, .high = 256},
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
  const Strings device = {.choices = {"auto", "cpu", "cuda"},
                          .accepts = is_device,
                          .form = "\"auto\", \"cpu\", \"cuda\" or \"cuda:N\""};
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
      {"train.events_every",
       CPM_FIELD(train.events_every),
       "steps between rows of metrics for TensorBoard; 0: each to step 10000, then every tenth",
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

std::vector<KeyRow> grads_rows() {
  return {
      {"grads.every",
       CPM_FIELD(grads.every),
       "steps between two that count their gradients, as --grad-hist; 0: none does",
       kNotNegative,
       {}},
      {"grads.accumulate",
       CPM_FIELD(grads.accumulate),
       "a record of gradients is of one step, or of an epoch's steps together",
       kAnyNumber,
       {.choices = {"step", "epoch"}}},
      {"grads.activations",
       CPM_FIELD(grads.activations),
       "whether the gradient of each convolution's output is counted too",
       kAnyNumber,
       {}},
      {"grads.linear_bins",
       CPM_FIELD(grads.linear_bins),
       "equal bins beside the logarithmic ones, an even number; 0: none",
       {.low = 0, .high = kernels::LinearBins::kMostBins},
       {}},
      {"grads.linear_range",
       CPM_FIELD(grads.linear_range),
       "they reach from minus this to this",
       kPositive,
       {}},
  };
}

std::vector<KeyRow> report_rows() {
  return {
      {"report.image",
       CPM_FIELD(report.image),
       "whose belief maps the report shows: a person of the validation data, from 1; 0: the typical one",
       kNotNegative,
       {}},
      {"report.worst",
       CPM_FIELD(report.worst),
       "how many of the people found worst the report shows",
       {.low = 0, .high = 64},
       {}},
  };
}

#undef CPM_FIELD

}  // namespace

const std::vector<KeyRow>& key_table() {
  static const std::vector<KeyRow> table = [] {
    std::vector<KeyRow> rows;
    for (const auto& part : {model_rows(), data_rows(), optim_rows(), supervision_rows(), train_rows(),
                             grads_rows(), report_rows()}) {
      rows.insert(rows.end(), part.begin(), part.end());
    }
    return rows;
  }();
  return table;
}

}  // namespace cpm
