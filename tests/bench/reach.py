# SPDX-License-Identifier: BSD-2-Clause
"""How soon a changed access map is served by two servers: milterd's, that share
a Redis, beside two sendmails, whose map is made with makemap, copied, and read
by a daemon that is started again.

Whether it is served is asked with MAIL FROM: in a milter session, and over
SMTP. Everything runs on this one machine.
"""

import contextlib
import glob
import os
import shutil
import smtplib
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(HERE, "..", "fleet"))

import kit
import miltertalk
from daemon import Programs
from rediskit import HAVE_SERVER, free_port, until

PROBE, LIVE = "probe@sender.example", "live{}@sender.example"
PAUSE_S = 0.005
PATIENCE_S = 300
MC = """\
divert(0)dnl
VERSIONID(`bench')dnl
OSTYPE(`linux')dnl
define(`confDOMAIN_NAME', `{name}.example.com')dnl
define(`QUEUE_DIR', `{place}/queue')dnl
define(`STATUS_FILE', `{place}/statistics')dnl
define(`confPID_FILE', `{place}/pid')dnl
define(`confSERVICE_SWITCH_FILE', `{place}/service.switch')dnl
define(`confTO_IDENT', `0s')dnl
define(`confQUEUE_LA', `1000')dnl
define(`confREFUSE_LA', `1000')dnl
define(`confDONT_PROBE_INTERFACES', `loopback')dnl
undefine(`ALIAS_FILE')dnl
FEATURE(`no_default_msa')dnl
FEATURE(`accept_unresolvable_domains')dnl
FEATURE(`access_db', `hash -T<TMPF> {place}/access')dnl
DAEMON_OPTIONS(`Name=MTA, Family=inet, Addr=127.0.0.1, Port={port}')dnl
MAILER(`local')dnl
MAILER(`smtp')dnl
"""


def write_map(path, entries, word, probe):
    """So many entries whose values say `word`, and one that says `probe`."""
    with open(path + ".new", "w") as file:
        file.write(f"From:{PROBE}\tERROR:5.7.1:550 {probe}\n")
        for number in range(entries - 1):
            file.write(f"host{number}.net{number % 977}.listed.example\t"
                       f"550 5.7.1 {word} has no mail for us\n")
    os.rename(path + ".new", path)


class Milterds:
    """Two nodes; only the first has the files."""

    name = "milterctl reload"

    def __init__(self, build, directory):
        self._fleet = kit.Fleet(directory, Programs(
            os.path.join(build, "milterd"), os.path.join(build, "milterctl")))
        self._first, self._second = self._fleet.nodes
        for node in self._fleet.nodes:
            node.add("accept_unresolvable_domains = true\n")
        self.text = self._first.maps + "/access"

    def start(self):
        self._first.write(virtusertable="", local_host_names="example.com\n")
        self._first.start()
        until(self._fleet.has_generation, 60)
        self._second.start()

    def close(self):
        self._fleet.close()

    def ask(self):
        """What each says to the probe."""
        return [self._say(node, PROBE) for node in self._fleet.nodes]

    @staticmethod
    def _say(node, sender):
        with miltertalk.dial(node.sockets()["socket"], PATIENCE_S) as talk:
            talk.negotiate()
            talk.connect("host.example", "192.0.2.7")
            talk.helo("host.example")
            return talk.mail(sender).text

    def spread(self):
        """The times that the steps took, of which there is one."""
        began = time.monotonic()
        self._first.reload()
        return {"milterctl": time.monotonic() - began}

    def one_alone(self, number):
        """Seconds from `access add` to the other node's refusal."""
        sender = LIVE.format(number)
        assert self._say(self._second, sender) == ""
        began = time.monotonic()
        done = self._first.control("access", "add", "From:" + sender,
                                   "ERROR:5.7.1:550 alone", "15m")
        assert done.returncode == 0, done
        await_answer(lambda: [self._say(self._second, sender)], "alone")
        return time.monotonic() - began


