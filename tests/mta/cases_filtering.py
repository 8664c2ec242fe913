# SPDX-License-Identifier: BSD-2-Clause
"""Recipes through real MTAs: what arrives in whose mailbox.

Expected is what procmail, procmailrc(5), would have done with each recipient's
mail, as far as SMTP time allows (milterd.conf(5), RECIPES).
"""

import os
import pathlib
import time

import filters
import mailboxes
import policies
import rediskit

POLICY = policies.FILTERING
BEDS = ("milter", "postfix")
CLIENT = "192.0.2.20"
SENDER = "a@other.example"


def send(bed, *users, subject="hello", body="one\n.\ntwo\n", sender=SENDER,
         text=None):
    with bed.dial(CLIENT) as talk:
        reply = talk.mail(sender)
        assert reply[:3] == "250", reply
        for user in users:
            reply = talk.rcpt(f"{user}@abc.com")
            assert reply[:3] == "250", reply
        return talk.data(text or f"From: {sender}\nTo: u@abc.com\n"
                         f"Subject: {subject}\n\n{body}")


def accepted(bed, *users, **options):
    reply = send(bed, *users, **options)
    assert reply[:3] == "250", reply


def await_spool(bed):
    """Until milterd has sent what it had to."""
    end = time.monotonic() + 30
    while os.listdir(f"{policies.SPOOL}/spool/queue"):
        assert time.monotonic() < end, os.listdir(
            f"{policies.SPOOL}/spool/queue")
        time.sleep(0.02)
    bad = os.listdir(f"{policies.SPOOL}/spool/bad")
    assert not bad, bad


def arrived(bed):
    """Mailbox and content of each message in all mailboxes, recipient and
    content of what went outside."""
    await_spool(bed)
    bed.mta.settle(30)
    far = [(recipient, mail.content) for mail in bed.world.outside.take()
           for recipient in mail.recipients]
    return mailboxes.take(), sorted(far)


def names(mails):
    return [name for name, _ in mails]


def header(content):
    return content.replace("\r\n", "\n").partition("\n\n")[0] + "\n"


def body(content):
    return content.replace("\r\n", "\n").partition("\n\n")[2]


def test_three_fates(bed):
    """One message: into a folder, away with a copy kept, to nobody; and one
    recipient who has no recipes."""
    filters.set_users(u=":0\n* ^Subject: hello\nlists/c\n",
                      ann=":0c\n! far@foreign.example\n",
                      tom=":0\n/dev/null\n")
    accepted(bed, "u", "ann", "tom", "joe")
    here, far = arrived(bed)
    assert names(here) == ["ann", "joe", "u+lists/c"], here
    assert names(far) == ["far@foreign.example"], far
    for _, content in here + far:
        assert header(content).count("Subject: hello\n") == 1, content
        assert body(content) == "one\n.\ntwo\n", content


def test_copies_and_forwards(bed):
    """Kept and put away, forwarded and not kept, forwarded inside; what a
    forward brings is not filtered by the next."""
    filters.set_users(u=":0c\narchive\n",
                      ann=":0\n* B ?? ^two$\n! far@foreign.example\n",
                      tom=":0c\nmany/a.b\n\n:0\n! eve@abc.com\n",
                      eve=":0\nlost\n")
    accepted(bed, "u", "ann", "tom")
    here, far = arrived(bed)
    assert names(here) == ["eve", "tom+many/a.b", "u", "u+archive"], here
    assert names(far) == ["far@foreign.example"], far


def test_names_of_folders(bed):
    """What the sender says and what the recipe says; none leads elsewhere."""
    filters.set_users(u=":0\n* EXTENSION ?? ^^secret^^\n/dev/null\n",
                      ann=":0\n* ^Subject: \\/.*\nlists/$MATCH\n",
                      tom=":0\n./my.folder/\n",
                      joe=":0\n* EXTENSION ?? work\nplay\n")
    accepted(bed, "u", "u+lists", "u+secret", "ann", "tom", "joe+work",
             subject="../../../joe/Maildir")
    accepted(bed, "ann", subject="x/../y")
    accepted(bed, "ann", subject="x/.y")
    here, far = arrived(bed)
    assert far == [], far
    assert names(here) == ["ann", "ann", "ann+lists/x/.y", "joe+play",
                           "tom+my.folder", "u", "u+lists"], names(here)


def test_spellings_of_a_user(bed):
    """However the client writes him, his recipes count."""
    filters.set_users(u=":0\n/dev/null\n")
    spellings = ["U", "u+", '"u"', '"u+lists"', "\\u", '"\\u"', '"u\\+lists"',
                 '"u+my lists"', "u%abc.com", "abc.com!u"]
    for user in spellings:
        accepted(bed, user)
    assert arrived(bed) == ([], [])
    told = bed.await_matching(", drop", len(spellings))
    assert len(told) == len(spellings), told


