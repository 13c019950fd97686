#!/usr/bin/env python3
"""The pages of docs/tutorial as programs.

    chapter.py program PAGE.md FILE.cpp        writes the C++ of a page as one program
    chapter.py files PAGE.md FOLDER            writes the page's blocks that are files of their own
    chapter.py check PAGE.md PROGRAM FOLDER    runs it in FOLDER, compares what it prints and draws with the page
    chapter.py update PAGE.md PROGRAM FOLDER   runs it and puts what it printed and drew into the page

Blocks of a page, by the words after the three backquotes:

    cpp             statements; all of a page are the body of one main(), in order
    cpp top         what stands before main(): includes and functions
    cpp file=NAME   a file of its own, as are blocks of any language with file=NAME
    text            what the block of statements before it prints, to the letter
    text about=0.1  the same, but numbers may be off by a tenth, and by 1 in their last digit
    text example    what it printed once: times, or what depends on the machine
"""
import difflib
import os
import re
import shutil
import struct
import subprocess
import sys

MARK = "\f"  # printed after each block of statements
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")
PICTURE = re.compile(r"!\[[^\]]*\]\(images/([^)]+)\)")

HEAD = """\
// Made from docs/tutorial/{page} by tests/tutorial/chapter.py.
{top}
#include <cstdlib>
#include <exception>
#include <iostream>

int main() try {{
  if (const char* isa = std::getenv("UNCIAL_ISA")) uncial::set_isa(isa);
"""
TAIL = """\
  return 0;
} catch (const std::exception& error) {
  std::cout << std::flush;
  std::cerr << "error: " << error.what() << std::endl;
  return 1;
}
"""


class Block:
    """One fenced block: the words after the backquotes, its lines, and where they are (from 0)."""

    def __init__(self, info, first):
        self.words, self.first, self.lines = info.split(), first, []

    @property
    def language(self):
        return self.words[0] if self.words else ""

    def option(self, name):
        return next((w.split("=", 1)[1] for w in self.words[1:] if w.startswith(name + "=")), None)

    @property
    def is_statements(self):
        return self.words == ["cpp"]

    @property
    def is_top(self):
        return self.words == ["cpp", "top"]

    @property
    def is_output(self):
        return self.language == "text"


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def blocks_of(page):
    """All blocks of a page, and what is wrong with them."""
    blocks, faults, block = [], [], None
    for number, line in enumerate(read(page).splitlines()):
        if block is None and line.startswith("```"):
            block = Block(line[3:], number + 1)
        elif block is not None and line.startswith("```"):
            blocks.append(block)
            block = None
        elif block is not None:
            block.lines.append(line)
    if block is not None:
        faults.append(f"line {block.first}: the block does not end")
    for block in blocks:
        known = block.is_statements or block.is_top or block.option("file")
        if block.language == "cpp" and not known:
            faults.append(f"line {block.first}: ```{' '.join(block.words)} would not be compiled")
        if block.is_output and not set(block.words[1:]) <= {"example", f"about={block.option('about')}"}:
            faults.append(f"line {block.first}: ```{' '.join(block.words)} is not known")
    return blocks, faults


def spoken(blocks):
    """Pairs of a block of statements and the block with its output, or None."""
    pairs = []
    for block in blocks:
        if block.is_statements:
            pairs.append((block, None))
        elif block.is_output:
            if not pairs or pairs[-1][1] is not None:
                sys.exit(f"line {block.first}: an output without statements before it")
            pairs[-1] = (pairs[-1][0], block)
    return pairs


def program_of(page):
    blocks, faults = blocks_of(page)
    if faults:
        sys.exit("\n".join(f"{page}: {fault}" for fault in faults))

    def source(block):
        return "\n".join([f'#line {block.first + 1} "{page}"', *block.lines])

    text = HEAD.format(page=os.path.basename(page), top="\n".join(source(b) for b in blocks if b.is_top))
    for block, _ in spoken(blocks):
        text += source(block) + f'\n#line 1 "{page}: after the block of line {block.first}"\n'
        text += f'  std::cout << "\\n" << "{MARK}\\n" << std::flush;\n'.replace(MARK, "\\f")
    return text + TAIL


