#!/usr/bin/env python3
"""Links between the documents lead somewhere: check_links.py REPOSITORY

A relative link names a file or folder that is there, and its #anchor a heading of that page; whoever starts at
docs/README.md can reach every page below docs/. A link to a folder reaches the pages in it.
"""
import os
import re
import sys

ROOT = os.path.realpath(sys.argv[1])
SKIPPED = {"build", ".git", ".cache", ".venv", "__pycache__", ".pytest_cache", ".ipynb_checkpoints"}
LINK = re.compile(r"\[[^\]]*\]\(<?([^)\s>]+)>?\)")


def pages():
    for folder, names, files in os.walk(ROOT):
        names[:] = [n for n in names if n not in SKIPPED]
        yield from (os.path.join(folder, f) for f in files if f.endswith(".md"))


def text_of(path):
    """The page without code, where brackets mean something else."""
    with open(path, encoding="utf-8") as file:
        text = re.sub(r"^```.*?^```", "", file.read(), flags=re.MULTILINE | re.DOTALL)
    text = "\n".join(line for line in text.splitlines() if not line.startswith("    "))
    return re.sub(r"`[^`\n]*`", "", text)


def anchors_of(path):
    with open(path, encoding="utf-8") as file:
        text = re.sub(r"^```.*?^```", "", file.read(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+\s+(.*?)\s*#*$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def links_of(path):
    """Pairs of a target below ROOT and its anchor, or ''."""
    for link in LINK.findall(text_of(path)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        yield link, os.path.realpath(os.path.join(os.path.dirname(path), name)) if name else path, anchor


def main():
    faults, links = [], {}
    for path in sorted(pages()):
        shown = os.path.relpath(path, ROOT)
        links[path] = set()
        for link, target, anchor in links_of(path):
            links[path].add(target)
            if os.path.commonpath([target, ROOT]) != ROOT:
                faults.append(f"{shown}: {link} leads out of the repository")
            elif not os.path.exists(target):
                faults.append(f"{shown}: {link} leads nowhere")
            elif anchor and target.endswith(".md") and anchor not in anchors_of(target):
                faults.append(f"{shown}: {link}: that page has no such heading")
    start = os.path.join(ROOT, "docs", "README.md")
    reached, waiting = {start}, [start]
    while waiting:
        here = waiting.pop()
        inside = (path for path in links if os.path.dirname(path) == here)
        for target in {*links.get(here, ()), *inside} - reached:
            reached.add(target)
            waiting.append(target)
    for path in links:
        if path.startswith(os.path.join(ROOT, "docs") + os.sep) and path not in reached:
            faults.append(f"{os.path.relpath(path, ROOT)}: no way leads there from docs/README.md")
    if len(links) < 10:
        faults.append(f"only {len(links)} pages found: wrong folder?")
    if faults:
        sys.exit("\n".join(faults))
    print(f"{len(links)} pages, {sum(map(len, links.values()))} links lead somewhere")


main()
