#!/usr/bin/env python3
"""Packs a compiled module and a network into the script that comes before the demo page's own: see backend_wasm.js.

  scripts/demo_prelude.py --module uncial_demo.js --model FILE.safetensors --data data/mnist --output prelude.js

The module's .wasm lies beside its .js. Both it and the model file are compressed (gzip) and written as base64.
"""
import argparse
import base64
import gzip
import json
import math
import pathlib
import struct
import sys

BFLOAT16_BITS = 7  # of a mantissa


def rounded(values: bytes, bits: int) -> bytes:
    """float32 values to the nearest with so many bits of mantissa, ties to even."""
    drop = 23 - bits
    words = struct.unpack(f"<{len(values) // 4}I", values)
    if any(word >> 23 & 0xFF == 0xFF for word in words):
        sys.exit("error: demo_prelude: the model holds a NaN or an infinity. Train it again.")
    half = (1 << drop - 1) - 1
    return struct.pack(f"<{len(words)}I", *(word + half + (word >> drop & 1) >> drop << drop for word in words))


def round_weights(model: bytes, bits: int) -> bytes:
    """The same file with its larger tensors rounded. They stay float32: what is 0 in every value costs gzip little,
    and every program reads the file as it is."""
    (length,) = struct.unpack("<Q", model[:8])
    header = json.loads(model[8:8 + length])
    payload = bytearray(model[8 + length:])
    for name, tensor in header.items():
        if name == "__metadata__" or tensor["dtype"] != "F32" or len(tensor["shape"]) < 2:
            continue
        begin, end = tensor["data_offsets"]
        payload[begin:end] = rounded(bytes(payload[begin:end]), bits)
    return model[:8 + length] + bytes(payload)


def read_idx(path: pathlib.Path) -> tuple[list[int], bytes]:
    """Extents and bytes of an IDX file of uint8."""
    data = gzip.decompress(path.read_bytes())
    axes = data[3]
    return list(struct.unpack(f">{axes}I", data[4:4 + 4 * axes])), data[4 + 4 * axes:]


def text_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def packed(data: bytes) -> str:
    return text_of(gzip.compress(data, 9, mtime=0))


def examples(folder: pathlib.Path) -> list[dict]:
    """The first test image of each digit."""
    extents, pixels = read_idx(folder / "t10k-images-idx3-ubyte.gz")
    _, labels = read_idx(folder / "t10k-labels-idx1-ubyte.gz")
    size = math.prod(extents[1:])
    firsts = [labels.index(digit) for digit in range(10)]
    return [{"label": labels[i], "pixels": text_of(pixels[i * size:(i + 1) * size])} for i in firsts]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--module", type=pathlib.Path, required=True)
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--accuracy", type=float, help="on the test set, as measured; a share of 1")
    parser.add_argument("--output", type=pathlib.Path, required=True)
    options = parser.parse_args()

    glue = options.module.read_text()
    wasm = packed(options.module.with_suffix(".wasm").read_bytes())
    network = packed(round_weights(options.model.read_bytes(), BFLOAT16_BITS))
    demo = {
        "about": {"network": options.model.stem.removeprefix("mnist_").removesuffix("_final"),
                  "origin": "trained on MNIST by mnist_train, weights rounded to bfloat16",
                  "accuracy": options.accuracy, "augmentation": None, "examples": examples(options.data)},
        "module": wasm,
        "network": network,
    }
    script = f"{glue.rstrip()}\nconst UNCIAL_DEMO = {json.dumps(demo)};\n"
    if "</script" in script or "<!--" in script:
        sys.exit("error: demo_prelude: the script holds what would end it inside an HTML page.")
    options.output.write_text(script)
    print(f"module {len(wasm)} bytes of text, network {len(network)}, JavaScript of the module {len(glue)}")


main()