def test_nobody_left(bed):
    filters.set_users(tom=":0\n/dev/null\n")
    accepted(bed, "tom")
    assert arrived(bed) == ([], [])


def test_one_text_for_all(bed):
    """Header and body edited in the message itself, by both MTAs."""
    text = "SMTP_CHANGE_HEADER='Subject: new'\nSMTP_ADD_HEADER='X-Seen: 1'\n" \
        ":0fbw\n| mark\n"
    filters.set_users(u=text, ann=text)
    accepted(bed, "u", "ann")
    here, far = arrived(bed)
    assert names(here) == ["ann", "u"] and far == [], (here, far)
    for _, content in here:
        assert "\nSubject: new\n" in header(content), content
        assert "\nX-Seen: 1\n" in header(content), content
        assert "Subject: hello" not in content, content
        assert body(content).startswith("X-Marked: yes\none\n.\ntwo\n"), content
    assert not bed.logged_matching("spool=copy"), bed.log_text()


def test_a_field_emptied(bed):
    """It stays, and the next of its name is the one that is changed."""
    filters.set_users(u=":0fhw\n| blank\n")
    accepted(bed, "u", text="Subject: s\nX-A: one\nX-A: two\nX-A: three\n\n"
             "body\n")
    (_, content), = arrived(bed)[0]
    fields = [line.partition(":")[2].strip()
              for line in header(content).split("\n")
              if line.startswith("X-A:")]
    assert fields == ["", "TWO", "three"], content


def test_texts_that_differ(bed):
    """Each gets his own text, and nobody is filtered a second time."""
    filters.set_users(u="SMTP_ADD_HEADER='X-Seen: u'\n",
                      ann=":0fw\n| mark\n\n:0\nmarked\n")
    accepted(bed, "u", "ann", "joe", subject="caf\xe9")
    here, far = arrived(bed)
    assert names(here) == ["ann+marked", "joe", "u"] and far == [], here
    ann, joe, u = [content for _, content in here]
    assert header(u).count("X-Seen: u\n") == 1, u
    assert header(ann).count("X-Marked: yes\n") == 1, ann
    assert "X-Seen" not in joe and "X-Marked" not in joe, joe
    for content in (ann, joe, u):
        assert "x-milterd-copy" not in content.lower(), content
        # A filter is given a line's end more, as procmail does it.
        assert body(content).rstrip("\n") == "one\n.\ntwo", content
        assert "Subject: caf\xe9\n" in header(content), content
    assert len(bed.await_matching("ruleset=recipes, arg1=<ann@abc.com>", 1)) \
        == 1, bed.log_text()


def test_a_forged_mark_has_no_effect(bed):
    filters.set_users(u=":0\nfolder\n")
    accepted(bed, "u",
             text="X-Milterd-Copy: 0123456789abcdef0123456789abcdef\n"
             "x-milterd-copy: 2\nSubject: s\n\nbody\n")
    here, _ = arrived(bed)
    assert names(here) == ["u+folder"], here
    assert "milterd-copy" not in here[0][1].lower(), here


# By a text, or by an exit code of sysexits(3).
_REFUSALS = (("SMTP_REJECT='550 5.7.1 Not for me'", "550 5.7.1 Not for me"),
             ("SMTP_DEFER='Not now'", "451 4.7.1 Not now"),
             ("EXITCODE=67", "550 5.1.1 User unknown"),
             ("EXITCODE=77", "550 5.7.0 Permission denied"),
             ("EXITCODE=75", "451 4.3.0 Please try again later"))


def test_refused_by_all(bed):
    for recipe, wanted in _REFUSALS:
        text = f"{recipe}\n:0\n/dev/null\n"
        filters.set_users(u=text, ann=text)
        reply = send(bed, "u", "ann")
        assert reply == wanted, (recipe, reply)
    assert arrived(bed) == ([], [])


def test_refused_by_one_of_two(bed):
    """The sender hears of it, the other gets the mail."""
    filters.set_users(u="EXITCODE=67\n:0\n/dev/null\n")
    accepted(bed, "u", "joe")
    here, far = arrived(bed)
    assert names(here) == ["joe"], here
    (name, content), = far
    assert name == SENDER, far
    for line in ("Final-Recipient: rfc822; u@abc.com\n",
                 "Diagnostic-Code: smtp; 550 5.1.1 User unknown\n"):
        assert line in content.replace("\r\n", "\n"), content


def test_deferred(bed):
    filters.set_users(u="SMTP_DEFER='not now'\n",
                      ann=":0c\n! far@foreign.example\n\n:0w\n| take ann\n")
    reply = send(bed, "ann", "u")
    assert reply == "451 4.7.1 not now", reply
    # What was done all the same is in the log, and nothing else.
    assert bed.await_matching("program=take", 1), bed.log_text()
    assert not bed.logged_matching("forward="), bed.log_text()
    assert arrived(bed) == ([], [])


