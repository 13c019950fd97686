import numpy as np
import pytest

import uncial
from uncial import figures, io, optim, train, vision


@pytest.fixture(scope="module")
def trained(request):
    from conftest import small_net

    small = request.getfixturevalue("small")
    net = small_net()
    history = train.fit(net, small[0], validation=small[1], epochs=2, batch=50, optimizer=optim.Adam(lr=3e-3))
    return net, history, train.evaluate(net, small[1]), small


def every(trained):
    net, history, report, (training, validation) = trained
    image = validation[0][0]
    return {
        "samples": figures.samples(validation, columns=3),
        "augmentation": figures.augmentation(training, vision.RandomAffine(degrees=20), rows=3, columns=4),
        "history": figures.history(history, title="test"),
        "confusion_matrix": figures.confusion_matrix(report, title="test"),
        "predictions": figures.predictions(report, validation),
        "feature_maps": figures.feature_maps(net, image, title="maps"),
        "filters": figures.filters(net),
        "grid": figures.grid(validation.images[:6], captions=list("abcdef"), columns=3),
    }


def test_every_figure_is_a_picture(trained, tmp_path):
    for name, figure in every(trained).items():
        png, size = figure._repr_png_()
        assert png == figure.png() and png.startswith(b"\x89PNG"), name
        assert size == {"width": figure.width, "height": figure.height}
        pixels = figure.pixels
        assert pixels.shape == (3, 2 * figure.height, 2 * figure.width)
        assert pixels.min() < 100 and pixels.max() == 255, name
        figure.save(tmp_path / f"{name}.png")
        np.testing.assert_array_equal(io.read_png(tmp_path / f"{name}.png"), pixels)


def test_layers_are_chosen_by_path_or_kind(trained):
    net, _, _, (_, validation) = trained
    image = validation[0][0]
    heights = [figures.feature_maps(net, image, layers=layers).height for layers in (["0"], ["relu"], ["0 conv2d", "1"])]
    assert heights[0] == heights[1] < heights[2]
    with pytest.raises(uncial.UsageError, match="0 conv2d, 1 relu"):
        figures.feature_maps(net, image, layers=["99"])
    with pytest.raises(uncial.UsageError):
        figures.filters(net, layer="4")


def test_wrong_requests(trained, tmp_path):
    _, history, report, (training, _) = trained
    with pytest.raises(uncial.UsageError, match=".png"):
        figures.history(history).save(tmp_path / "picture.jpg")
    with pytest.raises(uncial.UsageError, match="data set that was evaluated"):
        figures.predictions(report, training)
