# SPDX-License-Identifier: BSD-2-Clause
"""The control socket and milterctl's commands on it, but for explain."""

import json
import os
import subprocess
import time

from doorkit import ACCESS, ask_policy, everything, prepared, running

NOBODY = 65534


def ask(doors, request, half_close=True):
    with doors.dial("control") as sock:
        try:
            sock.sendall(request)
            if half_close:
                sock.shutdown(1)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return everything(sock).decode()


def test_status_in_text(programs, directory):
    with running(programs, directory) as doors:
        done = doors.control("status")
        assert done.returncode == 0, done
        lines = done.stdout.splitlines()
        for line in (f"pid: {doors.daemon.pid}", "generation: 1",
                     "open_sessions: 0", "log_lines_dropped: 0"):
            assert line in lines, done.stdout
        assert f"  {doors.access}: " in done.stdout, done.stdout


def test_status_in_json(programs, directory):
    with running(programs, directory) as doors:
        os.utime(doors.access, (86400, 86400))
        assert doors.control("reload").returncode == 0
        done = doors.control("status", "--json")
        told = json.loads(done.stdout)
        assert done.stdout.count("\n") == 1
        assert told["pid"] == doors.daemon.pid
        assert told["generation"] == 2
        assert 0 <= told["age_s"] <= told["uptime_s"] < 60
        assert told["counters"]["reloads"] == 1
        access = next(part for part in told["maps"]
                      if part["name"] == "access")
        assert access["kind"] == "map"
        assert access["entries"] == \
            sum("\t" in line for line in ACCESS.splitlines())
        assert access["files"] == [{
            "path": doors.access, "modified": "1970-01-02T00:00:00Z",
            "bytes": os.stat(doors.access).st_size}]


def test_reload_tells_what_changed(programs, directory):
    with running(programs, directory) as doors:
        before = sum("\t" in line for line in ACCESS.splitlines())
        doors.write_access(ACCESS.replace("192.0.2.20\tRELAY\n", "").replace(
            "Connect:192.0.2.30\tREJECT", "Connect:192.0.2.30\tOK") +
            "a.example\tOK\nb.example\tOK\n")
        done = doors.control("reload")
        assert done.returncode == 0, done
        line = next(line for line in done.stdout.splitlines()
                    if line.startswith("access"))
        for number in (before, before + 1, 2, 1, 1):
            assert str(number) in line.replace(",", " ").replace(
                ":", " ").split(), line
        doors.wait_for_log("reloaded")


def test_failed_reload_keeps_the_policy(programs, directory):
    with running(programs, directory) as doors:
        lines = ACCESS.count("\n")
        doors.write_access(ACCESS + "x.example\tOK\nbad\0line\tOK\n")
        done = doors.control("reload")
        assert done.returncode == 1, done
        assert done.stdout == "", done
        assert done.stderr.startswith(
            f"milterctl: {doors.access}:{lines + 2}: "), done
        assert doors.control("lookup", "access",
                             "x.example").returncode == 1
        told = json.loads(doors.control("status", "--json").stdout)
        assert told["generation"] == 1
        assert told["counters"]["failed_reloads"] == 1
        doors.wait_for_log("not reloaded, the policy stays as it was: "
                           f"{doors.access}:{lines + 2}: ")
        doors.configure("no_such_word = 1\n")
        done = doors.control("-s", f"unix:{doors.control_path}", "reload")
        assert done.returncode == 1, done
        assert f"milterctl: {doors.daemon.config}:" in done.stderr, done


def test_lookup(programs, directory):
    with running(programs, directory) as doors:
        where = ["--config", doors.daemon.config]
        for config in ([], where):
            for words, status, output in (
                    (("access", "Connect:PARTNER.example"), 0,
                     f"RELAY\t{doors.access}:3\n"),
                    (("access", "From:spammer@good.example"), 0,
                     f"550 We don't like a spammer!\t{doors.access}:8\n"),
                    (("access", "nosuch.example"), 1, ""),
                    (("access", ""), 1, ""),
                    (("nosuchmap", "x"), 64, ""),
                    (("access",), 64, ""),
                    (("access", "a", "b"), 64, "")):
                done = doors.control("lookup", *config, *words)
                assert (done.returncode, done.stdout) == (status, output), \
                    f"{config} {words}: {done}"


def test_not_running(programs, directory):
    with prepared(programs, directory) as doors:
        for words in (("status",), ("reload",), ("lookup", "access", "x"),
                      ("explain", "--client-address", "192.0.2.1")):
            done = doors.control(*words)
            assert done.returncode == 3, done
            assert done.stderr.startswith("milterctl: milterd is not "
                                          f"running: unix:{doors.control_path}"
                                          ": "), done


def test_wrong_usage(programs, directory):
    with running(programs, directory) as doors:
        for words in ((), ("nosuch",), ("status", "x"), ("status", "--x"),
                      ("reload", "x"), ("lookup",), ("explain", "x"),
                      ("explain", "--nosuch", "x")):
            done = doors.control(*words)
            assert done.returncode == 64 and done.stdout == "", done
            assert "usage: milterctl" in done.stderr, done


