// Runs every common kernel once, on a processor (an emulated one) that has only the instruction set named on
// the command line. Code that the linker took from an object for a newer one stops it with SIGILL.
#include <cstdio>
#include <string_view>

#include "uncial/uncial.h"

using namespace uncial;

namespace {

double train_a_little() {
  nn::Sequential net(nn::Conv2d(1, 8, {.kernel = 3}), nn::BatchNorm2d(8), nn::ReLU(), nn::MaxPool2d(2),
                     nn::Flatten(), nn::Dropout(0.2), nn::Dense(8 * 13 * 13, 10));
  optim::Adam adam(net.parameters(), {.lr = 1e-2});
  const Tensor images = rand({4, 1, 28, 28}, 1);
  vision::RandomAffine({.degrees = 10, .zoom = 0.1, .shift = 0.1})->apply(images, {0, 1, 2, 3}, {.seed = 1});
  const Tensor labels = arange(0, 4);
  double loss = 0;
  for (int step = 0; step < 10; ++step) {
    adam.zero_grad();
    const Tensor value = cross_entropy(net(images), labels);
    value.backward();
    adam.step();
    loss = value.item();
  }
  return loss;
}

}  // namespace

int main(int count, char** arguments) try {
  const std::string_view expected = count == 2 ? arguments[1] : "?";
  if (isa() != expected) {
    std::printf("the kernels use %s, not %s\n", std::string(isa()).c_str(), arguments[1]);
    return 1;
  }
  const double loss = train_a_little();
  std::printf("loss %g after 10 steps with %s\n", loss, arguments[1]);
  return loss < 2 ? 0 : 1;  // ln 10 = 2.3 untrained
} catch (const Error& error) {
  std::printf("error: %s\n", error.what());
  return 1;
}
