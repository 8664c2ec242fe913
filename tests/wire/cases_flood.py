# SPDX-License-Identifier: BSD-2-Clause
"""Clients that say nothing, half of something, or take no answer."""

import json
import os
import select
import time

from doorkit import (ask_map, ask_policy, everything, netstring,
                     policy_request, running)
from node import bounded_memory
from results import within

RELAY = {"client_address": "192.0.2.20"}
# A sanitizer's own memory for each byte of ours comes on top.
SANITIZER = os.environ.get("SANITIZER")
MOST_KB = 48 * 1024 * (3 if SANITIZER else 1)
PROMPT_S = 5 if SANITIZER else 1


def fill(doors, door, count):
    """So many clients that have connected and say nothing."""
    return [doors.dial(door) for _ in range(count)]


def empty(clients):
    for sock in clients:
        sock.close()


def processor_seconds(doors):
    with open(f"/proc/{doors.daemon.pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def prompt(ask):
    started = time.monotonic()
    ask()
    took = time.monotonic() - started
    within(took < PROMPT_S, f"{took:.2f} s")


def test_idle_policy_clients(programs, directory):
    """More than there is room for: those silent longest make way."""
    with running(programs, directory) as doors:
        with doors.dial("policy") as old:
            assert ask_policy(old, **RELAY) == "OK"
        with bounded_memory(doors, MOST_KB):
            clients = fill(doors, "policy", 2500)
        with doors.dial("policy") as sock:
            prompt(lambda: ask_policy(sock, **RELAY))
        assert ask_policy(clients[-1], **RELAY) == "OK"
        assert everything(clients[0]) == b""
        doors.wait_for_log("policy service: too many clients")
        assert doors.log().count("too many clients") < 5, doors.log()
        empty(clients)


def test_idle_socketmap_clients(programs, directory):
    with running(programs, directory) as doors:
        clients = fill(doors, "socketmap", 2500)
        with doors.dial("socketmap") as sock:
            prompt(lambda: ask_map(sock, b"access 192.0.2.20"))
        empty(clients)


def test_idle_control_clients(programs, directory):
    """A thousand of them, and the other doors do not notice either."""
    with running(programs, directory) as doors:
        clients = fill(doors, "control", 1000)

        def status():
            assert doors.control("status").returncode == 0

        prompt(status)
        with doors.dial("policy") as sock:
            prompt(lambda: ask_policy(sock, **RELAY))
        doors.wait_for_log("control socket: too many clients")
        empty(clients)
        told = json.loads(doors.control("status", "--json").stdout)
        assert told["counters"]["control_requests"] >= 2


def test_doors_at_rest_use_no_processor(programs, directory):
    with running(programs, directory) as doors:
        clients = fill(doors, "policy", 100) + fill(doors, "socketmap", 100)
        time.sleep(0.5)
        before = processor_seconds(doors)
        time.sleep(3)
        used = processor_seconds(doors) - before
        within(used < 0.3, f"{used:.2f} s of 3")
        empty(clients)


def closed_after(sock, started):
    ready, _, _ = select.select([sock], [], [], 25)
    assert ready, "still open after 25 s"
    assert everything(sock) in (b"", b"error 64 the request is bad or "
                                b"too long\n")
    return time.monotonic() - started


def given_up(took):
    assert took > 9, f"{took:.1f} s"
    within(took < 15, f"{took:.1f} s")


def test_half_requests_are_given_up(programs, directory):
    """Also where a byte comes now and then; whole requests are answered on
    meanwhile."""
    with running(programs, directory) as doors:
        half = [(doors.dial("policy"), policy_request(**RELAY)[:-20]),
                (doors.dial("socketmap"), netstring(b"access 192.0.2.20")[:9]),
                (doors.dial("control"), b"explain json plain 1\nclient_addr")]
        started = time.monotonic()
        for sock, request in half:
            sock.sendall(request)
        drip = doors.dial("policy")
        while time.monotonic() - started < 9:
            drip.sendall(b"s")
            time.sleep(0.5)
            with doors.dial("policy") as sock:
                prompt(lambda sock=sock: ask_policy(sock, **RELAY))
        for sock, _ in half:
            took = closed_after(sock, started)
            given_up(took)
        took = closed_after(drip, started)
        given_up(took)


def test_readers_that_do_not_read(programs, directory):
    """Requests without end from clients that never take an answer: what they
    hold is bounded, and they are cut off."""
    with running(programs, directory) as doors:
        clients = fill(doors, "policy", 20)
        for sock in clients:
            sock.setblocking(False)
        request = policy_request(**RELAY) * 8
        end = time.monotonic() + 60
        with bounded_memory(doors, MOST_KB):
            while clients and time.monotonic() < end:
                _, ready, _ = select.select([], clients, [], 0.2)
                for sock in ready:
                    try:
                        sock.send(request)
                    except BlockingIOError:
                        pass
                    except OSError:
                        clients.remove(sock)
                        sock.close()
        with doors.dial("policy") as sock:
            prompt(lambda: ask_policy(sock, **RELAY))
        assert not clients, f"{len(clients)} are still served"
