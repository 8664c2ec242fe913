# SPDX-License-Identifier: BSD-2-Clause
"""Recipes at the end of a message: what the MTA is told to change, and what is
handed to sendmail(8), which here is a script that writes down what it gets."""

import contextlib
import email
import email.policy
import glob
import json
import os
import struct
import time

import miltertalk
from node import running

KEEPS_SPACE = 0x100000
HEADERS = [("From", "a@far.example"), ("To", "bob@abc.com"),
           ("Subject", "hello")]
SENDMAIL = """#!/bin/sh
f=$(mktemp {directory}/out/XXXXXX)
for a; do printf '[%s]' "$a"; done > $f
echo >> $f
cat >> $f
mv $f $f.done
"""


@contextlib.contextmanager
def filtering(programs, directory, recipes, options="", users=None,
              access=""):
    """A node with these recipes, and users' own by name."""
    for name in ("state", "out", "users"):
        os.makedirs(f"{directory}/{name}", mode=0o700, exist_ok=True)
    with open(f"{directory}/recipes", "w") as file:
        file.write(recipes)
    for user, text in (users or {}).items():
        with open(f"{directory}/users/{user}.rc", "w") as file:
            file.write(text)
    with open(f"{directory}/sendmail", "w") as file:
        file.write(SENDMAIL.format(directory=directory))
    os.chmod(f"{directory}/sendmail", 0o700)
    words = f"""\
accept_unresolvable_domains = true
recipes = {{ "{directory}/recipes" }}
state_directory = "{directory}/state"
sendmail_path = "{directory}/sendmail"
"""
    if users is not None:
        words += f'user_recipes = "{directory}/users/%u.rc"\n'
    with running(programs, directory, access, words + options) as node:
        yield node


def send(node, recipients, sender="a@far.example", headers=HEADERS,
         body=b"line one\r\nline two\r\n", talk=None):
    """As an MTA that keeps the blank behind the colon, if it is asked to."""
    talk = talk or node.talk()
    blank = " " if talk.steps & KEEPS_SPACE else ""
    return talk.message(sender, recipients,
                        [(name, blank + value) for name, value in headers],
                        body)


def strings(data):
    return [part.decode("latin-1") for part in data.rstrip(b"\0").split(b"\0")]


def edits_of(answer):
    """The edits in words, in the order they were asked for."""
    words = []
    for command, data in answer.edits:
        if command in "+-":
            words.append(command + strings(data)[0])
        elif command in "mi":
            index, = struct.unpack(">I", data[:4])
            name, value = data[4:].split(b"\0")[:2]
            words.append("%s%s[%d]%s" % (command, name.decode(), index,
                                         value.decode()))
        elif command == "h":
            name, value = data.split(b"\0")[:2]
            words.append("h%s%s" % (name.decode(), value.decode()))
        else:
            words.append(command + data.decode("latin-1").rstrip("\0"))
    return words


def sent(directory, count):
    """What sendmail was given, once it was called so often."""
    end = time.monotonic() + 15
    while time.monotonic() < end:
        files = sorted(glob.glob(f"{directory}/out/*.done"))
        if len(files) >= count:
            break
        time.sleep(0.02)
    assert len(files) == count, files
    texts = []
    for path in files:
        with open(path, errors="surrogateescape") as file:
            texts.append(file.read())
    return sorted(texts)


def expect_logged(directory, *texts):
    """Lines are written a moment after the answer."""
    end = time.monotonic() + 10
    while True:
        with open(f"{directory}/stderr") as file:
            log = file.read()
        missing = [text for text in texts if text not in log]
        if not missing:
            return
        assert time.monotonic() < end, (missing, log)
        time.sleep(0.02)