class Sendmails:
    """Two daemons, each with its own copy of the map."""

    name = "makemap hash, cp, restart of sendmail"

    def __init__(self, root, directory):
        self._root = root
        self._directory = f"{directory}/sendmail"
        self._daemons = {}
        self._ports = {}
        os.mkdir(self._directory, 0o755)
        self.text = f"{self._directory}/access"
        libraries = glob.glob(f"{root}/lib/*") + glob.glob(f"{root}/usr/lib/*")
        self._env = {**os.environ, "LD_LIBRARY_PATH": ":".join(libraries)}
        for program in ("sendmail", "makemap"):
            self._unpack(program)
        for name in ("one", "two"):
            self._configure(name)

    def _unpack(self, program):
        """A copy is not set-group-id, so it finds its libraries."""
        copy = f"{self._directory}/{program}"
        shutil.copyfile(f"{self._root}/usr/libexec/sendmail/{program}", copy)
        os.chmod(copy, 0o755)

    def _configure(self, name):
        place = f"{self._directory}/{name}"
        self._ports[name] = free_port()
        os.makedirs(place + "/queue", 0o700)
        with open(place + "/service.switch", "w") as file:
            file.write("hosts files\n")
        cf = f"{self._root}/usr/share/sendmail/cf/"
        made = subprocess.run(
            ["m4", f"-D_CF_DIR_={cf}", cf + "m4/cf.m4", "-"], check=True,
            input=MC.format(name=name, place=place, port=self._ports[name]),
            text=True, stdout=subprocess.PIPE)
        with open(place + "/sendmail.cf", "w") as file:
            file.write(made.stdout)

    def start(self):
        self.spread()

    def close(self):
        for name in list(self._daemons):
            self._stop(name)

    def _start(self, name):
        """Where the host's name has no dot, sendmail sleeps for a minute."""
        self._daemons[name] = subprocess.Popen(
            ["unshare", "--uts", "sh", "-c", "hostname $0.example.com && "
             'exec "$@"', name, f"{self._directory}/sendmail", "-L", name,
             "-bD", "-C", f"{self._directory}/{name}/sendmail.cf"],
            env=self._env, stdin=subprocess.DEVNULL)

    def _stop(self, name):
        daemon = self._daemons.pop(name)
        daemon.terminate()
        daemon.wait()

    def ask(self):
        return [self._say(name) for name in self._ports]

    def _say(self, name):
        try:
            with smtplib.SMTP("127.0.0.1", self._ports[name],
                              "host.example") as talk:
                talk.helo()
                return talk.mail(PROBE)[1].decode()
        except (OSError, smtplib.SMTPException):
            return ""

    def spread(self):
        one, two = (f"{self._directory}/{name}/access" for name in self._ports)
        times, began = {}, time.monotonic()

        def took(step):
            times[step] = time.monotonic() - began - sum(times.values())
        with open(self.text) as text:
            subprocess.run(
                [f"{self._directory}/makemap", "-C", "/dev/null", "hash",
                 one + ".new.db"], stdin=text, env=self._env, check=True)
        os.rename(one + ".new.db", one + ".db")
        took("makemap")
        subprocess.run(["cp", one + ".db", two + ".new.db"], check=True)
        os.rename(two + ".new.db", two + ".db")
        took("cp")
        for name in self._ports:
            if name in self._daemons:
                self._stop(name)
            self._start(name)
        return times


def await_answer(ask, word):
    until(lambda: all(word in answer for answer in ask()), PATIENCE_S, PAUSE_S)


def served(servers, word):
    """Seconds until the last server serves it, and of the steps."""
    began = time.monotonic()
    times = servers.spread()
    await_answer(servers.ask, word)
    return {"all": time.monotonic() - began, **times}


def measured(servers, entries, rounds):
    """Rounds of all changed, one changed, and if that is there one alone."""
    everything, one, alone = [], [], []
    write_map(servers.text, entries, "begin", "begin")
    servers.start()
    await_answer(servers.ask, "begin")
    for turn in range(rounds):
        write_map(servers.text, entries, f"word{turn}", f"all{turn}")
        everything.append(served(servers, f"all{turn}"))
        write_map(servers.text, entries, f"word{turn}", f"one{turn}")
        one.append(served(servers, f"one{turn}"))
        if isinstance(servers, Milterds):
            alone.append(servers.one_alone(turn))
    return everything, one, alone


def find_sendmail():
    """Where it is installed or unpacked; None."""
    for root in (os.environ.get("SENDMAIL_ROOT", "/"), "/"):
        if os.path.exists(f"{root}/usr/libexec/sendmail/sendmail"):
            return root
    return None


def kinds(build, directory):
    """What is to be measured, and how it begins, None if it is not here."""
    root = find_sendmail()
    return ((Milterds, HAVE_SERVER and (lambda: Milterds(build, directory))),
            (Sendmails, root and (lambda: Sendmails(root, directory))))


def median(runs, step):
    return f"{statistics.median(run[step] for run in runs):.2f}"


def tell(paper, build, directory, entries, rounds):
    paper.heading(f"Reach: seconds until the last of two servers serves an "
                  f"access map of {entries} entries,\nall on this machine; "
                  f"medians of {rounds} rounds")
    columns = paper.columns(("", 40), ("all changed", 12), ("one changed", 12))
    alone = []
    for kind, make in kinds(build, directory):
        if not make:
            columns.row(kind.name, "not here")
            continue
        with contextlib.closing(make()) as servers:
            everything, one, more = measured(servers, entries, rounds)
        alone += more
        columns.row(servers.name, median(everything, "all"),
                    median(one, "all"))
        for step in list(everything[0])[1:]:
            columns.row(f"  {step}", median(everything, step),
                        median(one, step))
    if alone:
        paper.line("from `milterctl access add` to the other server's first "
                   f"refusal: {statistics.median(alone):.3f} "
                   f"({min(alone):.3f}-{max(alone):.3f})")
