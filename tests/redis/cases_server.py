# SPDX-License-Identifier: BSD-2-Clause
"""The client with real servers: what it gets, and what each trouble is
called, always in time."""

import os
import signal
import time

from rediskit import (BOUND_MS, Client, Server, acl, free_port, refused,
                      secret, until)
from results import within


def test_commands_by_unix_and_tcp(directory):
    with Server(directory) as server:
        for where in (server.unix, server.inet):
            with Client(where, "limit=20000000", "timeout=5000") as client:
                client.expect("none", "SET", "mlt:a", "b c")
                assert client.expect("none", "GET", "mlt:a").reply == '"b c"'
                assert server.tell("GET", "mlt:a") == "b c"
                answer = client.ask("pipeline", "PING", ";", "GET", "mlt:none",
                                    ";", "LPUSH", "mlt:a", "x", ";", "INCR",
                                    "mlt:n" + where)
                assert answer.reply.split() == \
                    ['"PONG"', "nil", "!WRONGTYPE", "1"], answer
                assert client.ask("many", "20000").trouble == "none"
                assert client.ask("check").trouble == "none"


def test_database_and_large_values(directory):
    with Server(directory) as server, \
            Client(server.unix, "database=3", "limit=40000000",
                   "timeout=120000") as client:
        client.call("SET", "mlt:a", "x")
        assert server.tell("-n", "3", "GET", "mlt:a") == "x"
        server.tell("-n", "3", "SETRANGE", "mlt:big", str(32 << 20), "end")
        answer = client.ask("pipeline", "GET", "mlt:big")
        assert answer.trouble == "none", answer
        assert answer.reply.strip().endswith("+%d" % ((32 << 20) + 3 - 200))
        answer = client.call("GET", "mlt:big")      # 1 MB, no more
        assert answer.trouble == "not Redis", answer
        within(client.eventually("none", "PING") < 1, "slow")


def test_password_user_and_rights(directory):
    rules = secret(directory, acl(), name="acl")
    good = "password_file=" + secret(directory, "secret\n", name="good")
    bad = "password_file=" + secret(directory, "wrong\n", name="bad")
    with Server(directory, "--aclfile", rules) as server:
        with Client(server.unix, "user=milterd", good, "unsafe=1",
                    "database=0") as client:
            client.expect("none", "SET", "mlt:a", "1")
            client.expect("denied", "SET", "other", "1")
            client.expect("denied", "KEYS", "*")
            client.expect("none", "GET", "mlt:a")
        for wrong in ([server.unix, "user=milterd", bad],
                      [server.unix, "user=nobody", good]):
            with Client(*wrong, "unsafe=1") as client:
                client.expect("denied", "GET", "mlt:a")


def test_one_login_in_ten_seconds_after_denial(directory):
    with Server(directory, "--requirepass", "secret") as server, \
            Client(server.unix) as client:
        end = time.monotonic() + 3
        asked = 0
        while time.monotonic() < end:
            client.expect("denied", "GET", "mlt:a")
            asked += 1
        within(asked > 100, asked)
        within(9000 < int(client.ask("pause").reply) + 3000 < 11100, "pause")
        info = server.tell("INFO", "stats", user=["-a", "secret",
                                                  "--no-auth-warning"])
        assert "total_error_replies:1" in info, info


def test_password_file_is_for_its_owner(directory):
    for mode in (0o640, 0o604, 0o660):
        path = secret(directory, "secret\n", mode)
        why = refused("server=unix:/run/r", "password_file=" + path,
                      "unsafe=1")
        assert "may read this file" in why or "may write" in why, why
        os.unlink(path)
    path = secret(directory, "\n")
    assert "no password" in refused("server=unix:/run/r", "unsafe=1",
                                    "password_file=" + path)
    os.chmod(os.path.dirname(path), 0o777)
    assert "unsafe, because" in refused(
        "server=unix:/run/r", "password_file=" + path)
    assert refused("server=unix:/run/r", "password_file=/no/such")


