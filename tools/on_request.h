// --on-request: a benchmark that another program asks for one sample at a time, so that the two can take
// turns.
#pragma once

#include <functional>
#include <string>

namespace tools {

/// Prints `ready`, then for every line of standard input what `answer` makes of it, until there are no more.
/// Each is one line of JSON that is there for the other side at once.
void answer_requests(const std::string& ready, const std::function<std::string(const std::string&)>& answer);

}  // namespace tools
