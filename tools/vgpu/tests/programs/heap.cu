// What device code has at run time: malloc and new, printf (its output is captured and compared), clocks,
// identity.
#include <unistd.h>

#include <set>
#include <string>

#include "check.h"

namespace {

struct Node {
  int value;
  Node* next;
};

__global__ void build_lists(Node** heads, int* out) {
  Node* head = nullptr;
  for (int i = 0; i <= int(threadIdx.x) % 5; ++i) head = new Node{i * int(threadIdx.x), head};
  heads[threadIdx.x] = head;
  auto* scratch = static_cast<int*>(malloc(sizeof(int) * 10));
  for (int i = 0; i < 10; ++i) scratch[i] = i;
  out[threadIdx.x] = scratch[threadIdx.x % 10];
  free(scratch);
  free(nullptr);
}

__global__ void add_lists(Node** heads, int* out) {
  int sum = 0;
  for (Node* node = heads[threadIdx.x]; node != nullptr;) {
    sum += node->value;
    Node* next = node->next;
    delete node;
    node = next;
  }
  out[threadIdx.x] += sum * 100;
}

__global__ void too_much(int* out) {
  void* p = malloc(size_t{1} << 40);
  *out = p == nullptr;
}

__global__ void say(const char* word, double x) {
  if (threadIdx.x == 33) {
    printf("hello\n");
    printf("%d %u %x %5d|%-4d|%04d %c %s\n", -5, 7u, 255, 42, 3, 9, 'z', word);
    printf("%f %.3f %e %g %%\n", x, x / 3, 12345.678, 1e-5);
    printf("%lld %llu %lx %hd\n", -(1ll << 40), ~0ull, 0xABCDEF0123l, short(-3));
    printf("%*d %.*f\n", 6, 11, 2, 3.14159);
  }
}

__global__ void say_all() {
  printf("thread %02d\n", int(threadIdx.x));
}

std::string captured(void (*run)()) {
  std::fflush(stdout);
  int saved = dup(1), ends[2];
  if (pipe(ends) != 0) fail("no pipe");
  dup2(ends[1], 1);
  close(ends[1]);
  run();
  std::fflush(stdout);
  dup2(saved, 1);
  close(saved);
  std::string text;
  char part[256];
  for (ssize_t n; (n = read(ends[0], part, sizeof part)) > 0;) text.append(part, size_t(n));
  close(ends[0]);
  return text;
}

__global__ void identity(long long* out) {
  long long start = clock64();
  unsigned lane, warp, sm, lane_mask;
  asm("mov.u32 %0, %%laneid;" : "=r"(lane));
  asm("mov.u32 %0, %%warpid;" : "=r"(warp));
  asm volatile("mov.u32 %0, %%smid;" : "=r"(sm));
  asm("mov.u32 %0, %%lanemask_lt;" : "=r"(lane_mask));
  unsigned long long timer;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(timer));
  long long* r = out + threadIdx.x * 4;
  r[0] = lane;
  r[1] = __popc(lane_mask);
  r[2] = timer > 0 && sm < 100000 && warp < 32;
  r[3] = clock64() - start;
}

}  // namespace

TEST(lists_on_the_device) {
  Buffer<Node*> heads(64);
  Buffer<int> out(64);
  build_lists<<<1, 64>>>(heads, out);
  add_lists<<<1, 64>>>(heads, out);
  check_launch();
  std::vector<int> want(64);
  for (int t = 0; t < 64; ++t) {
    int n = t % 5;
    want[t] = t % 10 + 100 * t * n * (n + 1) / 2;
  }
  expect_equal(out.host(), want, "lists");
  Buffer<int> refused(1);
  too_much<<<1, 1>>>(refused);
  check_launch();
  expect_equal(refused.host(), {1}, "malloc of 1 TiB");
}

TEST(device_printf) {
  std::string text = captured([] {
    const char word[] = "word";
    Buffer<char> d(std::vector<char>(word, word + 5));
    say<<<1, 64>>>(d, 2.5);
    check_launch();
  });
  char want[512];
  std::snprintf(want, sizeof want,
                "hello\n%d %u %x %5d|%-4d|%04d %c %s\n%f %.3f %e %g %%\n%lld %llu %lx %hd\n%*d %.*f\n", -5,
                7u, 255, 42, 3, 9, 'z', "word", 2.5, 2.5 / 3, 12345.678, 1e-5, -(1ll << 40), ~0ull,
                0xABCDEF0123l, short(-3), 6, 11, 2, 3.14159);
  if (text != want) fail("printed:\n%s\nexpected:\n%s", text.c_str(), want);
  text = captured([] {
    say_all<<<2, 50>>>();
    check_launch();
  });
  std::multiset<std::string> lines, wanted;  // in any order
  for (size_t at = 0; at + 10 <= text.size(); at += 10) lines.insert(text.substr(at, 10));
  for (int i = 0; i < 100; ++i) {
    std::snprintf(want, sizeof want, "thread %02d\n", i % 50);
    wanted.insert(want);
  }
  EXPECT(lines == wanted);
}

TEST(identities) {
  Buffer<long long> out(48 * 4);
  identity<<<1, 48>>>(out);
  check_launch();
  std::vector<long long> got = out.host();
  for (int i = 0; i < 48; ++i) {
    const long long* r = &got[i * 4];
    EXPECT(r[0] == i % 32 && r[1] == i % 32 && r[2] == 1 && r[3] >= 0);
  }
}

int main(int argc, char** argv) {
  return run_tests(argc, argv);
}
