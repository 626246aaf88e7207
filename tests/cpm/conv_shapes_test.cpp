// data/shapes/cpm.txt holds the convolutions of the paper's network, each once, and nothing else.
#include <algorithm>
#include <string>
#include <vector>

#include "cpm/step_runner.h"
#include "engine/tune/conv_shape.h"
#include "tests/support/catch.h"

TEST_CASE("shapes: the file is the network's") {
  cpm::Model model({}, engine::DType::F32);
  cpm::Batch batch;
  batch.n = 1;
  batch.joints = 14;
  batch.height = batch.width = 368;
  batch.image.resize(3 * 368 * 368);
  batch.center.resize(368 * 368);
  kernels::ThreadPool threads(1);
  kernels::Exec exec;
  exec.threads = &threads;
  cpm::StepRunner runner(model, exec);
  runner.prepare(cpm::to_tensors(batch, engine::DType::F32), {}, false);
  std::vector<std::string> network, file;
  for (const engine::PlannedConv& line : runner.plan().lines()) {
    network.push_back(engine::to_shape_string(line.problem));
  }
  CHECK(network.size() == 40);
  std::sort(network.begin(), network.end());
  network.erase(std::unique(network.begin(), network.end()), network.end());
  for (const engine::ConvShape& shape : engine::read_conv_shapes(tests::source_file("data/shapes/cpm.txt"))) {
    CHECK_FALSE(shape.has_batch);
    file.push_back(engine::to_shape_string(shape.problem));
  }
  std::sort(file.begin(), file.end());
  CHECK(file == network);
}
