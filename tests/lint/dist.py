# SPDX-License-Identifier: BSD-2-Clause
"""Every file of the tree is named in Makefile.am, so that the distribution has
it, and every file named there exists."""
import os
import re
from tree import LAYERS, SRC, Report, read

FOLDERS = LAYERS + ("man", "contrib", "tests", ".ci")
# What a build within the tree leaves.
MADE = re.compile(r".*(\.(o|a|log|trs|pyc|d|Po)|/\.dirstamp)$"
                  r"|tests/unit/test_\w+$|tests/lint/words$|tests/logs/lines$")


def files():
    for top in FOLDERS:
        for folder, folders, names in os.walk(os.path.join(SRC, top)):
            folders[:] = [f for f in folders
                          if f not in ("__pycache__", ".deps")]
            for name in names:
                path = os.path.relpath(os.path.join(folder, name), SRC)
                if not MADE.fullmatch(path):
                    yield path


def main():
    report = Report()
    text = read("Makefile.am")
    named = set(re.findall(r"[\w.+/-]+/[\w.+-]+", text))
    # A unit test is named as the program it makes.
    named |= {name + ".c" for name in named
              if name.startswith("tests/unit/test_")}
    for path in sorted(files()):
        report.check(path in named, path + " is not in Makefile.am")
    for path in sorted(named):
        if path.split("/")[0] in FOLDERS and "." in path.split("/")[-1] \
                and not path.endswith(".a"):
            report.check(os.path.exists(os.path.join(SRC, path)),
                         "Makefile.am: there is no " + path)
    report.end()


main()
