#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""One policy on two nodes: maps in Redis.

  tests/fleet/run.py [TEST...]
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import readme
from kit import Fleet, until
from readers import WORDS, Reader, write_pair
from rediskit import HAVE_SERVER
from results import Results, chosen, tests_of


def test_reaches_the_other_node(fleet):
    first, second = fleet.start()
    assert second.look() == "one"
    assert second.look("virtusertable", "b@example.org") == "one"
    assert second.look("local_domain", "example.org")
    assert second.look("local_domain", "mx2.example.com")
    assert not second.look("local_domain", "mx1.example.com")
    first.write_all("two")
    told = first.reload("--wait", "20")
    assert "generation 2 published" in told, told
    assert "mx2.example.com generation 2 " in told, told
    assert second.look() == "two"
    nodes = json.loads(first.control("nodes", "--json").stdout)
    assert [node["generation"] for node in nodes] == [2, 2], nodes
    fleet_of = second.status()["fleet"]
    assert fleet_of["generation"] == 2 and fleet_of["in_step"], fleet_of
    assert fleet_of["publisher"] == "mx1.example.com", fleet_of


def test_readme(fleet):
    """Its lines, as they stand there, make a fleet of two lone servers."""
    first, second = fleet.nodes
    config, commands = readme.blocks()
    for node in first, second:
        node.be_alone()
    first.write_all("one")
    first.start()
    first.stop()
    for node in first, second:
        node.add(readme.in_place(config, node, fleet.redis))
        node.start()
        until(fleet.has_generation)
    told = readme.type_on(first, commands)
    assert "unchanged" in told, told
    first.write_all("two")
    told = readme.type_on(first, commands)
    for name in "mx1.example.com", "mx2.example.com":
        assert told.count(f"{name} generation 2 ") == 2, told
    for node in first, second:
        assert node.look() == "two"
    assert os.listdir(second.maps) == []


def test_same_files_twice(fleet):
    first, _ = fleet.start()
    before = fleet.redis.tell("GET", "mlt:current")
    keys = sorted(fleet.redis.tell("KEYS", "mlt:part:*").split())
    assert "generation 1 unchanged" in first.reload()
    assert fleet.redis.tell("GET", "mlt:current") == before
    assert sorted(
        fleet.redis.tell("KEYS", "mlt:part:*").split()) == keys


