# SPDX-License-Identifier: BSD-2-Clause
"""The store in Redis: what maps/store.h promises, checked by redis-cli where
it can see it."""

import signal
import time

from rediskit import BOUND_MS, Client, Server, acl, secret
from results import within


def ask(client, result, *words):
    answer = client.ask(*words)
    # Of a server that is well: the machine is busy.
    within(result == "unavailable" or answer.trouble != "unavailable",
           (words, answer))
    assert answer.trouble == result, (words, answer)
    return answer.reply


def test_everything_with_the_least_rights(directory):
    rules = secret(directory, acl(), name="acl")
    password = "password_file=" + secret(directory, "secret\n")
    with Server(directory, "--aclfile", rules) as server, \
            Client(server.unix, "user=milterd", password, "unsafe=1") as client:
        assert ask(client, "yes", "claim", "v:a", "one", "100") == ""
        said = ask(client, "no", "claim", "v:a", "two", "100")
        within(said in ('"one"/100', '"one"/99'), said)
        assert server.tell("GET", "mlt:s:v:a") == "one"
        assert 90 <= int(server.tell("TTL", "mlt:s:v:a")) <= 100
        assert ask(client, "yes", "get", "v:a").startswith('"one"/')
        assert ask(client, "no", "get", "v:b") == ""
        ask(client, "yes", "put", "v:a", "three", "5")
        assert server.tell("GET", "mlt:s:v:a") == "three"
        assert int(server.tell("TTL", "mlt:s:v:a")) <= 5
        ask(client, "yes", "delete", "v:a")
        ask(client, "no", "delete", "v:a")
        assert [ask(client, "yes", "count", "n", "100") for _ in range(3)] == \
            ["1", "2", "3"]
        assert 90 <= int(server.tell("TTL", "mlt:s:n")) <= 100
        assert ask(client, "yes", "add", "t", "0", "50") == "0"
        assert ask(client, "yes", "add", "t", "7", "50") == "7"
        assert ask(client, "yes", "add", "t", "-9", "90") == "-2"
        assert ask(client, "yes", "add", "t", "0", "5") == "-2"
        assert int(server.tell("TTL", "mlt:s:t")) > 80
        ask(client, "yes", "list", "")
        refused = server.tell("ACL", "LOG")
        assert refused == "", refused


def test_ends(directory):
    """A claim, a window and a counter end by themselves."""
    with Server(directory) as server, Client(server.unix) as client:
        started = time.monotonic()
        ask(client, "yes", "claim", "a", "x", "1")
        ask(client, "yes", "count", "n", "1")
        ask(client, "yes", "count", "n", "1")
        ask(client, "yes", "add", "t", "5", "1")
        again = client.ask("claim", "a", "x", "1")
        within(time.monotonic() - started < 0.9, "slow")
        assert again.trouble == "no", again
        time.sleep(1.1)
        ask(client, "yes", "claim", "a", "x", "1")
        started = time.monotonic()
        assert ask(client, "yes", "count", "n", "1") == "1"
        assert ask(client, "yes", "add", "t", "5", "1") == "5"
        # A counter's time begins anew with what is added, a window's not.
        time.sleep(0.6)
        ask(client, "yes", "count", "n", "1")
        within(time.monotonic() - started < 0.9, "slow")
        started = time.monotonic()
        ask(client, "yes", "add", "t", "5", "1")
        time.sleep(0.6)
        counts = [ask(client, "yes", "count", "n", "1"),
                  ask(client, "yes", "add", "t", "0", "1")]
        within(time.monotonic() - started < 0.9, "slow")
        assert counts == ["1", "10"], counts


def test_bounds(directory):
    with Server(directory) as server, Client(server.unix) as client:
        ask(client, "unavailable", "claim", "", "x", "1")
        ask(client, "unavailable", "claim", "k" * 1025, "x", "1")
        ask(client, "unavailable", "claim", "k", "x" * 4097, "1")
        ask(client, "unavailable", "claim", "k", "x", "0")
        ask(client, "yes", "claim", "k" * 1024, "x" * 4096, "1")
        ask(client, "yes", "put", "a b*\\[c]?", "", "9")
        assert ask(client, "yes", "list", "a b*\\[c").endswith(" 1")
        assert ask(client, "yes", "list", "a b?").endswith(" 0")
        assert server.tell("DBSIZE") == "2"


def test_one_claim_among_threads_and_nodes(directory):
    with Server(directory) as server, \
            Client(server.unix, "timeout=5000") as one, \
            Client(server.inet, "timeout=5000") as other:
        assert ask(one, "yes", "@200", "claim", "c%", "x", "60") == \
            "yes 200 no 1400 unavailable 0"
        assert ask(other, "yes", "@200", "claim", "c%", "x", "60") == \
            "yes 0 no 1600 unavailable 0"
        assert ask(one, "yes", "@100", "count", "n", "60") == \
            "yes 800 no 0 unavailable 0"
        assert ask(other, "yes", "count", "n", "60") == "801"
        assert ask(one, "yes", "@100", "add", "t", "3", "60") == \
            "yes 800 no 0 unavailable 0"
        assert ask(other, "yes", "add", "t", "0", "60") == "2400"


def test_long_list(directory):
    """100,000 entries, among as many that are others'."""
    with Server(directory) as server, \
            Client(server.unix, "timeout=2000") as client:
        server.tell("EVAL", "for i = 1, 100000 do redis.call('SET', "
                    "'mlt:s:a:' .. i, i, 'EX', 900) redis.call('SET', "
                    "'mlt:s:v:' .. i, i, 'EX', 900) end", "0")
        answer = client.ask("list", "a:")
        assert answer.reply.endswith(" 100000"), answer
        print(f"figure D3: 100,000 entries listed in {answer.ms} ms")
        assert ask(client, "yes", "list", "a:", "5").endswith(" 5")
        assert ask(client, "yes", "list", "a:99999").endswith(" 1")
        server.tell("RPUSH", "mlt:s:a:7", "no string")
        server.tell("DEL", "mlt:s:a:8")
        server.tell("RPUSH", "mlt:s:a:8", "no string")
        assert ask(client, "yes", "list", "a:").endswith(" 99999")
        assert ask(client, "unavailable", "get", "a:8") == ""


def test_trouble_is_no_answer(directory):
    with Server(directory) as server, Client(server.unix) as client:
        ask(client, "yes", "claim", "a", "x", "60")
        server.tell("CONFIG", "SET", "maxmemory", "1")
        answer = client.ask("claim", "b", "x", "60")
        assert (answer.trouble, answer.problem[:11]) == \
            ("unavailable", "redis: OOM "), answer
        assert ask(client, "yes", "get", "a").startswith('"x"/')
        ask(client, "unavailable", "count", "n", "60")
        ask(client, "unavailable", "add", "t", "1", "60")
        server.tell("CONFIG", "SET", "maxmemory", "0")
        server.tell("SET", "mlt:s:bad", "word")
        ask(client, "unavailable", "count", "bad", "60")
        server.signal(signal.SIGSTOP)
        for _ in range(20):
            answer = client.ask("claim", "b", "x", "60")
            assert answer.trouble == "unavailable", answer
            within(answer.ms <= BOUND_MS, answer)
        assert ask(client, "yes", "@50", "get", "a") == \
            "yes 0 no 0 unavailable 400"
        server.kill()
        ask(client, "unavailable", "list", "")
