# SPDX-License-Identifier: BSD-2-Clause
"""A real sendmail: its configuration made with m4, its daemon, its queue."""

import glob
import os
import pathlib
import re
import shutil
import subprocess
import time

from world import DAEMON_USER, SERVER6, make_directory, run, write

LOCAL_SINK_PORT = 2526
CONTRIB = pathlib.Path(__file__).resolve().parents[2] / "contrib"

_HEAD = """\
divert(0)dnl
VERSIONID(`tests')dnl
OSTYPE(`linux')dnl
define(`QUEUE_DIR', `{queue}')dnl
define(`ALIAS_FILE', `/etc/mail/aliases')dnl
define(`STATUS_FILE', `{queue}/statistics')dnl
define(`confPID_FILE', `{queue}/pid')dnl
define(`confTO_IDENT', `0s')dnl
define(`confQUEUE_LA', `1000')dnl
define(`confREFUSE_LA', `1000')dnl
define(`confDONT_PROBE_INTERFACES', `loopback')dnl
define(`confSERVICE_SWITCH_FILE', `/etc/mail/service.switch')dnl
define(`confAUTH_MECHANISMS', `PLAIN LOGIN')dnl
FEATURE(`no_default_msa')dnl
FEATURE(`local_lmtp', `[IPC]', `TCP [127.0.0.1] {sink}')dnl
MODIFY_MAILER_FLAGS(`LOCAL', `-w')dnl
DAEMON_OPTIONS(`Name=MTA-v4, Family=inet, Port={port}')dnl
DAEMON_OPTIONS(`Name=MTA-v6, Family=inet6, Addr={address6}, Port={port}')dnl
"""
SUBMIT_QUEUE = "/var/spool/mqueue-client"
SUBMIT_CF = "/etc/mail/submit-test.cf"
_SUBMIT = f"""\
divert(0)dnl
VERSIONID(`submission')dnl
OSTYPE(`linux')dnl
define(`confPID_FILE', `{SUBMIT_QUEUE}/pid')dnl
define(`MSP_QUEUE_DIR', `{SUBMIT_QUEUE}')dnl
define(`QUEUE_DIR', `{SUBMIT_QUEUE}')dnl
define(`STATUS_FILE', `{SUBMIT_QUEUE}/statistics')dnl
define(`confDONT_PROBE_INTERFACES', `loopback')dnl
define(`confTO_IDENT', `0s')dnl
define(`confDONT_INIT_GROUPS', `True')dnl
define(`confRUN_AS_USER', `{DAEMON_USER}:{DAEMON_USER}')dnl
define(`confTRUSTED_USER', `{DAEMON_USER}')dnl
FEATURE(`msp', `[127.0.0.1]')dnl
"""
_TAIL = """\
MAILER(`local')dnl
MAILER(`smtp')dnl
"""


def milter_lines(samples=()):
    """The lines that the administrator is told to use, and of those in
    comments the ones that begin so."""
    text = (CONTRIB / "sendmail" / "milterd.mc").read_text()
    for sample in samples:
        text = text.replace("\ndnl #" + sample, "\n" + sample)
    return text


class Package:
    """sendmail's files, wherever they were unpacked."""

    def __init__(self, root, place):
        self._root = pathlib.Path(root)
        self._bin = pathlib.Path(place)
        self._bin.mkdir()
        self._unpack("usr/libexec/sendmail/sendmail")
        self._unpack("usr/libexec/sendmail/makemap")
        self._libraries = ":".join(
            glob.glob(f"{root}/lib/*") + glob.glob(f"{root}/usr/lib/*"))

    def _unpack(self, name):
        """Copy a program: set-group-id, it would not see our libraries."""
        mine = self._bin / os.path.basename(name)
        shutil.copyfile(self._root / name, mine)
        mine.chmod(0o755)

    def environment(self):
        added = self._libraries + ":" + os.environ.get("LD_LIBRARY_PATH", "")
        return {**os.environ, "LD_LIBRARY_PATH": added.strip(":")}

    def command(self, name, *arguments):
        return [str(self._bin / name), *arguments]

    def configuration(self, mc):
        """The .cf for a .mc."""
        tree = str(self._root / "usr/share/sendmail/cf") + "/"
        write("/etc/mail/test.mc", mc)
        return run("m4", f"-D_CF_DIR_={tree}", tree + "m4/cf.m4",
                   "/etc/mail/test.mc")


    def submission(self):
        """The command that takes mail in, as Debian's submit.cf makes it, and
        the environment that it needs here."""
        make_directory(SUBMIT_QUEUE, DAEMON_USER, DAEMON_USER, 0o700)
        write(SUBMIT_CF, self.configuration(_SUBMIT))
        os.chmod(SUBMIT_CF, 0o644)
        return (self.command("sendmail", "-L", "sm-msp", "-C",
                             SUBMIT_CF),
                {"LD_LIBRARY_PATH": self._libraries})


