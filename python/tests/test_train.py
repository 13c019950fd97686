import json
import math

import numpy as np
import pytest

import uncial
from conftest import small_net
from uncial import nn, optim, train, vision


def run(net, small, **options):
    defaults = dict(epochs=2, batch=100, optimizer=optim.Adam(lr=3e-3), seed=5)
    return train.fit(net, small[0], **{"validation": small[1], **defaults, **options})


def test_history(net, small):
    history = run(net, small)
    assert len(history) == 2 and history.epoch == [1, 2]
    assert history.loss[1] < history.loss[0] and history.validation_accuracy[-1] > 0.6
    assert history.val_accuracy == history.validation_accuracy == history["validation_accuracy"]
    assert history.best_epoch in (1, 2) and history.stop_reason == "all epochs done"
    assert history.csv().startswith("epoch,") and len(json.loads(history.json())["epochs"]) == 2
    assert "<td>1</td>" in history._repr_html_() and "2 epochs" in repr(history)
    with pytest.raises(KeyError):
        history["nothing"]


def test_no_validation_gives_nan(net, small):
    history = run(net, small, validation=None, epochs=1)
    assert math.isnan(history.validation_loss[0]) and history.best_epoch == 0


def test_same_seed_same_bits(small):
    options = dict(augment=vision.RandomAffine(degrees=10), schedule=optim.one_cycle(), label_smoothing=0.05, average=0.9)
    weights = []
    for threads in (1, 2):
        before = uncial.num_threads()
        uncial.set_num_threads(threads)
        net = small_net()
        run(net, small, **options)
        weights.append(net[4].weight.numpy())
        uncial.set_num_threads(before)
    np.testing.assert_array_equal(weights[0], weights[1])


class Recorder:
    def __init__(self):
        self.calls = []

    def on_start(self, net):
        self.calls.append(("start", net))

    def on_epoch(self, view):
        self.calls.append(("epoch", view.epoch))
        assert view.history.epoch[-1] == view.epoch and view.validation_accuracy == view.history.validation_accuracy[-1]
        assert set(view.weights) == set(view.net.state_dict())

    def on_complete(self, view):
        self.calls.append(("complete", view.epoch))

    def on_end(self, net, history):
        self.calls.append(("end", len(history)))


def test_callbacks_as_objects_and_functions(net, small):
    recorder, accuracies = Recorder(), []
    history = run(net, small, callbacks=[recorder, lambda view: accuracies.append(view.accuracy), train.Callback()])
    assert recorder.calls == [("start", net), ("epoch", 1), ("epoch", 2), ("complete", 2), ("end", 2)]
    assert recorder.calls[0][1] is net
    assert accuracies == history.accuracy


def test_a_text_ends_the_run(net, small):
    history = run(net, small, epochs=9, callbacks=lambda view: "enough" if view.epoch == 2 else None)
    assert len(history) == 2 and history.stop_reason == "enough"
    with pytest.raises(uncial.UsageError, match="returned int"):
        run(net, small, callbacks=lambda view: 3)


def test_exceptions_of_callbacks_come_out(net, small):
    class Mine(Exception):
        pass

    def fails(view):
        raise Mine("here")

    with pytest.raises(Mine, match="here"):
        run(net, small, callbacks=[fails])
    with pytest.raises(Mine, match="here"):
        run(net, small, progress=fails)


def test_evaluation_within_a_callback(net, small):
    seen = []
    history = run(net, small, callbacks=lambda view: seen.append(train.evaluate(view.net, small[1]).accuracy))
    assert seen == pytest.approx(history.validation_accuracy)


def test_progress(net, small):
    calls = []
    run(net, small, progress=lambda p: calls.append((p.epoch, p.batch, p.batches, p.finished is not None)))
    assert [c for c in calls if c[3]] == [(1, 12, 12, True), (2, 12, 12, True)]


def test_progress_line(net, small, capsys):
    run(net, small, progress=True)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and lines[1].startswith("epoch 2/2  loss ") and "validation loss" in lines[1]


