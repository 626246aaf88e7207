// Register allocation against brute force: random programs whose lifetimes are found instruction by
// instruction.
#include <map>
#include <random>
#include <set>
#include <string>

#include "core/regalloc.h"
#include "tests/unit/catch.h"

using namespace vgpu;

namespace {

using Names = std::set<std::string>;

// One statement as the test knows it, independent of what the allocator makes of the text.
struct Step {
  std::string text;
  Names reads, writes;
  bool guarded = false, falls_through = true;
  std::vector<int> targets;  // label numbers
};

class RandomProgram {
 public:
  explicit RandomProgram(uint32_t seed) : random_(seed) {
    const int count = 5 + pick(60);
    for (int i = 0; i < count; ++i) steps_.push_back(step(count));
  }
  std::string text() const;
  const std::vector<Step>& steps() const { return steps_; }

 private:
  int pick(int n) { return static_cast<int>(random_() % static_cast<uint32_t>(n)); }
  std::string reg(const std::string& prefix) { return "%" + prefix + std::to_string(pick(8)); }
  Step step(int count);
  void arithmetic(Step& s);
  void jump(Step& s, int count);

  std::mt19937 random_;
  std::vector<Step> steps_;
};

void RandomProgram::arithmetic(Step& s) {
  const std::string r[] = {reg("r"), reg("r"), reg("r")}, d[] = {reg("rd"), reg("rd")};
  const std::string h[] = {reg("h"), reg("h")}, p[] = {reg("p"), reg("p")};
  switch (pick(9)) {
    case 0:
      s = {"add.s32 " + r[0] + ", " + r[1] + ", " + r[2], {r[1], r[2]}, {r[0]}};
      break;
    case 1:
      s = {"cvt.u64.u32 " + d[0] + ", " + r[0], {r[0]}, {d[0]}};
      break;
    case 2:
      s = {"setp.lt.s32 " + p[0] + "|" + p[1] + ", " + r[0] + ", " + r[1], {r[0], r[1]}, {p[0], p[1]}};
      break;
    case 3:
      s = {"selp.b32 " + r[0] + ", " + r[1] + ", 4, !" + p[0], {r[1], p[0]}, {r[0]}};
      break;
    case 4:
      s = {"ld.global.v2.u32 {" + r[0] + ", " + r[1] + "}, [" + d[0] + "+8]", {d[0]}, {r[0], r[1]}};
      break;
    case 5:
      s = {"st.global.u32 [" + d[0] + "], " + r[0], {d[0], r[0]}, {}};
      break;
    case 6:
      s = {"mov.b16 " + h[0] + ", " + h[1], {h[1]}, {h[0]}};
      break;
    case 7:
      s = {"mov.b64 " + d[0] + ", {" + r[0] + ", " + r[1] + "}", {r[0], r[1]}, {d[0]}};
      break;
    default:
      s = {"mad.wide.u32 " + d[0] + ", " + r[0] + ", " + r[1] + ", " + d[1], {r[0], r[1], d[1]}, {d[0]}};
  }
}

void RandomProgram::jump(Step& s, int count) {
  if (pick(6) == 0) {
    const std::string r = reg("r");
    const int table = pick(2);
    s = {"brx.idx " + r + ", T" + std::to_string(table), {r}, {}};
    s.targets = {0, count / (table + 2)};
  } else if (pick(6) == 0) {
    s = {"ret", {}, {}};
  } else {
    s.targets = {pick(count)};
    s.text = "bra L" + std::to_string(s.targets[0]);
  }
  s.falls_through = false;
}

Step RandomProgram::step(int count) {
  Step s;
  if (pick(6) == 0)
    jump(s, count);
  else
    arithmetic(s);
  if (pick(3) != 0) return s;
  const std::string guard = reg("p");
  s.text = (pick(2) != 0 ? "@!" : "@") + guard + " " + s.text;
  s.reads.insert(guard);
  s.guarded = s.falls_through = true;
  return s;
}

std::string RandomProgram::text() const {
  std::string text =
      ".version 9.0\n.target sm_80\n.address_size 64\n.entry k\n{\n.reg .pred %p<8>;\n.reg .b16 %h<8>;\n"
      ".reg .b32 %r<8>;\n.reg .b64 %rd<8>;\n";
  for (int table = 0; table < 2; ++table)
    text += "T" + std::to_string(table) + ": .branchtargets L0, L" +
            std::to_string(steps_.size() / (static_cast<size_t>(table) + 2)) + ";\n";
  for (size_t i = 0; i < steps_.size(); ++i) text += "L" + std::to_string(i) + ": " + steps_[i].text + ";\n";
  return text + "}\n";
}

// live[i]: names whose value before step i may still be read.
std::vector<Names> lifetimes(const std::vector<Step>& steps) {
  std::vector<Names> live(steps.size() + 1);
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t i = steps.size(); i-- > 0;) {
      Names now;
      if (steps[i].falls_through) now = live[i + 1];
      for (int target : steps[i].targets)
        now.insert(live[static_cast<size_t>(target)].begin(), live[static_cast<size_t>(target)].end());
      if (!steps[i].guarded)
        for (const std::string& name : steps[i].writes) now.erase(name);
      now.insert(steps[i].reads.begin(), steps[i].reads.end());
      changed |= now != live[i];
      live[i] = std::move(now);
    }
  }
  return live;
}

