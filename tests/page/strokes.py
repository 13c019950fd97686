"""Images of MNIST as the strokes of a pen: what a person's hand did, guessed from the pixels. Standard library only."""
import gzip
from pathlib import Path

SIDE = 28
INK = 96  # of 255; fainter is the blur at an edge


def test_images(folder):
    """[(label, 784 bytes)] of the test set in `folder`."""
    def content(name):
        for path in (Path(folder) / name, Path(folder) / f"{name}.gz"):
            if path.exists():
                data = path.read_bytes()
                return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
        raise FileNotFoundError(f"{name}: not in {folder}")

    pixels, labels = content("t10k-images-idx3-ubyte")[16:], content("t10k-labels-idx1-ubyte")[8:]
    return [(label, pixels[784 * i:784 * (i + 1)]) for i, label in enumerate(labels)]


def around(p):
    """The eight neighbours, clockwise from above."""
    y, x = p
    return [(y - 1, x), (y - 1, x + 1), (y, x + 1), (y + 1, x + 1), (y + 1, x), (y + 1, x - 1), (y, x - 1), (y - 1, x - 1)]


def thinned(ink):
    """Lines of one pixel in the middle of strokes. Source: Zhang & Suen, "A fast parallel algorithm for thinning digital
    patterns", 1984."""
    ink = set(ink)
    changed = True
    while changed:
        changed = False
        for first in (True, False):
            gone = []
            for p in ink:
                n = [q in ink for q in around(p)]
                up, right, down, left = n[0], n[2], n[4], n[6]
                edges = sum(not a and b for a, b in zip(n, n[1:] + n[:1]))
                corner = not (up and right and down) and not (right and down and left) if first else \
                    not (up and right and left) and not (up and down and left)
                if 2 <= sum(n) <= 6 and edges == 1 and corner:
                    gone.append(p)
            ink.difference_update(gone)
            changed = changed or bool(gone)
    return ink


def links_of(skeleton):
    """Neighbours of each pixel, without a diagonal step where two straight ones lead the same way."""
    links = {}
    for p in skeleton:
        n = around(p)
        links[p] = {q for i, q in enumerate(n)
                    if q in skeleton and (i % 2 == 0 or (n[i - 1] not in skeleton and n[(i + 1) % 8] not in skeleton))}
    return links


def traced(links):
    """Walks that use every link once: from ends and crossings, straight on where there is a choice."""
    left = {p: set(q) for p, q in links.items()}
    strokes = []
    while any(left.values()):
        ends = [p for p in left if len(left[p]) % 2 == 1] or [p for p in left if left[p]]
        walk = [min(ends)]  # the uppermost
        while left[walk[-1]]:
            here = walk[-1]
            dy, dx = (here[0] - walk[-2][0], here[1] - walk[-2][1]) if len(walk) > 1 else (1, 0)
            step = max(left[here], key=lambda q: (q[0] - here[0]) * dy + (q[1] - here[1]) * dx)
            left[here].discard(step)
            left[step].discard(here)
            walk.append(step)
        strokes.append(walk)
    strokes += [[p] for p, q in links.items() if not q]
    return strokes


def smoothed(walk):
    """Steps of whole pixels as a line; the ends stay."""
    for _ in range(2):
        middle = [tuple((a + 2 * b + c) / 4 for a, b, c in zip(*three)) for three in zip(walk, walk[1:], walk[2:])]
        walk = [walk[0], *middle, walk[-1]] if len(walk) > 2 else walk
    return walk


def strokes_of(pixels):
    """Strokes as lists of (x, y) in fractions of the image's side."""
    ink = {divmod(i, SIDE) for i, value in enumerate(pixels) if value >= INK}
    walks = [smoothed(walk) for walk in traced(links_of(thinned(ink)))]
    longest = max(len(walk) for walk in walks)
    return [[((x + 0.5) / SIDE, (y + 0.5) / SIDE) for y, x in walk] for walk in walks if len(walk) > 2 or longest < 6]
