#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Tests of milterd over the milter protocol, without an MTA.

  tests/wire/run.py --milterd PATH --milterctl PATH [TEST...]

Needs no privileges.  A TEST is a part of a test's name, CASES/TEST.
"""

import argparse
import importlib
import os
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.append(os.path.join(os.path.dirname(__file__), "..", "common"))

from daemon import Programs
from results import Results, chosen, tests_of

CASES = ("sessions", "intake", "stages", "hostile", "filter", "process",
         "limits", "reload", "patterns", "stop")


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--milterd", required=True, type=os.path.abspath)
    parser.add_argument("--milterctl", required=True, type=os.path.abspath)
    parser.add_argument("tests", nargs="*", metavar="TEST")
    return parser.parse_args()


def run_in_own_directory(test, programs):
    with tempfile.TemporaryDirectory(prefix="milterd-wire-") as directory:
        test(programs, directory)


def main():
    options = arguments()
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
