# SPDX-License-Identifier: BSD-2-Clause
"""Postfix's policy delegation protocol (SMTPD_POLICY_README): what is asked in
smtpd_relay_restrictions, before reject_unauth_destination."""

import threading
import time

from doorkit import (BROKEN, SILENT, ask_policy, everything, policy_answer,
                     policy_request, running)
from results import within

UNKNOWN = {"client_name": "unknown", "reverse_client_name": "unknown"}
LIAR = {"client_address": "192.0.2.11", "client_name": "unknown",
        "reverse_client_name": "liar.partner.example"}
PARTNER = {"client_address": "192.0.2.21",
           "client_name": "mx1.partner.example",
           "reverse_client_name": "mx1.partner.example"}
RELAY = {"client_address": "192.0.2.20"}


def check(doors, cases):
    with doors.dial("policy") as sock:
        for attributes, wanted in cases:
            got = ask_policy(sock, **attributes)
            assert got == wanted, f"{attributes}: {got!r}, not {wanted!r}"


def test_grants_and_denies_relaying(programs, directory):
    with running(programs, directory) as doors:
        check(doors, (
            ({}, "550 5.7.1 Relaying denied"),
            (RELAY, "OK"),
            ({**RELAY, **UNKNOWN}, "OK"),
            (PARTNER, "OK"),
            ({"recipient": "u@relayed.example"}, "OK"),
            ({"recipient": "u@sub.relayed.example"}, "OK"),
            ({"recipient": "u@relayed.example.test"},
             "550 5.7.1 Relaying denied"),
            (LIAR, "550 5.7.1 Relaying denied. "
                   "IP name possibly forged [192.0.2.11]"),
            ({"client_address": "127.0.0.1", "client_name": "localhost",
              "reverse_client_name": "localhost"}, "OK")))


def test_tells_no_name_from_a_name_server_that_fails(programs, directory):
    """Postfix says "unknown" to both; sendmail tells them apart."""
    with running(programs, directory) as doors:
        check(doors, (
            ({**UNKNOWN, "client_address": "192.0.2.8"},
             "550 5.7.1 Relaying denied. IP name lookup failed [192.0.2.8]"),
            ({**UNKNOWN, "client_address": f"192.0.2.{BROKEN}"},
             "450 4.4.0 Relaying temporarily denied. "
             f"Cannot resolve PTR record for 192.0.2.{BROKEN}")))


def test_trusted_authentication_relays(programs, directory):
    with running(programs, directory,
                 options='trust_auth_mech = { "PLAIN" }\n') as doors:
        check(doors, (
            ({"sasl_method": "PLAIN", "sasl_username": "u"}, "OK"),
            ({"sasl_method": "LOGIN", "sasl_username": "u"},
             "550 5.7.1 Relaying denied. "
             "Proper authentication required.")))


def test_leaves_to_postfix_and_the_milter_what_is_theirs(programs, directory):
    """Local domains are Postfix's to know; other refusals the milter gives in
    sendmail's words."""
    with running(programs, directory) as doors:
        check(doors, (
            ({"recipient": "u@abc.com"}, "DUNNO"),
            ({"recipient": "u@ABC.com."}, "DUNNO"),
            ({"recipient": "postmaster"}, "DUNNO"),
            ({**RELAY, "recipient": "u@abc.com"}, "DUNNO"),
            ({"recipient": "closed@abc.com"}, "DUNNO"),
            ({**LIAR, "recipient": "u@abc.com"}, "DUNNO"),
            # Of what does not end here Postfix would say something else.
            ({"recipient": "u@victim.example@"},
             "553 5.1.3 Hostname required")))


def test_discards_and_holds(programs, directory):
    with running(programs, directory) as doors:
        check(doors, (
            ({"recipient": "sink@abc.com"}, "DISCARD"),
            ({"recipient": "hole@victim.example"}, "DISCARD"),
            # Held, and yet not relayed: reject_unauth_destination follows.
            ({"recipient": "suspect@victim.example"}, "HOLD look at that")))


def test_answers_at_rcpt_only(programs, directory):
    with running(programs, directory) as doors:
        check(doors, [({**RELAY, "protocol_state": state}, "DUNNO")
                      for state in ("CONNECT", "EHLO", "HELO", "MAIL", "DATA",
                                    "END-OF-MESSAGE", "VRFY", "ETRN", "")]
              + [(RELAY, "OK")])


def test_address_tricks_open_nothing(programs, directory):
    """Postfix tells addresses without their quotes."""
    denied = "550 5.7.1 Relaying denied"
    with running(programs, directory) as doors:
        with doors.dial("policy") as sock:
            for recipient in ("u@victim.example@abc.com",
                              "u%victim.example@abc.com",
                              "victim.example!u@abc.com",
                              '"u"@victim.example', "u@[192.0.2.99]",
                              "@abc.com:u@victim.example",
                              "u@victim.example@relayed.example",
                              "u\\@victim.example@abc.com",
                              'u"@victim.example',
                              # What Postfix looks into, and sendmail not.
                              "u%victim.example @abc.com",
                              "u x@victim.example@abc.com",
                              "u(%victim.example@abc.com",
                              "<x>%victim.example@abc.com",
                              "<x>%victim.example",
                              "victim.example!u(x@abc.com",
                              "victim.example!@abc.com",
                              "victim.example!<x>@relayed.example"):
                got = ask_policy(sock, recipient=recipient)
                assert got != "OK", f"{recipient}: {got}"
            for recipient in ("u@victim.example@abc.com",
                              "u%victim.example@abc.com"):
                got = ask_policy(sock, recipient=recipient)
                assert got == denied, f"{recipient}: {got}"
            # For a client that may relay they are all one.
            for recipient in ("u@victim.example@abc.com",
                              "u%victim.example@abc.com"):
                got = ask_policy(sock, **RELAY, recipient=recipient)
                assert got == "OK", f"{recipient}: {got}"