def test_three_fates(programs, directory):
    """A folder, a copy elsewhere, nothing: of one message."""
    users = {"bob": ":0\n* ^Subject: hello\nlists/c\n",
             "ann": ":0c\n! far@away.example\n",
             "tom": ":0\n/dev/null\n"}
    with filtering(programs, directory, "", users=users) as node:
        answer = send(node, ["bob@abc.com", "ann@abc.com", "tom@abc.com",
                             "joe@abc.com"])
        assert answer.verdict == "c", answer
        assert sorted(edits_of(answer)) == [
            "+<bob+lists/c@abc.com>", "+<far@away.example>",
            "-<bob@abc.com>", "-<tom@abc.com>"], answer
        relay = "relay=host.example [192.0.2.7]"
        expect_logged(
            directory,
            f"ruleset=recipes, arg1=<bob@abc.com>, {relay}, folder=lists/c\n",
            f"arg1=<ann@abc.com>, {relay}, forward=<far@away.example>\n",
            f"arg1=<tom@abc.com>, {relay}, drop\n")


def test_the_mailbox_is_no_folder(programs, directory):
    """Mail that a recipe puts where it would go anyway goes there."""
    users = {"bob": ":0\n* ^Subject: hello\n$DEFAULT\n\n:0\n/dev/null\n",
             "ann": ":0c\n! far@away.example\n\n:0\n${ORGMAIL}\n",
             "tom": "DEFAULT=/dev/null\n:0\n$ORGMAIL\n"}
    with filtering(programs, directory, "", users=users) as node:
        for name, words in (("bob", []), ("ann", ["+<far@away.example>"]),
                            ("tom", [])):
            answer = send(node, [f"{name}@abc.com"])
            assert (answer.verdict, edits_of(answer)) == ("c", words), answer


def test_one_text_for_all(programs, directory):
    recipes = "SMTP_CHANGE_HEADER='Subject: new'\n" \
        "SMTP_ADD_HEADER='X-Seen: yes'\nSMTP_REMOVE_HEADER='To'\n"
    with filtering(programs, directory, recipes) as node:
        answer = send(node, ["bob@abc.com", "ann@abc.com"])
        assert (answer.verdict, edits_of(answer)) == ("c", [
            "mSubject[1] new", "mTo[1]", "hX-Seen yes"]), answer


def test_texts_that_differ(programs, directory):
    """Who wants another text gets a copy of his own, marked; when it comes
    back nothing is done to it a second time."""
    users = {"bob": "SMTP_CHANGE_HEADER='Subject: for bob'\n"}
    with filtering(programs, directory, "", users=users) as node:
        answer = send(node, ["bob@abc.com", "ann@abc.com"])
        assert (answer.verdict, edits_of(answer)) == (
            "c", ["-<bob@abc.com>"]), answer
        copy, = sent(directory, 1)
        arguments, _, text = copy.partition("\n")
        assert arguments == "[-i][-f][<a@far.example>][--][<bob@abc.com>]"
        header, _, body = text.partition("\n\n")
        assert "\nSubject: for bob\n" in header + "\n", header
        assert body == "line one\nline two\n", body
        fields = [line.split(": ", 1) for line in header.split("\n")
                  if line[0] not in " \t"]
        mark = dict(map(tuple, fields))["X-Milterd-Copy"]
        back = [("X-Milterd-Copy", mark), *HEADERS]
        answer = send(node, ["bob@abc.com"], headers=back)
        assert edits_of(answer) == ["mX-Milterd-Copy[1]"], answer
        # For somebody else it has no effect, but to vanish.
        answer = send(node, ["ann@abc.com", "bob@abc.com"], headers=back)
        assert sorted(edits_of(answer)) == [
            "-<bob@abc.com>", "mX-Milterd-Copy[1]"], answer
        answer = send(node, ["bob@abc.com"], headers=[
            ("X-Milterd-Copy", "0" * 32), ("x-milterd-copy", "../lock"),
            *HEADERS])
        words = edits_of(answer)
        assert "mX-Milterd-Copy[2]" in words \
            and "mX-Milterd-Copy[1]" in words, words
        assert words.index("mX-Milterd-Copy[2]") \
            < words.index("mX-Milterd-Copy[1]"), words
        assert any("for bob" in word for word in words), words


def test_nobody_left(programs, directory):
    with filtering(programs, directory, ":0\n/dev/null\n") as node:
        answer = send(node, ["bob@abc.com", "ann@abc.com"])
        assert (answer.verdict, answer.edits) == ("d", []), answer


