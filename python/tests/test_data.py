import numpy as np
import pytest

import uncial
from uncial import data, vision


def test_mnist_comes_with_the_package(mnist):
    assert len(mnist.train) == 60000 and len(mnist.test) == 10000
    train, test = mnist
    assert train.images.shape == (60000, 1, 28, 28) and train.images.dtype == np.uint8
    assert test.labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert train.classes == [str(digit) for digit in range(10)]
    assert train.class_counts() == np.bincount(train.labels).tolist()


def test_images_are_the_data_sets_own_memory(mnist):
    a, b = mnist.test.images, mnist.test.images
    assert np.shares_memory(a, b)
    with pytest.raises(ValueError):
        a[0, 0, 0, 0] = 1
    np.testing.assert_array_equal(mnist.test[[5, 3]].images, a[[5, 3]])


def test_a_part_outlives_the_whole():
    images = data.Dataset(np.arange(5 * 16, dtype="uint8").reshape(5, 4, 4), [0, 1, 0, 1, 0]).take(3).images
    junk = [np.zeros((5, 4, 4), "uint8") for _ in range(100)]
    np.testing.assert_array_equal(images.ravel(), np.arange(48))
    del junk


def test_samples_and_parts(mnist):
    image, label = mnist.test[0]
    assert image.shape == (1, 28, 28) and image.dtype == np.float32 and 0 <= image.min() and image.max() <= 1
    np.testing.assert_allclose(image * 255, mnist.test.images[0], atol=1e-4)
    assert label == 7 and mnist.test[-1][1] == mnist.test.labels[-1]
    assert len(mnist.test[10:20]) == 10
    threes = mnist.test[mnist.test.labels == 3]
    assert set(threes.labels) == {3}
    assert threes.source_indices[0] == np.flatnonzero(mnist.test.labels == 3)[0]
    with pytest.raises(IndexError):
        mnist.test[10000]


def test_split_is_stratified_and_a_function_of_the_seed(mnist):
    rest, validation = mnist.train.split(validation=5000, seed=1)
    assert len(rest) == 55000 and len(validation) == 5000
    assert not set(rest.source_indices) & set(validation.source_indices)
    shares = np.bincount(validation.labels) / np.bincount(mnist.train.labels)
    np.testing.assert_allclose(shares, 1 / 12, atol=0.001)
    assert validation.fingerprint() == mnist.train.split(validation=5000, seed=1)[1].fingerprint()
    assert validation.fingerprint() != mnist.train.split(validation=5000, seed=2)[1].fingerprint()
    assert [len(part) for part in mnist.test.split_three(validation=1000, test=2000)] == [7000, 1000, 2000]


def test_own_arrays():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 256, (20, 6, 5)).astype("uint8")
    own = data.Dataset(codes, np.arange(20) % 3, classes=["a", "b", "c"], name="mine")
    assert own.sample_shape == (1, 6, 5) and own.classes == ["a", "b", "c"] and "mine" in repr(own)
    np.testing.assert_array_equal(own.images[:, 0], codes)
    np.testing.assert_array_equal(data.Dataset(codes / 255, np.arange(20) % 3).images, own.images)
    colour = data.Dataset(rng.integers(0, 256, (4, 3, 5, 5)).astype("uint8"), uncial.tensor([0, 1, 1, 0]))
    assert colour.sample_shape == (3, 5, 5) and colour.classes == ["0", "1"]
    codes[0] = 0  # a copy was made
    assert own.images[0].any()


def test_batches(small):
    batches = small[0].batches(batch=500, shuffle=True, seed=3)
    assert len(batches) == 3
    seen = []
    for images, labels, indices in batches:
        assert images.dtype == "float32" and labels.dtype == "int64"
        seen += indices.tolist()
    assert sorted(seen) == sorted(small[0].source_indices)
    assert [b[2].tolist() for b in batches] == [b[2].tolist() for b in batches]
    assert len(small[0].batches(batch=500, drop_last=True)) == 2
    plain = next(iter(small[0].batches(batch=4)))[0].numpy()
    turned = next(iter(small[0].batches(batch=4, augment=vision.RandomAffine(degrees=30))))[0].numpy()
    assert (plain != turned).any()


def test_names_and_files_that_are_not_there(tmp_path, monkeypatch):
    assert "fashion_mnist" in data.names()
    with pytest.raises(uncial.FileError):
        data.mnist(tmp_path)
    monkeypatch.setenv("UNCIAL_DATA", str(tmp_path))
    with pytest.raises(uncial.FileError):
        data.load("kmnist", tmp_path)
