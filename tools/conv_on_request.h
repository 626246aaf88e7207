// bench_conv --on-request: convolutions timed one sample at a time, as another program asks for them.
#pragma once

#include "kernels/base/exec.h"
#include "tools/conv_report.h"
#include "tools/conv_selection.h"

namespace tools {

/// Prints what is selected as a JSON object whose "problems" say sizes and row; then each line of standard
/// input, the place of one of them (0, 1, ...), is answered by one sample of it. Every answer sets the
/// problem up anew and checks the row. Without --algo a problem's row is the one that training runs, else the
/// first of those named that can do it; what none can do is left out. CheckFailed where a row is wrong.
void answer_conv_requests(const BenchFlags& flags, const BenchSelection& selection, const kernels::Exec& exec,
                          const BenchMachine& machine);

}  // namespace tools
