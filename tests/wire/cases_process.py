# SPDX-License-Identifier: BSD-2-Clause
"""milterd as a process: its options, how it starts, fails to start, becomes a
daemon, gives up privileges and ends."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time

import miltertalk
from logged import dial, expect, greeted, logged
from node import NO_NAME_SERVER, Node
from results import within

EX_OK, EX_USAGE, EX_NOINPUT, EX_NOUSER = 0, 64, 66, 67
EX_UNAVAILABLE, EX_OSERR, EX_CANTCREAT, EX_CONFIG = 69, 71, 73, 78


def configured(programs, directory, options=""):
    """A node that is not started."""
    node = Node(programs, directory)
    node.write_access("From:spam@x.example\tREJECT\n")
    node.options += NO_NAME_SERVER + options
    node.daemon.configure(node.options)
    return node


def run(programs, *arguments, **how):
    return subprocess.run([programs.milterd, *arguments], text=True,
                          capture_output=True, stdin=subprocess.DEVNULL,
                          timeout=30, **how)


def refuses(programs, node, status, *words):
    """Neither in the foreground nor as a daemon does it start; it says why."""
    for foreground in (["-f", "-e"], []):
        done = run(programs, *foreground, "-c", node.daemon.config)
        assert done.returncode == status, done
        for word in words:
            assert word in done.stderr, done


def test_usage(programs, directory):
    for arguments in (["-x"], ["--no-such-option"], ["word"], ["-c"]):
        done = run(programs, *arguments)
        assert done.returncode == EX_USAGE, done
        assert "usage:" in done.stderr and not done.stdout, done


def test_help_and_version(programs, directory):
    for option in ("-h", "--help"):
        done = run(programs, option)
        assert done.returncode == EX_OK and "--config" in done.stdout, done
    for option in ("-V", "--version"):
        done = run(programs, option)
        assert done.returncode == EX_OK, done
        assert done.stdout.startswith("milterd "), done
        assert "libmilter" in done.stdout, done


def test_configuration_is_tested(programs, directory):
    node = configured(programs, directory)
    for option in ("-t", "--test"):
        done = run(programs, option, "--config", node.daemon.config)
        assert done.returncode == EX_OK and not done.stderr, done
    node.daemon.configure(node.options + "no_such_word = 1\n")
    done = run(programs, "-t", "-c", node.daemon.config)
    assert done.returncode == EX_CONFIG, done
    assert "milterd.conf:" in done.stderr, done
    done = run(programs, "-t", "-c", f"{directory}/absent")
    assert done.returncode == EX_NOINPUT, done
    assert not os.path.exists(node.daemon.sockets()["socket"])


def test_warnings_are_shown(programs, directory):
    node = configured(programs, directory)
    node.write_access("a.example\tREJECT\na.example\tOK\n")
    done = run(programs, "-t", "-c", node.daemon.config)
    assert done.returncode == EX_OK and "access:2" in done.stderr, done


def test_bad_configuration(programs, directory):
    node = configured(programs, directory, "no_such_word = 1\n")
    refuses(programs, node, EX_CONFIG, "milterd.conf:", "no_such_word")
    assert os.listdir(directory).count("milterd.pid") == 0


def test_no_socket_is_set(programs, directory):
    node = configured(programs, directory)
    with open(node.daemon.config) as config:
        lines = [line for line in config if not line.startswith("socket =")]
    with open(node.daemon.config, "w") as config:
        config.writelines(lines)
    refuses(programs, node, EX_CONFIG, '"socket" is not set')
    done = run(programs, "-t", "-c", node.daemon.config)
    assert done.returncode == EX_CONFIG, done


def test_unknown_user(programs, directory):
    node = configured(programs, directory, 'user = "nobody-of-that-name"\n')
    refuses(programs, node, EX_NOUSER, "nobody-of-that-name")


def test_socket_that_somebody_serves(programs, directory):
    with logged(programs, directory) as node:
        other = Node(programs, directory)
        other.daemon.config = f"{directory}/other.conf"
        other.daemon.configure(node.options)
        with open(other.daemon.config) as config:
            text = config.read().replace("milterd.pid", "other.pid")
        with open(other.daemon.config, "w") as config:
            config.write(text)
        refuses(programs, other, EX_UNAVAILABLE, "milterd.sock")
        with greeted(node, "postfix") as talk:
            expect(talk.mail("a@x.example"), "c")


def test_second_daemon(programs, directory):
    with logged(programs, directory) as node:
        refuses(programs, node, EX_UNAVAILABLE, "already running",
                str(node.daemon.pid))


def test_path_that_is_no_socket(programs, directory):
    node = configured(programs, directory)
    path = node.daemon.sockets()["socket"]
    with open(path, "w") as precious:
        precious.write("precious")
    refuses(programs, node, EX_CANTCREAT, "milterd.sock")
    with open(path) as precious:
        assert precious.read() == "precious"


def test_directory_that_is_not_there(programs, directory):
    node = configured(programs, directory)
    with open(node.daemon.config) as config:
        text = config.read().replace("/milterd.sock", "/absent/milterd.sock")
    with open(node.daemon.config, "w") as config:
        config.write(text)
    refuses(programs, node, EX_CANTCREAT, "absent/milterd.sock",
            "No such file")


def test_pid_file_is_no_link(programs, directory):
    """Started as root it would else write wherever the link points."""
    node = configured(programs, directory)
    os.symlink(f"{directory}/victim", f"{directory}/milterd.pid")
    refuses(programs, node, EX_CANTCREAT, "milterd.pid")
    assert not os.path.exists(f"{directory}/victim")


def test_stale_pid_file_and_sockets(programs, directory):
    node = configured(programs, directory)
    with open(f"{directory}/milterd.pid", "w") as pid_file:
        pid_file.write("1\n")
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(node.daemon.sockets()["socket"])
    node.daemon.start()
    try:
        with open(f"{directory}/milterd.pid") as pid_file:
            assert pid_file.read() == f"{node.daemon.pid}\n"
    finally:
        assert node.daemon.stop() == 0
    assert not os.path.exists(f"{directory}/milterd.pid")


def test_too_few_descriptors(programs, directory):
    node = configured(programs, directory)
    done = subprocess.run(
        ["sh", "-c", f'ulimit -n 100; exec "{programs.milterd}" -f -e -c '
         f'"{node.daemon.config}"'], text=True, capture_output=True)
    assert done.returncode == EX_OSERR, done
    assert "100" in done.stderr and "256" in done.stderr, done


@contextlib.contextmanager
def daemonized(programs, node):
    """Start it as a daemon; its pid."""
    done = run(programs, "-c", node.daemon.config)
    assert done.returncode == EX_OK, done
    with open(os.path.join(os.path.dirname(node.daemon.config),
                           "milterd.pid")) as pid_file:
        pid = int(pid_file.read())
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGTERM)
        end = time.monotonic() + 60
        while is_running(pid) and time.monotonic() < end:
            time.sleep(0.02)
        assert not is_running(pid)


def is_running(pid):
    """Not gone, nor waiting for somebody to ask how it went."""
    try:
        with open(f"/proc/{pid}/stat") as stat_file:
            return stat_file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_becomes_a_daemon(programs, directory):
    """Once the command has returned, it serves; nothing ties it to us."""
    node = configured(programs, directory)
    with daemonized(programs, node) as pid:
        with greeted(node, "postfix") as talk:
            expect(talk.mail("a@x.example"), "c")
        assert os.getsid(pid) == pid
        assert os.readlink(f"/proc/{pid}/cwd") == "/"
        for number in range(3):
            assert os.readlink(f"/proc/{pid}/fd/{number}") == "/dev/null"
    assert not os.path.exists(f"{directory}/milterd.pid")


def test_configuration_by_relative_path(programs, directory):
    """Found again by a reload, though the daemon has gone to /."""
    node = configured(programs, directory)
    done = run(programs, "-c", "milterd.conf", cwd=directory)
    assert done.returncode == EX_OK, done
    with open(f"{directory}/milterd.pid") as pid_file:
        pid = int(pid_file.read())
    try:
        done = node.daemon.control("reload")
        assert done.returncode == 0, done
    finally:
        os.kill(pid, signal.SIGTERM)


def service_manager(directory):
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(f"{directory}/notify")
    manager.settimeout(10)
    return manager


def test_tells_a_service_manager(programs, directory):
    with service_manager(directory) as manager:
        os.environ["NOTIFY_SOCKET"] = f"{directory}/notify"
        try:
            with logged(programs, directory) as node:
                del os.environ["NOTIFY_SOCKET"]
                assert manager.recv(100) == b"READY=1"
                node.daemon.signal(signal.SIGHUP)
                assert manager.recv(100).startswith(b"RELOADING=1")
                assert manager.recv(100) == b"READY=1"
                node.daemon.stop()
                assert manager.recv(100) == b"STOPPING=1"
        finally:
            os.environ.pop("NOTIFY_SOCKET", None)


def test_broken_reload_by_signal_is_logged(programs, directory):
    with logged(programs, directory) as node:
        node.daemon.configure(node.options + "no_such_word = 1\n")
        node.daemon.signal(signal.SIGHUP)
        node.daemon.logged("not reloaded")
        assert "no_such_word" in node.daemon.log()
        with greeted(node, "postfix") as talk:
            expect(talk.mail("a@x.example"), "c")


def waited(node, seconds):
    status = node.daemon.wait(seconds)
    within(status is not None, f"it does not end in {seconds} s")
    assert status == 0, node.daemon.log()


def test_message_under_way_is_finished(programs, directory):
    """SIGTERM: it may go on for a while, a new one may not begin."""
    with logged(programs, directory) as node, \
            greeted(node, "postfix") as begun, \
            greeted(node, "postfix") as idle:
        expect(begun.mail("a@x.example"), "c")
        node.daemon.signal(signal.SIGTERM)
        time.sleep(0.5)
        assert idle.mail("a@x.example").text.startswith("421 4.3.2 ")
        for _ in range(20):
            expect(begun.rcpt("u@abc.com"), "c")
            time.sleep(0.02)
        expect(begun.end_of_message(), "c")
        waited(node, 5)


def test_new_connections_wait_while_it_ends(programs, directory):
    with logged(programs, directory) as node, \
            greeted(node, "postfix") as begun:
        expect(begun.mail("a@x.example"), "c")
        node.daemon.signal(signal.SIGTERM)
        time.sleep(0.5)
        with dial(node, timeout=1) as talk:
            talk.send("O", b"\0\0\0\6\0\0\1\xff\0\x1f\xff\xff")
            with contextlib.suppress(TimeoutError):
                command, _ = talk.receive()
                raise AssertionError(f"answered {command}")
        begun.abort()
        waited(node, 5)


def test_message_that_never_ends_is_cut_off(programs, directory):
    with logged(programs, directory) as node, \
            greeted(node, "postfix") as begun:
        expect(begun.mail("a@x.example"), "c")
        started = time.monotonic()
        node.daemon.signal(signal.SIGTERM)
        waited(node, 25)
        took = time.monotonic() - started
        assert took > 10, took
        within(took < 20, took)
        assert "1 messages are cut off" in node.daemon.log()


def test_second_sigterm_and_sigint_do_not_wait(programs, directory):
    for signals in ((signal.SIGTERM, signal.SIGTERM), (signal.SIGINT,)):
        with logged(programs, directory) as node, \
                greeted(node, "postfix") as begun:
            expect(begun.mail("a@x.example"), "c")
            for number in signals:
                node.daemon.signal(number)
                time.sleep(0.2)
            waited(node, 3)


@contextlib.contextmanager
def place_of(user, group_id, mode):
    """A directory that a user can reach and make sockets in."""
    place = tempfile.mkdtemp(prefix="milterd-own-", dir="/tmp")
    os.chown(place, pwd.getpwnam(user).pw_uid, group_id)
    os.chmod(place, mode)
    try:
        yield place
    finally:
        shutil.rmtree(place)


def identity(pid):
    with open(f"/proc/{pid}/status") as status:
        fields = dict(line.rstrip("\n").split(":", 1) for line in status)
    return ({int(n) for n in fields["Uid"].split()},
            {int(n) for n in fields["Gid"].split()},
            {int(n) for n in fields["Groups"].split()},
            int(fields["CapEff"], 16), int(fields["CapPrm"], 16))


def test_gives_up_roots_rights(programs, directory):
    if os.geteuid() != 0:
        return
    user = pwd.getpwnam("nobody")
    with place_of("nobody", 4, 0o2750) as place, \
            logged(programs, place, options=NO_NAME_SERVER
                   + 'user = "nobody"\nsocket_mode = 0660\n') as node:
        uids, gids, groups, effective, permitted = identity(node.daemon.pid)
        assert uids == {user.pw_uid} and gids == {user.pw_gid}, (uids, gids)
        assert groups <= {user.pw_gid} and not effective and not permitted
        # Each thread, too: libmilter's do the work.
        for thread in os.listdir(f"/proc/{node.daemon.pid}/task"):
            assert identity(f"{node.daemon.pid}/task/{thread}")[0] == uids
        # The set-group-id directory of a chrooted Postfix gives its group.
        status = os.stat(node.daemon.sockets()["socket"])
        assert stat.filemode(status.st_mode) == "srw-rw----", oct(
            status.st_mode)
        assert (status.st_uid, status.st_gid) == (user.pw_uid, 4)
        with greeted(node, "postfix") as talk:
            expect(talk.mail("a@x.example"), "c")


def test_group_of_its_own(programs, directory):
    if os.geteuid() != 0:
        return
    with place_of("nobody", 0, 0o755) as place, \
            logged(programs, place, options=NO_NAME_SERVER
                   + 'user = "nobody"\ngroup = "mail"\n') as node:
        assert identity(node.daemon.pid)[1] == {8}
        assert os.stat(node.daemon.sockets()["socket"]).st_gid == 8


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def talks_over(programs, directory, address, family, host, port):
    node = configured(programs, directory)
    path = node.daemon.sockets()["socket"]
    with open(node.daemon.config) as config:
        text = config.read().replace(f"unix:{path}", address)
    with open(node.daemon.config, "w") as config:
        config.write(text)
    with daemonized(programs, node), \
            socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.connect((host, port))
        with miltertalk.Talk(sock) as talk:
            talk.negotiate()
            expect(talk.connect("host.example", "192.0.2.7"), "c")
            assert talk.mail("spam@x.example").verdict == "y"


def test_inet_socket(programs, directory):
    """libmilter has a word of its own for IPv6, and no "*"."""
    port = free_port()
    for address, family, host in (
            (f"inet:{port}@127.0.0.1", socket.AF_INET, "127.0.0.1"),
            (f"inet:{port}@localhost", socket.AF_INET, "127.0.0.1"),
            (f"inet:{port}@*", socket.AF_INET, "127.0.0.1"),
            (f"inet:{port}@::1", socket.AF_INET6, "::1"),
            (f"inet:{port}@[::1]", socket.AF_INET6, "::1")):
        talks_over(programs, directory, address, family, host, port)
