# SPDX-License-Identifier: BSD-2-Clause
"""milterctl rewrite, and what explain tells of a message that is rewritten.

Expectations are cf/README's ("MASQUERADING AND RELAYING",
FEATURE(virtusertable), FEATURE(genericstable)) for the maps of tablekit.py;
the parity tests hold them against sendmail itself.
"""

import contextlib
import json
import pathlib
import subprocess

import miltertalk
from doorkit import prepared, running
from tablekit import words

CLIENT = ("--client-address", "192.0.2.20", "--client-name", "h20.example")


def rewrite(doors, *arguments, given=None, daemon=False):
    config = () if daemon else ("--config", doors.daemon.config)
    return subprocess.run(
        [doors.programs.milterctl, "-c", doors.daemon.config, "rewrite",
         *config, *arguments], text=True, capture_output=True, check=False,
        input=given, stdin=subprocess.DEVNULL if given is None else None)


def answers(doors, *arguments, **keywords):
    done = rewrite(doors, *arguments, **keywords)
    assert done.returncode == 0, done
    return done.stdout.splitlines()


def explain(doors, *arguments):
    done = doors.control("explain", "--config", doors.daemon.config,
                         *CLIENT, *arguments)
    assert done.returncode == 0, done
    return done.stdout


def told(doors, *arguments):
    return json.loads(explain(doors, "--json", *arguments))


def test_each_place(programs, directory):
    with prepared(programs, directory, options=words(directory)) as doors:
        for place, results in (
                ("header-sender",
                 ["lee.doe@public.example", "joe@masq.example",
                  "root@mail.abc.com", "u@masq.example", "u@new.example",
                  "u@far.example", "joe@masq.example"]),
                ("header-recipient",
                 ["lee@abc.com", "joe@abc.com", "root@mail.abc.com",
                  "u@abc.com", "u@new.example", "u@far.example",
                  "joe@mail.abc.com"]),
                ("envelope-sender",
                 ["lee@abc.com", "joe@abc.com", "root@mail.abc.com",
                  "u@abc.com", "u@new.example", "u@far.example",
                  "joe@mail.abc.com"])):
            got = answers(doors, "--as", place, "lee@abc.com", "joe@abc.com",
                          "root@mail.abc.com", "u@abd.com", "u@old.example",
                          "u@far.example", "joe")
            assert got == results, f"{place}: {got}"
        assert answers(doors, "lee@abc.com") == ["lee.doe@public.example"]


def test_mail_that_stays(programs, directory):
    """The local mailer leaves unqualified addresses as they are."""
    with prepared(programs, directory, options=words(
            directory, "domaintable")) as doors:
        assert answers(doors, "--local", "joe") == ["joe"]
        assert answers(doors, "joe") == ["joe@masq.example"]


def test_recipients(programs, directory):
    with prepared(programs, directory, options=words(directory)) as doors:
        for recipient, result in (
                ("info@virt.example", "joe"),
                ("sales@virt.example", "smith@far.example"),
                ("joe+x@virt.example", "joe-x@far.example"),
                ("closed@virt.example", "error 550 5.7.1 Closed for good"),
                ("busy@virt.example", "error 450 4.0.0 Come back later"),
                ("no@virt.example", "error 550 5.0.0 No such user here"),
                ("any@all.example", "any@far.example"),
                ("u@abd.com", "u"), ("u@old.example", "u@new.example"),
                ("u@stranger.example", "u@stranger.example"),
                ("prog@abc.com", "prog@abc.com")):
            got = answers(doors, "--as", "envelope-recipient", recipient)
            assert got == [result], f"{recipient}: {got}"
        for recipient in ("list@virt.example", "staff@abc.com"):
            line, = answers(doors, "--as", "envelope-recipient", recipient)
            assert sorted(line.split(", ")) == [
                "ann@far.example", "joe", "root"], line


def test_json(programs, directory):
    with prepared(programs, directory, options=words(directory)) as doors:
        given = "sales@virt.example\nclosed@virt.example\nu@far.example\n" \
            "prog@abc.com\nbig@abc.com\n"
        got = list(map(json.loads, answers(
            doors, "--as", "envelope-recipient", "--json", given=given)))
        assert [answer["rewrite"] for answer in got] == given.split(), got
        assert all(answer["as"] == "envelope-recipient"
                   and answer["local"] is False for answer in got), got
        assert [answer["changed"] for answer in got] == [
            True, False, False, False, True], got
        assert [answer["verdict"] for answer in got] == [
            "continue", "reject", "continue", "continue", "continue"], got
        assert got[0]["result"] == ["smith@far.example"], got
        assert got[1]["result"] == [] and got[1]["code"] == 550 \
            and got[1]["enhanced"] == "5.7.1" \
            and got[1]["text"] == "Closed for good", got
        assert got[2]["result"] == ["u@far.example"], got
        assert [answer["left_to_mta"] for answer in got] == [
            False, False, False, True, False], got
        assert [answer["owner"] for answer in got[:4]] == [None] * 4, got
        assert got[4]["owner"].partition("@")[0] in ("owner-big", "boss"), got
        sender = json.loads(answers(doors, "--json", "joe@abc.com")[0])
        assert sender["result"] == ["joe@masq.example"] and sender["changed"]
        assert "trace" not in sender and "owner" not in sender
        sender = json.loads(answers(doors, "--json", "joe@masq.example")[0])
        assert not sender["changed"], sender