struct Slot {
  uint32_t begin, end, lane_bytes;
};

bool overlap(const Slot& a, const Slot& b) {
  return a.begin < b.end && b.begin < a.end;
}

std::map<std::string, Slot> slots_of(const ptx::Function& fn, const RegisterAllocation& allocation) {
  std::map<std::string, Slot> slots;
  for (size_t r = 0; r < fn.registers.size(); ++r) {
    if (allocation.slot[r] == kNoRef) continue;
    const uint32_t bytes = ptx::size_of(fn.registers[r].type);
    slots[std::string(fn.registers[r].name)] = {allocation.slot[r], allocation.slot[r] + slot_bytes(bytes),
                                                bytes};
  }
  return slots;
}

// The number of pairs that hold values at one time in one place.
int conflicts(const std::map<std::string, Slot>& slots, const Names& together) {
  int found = 0;
  for (auto a = together.begin(); a != together.end(); ++a)
    for (auto b = std::next(a); b != together.end(); ++b)
      found += overlap(slots.at(*a), slots.at(*b)) ? 1 : 0;
  return found;
}

}  // namespace

TEST_CASE("registers that live at one time never share a slot") {
  size_t shared = 0;
  for (uint32_t seed = 1; seed <= 600; ++seed) {
    const RandomProgram program(seed);
    const auto module = ptx::parse(program.text());
    const ptx::Function& fn = module->functions.back();
    const RegisterAllocation allocation = allocate_registers(fn);
    const auto slots = slots_of(fn, allocation);
    const auto live = lifetimes(program.steps());
    int bad = 0;
    for (size_t i = 0; i < program.steps().size(); ++i) {
      const Step& step = program.steps()[i];
      Names before = live[i], after = step.writes;
      if (step.falls_through) after.insert(live[i + 1].begin(), live[i + 1].end());
      for (int target : step.targets)
        after.insert(live[static_cast<size_t>(target)].begin(), live[static_cast<size_t>(target)].end());
      Names both = step.reads;
      both.insert(step.writes.begin(), step.writes.end());
      bad += conflicts(slots, before) + conflicts(slots, after) + conflicts(slots, both);
    }
    for (const auto& [a, slot_a] : slots)
      for (const auto& [b, slot_b] : slots) {
        if (a >= b || !overlap(slot_a, slot_b)) continue;
        ++shared;
        if (slot_a.lane_bytes != slot_b.lane_bytes || slot_a.begin != slot_b.begin) ++bad;
      }
    for (const auto& [name, slot] : slots)
      if (slot.end > allocation.bytes || (slot.lane_bytes != 0 && slot.begin % 64 != 0)) ++bad;
    INFO("seed " << seed << "\n" << program.text());
    REQUIRE(bad == 0);
  }
  CHECK(shared > 1000);  // and sharing does happen
}

TEST_CASE("a chain of temporaries needs two slots") {
  std::string text =
      ".version 9.0\n.target sm_80\n.address_size 64\n.entry k\n{\n.reg .b32 %r<200>;\nmov.u32 %r0, 1;\n";
  for (int i = 1; i < 200; ++i)
    text += "add.s32 %r" + std::to_string(i) + ", %r" + std::to_string(i - 1) + ", 1;\n";
  const auto module = ptx::parse(text + "}\n");
  CHECK(allocate_registers(module->functions.back()).bytes == 2 * 128);
}

TEST_CASE("areas of calls share memory where they do not overlap in time") {
  const AreaAllocation placed =
      allocate_areas({{{0, 3}, 512}, {{1, 3}, 512}, {{5, 8}, 512}, {{6, 8}, 1024}, {{9, 9}, 512}});
  CHECK(placed.offset[0] != placed.offset[1]);
  CHECK(placed.bytes == 2 * 512 + 1024);
  CHECK((placed.offset[2] == placed.offset[0] || placed.offset[2] == placed.offset[1]));
}
