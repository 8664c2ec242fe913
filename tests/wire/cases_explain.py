# SPDX-License-Identifier: BSD-2-Clause
"""milterctl explain: what it answers is what sendmail documents
(cf/README, "Anti-Spam Configuration Control") and its rulesets say."""

import json
import os

from doorkit import BROKEN, prepared, running

STRANGER = {"client_address": "192.0.2.7", "client_name": "h7.example",
            "client_resolve": "OK"}
RELAY = {**STRANGER, "client_address": "192.0.2.20"}
TOO_LARGE = "Message size exceeds fixed maximum message size (15000000)"


def block(attributes):
    lines = []
    for name, value in attributes.items():
        for one in value if isinstance(value, list) else [value]:
            lines.append(f"{name}={one}\n")
    return "".join(lines) + "\n"


def answers(doors, sessions, *words, daemon=False):
    done = doors.explain("".join(map(block, sessions)), "--json", *words,
                         daemon=daemon)
    assert done.returncode == 0, done
    lines = done.stdout.decode().splitlines()
    assert len(lines) == len(sessions), done
    return [json.loads(line) for line in lines]


def one(doors, *words, **attributes):
    return answers(doors, [attributes], *words)[0]


def check(told, **wanted):
    for name, value in wanted.items():
        assert told[name] == value, \
            f"{name} is {told[name]!r}, not {value!r}: {told}"


def test_stages(programs, directory):
    good = {"sender": "a@good.example", "recipient": "u@abc.com"}
    cases = (
        ({**STRANGER}, {"stage": "connect", "verdict": "continue"}),
        ({**STRANGER, "sender": "a@good.example"},
         {"stage": "mail", "verdict": "continue", "sender": "<a@good.example>"}),
        ({**STRANGER, **good}, {"stage": "rcpt", "verdict": "continue"}),
        ({**STRANGER, "client_address": "192.0.2.30", **good},
         {"stage": "connect", "verdict": "reject", "code": 550,
          "enhanced": "5.7.1", "text": "Access denied",
          "reply": "550 5.7.1 Access denied", "rule": "check_relay",
          "recipients": []}),
        ({**STRANGER, **good, "sender": "spammer@good.example"},
         {"stage": "mail", "verdict": "reject", "code": 550,
          "enhanced": "5.0.0", "text": "We don't like a spammer!",
          "reply": "550 5.0.0 <spammer@good.example>... "
                   "We don't like a spammer!", "rule": "check_mail"}),
        ({**STRANGER, **good, "recipient": "u@victim.example"},
         {"stage": "rcpt", "verdict": "reject", "code": 550,
          "enhanced": "5.7.1", "text": "Relaying denied",
          "reply": "550 5.7.1 <u@victim.example>... Relaying denied",
          "rule": "check_rcpt", "relay": False}),
        ({**RELAY, **good, "recipient": "u@victim.example"},
         {"stage": "rcpt", "verdict": "continue", "relay": True}),
        ({**STRANGER, **good, "recipient": "closed@abc.com"},
         {"stage": "rcpt", "verdict": "reject", "code": 550,
          "enhanced": "5.2.1",
          "reply": "550 5.2.1 <closed@abc.com>... "
                   "Mailbox disabled for this recipient"}),
        ({**STRANGER, **good, "size": "15000001"},
         {"stage": "mail", "verdict": "reject", "code": 552,
          "enhanced": "5.2.3", "text": TOO_LARGE}),
        ({**STRANGER, **good, "size": "15000000"},
         {"stage": "eom", "verdict": "continue"}),
        ({**STRANGER, **good, "sender": ""},
         {"stage": "rcpt", "verdict": "continue", "sender": "<>"}))
    with prepared(programs, directory) as doors:
        told = answers(doors, [case for case, _ in cases])
        for got, (case, wanted) in zip(told, cases):
            try:
                check(got, **wanted)
            except AssertionError as error:
                raise AssertionError(f"{case}: {error}") from None


