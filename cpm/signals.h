// Stopping politely: SIGTERM and the first Ctrl-C ask for the step to be finished and saved, a second Ctrl-C
// ends at once, SIGUSR1 asks for a checkpoint. Handlers only set flags.
#pragma once

namespace cpm {

void install_signal_handlers();
/// SIGTERM or SIGINT came.
bool stop_requested();
/// SIGUSR1 came since the last call.
bool take_save_request();

}  // namespace cpm
