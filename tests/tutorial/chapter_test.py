"""chapter.py sees a wrong output, a wrong picture and a block that nobody compiles."""
import os
import struct
import subprocess
import sys
import tempfile

READER = sys.argv[1]
faults = []

PAGE = """\
# Title
```cpp top
#include <uncial/uncial.h>
```
```cpp
int a = 1;
```
```cpp
print(a);
```
```text
one 1.00
two
```
```cpp
train();
```
```text about=0.1
accuracy  97.0 %, 30 errors
```
```cpp
profile();
```
```text example
0.25 ms
```
```cmake file=CMakeLists.txt
project(x)
```
![a picture](images/a.png)
"""
PRINTED = ["", "one 1.00\ntwo  \n", "accuracy 99.0 %, 33 errors\n", "7 ms\n"]


def png(width):
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, 20)


def run(*arguments):
    return subprocess.run([sys.executable, READER, *arguments], capture_output=True, text=True, check=False)


def case(name, said, page=PAGE, printed=PRINTED, drawn=10, code=0):
    """check() of `page` with a program that prints and draws so must say `said`; "" means that it passes."""
    with tempfile.TemporaryDirectory() as folder:
        path, program = os.path.join(folder, "01-x.md"), os.path.join(folder, "program")
        os.mkdir(os.path.join(folder, "images"))
        with open(path, "w", encoding="utf-8") as file:
            file.write(page)
        with open(os.path.join(folder, "images", "a.png"), "wb") as file:
            file.write(png(10))
        text = "".join(part + "\n\f\n" for part in printed)
        with open(program, "w", encoding="utf-8") as file:
            file.write(f"#!{sys.executable}\nimport sys\nsys.stdout.write({text!r})\n"
                       f"open('a.png', 'wb').write({png(drawn)!r})\nsys.exit({code})\n")
        os.chmod(program, 0o755)
        done = run("check", path, program, os.path.join(folder, "work"))
        if (done.returncode == 0) != (said == "") or said not in done.stdout + done.stderr:
            faults.append(f"{name}: expected '{said}', got exit code {done.returncode}\n{done.stdout}{done.stderr}")


def but(index, text):
    return PRINTED[:index] + [text] + PRINTED[index + 1:]


case("as shown", "")
case("another word", "another output", printed=but(1, "one 1.00\nthree\n"))
case("another number where each digit counts", "another output", printed=but(1, "one 1.01\ntwo\n"))
case("a line too many", "another output", printed=but(1, "one 1.00\ntwo\nthree\n"))
case("a number too far off", "another output", printed=but(2, "accuracy 86.0 %, 30 errors\n"))
case("another word among numbers", "another output", printed=but(2, "accuracy 97.0 %, 30 faults\n"))
case("an example that prints nothing", "another output", printed=but(3, ""))
case("an output that is not shown", "does not show", printed=but(0, "hidden\n"))
case("a program that ends early", "after 3 of 4 blocks", printed=PRINTED[:3])
case("a program that fails", "exit code 1", code=1)
case("a picture of another size", "another size", drawn=11)
case("a picture that nobody draws", "no block draws b.png", page=PAGE + "![b](images/b.png)\n")
case("C++ that is not compiled", "would not be compiled", page=PAGE + "```cpp not-run\nx\n```\n")
case("a kind of output that is not known", "is not known", page=PAGE.replace("about=0.1", "roughly"))
case("a block without an end", "does not end", page=PAGE + "```text\n")

with tempfile.TemporaryDirectory() as folder:
    page, program = os.path.join(folder, "01-x.md"), os.path.join(folder, "x.cpp")
    with open(page, "w", encoding="utf-8") as file:
        file.write(PAGE)
    for arguments in (["program", page, program], ["files", page, folder]):
        done = run(*arguments)
        if done.returncode != 0:
            faults.append(f"{arguments[0]}: {done.stderr}")
    with open(program, encoding="utf-8") as file:
        source = file.read()
    order = [source.find(part) for part in ("#include <uncial/uncial.h>", "int main()", "int a = 1;", "print(a);", "train();")]
    if -1 in order or order != sorted(order):
        faults.append(f"the program is in another order: {source}")
    with open(os.path.join(folder, "CMakeLists.txt"), encoding="utf-8") as file:
        if file.read() != "project(x)\n":
            faults.append("files: CMakeLists.txt is another one")
sys.exit("\n".join(faults) or 0)