def test_several_recipients(programs, directory):
    with prepared(programs, directory) as doors:
        told = one(doors, **STRANGER, sender="a@good.example",
                   recipient=["x@victim.example", "u@abc.com",
                              "closed@abc.com"])
        check(told, stage="rcpt", verdict="continue")
        assert [(r["address"], r["verdict"], r["code"])
                for r in told["recipients"]] == [
                    ("<x@victim.example>", "reject", 550),
                    ("<u@abc.com>", "continue", None),
                    ("<closed@abc.com>", "reject", 550)], told
        told = one(doors, **STRANGER, sender="a@good.example",
                   recipient=["x@victim.example", "closed@abc.com"])
        check(told, stage="rcpt", verdict="reject", text="Relaying denied")


def test_what_one_stage_leaves_to_the_others(programs, directory):
    """A discard takes the whole message, but refusals go on; a quarantine at
    connect is logged and no more."""
    with prepared(programs, directory) as doors:
        sender = {"sender": "a@good.example"}
        told = one(doors, **STRANGER, **sender,
                   recipient=["u@abc.com", "sink@abc.com"])
        check(told, stage="rcpt", verdict="discard", code=None)
        told = one(doors, **{**STRANGER, "client_address": "192.0.2.31"},
                   **sender, recipient="u@abc.com")
        check(told, stage="connect", verdict="discard")
        told = one(doors, **{**STRANGER, "client_address": "192.0.2.31"},
                   **sender, recipient="u@victim.example")
        check(told, stage="rcpt", verdict="reject", text="Relaying denied")
        told = one(doors, **{**STRANGER, "client_address": "192.0.2.32"},
                   **sender, recipient="u@abc.com")
        check(told, stage="rcpt", verdict="continue")
        check(told["stages"][0], stage="connect", verdict="quarantine",
              text="look at him")
        told = one(doors, **STRANGER, sender="held@good.example",
                   recipient="u@abc.com")
        check(told, stage="mail", verdict="quarantine", text="look at this",
              reply=None)


def test_clients(programs, directory):
    """Fact by fact what the MTA says of names, and the text it leads to."""
    cases = (
        # client_name, reverse_client_name, client_resolve: then the name,
        # how it resolves, and the text
        ("h7.example", "h7.example", None, "h7.example", "OK", ""),
        ("unknown", "liar.example", None, "[192.0.2.7]", "FORGED",
         ". IP name possibly forged [192.0.2.7]"),
        ("unknown", "unknown", None, "[192.0.2.7]", "FAIL",
         ". IP name lookup failed [192.0.2.7]"),
        ("h7.example", None, "OK", "h7.example", "OK", ""),
        ("h7.example", None, None, "h7.example", "OK", ""),
        ("[192.0.2.7]", "liar.example", "FORGED", "[192.0.2.7]", "FORGED",
         ". IP name possibly forged [192.0.2.7]"),
        ("partner.example", None, "FORGED", "[192.0.2.7]", "FORGED",
         ". IP name possibly forged [192.0.2.7]"),
        (None, None, "FAIL", "[192.0.2.7]", "FAIL",
         ". IP name lookup failed [192.0.2.7]"),
        (None, None, None, "[192.0.2.7]", "FAIL",
         ". IP name lookup failed [192.0.2.7]"))
    with prepared(programs, directory) as doors:
        for name, reverse, resolve, is_name, resolved, text in cases:
            given = {"client_address": "192.0.2.7", "client_name": name,
                     "reverse_client_name": reverse, "client_resolve": resolve}
            told = one(doors, **{name: value for name, value in given.items()
                                 if value is not None},
                       helo_name="h", sender="a@good.example",
                       recipient="u@victim.example")
            check(told, verdict="reject", code=550,
                  text="Relaying denied" + text)
            check(told["client"], name=is_name, resolve=resolved,
                  address="192.0.2.7")
            assumed = f"client_resolve={resolved}" in told["assumed"]
            assert assumed == (resolve is None), told