def test_quarantine(bed):
    """Held for who asked for it, not for the other."""
    filters.set_users(u="SMTP_QUARANTINE='look at it'\n")
    before = set(bed.mta.held())
    accepted(bed, "u", "joe")
    await_spool(bed)
    end = time.monotonic() + 15
    while not set(bed.mta.held()) - before and time.monotonic() < end:
        time.sleep(0.05)
    assert len(set(bed.mta.held()) - before) == 1, (before, bed.mta.held())
    here = []
    rediskit.until(lambda: here.extend(mailboxes.take()) or here, 60)
    assert names(here) == ["joe"], here
    bed.mta.empty()


def test_programs(bed):
    """One takes the mail, once though it is named twice; others hang, flood or
    die, and nothing is lost."""
    pathlib.Path(filters.TAKEN, "u").unlink(missing_ok=True)
    filters.set_users(u=":0w\n| take u\n",
                      ann=":0fw\n| die\n\n:0fw\n| flood\n\n:0\nkept\n",
                      tom=":0w\n| fail\n\n:0\nfailed\n",
                      eve=":0w\n| /bin/touch /tmp/canary\n\n:0\nmissing\n")
    accepted(bed, "u", "ann", "tom", "U", "eve", "u")
    here, _ = arrived(bed)
    assert names(here) == ["ann+kept", "eve+missing", "tom+failed"], here
    taken = pathlib.Path(filters.TAKEN, "u").read_text()
    assert taken.count("Subject: hello\n") == 1 and taken.rstrip().endswith("\n\none\n.\ntwo"), taken
    assert len(bed.await_matching("program=take", 1)) == 1, bed.log_text()
    assert not os.path.exists("/tmp/canary")


def test_a_program_that_hangs_defers(bed):
    filters.set_users(u=":0w\n| hang\n")
    before = time.monotonic()
    reply = send(bed, "u")
    assert reply[:3] == "451", reply
    assert time.monotonic() - before < 40
    assert arrived(bed) == ([], [])


def test_killed_under_load(bed):
    """milterd dies again and again; whatever was accepted arrives, for both
    recipients, the one with a private copy as well."""
    filters.set_users(u="SMTP_ADD_HEADER='X-Seen: u'\n")
    sent = []
    for number in range(14):
        if number % 6 == 4:
            bed.daemon.kill()
            bed.daemon.start()
        try:
            reply = send(bed, "u", "joe", subject=f"number {number}.")
        except (OSError, EOFError, AssertionError):
            continue
        if reply[:3] == "250":
            sent.append(number)
    here, _ = arrived(bed)
    assert len(sent) >= 8, sent
    for number in sent:
        for user in ("u", "joe"):
            got = [content for name, content in here if name == user
                   and f"Subject: number {number}." in content]
            assert got, (number, user)
            assert user == "joe" or "X-Seen: u" in got[0], got


def test_hostile_senders(bed):
    """What stands in an envelope is no command and no option."""
    filters.set_users(u="SMTP_ADD_HEADER='X-Seen: u'\n")
    for local in ("a`touch$IFS/tmp/canary`", "a$IFS", "-oQ/tmp/canary",
                  "a|touch", "a&touch", "a'b"):
        send_quietly(bed, f"{local}@other.example")
    here, _ = arrived(bed)
    assert not os.path.exists("/tmp/canary")
    assert all("X-Seen: u" in content for name, content in here
               if name == "u"), here
    assert names(here).count("u") == names(here).count("joe"), names(here)


def test_senders_like_options_and_files(bed):
    """Postfix takes the second one alone: allow_min_user."""
    senders = [f"{local}@other.example"
               for local in ("-a", "/G=a/S=b")[bed.is_postfix:]]
    filters.set_users(u="SMTP_ADD_HEADER='X-Seen: u'\n",
                      ann="EXITCODE=67\n:0\n/dev/null\n")
    for sender in senders:
        accepted(bed, "u", "joe", "ann", sender=sender)
    here, far = arrived(bed)
    assert names(far) == senders, far
    assert names(here) == ["joe"] * len(senders) + ["u"] * len(senders), here
    assert all("X-Seen: u" in content for name, content in here
               if name == "u"), here


def send_quietly(bed, sender):
    """Whatever the MTA thinks of the sender."""
    with bed.dial(CLIENT) as talk:
        if talk.mail(sender)[:3] != "250":
            return
        for user in ("u", "joe"):
            talk.rcpt(f"{user}@abc.com")
        talk.data("Subject: s\n\nbody\n")
