#include "cpm/signals.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>

namespace cpm {

namespace {

std::atomic<bool> stop{false}, save{false};
static_assert(std::atomic<bool>::is_always_lock_free, "signal handlers may only touch lock-free atomics");

constexpr int kExitSecondInterrupt = 130;  // 128 + SIGINT, as shells report it

void on_stop(int signal) {
  if (stop.exchange(true) && signal == SIGINT) _exit(kExitSecondInterrupt);
}

void on_save(int) {
  save.store(true);
}

}  // namespace

void install_signal_handlers() {
  struct sigaction action = {};
  action.sa_flags = SA_RESTART;
  action.sa_handler = on_stop;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  action.sa_handler = on_save;
  sigaction(SIGUSR1, &action, nullptr);
}

bool stop_requested() {
  return stop.load();
}

bool take_save_request() {
  return save.exchange(false);
}

}  // namespace cpm