def test_down_killed_and_back(directory):
    with Client(f"server=inet:{free_port()}@127.0.0.1") as client:
        for _ in range(20):
            client.expect("unreachable", "PING")
    with Server(directory) as server, Client(server.inet) as client:
        client.expect("none", "PING")
        server.kill()
        answer = client.call("PING")
        assert answer.trouble in ("unreachable", "connection closed"), answer
        time.sleep(0.5)
        server.start()
        within(client.eventually("none", "PING") < 3, "slow")


def test_restarted_between_two_requests(directory):
    """The old connection's end is seen before it is used."""
    with Server(directory) as server, Client(server.unix) as client:
        client.expect("none", "PING")
        server.kill()
        server.start()
        client.expect("none", "PING")


def test_stopped(directory):
    with Server(directory) as server:
        for where in (server.unix, server.inet):
            with Client(where) as client:
                client.expect("none", "SET", "mlt:a", "1")
                server.signal(signal.SIGSTOP)
                slow = 0
                end = time.monotonic() + 2
                while time.monotonic() < end:
                    answer = client.expect("timed out", "GET", "mlt:a")
                    slow += answer.ms > 50
                within(1 <= slow <= 8, slow)
                server.signal(signal.SIGCONT)
                within(client.eventually("none", "GET", "mlt:a") < 5.5, "slow")
                assert client.expect("none", "GET", "mlt:a").reply == '"1"'


def test_paused_and_asleep(directory):
    with Server(directory, "--enable-debug-command", "yes") as server, \
            Client(server.unix) as client:
        client.expect("none", "PING")
        server.tell("CLIENT", "PAUSE", "600", "ALL")
        client.expect("timed out", "PING")
        within(client.eventually("none", "PING") < 3, "slow")


def test_out_of_memory(directory):
    with Server(directory) as server, Client(server.unix) as client:
        client.expect("none", "SET", "mlt:a", "1")
        server.tell("CONFIG", "SET", "maxmemory", "1")
        client.expect("OOM", "SET", "mlt:a", "2")
        assert client.expect("none", "GET", "mlt:a").reply == '"1"'
        server.tell("CONFIG", "SET", "maxmemory", "0")
        client.expect("none", "SET", "mlt:a", "2")


def test_replica_and_promotion(directory):
    with Server(directory) as master, Server(directory) as replica, \
            Client(replica.unix) as client:
        replica.tell("REPLICAOF", "127.0.0.1", str(master.port))
        master.tell("SET", "mlt:a", "1")
        until(lambda: replica.tell("GET", "mlt:a") == "1")
        client.expect("READONLY", "SET", "mlt:a", "2")
        assert client.expect("none", "GET", "mlt:a").reply == '"1"'
        replica.tell("REPLICAOF", "NO", "ONE")
        client.expect("none", "SET", "mlt:a", "2")
        replica.tell("CONFIG", "SET", "replica-serve-stale-data", "no")
        replica.tell("REPLICAOF", "127.0.0.1", str(free_port()))
        client.eventually("MASTERDOWN", "GET", "mlt:a")


def test_too_few_replicas(directory):
    with Server(directory, "--min-replicas-to-write", "1") as server, \
            Client(server.unix) as client:
        client.expect("NOREPLICAS", "SET", "mlt:a", "1")
        client.expect("none", "GET", "mlt:a")


def test_loading(directory):
    with Server(directory, "--save", "3600 1", "--key-load-delay", "100",
                "--loading-process-events-interval-bytes", "1024") \
            as server, Client(server.unix) as client:
        server.tell("EVAL", "for i = 1, 8000 do redis.call('SET', 'mlt:' .. "
                    "i, i) end", "0")
        assert server.tell("SAVE") == "OK"
        server.kill()
        server.start()
        answer = client.call("GET", "mlt:7")
        within(answer.trouble == "LOADING", answer)
        # Every key takes 0.1 ms, and is looked at in batches.
        until(lambda: "\nloading:0" in server.tell("INFO", "persistence").replace("\r", ""), 30)
        within(client.eventually("none", "GET", "mlt:7") < 2, "slow")
        assert client.call("GET", "mlt:7").reply == '"7"'


