// Concatenation and split of two to five operands against index arithmetic.
#include "kernels/concat/concat.h"

#include "tests/support/cpu_kernels.h"

namespace {

using kernels::Backend;
using kernels::ConcatSlice;
using kernels::GradMode;
using namespace tests;

struct Shape {
  int64_t N, pixels, total = 0;
  std::vector<int64_t> channels;
};

Shape random_shape(std::mt19937& random, int index) {
  Shape shape{pick(random, 1, 4), pick(random, 1, 60)};
  // Now and then an operand of more than one span.
  if (index % 25 == 0) shape.pixels = pick(random, 9000, 40000);
  const int64_t operands = pick(random, 2, 5);
  for (int64_t i = 0; i < operands; ++i) {
    shape.channels.push_back(pick(random, 1, index % 25 == 0 ? 3 : 9));
    shape.total += shape.channels.back();
  }
  return shape;
}

template <class T>
void exact(int shapes) {
  Cpu cpu;
  const auto& concat = kernels::concat_kernels<T>(Backend::Cpu);
  std::mt19937 random(21);
  for (int index = 0; index < shapes; ++index) {
    const Shape shape = random_shape(random, index);
    CAPTURE(shape.N, shape.pixels, shape.total, shape.channels);
    const int64_t size = shape.N * shape.total * shape.pixels;
    GuardedBuffer<T> whole(static_cast<size_t>(size));
    const GuardedBuffer<T> d_whole(integers<T>(random, size, -99, 99));
    std::vector<T> expected(whole.size());
    int64_t first = 0;
    for (const int64_t channels : shape.channels) {
      const ConcatSlice slice{shape.N, shape.pixels, shape.total, first, channels};
      const GuardedBuffer<T> operand(integers<T>(random, shape.N * channels * shape.pixels, -99, 99));
      std::vector<T> gradient(operand.size());
      for (size_t i = 0; i < operand.size(); ++i) {
        const auto at = static_cast<int64_t>(i);
        const int64_t pixel = at % shape.pixels, c = at / shape.pixels % channels;
        const int64_t n = at / shape.pixels / channels;
        const auto place = static_cast<size_t>((n * shape.total + first + c) * shape.pixels + pixel);
        expected[place] = operand[i];
        gradient[i] = d_whole[place];
      }
      concat.forward(cpu.exec, slice, operand.data(), whole.data());
      require_grad_modes(gradient, [&](T* d_operand, GradMode mode) {
        concat.backward(cpu.exec, slice, d_whole.data(), d_operand, mode);
      });
      first += channels;
    }
    REQUIRE(same_bits(whole.values(), expected));
    REQUIRE(whole.guards_intact());
  }
}

}  // namespace

TEST_CASE("concat: join and split are exact over many shapes") {
  exact<float>(300);
  exact<double>(300);
}

TEST_CASE("concat: forward writes its slice alone") {
  Cpu cpu;
  GuardedBuffer<float> whole(2 * 3 * 2);
  const std::vector<float> operand = {1, 2, 3, 4};
  kernels::concat_kernels<float>(Backend::Cpu)
      .forward(cpu.exec, {2, 2, 3, 1, 1}, operand.data(), whole.data());
  for (size_t i = 0; i < whole.size(); ++i) {
    const bool inside = i / 2 % 3 == 1;
    CHECK(std::isnan(whole[i]) == !inside);
  }
  CHECK((whole[2] == 1 && whole[3] == 2 && whole[8] == 3 && whole[9] == 4));
}
