# SPDX-License-Identifier: BSD-2-Clause
"""D4: sessions with Redis stopped take as long as with Redis well, and a
reload as well. The two take turns in one run, so that whatever else the
machine does meets both."""

import json
import os
import shutil
import signal
import sys
import threading
import time

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..",
                             "redis"))

from kit import SPAM, count, figure, in_ms, own_names, percentile, session
from node import running
from rediskit import Server, until
from results import within

WINDOWS = count(4, 40)
WINDOW_S = count(1, 5)
CLIENTS = 4


def state(node):
    done = node.daemon.control("status", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["redis"]["state"]


def collect(node, seconds):
    """How long each session of so many seconds took, of several at once."""
    times, problems = [], []
    end = time.monotonic() + seconds

    def ask():
        try:
            while time.monotonic() < end:
                times.append(session(node))
        except Exception as error:              # told below
            problems.append(error)
    threads = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems, problems[0]
    return times


def test_nobody_waits_for_redis(programs, directory):
    if shutil.which("redis-server") is None:
        print("no redis-server here: nothing was measured")
        return
    well, ill, reloads = [], [], []
    with own_names() as names, Server(directory) as server:
        section = f'redis {{ server = "unix:{server.socket}" }}\n'
        with running(programs, directory, SPAM, names + section) as node:
            for _ in range(WINDOWS):
                until(lambda: state(node) == "connected", 60, 0.1)
                well += collect(node, WINDOW_S)
                server.signal(signal.SIGSTOP)
                until(lambda: state(node) == "timed out", 60, 0.1)
                ill += collect(node, WINDOW_S)
                started = time.monotonic()
                done = node.daemon.control("reload")
                assert done.returncode != 0 and "Redis" in done.stderr, done
                reloads.append(time.monotonic() - started)
                server.signal(signal.SIGCONT)
    figure("D4", f"Redis well {in_ms(well)}; stopped {in_ms(ill)}; reload "
           f"with Redis stopped {max(reloads) * 1000:.0f} ms at most")
    # Within noise: the tail is the machine's, a wait of 250 ms is not.
    limit = 2 * percentile(well, .99) + 0.02
    within(percentile(ill, .99) <= limit, (in_ms(well), in_ms(ill)))
