// The CPU kernels behind targets_kernels(Backend::Cpu); see targets.h for the contract.
#pragma once

#include "kernels/targets/targets.h"

namespace kernels::cpu {

void draw_targets(const Exec& exec, const TargetsProblem& problem, const TargetsPeople& people,
                  const TargetMaps& maps);

}  // namespace kernels::cpu