class Sendmail:
    """One sendmail daemon; features are lines of its .mc file."""

    name = "sendmail"

    def __init__(self, package, tag, port, features):
        self._package = package
        self.port = port
        self._queue = pathlib.Path(f"/var/spool/{tag}")
        self._cf = f"/etc/mail/{tag}.cf"
        make_directory(self._queue, mode=0o700)
        head = _HEAD.format(queue=self._queue, port=port, address6=SERVER6,
                            sink=LOCAL_SINK_PORT)
        write(self._cf, package.configuration(head + features + _TAIL))
        self.tag = tag
        self._daemon = None

    def start(self):
        self._newaliases()
        self._daemon = subprocess.Popen(
            self._package.command("sendmail", "-L", self.tag, "-bD", "-q1h",
                                  "-C", self._cf),
            env=self._package.environment(), stdin=subprocess.DEVNULL)

    def stop(self):
        self._daemon.terminate()
        self._daemon.wait()

    def makemap(self, source, target):
        """Build the database map that a sendmail without milterd reads."""
        with open(source) as text:
            subprocess.run(self._package.command("makemap", "-C", self._cf,
                                                 "hash", target),
                           env=self._package.environment(), stdin=text,
                           check=True)

    def _newaliases(self):
        """Build the database of the aliases."""
        subprocess.run(self._package.command("sendmail", "-C", self._cf,
                                             "-bi"),
                       env=self._package.environment(), check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def flush(self):
        """Try again now what could not be delivered."""
        self._run_queue(self.tag, self._cf)

    def _run_queue(self, tag, configuration):
        subprocess.run(self._package.command("sendmail", "-L", tag, "-q",
                                             "-C", configuration),
                       env=self._package.environment(), check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def _control_files(self, kind):
        return sorted(path.name[2:] for path in self._queue.glob(kind + "*"))

    def held(self):
        """Quarantined messages: queue id and reason."""
        reasons = {}
        for queue_id in self._control_files("hf"):
            text = (self._queue / ("hf" + queue_id)).read_text("latin-1")
            reason = re.search(r"^q(.*)$", text, re.M)
            reasons[queue_id] = reason[1] if reason else ""
        return reasons

    def settle(self, timeout=20):
        """Wait until every message has gone where it goes."""
        end = time.monotonic() + timeout
        runs_at = time.monotonic() + 1
        # Twice: a message may go from one to another behind our back.
        while self._queued() or self._queued():
            if time.monotonic() > end:
                raise RuntimeError(f"{self.tag}: still queued: "
                                   f"{self._queued()}")
            if time.monotonic() > runs_at and self._submissions():
                self._run_queue("sm-msp", SUBMIT_CF)
                runs_at = time.monotonic() + 1
            time.sleep(0.02)

    def _queued(self):
        return self._submissions() + self._control_files("qf")

    @staticmethod
    def _submissions():
        """What the command could not hand over: on real hosts there is a
        queue runner for it."""
        return glob.glob(f"{SUBMIT_QUEUE}/qf*")

    def empty(self):
        """Throw away what is still there."""
        for queue in (self._queue, pathlib.Path(SUBMIT_QUEUE)):
            for path in queue.glob("[hdqx]f*"):
                path.unlink()
