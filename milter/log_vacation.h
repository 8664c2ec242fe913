/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The maillog's line for a recipient who is on vacation, for vacation.c.
 *
 *	QID: ruleset=vacation, arg1=<bob@b.test>, user=ann, reply=queued
 *	QID: ruleset=vacation, arg1=<bob@b.test>, user=ann, reply=no,
 *	    reason=list (List-Id)
 *
 * What becomes of a reply that is queued, the spool tells under the same queue
 * id.
 */
#ifndef MILTER_LOG_VACATION_H
#define MILTER_LOG_VACATION_H

#include "base/arena.h"

struct log_vacation {
	slice queue_id; /* empty: NOQUEUE */
	slice sender;	/* as typed */
	slice user;
	const char *reason; /* NULL: the reply is queued */
	slice detail;	    /* may be empty */
	bool is_trouble;    /* the user or the administrator should look */
};
void log_vacation(struct arena *arena, const struct log_vacation *line);

#endif
