#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""POP- and IMAP-before-SMTP: contrib/dovecot with a real Dovecot.

  tests/dovecot/run.py --milterd PATH --milterctl PATH [TEST...]

Runs as root in namespaces of its own. Whoever logs in may relay from his
address, which Postfix's policy service is asked about, until the entry ends.
"""

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
CONTRIB = os.path.join(HERE, "..", "..", "contrib", "dovecot")
for neighbour in ("common", "wire"):
    sys.path.insert(0, os.path.join(HERE, "..", neighbour))

import imaplib
import poplib
import socket

from daemon import Daemon, Programs
from doorkit import ask_policy
from results import Results, chosen, tests_of

_INSIDE = "MILTERD_DOVECOT_WORLD"
USER = "nobody"                 # who milterd and the script run as
HOST = "192.0.2.1"
DENIED = "550 5.7.1 Relaying denied"
# Clients' addresses are routed here and nobody's own: this host relays for its
# own.
OURS = ("192.0.2.1/32", "2001:db8::1/128")
CLIENTS = ("192.0.2.0/24", "2001:db8::/64")
TTL = 3

MILTERD = """\
hostname = "mail.abc.com"
user = "{user}"
local_domain = {{ "abc.com" }}
access = "{place}/access"
state_directory = "{place}/state"
nocanonify = true
accept_unresolvable_domains = true
allow_unsafe_files = true
"""

DOVECOT = """\
base_dir = {place}/dovecot
state_dir = {place}/dovecot-state
log_path = {place}/dovecot.log
protocols = imap pop3
listen = 192.0.2.1, 2001:db8::1
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain
first_valid_uid = 1
mail_location = maildir:{place}/mail
default_internal_user = dovecot
default_login_user = dovenull
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={place}/mail
}}
service stats {{
  chroot =
}}
!include {place}/10-milterd.conf
"""


def enter():
    """Start this program again inside namespaces of its own, if it is not."""
    if os.environ.get(_INSIDE):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        for address in OURS:
            subprocess.run(["ip", "addr", "add", address, "dev", "lo"],
                           check=True)
        with open("/proc/sys/net/ipv6/ip_nonlocal_bind", "w") as setting:
            setting.write("1")
        for net in CLIENTS:
            subprocess.run(["ip", "route", "add", "local", net, "dev", "lo"],
                           check=True)
        return
    os.environ[_INSIDE] = "1"
    os.execvp("unshare", ["unshare", "--mount", "--net", "--pid", "--fork",
                          "--kill-child", "--mount-proc", sys.executable,
                          "-B", *sys.argv])


class Place:
    """A directory with milterd, Dovecot and what they need."""

    def __init__(self, programs, directory):
        self.directory = directory
        for name in ("state", "mail"):
            os.mkdir(f"{directory}/{name}")
            shutil.chown(f"{directory}/{name}", USER, "nogroup")
        self.write("access", "192.0.2.9\tREJECT\n")
        self.daemon = Daemon(programs, f"{directory}/milterd.conf", directory,
                             directory)
        self.daemon.configure(MILTERD.format(place=directory, user=USER))
        self.write("milterctl", f'#!/bin/sh\nexec "{programs.milterctl}" -c '
                   f'"{self.daemon.config}" "$@"\n', 0o755)
        self.write("postlogin", self.script(), 0o755)
        with open(f"{CONTRIB}/10-milterd.conf") as file:
            self.write("10-milterd.conf", file.read().replace(
                "/usr/lib/milterd/milterd-postlogin",
                f"{directory}/postlogin").replace("_milterd", USER))
        self.write("dovecot.conf", DOVECOT.format(place=directory))

    def write(self, name, text, mode=0o644):
        with open(f"{self.directory}/{name}", "w") as file:
            file.write(text)
        os.chmod(f"{self.directory}/{name}", mode)

    def script(self):
        """contrib's, as it would be installed here."""
        with open(f"{CONTRIB}/milterd-postlogin") as file:
            return file.read().replace(
                "/usr/sbin/milterctl", f"{self.directory}/milterctl").replace(
                    ":-30m", f":-{TTL}s")

    @contextlib.contextmanager
    def dovecot(self):
        process = subprocess.Popen(
            ["dovecot", "-F", "-c", f"{self.directory}/dovecot.conf"],
            stdin=subprocess.DEVNULL)
        try:
            end = time.monotonic() + 20
            while not can_connect(110) or not can_connect(143):
                assert process.poll() is None and time.monotonic() < end, \
                    "Dovecot does not start"
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            process.wait(20)

    def may_relay(self, address):
        with socket.socket(socket.AF_UNIX) as door:
            door.connect(self.daemon.sockets()["policy_socket"])
            return ask_policy(door, client_address=address)


def can_connect(port):
    with contextlib.suppress(OSError):
        socket.create_connection((HOST, port), 1).close()
        return True
    return False


