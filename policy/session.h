/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What one SMTP client has said so far, the input of every decision. Filled
 * at the doors (milter/session, policyd, explain); borrowed by policy/.
 * Empty slices stand for "not said".
 */
#ifndef POLICY_SESSION_H
#define POLICY_SESSION_H

#include "policy/client.h"

struct session {
	struct client client;
	slice helo;	  /* $s */
	slice auth_type;  /* mechanism, empty when not authenticated */
	slice auth_authen; /* who authenticated */
	/* The argument of MAIL as typed: "<a@b>", "<>" or, from sloppy
	 * clients, without the angle brackets. Valid from MAIL on. */
	slice sender;
	unsigned long size; /* SIZE= of MAIL, 0: not given */
	unsigned rcpt_count; /* recipients accepted so far */
};

#endif
