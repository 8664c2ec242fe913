#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""milterd under load and under fire, over the milter protocol.

  tests/stress/run.py --milterd PATH --milterctl PATH [TEST...]

STRESS=long in the environment takes the long counts, as `make stress` does.
A TEST is a part of a test's name, CASES/TEST. Lines that begin with "figure"
tell what was measured; MATRIX.md says what each test is for.
"""

import argparse
import importlib
import os
import resource
import shutil
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
for neighbour in ("common", "wire"):
    sys.path.append(os.path.join(HERE, "..", neighbour))

from daemon import Programs
from kit import IS_LONG
from results import Results, chosen, tests_of

CASES = ("protocol", "crowd", "reload", "bounds", "content", "names",
         "files", "system", "redis")


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--milterd", required=True, type=os.path.abspath)
    parser.add_argument("--milterctl", required=True, type=os.path.abspath)
    parser.add_argument("tests", nargs="*", metavar="TEST")
    return parser.parse_args()


def run_in_own_directory(test, programs):
    directory = tempfile.mkdtemp(prefix="milterd-stress-")
    try:
        test(programs, directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def allow_many_files():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main():
    options = arguments()
    programs = Programs(options.milterd, options.milterctl)
    results, tests = Results(), []
    allow_many_files()
    for cases in CASES:
        module = importlib.import_module("stress_" + cases)
        for name, test in tests_of(module):
            if chosen(f"{cases}/{name}", options.tests):
                tests.append((f"{cases}/{name}", lambda test=test:
                              run_in_own_directory(test, programs)))
    results.run_side_by_side(tests, 1 if IS_LONG else 2)
    return results.finish()


if __name__ == "__main__":
    sys.exit(main())