def test_two_publish_at_once(fleet):
    first, second = fleet.start()
    for turn in range(6):
        first.write_all(f"first{turn}")
        second.write_all(f"second{turn}")
        answers = {}
        threads = [threading.Thread(
            target=lambda n=node: answers.update({n: n.control("reload")}))
            for node in (first, second)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        won = [n for n in answers if answers[n].returncode == 0]
        assert won, [a.stderr for a in answers.values()]
        for node, answer in answers.items():
            if node not in won:
                assert answer.returncode == 1, answer
                assert "has published generation" in answer.stderr, answer
        until(lambda: first.look() == second.look())
        assert first.look() == first.look("virtusertable", "b@example.org")
        assert any(first.look().startswith(
            "first" if n is first else "second") for n in won)


def does(node, message, user):
    """What the recipes of a user make of a message."""
    answer = node.control(
        "explain", "--json", "--client-address", "192.0.2.7", "--sender",
        "a@192.0.2.7", "--recipient", f"{user}@example.org", "--message",
        message)
    assert answer.returncode == 0, answer
    return json.loads(answer.stdout)["recipes"][0]["does"]


def write_files(directory, suffix, files):
    for name, text in files.items():
        with open(f"{directory}/{name}{suffix}", "w") as file:
            file.write(text)


def test_recipes_of_users(fleet):
    """A server without the files runs the fleet's, one with them its own."""
    users = fleet.directory + "/users"
    message = fleet.directory + "/message"
    os.mkdir(users, mode=0o700)

    def write(**recipes):
        write_files(users, ".rc", recipes)
    write(u=f"INCLUDERC={users}/shared.rc\n", shared=":0\nfirst\n")
    with open(message, "w") as file:
        file.write("Subject: s\n\nbody\n")
    for node in fleet.nodes:
        node.add(f'user_recipes = "{users}/%u.rc"\n'
                 "accept_unresolvable_domains = true\n")
    first, second = fleet.start()
    os.rename(users, users + ".away")
    for node in (first, second):
        assert does(node, message, "u") == "folder=first"
        assert does(node, message, "ann") is None
    os.mkdir(users, mode=0o700)
    write(u=":0\nown\n")
    assert does(second, message, "u") == "folder=own"
    # Gone from the fleet once it is published, and not before.
    os.unlink(f"{users}/u.rc")
    assert does(second, message, "u") is not None
    told = first.reload("--wait", "20")
    assert "user_recipes" in told, told
    assert does(second, message, "u") is None
    # A directory that is not there does not empty the fleet's.
    write(u=":0\nagain\n")
    first.reload("--wait", "20")
    os.rename(users, users + ".gone")
    answer = first.control("reload")
    assert answer.returncode == 1 and "--force" in answer.stderr, answer
    assert does(second, message, "u") == "folder=again"


def goes_to(node, recipient):
    """The recipients that one becomes, or the refusal."""
    answer = node.control(
        "explain", "--json", "--client-address", "192.0.2.7", "--sender",
        "a@192.0.2.7", "--recipient", recipient)
    assert answer.returncode == 0, answer
    told, = json.loads(answer.stdout)["recipients"]
    return told.get("becomes") or told["text"]


def test_files_that_aliases_include(fleet):
    """Those that such a file names as well; a server's own come first."""
    lists = fleet.directory + "/lists"
    os.mkdir(lists, mode=0o700)

    def write(**files):
        write_files(lists, "", files)
    write(team=f"ann\n:include:{lists}/more\n", more="bob@far.example\n")
    for node in fleet.nodes:
        node.add(f'aliases = "{node.maps}/aliases"\n'
                 "accept_unresolvable_domains = true\n")
    first, second = fleet.nodes
    first.write(aliases=f'team: ":include:{lists}/team"\n'
                f"lost: :include:{lists}/nosuch, carol\n")
    fleet.start()
    assert "nosuch: not shared with the fleet" in \
        first.control("status").stdout
    os.rename(lists, lists + ".away")
    both = ["<ann>", "<bob@far.example>"]
    for node in first, second:
        assert goes_to(node, "team@example.org") == both
        assert "Cannot open" in goes_to(node, "lost@example.org")
    os.mkdir(lists, mode=0o700)
    write(more="own@far.example\n")
    assert goes_to(second, "team@example.org")[1] == "<own@far.example>"
    os.unlink(f"{lists}/more")
    write(team="new\n")
    first.reload("--wait", "20")
    os.unlink(f"{lists}/team")
    assert goes_to(second, "team@example.org") == ["<new>"]


def test_missing_file_among_others(fleet):
    first, _ = fleet.start()
    os.unlink(first.maps + "/virtusertable")
    answer = first.control("reload")
    assert answer.returncode == 1 and "virtusertable" in answer.stderr, answer
    assert first.look() == "one"


def test_shrunk_file(fleet):
    first, second = fleet.start()
    first.write_all("one", 1000)
    first.reload("--wait", "20")
    first.write_all("one", 10)
    answer = first.control("reload")
    assert answer.returncode == 1 and "--force" in answer.stderr, answer
    assert second.look(key="k999.example") == "one"
    first.reload("--force", "--wait", "20")
    assert second.look(key="k999.example") is None


def test_starts_from_the_last_good_copy(fleet):
    first, second = fleet.start()
    copy = second.directory + "/state/maps/manifest"
    until(lambda: os.path.exists(copy))
    second.stop()
    fleet.redis.stop()
    second.start()
    assert second.look() == "one"
    assert not second.status()["fleet"]["in_step"]
    fleet.redis.start()
    until(lambda: second.status()["fleet"]["in_step"], 30)
    assert first.look() == "one"


def test_nothing_to_start_from(fleet):
    fleet.redis.stop()
    second = fleet.nodes[1]
    try:
        second.start()
    except RuntimeError as error:
        assert "exit 75" in str(error), error
    else:
        raise AssertionError("it started")
    assert "no last good copy" in second.log(), second.log()


def test_half_a_publication(fleet):
    first, second = fleet.start()
    fleet.redis.tell("SET", "mlt:part:" + "0" * 32 + ":0", "half")
    fleet.redis.tell("PUBLISH", "mlt:generations", "9")
    time.sleep(0.5)
    assert first.look() == second.look() == "one"
    assert second.status()["fleet"]["generation"] == 1


def test_damaged_part(fleet):
    """The image of a map, and then a shard of it."""
    first, second = fleet.start()
    for word, blob in ("two", 0), ("three", 1):
        before = second.look()
        second.signal(signal.SIGSTOP)
        first.write_all(word)
        first.reload()
        key = f"mlt:part:{blobs_of(fleet, 'access')[blob]}:0"
        whole = fleet.redis.tell("GETRANGE", key, "0", "0")
        fleet.redis.tell("SETRANGE", key, "0", "#" if whole != "#" else "*")
        told = second.log().count("damaged")
        second.signal(signal.SIGCONT)
        until(lambda: second.log().count("damaged") > told, 20)
        assert second.look() == before
        assert second.look("virtusertable", "b@example.org") == before
        first.reload("--force")
        until(lambda: second.look() == word, 20)


def blobs_of(fleet, map_name):
    """Digests of a map's image and of its shards."""
    current = fleet.redis.tell("GET", "mlt:current")
    part = current.partition(f"part map {map_name} ")[2].partition("part ")[0]
    lines = part.splitlines()
    return [lines[0].split()[0], *(line.split()[1] for line in lines[1:]
                                   if line.startswith("shard "))]


def test_newer_schema(fleet):
    first, second = fleet.start()
    fleet.redis.tell("SET", "mlt:current",
                     "milterd-generation 2\nsomething else\n")
    fleet.redis.tell("PUBLISH", "mlt:generations", "9")
    until(lambda: "newer milterd" in second.log(), 20)
    assert second.look() == "one"
    answer = first.control("reload")
    assert answer.returncode == 75 and "newer" in answer.stderr, answer


def test_redis_emptied(fleet):
    first, second = fleet.start()
    first.write_all("two")
    first.reload("--wait", "20")
    fleet.redis.tell("FLUSHALL")
    assert second.look() == "two"
    until(lambda: fleet.redis.tell("EXISTS", "mlt:current") == "1", 20)
    assert "number 2" in fleet.redis.tell("GET", "mlt:current")
    assert first.look() == second.look() == "two"
    first.write_all("three")
    first.reload("--wait", "20")
    assert second.look() == "three"


def test_lost_part_is_put_again(fleet):
    _, second = fleet.start()
    second.stop()
    current = fleet.redis.tell("GET", "mlt:current")
    assert "part map access" in current
    assert fleet.redis.tell("TTL", "mlt:current") == "-1"
    for key in fleet.redis.tell("KEYS", "mlt:part:*").split():
        assert fleet.redis.tell("TTL", key) == "-1", key


def test_no_mixture(fleet):
    """Each session on either node is judged by one pair of maps."""
    first, second = fleet.nodes
    for node in fleet.nodes:
        node.add(WORDS)
    fleet.start(write=write_pair, word="even")
    on = [Reader(node) for node in (first, second)]
    for reader in on:
        reader.start()
    try:
        until(lambda: all(reader.seen or reader.wrong for reader in on), 60)
        for turn in range(50):
            write_pair(first, "odd" if turn % 2 == 0 else "even")
            first.reload()
            until(lambda: all(reader.outlived or reader.wrong
                              for reader in on), 60)
    finally:
        for reader in on:
            reader.stop.set()
        for reader in on:
            reader.join()
    for reader in on:
        assert not reader.wrong, reader.wrong[:5]
        assert set(reader.seen) == {"even", "odd"}, reader.seen
        print(f"     {sum(reader.seen.values())} sessions, {reader.outlived} "
              "of them across a reload")


def test_reach(fleet):
    entries = int(os.environ.get("ENTRIES", "10000"))
    first, second = fleet.start()
    first.write_all("one", entries)
    started = time.monotonic()
    first.reload("--wait", "120")
    whole = time.monotonic() - started
    rows = "".join(f"k{i}.example\tone\n" for i in range(entries))
    first.write(access="a.example\tone\n" + rows + "new.example\tOK\n")
    started = time.monotonic()
    told = first.reload("--wait", "60")
    one = time.monotonic() - started
    assert second.look(key="new.example") == "OK", told
    print(f"     {entries} entries: {whole:.2f} s from reload to the last "
          f"node; one more: {one:.2f} s")


def run(test):
    fleet = Fleet()
    try:
        test(fleet)
    finally:
        fleet.close()


def main():
    if not HAVE_SERVER:
        print("SKIP: no redis-server (Debian packages redis-server and "
              "redis-tools)")
        return 77
    results = Results()
    results.run_side_by_side(
        [(name, lambda test=test: run(test))
         for name, test in tests_of(sys.modules[__name__])
         if chosen(name, sys.argv[1:])])
    return results.finish()


sys.exit(main())
