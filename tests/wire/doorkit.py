# SPDX-License-Identifier: BSD-2-Clause
"""A milterd whose doors are open, a DNS server for it, and clients."""

import contextlib
import os
import socket
import subprocess
import threading
import time

from daemon import Daemon

ACCESS = """\
# Clients
192.0.2.20\tRELAY
Connect:partner.example\tRELAY
Connect:192.0.2.30\tREJECT
Connect:192.0.2.31\tDISCARD
Connect:192.0.2.32\tQUARANTINE:look at him
# Senders
From:spammer@good.example\t550 We don't like a spammer!
From:held@good.example\tQUARANTINE:look at this
# Recipients
To:closed@abc.com\tREJECT
To:sink@abc.com\tDISCARD
To:suspect@victim.example\tQUARANTINE:look at that
To:hole@victim.example\tDISCARD
To:relayed.example\tRELAY
"""

OPTIONS = """\
hostname = "mail.abc.com"
local_domain = {{ "abc.com" }}
access = "{access}"
resolver = "127.0.0.1:{dns}"
blocklist_recipients = true
accept_unresolvable_domains = true
nocanonify = true
allow_unsafe_files = true
max_message_size = 15000000
max_hops = 30
"""

SILENT = 66             # 192.0.2.66: the DNS server keeps silent
BROKEN = 67             # 192.0.2.67: it fails
NXDOMAIN, SERVFAIL = 3, 2


class NameServer:
    """Knows no name; is silent or broken for two addresses."""

    def __init__(self):
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                self._answer(*self._socket.recvfrom(4096))
            except OSError:             # closed
                return

    def _answer(self, query, client):
        first = query[13:13 + query[12]].decode("latin-1")
        if not first.isdigit() or int(first) != SILENT:
            rcode = SERVFAIL if first == str(BROKEN) else NXDOMAIN
            self._socket.sendto(self._reply(query, rcode), client)

    @staticmethod
    def _reply(query, rcode):
        end = query.index(b"\0", 12) + 5
        return query[:2] + bytes((0x81, 0x80 | rcode)) + b"\0\1" + \
            bytes(6) + query[12:end]

    def close(self):
        self._socket.close()


class LoggedDaemon(Daemon):
    """Its maillog goes to a file."""

    log_path = None

    def start(self):
        with open(self.log_path, "w") as log:
            self._process = subprocess.Popen(
                [self._programs.milterd, "-f", "-e", "-c", self.config],
                stdin=subprocess.DEVNULL, stderr=log)
        end = time.monotonic() + 120
        while not self._listens():
            if not self.is_alive() or time.monotonic() > end:
                with open(self.log_path) as log:
                    raise RuntimeError("milterd does not start: " + log.read())
            time.sleep(0.02)


class Doors:
    def __init__(self, programs, directory):
        self.programs = programs
        self.directory = directory
        self.access = os.path.join(directory, "access")
        self.dns = NameServer()
        self.daemon = LoggedDaemon(
            programs, os.path.join(directory, "milterd.conf"), directory,
            directory)
        self.daemon.log_path = os.path.join(directory, "log")
        self.control_path = os.path.join(directory, "control.sock")

    def write_access(self, text):
        """Replace the map as an editor does, in one step."""
        with open(self.access + ".new", "w") as access:
            access.write(text)
        os.rename(self.access + ".new", self.access)

    def configure(self, options=""):
        self.daemon.configure(
            OPTIONS.format(access=self.access, dns=self.dns.port) + options)

    def log(self):
        with open(self.daemon.log_path) as log:
            return log.read()

    def wait_for_log(self, text):
        end = time.monotonic() + 60
        while text not in self.log():
            assert time.monotonic() < end, f"no {text!r} in:\n{self.log()}"
            time.sleep(0.02)

    def dial(self, door, timeout=30):
        """A connection to "policy", "socketmap" or "control"."""
        path = self.control_path if door == "control" \
            else self.daemon.sockets()[door + "_socket"]
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.connect(path)              # waits where the backlog is full
        sock.settimeout(timeout)
        return sock

    def control(self, *words):
        return self.daemon.control(*words)

    def explain(self, text, *words, daemon=False):
        """The finished milterctl for sessions on its standard input."""
        config = [] if daemon else ["--config", self.daemon.config]
        return subprocess.run(
            [self.programs.milterctl, "-c", self.daemon.config, "explain",
             *config, *words],
            input=text.encode("latin-1"), capture_output=True, check=False)


@contextlib.contextmanager
def prepared(programs, directory, access=ACCESS, options=""):
    """Files and a name server, no daemon."""
    doors = Doors(programs, directory)
    doors.write_access(access)
    doors.configure(options)
    try:
        yield doors
    finally:
        doors.dns.close()


@contextlib.contextmanager
def running(programs, directory, access=ACCESS, options=""):
    with prepared(programs, directory, access, options) as doors:
        doors.daemon.start()
        try:
            yield doors
            assert doors.daemon.is_alive(), "milterd died:\n" + doors.log()
        finally:
            if doors.daemon.is_alive():
                status = doors.daemon.stop()
                assert status == 0, f"milterd ends with {status}"


def everything(sock):
    """What comes until the other side closes."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while True:
            part = sock.recv(65536)
            if not part:
                break
            data += part
    return data


def policy_request(**attributes):
    """As smtpd sends it at RCPT."""
    given = {"request": "smtpd_access_policy", "protocol_state": "RCPT",
             "protocol_name": "ESMTP", "helo_name": "client.example",
             "queue_id": "", "sender": "a@good.example",
             "recipient": "u@victim.example", "recipient_count": "0",
             "client_address": "192.0.2.7", "client_name": "h7.example",
             "reverse_client_name": "h7.example", "instance": "1.2.3",
             "sasl_method": "", "sasl_username": "", "sasl_sender": "",
             "size": "0", "ccert_subject": "", "encryption_protocol": "",
             **attributes}
    return "".join(f"{name}={value}\n"
                   for name, value in given.items()).encode() + b"\n"


def policy_answer(sock):
    answer = b""
    while not answer.endswith(b"\n\n"):
        part = sock.recv(1)
        assert part, f"closed after {answer!r}"
        answer += part
    assert answer.startswith(b"action="), answer
    return answer.decode()[len("action="):-2]


def ask_policy(sock, **attributes):
    sock.sendall(policy_request(**attributes))
    return policy_answer(sock)


def netstring(text):
    return b"%d:%s," % (len(text), text)


def netstring_answer(sock):
    size = b""
    while not size.endswith(b":"):
        part = sock.recv(1)
        assert part, f"closed after {size!r}"
        size += part
    rest = b""
    while len(rest) < int(size[:-1]) + 1:
        part = sock.recv(int(size[:-1]) + 1 - len(rest))
        assert part, f"closed after {rest!r}"
        rest += part
    assert rest.endswith(b","), rest
    return rest[:-1]


def ask_map(sock, text):
    sock.sendall(netstring(text))
    return netstring_answer(sock)
