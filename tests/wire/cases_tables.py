# SPDX-License-Identifier: BSD-2-Clause
"""The tables of the socketmap door in the syntax of each MTA.

Where a mailertable leads is cf/README's FEATURE(mailertable), rulesets 90 and
95; how it has to be written is Postfix's transport(5), virtual(5),
canonical(5) and access(5).
"""

import pathlib
import shutil
import subprocess

from doorkit import ask_map, running
from tablekit import MAPS, words

FROM_SENDMAIL = {"virtuser": "virtusertable", "generics": "genericstable"}


def ask(sock, table, key):
    """The value, None when there is none; TEMP and PERM as they come."""
    answer = ask_map(sock, f"{table} {key}".encode("latin-1")).decode(
        "latin-1")
    if answer.startswith("OK "):
        return answer[3:]
    return None if answer == "NOTFOUND " else answer


def check(programs, directory, table, cases, options="", access=None):
    kept = {} if access is None else {"access": access}
    with running(programs, directory, options=words(directory) + options,
                 **kept) as doors, doors.dial("socketmap") as sock:
        wrong = [f"{key}: {got!r}, not {wanted!r}" for key, wanted, got in (
            (key, wanted, ask(sock, table, key))
            for key, wanted in cases) if got != wanted]
        assert not wrong, "\n".join(wrong)


def test_maps_as_they_are(programs, directory):
    """For sendmail, key by key, by its names for them and by ours."""
    with running(programs, directory, options=words(directory)) as doors, \
            doors.dial("socketmap") as sock:
        for name, text in MAPS.items():
            if name == "aliases":
                continue
            for line in text.splitlines():
                key, value = line.split("\t")
                assert ask(sock, name, key.upper()) == value, line
                for other, known in FROM_SENDMAIL.items():
                    if known == name:
                        assert ask(sock, other, key) == value, line
        for name, key in (("mailertable", "x.hq.example"),
                          ("virtuser", "nobody@virt.example"),
                          ("generics", "lee@abc.com"),
                          ("domaintable", "sub.abd.com")):
            assert ask(sock, name, key) is None, (name, key)


def test_maps_that_are_not_configured(programs, directory):
    """A map that is not there is an error; a table made of several is
    empty."""
    with running(programs, directory) as doors, \
            doors.dial("socketmap") as sock:
        for name in ("mailertable", "virtuser", "generics", "aliases",
                     "local_domain", "transports", "Transport"):
            assert ask(sock, name, "abc.com").startswith("PERM "), name
        for name in ("transport", "virtual_alias", "canonical",
                     "sender_canonical", "recipient_canonical"):
            assert ask(sock, name, "u@stranger.example") is None, name


def test_transport(programs, directory):
    check(programs, directory, "transport", (
        ("sh.example", "relay:[192.168.11.1]"),
        ("SH.Example", "relay:[192.168.11.1]"),
        ("anybody@sh.example", "relay:[192.168.11.1]"),
        ("sub.sh.example", None),
        ("bj.example", "smtp:mail.bj.example"),
        ("a.hq.example", "smtp:a.relay.example"),
        ("a.b.hq.example", "smtp:a.b.relay.example"),
        ("hq.example", None),
        ("deep.hq.example", "smtp:[192.0.2.1], [2001:db8::1], backup.example"),
        ("x.deep.hq.example", "smtp:x.deep.relay.example"),
        ("closed.example", "error:5.1.2 No such place"),
        ("gone.example", "error:5.0.0 Nobody there"),
        ("later.example", "retry:4.4.1 Come back later"),
        ("plain.example", "error:5.3.0 no code at all"),
        ("here.example", "local:"),
        ("fax.example", "fax:machine"),
        ("drop.example", "discard:"),
        ("stranger.example", None),
        # Ours, whatever the table says.
        ("abc.com", None), ("localhost", None),
        # What Postfix asks for besides.
        (".hq.example", None), ("*", None), ("", None), ("@", None),
        ("[192.0.2.1]", None)))


