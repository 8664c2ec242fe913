#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Tests of the doors beside the milter: policy service, socketmap, control
socket, and of what milterctl says through the last.

  tests/wire/doors.py --milterd PATH --milterctl PATH [TEST...]

Needs no privileges; as root it also tries users that may not ask.  A TEST is
a part of a test's name, CASES/TEST.
"""

import argparse
import importlib
import os
import resource
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.append(os.path.join(os.path.dirname(__file__), "..", "common"))

from daemon import Programs
from results import Results, chosen, tests_of

CASES = ("explain", "rewrite", "policyd", "socketmap", "tables", "control",
         "dynamic", "flood")
FILES = 8192


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--milterd", required=True, type=os.path.abspath)
    parser.add_argument("--milterctl", required=True, type=os.path.abspath)
    parser.add_argument("tests", nargs="*", metavar="TEST")
    return parser.parse_args()


def run_in_own_directory(test, programs):
    with tempfile.TemporaryDirectory(prefix="milterd-doors-") as directory:
        os.chmod(directory, 0o755)      # for the users that may not ask
        test(programs, directory)


def main():
    options = arguments()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(FILES, hard), hard))
    programs = Programs(options.milterd, options.milterctl)
    results, tests = Results(), []
    for cases in CASES:
        module = importlib.import_module("cases_" + cases)
        for name, test in tests_of(module):
            if chosen(f"{cases}/{name}", options.tests):
                tests.append((f"{cases}/{name}", lambda test=test:
                              run_in_own_directory(test, programs)))
    results.run_side_by_side(tests)
    return results.finish()


if __name__ == "__main__":
    sys.exit(main())
