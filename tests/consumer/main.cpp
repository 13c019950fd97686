// An outside program: trains a small net on some digits and says how far it got.
#include <uncial/config.h>
#include <uncial/uncial.h>

#include <cstdio>

int main() try {
  using namespace uncial;
  const auto mnist = data::mnist();
  nn::Sequential net(nn::Conv2d(1, 6, {.kernel = 5}), nn::ReLU(), nn::MaxPool2d(4), nn::Flatten(),
                     nn::Dense(6 * 6 * 6, 10));
  train::fit(net, mnist.train.take(2'000),
             {.epochs = 2, .batch = 50, .optimizer = optim::Adam({.lr = 0.01})});
  const auto report = train::evaluate(net, mnist.test.take(1'000));
  std::printf("%s (uncial %s)\n", report.line().c_str(), UNCIAL_VERSION);
  return report.accuracy > 0.75 ? 0 : 1;  // guessing gets 0.1
} catch (const uncial::Error& error) {
  std::fprintf(stderr, "error: %s\n", error.what());
  return error.kind() == uncial::ErrorKind::data ? 3 : 1;
}
