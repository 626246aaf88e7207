// From a parsed module to a program: names, memory, frames, code.
#include <memory>

#include "core/lowering_impl.h"

namespace vgpu {

namespace {

const RuleMap& all_rules() {
  static const RuleMap rules = [] {
    RuleMap map;
    add_integer_rules(map);
    add_float_rules(map);  // after the integer rules, see there
    add_convert_rules(map);
    add_memory_rules(map);
    add_collective_rules(map);
    add_tensor_rules(map);
    add_async_rules(map);
    add_control_rules(map);
    return map;
  }();
  return rules;
}

void name_functions(Program& program) {
  for (const ptx::Function& fn : program.module->functions) {
    if (!fn.defined) continue;
    auto code = std::make_unique<FunctionCode>();
    code->name = fn.name;
    code->function = &fn;
    program.function_by_name[fn.name] = code.get();
    program.functions.push_back(std::move(code));
  }
  for (const auto& [name, existing] : program.module->aliases) {
    const auto found = program.function_by_name.find(existing);
    if (found != program.function_by_name.end()) program.function_by_name[name] = found->second;
  }
  for (const ptx::Variable& v : program.module->variables) program.variable_by_name[v.name] = &v;
}

}  // namespace

uint64_t Program::function_address(std::string_view name) const {
  const auto found = function_by_name.find(name);
  if (found == function_by_name.end()) return 0;
  for (size_t i = 0; i < functions.size(); ++i)
    if (functions[i].get() == found->second) return kFunctionTag + i;
  return 0;
}

const FunctionCode* Program::function_at(uint64_t address) const {
  const uint64_t index = address - kFunctionTag;
  return index < functions.size() ? functions[index].get() : nullptr;
}

std::unique_ptr<Program> lower(std::unique_ptr<ptx::Module> module) {
  auto program = std::make_unique<Program>();
  program->module = std::move(module);
  name_functions(*program);

  Layout layout;
  place_shared(*program, layout);
  for (const auto& code : program->functions) place_locals(*code, layout);
  place_variables(*program, layout);

  ConstantPool constants(*program);
  std::vector<std::unique_ptr<FunctionLowering>> lowerings;
  for (const auto& code : program->functions)
    lowerings.push_back(std::make_unique<FunctionLowering>(*program, *code, layout, constants));
  for (const auto& lowering : lowerings) lowering->lower_body(all_rules());
  return program;
}

}  // namespace vgpu