def test_refusals_alone_are_logged(programs, directory):
    with running(programs, directory) as doors:
        check(doors, ((RELAY, "OK"), ({"recipient": "u@abc.com"}, "DUNNO"),
                      ({"recipient": "closed@abc.com"}, "DUNNO"),
                      ({**LIAR, "recipient": 'x y@victim.example',
                        "queue_id": "8045F2AB23"},
                       "550 5.7.1 Relaying denied. "
                       "IP name possibly forged [192.0.2.11]")))
        doors.wait_for_log("8045F2AB23: ruleset=check_rcpt, arg1=")
        lines = [line for line in doors.log().splitlines()
                 if "ruleset=" in line]
        assert len(lines) == 1, lines
        assert "relay=liar.partner.example [192.0.2.11] (may be forged), " \
            "reject=550 5.7.1 <" in lines[0], lines
        assert "arg1=<\"x y\"" not in lines[0], lines


def test_pieces_and_pipelines(programs, directory):
    with running(programs, directory) as doors:
        with doors.dial("policy") as sock:
            for byte in policy_request(**RELAY):
                sock.sendall(bytes((byte,)))
            assert policy_answer(sock) == "OK"
            sock.sendall(policy_request(**RELAY) * 20 + policy_request())
            for _ in range(20):
                assert policy_answer(sock) == "OK"
            assert policy_answer(sock) == "550 5.7.1 Relaying denied"
            sock.sendall(policy_request(**RELAY) + b"request=smtpd_acc")
            sock.shutdown(1)
            assert policy_answer(sock) == "OK"
            assert everything(sock) == b""


def test_later_attributes_are_passed_over(programs, directory):
    with running(programs, directory) as doors:
        check(doors, (({**RELAY, "some_new_attribute": "a=b"}, "OK"),))


def test_bad_requests_close_the_connection(programs, directory):
    good = policy_request(**RELAY)
    with running(programs, directory) as doors:
        for bad in (b"\n", b"hello\n\n", b"GET / HTTP/1.0\r\n\r\n\n\n",
                    good.replace(b"smtpd_access_policy", b"other"),
                    good.replace(b"request=smtpd_access_policy\n", b""),
                    good.replace(b"ESMTP", b"ES\0MTP"),
                    b"sender=" + b"x" * 20000 + b"\n" + good,
                    b"x" * 100000):
            with doors.dial("policy", timeout=5) as sock:
                try:
                    sock.sendall(bad)
                except (BrokenPipeError, ConnectionResetError):
                    pass
                got = everything(sock)
                assert got == b"", f"{bad[:40]!r}: {got!r}"
        doors.wait_for_log("policy service: closed a client")
        check(doors, ((RELAY, "OK"),))


def test_values_that_are_none_defer(programs, directory):
    with running(programs, directory) as doors:
        check(doors, [
            ({**RELAY, **bad},
             "DEFER_IF_PERMIT 4.3.0 Please try again later")
            for bad in ({"client_address": ""}, {"client_address": "x"},
                        {"client_address": "192.0.2.256"},
                        {"size": "many"})])


def test_slow_names_stop_nobody_else(programs, directory):
    """The name server is silent to 40 clients; the others do not notice."""
    with running(programs, directory) as doors:
        slow = [doors.dial("policy") for _ in range(40)]
        for sock in slow:
            sock.sendall(policy_request(
                **UNKNOWN, client_address=f"192.0.2.{SILENT}"))
        time.sleep(0.1)
        worst = 0
        with doors.dial("policy") as sock:
            for _ in range(50):
                started = time.monotonic()
                assert ask_policy(sock, **RELAY) == "OK"
                worst = max(worst, time.monotonic() - started)
        within(worst < 2, f"{worst:.2f} s")
        started = time.monotonic()
        for sock in slow:
            got = policy_answer(sock)
            assert got.startswith("450 4.4.0 "), got
            sock.close()
        waited = time.monotonic() - started
        within(waited < 8, f"{waited:.1f} s")


def test_many_clients_at_once(programs, directory):
    """Sixteen clients, each with its own answers, in any order."""
    wrong = []

    def work(doors, number):
        address = f"192.0.2.{100 + number}"
        wanted = f"550 5.7.1 Relaying denied. IP name possibly forged " \
            f"[{address}]"
        with doors.dial("policy") as sock:
            for _ in range(200):
                got = ask_policy(sock, **{**LIAR, "client_address": address})
                if got != wanted:
                    wrong.append((address, got))

    with running(programs, directory) as doors:
        threads = [threading.Thread(target=work, args=(doors, number))
                   for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong, wrong[:3]


def test_a_request_under_way_is_answered_at_the_end(programs, directory):
    with running(programs, directory) as doors:
        with doors.dial("policy") as sock, doors.dial("policy") as idle:
            sock.sendall(policy_request(
                **UNKNOWN, client_address=f"192.0.2.{SILENT}"))
            time.sleep(0.2)
            doors.daemon.signal(15)
            assert policy_answer(sock).startswith("450 4.4.0 ")
            assert everything(idle) == b""
        assert doors.daemon.wait(20) == 0
        doors.daemon.start()            # for the end of `running`