def test_trace(programs, directory):
    with prepared(programs, directory, options=words(directory)) as doors:
        where = f"{directory}/genericstable:1"
        first, *trace = answers(doors, "--trace", "lee@abc.com")
        assert first == "lee.doe@public.example"
        assert [line for line in trace if where in line], trace
        assert all(line.startswith("    ") for line in trace), trace
        answer = json.loads(
            answers(doors, "--trace", "--json", "lee@abc.com")[0])
        assert [line for line in answer["trace"] if where in line], answer


def test_one_line_a_question(programs, directory):
    """However odd: nothing, controls, bytes that are no text."""
    with prepared(programs, directory, options=words(directory)) as doors:
        given = "joe@abc.com\n\n<>\r\n<joe@abc.com>\na\x07b\x1b[1m@abc.com\n" \
            "joe@abc.com"
        got = answers(doors, given=given)
        assert len(got) == 6, got
        assert got[0] == got[3] == got[5] == "joe@masq.example", got
        assert got[1] == got[2] == "", got
        assert "\x1b" not in got[4] and "\x07" not in got[4], got
        done = subprocess.run(
            [programs.milterctl, "rewrite", "--json", "--config",
             doors.daemon.config], input=b"\xff@abc.com\n",
            capture_output=True, check=True)
        assert json.loads(done.stdout)["rewrite"] == "\ufffd@abc.com", done


def test_daemon_and_file_answer_alike(programs, directory):
    given = "".join(f"{user}{count}@{host}\n" for count in range(200)
                    for user in ("lee", "joe+", "x.") for host in
                    ("abc.com", "virt.example", "abd.com", "far.example"))
    with running(programs, directory, options=words(directory)) as doors:
        for place in ("header-sender", "envelope-recipient"):
            here = answers(doors, "--as", place, given=given)
            there = answers(doors, "--as", place, given=given, daemon=True)
            assert len(here) == 2400 and here == there, place


def test_wrong_usage(programs, directory):
    with prepared(programs, directory) as doors:
        for arguments, said in (
                (("--as", "sender", "x@abc.com"), "as is one of "),
                (("--nosuch", "x@abc.com"), "usage: milterctl"),
                (("x\ny@abc.com",), "no such address can be")):
            done = rewrite(doors, *arguments)
            assert done.returncode == 64 and done.stdout == "", done
            assert said in done.stderr, done


MESSAGE = """\
Received: from here.example
\tby there.example
From: "Lee, \\"Boss\\"" <lee@abc.com>
To: staff@abc.com,
\tu@old.example (the old one),
  "Broken" <x@abd.com>
Cc: "no end <x@abc.com>
cc: y@abd.com
Subject: lee@abc.com
Reply-To: joe@abc.com

To: lee@abc.com
"""


def message_at(directory, text=MESSAGE):
    path = f"{directory}/message"
    with open(path, "w") as file:
        file.write(text)
    return path


def test_explain_message(programs, directory):
    with prepared(programs, directory, options=words(directory)) as doors:
        answer = told(doors, "--sender", "lee@abc.com",
                      "--recipient", "sales@virt.example",
                      "--recipient", "closed@virt.example",
                      "--recipient", "u@abc.com",
                      "--message", message_at(directory))
        assert answer["verdict"] == "continue" and answer["stage"] == "eom"
        assert [r["becomes"] for r in answer["recipients"]] == [
            ["<smith@far.example>"], None, ["<u@abc.com>"]], answer
        assert answer["sender"] == answer["sender_becomes"] == "<lee@abc.com>"
        assert answer["headers"] == [
            {"name": "From", "index": 1,
             "before": '"Lee, \\"Boss\\"" <lee@abc.com>',
             "after": '"Lee, \\"Boss\\"" <lee.doe@public.example>'},
            {"name": "To", "index": 1,
             "before": "staff@abc.com,\n\tu@old.example (the old one),\n"
                       '  "Broken" <x@abd.com>',
             "after": "staff@abc.com,\n\tu@new.example (the old one),\n"
                      '  "Broken" <x@abc.com>'},
            {"name": "cc", "index": 2, "before": "y@abd.com",
             "after": "y@abc.com"},
            {"name": "Reply-To", "index": 1, "before": "joe@abc.com",
             "after": "joe@masq.example"}], answer["headers"]
        assert [problem["name"] for problem in answer["broken_headers"]] == [
            "Cc"] and answer["broken_headers"][0]["problem"], answer