def test_snapshot_failed(directory):
    with Server(directory, "--save", "3600 1") as server, \
            Client(server.unix) as client:
        client.expect("none", "SET", "mlt:a", "1")
        os.mkdir(os.path.join(server.directory, "dump.rdb"))
        server.tell("BGSAVE")
        until(lambda: "rdb_last_bgsave_status:err"
              in server.tell("INFO", "persistence"))
        client.expect("MISCONF", "SET", "mlt:a", "2")
        client.expect("none", "GET", "mlt:a")


def test_busy_script(directory):
    with Server(directory, "--busy-reply-threshold", "50") as server, \
            Client(server.unix, "timeout=2000") as client, \
            Client(server.unix, "timeout=200") as other:
        client.expect("none", "PING")
        other.call("EVAL", "while true do end", "0")
        answer = client.call("GET", "mlt:a")
        within(answer.trouble == "BUSY", answer)
        server.tell("SCRIPT", "KILL")
        client.eventually("none", "GET", "mlt:a")


def test_too_many_clients(directory):
    with Server(directory) as server, Client(server.unix) as first, \
            Client(server.unix) as second:
        first.expect("none", "PING")
        server.tell("CONFIG", "SET", "maxclients", "1")
        second.expect("too many clients", "PING")
        first.expect("none", "PING")


def test_cluster_is_refused(directory):
    with Server(directory, "--cluster-enabled", "yes") as server, \
            Client(server.unix) as client:
        answer = client.expect("Redis Cluster", "GET", "mlt:a")
        assert "part of a Redis Cluster" in answer.problem, answer
        assert int(client.ask("pause").reply) > 9000


def test_wrong_type(directory):
    with Server(directory) as server, Client(server.unix) as client:
        server.tell("LPUSH", "mlt:a", "x")
        client.expect("WRONGTYPE", "GET", "mlt:a")
        client.expect("none", "PING")


def test_pinned(directory):
    """What was WATCHed on a lost connection is not EXECuted on another."""
    with Server(directory) as server, Client(server.unix) as client:
        client.expect("none", "SET", "mlt:a", "1")
        client.ask("pin", "1")
        client.expect("none", "WATCH", "mlt:a")
        server.tell("CLIENT", "KILL", "TYPE", "normal")
        client.expect("connection closed", "MULTI")
        client.ask("pin", "0")
        within(client.eventually("none", "PING") < 1, "slow")


def test_messages(directory):
    with Server(directory) as server, Client(server.unix) as client, \
            Client(server.unix) as sender:
        assert client.ask("subscribe", "mlt:1", "mlt:2").trouble == "none"
        answer = client.ask("wait", "100")
        assert (answer.trouble, answer.reply) == ("none", ""), answer
        for i in range(100):
            sender.expect("none", "PUBLISH", f"mlt:{1 + i % 2}", f"m{i}")
        assert [client.ask("wait", "1000").reply for _ in range(100)] == \
            [f'"m{i}"' for i in range(100)]
        # A server that stands still is found out, and so is one that dies.
        server.signal(signal.SIGSTOP)
        answer = client.ask("wait", "20000")
        assert answer.trouble == "timed out", answer
        assert answer.ms >= 4900, answer
        within(answer.ms <= 5250 + BOUND_MS, answer)
        server.signal(signal.SIGCONT)
        until(lambda: client.ask("subscribe", "mlt:1").trouble == "none")
        server.kill()
        answer = client.ask("wait", "20000")
        assert answer.trouble == "connection closed", answer
        within(answer.ms <= BOUND_MS, answer)


def test_bad_options(directory):
    assert "neither unix:/path nor inet" in refused("server=/run/r")
    assert "belong together" in refused("sentinel=inet:1@127.0.0.1")
    assert "both are set" in refused("sentinel=inet:1@127.0.0.1", "master=m",
                                     "server=unix:/run/r")
    assert "TLS is for inet" in refused("server=unix:/run/r", "tls=1")
