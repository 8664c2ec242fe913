#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The client of Redis with real servers, fakes, TLS and Sentinel.

  tests/redis/run.py [TEST...]

A TEST is a part of a test's name, CASES/TEST. The program under test is
tests/redis/probe in the directory top_builddir.
"""

import importlib
import inspect
import multiprocessing
import os
import shutil
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(HERE, "..", "common"))

from rediskit import HAVE_SERVER
from results import Results, chosen, tests_of

CASES = ("server", "store", "fake", "sentinel", "tls")
AT_ONCE = 3


def run(test):
    if not inspect.signature(test).parameters:
        test()
        return
    directory = tempfile.mkdtemp(prefix="milterd-redis-")
    try:
        test(directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def run_cases(cases):
    """How many passed, how many failed."""
    results = Results()
    module = importlib.import_module("cases_" + cases)
    for name, test in tests_of(module):
        if chosen(f"{cases}/{name}", sys.argv[1:]):
            results.run(f"{cases}/{name}", lambda: run(test))
    return results.passed, results.failed


def main():
    if not HAVE_SERVER:
        print("SKIP: no redis-server (Debian packages redis-server and "
              "redis-tools)")
        return 77
    # Most of them wait for something; the longest first.
    with multiprocessing.Pool(AT_ONCE) as pool:
        counts = pool.map(run_cases, CASES, chunksize=1)
    total = Results()
    total.passed, total.failed = map(sum, zip(*counts))
    return total.finish()


if __name__ == "__main__":
    sys.exit(main())
