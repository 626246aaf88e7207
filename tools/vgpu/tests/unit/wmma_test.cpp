// wmma.load, wmma.mma and wmma.store of every shape, type and layout, from global and shared memory: the
// product of the matrices in memory must come out, whatever the fragments look like inside.
#include "tests/unit/catch.h"
#include "tests/unit/matrix_fragments.h"

namespace vgpu::test {
namespace {

std::mt19937 random_bits(23);

const ElementType kF16{"f16", 16}, kBf16{"bf16", 16}, kTf32{"tf32", 32}, kF32{"f32", 32}, kF64{"f64", 64};
const ElementType kS8{"s8", 8}, kU8{"u8", 8}, kS4{"s4", 4}, kB1{"b1", 1}, kS32{"s32", 32};

struct WmmaCase {
  int m, n, k;
  ElementType d, a, b, c;
  int a_registers, b_registers, c_registers, d_registers;  // as the PTX ISA lists them
};

// A matrix in memory with a leading dimension somewhat greater than it need be.
struct Stored {
  Matrix value;
  ElementType type;
  bool by_rows;
  int stride;
  std::vector<uint8_t> bytes;

  Stored(int rows, int columns, const ElementType& t, bool rows_first, int gap)
      : value(rows, columns), type(t), by_rows(rows_first), stride((rows_first ? columns : rows) + gap) {
    bytes.resize(static_cast<size_t>((rows_first ? rows : columns) * stride * t.bits / 8));
  }
  int place(int row, int column) const { return by_rows ? row * stride + column : column * stride + row; }
  void fill() {
    for (int row = 0; row < value.rows; ++row) {
      for (int column = 0; column < value.columns; ++column) {
        const uint64_t bits = type.draw(random_bits);
        value.at(row, column) = type.decode(bits);
        put(place(row, column), bits);
      }
    }
  }
  void put(int at, uint64_t bits) {
    if (type.bits < 8) {
      bytes[static_cast<size_t>(at * type.bits / 8)] |= static_cast<uint8_t>(bits << (at * type.bits % 8));
    } else {
      std::memcpy(&bytes[static_cast<size_t>(at * type.bits / 8)], &bits, static_cast<size_t>(type.bits / 8));
    }
  }
  double get(int row, int column) const {
    uint64_t bits = 0;
    std::memcpy(&bits, &bytes[static_cast<size_t>(place(row, column) * type.bits / 8)],
                static_cast<size_t>(type.bits / 8));
    return type.decode(bits);
  }
};

std::string list(const std::string& prefix, int count) {
  std::string text = "{";
  for (int i = 0; i < count; ++i) text += (i == 0 ? "" : ",") + prefix + std::to_string(i);
  return text + "}";
}

// Loads from copies in shared memory (64-byte aligned areas of `tile`) or from global memory where `shared`
// is false.
std::string program_text(const WmmaCase& t, const Stored& a, const Stored& b, const Stored& c,
                         const Stored& d, bool shared, const std::string& operation) {
  const std::string shape =
      ".m" + std::to_string(t.m) + "n" + std::to_string(t.n) + "k" + std::to_string(t.k);
  const std::string space = shared ? ".shared" : ".global";
  const auto layout = [](const Stored& x) { return std::string(x.by_rows ? ".row" : ".col"); };
  const bool wide = t.a.bits == 64;
  const auto kind = [wide](const ElementType& x) {
    return wide ? std::string(".f64") : x.name == "f32" ? std::string(".f32") : std::string(".b32");
  };
  std::string p = ".visible .entry k(.param .u64 a, .param .u64 b, .param .u64 c, .param .u64 d)\n{\n";
  p +=
      ".reg " + kind(t.a) + " %a<9>;\n.reg " + kind(t.b) + " %b<9>;\n.reg " + kind(t.c) + " %c<9>;\n.reg " +
      kind(t.d) +
      " %d<9>;\n.reg .b32 %t<9>;\n.reg .b64 %q<9>;\n.reg .pred %p<2>;\n.shared .align 128 .b8 tile[16384];\n";
  p += "ld.param.u64 %q0, [a];\nld.param.u64 %q1, [b];\nld.param.u64 %q2, [c];\nld.param.u64 %q3, [d];\n";
  const Stored* sources[] = {&a, &b, &c};
  for (int i = 0; i < 3 && shared; ++i) {
    const std::string n = std::to_string(i);
    p += "mov.u32 %t0, %tid.x;\nmul.lo.u32 %t0, %t0, 4;\nL" + n +
         ":\ncvt.u64.u32 %q4, %t0;\nadd.s64 %q4, %q4, %q" + n +
         ";\nld.global.b32 %t1, [%q4];\nmov.u32 %t2, tile;\nadd.u32 %t2, %t2, %t0;\nst.shared.b32 [%t2+" +
         std::to_string(4096 * i) + "], %t1;\nadd.u32 %t0, %t0, 128;\nsetp.lt.u32 %p0, %t0, " +
         std::to_string(sources[i]->bytes.size()) + ";\n@%p0 bra L" + n + ";\n";
  }
  if (shared) p += "bar.sync 0;\nmov.u32 %t3, tile;\n";
  const auto from = [&](int i) {
    return shared ? "%t3+" + std::to_string(4096 * i) : "%q" + std::to_string(i);
  };
  const auto load = [&](const std::string& what, const Stored& x, int count, int i) {
    return "wmma.load." + what + ".sync.aligned" + layout(x) + shape + space + "." + x.type.name + " " +
           list("%" + what, count) + ", [" + from(i) + "], " + std::to_string(x.stride) + ";\n";
  };
  p += load("a", a, t.a_registers, 0) + load("b", b, t.b_registers, 1) + load("c", c, t.c_registers, 2);
  const std::string inputs = t.a.name == "f16" ? "" : "." + t.a.name + "." + t.b.name;
  p += "wmma.mma" + operation + ".sync.aligned" + layout(a) + layout(b) + shape + "." + t.d.name + inputs +
       "." + t.c.name + " " + list("%d", t.d_registers) + ", " + list("%a", t.a_registers) + ", " +
       list("%b", t.b_registers) + ", " + list("%c", t.c_registers) + ";\n";
  p += "wmma.store.d.sync.aligned" + layout(d) + shape + ".global." + t.d.name + " [%q3], " +
       list("%d", t.d_registers) + ", " + std::to_string(d.stride) + ";\nret;\n}\n";
  return p;
}

double product(const WmmaCase& t, const Stored& a, const Stored& b, const Stored& c, int row, int column,
               bool popc) {
  double sum = c.value.at(row, column);
  for (int k = 0; k < t.k; ++k) {
    const double x = a.value.at(row, k), y = b.value.at(k, column);
    sum += popc ? (x != y ? 1 : 0) : x * y;
  }
  return sum;
}

void check_wmma(const WmmaCase& t, int layouts, bool shared, const std::string& operation = "") {
  const bool small = t.a.bits < 8;
  const int gap = small ? 128 : 16;
  Stored a(t.m, t.k, t.a, small || (layouts & 1) == 0, gap),
      b(t.k, t.n, t.b, !small && (layouts & 2) == 0, gap);
  Stored c(t.m, t.n, t.c, (layouts & 4) == 0, gap), d(t.m, t.n, t.d, (layouts & 8) == 0, gap);
  a.fill();
  b.fill();
  c.fill();
  const std::string text = program_text(t, a, b, c, d, shared, operation);
  INFO(text);
  const auto padded = [](std::vector<uint8_t> bytes) {
    bytes.resize((bytes.size() + 127) / 128 * 128);
    return bytes;
  };
  DeviceArray<uint8_t> da(padded(a.bytes)), db(padded(b.bytes)), dc(padded(c.bytes)), dd(d.bytes);
  PtxProgram program(text);
  REQUIRE(program.run("k", {1}, {32}, {da.address(), db.address(), dc.address(), dd.address()}) == 0);
  d.bytes = dd.values();
  for (int row = 0; row < t.m; ++row) {
    for (int column = 0; column < t.n; ++column) {
      const double want = product(t, a, b, c, row, column, !operation.empty());
      const double unit = t.d.integer() ? 0 : t.d.name == "f16" ? 1e-3 : t.d.name == "f64" ? 1e-15 : 1e-6;
      INFO("row " << row << " column " << column);
      REQUIRE(std::fabs(d.get(row, column) - want) <= unit * (std::fabs(want) + t.k));
    }
  }
}

void check_layouts(const WmmaCase& t) {
  for (int layouts = 0; layouts < 16; layouts += 5) check_wmma(t, layouts, layouts % 2 == 0);
  check_wmma(t, 2, true);
  check_wmma(t, 9, false);
}

}  // namespace

TEST_CASE("wmma of f16") {
  const int shapes[3][3] = {{16, 16, 16}, {32, 8, 16}, {8, 32, 16}};
  for (const auto& [m, n, k] : shapes) {
    check_layouts({m, n, k, kF32, kF16, kF16, kF32, 8, 8, 8, 8});
    check_layouts({m, n, k, kF16, kF16, kF16, kF16, 8, 8, 4, 4});
    check_wmma({m, n, k, kF32, kF16, kF16, kF16, 8, 8, 4, 8}, 0, true);
    check_wmma({m, n, k, kF16, kF16, kF16, kF32, 8, 8, 8, 4}, 2, false);
  }
}

TEST_CASE("wmma of bf16, tf32 and f64") {
  check_layouts({16, 16, 16, kF32, kBf16, kBf16, kF32, 4, 4, 8, 8});
  check_layouts({32, 8, 16, kF32, kBf16, kBf16, kF32, 8, 2, 8, 8});
  check_layouts({8, 32, 16, kF32, kBf16, kBf16, kF32, 2, 8, 8, 8});
  check_layouts({16, 16, 8, kF32, kTf32, kTf32, kF32, 4, 4, 8, 8});
  check_layouts({8, 8, 4, kF64, kF64, kF64, kF64, 1, 1, 2, 2});
}

TEST_CASE("wmma of integers") {
  for (const ElementType& type : {kS8, kU8}) {
    check_layouts({16, 16, 16, kS32, type, type, kS32, 2, 2, 8, 8});
    check_layouts({32, 8, 16, kS32, type, type, kS32, 4, 1, 8, 8});
    check_layouts({8, 32, 16, kS32, type, type, kS32, 1, 4, 8, 8});
  }
  check_wmma({8, 8, 32, kS32, kS4, kS4, kS32, 1, 1, 2, 2}, 0, true);
  check_wmma({8, 8, 128, kS32, kB1, kB1, kS32, 1, 1, 2, 2}, 0, false, ".xor.popc");
}

// Programs rely on it to apply a function of the column or row to an accumulator in registers.
TEST_CASE("the accumulators of wmma m16n16 are two of mma m16n8, side by side") {
  LaneKernel k;
  k.inputs = k.outputs = 8;
  k.body =
      "sub.s64 %q0, %in, %place;\nwmma.load.c.sync.aligned.row.m16n16k16.global.f32 "
      "{%f0, %f1, %f2, %f3, %f4, %f5, %f6, %f7}, [%q0];\n";
  std::vector<Lanes> in(8, Lanes(32));
  for (uint32_t i = 0; i < 256; ++i) in[i / 32][i % 32] = i;  // element (row, column) is row * 16 + column
  for (int i = 0; i < 8; ++i) k.body += "mov.b32 %d" + std::to_string(i) + ", %f" + std::to_string(i) + ";\n";
  const std::vector<Lanes> out = k.run(in);
  REQUIRE(k.error == 0);
  for (int lane = 0; lane < 32; ++lane) {
    for (int i = 0; i < 8; ++i) {
      const Cell cell = cell_of_c(lane, i % 4);
      const int column = cell.column + i / 4 * 8;
      CHECK(out[static_cast<size_t>(i)][static_cast<size_t>(lane)] ==
            static_cast<uint32_t>(cell.row * 16 + column));
    }
  }
}

}  // namespace vgpu::test