def test_schedules_in_python(net, small):
    history = run(net, small, schedule=lambda lr, step, total: lr * (1 - step / total))
    assert history.lr[-1] == pytest.approx(3e-3 / 24, rel=1e-6)


def test_early_stopping_and_checkpoints(small, tmp_path):
    net = small_net()
    history = run(net, small, epochs=50, optimizer=optim.SGD(lr=1e-9), callbacks=[train.EarlyStopping(patience=2)])
    assert history.stop_reason.startswith("early stopping") and len(history) < 50
    run(net, small, callbacks=[train.Checkpoint(tmp_path / "digits")])
    assert {p.name for p in tmp_path.iterdir()} >= {
        "digits_best.safetensors", "digits_final.safetensors", "digits_checkpoint.safetensors",
    }  # fmt: skip
    np.testing.assert_array_equal(uncial.load(tmp_path / "digits_final.safetensors")[4].weight.numpy(), net[4].weight.numpy())


def test_resume_gives_the_bits_of_the_whole_run(small, tmp_path):
    whole = small_net()
    run(whole, small, epochs=3)
    parts = small_net()
    with pytest.raises(Stop):
        run(parts, small, epochs=3, callbacks=[train.Checkpoint(tmp_path / "cut")], progress=StopAt(epoch=2))
    again = small_net(seed=9)
    history = run(again, small, epochs=3, callbacks=[train.Checkpoint(tmp_path / "cut")], resume=True)
    assert len(history) == 3
    np.testing.assert_array_equal(again[4].weight.numpy(), whole[4].weight.numpy())


class Stop(Exception):
    pass


class StopAt:
    """What stops a run from within progress."""

    def __init__(self, epoch):
        self.epoch = epoch

    def __call__(self, progress):
        if progress.epoch == self.epoch:
            raise Stop


def test_divergence_is_an_error_of_its_own(net, small):
    with pytest.raises(uncial.DivergedError):
        run(net, small, optimizer=optim.SGD(lr=1e38), epochs=5)


def test_report(net, small):
    run(net, small)
    report = train.evaluate(net, small[1])
    assert report.samples == 300 and report.confusion.shape == (10, 10) and report.confusion.sum() == 300
    np.testing.assert_array_equal(report.labels, small[1].labels)
    assert report.errors == len(report.wrong) == (report.predictions != report.labels).sum()
    assert report.accuracy == pytest.approx(1 - report.errors / 300)
    np.testing.assert_allclose(report.probabilities.sum(axis=1), 1, rtol=1e-5)
    assert report.accuracy_low < report.accuracy < report.accuracy_high
    confidence = report.probabilities.max(axis=1)[report.wrong]
    assert (np.diff(confidence) <= 0).all()
    assert str(report) == report.line() and "300" in report.line()
    assert report.classes[3].name == "3" and 0 <= report.classes[3].recall <= 1
    assert train.accuracy(net, small[1]) == pytest.approx(report.accuracy)


def test_predict_takes_arrays_tensors_and_data_sets(net, small):
    expected = train.evaluate(net, small[1]).probabilities
    codes = small[1].images
    for images in (small[1], codes, codes[:, 0], codes / 255, uncial.tensor(codes)):
        np.testing.assert_allclose(train.predict(net, images), expected, rtol=1e-4, atol=1e-6)
    assert train.predict(net, codes[0, 0]).shape == (1, 10)


def test_bfloat16_and_other_options(net, small):
    run(net, small, precision="bf16", epochs=1, clip_norm=1.0, record=False, drop_last=False)
    with pytest.raises(uncial.UsageError):
        run(net, small, precision="float8")
    with pytest.raises(uncial.UsageError, match="Checkpoint"):
        run(net, small, resume=True)


def test_eager_loop_learns(small):
    net = nn.Sequential(nn.Flatten(), nn.Dense(784, 10)).initialize(seed=1)
    optimizer = optim.Adam(net.parameters(), lr=1e-2)
    for epoch in range(3):
        for images, labels, _ in small[0].batches(batch=100, shuffle=True, epoch=epoch):
            optimizer.zero_grad()
            uncial.cross_entropy(net(images), labels).backward()
            optimizer.step()
    assert train.accuracy(net, small[1]) > 0.7
