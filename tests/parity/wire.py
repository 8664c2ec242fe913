# SPDX-License-Identifier: BSD-2-Clause
"""A sample of sessions, held with the real server over SMTP.

This shows that `reading` makes of a ruleset's result what the server makes
of it. A client may have any address of ROUTES: they are local to the
loopback interface without being an address of it, which sendmail would take
into class w. What the clients are called is in `zones`.
"""

import dataclasses
import random
import re
import socket
import subprocess
import time

import maps
import questions
import reading
import zones
from model import Answer, Question

PORT = 25
IPV6_FREEBIND = 78  # from linux/in6.h
ROUTES = ("10.0.0.0/8", "172.16.0.0/16", "192.0.2.0/24", "198.51.100.0/24",
          "203.0.0.0/16", "2001:db8::/32")
SESSIONS = 60
CONFIGS = ("values", "plain", "blocklist", "delay", "friend", "helo-delay",
           "pointer", "rdns", "mx", "lists", "verbatim", "bare")
STAGES = ("check_relay", "check_mail", "check_rcpt")
# The server's own remarks about local addresses; no ruleset makes them.
BEYOND = ("User unknown", "Cannot mail directly to", "Invalid sender address",
          "Missing recipient")
# Values that the server's scanner, printf or reply code stumbles over.
STUMBLING = re.compile(r"[()<>\"%]|^[^45]\d\d ")


def hold(oracle, directory, sessions):
    """Hold the sessions; each with the answer expected and that of the
    server."""
    expected = predicted(oracle, directory, sessions)
    daemon = Daemon(oracle, directory)
    try:
        for session, right in zip(sessions, expected):
            got = converse(session)
            if not got.text.startswith(BEYOND):
                yield session, right, got
    finally:
        daemon.close()


def make_sessions(config, seed):
    """Sessions as questions to check_rcpt."""
    if config.name == "values":
        return value_sessions()
    rng = random.Random(f"{seed}/wire/{config.name}")
    maker = questions.Maker(rng, config)
    clients = known_clients()
    return [Question("check_rcpt", **rng.choice(clients),
                     helo=rng.choice(questions.HELOS),
                     sender=maker.sender(questions.FORMS),
                     recipient=maker.address(questions.RECIPIENT_FORMS))
            for _ in range(SESSIONS)]


def value_sessions():
    return [question for question in questions.value_questions()
            if not STUMBLING.search(question_value(question))]


def question_value(question):
    """The form of value that a question is about."""
    digits = {"check_relay": question.address.split(".")[2:],
              "check_mail": question.sender,
              "check_rcpt": question.recipient}[question.ruleset]
    if question.ruleset == "check_relay":
        return maps.VALUES[int(digits[0]) * 200 + int(digits[1])]
    return maps.VALUES[int(digits[2:].partition("@")[0])]


def known_clients():
    """Clients with the names that the server will find for them."""
    named = [{"address": address, "name": name, "pointer": name,
              "resolve": "OK"}
             for name, address in zones.ADDRESSES.items()]
    forged = [{"address": address, "pointer": name, "resolve": "FORGED"}
              for address, name in zones.POINTERS.items()]
    nameless = [{"address": address, "resolve": "FAIL"}
                for address in ("203.0.113.9", "10.10.2.3", "172.16.5.4",
                                "2001:db8::7", "2001:db8:1:20::7")]
    failing = [{"address": "203.0.9.1", "resolve": "TEMP"}]
    return (named + forged + nameless + failing) * 2 + forged + failing


def predicted(oracle, directory, sessions):
    """The first refusal that the rulesets have for each session."""
    stages = [[dataclasses.replace(session, ruleset=stage)
               for stage in STAGES
               if stage != "check_rcpt" or session.recipient]
              for session in sessions]
    answers = iter(oracle.ask(directory, sum(stages, [])))
    return [first_refusal([next(answers) for _ in asked])
            for asked in stages]


def first_refusal(answers):
    for answer in answers:
        if answer.verdict in ("reject", "defer"):
            return answer
    return Answer("continue")


def converse(session):
    """The first refusal in a session with the server."""
    client = Client(session.address)
    try:
        said = told(client.greeting, "")
        for command, typed in (("EHLO ", session.helo),
                               ("MAIL FROM:", session.sender),
                               ("RCPT TO:", session.recipient)):
            if typed and said.verdict == "continue":
                said = told(client.say(command + typed), typed)
        return said
    finally:
        client.close()


def told(reply, typed):
    """A reply without the address that the server puts before its text."""
    if reply.startswith("2"):
        return Answer("continue")
    code, enhanced, text = (reply.split(" ", 2) + ["", ""])[:3]
    return reading.refusal(int(code), enhanced,
                           text.removeprefix(f"{typed}... "))


def open_routes():
    for route in ROUTES:
        subprocess.run(["ip", "route", "add", "local", route, "dev", "lo"],
                       check=True)


class Daemon:
    """sendmail as a daemon on the loopback addresses."""

    def __init__(self, oracle, directory):
        queue = directory / "queue"
        queue.mkdir()
        self.log = open(directory / "daemon.log", "ab")
        self.process = subprocess.Popen(
            [str(oracle.bin / "sendmail"), "-bD", "-C",
             str(directory / "sendmail.cf"),
             f"-OQueueDirectory={queue}", "-OAliasFile=null:",
             f"-OPidFile={directory}/sendmail.pid", "-OLogLevel=0",
             f"-ODaemonPortOptions=Family=inet,Addr=127.0.0.1,Port={PORT}",
             f"-ODaemonPortOptions=Family=inet6,Addr=::1,Port={PORT}"],
            env=oracle.env, stdin=subprocess.DEVNULL, stdout=self.log,
            stderr=self.log)
        self._wait()

    def _wait(self):
        deadline = time.monotonic() + 15
        while True:
            try:
                socket.create_connection(("127.0.0.1", PORT), 1).close()
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.log.close()


class Client:
    """One SMTP connection from an address of choice."""

    def __init__(self, address):
        six = ":" in address
        self.socket = socket.socket(
            socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_STREAM)
        self.socket.settimeout(30)
        if six:
            self.socket.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
        self.socket.bind((address, 0))
        self.socket.connect(("::1" if six else "127.0.0.1", PORT))
        self.lines = self.socket.makefile("rb")
        self.greeting = self.reply()

    def reply(self):
        """The last line of a reply."""
        while True:
            line = self.lines.readline().decode("latin-1").rstrip("\r\n")
            if line[3:4] != "-":
                return line

    def say(self, line):
        self.socket.sendall(line.encode("latin-1") + b"\r\n")
        return self.reply()

    def close(self):
        self.lines.close()
        self.socket.close()