def test_refusals(programs, directory):
    users = {"bob": "SMTP_REJECT='550 5.7.1 Not for bob'\n",
             "tom": "EXITCODE=67\n:0\n/dev/null\n",
             "joe": "SMTP_DEFER='later'\n",
             "eve": "EXITCODE=75\nHOST\n"}
    with filtering(programs, directory, "", users=users) as node:
        def answer_to(*names, **options):
            return send(node, [f"{name}@abc.com" for name in names],
                        **options)

        answer = answer_to("bob")
        assert (answer.verdict, answer.text) == (
            "y", "550 5.7.1 Not for bob"), answer
        answer = answer_to("tom")
        assert (answer.verdict, answer.text) == (
            "y", "550 5.1.1 User unknown"), answer
        answer = answer_to("joe", "ann")
        assert (answer.verdict, answer.text) == ("y", "451 4.7.1 later"), \
            answer
        answer = answer_to("eve")
        assert answer.text.startswith("451 4.3.0 "), answer
        # Of several, the sender hears of each that refuses.
        answer = answer_to("bob", "ann")
        assert (answer.verdict, edits_of(answer)) == (
            "c", ["-<bob@abc.com>"]), answer
        bounce, = sent(directory, 1)
        assert bounce.startswith("[-i][-f][<>][--][<a@far.example>]\n"), \
            bounce
        for line in ("Final-Recipient: rfc822; bob@abc.com\n",
                     "Status: 5.7.1\n", "Action: failed\n",
                     "Diagnostic-Code: smtp; 550 5.7.1 Not for bob\n",
                     "Auto-Submitted: auto-replied", "Subject: hello\n"):
            assert line in bounce, (line, bounce)
        assert "line one" not in bounce, bounce
        # Nobody hears where there is nobody.
        answer = answer_to("bob", "ann", sender="")
        assert edits_of(answer) == ["-<bob@abc.com>"], answer
        time.sleep(0.3)
        sent(directory, 1)
        expect_logged(directory,
                      "arg1=<bob@abc.com>, relay=host.example [192.0.2.7], "
                      "reject=550 5.7.1 Not for bob\n")


def test_quarantine(programs, directory):
    users = {"bob": "SMTP_QUARANTINE='look at it'\n"}
    with filtering(programs, directory, "", users=users) as node:
        answer = send(node, ["bob@abc.com"])
        assert edits_of(answer) == ["qlook at it"], answer
        # Who did not ask for it does not wait for it.
        answer = send(node, ["bob@abc.com", "ann@abc.com"])
        assert sorted(edits_of(answer)) == [
            "-<ann@abc.com>", "qlook at it"], answer
        copy, = sent(directory, 1)
        assert "[--][<ann@abc.com>]" in copy, copy


def test_nothing_is_asked_that_nobody_reads(programs, directory):
    no_headers, no_body = 0x20, 0x10
    with running(programs, directory, "",
                 "accept_unresolvable_domains = true\nmax_hops = 0\n") as node:
        assert node.talk().steps & (no_headers | no_body) \
            == no_headers | no_body
    with filtering(programs, directory,
                   ":0\n* ^Subject: x\nfolder\n") as node:
        talk = node.talk()
        assert talk.steps & (no_headers | no_body) == no_body, talk.steps
        answer = talk.message("a@far.example", ["bob@abc.com"],
                              [("Subject", " x")])
        assert edits_of(answer) == ["+<bob+folder@abc.com>",
                                    "-<bob@abc.com>"], answer
    with filtering(programs, directory,
                   ":0B\n* line two\nfolder\n") as node:
        talk = node.talk()
        assert talk.steps & (no_headers | no_body) == 0, talk.steps
        assert len(edits_of(send(node, ["bob@abc.com"], talk=talk))) == 2


