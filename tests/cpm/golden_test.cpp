// The whole network against PyTorch in float64 (tests/support/golden.h). Cases whose numbers are not part of
// the repository come from CPM_TEST_DATA/golden. The two large cases and float64 runs of them take minutes
// and are hidden: run `cpm_tests "[golden-large]"`.
#include "tests/support/golden.h"

namespace {

using namespace tests::golden;

struct Machine {
  kernels::ThreadPool threads{kernels::available_processors()};
  kernels::Exec exec;
  Machine() {
    exec.threads = &threads;
    exec.isa = kernels::best_isa();
  }
};

bool missing(const std::string& name) {
  const auto folder = golden_folder(name);
  return folder.empty() || !std::filesystem::exists(folder / (name + ".json"));
}

constexpr const char* kSkip = "CPM_TEST_DATA/golden is not there";
// Networks in float64 run cpu.reference, whose threads the kernels' own tests cover.
constexpr const char* kPlainLoops = "plain loops over a network take an hour under ThreadSanitizer";

}  // namespace

TEST_CASE("golden two_stages_48x80 in float32", "[golden]") {
  Machine machine;
  check_golden("two_stages_48x80", engine::DType::F32, kSmall, machine.exec);
}

TEST_CASE("golden two_stages_48x80 in float64", "[golden]") {
  Machine machine;
  CPM_SKIP_IF(tests::kThreadSanitizer, kPlainLoops);
  check_golden("two_stages_48x80", engine::DType::F64, kDouble, machine.exec);
}

TEST_CASE("golden small_64 in float32", "[golden]") {
  Machine machine;
  CPM_SKIP_IF(missing("small_64"), kSkip);
  check_golden("small_64", engine::DType::F32, kSmall, machine.exec);
}

TEST_CASE("golden small_64 in float64", "[golden]") {
  Machine machine;
  CPM_SKIP_IF(missing("small_64"), kSkip);
  CPM_SKIP_IF(tests::kThreadSanitizer, kPlainLoops);
  check_golden("small_64", engine::DType::F64, kDouble, machine.exec);
}

TEST_CASE("golden training curve, Adam", "[golden]") {
  Machine machine;
  check_curve("adam_float64", {.kind = engine::OptimizerOptions::Kind::Adam}, 2e-6, 3e-4, machine.exec);
}

TEST_CASE("golden training curve, SGD", "[golden]") {
  Machine machine;
  check_curve("sgd_float64",
              {.kind = engine::OptimizerOptions::Kind::Sgd, .momentum = 0.9, .weight_decay = 5e-4}, 2e-7,
              1e-4, machine.exec);
}

TEST_CASE("golden coco_256x192", "[.][golden-large]") {
  Machine machine;
  CPM_SKIP_IF(missing("coco_256x192"), kSkip);
  check_golden("coco_256x192", engine::DType::F32, kLarge, machine.exec);
  check_golden("coco_256x192", engine::DType::F64, kDouble, machine.exec);
}

TEST_CASE("golden paper_368", "[.][golden-large]") {
  Machine machine;
  CPM_SKIP_IF(missing("paper_368"), kSkip);
  check_golden("paper_368", engine::DType::F32, kLarge, machine.exec);
  check_golden("paper_368", engine::DType::F64, kDouble, machine.exec);
}

TEST_CASE("write the weights and the input of golden two_stages_48x80", "[.][write-golden]") {
  const char* folder = std::getenv("CPM_GOLDEN_OUT");
  CPM_SKIP_IF(folder == nullptr, "CPM_GOLDEN_OUT names no folder");
  write_case("two_stages_48x80", folder);
}
