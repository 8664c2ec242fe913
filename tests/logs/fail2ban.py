# SPDX-License-Identifier: BSD-2-Clause
"""contrib/fail2ban's filter, judged by fail2ban's own fail2ban-regex: whom it
takes for each kind of line, in both stamp styles, and that no text which a
client chose makes it take another."""
import os
import shutil
import subprocess
import tempfile
from maillog import (SRC, Count, decision, need, refused_rcpt, stamped,
                     written)

BAD = "203.0.113.7"
INNOCENT = "198.51.100.9"
# Each as typed by a client that wants INNOCENT banned.
TRICKS = (
    '<"x>, relay=[198.51.100.9], reject=550 "@b>',
    '<x@b, relay=[198.51.100.9], reject=550 5.7.1 y>',
    '<x@b> relay=h [198.51.100.9], reject=550 5.7.1 Relaying denied',
    'x@b,relay=[198.51.100.9],reject=550',
    '<"x\u00a0relay=[198.51.100.9]"@b>',
    '<[198.51.100.9]>',
    '<x@[198.51.100.9]>',
    '<"x\r milterd[1]: NOQUEUE: ruleset=check_rcpt, arg1=<y@z>, '
    'relay=[198.51.100.9], reject=550 5.7.1 "@b>',
)
DENIED = "550 5.7.1 Relaying denied"


def cases():
    """(decision, who is to be taken or None)"""
    host = (BAD, "bad.example", "OK")
    yield refused_rcpt(*host, "<u@victim.example>", DENIED), BAD
    yield refused_rcpt(*host, "<u@victim.example>", DENIED,
                       queue_id="4XyZ1b2Kw3z9vQd"), BAD
    yield refused_rcpt(*host, "<u@victim.example>", DENIED,
                       queue_id="5AMAkGrN017289"), BAD
    yield refused_rcpt(*host, "<u@victim.example>", DENIED,
                       queue_id="0F3A2C0042"), BAD
    yield refused_rcpt(
        *host, "<u@victim.example>",
        DENIED + ". Proper authentication required."), BAD
    yield refused_rcpt(BAD, "forged.example", "FORGED", "<u@victim.example>",
                       DENIED + ". IP name possibly forged [%s]" % BAD), BAD
    yield refused_rcpt(BAD, "", "FAIL", "<u@victim.example>",
                       DENIED + ". IP name lookup failed [%s]" % BAD), BAD
    yield refused_rcpt("2001:db8::7", "", "FAIL", "<u@victim.example>",
                       DENIED), "2001:db8::7"
    yield refused_rcpt(*host, "<me@abc.example>",
                       "550 5.2.1 Mailbox disabled for this recipient"), BAD
    yield decision(*host, "check_mail", "<a@b.example>",
                   "553 5.1.8 Domain of sender address a@b.example does not "
                   "exist", about="<a@b.example>"), BAD
    yield decision(*host, "check_mail", "<a@b.example>",
                   "550 5.7.1 Access denied", about="<a@b.example>"), BAD
    yield decision(*host, "check_mail", "<a@b.example>",
                   "554 5.0.0 go away, friend of [198.51.100.9]"), BAD
    yield decision(*host, "check_relay", "bad.example",
                   "550 5.7.1 Access denied", arg2=BAD), BAD
    yield decision(BAD, "", "FAIL", "check_relay", "[%s]" % BAD,
                   "550 5.7.1 Fix reverse DNS for %s" % BAD, arg2=BAD), BAD
    # Nothing to hold against the client.
    yield refused_rcpt(BAD, "", "TEMP", "<u@victim.example>",
                       "450 4.4.0 Relaying temporarily denied. Cannot "
                       "resolve PTR record for " + BAD), None
    yield decision(*host, "check_mail", "<a@b.example>",
                   "451 4.1.8 Domain of sender address a@b.example does not "
                   "resolve"), None
    yield decision(*host, "check_mail", "<a@b.example>",
                   "530 5.7.0 Authentication required"), None
    yield decision(*host, "check_mail", "<a@b.example>",
                   "552 5.2.3 Message size exceeds fixed maximum message "
                   "size (15000000)"), None
    yield decision(*host, "check_mail", "<a@b.example>", kind="discard"), None
    yield decision(*host, "check_rcpt", "<a@b.example>", kind="quarantine",
                   text="reject=550 relay=[%s], reject=550" % INNOCENT), None


def hostile_cases():
    for trick in TRICKS:
        trick = trick.replace("\n", "").replace("\r", "\x0b")
        yield refused_rcpt(BAD, "bad.example", "OK", trick, DENIED), BAD
        yield decision(BAD, "bad.example", "OK", "check_mail", trick,
                       "553 5.1.8 Domain of sender address %s does not exist"
                       % trick.strip("<>"), about=trick), BAD
        yield decision(BAD, trick, "FORGED", "check_mail", "<a@b>",
                       "553 5.1.8 Domain of sender address a@b does not "
                       "exist"), BAD
        yield decision(BAD, trick, "FORGED", "check_relay", "[%s]" % BAD,
                       "550 5.7.1 Access denied", arg2=BAD), BAD
        # No refusal for good: nobody is to be taken.
        yield refused_rcpt(BAD, trick, "FORGED", trick,
                           "451 4.3.0 try later"), None


def taken(lines, folder):
    """Line -> the address that fail2ban-regex takes from it."""
    path = os.path.join(folder, "maillog")
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(lines)
    result = subprocess.run(
        ["fail2ban-regex", "-o", "<ip> <msg>", path,
         os.path.join(folder, "milterd.conf")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        check=False)
    if result.stderr.strip():
        raise RuntimeError(result.stderr)
    found = (line.split(" ", 1) for line in result.stdout.splitlines())
    return {line: address for address, line in found}


def main():
    need("fail2ban-regex")
    count = Count()
    pairs = list(cases()) + list(hostile_cases())
    lines = written([made for made, _ in pairs])
    count.same("lines written", len(lines), len(pairs))
    wanted = [who for _, who in pairs]
    # Another program's line is none of this filter's business.
    lines.append(lines[0].replace("milterd[", "postfix/smtpd["))
    wanted.append(None)
    folder = tempfile.mkdtemp(prefix="milterd-f2b.")
    try:
        shutil.copy(SRC + "/contrib/fail2ban/milterd.conf", folder)
        shutil.copy("/etc/fail2ban/filter.d/common.conf", folder)
        for style in ("rfc3164", "rfc3339"):
            stamps = stamped(lines, style)
            found = taken(stamps, folder)
            for line, who in zip(stamps, wanted):
                line = line.rstrip()
                count.same(style + ": " + line, found.get(line), who)
    finally:
        shutil.rmtree(folder)
    count.end()


main()
