# SPDX-License-Identifier: BSD-2-Clause
"""A real Postfix: Debian's master.cf, chroot included, and its queue."""

import os
import pathlib
import signal
import subprocess
import time

import sasl
from world import HOST, make_directory, run, write

LOCAL_SINK = "inet:127.0.0.1:2526"
CONTRIB = pathlib.Path(__file__).resolve().parents[2] / "contrib"
QUEUE = pathlib.Path("/var/spool/postfix")

_MAIN = f"""\
compatibility_level = 3.6
myhostname = {HOST}
mydomain = abc.com
myorigin = $myhostname
append_dot_mydomain = no
biff = no
inet_interfaces = all
inet_protocols = all
alias_maps =
alias_database =
local_recipient_maps =
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = cyrus
smtpd_sasl_path = smtpd
cyrus_sasl_config_path = /etc/postfix/sasl
smtpd_tls_security_level = none
non_smtpd_milters = $smtpd_milters
anvil_status_update_time = 1h
smtpd_client_connection_rate_limit = 0
smtpd_helo_restrictions =
	check_helo_access socketmap:unix:milterd/socketmap.sock:access
"""


def milter_lines(samples=()):
    """The lines that the administrator is told to use, and of those in
    comments the ones that begin so."""
    text = (CONTRIB / "postfix" / "main.cf.sample").read_text()
    for sample in samples:
        text = text.replace("\n#" + sample, "\n" + sample)
    return text


def command_of(pid):
    """"" when it has ended, waited for or not."""
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


class Postfix:
    """The mail host's Postfix; features are further lines of main.cf, lmtp is
    the place of the server that mail of our own is brought to."""

    name = "postfix"
    port = 25

    def __init__(self, features, lmtp=LOCAL_SINK):
        write("/etc/postfix/main.cf",
              f"{_MAIN}local_transport = lmtp:{lmtp}\n{features}")
        write("/etc/postfix/master.cf",
              pathlib.Path("/usr/share/postfix/master.cf.dist").read_text())
        make_directory(QUEUE)
        make_directory("/var/lib/postfix", "postfix", "postfix")
        run("postfix", "check")
        run("/usr/lib/postfix/configure-instance.sh", "-")
        sasl.copy_to_chroot(QUEUE)

    def start(self):
        run("postfix", "start")

    def stop(self):
        """As `postfix stop`, but without its pauses."""
        master = int((QUEUE / "pid/master.pid").read_text())
        os.kill(master, signal.SIGTERM)
        for _ in range(500):
            if not command_of(master):
                return
            time.sleep(0.01)
        raise RuntimeError("Postfix does not stop")

    def _files(self, queue):
        return sorted(path.name for path in (QUEUE / queue).rglob("*")
                      if path.is_file())

    def held(self):
        """Messages on hold: queue id and reason, which 3.7 does not keep."""
        return {queue_id: "" for queue_id in self._files("hold")}

    def flush(self):
        """Try again now what could not be delivered."""
        run("postqueue", "-f")

    def settle(self, timeout=20):
        """Wait until every message has gone where it goes."""
        end = time.monotonic() + timeout
        queues = ("maildrop", "incoming", "active", "deferred")
        # Twice: a message may go from one to another behind our back.
        while any(self._files(queue) for queue in queues * 2):
            if time.monotonic() > end:
                raise RuntimeError("Postfix: still queued: "
                                   + run("postqueue", "-p"))
            time.sleep(0.02)

    def empty(self):
        """Throw away what is still there."""
        run("postsuper", "-d", "ALL")

    def lookup(self, key, table):
        """What postmap finds, None for nothing."""
        done = subprocess.run(["postmap", "-q", key, table], text=True,
                              capture_output=True)
        if done.returncode not in (0, 1) or done.stderr:
            raise RuntimeError(f"postmap: {done.stderr}")
        return done.stdout.rstrip("\n") if done.returncode == 0 else None