def test_names_are_looked_up_when_not_given(programs, directory):
    with prepared(programs, directory) as doors:
        for address, resolve, start in (
                ("192.0.2.8", "FAIL", "550 5.7.1 <u@v.example>... Relaying "
                 "denied. IP name lookup failed [192.0.2.8]"),
                (f"192.0.2.{BROKEN}", "TEMP", "450 4.4.0 <u@v.example>... "
                 "Relaying temporarily denied. Cannot resolve PTR record "
                 f"for 192.0.2.{BROKEN}")):
            told = one(doors, client_address=address, sender="",
                       recipient="u@v.example")
            check(told, reply=start)
            assert sorted(told["assumed"]) == [
                f"client_name=[{address}]", f"client_resolve={resolve}",
                f"helo_name=[{address}]", "reverse_client_name=unknown"], told


def test_assumed_sender(programs, directory):
    with prepared(programs, directory) as doors:
        told = one(doors, **STRANGER, recipient="u@abc.com")
        check(told, sender="<>", assumed=["sender=<>", "helo_name=h7.example"])
        told = one(doors, **STRANGER, helo_name="x", sender="a@b.example")
        check(told, assumed=[])


def test_ipv6(programs, directory):
    with prepared(programs, directory,
                  access="IPv6:2001:db8:0:0:0:0:0:1\tRELAY\n") as doors:
        for text in ("2001:db8::1", "2001:DB8::1", "IPv6:2001:db8::1",
                     "2001:db8:0:0:0:0:0:1"):
            told = one(doors, **{**STRANGER, "client_address": text},
                       sender="", recipient="u@v.example")
            check(told, relay=True, verdict="continue")
            check(told["client"], address="IPv6:2001:db8:0:0:0:0:0:1")
        told = one(doors, **{**STRANGER, "client_address": "2001:db8::2"},
                   sender="", recipient="u@v.example")
        check(told, relay=False, verdict="reject")


def test_rulesets_alone(programs, directory):
    with prepared(programs, directory) as doors:
        told = one(doors, **{**STRANGER, "client_address": "192.0.2.30"},
                   ruleset="check_relay")
        check(told, stage="connect", verdict="reject", text="Access denied")
        told = one(doors, **{**STRANGER, "client_address": "192.0.2.30"},
                   ruleset="check_mail", sender="spammer@good.example")
        check(told, stage="mail", code=550, text="We don't like a spammer!")
        # The refused client is not asked about here.
        told = one(doors, **{**STRANGER, "client_address": "192.0.2.30"},
                   ruleset="check_rcpt", sender="spammer@good.example",
                   recipient="u@victim.example")
        check(told, stage="rcpt", verdict="reject", text="Relaying denied")


def test_authentication(programs, directory):
    session = {**STRANGER, "sender": "", "recipient": "u@victim.example"}
    with prepared(programs, directory,
                  options='trust_auth_mech = { "PLAIN" }\n') as doors:
        told = one(doors, **session, sasl_method="PLAIN", sasl_username="u")
        check(told, relay=True, verdict="continue", rule="check_rcpt")
        told = one(doors, **session, sasl_method="LOGIN", sasl_username="u")
        check(told, relay=False, verdict="reject", text="Relaying denied. "
              "Proper authentication required.")


def test_addresses_are_taken_as_typed(programs, directory):
    with prepared(programs, directory) as doors:
        for typed, shown in (("u@victim.example", "<u@victim.example>"),
                             ("<u@victim.example>", "<u@victim.example>"),
                             ('"a b"@victim.example',
                              '<"a b"@victim.example>'),
                             ("<u@victim.example", "<u@victim.example"),
                             ("u@victim.example>", "u@victim.example>")):
            told = one(doors, **STRANGER, sender="", recipient=typed)
            assert told["recipients"][0]["address"] == shown, told
            check(told, verdict="reject")


def write_message(directory, received, body):
    path = f"{directory}/message"
    with open(path, "wb") as message:
        message.write(b"Received: from a\n\tby b\n" * received +
                      b"Subject: Received: x\nX-Received: y\n\n"
                      b"Received: in the body\n" + body)
    return path