class Imap(imaplib.IMAP4):
    """From an address of ours."""

    def __init__(self, host, source):
        self.source = source
        super().__init__(host, timeout=20)

    def _create_socket(self, timeout):
        return socket.create_connection((self.host, self.port), timeout,
                                        (self.source, 0))


class Pop(poplib.POP3):
    def __init__(self, host, source):
        self.source = source
        super().__init__(host, timeout=20)

    def _create_socket(self, timeout):
        return socket.create_connection((self.host, self.port), timeout,
                                        (self.source, 0))


def pop_login(host, source):
    """Log in, and see that the mailbox is there."""
    pop = Pop(host, source)
    pop.user("ann")
    pop.pass_("secret")
    assert pop.stat() == (0, 0)
    pop.quit()


def imap_login(host, source):
    imap = Imap(host, source)
    imap.login("ann", "secret")
    assert imap.select()[0] == "OK"
    imap.logout()


@contextlib.contextmanager
def running(programs, directory):
    place = Place(programs, directory)
    place.daemon.start()
    try:
        with place.dovecot():
            yield place
    finally:
        if place.daemon.is_alive():
            place.daemon.stop()


def until(question, wanted, seconds):
    """Ask until the answer is as wanted; what it was at last."""
    end = time.monotonic() + seconds
    while True:
        answer = question()
        if answer == wanted or time.monotonic() > end:
            return answer
        time.sleep(0.1)


def relays_for_a_while(programs, directory, login, host, source):
    with running(programs, directory) as place:
        assert place.may_relay(source) == DENIED
        login(host, source)
        assert place.may_relay(source) == "OK"
        other = "192.0.2.8"
        assert place.may_relay(other) == DENIED
        answer = until(lambda: place.may_relay(source), DENIED, TTL + 3)
        assert answer == DENIED, f"{answer} after {TTL} seconds"


def test_pop_before_smtp(programs, directory):
    relays_for_a_while(programs, directory, pop_login, HOST, "192.0.2.7")


def test_imap_before_smtp_with_ip6(programs, directory):
    relays_for_a_while(programs, directory, imap_login, "2001:db8::1",
                       "2001:db8::7")


def test_login_beats_an_entry_of_the_file(programs, directory):
    """A dynamic entry comes before the file's for the same key."""
    with running(programs, directory) as place:
        assert place.may_relay("192.0.2.9") != "OK"
        imap_login(HOST, "192.0.2.9")
        assert place.may_relay("192.0.2.9") == "OK"


def test_failed_login_opens_nothing(programs, directory):
    with running(programs, directory) as place:
        pop = Pop(HOST, "192.0.2.7")
        pop.user("ann")
        with contextlib.suppress(poplib.error_proto):
            pop.pass_("guess")
            raise AssertionError("a wrong password is taken")
        assert place.may_relay("192.0.2.7") == DENIED


def test_login_without_milterd(programs, directory):
    with running(programs, directory) as place:
        place.daemon.stop()
        started = time.monotonic()
        pop_login(HOST, "192.0.2.7")
        imap_login(HOST, "192.0.2.7")
        assert time.monotonic() - started < 10


def test_script_runs_nothing_that_an_address_says(programs, directory):
    place = Place(programs, directory)
    for bad in ("192.0.2.7;touch hit", "$(touch hit)", "`touch hit`", "-x",
                "192.0.2.7 RELAY", "a b", "", "127.0.0.1", "::1"):
        place.write("milterctl", f"#!/bin/sh\necho \"$@\" >>"
                    f"{directory}/called\n", 0o755)
        done = subprocess.run(
            [f"{directory}/postlogin", "echo", "went on"], text=True,
            env={**os.environ, "IP": bad}, cwd=directory, capture_output=True)
        assert done.stdout == "went on\n", (bad, done)
        assert not os.path.exists(f"{directory}/called"), bad
        assert not os.path.exists(f"{directory}/hit"), bad


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--milterd", required=True, type=os.path.abspath)
    parser.add_argument("--milterctl", required=True, type=os.path.abspath)
    parser.add_argument("tests", nargs="*", metavar="TEST")
    return parser.parse_args()


def run_in_own_directory(test, programs):
    with tempfile.TemporaryDirectory(prefix="milterd-dovecot-") as directory:
        os.chmod(directory, 0o755)
        try:
            test(programs, directory)
        except BaseException:
            with contextlib.suppress(OSError), \
                    open(f"{directory}/dovecot.log") as log:
                print(log.read()[-2000:], flush=True)
            raise


def main():
    options = arguments()
    enter()
    programs = Programs(options.milterd, options.milterctl)
    results = Results()
    for name, test in tests_of(sys.modules[__name__]):
        if chosen(name, options.tests):
            results.run(name, lambda test=test:
                        run_in_own_directory(test, programs))
    return results.finish()


if __name__ == "__main__":
    sys.exit(main())