def test_transport_of_everything(programs, directory):
    table = pathlib.Path(directory, "everything")
    table.write_text("[192.0.2.9]\tesmtp:[192.0.2.8]\n"
                     "away.example\tother.hq.example\n"
                     ".hq.example\tesmtp:%1.%2.relay.example\n"
                     ".\trelay:hub.example\n", encoding="ascii")
    with running(programs, directory,
                 options=f'mailertable = "{table}"\n') as doors, \
            doors.dial("socketmap") as sock:
        for key, wanted in (
                # sendmail takes literals for what they are.
                ("[192.0.2.9]", None), ("u@[192.0.2.9]", None),
                ("a.b.hq.example", "smtp:a.b.b.relay.example"),
                # A value without a mailer is another name to look for.
                ("away.example", "smtp:other.other.relay.example"),
                ("any.where.example", "relay:hub.example"),
                ("com", "relay:hub.example"), ("abc.com", None)):
            got = ask(sock, "transport", key)
            assert got == wanted, f"{key}: {got!r}"


def test_a_user_in_the_mailertable(programs, directory):
    """Postfix's transports cannot change a recipient. So its virtual aliases
    do; without them mail waits, for it would reach somebody else."""
    with running(programs, directory, options=words(directory)) as doors, \
            doors.dial("socketmap") as sock:
        for key, alias in (("any@one.example", "joe@mail.abc.com"),
                           ("any@other.example", "bob@far.example")):
            assert ask(sock, "virtual_alias", key) == alias, key
            assert ask(sock, "transport", key).startswith("retry:4."), key
        assert ask(sock, "virtual_alias", "Joe+x@here.example") == \
            "Joe+x@mail.abc.com"


def test_virtual_alias(programs, directory):
    check(programs, directory, "virtual_alias", (
        ("info@virt.example", "joe@mail.abc.com"),
        ("INFO@Virt.Example", "joe@mail.abc.com"),
        ("info+x@virt.example", "joe@mail.abc.com"),
        ("sales@virt.example", "smith@far.example"),
        ("joe+x@virt.example", "joe-x@far.example"),
        ("any@all.example", "any@far.example"),
        ("sub@sub.all.example", None),
        ("u@old.example", "u@new.example"),
        # Refusals are recipient_access's; the rest is as it was.
        ("closed@virt.example", None), ("no@virt.example", None),
        ("busy@virt.example", "TEMP the map cannot answer now"),
        ("u@abd.com", "u@mail.abc.com"), ("u@abc.com", None), ("u@stranger.example", None),
        ("prog@abc.com", None),
        # What Postfix asks for besides.
        ("info", None), ("@virt.example", None), ("info@", None), ("", None),
        ("joe@mail.abc.com", None)))


def test_virtual_alias_of_lists(programs, directory):
    with running(programs, directory, options=words(directory)) as doors, \
            doors.dial("socketmap") as sock:
        for key in ("list@virt.example", "staff@abc.com"):
            got = ask(sock, "virtual_alias", key).split(", ")
            assert sorted(got) == ["ann@far.example", "joe@mail.abc.com",
                                   "root@mail.abc.com"], got
            for one in got:
                assert ask(sock, "virtual_alias", one) is None, one
        # Where the recipient is in his own list Postfix looks no further.
        got = ask(sock, "virtual_alias", "dl@abc.com").split(", ")
        assert sorted(got) == ["dl@abc.com", "friend@far.example"], got


def test_line_ends(programs, directory):
    """None gets into an answer."""
    with running(programs, directory, options=words(directory)) as doors, \
            doors.dial("socketmap") as sock:
        for end in ("\n", "\r", "\0", "\r\n"):
            for table in ("canonical", "sender_canonical", "virtual_alias",
                          "sender_access", "transport"):
                for key in (f"a{end}b@abd.com", f"a{end}b@all.example",
                            f"joe@one.example{end}"):
                    assert ask(sock, table, key) is None, (table, key)


