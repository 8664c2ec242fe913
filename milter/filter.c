/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/filter.h"

#include "milter/bounce.h"
#include "milter/filter_recipient.h"
#include "milter/submit.h"
#include "policy/path.h"
#include "policy/recipe_header.h"

#include <time.h>

enum { COPY_DELAY_S = 1, COPIES_OF_A_MESSAGE = 16 };

static slice
sender_after(const struct filter_job *job)
{
	slice sender = job->input->sender;

	for (const struct edit *e = job->rewriting->edits.first; e != NULL;
	     e = e->next) {
		if (e->kind == EDIT_SENDER)
			sender = e->text;
	}
	return sender;
}

static bool
is_dropped(const struct edit_list *edits, slice recipient)
{
	for (const struct edit *e = edits->first; e != NULL; e = e->next) {
		if (e->kind == EDIT_DROP_RECIPIENT &&
		    slice_eq(e->text, recipient))
			return true;
	}
	return false;
}

static struct filter_recipient *
add_recipient(struct filter_result *ret, slice recipient, slice given)
{
	struct filter_recipient *added = &ret->recipients[ret->count++];

	added->recipient = recipient;
	added->given = given;
	return added;
}

/* Everybody whom the message would go to after rewriting. */
static void
find_recipients(const struct filter_job *job, struct filter_result *ret)
{
	const struct edit_list *edits = &job->rewriting->edits;
	const struct message_input *input = job->input;

	ret->recipients = ARENA_ARRAY(job->decision->arena,
	    struct filter_recipient, input->recipient_count + edits->count + 1);
	for (size_t i = 0; i < input->recipient_count; i++) {
		slice recipient = input->recipients[i];

		if (edits->count == 0 || !is_dropped(edits, recipient))
			add_recipient(ret, recipient, recipient)->is_given =
			    true;
	}
	for (const struct edit *e = edits->first; e != NULL; e = e->next) {
		if (e->kind == EDIT_ADD_RECIPIENT && !e->is_there)
			(void)add_recipient(ret, e->text, e->before);
	}
}

static struct fate *
make_fates(const struct filter_job *job, const struct filter_result *result)
{
	struct fate *fates =
	    ARENA_ARRAY(job->decision->arena, struct fate, result->count + 1);

	for (size_t i = 0; i < result->count; i++) {
		const struct filter_recipient *r = &result->recipients[i];

		fates[i] = (struct fate){.recipient = r->recipient,
		    .given = r->given,
		    .is_given = r->is_given,
		    .deliveries = r->deliveries,
		    .verdict = r->verdict};
	}
	return fates;
}

/* Of rewriting's edits what the plan has not its own of. */
static void
join_edits(const struct filter_job *job, const struct fate_plan *plan,
    struct filter_result *ret)
{
	for (const struct edit *e = job->rewriting->edits.first; e != NULL;
	     e = e->next) {
		if ((e->kind == EDIT_ADD_RECIPIENT && !e->is_there) ||
		    (e->kind == EDIT_CHANGE_HEADER && plan->changes_header))
			continue;
		edit_add(&ret->edits, *e);
	}
	for (const struct edit *e = plan->edits.first; e != NULL; e = e->next)
		edit_add(&ret->edits, *e);
}

/* As a delivery agent has him once, though the client or aliases name him
 * twice. */
static bool
take_from_same(struct filter_result *ret, size_t at)
{
	struct filter_recipient *r = &ret->recipients[at];
	struct filter_recipient named = *r;
	size_t i = 0;

	while (i < at &&
	       !slice_eq_nocase(ret->recipients[i].recipient, r->recipient))
		i++;
	if (i == at)
		return false;
	*r = ret->recipients[i];
	r->recipient = named.recipient;
	r->given = named.given;
	r->is_given = named.is_given;
	r->is_again = true;
	return true;
}

static void
run_all(const struct filter_job *job, struct filter_result *ret)
{
	for (size_t i = 0; i < ret->count; i++) {
		struct filter_recipient *recipient = &ret->recipients[i];
		struct verdict *verdict = &recipient->verdict;

		if (take_from_same(ret, i))
			continue;
		/* Sooner than the MTA gives up waiting. */
		if (deadline_passed(job->deadline))
			filter_recipient_put_off(job, recipient);
		else
			filter_recipient_run(job, ret, recipient);
		if (verdict->kind == VERDICT_CONTINUE)
			*verdict = job->so_far;
		/* It defers all; the others' programs need not run. */
		if (verdict->kind == VERDICT_DEFER)
			ret->count = i + 1;
	}
}

