# SPDX-License-Identifier: BSD-2-Clause
"""Dynamic entries of the access map: milterctl access, and all doors."""

import contextlib
import json
import os
import shutil
import sys
import time

import miltertalk
from doorkit import ask_map, ask_policy, prepared, running
from results import within

sys.path.append(os.path.join(os.path.dirname(__file__), "..", "redis"))

from rediskit import Server

DENIED = "550 5.7.1 Relaying denied"
CLIENT = "192.0.2.7"


def add(doors, key, value="RELAY", ttl="5m"):
    done = doors.control("access", "add", key, value, ttl)
    assert done.returncode == 0, done


def entries(doors):
    """Key to value, as the daemon lists them."""
    done = doors.control("access", "list", "--json")
    assert done.returncode == 0, done
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(one["expires_in"] >= 1 for one in objects), objects
    return {one["key"]: one["value"] for one in objects}


def policy(doors, address=CLIENT, **more):
    with doors.dial("policy") as door:
        return ask_policy(door, client_address=address, client_name="unknown",
                          reverse_client_name="unknown", **more)


def kept(directory):
    """The word for a store of its own."""
    os.mkdir(f"{directory}/state", 0o700)
    return f'state_directory = "{directory}/state"\n'


def test_all_doors_see_it(programs, directory):
    with running(programs, directory) as doors:
        assert policy(doors) != "OK"
        add(doors, CLIENT)
        assert policy(doors) == "OK"
        assert policy(doors, "192.0.2.8") != "OK"
        with doors.dial("socketmap") as door:
            assert ask_map(door, b"access " + CLIENT.encode()) == b"OK RELAY"
        done = doors.control("lookup", "access", CLIENT)
        assert done.stdout.startswith("RELAY\tdynamic entry, expires in "), \
            done
        done = doors.control("explain", "--trace", "--client-address", CLIENT,
                             "--sender", "a@good.example",
                             "--recipient", "u@victim.example")
        assert f"access {CLIENT}: RELAY (dynamic entry, expires in " \
            in done.stdout, done
        assert milter_says(doors, CLIENT) in "ca"
        assert milter_says(doors, "192.0.2.8") == "y"


def milter_says(doors, address):
    """The milter's verdict on a recipient elsewhere."""
    with miltertalk.dial(doors.daemon.sockets()["socket"]) as talk:
        talk.negotiate()
        talk.macros("C", j="mail.abc.com", v="Postfix 3.7.11",
                    client_name=f"[{address}]", client_ptr="unknown",
                    client_addr=address, client_resolve="FAIL")
        talk.connect(f"[{address}]", address)
        talk.helo("host.example")
        talk.mail("a@good.example")
        return talk.rcpt("u@victim.example").verdict


def test_comes_before_the_file_for_the_same_key(programs, directory):
    access = "From:a@good.example\tREJECT\nFrom:good.example\tOK\n"
    with running(programs, directory, access) as doors:
        assert "REJECT" in policy(doors) or "550" in policy(doors)
        add(doors, "From:GOOD.example", "REJECT")
        add(doors, "From:a@good.example", "550 5.7.1 not now")
        assert "not now" in explain(doors)
        add(doors, "From:a@good.example", "OK")
        assert "not now" not in explain(doors)
        assert "Access denied" not in explain(doors)
        assert "Access denied" in explain(doors, sender="b@good.example")


def explain(doors, sender="a@good.example"):
    return doors.control("explain", "--client-address", CLIENT, "--sender",
                         sender, "--recipient", "u@abc.com").stdout


def test_ends_by_itself(programs, directory):
    with running(programs, directory, options=kept(directory)) as doors:
        added = time.monotonic()
        add(doors, CLIENT, ttl="3s")
        add(doors, "192.0.2.8", ttl="1h")
        said = policy(doors)
        within(time.monotonic() - added < 1.9, "slow to begin with")
        assert said == "OK", said
        while policy(doors) == "OK":
            assert time.monotonic() - added < 60, "it does not end"
            time.sleep(0.05)
        assert time.monotonic() - added > 1.9, "it ends too early"
        assert list(entries(doors)) == ["192.0.2.8"]