def test_garbage(programs, directory):
    with running(programs, directory) as doors:
        for request in (b"\n", b"nosuch\n", b"status\n", b"status xml\n",
                        b"reload now\n", b"lookup\n", b"lookup access\n",
                        b"explain json\n", b"explain json plain x\n",
                        b"explain json plain 99999999999999\n",
                        b"status text\nreload\n", b"sta\0tus text\n",
                        b"\xff" * 100 + b"\n", b"a" * 600000 + b"\n"):
            answer = ask(doors, request, half_close=False) \
                if not request.startswith(b"explain") else ask(doors, request)
            assert answer.startswith("error 64 ") and \
                answer.count("\n") == 1, f"{request[:40]!r}: {answer!r}"
        for request in (b"", b"status text", b"expl"):
            assert ask(doors, request) == "", request
        assert ask(doors, b"status text\n").endswith("\nok\n")


def test_one_answer_a_connection(programs, directory):
    with running(programs, directory) as doors:
        answer = ask(doors, b"lookup access 192.0.2.20\n", half_close=False)
        assert answer == f"RELAY\t{doors.access}:2\nok\n", answer


def test_only_unix_sockets(programs, directory):
    """At an inet port anybody on the machine could ask."""
    with prepared(programs, directory) as doors:
        with open(doors.daemon.config) as config:
            text = config.read()
        with open(doors.daemon.config, "w") as config:
            config.write(text.replace(f"unix:{doors.control_path}",
                                      "inet:40123@127.0.0.1"))
        assert "control_socket must be a unix socket" in \
            refused(doors, doors.daemon.config)


def as_user(uid, gids, doors, request):
    """What a process of that user and those groups hears."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setgroups(gids)
            os.setgid(NOBODY)
            os.setuid(uid)
            os.write(writing, ask(doors, request).encode())
            status = 0
        except PermissionError:
            os.write(writing, b"not let in")
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading) as answer:
        text = answer.read()
    assert os.waitpid(child, 0)[1] == 0
    return text


def test_who_may_ask(programs, directory):
    """Root, the daemon's user, and members of the socket's group if its mode
    lets them; nobody else, whatever the mode."""
    if os.getuid() != 0:
        print("      (not root: cannot be other users)")
        return
    question = b"lookup access 192.0.2.20\n"
    with running(programs, directory, options="socket_mode = 0666\n") as doors:
        answer = f"RELAY\t{doors.access}:2\nok\n"
        group = os.stat(doors.control_path).st_gid
        assert as_user(0, [], doors, question) == answer
        assert as_user(NOBODY, [], doors, question) == ""
        assert as_user(NOBODY, [group + 4711], doors, question) == ""
        assert as_user(NOBODY, [1, group], doors, question) == answer
        doors.wait_for_log("control socket: turned a client away")
    with running(programs, directory, options="socket_mode = 0660\n") as doors:
        assert as_user(NOBODY, [group], doors, question) == answer
        assert as_user(NOBODY, [], doors, question) == "not let in"
    with running(programs, directory, options="socket_mode = 0606\n") as doors:
        assert as_user(NOBODY, [], doors, question) == ""
        assert as_user(NOBODY, [group], doors, question) in ("", "not let in")


def refused(doors, config):
    """What a milterd says that must not start."""
    done = subprocess.run(
        [doors.programs.milterd, "-f", "-e", "-c", config], text=True,
        capture_output=True, stdin=subprocess.DEVNULL, timeout=20,
        check=False)
    assert done.returncode != 0, done
    return done.stderr


def test_stale_and_living_sockets(programs, directory):
    """A socket that nobody serves is replaced; one that is served is not, nor
    is a file that is none."""
    with running(programs, directory) as doors:
        doors.daemon.kill()
        assert os.path.exists(doors.control_path)
        doors.daemon.start()
        assert doors.control("status").returncode == 0
        second = directory + "/second.conf"
        with open(doors.daemon.config) as config:
            text = config.read()
        with open(second, "w") as config:
            config.write(text.replace("/milterd.", "/other.").replace(
                "/control.sock", "/other-control.sock"))
        said = refused(doors, second)
        assert f"unix:{directory}/policy.sock" in said, said
        assert "somebody serves it" in said, said
        assert doors.control("status").returncode == 0
        with doors.dial("policy") as sock:
            assert ask_policy(sock, client_address="192.0.2.20") == "OK"
        os.unlink(f"{directory}/other.sock")
    with prepared(programs, directory) as doors:
        with open(doors.control_path, "w") as file:
            file.write("precious")
        assert "is no socket" in refused(doors, doors.daemon.config)
        with open(doors.control_path) as file:
            assert file.read() == "precious"


def test_sockets_are_gone_at_the_end(programs, directory):
    with running(programs, directory) as doors:
        started = time.monotonic()
        assert doors.daemon.stop() == 0
        assert time.monotonic() - started < 5
        left = [name for name in os.listdir(directory)
                if name.endswith(".sock")]
        assert not left, left
        doors.daemon.start()            # for the end of `running`
