/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hands one message to sendmail(8): "sendmail -i -f <sender> -- <a@b> ...".
 * Sendmail's, Postfix's and their imitators' commands know these arguments. No
 * shell sees them, and every address stands in angle brackets, so that none
 * can be taken for an option, a program or a file. For threads that may wait.
 */
#ifndef MILTER_SUBMIT_H
#define MILTER_SUBMIT_H

#include "base/arena.h"
#include "base/deadline.h"

struct submission {
	const char *sendmail;
	slice sender; /* "a@b"; empty: the null sender */
	const slice *recipients;
	size_t recipient_count;
	int message_fd; /* read from where it stands */
	bool is_8bit;
	bool never_notify; /* NOTIFY=NEVER: no bounce */
	deadline_ms deadline;
};

enum submit_result {
	SUBMIT_DONE,
	SUBMIT_LATER, /* a temporary failure */
	SUBMIT_NEVER, /* it will not do */
};

/* *ret_problem says in words what went wrong; in the arena. */
enum submit_result submit_message(const struct submission *submission,
    struct arena *arena, slice *ret_problem);

/* Is it "local@domain" or "local", without anything that a mailer takes for
 * more than an address: controls, blanks outside of quotes, angle brackets, a
 * leading '|', '/', ':', '-' or backslash, a comma, a route? */
bool submit_takes_address(slice address);
/* For a sender, whom the MTA has taken already, and who is but written back to:
 * the same, and "local@domain" whose local part begins with '/' (X.400 does) or
 * '-'. In its angle brackets it is no option, and with its domain no file. */
bool submit_takes_sender(slice address);

#endif