def test_another_connection_without_negotiation(programs, directory):
    """What was negotiated away is not missed; once a reload has made it wanted
    the connection is told to come again."""
    recipes = ":0\n* ^Subject: x\nfolder\n"
    folder = ["+<bob+folder@abc.com>", "-<bob@abc.com>"]
    with filtering(programs, directory, recipes) as node:
        talk = node.talk()

        def is_filtered():
            answer = send(node, ["bob@abc.com"], talk=talk,
                          headers=[("Subject", "x")])
            return edits_of(answer) == folder

        for _ in range(2):
            assert is_filtered()
            talk.quit_for_another()
            assert node.introduce(talk).verdict == "c"
            talk.helo("host.example")
        with open(f"{directory}/recipes", "w") as file:
            file.write(":0B\n* line two\nfolder\n")
        assert node.daemon.control("reload").returncode == 0
        assert is_filtered()    # to its end the session keeps what it has
        talk.quit_for_another()
        answer = node.introduce(talk)
        assert answer.verdict == "t" or answer.text[:3] == "451", answer
        assert edits_of(send(node, ["bob@abc.com"])) == folder


def test_copies_have_a_body(programs, directory):
    """Recipes that look at the header alone may need it for all that."""
    for text, receiver in (("SMTP_ADD_HEADER='X-Bob: yes'", "bob"),
                           ("SMTP_QUARANTINE='hold'", "ann")):
        recipes = ":0\n* RECIPIENT ?? bob\n{\n" + text + "\n}\n"
        with filtering(programs, directory, recipes) as node:
            answer = send(node, ["bob@abc.com", "ann@abc.com"])
            assert f"-<{receiver}@abc.com>" in edits_of(answer), answer
            copy, = sent(directory, 1)
            assert f"[--][<{receiver}@abc.com>]" in copy, copy
            assert copy.endswith("\n\nline one\nline two\n"), copy
        for path in glob.glob(f"{directory}/out/*"):
            os.unlink(path)


def test_named_twice(programs, directory):
    users = {"bob": ":0\n! far@away.example\n"}
    with filtering(programs, directory, "", users=users) as node:
        answer = send(node, ["bob@abc.com", "Bob@abc.com", "bob@abc.com"])
        assert sorted(edits_of(answer)) == [
            "+<far@away.example>", "-<Bob@abc.com>", "-<bob@abc.com>"], answer


def test_only_what_was_done_is_told(programs, directory):
    """One recipient defers the message for all, or the spool does: nothing
    was done for the others."""
    options = f'vacation_message = "{directory}/%u.msg"\n'
    with open(f"{directory}/tom.msg", "w") as file:
        file.write("Subject: away\n\nI am away.\n")
    users = {"bob": "SMTP_REJECT='550 5.7.1 Not for bob'\n",
             "ann": ":0c\n! far@away.example\n",
             "joe": "SMTP_DEFER='later'\n",
             "tom": "SMTP_CHANGE_HEADER='Subject: for tom'\n"}
    with filtering(programs, directory, "",
                   options + "max_spool_entries = 1\n", users) as node:
        answer = send(node, ["bob@abc.com", "ann@abc.com", "joe@abc.com"])
        assert answer.text == "451 4.7.1 later", answer
        expect_logged(directory, "arg1=<joe@abc.com>, "
                      "relay=host.example [192.0.2.7], "
                      "reject=451 4.7.1 later\n")
        answer = send(node, ["bob@abc.com", "tom@abc.com", "eve@abc.com"],
                      headers=[*HEADERS, ("Cc", "tom@abc.com")])
        assert answer.text.startswith("451 4.3.1 "), answer
        expect_logged(directory, "arg1=<a@far.example>, "
                      "relay=host.example [192.0.2.7], reject=451 4.3.1 ")
        with open(f"{directory}/stderr") as file:
            log = file.read()
        for word in ("Not for bob", "forward=", "header", "vacation"):
            assert word not in log, log


def test_a_refusal_of_what_is_held_is_told(programs, directory):
    """The policy holds it, the recipes refuse it: the log says both."""
    with filtering(programs, directory, "SMTP_REJECT='550 5.7.1 not here'\n",
                   access="From:a@far.example\tQUARANTINE:look\n") as node:
        answer = send(node, ["bob@abc.com"])
        assert answer.text == "550 5.7.1 not here", answer
        expect_logged(directory, "quarantine=look",
                      "reject=550 5.7.1 not here\n")