def test_explain_message_in_text(programs, directory):
    options = words(directory) + "masquerade_envelope = true\n"
    with prepared(programs, directory, options=options) as doors:
        text = explain(doors, "--sender", "lee@abc.com", "--recipient",
                       "sales@virt.example", "--message",
                       message_at(directory))
        lines = [" ".join(line.split()) for line in text.splitlines()]
        for line in ("recipient <sales@virt.example> becomes "
                     "<smith@far.example>",
                     "sender <lee@abc.com> becomes <lee.doe@public.example>",
                     'header From: "Lee, \\"Boss\\"" <lee@abc.com>',
                     'becomes From: "Lee, \\"Boss\\"" '
                     "<lee.doe@public.example>",
                     "u@new.example (the old one),"):
            assert line in lines, f"{line!r} is not in:\n{text}"
        broken, = (line for line in lines if line.startswith("broken"))
        assert broken.startswith("broken Cc: "), broken


def test_explain_header_without_a_message(programs, directory):
    """Fields as attributes: "\\n" for a line's end, "\\\\" for a backslash."""
    with prepared(programs, directory, options=words(directory)) as doors:
        answer = told(doors, "--sender", "", "--recipient", "u@abc.com",
                      "--header", "From: joe@abc.com\\nTo: a@abd.com,"
                      "\\n b@abd.com", "--header", "X-From: joe@abc.com",
                      "--header", 'from: "a\\\\"b" <joe@abc.com>')
        assert answer["stage"] == "rcpt" and answer["verdict"] == "continue"
        assert answer["sender_becomes"] == "<>", answer
        assert [(h["name"], h["index"], h["after"])
                for h in answer["headers"]] == [
                    ("From", 1, "joe@masq.example"),
                    ("To", 1, "a@abc.com,\n b@abc.com"),
                    ("from", 2, '"a\\"b" <joe@masq.example>')], answer


def test_explain_rewrites_nothing_of_what_is_not_taken(programs, directory):
    with prepared(programs, directory, options=words(directory)) as doors:
        path = message_at(directory, "Received: x\n" * 31 + MESSAGE)
        for arguments, stage, verdict in (
                (("--recipient", "closed@virt.example"), "rcpt", "reject"),
                (("--recipient", "sink@abc.com"), "rcpt", "discard"),
                (("--recipient", "u@abc.com", "--message", path), "eom",
                 "reject")):
            answer = told(doors, "--sender", "lee@abc.com", "--header",
                          "From: lee@abc.com", *arguments)
            assert (answer["stage"], answer["verdict"]) == (stage, verdict), \
                answer
            assert answer["headers"] == [] and \
                answer["sender_becomes"] is None, answer
            assert answer["recipients"][0]["becomes"] is None, answer


def test_explain_a_list(programs, directory):
    """The owner of the only list becomes the sender."""
    with prepared(programs, directory, options=words(
            directory, "aliases")) as doors:
        answer = told(doors, "--sender", "lee@far.example", "--recipient",
                      "big@abc.com")
        assert sorted(answer["recipients"][0]["becomes"]) == [
            "<x@far.example>", "<y@far.example>"], answer
        assert answer["sender_becomes"].startswith(("<owner-big@", "<boss@")),\
            answer
        answer = told(doors, "--sender", "lee@far.example", "--recipient",
                      "big@abc.com", "--recipient", "u@abc.com")
        assert answer["sender_becomes"] == "<lee@far.example>", answer


def test_explain_a_list_with_himself(programs, directory):
    with prepared(programs, directory, options=words(
            directory, "aliases")) as doors:
        arguments = ("--sender", "lee@far.example", "--recipient",
                     "dl@abc.com")
        answer = told(doors, *arguments)
        assert sorted(answer["recipients"][0]["becomes"]) == [
            "<dl@abc.com>", "<friend@far.example>"], answer
        lines = [" ".join(line.split())
                 for line in explain(doors, *arguments).splitlines()]
        assert "recipient <dl@abc.com> becomes <friend@far.example>, " \
            "<dl@abc.com>" in lines, lines