def test_canonical(programs, directory):
    options = "always_add_domain = true\n"
    check(programs, directory, "canonical", (
        ("u@abd.com", "u@abc.com"), ("U@ABD.com", "U@abc.com"),
        ("lee@abc.com", None), ("u@abc.com", None),
        ("u@sub.abd.com", None), ("u", None), ("@abd.com", None),
        ("", None)), options)
    check(programs, directory, "sender_canonical", (
        ("u@abd.com", "u@masq.example"), ("u@abc.com", "u@masq.example"),
        ("lee@abc.com", "lee.doe@public.example"),
        ("root@abc.com", "root.abc@masq.example"),
        ("root+x@abc.com", "root.abc@masq.example"),
        ("u@stranger.example", None), ("u@masq.example", None),
        ("lee@stranger.example", None), ("lee", None),
        ("@abc.com", None)), options)
    check(programs, directory, "recipient_canonical", (
        ("u@abd.com", "u@abc.com"), ("lee@abc.com", None),
        ("u@abc.com", None)), options)
    check(programs, directory, "recipient_canonical", (
        ("u@abd.com", "u@masq.example"),
        ("lee@abc.com", "lee.doe@public.example")),
        options + "allmasquerade = true\n")


ACCESS = """\
Connect:192.0.2.30\tREJECT
Connect:192.0.2\tRELAY
Connect:198.51.100.1\tSKIP
198.51.100\tREJECT
IPv6:2001:db8:0:0:0:0:0:1\tDISCARD
Connect:spam.example\t550 We don't like you
Connect:good.spam.example\tSKIP
Connect:mail.partner.example\tOK
unknown\tREJECT
From:spammer@good.example\tERROR:5.7.1:550 Go away
From:held.example\tQUARANTINE:look at it
joe@\tREJECT
From:ok.example\tOK
sub.ok.example\tREJECT
To:old@abc.com\tERROR:5.1.6:551 Try new@abc.com
To:closed@abc.com\tREJECT
To:relayed.example\tRELAY
later.example\t450 4.7.1 Later
bare.example\tGo away
"""
ACCEPTED = "permit_auth_destination"


def test_client_access(programs, directory):
    check(programs, directory, "client_access", (
        ("192.0.2.30", "550 5.7.1 Access denied"), ("192.0.2.31", ACCEPTED),
        ("192.0.2", None), ("192", None), ("198.51.100.2",
                                           "550 5.7.1 Access denied"),
        ("198.51.100.1", None), ("198.51.100", None),
        ("2001:db8::1", "DISCARD"), ("2001:db8::2", None),
        ("2001:db8", None), ("unknown", None),
        ("spam.example", "550 5.0.0 We don't like you"),
        ("a.b.spam.example", "550 5.0.0 We don't like you"),
        ("good.spam.example", "DUNNO"), ("mail.partner.example", ACCEPTED),
        ("partner.example", None), (".spam.example", None),
        ("relayed.example", None), ("held.example", None), ("", None),
        ("bare.example", "553 5.3.0 Go away")), access=ACCESS)


def test_sender_access(programs, directory):
    check(programs, directory, "sender_access", (
        ("spammer@good.example", "550 5.7.1 Go away"),
        ("Spammer+x@Good.Example", "550 5.7.1 Go away"),
        ("u@good.example", None), ("u@held.example", "HOLD look at it"),
        ("u@sub.held.example", "HOLD look at it"),
        ("held.example", "HOLD look at it"), (".held.example", None),
        ("joe@anywhere.example", "550 5.7.1 Access denied"),
        ("joe@ok.example", "550 5.7.1 Access denied"),
        ("u@ok.example", ACCEPTED),
        ("u@sub.ok.example", "550 5.7.1 Access denied"),
        ("joe@", None), ("joe", None), ("<>", None), ("", None),
        ("closed@abc.com", None), ("u@spam.example", None),
        ("u@later.example", "450 4.7.1 Later")), access=ACCESS)


