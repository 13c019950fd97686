"""How the pictures of the notebooks look, and the drawings that several of them share."""

import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from matplotlib_inline.backend_inline import set_matplotlib_formats

# Okabe & Ito, "Color Universal Design", 2008: told apart with every common form of colour blindness.
BLUE, ORANGE, GREEN, RED = "#0072b2", "#e69f00", "#009e73", "#d55e00"
PURPLE, SKY, YELLOW, BLACK = "#cc79a7", "#56b4e9", "#f0e442", "#000000"
GREY, WINE = "#6e6e6e", "#882255"
# Ten colours are too many to be told apart for certain, so pictures of ten classes write the digits as well.
CLASSES = [BLUE, ORANGE, GREEN, RED, PURPLE, SKY, "#b3a500", BLACK, GREY, WINE]
INK = "gray_r"  # 0 is paper and drawn white, 1 is ink and drawn black


def use():
    """Sets the style for all pictures of this kernel."""
    set_matplotlib_formats("retina")
    plt.rcParams.update({
        "figure.dpi": 80,
        "figure.constrained_layout.use": True,
        "font.size": 11,
        "axes.titlesize": 12,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.prop_cycle": cycler(color=[BLUE, ORANGE, GREEN, RED, PURPLE, SKY]),
        "grid.color": "#e4e4e4",
        "image.cmap": INK,
        "image.interpolation": "nearest",
        "legend.frameon": False,
        "lines.linewidth": 2,
    })


def plane(image):
    """An image (H, W), (1, H, W) or (1, 1, H, W) as (H, W)."""
    image = np.asarray(image)
    return image.reshape(image.shape[-2:])


def blank(axes):
    """Axes that hold an image: no ticks, no frame."""
    axes.set(xticks=[], yticks=[])
    axes.grid(False)
    axes.spines[:].set_visible(False)


def show_images(images, captions=None, colours=None, columns=10, side=0.85, row_labels=None, title=None,
                cmap=INK, low=None, high=None):
    """Images in rows from the top left, with a caption each; all of them share the scale [low, high].

    Without low and high the scale is that of all the images together.
    """
    images = [plane(image) for image in images]
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    low = min(image.min() for image in images) if low is None else low
    high = max(image.max() for image in images) if high is None else high
    lines = 0 if captions is None else max(str(caption).count("\n") + 1 for caption in captions)
    size = (columns * side + (0.5 if row_labels else 0), rows * (side + 0.22 * lines) + (0.4 if title else 0))
    figure, grid = plt.subplots(rows, columns, figsize=size, squeeze=False)
    for axes in grid.flat:
        blank(axes)
    for i, (axes, image) in enumerate(zip(grid.flat, images)):
        axes.imshow(image, cmap=cmap, vmin=low, vmax=high)
        if captions is not None:
            axes.set_title(captions[i], fontsize=9, pad=2, color=BLACK if colours is None else colours[i])
    for axes, label in zip(grid[:, 0], row_labels or []):
        axes.set_ylabel(label, rotation=0, ha="right", va="center", fontsize=10)
    if title:
        figure.suptitle(title)
    plt.show()


def show_confusion(counts, title):
    """True classes against answers: counts, and the share of each true class that got each wrong answer."""
    counts = np.asarray(counts)
    rates = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    wrong = rates - np.diag(np.diag(rates))
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 5.6))
    # Right answers would hide the rest on a linear scale.
    left.imshow(np.log1p(counts), cmap="Blues")
    right.imshow(wrong, cmap="Oranges", vmin=0, vmax=max(wrong.max(), 1))
    for i, j in np.ndindex(counts.shape):
        if counts[i, j]:
            dark = np.log1p(counts[i, j]) > 0.6 * np.log1p(counts.max())
            left.text(j, i, counts[i, j], ha="center", va="center", fontsize=8.5, color="white" if dark else "black")
            text = f"{rates[i, j]:.1f}"
            dark = wrong[i, j] > 0.6 * max(wrong.max(), 1)
            right.text(j, i, text, ha="center", va="center", fontsize=8.5,
                       color=GREY if i == j else "white" if dark else "black")
    for axes, name in ((left, "images"), (right, "% of the true class (wrong answers coloured)")):
        axes.set(title=name, xlabel="answer", ylabel="truth", xticks=range(len(counts)), yticks=range(len(counts)))
        axes.grid(False)
    figure.suptitle(title)
    plt.show()


def show_answers(images, labels, probabilities, title, columns=5):
    """Images with the probability of every class as bars beside them: the truth green, a wrong answer orange."""
    images = [plane(image) for image in images]
    if not images:
        print(f"{title}: none")
        return
    rows = -(-len(images) // columns)
    figure, grid = plt.subplots(rows, 2 * columns, figsize=(2.5 * columns, 1.5 * rows + 0.5), squeeze=False,
                                width_ratios=[1, 1.15] * columns)
    for axes in grid.flat:
        blank(axes)
    for i, (image, truth, p) in enumerate(zip(images, labels, probabilities)):
        picture, bars = grid[i // columns, 2 * (i % columns):][:2]
        answer = int(np.argmax(p))
        picture.imshow(image, vmin=0)
        picture.set_anchor("N")  # its caption beside that of the bars
        picture.set_title(f"truth {truth}, answer {answer}", fontsize=9, pad=2)
        colours = [GREEN if k == truth else ORANGE if k == answer else "#b0b0b0" for k in range(len(p))]
        bars.barh(range(len(p)), p, color=colours, height=0.8)
        bars.set(xlim=(0, 1), ylim=(len(p) - 0.5, -0.5), yticks=range(len(p)))
        bars.set_yticklabels(range(len(p)), fontsize=7)
        bars.tick_params(length=0, pad=1)
        bars.set_title(f"{100 * p[answer]:.0f} %", fontsize=9, pad=2)
    figure.suptitle(title)
    plt.show()


def show_feature_maps(image, layers, title, channels=12):
    """An image and, a row a layer, the first maps of that layer; every row has a scale of its own.

    layers: pairs of a name and an array (channels, H, W).
    """
    width = max(min(channels, len(maps)) for _, maps in layers)
    figure, grid = plt.subplots(len(layers) + 1, width, figsize=(0.95 * width + 1.6, 1.02 * (len(layers) + 1) + 0.3),
                                squeeze=False)
    for axes in grid.flat:
        blank(axes)
    grid[0, 0].imshow(plane(image), vmin=0)
    rows = [("input", None)] + list(layers)
    for row, (name, maps) in zip(grid, rows):
        row[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=10)
        if maps is None:
            continue
        limit = max(np.abs(maps).max(), 1e-6)
        signed = maps.min() < 0
        for axes, values in zip(row, maps):
            axes.imshow(values, cmap="PuOr_r" if signed else "magma", vmin=-limit if signed else 0, vmax=limit)
    figure.suptitle(title)
    plt.show()
