# SPDX-License-Identifier: BSD-2-Clause
"""What the lints share: where the tree is, what is in it, how they report."""
import os
import re
import subprocess
import sys

SRC = os.path.abspath(os.environ.get("top_srcdir") or os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "..", ".."))
BUILD = os.path.abspath(os.environ.get("top_builddir") or ".")
CC = (os.environ.get("CC") or "cc").split()
LAYERS = ("base", "maps", "policy", "milter")
FLAGS = ["-std=c17", "-D_GNU_SOURCE", "-I" + SRC, '-DPACKAGE_VERSION="0"',
         '-DSYSCONFDIR="/etc"', '-DRUNSTATEDIR="/run"']
FLAGS += subprocess.run(["pkg-config", "--cflags", "gmime-3.0"], text=True,
                        stdout=subprocess.PIPE, check=False).stdout.split()
COMMENT = re.compile(r'//[^\n]*|/\*.*?\*/|("(?:\\.|[^"\\\n])*")', re.S)


def sources(layer, ends=(".c", ".h")):
    """Paths relative to the tree, sorted; of those that the command line
    names, where it names any."""
    folder = os.path.join(SRC, layer)
    found = sorted(layer + "/" + name for name in os.listdir(folder)
                   if name.endswith(ends) and not name.startswith("."))
    return [path for path in found if path in (sys.argv[1:] or found)]


def read(path):
    with open(os.path.join(SRC, path), encoding="utf-8") as file:
        return file.read()


def code(path):
    """The text of a C file without its comments; line numbers stay."""
    return COMMENT.sub(lambda m: m.group(1) or re.sub(r"[^\n]", " ",
                                                      m.group(0)), read(path))


def run(command, **more):
    return subprocess.run(command, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False,
                          **more)


class Report:
    """Counts what was looked at; every failure is one printed line."""

    def __init__(self):
        self.passed = 0
        self.failed = 0

    def check(self, is_good, message):
        if is_good:
            self.passed += 1
            return
        self.failed += 1
        print("FAIL: " + message)

    def end(self):
        if self.passed + self.failed == 0:
            self.check(False, "nothing was looked at")
        print("%d passed, %d failed" % (self.passed, self.failed))
        sys.exit(1 if self.failed else 0)