void
filter_decide(const struct filter_job *job, struct filter_result *ret)
{
	struct arena *arena = job->decision->arena;
	struct fate_input *input = ARENA_NEW(arena, struct fate_input);
	struct fate_plan plan;

	*ret = (struct filter_result){.sender = sender_after(job)};
	edit_list_init(&ret->edits, arena);
	ret->text = job->came;
	ret->text.header = header_apply_changes(
	    arena, job->came.header, &job->rewriting->edits, job->keeps_space);
	find_recipients(job, ret);
	run_all(job, ret);
	*input = (struct fate_input){.fates = make_fates(job, ret),
	    .count = ret->count,
	    .sender = ret->sender,
	    .came = job->came,
	    .text = ret->text,
	    .keeps_space = job->keeps_space,
	    .bytes_max = job->generation->settings->limits.body_kept *
			 COPIES_OF_A_MESSAGE};
	fate_decide(arena, input, &plan);
	ret->verdict = plan.verdict;
	ret->copies = plan.copies;
	ret->bounces = plan.bounces;
	if (!verdict_is_refusal(&ret->verdict))
		join_edits(job, &plan, ret);
}

void
filter_end(struct filter_result *result)
{
	filter_recipient_release(result);
}

/*
 * Spooling.
 */

/* The MTA's own line for this hop is not shown to a milter: a copy has ours
 * instead, which also counts where copies go in circles. */
static slice
trace_field(const struct filter_job *job)
{
	const struct session *session = job->decision->session;
	struct arena *arena = job->decision->arena;
	time_t now = time(NULL);
	char date[64];
	struct tm tm;

	if (localtime_r(&now, &tm) == NULL ||
	    strftime(date, sizeof(date), "%a, %d %b %Y %T %z", &tm) == 0)
		date[0] = '\0';
	return arena_printf(arena,
	    "Received: from " SLICE_FMT " ([" SLICE_FMT "])\n\tby " SLICE_FMT
	    " (milterd) id " SLICE_FMT ";\n\t%s\n",
	    SLICE_ARG(bounce_clean_word(arena, session->helo)),
	    SLICE_ARG(bounce_clean_word(arena, session->client.address)),
	    SLICE_ARG(job->generation->policy->hostname),
	    SLICE_ARG(bounce_clean_word(arena,
		job->queue_id.len == 0 ? SLICE("NOQUEUE") : job->queue_id)),
	    date);
}

/* mail_text's header has the empty line that the spool adds. */
static slice
without_last_line(slice header)
{
	if (header.len > 0 && header.ptr[header.len - 1] == '\n')
		header.len--;
	if (header.len > 0 && header.ptr[header.len - 1] == '\r')
		header.len--;
	return header;
}

static bool
spool_copy(const struct filter_job *job, const struct filter_result *result,
    const struct fate_copy *copy, struct spool_batch *batch)
{
	struct arena *arena = job->decision->arena;
	slice sender = path_address(result->sender);
	struct spool_message message = {.kind = SPOOL_COPY,
	    .sender = sender,
	    .recipients = copy->recipients,
	    .recipient_count = copy->recipient_count,
	    .header = arena_join(arena, trace_field(job),
		without_last_line(copy->text->header), SLICE("")),
	    .body = copy->text->body,
	    .delay_s = COPY_DELAY_S,
	    .queue_id = job->queue_id};

	return spool_write(batch, &message);
}

static bool
spool_bounce(const struct filter_job *job, const struct filter_result *result,
    const struct fate_bounce *bounce, struct spool_batch *batch)
{
	slice to = path_address(result->sender);
	struct spool_message message = {.kind = SPOOL_BOUNCE,
	    .recipients = &to,
	    .recipient_count = 1,
	    .delay_s = COPY_DELAY_S,
	    .queue_id = job->queue_id};
	struct bounce text = {.hostname = job->generation->policy->hostname,
	    .to = to,
	    .recipient = path_address(bounce->recipient),
	    .verdict = bounce->verdict,
	    .header = job->came.header,
	    .now = time(NULL)};

	bounce_write(
	    job->decision->arena, &text, &message.header, &message.body);
	return spool_write(batch, &message);
}

bool
filter_spool(const struct filter_job *job, const struct filter_result *result,
    struct spool_batch *batch)
{
	for (const struct fate_copy *c = result->copies; c != NULL;
	     c = c->next) {
		if (!spool_copy(job, result, c, batch))
			return false;
	}
	for (const struct fate_bounce *b = result->bounces; b != NULL;
	     b = b->next) {
		if (!spool_bounce(job, result, b, batch))
			return false;
	}
	return true;
}
