#!/usr/bin/env python3
"""Are the notebooks as they should be in the repository: check_notebooks.py FOLDER [--executed-only]

Run from top to bottom, with their outputs, without errors or warnings, without traces of the machine that ran them, small,
in the format that the tools write, and with links that lead somewhere. Prints a line for each fault; exit code 1 if there is one.
--executed-only is for notebooks that were just run elsewhere: format, size and links do not count then.
"""

import json
import pathlib
import re
import sys

MAX_BYTES = 2_000_000
# Folders of one machine and one person. In a sentence a path follows a blank, a quote or a bracket; not a letter, as in a URL.
MACHINE_PATH = re.compile(r"(?<![\w.:/~-])(/(?:home|root|work|tmp|usr|opt|mnt|var|Users|private)/[\w.-]+|[A-Z]:\\\w+|~/\w+)")
ADDRESS = re.compile(r"\bat 0x[0-9a-f]{6,}")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
IDENTIFIER = re.compile(r"[A-Za-z0-9_-]{1,64}")


def joined(text):
    return text if isinstance(text, str) else "".join(text)


def output_texts(output):
    """What a reader sees of an output as text."""
    yield joined(output.get("text", ""))
    for kind, value in output.get("data", {}).items():
        if kind.startswith("text/"):
            yield joined(value)


def output_faults(output):
    kind = output["output_type"]
    if kind == "error":
        yield f"ended with {output.get('ename')}: {output.get('evalue')}"
    if kind == "stream" and output.get("name") == "stderr":
        yield f"wrote to stderr: {joined(output['text']).strip()[:200]}"
    if any("widget" in mime for mime in output.get("data", {})):
        yield "shows a widget, which is blank without a running kernel"
    for text in output_texts(output):
        for pattern, what in ((MACHINE_PATH, "a path of the machine that ran it"), (ADDRESS, "an address in memory")):
            if match := pattern.search(text):
                yield f"shows {what}: {match.group()}"


def execution_faults(notebook):
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for number, cell in enumerate(cells, 1):
        if cell["execution_count"] != number:
            yield f"cell {cell.get('id')}: execution count {cell['execution_count']}, expected {number}: not run from top to bottom"
            break
    for cell in cells:
        for output in cell["outputs"]:
            for fault in output_faults(output):
                yield f"cell {cell.get('id')}: {fault}"
    if not any("image/png" in output.get("data", {}) for cell in cells for output in cell["outputs"]):
        yield "has no picture among its outputs"


def format_faults(notebook, text):
    if (notebook["nbformat"], notebook["nbformat_minor"]) != (4, 5):
        yield f"is in format {notebook['nbformat']}.{notebook['nbformat_minor']}, expected 4.5"
    if set(notebook["metadata"]) != {"kernelspec", "language_info"} or notebook["metadata"]["language_info"] != {"name": "python"}:
        yield "has metadata of the machine that ran it"
    identifiers = [cell.get("id", "") for cell in notebook["cells"]]
    if len(set(identifiers)) < len(identifiers) or not all(IDENTIFIER.fullmatch(identifier) for identifier in identifiers):
        yield "has cells without an id of their own"
    for cell in notebook["cells"]:
        if cell["metadata"]:
            yield f"cell {cell.get('id')}: has metadata: {', '.join(cell['metadata'])}"
        if not joined(cell["source"]).strip():
            yield f"cell {cell.get('id')}: is empty"
    if text != json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n":
        yield "is not laid out as nbformat writes it"
    if len(text.encode()) > MAX_BYTES:
        yield f"has {len(text.encode())} bytes, at most {MAX_BYTES} are allowed"


def source_faults(cells):
    for cell in cells:
        if match := MACHINE_PATH.search(joined(cell["source"])):
            yield f"cell {cell.get('id')}: names a path of a machine: {match.group()}"


def link_faults(text, folder):
    for target in LINK.findall(text):
        if not re.match(r"\w+:", target) and not (folder / target).exists():
            yield f"links to {target}, which does not exist"


def faults(path, executed_only=False):
    """Everything that is wrong with one notebook."""
    text = path.read_text(encoding="utf-8")
    notebook = json.loads(text)
    yield from execution_faults(notebook)
    if executed_only:
        return
    yield from format_faults(notebook, text)
    yield from source_faults(notebook["cells"])
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            yield from link_faults(joined(cell["source"]), path.parent)


def folder_faults(folder, executed_only=False):
    """(file name, fault) of every notebook in a folder, and of its README."""
    notebooks = sorted(folder.glob("*.ipynb"))
    if not notebooks:
        yield folder.name, "has no notebook"
    for path in notebooks:
        for fault in faults(path, executed_only):
            yield path.name, fault
    readme = folder / "README.md"
    if executed_only or not readme.exists():
        return
    text = readme.read_text(encoding="utf-8")
    for fault in link_faults(text, folder):
        yield readme.name, fault
    for path in notebooks:
        if path.name not in text:
            yield readme.name, f"does not mention {path.name}"


def main(arguments):
    folder = pathlib.Path(arguments[0])
    found = list(folder_faults(folder, executed_only="--executed-only" in arguments[1:]))
    for name, fault in found:
        print(f"{name}: {fault}")
    if not found:
        print(f"{len(list(folder.glob('*.ipynb')))} notebooks are in order")
    return 1 if found else 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: check_notebooks.py FOLDER [--executed-only]")
    sys.exit(main(sys.argv[1:]))