def outputs_of(program, folder, count):
    """What each block of statements printed, as lines without blanks at their ends."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    done = subprocess.run([os.path.abspath(program)], cwd=folder, capture_output=True, text=True, check=False)
    parts = done.stdout.split(f"\n{MARK}\n")
    if done.returncode != 0 or len(parts) != count + 1:
        sys.exit(f"{program}: exit code {done.returncode} after {len(parts) - 1} of {count} blocks\n"
                 f"{done.stdout[-2000:]}{done.stderr}")
    return [[line.rstrip() for line in part.rstrip("\n").splitlines()] for part in parts[:-1]]


def close(a, b, share):
    """Two numbers as they are printed: within `share` of the larger one, or 1 in the last digit of b."""
    fraction = re.search(r"\.(\d+)", b)
    last_digit = 10.0 ** -len(fraction.group(1)) if fraction else 1.0
    exponent = re.search(r"e([+-]?\d+)$", b)
    if exponent:
        last_digit *= 10.0 ** int(exponent.group(1))
    x, y = float(a), float(b)
    return abs(x - y) <= share * max(abs(x), abs(y)) + 1.000001 * last_digit


def words_of(lines):
    return [NUMBER.sub("#", line).split() for line in lines]


def numbers_of(lines):
    return NUMBER.findall("\n".join(lines))


def agrees(got, block):
    wanted = block.lines
    if "example" in block.words:
        return bool(got)
    if block.option("about") is None:
        return got == wanted
    share = float(block.option("about"))
    return words_of(got) == words_of(wanted) and all(
        close(a, b, share) for a, b in zip(numbers_of(got), numbers_of(wanted)))


def size_of(png):
    with open(png, "rb") as file:
        return struct.unpack(">II", file.read(24)[16:])


def check_pictures(page, folder):
    for name in PICTURE.findall(read(page)):
        drawn, kept = os.path.join(folder, name), os.path.join(os.path.dirname(page), "images", name)
        if not os.path.exists(drawn):
            yield f"no block draws {name}"
        elif not os.path.exists(kept):
            yield f"images/{name} is not there: run scripts/update_tutorial.sh"
        elif size_of(drawn) != size_of(kept):
            yield f"images/{name} has another size than what is drawn: run scripts/update_tutorial.sh"


def check(page, program, folder):
    blocks, faults = blocks_of(page)
    pairs = spoken(blocks)
    if not pairs:
        faults.append("there are no statements")
    for (statements, shown), got in zip(pairs, outputs_of(program, folder, len(pairs))):
        if shown is None and got:
            faults.append(f"line {statements.first}: prints what the page does not show:\n" + "\n".join(got))
        elif shown is not None and not agrees(got, shown):
            difference = difflib.unified_diff(shown.lines, got, "on the page", "printed", lineterm="")
            faults.append(f"line {shown.first}: another output\n" + "\n".join(difference))
    faults.extend(check_pictures(page, folder))
    if faults:
        sys.exit("\n".join(f"{page}: {fault}" for fault in faults))
    print(f"{os.path.basename(page)}: {len(pairs)} blocks print what the page shows")


def update(page, program, folder):
    pairs = spoken(blocks_of(page)[0])
    lines = read(page).splitlines()
    outputs = outputs_of(program, folder, len(pairs))
    for (statements, shown), got in reversed(list(zip(pairs, outputs))):
        if shown is not None:
            lines[shown.first:shown.first + len(shown.lines)] = got
        elif got:
            print(f"{page}: line {statements.first} prints what the page does not show")
    with open(page, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    images = os.path.join(os.path.dirname(page), "images")
    os.makedirs(images, exist_ok=True)
    for name in PICTURE.findall(read(page)):
        shutil.copy(os.path.join(folder, name), os.path.join(images, name))


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def main():
    command, page, *rest = sys.argv[1:] or ["", ""]
    if command == "program" and len(rest) == 1:
        write(rest[0], program_of(page))
    elif command == "files" and len(rest) == 1:
        os.makedirs(rest[0], exist_ok=True)
        for block in blocks_of(page)[0]:
            if block.option("file"):
                write(os.path.join(rest[0], os.path.basename(block.option("file"))), "\n".join(block.lines) + "\n")
    elif command == "check" and len(rest) == 2:
        check(page, *rest)
    elif command == "update" and len(rest) == 2:
        update(page, *rest)
    else:
        sys.exit(__doc__)


main()