def test_messages(programs, directory):
    """Size and hops; more than 30 Received: lines are too many."""
    session = {**STRANGER, "sender": "a@good.example",
               "recipient": "u@abc.com"}
    with prepared(programs, directory) as doors:
        path = write_message(directory, 30, b"x\n")
        check(one(doors, **session, message=path), stage="eom",
              verdict="continue")
        path = write_message(directory, 31, b"x\n")
        check(one(doors, **session, message=path), stage="eom", code=554,
              reply="554 5.4.6 Too many hops", verdict="reject")
        path = write_message(directory, 1, b"x" * 14999900 + b"\n")
        check(one(doors, **session, message=path), verdict="continue")
        path = write_message(directory, 1, b"x" * 15000000 + b"\n")
        check(one(doors, **session, message=path), stage="eom", code=552,
              verdict="reject")
        done = doors.explain(block({**session,
                                    "message": directory + "/nosuch"}))
        assert done.returncode == 66, done
        assert done.stderr.startswith(
            f"milterctl: {directory}/nosuch: ".encode()), done


def test_vacation(programs, directory):
    """Who answers, who does not and why; nothing is kept of having asked."""
    os.makedirs(directory + "/away")
    os.makedirs(directory + "/state", mode=0o700)
    for user, text in (("ann", "gone\n"),
                       ("eve", "Vacation-End: soon\n\ngone\n")):
        with open(f"{directory}/away/{user}.msg", "w") as file:
            file.write(text)
    options = (f'vacation_message = "{directory}/away/%u.msg"\n'
               f'state_directory = "{directory}/state"\n')
    session = {**STRANGER, "sender": "a@good.example",
               "recipient": ["ann@abc.com", "eve@abc.com", "bob@abc.com"]}
    with running(programs, directory, options=options) as doors:
        for header, reason, detail in (
                ("To: ann@abc.com", "answer", ""),
                ("To: x@abc.com", "not-addressed", ""),
                ("To: ann@abc.com\\nList-Id: <x>", "list", "List-Id")):
            for _ in range(2):
                told = answers(doors, [{**session, "header": header}],
                               daemon=True)[0]["vacation"]
                ann, eve = told
                assert ann == {
                    "user": "ann", "file": directory + "/away/ann.msg",
                    "reply": reason == "answer", "reason": reason,
                    "detail": detail}, told
                assert eve["user"] == "eve" and not eve["reply"], told
                assert eve["reason"] == "template", told
        done = doors.control("vacation", "list")
        assert done.returncode == 0 and done.stdout.strip() == "", done


def test_text(programs, directory):
    with prepared(programs, directory) as doors:
        done = doors.control(
            "explain", "--config", doors.daemon.config,
            "--client-address", "192.0.2.7", "--client-name", "unknown",
            "--reverse-client-name", "liar.example", "--sender", "",
            "--recipient", "u@victim.example", "--recipient", "u@abc.com")
        assert done.returncode == 0, done
        lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
        assert lines == [
            "client liar.example [192.0.2.7] (may be forged) FORGED",
            "assumed client_resolve=FORGED", "assumed helo_name=[192.0.2.7]",
            "connect continue", "mail continue",
            "rcpt <u@victim.example> reject 550 5.7.1 <u@victim.example>... "
            "Relaying denied. IP name possibly forged [192.0.2.7] "
            "(check_rcpt)",
            "rcpt <u@abc.com> continue, may relay", ""], done.stdout


def test_trace_names_the_entry(programs, directory):
    with prepared(programs, directory) as doors:
        session = {**STRANGER, "sender": "spammer@good.example",
                   "recipient": "u@abc.com"}
        told = one(doors, "--trace", **session)
        hits = [line for line in told["trace"] if f"{doors.access}:8" in line]
        assert len(hits) == 1 and hits[0].startswith("mail: "), told
        assert "trace" not in one(doors, **session)
        done = doors.explain(block(session), "--trace")
        assert f"{doors.access}:8".encode() in done.stdout, done


def test_bytes_that_are_no_text(programs, directory):
    with prepared(programs, directory) as doors:
        told = one(doors, **STRANGER, sender="\xe4\xff@good.example",
                   recipient="u\x1b@victim.example")
        assert told["sender"].endswith("@good.example>"), told
        done = doors.explain(block({**STRANGER, "sender": "",
                                    "recipient": "\x1b[2J@victim.example"}))
        assert b"\x1b" not in done.stdout, done


