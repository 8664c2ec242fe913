# SPDX-License-Identifier: BSD-2-Clause
"""The socketmap protocol (socketmap_table(5))."""

import pathlib
import shutil
import subprocess

from doorkit import (ACCESS, ask_map, everything, netstring,
                     netstring_answer, running)


def test_answers(programs, directory):
    with running(programs, directory) as doors, \
            doors.dial("socketmap") as sock:
        for key, wanted in (
                (b"192.0.2.20", b"OK RELAY"),
                (b"connect:partner.EXAMPLE", b"OK RELAY"),
                (b"From:spammer@good.example",
                 b"OK 550 We don't like a spammer!"),
                (b"From:held@good.example", b"OK QUARANTINE:look at this"),
                (b"192.0.2.21", b"NOTFOUND "), (b"192.0.2", b"NOTFOUND "),
                (b"sub.relayed.example", b"NOTFOUND "), (b"", b"NOTFOUND "),
                (b"a b", b"NOTFOUND "), (b"\0\xff", b"NOTFOUND "),
                (b"x" * 9000, b"NOTFOUND ")):
            got = ask_map(sock, b"access " + key)
            assert got == wanted, f"{key[:40]}: {got!r}"


def test_unknown_maps(programs, directory):
    """A class is no map: it has no values."""
    with running(programs, directory) as doors, \
            doors.dial("socketmap") as sock:
        for name in (b"aliases", b"local_domain", b"", b"ACCES"):
            got = ask_map(sock, name + b" abc.com")
            assert got.startswith(b"PERM "), f"{name}: {got!r}"
        assert ask_map(sock, b"access 192.0.2.20") == b"OK RELAY"


def test_pieces_and_pipelines(programs, directory):
    with running(programs, directory) as doors, \
            doors.dial("socketmap") as sock:
        for byte in netstring(b"access 192.0.2.20"):
            sock.sendall(bytes((byte,)))
        assert netstring_answer(sock) == b"OK RELAY"
        sock.sendall(netstring(b"access 192.0.2.20") * 100)
        for _ in range(100):
            assert netstring_answer(sock) == b"OK RELAY"


def test_bad_netstrings_close_the_connection(programs, directory):
    with running(programs, directory) as doors:
        for bad in (b"access 192.0.2.20\n", b":,", b"17;access 192.0.2.20,",
                    b"17:access 192.0.2.20;", b"-1:x,", b"017:access 192.0.2.2",
                    b"99999:x", b"999999", b"6:access,", b"0:,",
                    b"20000:" + b"x" * 20000, b"\n"):
            with doors.dial("socketmap", timeout=5) as sock:
                try:
                    sock.sendall(bad)
                except (BrokenPipeError, ConnectionResetError):
                    pass
                got = everything(sock)
                assert got == b"", f"{bad[:40]!r}: {got!r}"
        with doors.dial("socketmap") as sock:
            assert ask_map(sock, b"access 192.0.2.20") == b"OK RELAY"


def test_half_a_request_gets_no_answer(programs, directory):
    with running(programs, directory) as doors, \
            doors.dial("socketmap") as sock:
        sock.sendall(netstring(b"access 192.0.2.20")[:-1])
        sock.shutdown(1)
        assert everything(sock) == b""


def test_a_connection_sees_the_reload(programs, directory):
    with running(programs, directory) as doors, \
            doors.dial("socketmap") as sock:
        assert ask_map(sock, b"access new.example") == b"NOTFOUND "
        doors.write_access(ACCESS + "new.example\tOK\n")
        assert doors.control("reload").returncode == 0
        assert ask_map(sock, b"access new.example") == b"OK OK"


def test_postfix_own_client(programs, directory):
    """The real postmap(1), where Postfix is installed."""
    if shutil.which("postmap") is None:
        print("      (no postmap here)")
        return
    with running(programs, directory) as doors:
        # A fresh Postfix has no main.cf of its own.
        pathlib.Path(directory, "main.cf").write_text(
            "compatibility_level = 3.6\n", encoding="ascii")
        table = "socketmap:unix:" + doors.daemon.sockets()["socketmap_socket"]
        for name, key, value in (
                ("access", "192.0.2.20", "RELAY\n"),
                ("access", "from:spammer@good.example",
                 "550 We don't like a spammer!\n"),
                ("access", "nosuch.example", None),
                ("nosuchmap", "192.0.2.20", None)):
            done = subprocess.run(["postmap", "-c", str(directory), "-q",
                                   key, f"{table}:{name}"],
                                  text=True, capture_output=True, check=False)
            assert done.returncode == (0 if value else 1), done
            assert done.stdout == (value or ""), done
            assert ("no map 'nosuchmap'" in done.stderr) == \
                (name == "nosuchmap"), done
