# SPDX-License-Identifier: BSD-2-Clause
"""Every file of the tree is in the distribution, and every file named for it in
Makefile.am exists."""
import os
import re
from tree import LAYERS, SRC, Report, read

FOLDERS = LAYERS + ("man", "contrib", "tests", ".ci")
# What a build within the tree leaves.
MADE = re.compile(r".*(\.(o|a|log|trs|pyc|d|Po)|/\.dirstamp)$"
                  r"|tests/unit/test_\w+$|tests/lint/(attributes|words)$"
                  r"|tests/logs/lines$"
                  r"|tests/bench/(load|lookups|null)$")


def files():
    for top in FOLDERS:
        for folder, folders, names in os.walk(os.path.join(SRC, top)):
            folders[:] = [f for f in folders
                          if f not in ("__pycache__", ".deps")]
            for name in names:
                path = os.path.relpath(os.path.join(folder, name), SRC)
                if not MADE.fullmatch(path):
                    yield path


def distributed(text):
    """What automake puts into a tarball: EXTRA_DIST, sources, manuals, and
    the sources of programs that have no other."""
    text = text.replace("\\\n", " ")
    lists = re.findall(r"^(?:EXTRA_DIST|\w+_SOURCES|dist_man_MANS) \+?= (.*)$",
                       text, re.M)
    programs = re.findall(r"\btests/unit/test_\w+", text)
    return set(" ".join(lists).split()) | {name + ".c" for name in programs}


def main():
    report = Report()
    named = distributed(read("Makefile.am"))
    for path in sorted(files()):
        report.check(path in named, path + " is not in Makefile.am")
    for path in sorted(named):
        report.check("$" in path or os.path.exists(os.path.join(SRC, path)),
                     "Makefile.am: there is no " + path)
    report.end()


main()
