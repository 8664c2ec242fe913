# SPDX-License-Identifier: BSD-2-Clause
"""The same mails for the real vacation programs and for milterd.

sendmail's vacation, Debian's, and Pigeonhole (sieve-test) are run with a
recorder in sendmail's place; each case of cases.py says what milterd does and
which of the three do otherwise, and then what rule they break. A program that
does not do what the case says is a failure too: the claims are measured.

Needs root, for a mount namespace in which sendmail is the recorder and the
user is in the passwd file."""
import argparse
import email
import email.policy
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from cases import CASES, REPLIES  # noqa: E402

LOGIN, UID, ADDRESS = "eric", 59871, "eric@example.com"


class Bed:
    def __init__(self, answers, sendmails):
        self.answers = answers
        self.home = tempfile.mkdtemp(prefix="vacation-", dir="/var/tmp")
        os.chown(self.home, UID, UID)
        self.out = self.home + "/out"
        self.programs = {"pigeonhole": self.pigeonhole,
                         "debian": self.debian}
        if sendmails:
            self.sendmail_vacation = sendmails
            self.programs["sendmail"] = self.sendmail
        self.make_recorder()
        self.make_user()
        self.make_sieve()

    def bind(self, path, over):
        subprocess.run(["mount", "--bind", path, over], check=True)

    def write(self, name, data, mode=0o644):
        path = self.home + "/" + name
        with open(path, "wb") as file:
            file.write(data if isinstance(data, bytes) else data.encode())
        os.chmod(path, mode)
        os.chown(path, UID, UID)
        return path

    def make_recorder(self):
        path = self.write("sendmail", "#!/bin/sh\n{ echo \"$*\"; cat; } >%s\n"
                          % self.out, 0o755)
        self.bind(path, os.path.realpath("/usr/sbin/sendmail"))

    def make_user(self):
        with open("/etc/passwd") as file:
            passwd = file.read()
        passwd += "%s:x:%d:%d::%s:/bin/sh\n" % (LOGIN, UID, UID, self.home)
        self.bind(self.write("passwd", passwd), "/etc/passwd")

    def make_sieve(self):
        self.sieve_conf = self.write(
            "dovecot.conf",
            "mail_location = maildir:%s/mail\nlog_path = %s/log\n"
            "mail_home = %s\nmail_uid = %d\nmail_gid = %d\n"
            "first_valid_uid = 1\nfirst_valid_gid = 1\n"
            % (self.home, self.home, self.home, UID, UID))

    def run(self, command, stdin=b""):
        return subprocess.run(
            command, input=stdin, user=UID, group=UID, extra_groups=[],
            cwd=self.home, capture_output=True, timeout=20,
            env={"HOME": self.home, "USER": LOGIN, "PATH": os.environ["PATH"]})

    def recorded(self):
        try:
            with open(self.out, "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def fresh(self):
        for name in ("out", ".vacation.db", ".vacation.dir", ".vacation.pag",
                     ".dovecot.lda-dupes"):
            if os.path.exists(self.home + "/" + name):
                os.unlink(self.home + "/" + name)

    @staticmethod
    def mbox(sender, mail):
        """As a local mailer hands it over: From_ line, Return-Path."""
        name = sender.strip("<>") or "MAILER-DAEMON"
        path = "" if not sender.strip("<>") else name
        return (b"From %s Sat Nov 28 12:00:00 2026\nReturn-Path: <%s>\n"
                % (name.encode(), path.encode())) + mail

    def sendmail(self, case, sender, mail, aliases):
        extra = [word for alias in aliases
                 for word in ("-a", alias.split("@")[0])]
        command = [self.sendmail_vacation, "-d", "-U",
                   "-f", self.home + "/.vacation.db",
                   "-m", self.home + "/.vacation.msg"]
        self.run(command + ["-i", LOGIN])
        done = self.run(command + extra + [LOGIN], self.mbox(sender, mail))
        return self.recorded(), done

    def debian(self, case, sender, mail, aliases):
        extra = [word for alias in aliases
                 for word in ("-a", alias.split("@")[0])]
        self.run(["/usr/bin/vacation", "-i"])
        done = self.run(["/usr/bin/vacation"] + extra + [LOGIN],
                        self.mbox(sender, mail))
        return self.recorded(), done

    def pigeonhole(self, case, sender, mail, aliases):
        script = self.write(
            "script.sieve",
            'require ["vacation"];\nvacation%s "I am away";\n'
            % (" :addresses [%s]" % ", ".join('"%s"' % a for a in aliases)
               if aliases else ""))
        done = self.run(["sieve-test", "-e", "-c", self.sieve_conf,
                         "-l", "maildir:%s/mail" % self.home, "-f",
                         sender.strip("<>") or "<>", "-r", ADDRESS, "-a",
                         ADDRESS, script,
                         self.write("mail", mail)])
        sent = self.recorded() or done.stdout
        return (sent if b"auto-replied" in sent else None), done

    def milterd(self, sender, mail, template):
        done = subprocess.run(
            [self.answers, LOGIN, ADDRESS, sender,
             self.write("template", template), self.write("mail", mail)],
            capture_output=True, check=True)
        reason, _, reply = done.stdout.partition(b"\n")
        return reason.decode(), reply

    def close(self):
        shutil.rmtree(self.home, ignore_errors=True)


class Report:
    def __init__(self):
        self.passed = self.failed = 0

    def check(self, good, text):
        if good:
            self.passed += 1
        else:
            self.failed += 1
            print("FAIL: " + text)

    def end(self):
        print("%d passed, %d failed" % (self.passed, self.failed))
        return self.failed == 0


def check_case(bed, report, case):
    name, sender, header, answered, others, rule, aliases = case
    mail = header.encode("latin-1") + b"\nhello\n"
    settings = "Vacation-Aliases: %s\n" % ", ".join(aliases) if aliases else ""
    template = settings + "Subject: away\n\nI am away\n"
    reason, _ = bed.milterd(sender, mail, template)
    report.check((reason == "answer") == answered,
                 "%s: milterd says %s" % (name, reason))
    report.check(bool(rule) or not others,
                 "%s: a difference without a rule" % name)
    for program, ask in bed.programs.items():
        bed.fresh()
        bed.write(".vacation.msg", "Subject: away\n\nI am away\n")
        reply, done = ask(case, sender, mail, aliases)
        wanted = answered != (program in others)
        report.check((reply is not None) == wanted,
                     "%s: %s %s: %s" % (
                         name, program, "answers" if reply is not None else
                         "does not answer",
                         (done.stderr + done.stdout)[-300:]))


def check_reply(bed, report, case):
    """What of the reply all programs agree on, and what milterd has alone."""
    name, template, header, wanted = case
    mail = header.encode("latin-1") + b"\nhello\n"
    reason, text = bed.milterd("<bob@b.test>", mail, template)
    reply = email.message_from_bytes(text, policy=email.policy.default)
    report.check(reason == "answer" and not reply.defects,
                 "%s: %s, %s" % (name, reason, reply.defects))
    for field, value in wanted.items():
        found = reply.get_content() if field == "" else reply[field]
        report.check((None if found is None else str(found).strip()) == value,
                     "%s: %s is %r, not %r" % (name, field or "the text",
                                               found, value))


def check_recorded(bed, report):
    """The replies of the real programs: to whom, and from whom."""
    mail = (b"From: Bob <bob@b.test>\nTo: eric@example.com\n"
            b"Subject: hi\nMessage-ID: <1@b.test>\n\nx\n")
    for program in ("sendmail", "debian"):
        if program not in bed.programs:
            continue
        bed.fresh()
        bed.write(".vacation.msg", "Subject: away\n\nI am away\n")
        reply, _ = bed.programs[program](None, "<bob@b.test>", mail, [])
        report.check(reply is not None and b"bob@b.test" in reply,
                     program + " does not answer bob")
        report.check(reply is not None and b"In-Reply-To" not in reply,
                     program + " writes In-Reply-To: tell the manual")
        report.check(reply is not None and b"-f" in reply.split(b"\n")[0]
                     and b"<>" not in reply.split(b"\n")[0],
                     program + " answers from the null sender")


def work(options):
    report = Report()
    bed = Bed(options.answers, options.sendmail)
    try:
        for case in CASES:
            check_case(bed, report, case)
        for case in REPLIES:
            check_reply(bed, report, case)
        check_recorded(bed, report)
    finally:
        bed.close()
    print("%d mails, asked of milterd and of %s; %d replies"
          % (len(CASES), ", ".join(sorted(bed.programs)), len(REPLIES)))
    return report.end()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--answers", required=True)
    parser.add_argument("--sendmail", help="sendmail's vacation")
    parser.add_argument("--inside", action="store_true")
    options = parser.parse_args()
    if not options.inside:
        os.execvp("unshare", ["unshare", "-m", sys.executable, "-B"]
                  + sys.argv + ["--inside"])
    sys.exit(0 if work(options) else 1)


main()