def test_bad_attributes(programs, directory):
    with running(programs, directory) as doors:
        for text, line, what in (
                ("client_address=192.0.2.1\nnosuch=x\n\n", 2, "nosuch=x"),
                ("\n\nclient_address\n", 3, "client_address"),
                ("client_address=192.0.2.1\n\nsender=x\n\n", 3,
                 "client_address is missing"),
                ("client_address=192.0.2.1\n\n\nclient_address=1.2.3\n", 4,
                 "1.2.3"),
                ("client_address=192.0.2.1\nclient_resolve=MAYBE\n", 1,
                 "MAYBE"),
                ("client_address=192.0.2.1\nsize=-1\n", 1, "-1"),
                ("client_address=192.0.2.1\nclient_name=x\n"
                 "ruleset=check_compat\n", 1, "check_compat"),
                ("client_address=192.0.2.1\nclient_name=x\n"
                 "ruleset=check_rcpt\n", 1, "needs a recipient")):
            for daemon in (False, True):
                done = doors.explain(text, daemon=daemon)
                error = done.stderr.decode()
                assert done.returncode == 64, f"{text!r}: {done}"
                assert error.startswith(f"milterctl: line {line}: ") and \
                    what in error, f"{text!r}: {error}"


def test_line_numbers_go_on_over_a_long_input(programs, directory):
    """Long inputs go to the daemon in pieces."""
    session = block({**STRANGER, "sender": "a@b.example"})
    text = session * 1000 + "client_address=192.0.2.1\nbad line\n"
    line = text.count("\n")
    with running(programs, directory) as doors:
        for daemon in (False, True):
            done = doors.explain(text, "--json", daemon=daemon)
            assert done.returncode == 64, done.stderr
            assert done.stdout.count(b"\n") == 1000
            assert done.stderr.startswith(
                f"milterctl: line {line}: ".encode()), done.stderr


def test_daemon_and_file_answer_alike(programs, directory):
    sessions = [
        {**client, "sender": sender, "recipient": recipient}
        for client in (STRANGER, RELAY,
                       {"client_address": "192.0.2.8"},
                       {**STRANGER, "client_address": "192.0.2.30"},
                       {**STRANGER, "client_address": "192.0.2.31"},
                       {**STRANGER, "client_resolve": "FORGED"})
        for sender in ("", "a@good.example", "spammer@good.example",
                       "held@good.example")
        for recipient in ("u@abc.com", "u@victim.example", "closed@abc.com",
                          ["sink@abc.com", "u%victim.example@abc.com"])]
    with running(programs, directory) as doors:
        here = answers(doors, sessions * 5, "--trace")
        there = answers(doors, sessions * 5, "--trace", daemon=True)
        assert here == there
        verdicts = {told["verdict"] for told in here}
        assert verdicts == {"continue", "reject", "discard", "quarantine"}


def test_thousands_of_sessions(programs, directory):
    sessions = [{**STRANGER, "sender": f"a{n}@good.example",
                 "recipient": f"u{n}@victim.example"} for n in range(10000)]
    with prepared(programs, directory) as doors:
        told = answers(doors, sessions)
        for n, got in enumerate(told):
            check(got, sender=f"<a{n}@good.example>", code=550)


def test_input_without_end_of_line(programs, directory):
    with prepared(programs, directory) as doors:
        for text in ("client_address=192.0.2.30\nclient_name=x",
                     "client_address=192.0.2.30\r\nclient_name=x\r\n\r\n"):
            done = doors.explain(text, "--json")
            assert json.loads(done.stdout)["code"] == 550, done
        done = doors.explain("")
        assert (done.returncode, done.stdout) == (0, b""), done
        done = doors.explain("client_address=192.0.2.7\nhelo_name=" +
                             "x" * 300000 + "\n")
        assert done.returncode == 64 and b"too long" in done.stderr, done
