# SPDX-License-Identifier: BSD-2-Clause
"""A line for each test and one for all, for the test programs here."""

import contextlib
import io
import multiprocessing
import sys
import time
import traceback


ATTEMPTS = 3


class Missed(AssertionError):
    """A bound upon what was measured was missed, by milterd or because the
    machine was busy with something else."""


def within(is_within, told):
    """Judge what was measured (time, memory): a test that fails by this is
    run again, since a fault misses its bound each time. What is right or
    wrong by itself is for assert."""
    if not is_within:
        raise Missed(told)


class Results:
    """Runs tests and counts."""

    def __init__(self):
        self.passed, self.failed = 0, 0

    def run(self, name, test):
        """Run one test and say how it went; whether it passed."""
        started = time.monotonic()
        try:
            _attempt(name, test)
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


    def run_side_by_side(self, tests, at_once=2):
        """Run tests, (name, function), so many at once, each in a process
        that may have others: for those that share nothing, and wait more than
        they work."""
        context = multiprocessing.get_context("fork")
        following, passed = context.Value("i", 0), context.Value("i", 0)
        workers = [context.Process(target=_work,
                                   args=(tests, following, passed))
                   for _ in range(at_once)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        self.passed += passed.value
        self.failed += len(tests) - passed.value


def _work(tests, following, passed):
    """Take test after test; what one says is shown as a whole."""
    while True:
        with following.get_lock():
            number = following.value
            following.value += 1
        if number >= len(tests):
            return
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            is_good = Results().run(*tests[number])
        with passed.get_lock():
            passed.value += is_good
            sys.stdout.write(said.getvalue())
            sys.stdout.flush()


def _attempt(name, test):
    for _ in range(ATTEMPTS - 1):
        try:
            return test()
        except Missed as missed:
            print(f"again {name}: {missed}")
    return test()


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