def test_delete(programs, directory):
    with running(programs, directory, options=kept(directory)) as doors:
        add(doors, CLIENT)
        assert doors.control("access", "del", CLIENT).returncode == 0
        assert policy(doors) != "OK"
        assert doors.control("access", "del", CLIENT).returncode == 1
        doors.daemon.stop()
        doors.daemon.start()
        assert entries(doors) == {}


def test_outlives_restart_and_kill(programs, directory):
    with running(programs, directory, options=kept(directory)) as doors:
        for round_number in range(4):
            add(doors, f"192.0.2.{round_number}")
            doors.daemon.kill()
            doors.daemon.start()
            assert len(entries(doors)) == round_number + 1
        assert policy(doors, "192.0.2.3") == "OK"


def test_without_state_directory_ends_with_the_daemon(programs, directory):
    with running(programs, directory) as doors:
        add(doors, CLIENT)
        doors.daemon.stop()
        doors.daemon.start()
        assert entries(doors) == {}


def status(doors):
    """What status tells of dynamic entries and the store: as JSON and text."""
    told = json.loads(doors.control("status", "--json").stdout)
    lines = doors.control("status").stdout.splitlines()
    return told["dynamic_entries"], told["store"], \
        [line for line in lines if line.startswith(("dynamic_", "store"))]


def test_status_tells_of_the_store(programs, directory):
    with running(programs, directory) as doors:
        add(doors, CLIENT)
        assert status(doors) == (1, None, [
            "dynamic_entries: 1", "store: none"]), status(doors)
    with running(programs, directory, options=kept(directory)) as doors:
        for number in range(3):
            add(doors, f"192.0.2.{number}")
        assert doors.control("access", "del", "192.0.2.1").returncode == 0
        assert status(doors) == (
            2, {"kind": "lmdb", "keys": 2, "last_trouble": None},
            ["dynamic_entries: 2", "store: lmdb, 2 keys"]), status(doors)


def test_forms_of_keys(programs, directory):
    with running(programs, directory) as doors:
        for given in ("2001:db8::1", "IPv6:2001:DB8:0::1", "10.1",
                      "Connect:2001:db8::2", "TO:Some.Body@ABC.com"):
            add(doors, given)
        assert set(entries(doors)) == {
            "ipv6:2001:db8:0:0:0:0:0:1", "10.1",
            "connect:ipv6:2001:db8:0:0:0:0:0:2", "to:some.body@abc.com"}
        assert policy(doors, "2001:db8::1") == "OK"
        assert policy(doors, "2001:db8::3") != "OK"
        assert policy(doors, "10.1.2.3") == "OK"


def test_mistakes_are_refused(programs, directory):
    with running(programs, directory) as doors:
        for words in ((CLIENT, "RELYA", "5m"), (CLIENT, "no thanks", "5m"),
                      (CLIENT, "", "5m"), (CLIENT, "ERROR:", "5m"),
                      (CLIENT, "RELAY", "5"), (CLIENT, "RELAY", "m"),
                      (CLIENT, "RELAY", "0s"), (CLIENT, "RELAY", "367d"),
                      (CLIENT, "RELAY", "99999999999s"), (CLIENT, "RELAY"),
                      ("192.0.2.0/24", "RELAY", "5m"), ("a b", "OK", "5m"),
                      ("192.0.2.", "RELAY", "5m"), ("Form:a", "OK", "5m"),
                      ("To:", "OK", "5m"), (CLIENT, "550 a\nb", "5m"),
                      ("IPv6:2001:db8::", "RELAY", "5m", "x")):
            done = doors.control("access", "add", *words)
            assert done.returncode == 64 and done.stderr, (words, done)
        assert entries(doors) == {}
        for value in ("relay", "550 5.7.1 no", "ERROR:5.7.1:550 no",
                      "ERROR:no", "QUARANTINE:why", "451 later"):
            add(doors, CLIENT, value)
            assert entries(doors) == {CLIENT: value}


