import numpy as np
import pytest

import uncial
from uncial import vision

ALL = [
    vision.RandomAffine(degrees=20, zoom=0.2, shift=0.1, shear=10), vision.ElasticDistortion(), vision.RandomErase(probability=1),
    vision.RandomNoise(0.1), vision.Normalise(), vision.Compose([vision.RandomAffine(degrees=20), vision.RandomNoise(0.1)]),
]  # fmt: skip


@pytest.mark.parametrize("augment", ALL, ids=repr)
def test_gives_a_changed_copy_that_is_a_function_of_its_key(augment, mnist):
    images = mnist.test.take(4).images.astype("float32") / 255
    before = images.copy()
    once = augment(images, seed=1, epoch=2)
    np.testing.assert_array_equal(images, before)
    assert once.shape == images.shape and once.dtype == np.float32
    assert (once != images).any()
    np.testing.assert_array_equal(once, augment(images, seed=1, epoch=2))
    np.testing.assert_array_equal(once[2:], augment(images[2:], seed=1, epoch=2, indices=[2, 3]))


def test_shapes_and_bytes(mnist):
    augment = vision.RandomAffine(shift=0.1)
    codes = mnist.test.take(3).images
    whole = augment(codes)
    np.testing.assert_array_equal(whole, augment(codes / np.float32(255)))
    np.testing.assert_array_equal(whole[:, 0], augment(codes[:, 0]))
    np.testing.assert_array_equal(whole[0, 0], augment(codes[0, 0]))
    assert (augment(codes, epoch=1) != augment(codes, epoch=2)).any()
    with pytest.raises(uncial.UsageError, match="indices"):
        augment(codes, indices=[1])


def test_known_changes():
    x = np.zeros((1, 8, 8), "float32")
    np.testing.assert_allclose(vision.Normalise(mean=1, deviation=2)(x), -0.5)
    assert vision.Normalize is vision.Normalise
    np.testing.assert_array_equal(vision.RandomAffine()(x + 0.5), x + 0.5)
    erased = vision.RandomErase(probability=1, value=9)(x)
    assert 0 < (erased == 9).sum() < 32 and set(np.unique(erased)) == {0, 9}
    with pytest.raises(uncial.UsageError):
        vision.RandomAffine(degrees=500)
