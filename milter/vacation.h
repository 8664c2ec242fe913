/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Vacation at the end of a message: whose template there is, what the policy
 * says to it (policy/vacation.h), and the reply into the spool. It is sent
 * after the verdict by a thread of the spool, once vacation_claim() has said
 * that nobody in the fleet has answered this sender yet.
 *
 * One line in the log for each recipient who has a template (see
 * milter/log_vacation.h): here why he does not answer, or that the reply was
 * left to the spool; there what became of it.
 *
 * Any thread. Waits for users' files, never beyond the job's deadline, and for
 * the disk.
 */
#ifndef MILTER_VACATION_H
#define MILTER_VACATION_H

#include "base/deadline.h"
#include "milter/load.h"
#include "policy/decide.h"
#include "policy/vacation.h"

struct spool_batch; /* milter/spool.h */

/* Has this generation vacation at all? Then headers are asked of the MTA, and
 * all fields are kept. */
bool vacation_is_on(const struct generation *generation);

/* One recipient after rewriting. Those that are not local are passed over. */
struct vacation_recipient {
	slice given;   /* as the client gave it: "<a@b>" */
	slice becomes; /* "user", "user+detail" or "user@host"; may be given */
	bool is_shared; /* `given` stands for others beside him: an alias of
			 * several is not his own name */
};

/* A message whose verdict is known. */
struct vacation_job {
	struct arena *arena; /* scratch and results */
	const struct generation *generation;
	const struct ports *ports;
	const struct session *session; /* client, sender, authentication */
	slice queue_id;		       /* may be empty */
	const struct header_field *fields; /* of the whole header, in order */
	size_t field_count;
	slice subject;	   /* decoded, UTF-8; empty: as in the field */
	bool is_submitted; /* not by SMTP */
	bool is_spam;
	enum verdict_kind verdict;
	deadline_ms deadline;
};

/* What is to be done for one recipient. */
struct vacation_plan {
	slice user;
	slice path;	  /* of his template */
	const char *word; /* "answer", or the reason against it; NULL: the
			   * reply is in the batch */
	slice detail;
	bool is_trouble; /* the template cannot be read or used */
	bool is_answered;
	struct vacation_answer answer; /* unless it is trouble */
	struct vacation_plan *next;
};
/* Decides for each recipient and writes the replies to the batch; one that
 * cannot be written is left out. Those who have a template, each once. */
struct vacation_plan *vacation_answer(const struct vacation_job *job,
    const struct vacation_recipient *recipients, size_t count,
    struct spool_batch *batch);
/* The log's lines, once the batch is kept. */
void vacation_tell(
    const struct vacation_job *job, const struct vacation_plan *plans);

/* What vacation_answer() would do, for explain: nothing is logged, counted,
 * claimed or written. */
struct vacation_plan *vacation_plan(const struct vacation_job *job,
    const struct vacation_recipient *recipients, size_t count);

#endif
