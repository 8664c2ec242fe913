# SPDX-License-Identifier: BSD-2-Clause
"""Mail that Postfix takes from its sendmail(1) command, not by SMTP.

Source: Postfix's MILTER_README, non-SMTP milters: a recipient refused there
would be tried again for ever, so a refusal has to wait for the whole message,
which Postfix then bounces.
"""

import subprocess

import policies

POLICY = policies.PLAIN
BEDS = ("postfix",)


def submit(sender, *recipients):
    subprocess.run(["/usr/sbin/sendmail", "-i", "-f", sender, *recipients],
                   input="Subject: local\n\nlocal\n", text=True, check=True)


def test_local_mail_may_go_anywhere(bed):
    submit("lee@abc.com", "u@abc.com", "u@victim.example")
    bed.expect_delivered(local=["u@abc.com"], outside=["u@victim.example"])


def test_local_mail_from_the_null_sender(bed):
    submit("", "u@abc.com")
    bed.expect_delivered(local=["u@abc.com"])


def test_refused_recipient_bounces_the_message(bed):
    submit("lee@abc.com", "nobody@abc.com")
    bed.expect_delivered(local=["lee@abc.com"])
