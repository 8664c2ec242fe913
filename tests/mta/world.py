# SPDX-License-Identifier: BSD-2-Clause
"""The world of the tests: a mail host and everybody else, joined by one cable.

The test process lives on the mail host, in namespaces of its own for mounts,
host name, network and processes: what it changes in /etc, /run, /var/spool or
/dev is seen by nobody else and vanishes with it.  Everybody else is a second
network namespace, in which every IPv4 address but the mail host's is local:
clients may come from any address, and mail sent anywhere arrives there.
"""

import contextlib
import ctypes
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import threading

HOST = "mail.abc.com"
SERVER4 = "192.0.2.1"
SERVER6 = "2001:db8::1"
CLIENTS6 = ("2001:db8::7", "2001:db8::20", "2001:db8:0:66::9")
DAEMON_USER = "_milterd"

_CLONE_NEWNET = 0x40000000
_INSIDE = "MILTERD_TEST_WORLD"
_libc = ctypes.CDLL(None, use_errno=True)


def enter():
    """Start this program again inside namespaces of its own, if it is not."""
    if os.environ.get(_INSIDE):
        _leave_init_behind()
        return
    if os.geteuid() != 0:
        sys.exit(f"{sys.argv[0]}: must run as root (network namespaces)")
    os.environ[_INSIDE] = "1"
    os.execvp("unshare", ["unshare", "--mount", "--uts", "--net", "--ipc",
                          "--pid", "--fork", "--kill-child", "--mount-proc",
                          sys.executable, *sys.argv])


def _leave_init_behind():
    """Go on in a child: the first process of a namespace inherits orphans, of
    which sendmail leaves one a message, and has to take them away."""
    if os.getpid() != 1:
        return
    child = os.fork()
    while child != 0:
        ended, status = os.wait()
        if ended == child:
            os._exit(os.waitstatus_to_exitcode(status) & 255)


def leave(root):
    """Remove the directory that Files was given."""
    subprocess.run(["umount", "-l", root], check=False)
    os.rmdir(root)


def run(*argv, **options):
    """Run a command to its end; what it printed is the error if it fails."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, text=True,
                          capture_output=True, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}: exit {done.returncode}\n"
                           f"{done.stdout}{done.stderr}")
    return done.stdout


def _check(result, what):
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: "
                      f"{os.strerror(ctypes.get_errno())}")


def _namespace_here():
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


class Outside:
    """The network namespace of everybody but the mail host."""

    def __init__(self):
        self._home = _namespace_here()
        self._made = None
        thread = threading.Thread(target=self._make)
        thread.start()
        thread.join()
        self.path = f"/proc/{os.getpid()}/fd/{self._made}"

    def _make(self):
        _check(_libc.unshare(_CLONE_NEWNET), "unshare")
        self._made = _namespace_here()

    @contextlib.contextmanager
    def entered(self):
        """Sockets made and programs started in this block are outside."""
        _check(_libc.setns(self._made, _CLONE_NEWNET), "setns")
        try:
            yield
        finally:
            _check(_libc.setns(self._home, _CLONE_NEWNET), "setns")


def lay_cable():
    """Join the mail host to the outside; return the latter."""
    outside = Outside()
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "cable", "type", "veth", "peer", "name", "far")
    run("ip", "link", "set", "far", "netns", outside.path)
    run("ip", "addr", "add", f"{SERVER4}/32", "dev", "cable")
    run("ip", "addr", "add", f"{SERVER6}/64", "dev", "cable", "nodad")
    run("ip", "link", "set", "cable", "up")
    run("ip", "route", "add", "default", "dev", "cable", "src", SERVER4)
    with outside.entered():
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "set", "far", "up")
        run("ip", "route", "add", f"{SERVER4}/32", "dev", "far")
        run("ip", "route", "add", "local", "default", "dev", "lo")
        for address in CLIENTS6:
            run("ip", "addr", "add", f"{address}/32", "dev", "far", "nodad")
    return outside


class Files:
    """Private copies of the directories that the mail host writes to."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(self.root))
        run("cp", "-a", "/etc", str(self.root / "etc"))
        self._cover("/etc")
        for place in ("/run", "/var/spool", "/var/mail",
                      "/var/lib/postfix"):
            if pathlib.Path(place).is_dir():
                self._cover(place)
        self._cover_devices()
        self._name_host()
        self._add_user()

    def _cover(self, place):
        mine = self.root / place.strip("/").replace("/", "-")
        mine.mkdir(mode=0o755, exist_ok=True)
        run("mount", "--bind", str(mine), place)

    def _cover_devices(self):
        devices = self.root / "dev"
        devices.mkdir(mode=0o755)
        for name in ("null", "zero", "full", "random", "urandom"):
            (devices / name).touch()
            run("mount", "--bind", f"/dev/{name}", str(devices / name))
        for number, name in enumerate(("stdin", "stdout", "stderr")):
            (devices / name).symlink_to(f"/proc/self/fd/{number}")
        (devices / "fd").symlink_to("/proc/self/fd")
        (devices / "shm").mkdir(mode=0o1777)
        run("mount", "--rbind", str(devices), "/dev")

    def _name_host(self):
        socket.sethostname(HOST)
        write("/etc/hosts", f"127.0.0.1 localhost\n::1 localhost\n"
                            f"{SERVER4} {HOST} mail\n{SERVER6} {HOST}\n"
                            f"192.0.2.30 known.by-hosts.example\n")
        write("/etc/resolv.conf", "nameserver 127.0.0.1\n"
                                  "options timeout:2 attempts:1\n")
        write("/etc/nsswitch.conf", "passwd: files\ngroup: files\n"
                                    "hosts: files dns\nservices: files\n"
                                    "aliases: files\n")
        write("/etc/mailname", HOST + "\n")

    def _add_user(self):
        """The daemon's, unless milterd is installed here."""
        if pathlib.Path("/etc/passwd").read_text().find(
                f"\n{DAEMON_USER}:") >= 0:
            return
        with open("/etc/passwd", "a") as passwd:
            passwd.write(f"{DAEMON_USER}:x:990:990::/nonexistent:"
                         "/usr/sbin/nologin\n")
        with open("/etc/group", "a") as group:
            group.write(f"{DAEMON_USER}:x:990:\n")


def write(path, text, mode=0o644):
    """Write a whole file at once, as an editor or package would."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    new.write_text(text)
    new.chmod(mode)
    new.rename(path)


def make_directory(path, owner="root", group="root", mode=0o755):
    """Make a directory that certainly has this owner and mode."""
    os.makedirs(path, exist_ok=True)
    shutil.chown(path, owner, group)
    os.chmod(path, mode)
