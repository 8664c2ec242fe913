# SPDX-License-Identifier: BSD-2-Clause
"""Three sentinels, a master, two replicas: the client follows the master."""

import contextlib
import os
import signal
import subprocess

from rediskit import IS_LONG, Client, Fake, Server, free_port, until
from results import within


class Group:
    """The servers of one master's name."""

    def __init__(self, directory, stack):
        self.master = stack.enter_context(Server(directory))
        self.replicas = [stack.enter_context(Server(
            directory, "--replicaof", "127.0.0.1", str(self.master.port)))
            for _ in range(2)]
        until(lambda: "connected_slaves:2"
              in self.master.tell("INFO", "replication"), 30)
        self.sentinels = []
        for number in range(3):
            self.sentinels.append(stack.enter_context(
                self._sentinel(directory, number)))
        until(lambda: all("slaves=2,sentinels=3" in self._info(s)
                          for s in self.sentinels), 40)

    def _sentinel(self, directory, number):
        config = os.path.join(directory, f"sentinel-{number}.conf")
        with open(config, "w") as file:
            file.write(f"sentinel monitor mail 127.0.0.1 {self.master.port} 2"
                       "\nsentinel down-after-milliseconds mail 700\n"
                       "sentinel failover-timeout mail 3000\n")
        return Server(directory, program="redis-sentinel", config=config,
                      name="sentinel", port=free_port())

    def _info(self, sentinel):
        return subprocess.run(
            ["redis-cli", "-p", str(sentinel.port), "INFO", "sentinel"],
            capture_output=True, text=True, check=False).stdout

    def options(self, *more):
        return [f"sentinel=inet:{s.port}@127.0.0.1" for s in self.sentinels] \
            + ["master=mail", *more]


def test_failover(directory):
    with contextlib.ExitStack() as stack:
        group = Group(directory, stack)
        client = stack.enter_context(Client(*group.options()))
        client.expect("none", "SET", "mlt:a", "1")
        until(lambda: all(r.tell("GET", "mlt:a") == "1"
                          for r in group.replicas))
        # One sentinel that stands still costs time, not the connection.
        group.sentinels[0].signal(signal.SIGSTOP)
        with Client(*group.options()) as other:
            within(other.eventually("none", "PING") < 2, "slow")
        group.sentinels[0].signal(signal.SIGCONT)
        group.master.kill()
        took = client.eventually("none", "SET", "mlt:a", "2", seconds=60)
        print(f"figure R6: the client writes to the new master {took:.1f} s "
              "after the old one was killed (down-after 0.7 s)")
        assert any(r.tell("GET", "mlt:a") == "2" for r in group.replicas)
        assert client.ask("check").trouble == "none"
        if not IS_LONG:
            return
        # The old master comes back, as a replica in the end; never used.
        group.master.start()
        until(lambda: "role:slave" in group.master.tell(
            "INFO", "replication"), 20)
        client.expect("none", "SET", "mlt:a", "3")
        # By hand, while everything is well.
        subprocess.run(["redis-cli", "-p", str(group.sentinels[1].port),
                        "SENTINEL", "FAILOVER", "mail"], check=True,
                       stdout=subprocess.DEVNULL)
        until(lambda: sum("role:master" in s.tell("INFO", "replication")
                          for s in [group.master, *group.replicas]) == 1 and
              client.call("SET", "mlt:b", "4").trouble == "none", 20)
        client.eventually("none", "SET", "mlt:b", "5")


def test_no_such_master_and_no_sentinel(directory):
    with contextlib.ExitStack() as stack:
        master = stack.enter_context(Server(directory))
        config = os.path.join(directory, "sentinel.conf")
        with open(config, "w") as file:
            file.write(f"sentinel monitor mail 127.0.0.1 {master.port} 1\n")
        sentinel = stack.enter_context(Server(
            directory, program="redis-sentinel", config=config,
            name="sentinel"))
        place = f"inet:{sentinel.port}@127.0.0.1"
        client = stack.enter_context(
            Client("sentinel=" + place, "master=other"))
        answer = client.expect("no master", "PING")
        assert 'knows no master "other"' in answer.problem, answer
        client = stack.enter_context(Client(
            f"sentinel=inet:{free_port()}@127.0.0.1", "sentinel=" + place,
            "master=mail"))
        client.expect("none", "PING")
        client = stack.enter_context(Client("server=" + place))
        answer = client.expect("no master", "PING")
        assert "belongs into redis.sentinels" in answer.problem, answer


def test_sentinel_that_names_a_replica(directory):
    """What does not call itself the master is not used."""
    with Server(directory) as master, Server(
            directory, "--replicaof", "127.0.0.1", str(master.port)) as replica:
        port = b"%d" % replica.port
        answer = b"*2\r\n$9\r\n127.0.0.1\r\n$%d\r\n%s\r\n" % (len(port), port)
        with Fake(lambda c: (c.recv(999), c.sendall(answer))) as fake, \
                Client(f"sentinel=inet:{fake.port}@127.0.0.1",
                       "master=mail") as client:
            answer = client.expect("no master", "GET", "mlt:a")
            assert "it is a replica" in answer.problem, answer
