# SPDX-License-Identifier: BSD-2-Clause
"""shellcheck on every shell script; every Python file compiles; no promise
of work instead of work."""
import os
import re
import shutil
import sys
from tree import LAYERS, SRC, Report, read, run

PROMISE = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
SKIP = {".git", "autom4te.cache", "build-aux", "__pycache__"}


def files():
    for folder, folders, names in os.walk(SRC):
        folders[:] = sorted(f for f in folders if f not in SKIP)
        for name in sorted(names):
            yield os.path.relpath(os.path.join(folder, name), SRC)


def is_shell(path):
    with open(os.path.join(SRC, path), "rb") as file:
        first = file.readline(80)
    return re.match(rb"#!\s*/(usr/)?bin/(env )?(ba)?sh\b", first) is not None


def main():
    if shutil.which("shellcheck") is None:
        print("SKIP: shellcheck is not here (Debian package shellcheck)")
        sys.exit(77)
    report = Report()
    for path in files():
        folder = path.split(os.sep)[0]
        if folder not in LAYERS + ("contrib", "tests", "man", ".ci"):
            continue
        if folder != "tests" or path.endswith((".py", ".sh", ".c", ".h")):
            found = PROMISE.search(read(path))
            report.check(not found, "%s: %s" % (path, found and found.group()))
        if is_shell(path):
            result = run(["shellcheck", "-x", path], cwd=SRC)
            report.check(result.returncode == 0, path + "\n" + result.stdout)
        if path.endswith(".py"):
            try:
                compile(read(path), path, "exec")
                report.check(True, "")
            except SyntaxError as problem:
                report.check(False, "%s: %s" % (path, problem))
    report.end()


main()
