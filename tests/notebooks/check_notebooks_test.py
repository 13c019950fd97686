"""Does check_notebooks.py see what it is there to see?"""

import copy
import json
import pathlib
import tempfile
import unittest

import check_notebooks

GOOD = {
    "cells": [
        {"cell_type": "markdown", "id": "title", "metadata": {}, "source": ["# Digits\n", "see [other](other.md) and [it](https://example.org/tmp/x)"]},
        {"cell_type": "code", "id": "draw", "metadata": {}, "execution_count": 1, "source": ["draw()"], "outputs": [
            {"output_type": "stream", "name": "stdout", "text": ["99.1 % right, 3/4 done\n"]},
            {"output_type": "display_data", "metadata": {}, "data": {"image/png": "AAAA", "text/plain": ["a picture"]}}]},
    ],
    "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}, "language_info": {"name": "python"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}


class CheckNotebooks(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (self.folder / "other.md").write_text("here")
        self.notebook = copy.deepcopy(GOOD)
        self.code = self.notebook["cells"][1]

    def found(self, **options):
        text = json.dumps(self.notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
        (self.folder / "digits.ipynb").write_text(text)
        return "\n".join(fault for _, fault in check_notebooks.folder_faults(self.folder, **options))

    def assert_fault(self, expected, **options):
        self.assertIn(expected, self.found(**options))

    def test_a_good_one_has_no_fault(self):
        self.assertEqual(self.found(), "")

    def test_a_folder_without_notebooks(self):
        self.assertEqual([fault for _, fault in check_notebooks.folder_faults(self.folder)], ["has no notebook"])

    def test_not_run(self):
        self.code["execution_count"] = None
        self.assert_fault("cell draw: execution count None, expected 1", executed_only=True)

    def test_run_out_of_order(self):
        self.code["execution_count"] = 7
        self.assert_fault("execution count 7, expected 1")

    def test_no_picture(self):
        del self.code["outputs"][1]
        self.assert_fault("has no picture")

    def test_error(self):
        self.code["outputs"].append({"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": []})
        self.assert_fault("ended with ValueError: no", executed_only=True)

    def test_warning(self):
        self.code["outputs"].append({"output_type": "stream", "name": "stderr", "text": "deprecated"})
        self.assert_fault("wrote to stderr: deprecated", executed_only=True)

    def test_widget(self):
        self.code["outputs"][1]["data"]["application/vnd.jupyter.widget-view+json"] = {}
        self.assert_fault("shows a widget")

    def test_machine_paths(self):
        folders = [f"{before}/{folder}/x" for folder in ("home", "root", "tmp", "usr", "opt", "var", "Users") for before in ("", "file ", "(", "'")]
        for path in (*folders, "C:\\Users", "~/models"):
            with self.subTest(path=path):
                self.code["outputs"][0]["text"] = [f"saved to {path}\n"]
                self.assert_fault("shows a path of the machine")

    def test_no_machine_paths(self):
        for text in ("../models/net.safetensors", "and/or", "https://example.org/home/x", "1/2", "runs/tmp/x"):
            with self.subTest(text=text):
                self.code["outputs"][0]["text"] = [text]
                self.assertEqual(self.found(), "")

    def test_machine_path_in_source(self):
        self.code["source"] = ["load('/home/anna/net')"]
        self.assert_fault("names a path of a machine: /home/anna")

    def test_address(self):
        self.code["outputs"][1]["data"]["text/plain"] = ["<Net object at 0x7f12ab34cd56>"]
        self.assert_fault("shows an address in memory")

    def test_older_format(self):
        self.notebook["nbformat_minor"] = 4
        self.assert_fault("is in format 4.4")

    def test_ids(self):
        self.code["id"] = "title"
        self.assert_fault("without an id of their own")
        del self.code["id"]
        self.assert_fault("without an id of their own")

    def test_metadata(self):
        self.notebook["metadata"]["language_info"]["version"] = "3.11.2"
        self.code["metadata"] = {"execution": {}}
        self.assert_fault("has metadata of the machine")
        self.assert_fault("cell draw: has metadata: execution")

    def test_empty_cell(self):
        self.code["source"] = []
        self.assert_fault("cell draw: is empty")

    def test_layout(self):
        self.found()
        path = self.folder / "digits.ipynb"
        path.write_text(json.dumps(self.notebook))
        self.assertEqual([fault for _, fault in check_notebooks.folder_faults(self.folder)], ["is not laid out as nbformat writes it"])

    def test_size(self):
        self.code["outputs"][1]["data"]["image/png"] = "A" * check_notebooks.MAX_BYTES
        self.assert_fault("bytes, at most 2000000 are allowed")

    def test_links(self):
        (self.folder / "other.md").unlink()
        self.assert_fault("links to other.md, which does not exist")

    def test_readme(self):
        (self.folder / "README.md").write_text("[all](gone.ipynb)")
        self.assert_fault("links to gone.ipynb")
        self.assert_fault("does not mention digits.ipynb")


if __name__ == "__main__":
    unittest.main()