def test_mail_for_another_host_is_told(programs, directory):
    with filtering(programs, directory, "HOST=other.example\n") as node:
        assert send(node, ["bob@abc.com"]).verdict == "d"
        expect_logged(directory, "arg1=<bob@abc.com>, "
                      "relay=host.example [192.0.2.7], drop\n")


def test_no_way_up(programs, directory):
    """A user's recipes read no file beside those of the administrator by
    way of "..": what it says could be sent anywhere."""
    os.mkdir(f"{directory}/secret", mode=0o700)
    with open(f"{directory}/secret/file", "w") as file:
        file.write("PASSWORD=canary\n")
    users = {"bob": f"INCLUDERC={directory}/users/../secret/file\n"
                    "SMTP_ADD_HEADER=\"X-Found: $PASSWORD\"\n"}
    with filtering(programs, directory, "", users=users) as node:
        assert edits_of(send(node, ["bob@abc.com"])) == ["hX-Found "]
        expect_logged(directory, "not below the home or the recipes")


def test_texts_outlive_the_files(programs, directory):
    """More users' files than are kept in one message: the first is forgotten
    before its words are told the MTA."""
    users = {f"u{i}": "" for i in range(520)}
    users["u0"] = "SMTP_QUARANTINE=wordofthefirst\n"
    for user in list(users)[1:]:
        users[user] = f"X={user}\n"
    with filtering(programs, directory, "", users=users) as node:
        answer = send(node, [f"{user}@abc.com" for user in users])
        assert "qwordofthefirst" in edits_of(answer), answer


def test_large_messages(programs, directory):
    big = b"x" * 30000 + b"\r\n"
    recipes = ":0B\n* xxx\n/dev/null\n"
    for word, verdict, text in (("pass", "c", ""),
                                ("defer", "y", "452 4.3.4"),
                                ("reject", "y", "552 5.3.4")):
        with filtering(programs, directory, recipes, "max_message_kept = 65536"
                       f'\nlarge_messages = "{word}"\n') as node:
            assert send(node, ["bob@abc.com"], body=big).verdict == "d"
            talk = node.talk()
            talk.mail("a@far.example")
            talk.rcpt("bob@abc.com")
            for _ in range(3):
                talk.body(big)
            answer = talk.end_of_message()
            assert answer.verdict == verdict \
                and answer.text.startswith(text) and not answer.edits, answer
    expect_logged(directory, "larger than max_message_kept: passed")


def test_a_full_spool_defers(programs, directory):
    users = {"bob": "SMTP_CHANGE_HEADER='Subject: for bob'\n",
             "ann": "SMTP_CHANGE_HEADER='Subject: for ann'\n"}
    with filtering(programs, directory, "", "max_spool_entries = 1\n",
                   users=users) as node:
        answer = send(node, ["bob@abc.com", "ann@abc.com", "tom@abc.com"])
        assert answer.verdict == "y" and answer.edits == [] \
            and answer.text.startswith("451 4.3.1 "), answer
        assert os.listdir(f"{directory}/state/spool/queue") == []
        answer = send(node, ["bob@abc.com", "tom@abc.com"])
        assert edits_of(answer) == ["-<bob@abc.com>"], answer
        status = json.loads(node.daemon.control("status", "--json").stdout)
        assert status["spool"]["entries"] <= 1, status


def test_after_rewriting(programs, directory):
    """Recipes see recipients and header as they become."""
    with open(f"{directory}/aliases", "w") as file:
        file.write("team: bob, ann\n")
    users = {"bob": ":0\n* ^From: .*@new\\.example\nfrom-new\n"}
    options = f'aliases = {{ "{directory}/aliases" }}\n' \
        f'domaintable = {{ "{directory}/domains" }}\n'
    with open(f"{directory}/domains", "w") as file:
        file.write("old.example\tnew.example\n")
    with filtering(programs, directory, "", options, users=users) as node:
        answer = send(node, ["team@abc.com"], headers=[
            ("From", "x@old.example"), ("Subject", "s")])
        assert sorted(edits_of(answer)) == [
            "+<ann>", "+<bob+from-new@mail.abc.com>", "-<team@abc.com>",
            "mFrom[1] x@new.example"], answer