def test_recipient_access(programs, directory):
    wanted = (
        ("old@abc.com", "551 5.1.6 Try new@abc.com"),
        ("closed@abc.com", "550 5.2.1 Mailbox disabled for this recipient"),
        ("u@abc.com", None),
        ("joe@abc.com", "550 5.2.1 Mailbox disabled for this recipient"),
        ("joe@far.example", None),
        ("u@relayed.example", ACCEPTED), ("u@held.example", None),
        ("u@later.example", "450 4.7.1 Later"),
        # The virtusertable refuses too.
        ("closed@virt.example", "550 5.7.1 Closed for good"),
        ("busy@virt.example", "450 4.0.0 Come back later"),
        ("no@virt.example", "550 5.0.0 No such user here"),
        ("sales@virt.example", None), ("@virt.example", None), ("", None))
    check(programs, directory, "recipient_access", wanted, access=ACCESS)


def test_recipient_access_without_blocklist(programs, directory):
    """To: entries are for relaying then, and that is no table's."""
    with running(programs, directory, access=ACCESS,
                 options=words(directory)) as doors, \
            doors.dial("socketmap") as sock:
        config = pathlib.Path(doors.daemon.config)
        config.write_text(config.read_text("ascii").replace(
            "blocklist_recipients = true\n", ""), encoding="ascii")
        assert doors.control("reload").returncode == 0
        for key, wanted in (
                ("closed@abc.com", None), ("old@abc.com", None),
                ("closed@virt.example", "550 5.7.1 Closed for good")):
            got = ask(sock, "recipient_access", key)
            assert got == wanted, f"{key}: {got!r}"


def test_no_table_grants_relaying(programs, directory):
    """OK is another word for it in some lists of restrictions."""
    access = "".join(f"{tag}{key}\t{value}\n" for value in ("OK", "RELAY")
                     for tag in ("", "Connect:", "From:", "To:")
                     for key in (f"{value}{len(tag)}.example",))
    with running(programs, directory, access=access) as doors, \
            doors.dial("socketmap") as sock:
        for line in access.splitlines():
            domain = line.split("\t")[0].split(":")[-1]
            for table in ("client_access", "sender_access",
                          "recipient_access"):
                for key in (domain, f"u@{domain}"):
                    got = ask(sock, table, key)
                    assert got in (None, ACCEPTED), (table, key, got)


def postmap(doors, table, key):
    socket = doors.daemon.sockets()["socketmap_socket"]
    return subprocess.run(
        ["postmap", "-c", doors.directory, "-q", key,
         f"socketmap:unix:{socket}:{table}"],
        text=True, capture_output=True, check=False)


def test_postfix_own_client(programs, directory):
    """The real postmap(1), where Postfix is installed."""
    if shutil.which("postmap") is None:
        print("      (no postmap here)")
        return
    pathlib.Path(directory, "main.cf").write_text(
        "compatibility_level = 3.6\n", encoding="ascii")
    with running(programs, directory, options=words(directory),
                 access=ACCESS) as doors:
        for table, key, value in (
                ("transport", "deep.hq.example",
                 "smtp:[192.0.2.1], [2001:db8::1], backup.example"),
                ("transport", "stranger.example", None),
                ("virtual_alias", "joe+x@virt.example", "joe-x@far.example"),
                ("virtual_alias", "u@abc.com", None),
                ("canonical", "u@abd.com", "u@abc.com"),
                ("sender_canonical", "lee@abc.com", "lee.doe@public.example"),
                ("recipient_canonical", "lee@abc.com", None),
                ("client_access", "192.0.2.30", "550 5.7.1 Access denied"),
                ("sender_access", "u@held.example", "HOLD look at it"),
                ("recipient_access", "no@virt.example",
                 "550 5.0.0 No such user here")):
            done = postmap(doors, table, key)
            assert done.returncode == (1 if value is None else 0), done
            assert done.stdout == ("" if value is None else value + "\n"), \
                done
            assert done.stderr == "", done
