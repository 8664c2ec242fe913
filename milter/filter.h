/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Recipes at the end of a message: for each recipient, as he is after
 * rewriting, the recipes of all (`recipes`) and his own (`user_recipes`), and
 * from what they say what is to be done with the message (policy/fate.h).
 *
 * filter_decide() changes nothing, but that programs which recipes deliver to
 * have run. filter_spool() writes what is to be sent; the edits are the
 * caller's to carry out, after that.
 *
 * Any thread. Waits for users' files and programs, not beyond the job's
 * deadline, and for the disk.
 */
#ifndef MILTER_FILTER_H
#define MILTER_FILTER_H

#include "base/deadline.h"
#include "milter/load.h"
#include "milter/spool.h"
#include "policy/decide.h"
#include "policy/fate.h"
#include "policy/message.h"

struct filter_job {
	const struct generation *generation;
	const struct decision *decision; /* with the arena of all of this */
	slice queue_id;
	const struct message_input *input; /* of rewriting */
	const struct message_result *rewriting;
	struct mail_text came; /* as the MTA has it */
	bool keeps_space;
	struct verdict so_far; /* a quarantine of the policy's, which counts for
				* everybody, or CONTINUE */
	deadline_ms deadline;
	bool is_dry; /* explain: no program runs */
};

/* One recipient and what his recipes said. */
struct filter_recipient {
	slice recipient; /* "<a@b>" */
	slice given;
	bool is_given;
	bool is_local;
	bool is_kept; /* some of it goes to him, for vacation */
	slice user;   /* where he is local: without detail */
	slice domain;
	slice what; /* is to be done, for the log; empty: nothing */
	slice ran;  /* programs that were given his mail; the same */
	bool is_again; /* one before him is the same, and this his outcome */
	const struct recipe_note *notes;
	slice log; /* LOG= */
	struct fate_delivery *deliveries;
	struct verdict verdict;
};

struct filter_result {
	struct verdict verdict;
	struct edit_list edits; /* all: those of rewriting too */
	slice sender;		/* as it becomes, "<a@b>" */
	struct mail_text text;	/* as rewritten */
	struct filter_recipient *recipients;
	size_t count;
	const struct fate_copy *copies;
	const struct fate_bounce *bounces;
	struct filter_rc *used; /* to be given back by filter_end() */
};

void filter_decide(const struct filter_job *job, struct filter_result *ret);
/* False: it cannot be kept, nothing of it, and the message is to be
 * deferred. */
bool filter_spool(const struct filter_job *job,
    const struct filter_result *result, struct spool_batch *batch);
void filter_end(struct filter_result *result);

#endif