def test_never_more_than_the_limit(programs, directory):
    options = "max_dynamic_entries = 3\n" + kept(directory)
    with running(programs, directory, options=options) as doors:
        for number in range(3):
            add(doors, f"192.0.2.{number}")
        done = doors.control("access", "add", "192.0.2.9", "RELAY", "5m")
        assert done.returncode == 75, done
        add(doors, "192.0.2.1", "REJECT")
        assert len(entries(doors)) == 3
        doors.daemon.stop()
        doors.daemon.start()
        assert "192.0.2.9" not in entries(doors)


def test_needs_an_access_map(programs, directory):
    with prepared(programs, directory) as doors:
        doors.daemon.configure('hostname = "mail.abc.com"\n'
                               "allow_unsafe_files = true\n")
        doors.daemon.start()
        try:
            done = doors.control("access", "add", CLIENT, "RELAY", "5m")
            assert done.returncode == 78, done
        finally:
            doors.daemon.stop()


def test_bad_state_directory_is_told_at_start(programs, directory):
    with prepared(programs, directory,
                  options=f'state_directory = "{directory}/no"\n') as doors:
        with contextlib.suppress(RuntimeError):
            doors.daemon.start()
            raise AssertionError("it starts")
        assert f"{directory}/no" in doors.log(), doors.log()


class Fleet:
    """Two nodes and their Redis."""

    def __init__(self, programs, directory, redis, stack):
        self.nodes = []
        for name in ("one", "two"):
            os.mkdir(f"{directory}/{name}")
            self.nodes.append(stack.enter_context(running(
                programs, f"{directory}/{name}",
                options=f'redis {{ server = "unix:{redis.socket}" }}\n')))

    def eventually(self, node, wanted, seconds=60):
        end = time.monotonic() + seconds
        while entries(self.nodes[node]) != wanted:
            within(time.monotonic() < end, entries(self.nodes[node]))
            time.sleep(0.02)


@contextlib.contextmanager
def fleet(programs, directory):
    with contextlib.ExitStack() as stack:
        os.mkdir(f"{directory}/redis")
        redis = stack.enter_context(Server(f"{directory}/redis"))
        yield Fleet(programs, directory, redis, stack), redis


def test_other_node_hears(programs, directory):
    """How soon is measured by `make bench`."""
    if shutil.which("redis-server") is None:
        return
    with fleet(programs, directory) as (both, redis):
        one, two = both.nodes
        add(one, CLIENT)
        both.eventually(1, {CLIENT: "RELAY"})
        assert policy(two) == "OK"
        assert two.control("access", "del", CLIENT).returncode == 0
        both.eventually(0, {})
        add(two, CLIENT, ttl="3s")
        both.eventually(0, {CLIENT: "RELAY"}, 3)
        both.eventually(0, {})
        add(one, "192.0.2.8")
        two.daemon.stop()
        two.daemon.start()
        both.eventually(1, {"192.0.2.8": "RELAY"})


def add_soon(node, key):
    """As soon as Redis is known to be back."""
    end = time.monotonic() + 60
    while node.control("access", "add", key, "RELAY", "5m").returncode != 0:
        assert time.monotonic() < end, "Redis does not come back"
        time.sleep(0.1)


def test_redis_away_keeps_what_is_in_force(programs, directory):
    if shutil.which("redis-server") is None:
        return
    with fleet(programs, directory) as (both, redis):
        one, two = both.nodes
        add(one, CLIENT)
        both.eventually(1, {CLIENT: "RELAY"})
        redis.kill()
        done = one.control("access", "add", "192.0.2.8", "RELAY", "5m")
        assert done.returncode == 75, done
        entry_count, store, lines = status(one)
        assert (entry_count, store["kind"], store["keys"]) == \
            (1, "redis", None) and store["last_trouble"], store
        assert lines == ["dynamic_entries: 1", "store: redis",
                         "store_last_trouble: " + store["last_trouble"]], lines
        assert policy(one) == policy(two) == "OK"
        assert policy(one, "192.0.2.8") != "OK"
        redis.start()                   # empty: the nodes give them back
        add_soon(two, "192.0.2.9")
        for node in 0, 1:
            both.eventually(
                node, {CLIENT: "RELAY", "192.0.2.9": "RELAY"})
