#include "cli/stop_signals.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <thread>

namespace uncial::cli {

struct StopSignals::State {
  sigset_t watched;
  std::atomic<bool> graceful{false}, closing{false};
  std::atomic<int> received{0};
  std::stop_source source;
  std::thread watcher;

  void watch() {
    for (;;) {
      int number = 0;
      if (sigwait(&watched, &number) != 0) continue;
      if (closing) return;
      if (!graceful || received != 0) ::_exit(128 + number);
      received = number;
      source.request_stop();
    }
  }
};

StopSignals::StopSignals() : state_(new State) {
  sigemptyset(&state_->watched);
  // SIGUSR1 only wakes the watcher when this object goes.
  sigaddset(&state_->watched, SIGUSR1);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction current {};
    if (sigaction(number, nullptr, &current) == 0 && current.sa_handler != SIG_IGN)
      sigaddset(&state_->watched, number);
  }
  pthread_sigmask(SIG_BLOCK, &state_->watched, nullptr);
  state_->watcher = std::thread([this] { state_->watch(); });
}

StopSignals::~StopSignals() {
  state_->closing = true;
  pthread_kill(state_->watcher.native_handle(), SIGUSR1);
  state_->watcher.join();
  delete state_;
}

std::stop_token StopSignals::token() {
  state_->graceful = true;
  return state_->source.get_token();
}

int StopSignals::received() const { return state_->received; }

const char* signal_name(int number) {
  return number == SIGINT    ? "SIGINT"
         : number == SIGTERM ? "SIGTERM"
         : number == SIGHUP  ? "SIGHUP"
                             : "a signal";
}

}  // namespace uncial::cli
