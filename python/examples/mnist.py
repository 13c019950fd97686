"""A convolutional network that reads digits: 99 % of the test images after a minute. Run: python mnist.py [images]"""

import sys

import uncial
from uncial import data, nn, optim, train, vision

mnist = data.mnist()
training, validation = mnist.train.split(validation=5000, seed=1)
if len(sys.argv) > 1:
    training = training.take(int(sys.argv[1]))
net = nn.Sequential(
    nn.Conv2d(1, 16, kernel=3), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(16, 32, kernel=3), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Dropout(0.2), nn.Dense(800, 64), nn.ReLU(), nn.Dense(64, 10))  # fmt: skip
train.fit(net, training, validation=validation, epochs=6, batch=128, progress=True,
          augment=vision.RandomAffine(degrees=10, zoom=0.1, shift=2 / 28),
          optimizer=optim.Adam(lr=4e-3), schedule=optim.one_cycle())  # fmt: skip
print(train.evaluate(net, mnist.test))
uncial.save(net, "digits.safetensors")
