# SPDX-License-Identifier: BSD-2-Clause
"""The very short form of the measurements, for make check: what is exact in
them, and that everybody gives the answers the letters expect.

The bounds are what was aimed at, not what was found: a policy that decides
nothing costs at most two system calls more than the filter that does nothing,
which makes 165, and 50,000 instructions, where that one takes 34,500. How
often threads wait for one another (futex) is the machine's doing and varies:
it is bounded on its own.
"""

import argparse
import contextlib
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "common"))

import filters  # noqa: E402
import maps  # noqa: E402
import material  # noqa: E402
import measure  # noqa: E402
import reach  # noqa: E402
import recipes  # noqa: E402
import world  # noqa: E402
from results import Results, tests_of  # noqa: E402

MORE_CALLS, WAITS, INSTRUCTIONS = 2, 16, 50000
KINDS = 16                      # of letters, half of them refused
MANNERS = "sendmail", "postfix"
WAYS = measure.SAME_STEPS, measure.ALL_STEPS


def check_agreement(place, target, **options):
    """Every letter gets the answer that it should get."""
    number = KINDS * material.VARIANTS
    for manner in MANNERS:
        load = measure.Load(place, letters=place.all, manner=manner,
                            **options)
        found = load.for_messages(target, number)
        assert found["messages"] == number and not found["failed"], found
        assert not found["surprises"], found


def test_replies(place):
    """One connection and many, and more than one recipient."""
    with place.milterd() as target:
        check_agreement(place, target)
        check_agreement(place, target, connections=40, threads=2)
        check_agreement(place, target, steps=measure.SAME_STEPS)
        check_agreement(place, target, recipients=3, body=102400)


def test_replies_over_an_inet_socket(place):
    socket = f"inet:{world.free_port()}@127.0.0.1"
    with place.milterd("inet", socket=socket) as target:
        check_agreement(place, target, connections=4)


def test_load_notices_wrong_answers(place):
    """The filter that does nothing refuses none of the letters, and should
    have refused seven of sixteen kinds."""
    number = KINDS * material.VARIANTS
    with place.null() as target:
        for manner in MANNERS:
            found = measure.Load(place, letters=place.all, manner=manner) \
                .for_messages(target, number)
            assert found["surprises"] == number * 7 / KINDS, found
            assert found["answers"]["Ec"] == number, found


def test_load_notices_hang_ups(place):
    with place.milterd("hangs-up") as target:
        load = measure.Load(place, connections=4)
        target.process.kill()
        try:
            found = load.for_messages(target, 100)
        except measure.LoadFailed:
            return
        assert found["failed"], found


def test_system_calls(place):
    """The null filter's count shows that it is counted right."""
    with place.null() as target:
        null = {manner: _calls(place, target, measure.SAME_STEPS, manner)[0]
                for manner in MANNERS}
    assert 150 < null["sendmail"] < 170, null
    for name, words in ("nothing", material.NOTHING), ("milterd", None):
        with place.milterd(name, words) as target:
            for steps in WAYS:
                for manner in MANNERS:
                    calls, waits = _calls(place, target, steps, manner)
                    assert calls <= null[manner] + MORE_CALLS and \
                        waits <= WAITS, (name, steps, manner, calls, waits)


def _calls(place, target, steps, manner):
    """System calls a message, but for futex; and those."""
    load = measure.Load(place, steps=steps, manner=manner)
    load.for_messages(target, 8 * material.VARIANTS)
    calls = measure.system_calls(load, target, 48, 4)
    waits = calls.pop("futex", 0)
    return sum(calls.values()), waits


def test_instructions(place):
    for name, least, most, running in (
            ("null", 25000, 40000, place.null),
            ("nothing", 30000, INSTRUCTIONS, place.nothing)):
        out = f"{place.directory}/callgrind.{name}"
        with running(under=measure.callgrind(out)) as target:
            for steps in WAYS:
                load = measure.Load(place, steps=steps)
                found = measure.instructions(
                    load, target, f"{out}", 4 * material.VARIANTS, 2)
                assert least < found <= most, (name, steps, found)


def test_maps_give_the_same_answers(place):
    """Each is asked the same keys, and must find the same number of them;
    what is not here is left out, milterd never is."""
    for patterns in False, True:
        material = maps.Material(place.directory, 200, 1000,
                                 as_patterns=patterns)
        for name, function in maps.rows(place.build, patterns):
            found = maps.measured(function, material)
            assert found or not name.startswith("milterd"), name


def test_recipes_come_to_the_same(place):
    """The engine, the real procmail and sieve-test all try every recipe and
    act upon the last."""
    rules = recipes.Material(place.directory, place.build)
    for body in recipes.BODIES:
        rules.engine(body, 3)
        for _, function, _ in recipes.programs(rules):
            assert function(body, 1)["rate"] > 0
        if recipes.shutil.which("procmail"):
            assert rules.folder_of_procmail(body)[-1] == "/dev/null"
        if recipes.shutil.which("sieve-test"):
            assert rules.actions_of_sieve(body) == ["discard"]


def test_recipes_keep_the_letters(place):
    with recipes.with_recipes(place) as target:
        _check_passing(place, target)


def test_redis_changes_no_answer(place):
    if recipes.shutil.which("redis-server"):
        with maps.redis(place.directory) as socket, \
                recipes.with_redis(place, socket) as target:
            check_agreement(place, target)


def test_maps_reach_both_servers(place):
    """Ends when every change is in the answers of both."""
    if reach.HAVE_SERVER:
        with contextlib.closing(
                reach.Milterds(place.build, place.directory)) as servers:
            times = reach.measured(servers, 1000, 1)
            assert list(map(len, times)) == [1, 1, 1], times
            assert all("one0" in answer for answer in servers.ask())


def _check_passing(place, target):
    for steps in WAYS:
        found = measure.Load(place, steps=steps).for_messages(
            target, 8 * material.VARIANTS)
        assert not found["surprises"] and not found["failed"], found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    build = os.path.abspath(parser.parse_args().build)
    results = Results()
    world.raise_limits()
    with tempfile.TemporaryDirectory() as directory, \
            world.name_server() as resolver:
        place = filters.Place(directory, build, 2000, resolver)
        for name, test in tests_of(sys.modules[__name__]):
            results.run(name, lambda test=test: test(place))
    return results.finish()


if __name__ == "__main__":
    sys.exit(main())
