// The whole job in one screen: a small convolutional network, trained on MNIST with augmentation.
#include <uncial/uncial.h>

#include <iostream>

using namespace uncial;

int main() {
  const auto mnist = data::mnist();
  const auto [train, validation] = mnist.train.split({.validation = 5'000, .seed = 1});
  auto net = nn::Sequential(nn::Conv2d(1, 16, {.kernel = 3}), nn::ReLU(), nn::MaxPool2d(2),   //
                            nn::Conv2d(16, 32, {.kernel = 3}), nn::ReLU(), nn::MaxPool2d(2),  //
                            nn::Flatten(), nn::Dropout(0.2), nn::Dense(800, 10));
  train::fit(net, train,
             {.validation = validation,
              .epochs = 3,
              .batch = 128,
              .augment = vision::RandomAffine({.degrees = 10, .zoom = 0.1, .shift = 2.0 / 28}),
              .optimizer = optim::Adam({.lr = 3e-3}),
              .schedule = optim::one_cycle(),
              .callbacks = {train::EarlyStopping({.patience = 3})},
              .progress = [](const train::Progress& p) {
                if (p.finished)
                  std::cout << "epoch " << p.epoch << "  validation accuracy "
                            << 100 * p.finished->validation_accuracy << " %\n";
              }});
  std::cout << train::evaluate(net, mnist.test).line() << "\n";
}
