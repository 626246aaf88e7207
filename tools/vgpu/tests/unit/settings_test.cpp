// Numbers in environment variables: what is one, and what is refused.
#include "core/settings.h"
#include "tests/unit/catch.h"

using namespace vgpu;

TEST_CASE("numbers of settings") {
  CHECK(parse_number("1", 1, 1024) == 1u);
  CHECK(parse_number("1024", 1, 1024) == 1024u);
  CHECK(parse_number("18446744073709551615", 0, ~0ull) == ~0ull);
  for (const char* text :
       {"", "0", "1025", "-1", "+1", " 1", "1 ", "0x10", "1e3", "abc", "18446744073709551616"}) {
    INFO(text);
    CHECK_FALSE(parse_number(text, 1, 1024).has_value());
  }
}

TEST_CASE("bytes of settings") {
  const uint64_t most = 64ull << 30;
  CHECK(parse_bytes("16", most) == 16u);
  CHECK(parse_bytes("3K", most) == 3072u);
  CHECK(parse_bytes("512M", most) == 512ull << 20);
  CHECK(parse_bytes("16G", most) == 16ull << 30);
  CHECK(parse_bytes("64G", most) == most);
  for (const char* text :
       {"", "G", "0", "0G", "65G", "-1G", "16g", "16GB", "1.5G", "99999999999999999999K"}) {
    INFO(text);
    CHECK_FALSE(parse_bytes(text, most).has_value());
  }
}
