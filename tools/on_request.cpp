#include "tools/on_request.h"

#include <fmt/format.h>

#include <cstdio>
#include <iostream>

namespace tools {

void answer_requests(const std::string& ready, const std::function<std::string(const std::string&)>& answer) {
  const auto say = [](const std::string& json) {
    fmt::print("{}\n", json);
    std::fflush(stdout);
  };
  say(ready);
  for (std::string line; std::getline(std::cin, line);) say(answer(line));
}

}  // namespace tools
