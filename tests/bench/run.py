# SPDX-License-Identifier: BSD-2-Clause
"""make bench: milterd beside a libmilter filter that does nothing.

Measured in namespaces of its own, as root.  Rates and times are those of the
machine as busy as it is; the ratios come from pairs that were run in turn, and
system calls and instructions are counted.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile

import filters
import maps
import measure
import peers
import reach
import recipes
import scale
import table
import world

CONNECTIONS = (1, 16, 256, 2000)
BODIES = (2048, 102400)
WAYS = (("same steps", measure.SAME_STEPS), ("as it asks", measure.ALL_STEPS))


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--output", help="keep what is printed in this file")
    parser.add_argument("--entries", type=int,
                        default=int(os.environ.get("ENTRIES", "1000000")))
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--peers", action="store_true",
                        help="other filters instead of milterd")
    parser.add_argument("--recipes", action="store_true",
                        help="only what is of recipes and Redis")
    parser.add_argument("--reach", action="store_true",
                        help="only how soon two servers have a changed map")
    return parser.parse_args()


def tell_machine(paper):
    with open("/proc/meminfo") as meminfo:
        total = int(meminfo.readline().split()[1]) / 1024 / 1024
    load = os.getloadavg()[0]
    paper.line(f"{os.cpu_count()} processors, {total:.0f} GiB, Linux "
               f"{platform.release()}, load {load:.1f} at the start")


def tell_scale(paper, place):
    paper.heading("Loading a map")
    columns = paper.columns(("", 24), ("seconds", 9), ("CPU s", 9),
                            ("bytes/entry", 12))
    found = scale.lookups(place.build, place.access)
    entries = found["entries"]
    columns.row("milterd", f"{found['load_s']:.2f}",
                f"{found['load_cpu_s']:.2f}",
                f"{found['bytes'] / entries:.0f}")
    program = scale.find_makemap()
    if program is None:
        columns.row("makemap hash", "not here")
    else:
        took, cpu, size = scale.makemap(program, place.access,
                                        place.directory)
        columns.row("makemap hash", f"{took:.2f}", f"{cpu:.2f}",
                    f"{size / entries:.0f}")
    paper.line(f"{entries} entries, {os.path.getsize(place.access)} bytes of "
               f"text; at most {found['peak_kb'] // 1024} MB while loading; a "
               f"lookup takes {found['hit_ns']:.0f} ns,\none for what is not "
               f"there {found['miss_ns']:.0f} ns: "
               f"{1e3 / found['hit_ns']:.1f} and {1e3 / found['miss_ns']:.1f} "
               "million a second")


def tell_counts(paper, place):
    paper.heading("System calls and user instructions for a message of 2 KB, "
                  "one connection")
    columns = paper.columns(
        ("", 34), ("calls", 7), ("poll", 6), ("read", 6), ("write", 6),
        ("futex", 6), ("other", 6), ("instructions", 13))
    cases = [("null", place.null, measure.SAME_STEPS),
             ("null, no replies", lambda **under: place.null("-n", **under),
              measure.ALL_STEPS)]
    for way, steps in WAYS:
        cases.append((f"milterd, {way}", place.milterd, steps))
        cases.append((f"deciding nothing, {way}", place.nothing, steps))
    for manner in "sendmail", "postfix":
        paper.line(f"as {'Postfix' if manner == 'postfix' else manner}:")
        for name, running, steps in cases:
            load = measure.Load(place, manner=manner, steps=steps)
            columns.row(f"  {name}", *_counts(place, load, running))


def _counts(place, load, running):
    with running() as target:
        load.for_messages(target, 400)          # the cache is warm, then
        calls = measure.system_calls(load, target, 96, 4)
    total = sum(calls.values())
    known = [calls.get(name, 0) for name in ("poll", "read", "writev",
                                             "futex")]
    out = f"{place.directory}/callgrind"
    with running(under=measure.callgrind(out)) as target:
        count = measure.instructions(load, target, out, 384, 2)
    return (f"{total:.1f}", *(f"{number:.1f}" for number in known),
            f"{total - sum(known):.1f}", f"{count:.0f}")


def pair_columns(paper, options, title):
    """Begin the table of filters beside the one that does nothing."""
    paper.heading(f"{title}: medians of {options.pairs} pairs of "
                  f"{options.seconds:g} s in turn, and of their ratios\n"
                  "(least to greatest); CPU in microseconds a message, times "
                  "in ms from MAIL to the end")
    return paper.columns(
        ("", 34), ("null/s", 7), ("msgs/s", 7), ("CPU null", 8), ("CPU", 6),
        ("CPU ratio", 18), ("p50 null", 9), ("p50", 8), ("p99 null", 9),
        ("p99", 8), ("refused", 8))


def tell_pairs(paper, place, options):
    columns = pair_columns(paper, options,
                           "Beside the filter that does nothing")
    load = measure.Load(place)

    def row(name, first, second, **under):
        columns.row(name, *pair_cells(measure.Pairs(
            load.but(**under), first, second, options.pairs,
            options.seconds)))

    with place.null() as null, place.null("-n") as silent, \
            place.milterd() as milterd, place.rewriting() as rewriting:
        load.for_messages(milterd, 1000)
        for way, steps in WAYS:
            for body in BODIES:
                for number in CONNECTIONS:
                    row(f"{way}, {table.size(body)}, {number}", null, milterd,
                        steps=steps, body=body, connections=number,
                        threads=2 if number > 256 else 1)
            row(f"{way}, 2 KB, 16, Postfix", null, milterd, steps=steps,
                connections=16, manner="postfix")
        row("null without replies, 2 KB, 16", null, silent, connections=16)
        load.for_messages(rewriting, 1000)
        for way, steps in WAYS:
            row(f"rewriting, {way}, 10 rcpts, 16", null, rewriting,
                steps=steps, connections=16, recipients=10)


def pair_cells(pairs):
    """The cells of a row."""
    rate, cpu = pairs.median("rate"), pairs.median("cpu_us")
    middle, least, greatest = pairs.ratios("cpu_us")
    p50, p99 = pairs.median("p50_ms"), pairs.median("p99_ms")
    return (f"{rate[0]:.0f}", f"{rate[1]:.0f}", f"{cpu[0]:.0f}",
            f"{cpu[1]:.0f}", f"{middle:.2f} ({least:.2f}-{greatest:.2f})",
            f"{p50[0]:.2f}", f"{p50[1]:.2f}", f"{p99[0]:.2f}",
            f"{p99[1]:.2f}", f"{pairs.refused():.0%}")


def tell_idle(paper, place):
    paper.heading("Idle connections, after HELO: KB of heap for each, of the "
                  "threads' stacks, and threads")
    columns = paper.columns(("", 34), ("256: heap", 10), ("stacks", 7),
                            ("threads", 8), ("2000: heap", 11), ("stacks", 7),
                            ("threads", 8))
    load = measure.Load(place)
    for name, running in (("null", place.null), ("milterd", place.milterd)):
        cells = []
        for connections in 256, 2000:
            with running() as target:
                heap, stacks, threads = measure.idle_memory(load, target,
                                                            connections)
                cells += [f"{heap:.2f}", f"{stacks:.2f}", threads]
        columns.row(name, *cells)


def tell_reach(paper, options, directory):
    reach.tell(paper, os.path.abspath(options.build), directory,
               options.entries, min(options.pairs, 3))


def main():
    options = arguments()
    world.enter()
    paper = table.Paper(options.output)
    with tempfile.TemporaryDirectory(dir="/mnt") as directory, \
            world.name_server() as resolver:
        os.chmod(directory, 0o755)
        if options.reach:
            tell_machine(paper)
            tell_reach(paper, options, directory)
            return
        place = filters.Place(directory, os.path.abspath(options.build),
                              options.entries, resolver)
        tell_machine(paper)
        if options.peers:
            peers.tell(paper, place, options, pair_columns(
                paper, options, "Other filters, 2 KB"), pair_cells)
            return
        if options.recipes:
            recipes.tell(paper, place, options, pair_cells)
            return
        tell_scale(paper, place)
        maps.tell(paper, place.build, directory)
        tell_counts(paper, place)
        tell_idle(paper, place)
        tell_pairs(paper, place, options)
        recipes.tell(paper, place, options, pair_cells)
        tell_reach(paper, options, directory)


if __name__ == "__main__":
    try:
        main()
    except (subprocess.CalledProcessError, measure.LoadFailed) as error:
        sys.exit(str(error))
