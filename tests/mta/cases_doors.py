# SPDX-License-Identifier: BSD-2-Clause
"""The two other doors: the policy service and the socketmap server.

Protocols: Postfix's SMTPD_POLICY_README and socketmap_table(5).
"""

import os
import pwd
import socket
import stat

import policies
from bed import WITH_MILTERD
from world import DAEMON_USER, write

POLICY = policies.PLAIN
BEDS = WITH_MILTERD


def door(bed, name):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(10)
    sock.connect(bed.daemon.sockets()[name])
    return sock


def netstring(text):
    return f"{len(text)}:{text},".encode()


def ask_socketmap(sock, question):
    sock.sendall(netstring(question))
    answer = b""
    while b":" not in answer:
        answer += sock.recv(1)
    size = int(answer[:-1])
    rest = b""
    while len(rest) < size + 1:
        rest += sock.recv(size + 1 - len(rest))
    return rest[:-1].decode()


def test_socketmap_answers_one_key_at_a_time(bed):
    with door(bed, "socketmap_socket") as sock:
        for question, answer in (
                ("access 192.0.2.20", "OK RELAY"),
                ("access connect:partner.example", "OK RELAY"),
                ("access From:SPAMMER@good.example",
                 "OK 550 We don't like a spammer!"),
                ("access sub.qq.com", "NOTFOUND "),
                ("access 192.0.2.21", "NOTFOUND ")):
            got = ask_socketmap(sock, question)
            assert got == answer, f"{question}: {got!r}"
        assert ask_socketmap(sock, "nosuchmap key")[:4] in ("PERM", "NOTF")


def ask_policy(bed, **attributes):
    """The action for one request, as smtpd sends it at RCPT."""
    given = {"request": "smtpd_access_policy", "protocol_state": "RCPT",
             "protocol_name": "ESMTP", "helo_name": "client.example",
             "queue_id": "", "client_name": "unknown",
             "reverse_client_name": "unknown", "sender": "a@good.example",
             "sasl_method": "", "sasl_username": "", **attributes}
    request = "".join(f"{name}={value}\n" for name, value in given.items())
    with door(bed, "policy_socket") as sock:
        sock.sendall(request.encode() + b"\n")
        answer = b""
        while not answer.endswith(b"\n\n"):
            part = sock.recv(4096)
            assert part, answer
            answer += part
    assert answer.startswith(b"action="), answer
    return answer.decode()[len("action="):].rstrip("\n")


def test_policy_service_grants_nothing_but_relaying(bed):
    stranger = {"client_address": "192.0.2.7",
                "client_name": "host7.stranger.example",
                "reverse_client_name": "host7.stranger.example"}
    partner = {"client_address": "192.0.2.21",
               "client_name": "mx1.partner.example",
               "reverse_client_name": "mx1.partner.example"}
    liar = {"client_address": "192.0.2.11", "client_name": "unknown",
            "reverse_client_name": "liar.partner.example"}
    for client, recipient, wanted in (
            (partner, "u@victim.example", "OK"),
            (stranger, "u@relayed.example", "OK"),
            (stranger, "u@branch.example", "OK"),
            (stranger, "u@abc.com", "DUNNO"),
            (liar, "u@abc.com", "DUNNO")):
        got = ask_policy(bed, recipient=recipient, **client)
        assert got == wanted, f"{client} {recipient}: {got}"
    for client, text in (
            (stranger, "550 5.7.1 Relaying denied"),
            (liar, "550 5.7.1 Relaying denied. "
                   "IP name possibly forged [192.0.2.11]")):
        got = ask_policy(bed, recipient="u@victim.example", **client)
        assert got == text, f"{client}: {got}"


def test_sockets_belong_to_daemon_and_group_of_directory(bed):
    for path in bed.daemon.sockets().values():
        status = os.stat(path)
        assert stat.filemode(status.st_mode) == "srw-rw----", \
            f"{path}: {stat.filemode(status.st_mode)}"
        parent = os.stat(os.path.dirname(path))
        assert (status.st_uid, status.st_gid) == \
            (parent.st_uid, parent.st_gid), \
            f"{path}: {status.st_uid}:{status.st_gid}"


def test_daemon_runs_as_its_user(bed):
    with open(f"/proc/{bed.daemon.pid}/status") as status:
        fields = dict(line.split(":", 1) for line in status)
    wanted = pwd.getpwnam(DAEMON_USER)
    for name, number in (("Uid", wanted.pw_uid), ("Gid", wanted.pw_gid)):
        assert number != 0 and set(fields[name].split()) == {str(number)}, \
            f"{name}: {fields[name]} ({DAEMON_USER} is {number})"


def test_postfix_asks_the_socketmap(bed):
    table = f"socketmap:unix:{bed.daemon.sockets()['socketmap_socket']}:access"
    for key, value in (("qq.com", "DISCARD"), ("192.0.2.20", "RELAY"),
                       ("nosuch.example", None)):
        got = bed.mta.lookup(key, table)
        assert got == value, f"{key}: {got}"
    with bed.dial("192.0.2.7", helo="bad.helo.example") as talk:
        talk.mail("a@good.example")
        reply = talk.rcpt("u@abc.com")
    assert reply == ("554 5.7.1 <bad.helo.example>: "
                     "Helo command rejected: Access denied"), reply


test_postfix_asks_the_socketmap.beds = ("postfix",)


def answer_to(bed, sender):
    with bed.dial("192.0.2.7") as talk:
        return talk.mail(sender)


def test_reload_reaches_every_door(bed):
    sender = "new@good.example"
    assert answer_to(bed, sender)[:3] == "250"
    write(policies.ACCESS, POLICY.access + f"From:{sender}\t550 New rule\n")
    try:
        done = bed.daemon.control("reload")
        assert done.returncode == 0, done.stderr
        bed.expect(answer_to(bed, sender), f"550 5.0.0 <{sender}>... New rule")
        with door(bed, "socketmap_socket") as sock:
            got = ask_socketmap(sock, "access from:" + sender)
            assert got == "OK 550 New rule", got
    finally:
        write(policies.ACCESS, POLICY.access)
        assert bed.daemon.control("reload").returncode == 0
    assert answer_to(bed, sender)[:3] == "250"


def test_broken_configuration_keeps_the_old_policy(bed):
    bed.daemon.configure(policies.options(POLICY) + "no_such_word = 1\n")
    try:
        done = bed.daemon.control("reload")
        assert done.returncode != 0
        assert "milterd.conf:" in done.stderr + done.stdout, done
        bed.expect(answer_to(bed, "spammer@good.example"),
                   "550 5.0.0 <spammer@good.example>... "
                   "We don't like a spammer!")
    finally:
        bed.daemon.configure(policies.options(POLICY))
    assert bed.daemon.control("reload").returncode == 0