def test_vacation(programs, directory):
    """Who is away and gets the mail answers, once; who drops it does not."""
    os.makedirs(f"{directory}/vacation")
    for user in ("bob", "tom"):
        with open(f"{directory}/vacation/{user}.msg", "w") as file:
            file.write("\nI am away and read $SUBJECT later.\n")
    options = f'vacation_message = "{directory}/vacation/%u.msg"\n'
    users = {"tom": ":0\n/dev/null\n", "bob": ":0\nfolder\n"}
    to_all = [("From", "a@far.example"), ("Message-Id", "<1@far.example>"),
              ("To", "bob@abc.com, tom@abc.com, ann@abc.com"),
              ("Subject", "=?iso-8859-1?Q?Gr=FC=DFe?= aus =?utf-8?B?S8O2bG4=?=")]
    with filtering(programs, directory, "", options, users=users) as node:
        for _ in range(2):
            answer = send(node, ["bob@abc.com", "tom@abc.com", "ann@abc.com"],
                          headers=to_all)
            assert sorted(edits_of(answer)) == [
                "+<bob+folder@abc.com>", "-<bob@abc.com>",
                "-<tom@abc.com>"], answer
            reply, = sent(directory, 1)
        assert reply.startswith(
            "[-i][-N][never][-f][<>][--][<a@far.example>]\n"), reply
        for line in ("In-Reply-To: <1@far.example>\n",
                     "Auto-Submitted: auto-replied"):
            assert line in reply, (line, reply)
        parsed = email.message_from_string(
            reply.partition("\n")[2], policy=email.policy.default)
        assert parsed["Subject"] == "Auto: Grüße aus Köln", reply
        assert parsed.get_content() == \
            "I am away and read Grüße aus Köln later.\n", reply
        answer = send(node, ["bob@abc.com"], sender="", headers=to_all)
        assert answer.verdict == "c", answer
        expect_logged(directory, "user=bob, reply=no, reason=repeated\n",
                      "user=bob, reply=no, reason=null-sender\n")
        sent(directory, 1)


def test_explain(programs, directory):
    """The same without an MTA: nothing is sent, no program is run."""
    users = {"bob": ":0B\n* two\nlists\n", "tom": "SMTP_REJECT='no'\n",
             "ann": ":0w\n| /bin/true\n\n:0\nelse\n"}
    with open(f"{directory}/message", "w") as file:
        file.write("From: a@far.example\nSubject: a\\b\n\nline \\n\ntwo\n")
    with filtering(programs, directory, "", users=users) as node:
        def told(*names, options=("--json",)):
            recipients = [word for name in names
                          for word in ("--recipient", f"{name}@abc.com")]
            done = node.daemon.control(
                "explain", *options, "--client-address", "192.0.2.7",
                "--client-name", "host.example", "--client-resolve", "OK",
                "--sender", "a@far.example", *recipients,
                "--message", f"{directory}/message")
            assert done.returncode == 0, done
            return done.stdout

        answer = json.loads(told("bob", "joe", "ann"))
        assert [(row["recipient"], row["does"])
                for row in answer["recipes"]] == [
            ("<bob@abc.com>", "folder=lists"), ("<joe@abc.com>", None),
            ("<ann@abc.com>", "folder=else")], answer
        assert answer["recipients"][0]["becomes"] == [
            "<bob+lists@abc.com>"], answer
        answer = json.loads(told("tom"))
        assert (answer["stage"], answer["reply"]) == (
            "eom", "550 5.7.1 no"), answer
        text = told("bob", options=("--trace",))
        assert "folder=lists" in text and 'bob.rc:2: Match on "two"' in text, \
            text
        assert os.listdir(f"{directory}/state/spool/queue") == []