def test_long_header(programs, directory):
    """A session takes no more than 256 KB of attributes."""
    with prepared(programs, directory, options=words(directory)) as doors:
        path = message_at(directory, "From: lee@abc.com\nTo: "
                          + ",\n\t".join(["x@abd.com"] * 3000) + "\n\nx\n")
        answer = told(doors, "--sender", "", "--recipient", "u@abc.com",
                      "--message", path)
        assert answer["headers"][1]["after"].count("x@abc.com") == 3000
        path = message_at(directory, "To: " + ",\n\t".join(
            ["x@abd.com"] * 30000) + "\n\nx\n")
        done = doors.control("explain", "--config", doors.daemon.config,
                             *CLIENT, "--message", path)
        assert done.returncode == 64 and "too long" in done.stderr, done


@contextlib.contextmanager
def dialled(doors, version="Postfix 3.7.11"):
    """A session of a client that may relay, at the milter's door."""
    with miltertalk.dial(doors.daemon.sockets()["socket"]) as talk:
        talk.negotiate()
        talk.macros("C", j="mail.abc.com", v=version,
                    client_name="h20.example", client_ptr="h20.example",
                    client_addr="192.0.2.20", client_resolve="OK")
        talk.connect("h20.example", "192.0.2.20")
        talk.helo("h20.example")
        yield talk
        talk.quit()


def test_recipient_with_a_route_is_dropped(programs, directory):
    """Postfix's smtpd tells it as typed, but keeps it without the route;
    sendmail parses what it is told to drop."""
    typed = "@h1.example,@h2.example:sales@virt.example"
    with running(programs, directory, options=words(
            directory, "virtusertable")) as doors:
        for version, kept in (("Postfix 3.7.11", "sales@virt.example"),
                              ("8.17.1.9", typed)):
            with dialled(doors, version) as talk:
                answer = talk.message("u@far.example", [typed])
            assert answer.verdict == "c", (version, answer)
            assert answer.edits == [
                ("+", b"<smith@far.example>\0"),
                ("-", f"<{kept}>\0".encode())], (version, answer)


def send(doors, sender, recipients, headers):
    """The letter of the verdict."""
    with dialled(doors) as talk:
        return talk.message(sender, recipients, headers).verdict


def stats(doors):
    done = doors.control("stats", "--json")
    assert done.returncode == 0, done
    return json.loads(done.stdout)


def test_stats(programs, directory):
    """Each message moves just the counts that are its own."""
    with running(programs, directory, options=words(directory)) as doors:
        none = {"connections": 0, "messages": 0, "bytes": 0, "rewritten": 0,
                "rejected": 0, "deferred": 0, "discarded": 0,
                "quarantined": 0}
        told_now = stats(doors)
        since = told_now.pop("since")
        assert told_now == none, told_now
        plain = ("X", " y")         # with the end of line five bytes, as the body
        for (sender, recipients, headers), verdict, moved in (
                (("u@far.example", ["u@far.example"], [plain]), "c",
                 {"messages": 1, "bytes": 10}),
                (("u@far.example", ["sales@virt.example"], [plain]), "c",
                 {"messages": 1, "bytes": 10, "rewritten": 1}),
                (("spammer@good.example", ["u@abc.com"], []), "y",
                 {"rejected": 1}),
                (("u@far.example", ["busy@virt.example"], []), "y",
                 {"deferred": 1}),
                (("u@far.example", ["sink@abc.com"], [plain]), "d",
                 {"messages": 1, "bytes": 10, "discarded": 1}),
                (("held@good.example", ["u@far.example"], [plain]), "c",
                 {"messages": 1, "bytes": 10, "quarantined": 1})):
            before = stats(doors)
            got = send(doors, sender, recipients, headers)
            after = stats(doors)
            assert got == verdict, f"{sender} {recipients}: {got}"
            difference = {name: after[name] - before[name]
                          for name in none if after[name] != before[name]}
            assert difference == {"connections": 1, **moved}, \
                f"{sender} {recipients}: {difference}"
        assert after["since"] == since
        text = doors.control("stats").stdout.splitlines()
        assert text[0] == f"since: {since}", text
        assert dict(line.split(": ") for line in text[1:]) == {
            name: str(after[name]) for name in none}, text


def test_bytes_of_bodies_that_are_not_seen(programs, directory):
    """Without max_message_size the MTA keeps the body: what the client has
    said counts."""
    with running(programs, directory) as doors:
        config = pathlib.Path(doors.daemon.config)
        config.write_text(config.read_text("ascii").replace(
            "max_message_size = 15000000\n", ""), encoding="ascii")
        assert doors.control("reload").returncode == 0
        for arguments, size in ((("SIZE=2000",), 2000), ((), 5)):
            before = stats(doors)["bytes"]
            with dialled(doors) as talk:
                talk.mail("u@far.example", *arguments)
                talk.rcpt("u@far.example")
                talk.data()
                talk.header("X", " y")
                talk.end_of_headers()
                talk.body(b"test\r\n" * 100)
                talk.end_of_message()
            assert stats(doors)["bytes"] - before == size, arguments
