# SPDX-License-Identifier: BSD-2-Clause
"""Decisions, and the lines that milterd's own log code writes of them: this
end of the socket is the log daemon, and stamps the lines in either style."""
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SRC = os.path.abspath(os.environ.get("top_srcdir")
                      or os.path.join(HERE, "..", ".."))
BUILD = os.path.abspath(os.environ.get("top_builddir") or ".")
FIELDS = ("queue_id", "address", "ptr", "resolve", "kind", "rule", "arg1",
          "arg2", "code", "enhanced", "about", "text")


def decision(address, ptr, resolve, rule, arg1, reply="", **more):
    """`reply` as sendmail writes it, "550 5.7.1 text"; `about` in `more`."""
    code, _, rest = reply.partition(" ")
    enhanced, _, text = rest.partition(" ")
    made = {"queue_id": "", "address": address, "ptr": ptr,
            "resolve": resolve, "rule": rule, "arg1": arg1, "arg2": "",
            "kind": "defer" if code.startswith("4") else "reject",
            "code": code or "0", "enhanced": enhanced, "about": "",
            "text": text}
    made.update(more)
    return made


def refused_rcpt(address, ptr, resolve, rcpt, reply, **more):
    return decision(address, ptr, resolve, "check_rcpt", rcpt, reply,
                    about=rcpt, **more)


def receive(daemon, lines, ended):
    daemon.settimeout(0.2)
    while True:
        try:
            lines.append(daemon.recv(8192).decode("utf-8", "replace"))
        except socket.timeout:
            if ended.is_set():
                return


def written(decisions):
    """The datagrams' text behind the priority and the stamp."""
    folder = tempfile.mkdtemp(prefix="milterd-log.")
    path = os.path.join(folder, "log")
    daemon = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    daemon.bind(path)
    lines, ended = [], threading.Event()
    reader = threading.Thread(target=receive, args=(daemon, lines, ended))
    reader.start()
    try:
        text = "".join("\t".join(d[f] for f in FIELDS) + "\n"
                       for d in decisions)
        subprocess.run([os.path.join(BUILD, "tests/logs/lines"), path],
                       input=text, text=True, check=True)
    finally:
        ended.set()
        reader.join()
        daemon.close()
        shutil.rmtree(folder)
    return [re.sub(r"^<\d+>\w{3} [ \d]\d \d\d:\d\d:\d\d ", "", line)
            for line in lines]


def start(folder):
    """milterd with an access map, logging to standard error; and milterctl as
    a list of arguments."""
    config = os.path.join(folder, "milterd.conf")
    access = os.path.join(folder, "access")
    with open(access, "w", encoding="utf-8") as file:
        file.write("spam.example REJECT\n")
    with open(config, "w", encoding="utf-8") as file:
        file.write('socket = "unix:%s/milter"\ncontrol_socket = "unix:%s/ctl"\n'
                   'access = "%s"\nhostname = "mx.abc.example"\n'
                   'allow_unsafe_files = yes\n' % (folder, folder, access))
    daemon = subprocess.Popen(
        [os.path.join(BUILD, "milterd"), "-f", "-e", "-c", config],
        stderr=subprocess.PIPE, text=True)
    control = [os.path.join(BUILD, "milterctl"), "-c", config]
    for _ in range(100):
        if subprocess.run(control + ["status"], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL,
                          check=False).returncode == 0:
            return daemon, control
        time.sleep(0.1)
    daemon.kill()
    raise RuntimeError("milterd does not start: " + daemon.communicate()[1])


def lines_of_a_day():
    """What milterd says of itself: a start, a reload, one that is refused,
    an end."""
    folder = tempfile.mkdtemp(prefix="milterd-log.")
    try:
        daemon, control = start(folder)
        subprocess.run(control + ["reload"], stdout=subprocess.DEVNULL,
                       check=True)
        os.remove(os.path.join(folder, "access"))
        subprocess.run(control + ["reload"], stderr=subprocess.DEVNULL,
                       check=False)
        daemon.terminate()
        said = daemon.communicate(timeout=30)[1]
    finally:
        shutil.rmtree(folder)
    return [line[16:] for line in said.splitlines()]


def stamped(lines, style, when=None):
    """As syslogd writes them into the file: one a second from `when`."""
    when = time.time() - len(lines) if when is None else when
    result = []
    for number, line in enumerate(lines):
        at = time.localtime(when + number)
        if style == "rfc3339":
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S", at) + ".%06d" % (
                number * 7919 % 1000000) + "+00:00"
        else:
            stamp = "%s %2d %s" % (time.strftime("%b", at), at.tm_mday,
                                   time.strftime("%H:%M:%S", at))
        result.append("%s mx %s\n" % (stamp, line))
    return result


def need(*tools):
    for tool in tools:
        if shutil.which(tool) is None:
            print("SKIP: %s is not here" % tool)
            sys.exit(77)


class Count:
    def __init__(self):
        self.passed = 0
        self.failed = 0

    def same(self, what, got, wanted):
        if got == wanted:
            self.passed += 1
            return
        self.failed += 1
        print("FAIL: %s: %r, expected %r" % (what, got, wanted))

    def end(self):
        print("%d passed, %d failed" % (self.passed, self.failed))
        sys.exit(1 if self.failed else 0)