def test_killed_between_spool_and_verdict(programs, directory):
    """What is on disk when the daemon dies is sent at the next start."""
    users = {"bob": "SMTP_CHANGE_HEADER='Subject: for bob'\n"}
    with filtering(programs, directory, "", users=users) as node:
        os.rename(f"{directory}/sendmail", f"{directory}/later")
        answer = send(node, ["bob@abc.com", "ann@abc.com"])
        assert edits_of(answer) == ["-<bob@abc.com>"], answer
        node.daemon.kill()
        assert len(os.listdir(f"{directory}/state/spool/queue")) == 1
        os.rename(f"{directory}/later", f"{directory}/sendmail")
        node.daemon.start()
        copy, = sent(directory, 1)
        assert "Subject: for bob" in copy, copy
        end = time.monotonic() + 5
        while os.listdir(f"{directory}/state/spool/queue"):
            assert time.monotonic() < end
            time.sleep(0.02)


def vacation_script(directory):
    """A sendmail that ends milterd when it is told to: before it has taken the
    mail, or behind that."""
    with open(f"{directory}/sendmail", "w") as file:
        file.write(f"""#!/bin/sh
fault=$(cat {directory}/fault)
: > {directory}/fault
[ "$fault" = before ] && kill -9 $PPID && exit 75
for a; do echo "$a"; done >> {directory}/taken
cat > /dev/null
[ "$fault" = behind ] && kill -9 $PPID
exit 0
""")


def test_vacation_killed(programs, directory):
    """milterd dies between any two steps of a reply: the sender never hears
    twice, and once he has heard this is not forgotten."""
    with open(f"{directory}/bob.msg", "w") as file:
        file.write("I am away.\n")
    options = f'vacation_message = "{directory}/%u.msg"\nvacation_rate = 0\n'
    taken = {}

    def count(name):
        with contextlib.suppress(FileNotFoundError):
            with open(f"{directory}/taken") as file:
                return file.read().split("\n").count(f"<{name}@far.example>")
        return 0

    def write_to_bob(name):
        answer = send(node, ["bob@abc.com"], sender=f"{name}@far.example")
        assert answer.verdict == "c", answer

    def die(name, fault, pause):
        with open(f"{directory}/fault", "w") as file:
            file.write(fault)
        write_to_bob(name)
        if pause is None:
            assert node.daemon.wait(10) == -9
        else:
            time.sleep(pause)
            node.daemon.kill()
        taken[name] = count(name)
        node.daemon.start()

    def await_spool():
        end = time.monotonic() + 10
        while os.listdir(f"{directory}/state/spool/queue"):
            assert time.monotonic() < end, \
                os.listdir(f"{directory}/state/spool/queue")
            time.sleep(0.01)

    with filtering(programs, directory, "", options) as node:
        vacation_script(directory)
        die("before", "before", None)
        die("behind", "behind", None)
        assert taken == {"before": 0, "behind": 1}, taken
        for turn in range(12):
            die(f"t{turn}", "", turn * 0.001)
        await_spool()
        for name in taken:
            write_to_bob(name)
        await_spool()
        twice = {name: count(name) for name in taken if count(name) > 1}
        assert not twice and count("behind") == 1, twice


def test_hostile_words(programs, directory):
    """What a client says is no command, no option and no second field."""
    users = {"bob": ":0\n* ^Subject: *\\/.*\n{\n"
                    ":0c\n! \"$MATCH\"\n\n:0\n$MATCH\n}\n",
             "ann": "SMTP_ADD_HEADER=\"X-Seen: $SUBJECT\"\n",
             "tom": ":0f\n| formail -I \"X-Was: `touch canary`\"\n"}
    canaries = ("|touch canary", "`touch canary`", "$(touch canary)",
                ";touch canary", "-oQ/tmp canary", "../../../canary",
                "/etc/canary", "\"|touch canary\"@abc.com", "a\x01b")
    with filtering(programs, directory, "", users=users) as node:
        for text in canaries:
            answer = send(node, ["bob@abc.com", "tom@abc.com"],
                          sender="a;touch`touch$IFS.canary`@far.example",
                          headers=[("Subject", text)])
            assert answer.verdict in "cy", (text, answer)
            for word in edits_of(answer):
                assert not word.startswith(("+<|", "+<-", "+</")), word
        found = [name for _, _, files in os.walk(directory) for name in files
                 if "canary" in name]
        assert not found, found
