# SPDX-License-Identifier: BSD-2-Clause
"""A line for each test and one for all, for the test programs here."""

import sys
import time
import traceback


class Results:
    """Runs tests and counts."""

    def __init__(self):
        self.passed, self.failed = 0, 0

    def run(self, name, test):
        """Run one test and say how it went; whether it passed."""
        started = time.monotonic()
        try:
            test()
        except Exception as error:              # whatever it was, go on
            self.failed += 1
            print(f"FAIL  {name}\n{_story(error)}")
            return False
        finally:
            sys.stdout.flush()
        self.passed += 1
        print(f"ok    {name} ({time.monotonic() - started:.1f} s)", flush=True)
        return True

    def finish(self):
        """The last line; the exit status for it."""
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        return 1 if self.failed or not self.passed else 0


def _story(error):
    if isinstance(error, AssertionError) and error.args:
        return f"  {error}"
    return "".join(traceback.format_exception(error)).rstrip()


def tests_of(module):
    """The tests of a module in their order: name and function."""
    return [(name.removeprefix("test_"), test)
            for name, test in vars(module).items() if name.startswith("test_")]


def chosen(name, wanted):
    """Whether a test of this name is asked for; nothing asks for all."""
    return not wanted or any(part in name for part in wanted)
