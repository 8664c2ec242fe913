/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/stage_filter.h"

#include "milter/copy_mark.h"
#include "milter/filter_vacation.h"
#include "milter/log.h"
#include "milter/log_lines.h"

#include <syslog.h>

enum { LOG_LIMIT = 300 };

struct end {
	struct milter_session *session;
	const struct decision *d;
	const struct macros *macros;
	const struct verdict *so_far;
	struct answer *answer;
	struct arena *arena;
	slice queue_id;
	struct message_input input;
	struct message_result rewriting;
};

static const struct verdict no_spool = {.kind = VERDICT_DEFER,
    .code = 451,
    .enhanced = SLICE_INIT("4.3.1"),
    .text = SLICE_INIT("Insufficient system storage"),
    .rule = "recipes"};

static const struct verdict too_large_now = {.kind = VERDICT_DEFER,
    .code = 452,
    .enhanced = SLICE_INIT("4.3.4"),
    .text = SLICE_INIT("Message too large for its filters"),
    .rule = "recipes"};

static const struct verdict too_large = {.kind = VERDICT_REJECT,
    .code = 552,
    .enhanced = SLICE_INIT("5.3.4"),
    .text = SLICE_INIT("Message too large for its filters"),
    .rule = "recipes"};

/*
 * Rewriting.
 */

static void
tell_rewriting(const struct end *end)
{
	const struct message_result *result = &end->rewriting;
	struct milter_session *session = end->session;

	for (const struct message_problem *p = result->problems; p != NULL;
	     p = p->next)
		log_broken_header(
		    end->arena, end->queue_id, p->name, p->problem);
	if (result->edits.count == 0)
		return;
	atomic_fetch_add(&session->service->counters.rewritten, 1);
	log_rewrite(end->arena, end->queue_id, &session->said.client,
	    session->said.sender, &result->edits);
	session->forgery_told = true;
}

/* What is refused or discarded needs no rewriting. */
static bool
rewrite(struct end *end, struct verdict *ret_refusal)
{
	struct milter_session *session = end->session;
	const struct intake *intake = &session->message->intake;

	end->input = intake_input(intake, end->arena, session->said.sender);
	if (intake->has_too_many_fields)
		*ret_refusal = intake_too_large(intake, end->arena);
	else {
		end->rewriting = rewrite_message(end->d, &end->input);
		*ret_refusal = end->rewriting.verdict;
	}
	if (!verdict_is_refusal(ret_refusal))
		return true;
	stage_record(session, ret_refusal, session->said.sender, end->macros);
	return false;
}

/*
 * Recipes.
 */

static bool
is_filtered(const struct generation *generation)
{
	return generation->filters.wishes.header;
}

/* A quarantine that held before the recipes is in the log already. */
static bool
is_news(const struct end *end, const struct verdict *verdict)
{
	return verdict_is_refusal(verdict) ||
	       (verdict->kind != VERDICT_CONTINUE &&
		   end->so_far->kind == VERDICT_CONTINUE);
}

static void
tell_recipient(const struct end *end, const struct filter_recipient *r,
    const struct verdict *outcome)
{
	bool is_refused = verdict_is_refusal(outcome);
	slice what = is_refused ? r->ran : r->what;

	/* Who refused it has, but for one for whose sake it is deferred. */
	if (is_news(end, &r->verdict) && (outcome->kind != VERDICT_DEFER ||
					     r->verdict.kind == VERDICT_DEFER))
		stage_record(
		    end->session, &r->verdict, r->recipient, end->macros);
	else if (what.len > 0)
		log_recipes(end->arena, end->queue_id,
		    &end->session->said.client, r->recipient, what);
}

/* The log's lines: only of what was done. */
static void
tell_recipes(const struct end *end, const struct filter_result *result,
    const struct verdict *outcome)
{
	bool is_told = outcome->kind != VERDICT_DEFER;

	for (size_t i = 0; i < result->count; i++) {
		const struct filter_recipient *r = &result->recipients[i];

		if (r->is_again)
			continue;
		if (r->log.len > 0)
			log_line(LOG_INFO, SLICE_FMT ": recipes: " SLICE_FMT,
			    SLICE_ARG(end->queue_id),
			    SLICE_ARG(
				log_escape(end->arena, r->log, LOG_LIMIT)));
		tell_recipient(end, r, outcome);
		is_told |= r->verdict.kind == VERDICT_DEFER;
	}
	if (!is_told)
		stage_record(end->session, outcome, end->session->said.sender,
		    end->macros);
}

/* The replies into the batch; what is to be told of them once it is kept. */
static struct vacation_plan *
answer_for_absent(const struct end *end, const struct filter_job *job,
    const struct filter_result *result, struct spool_batch *batch,
    struct vacation_job *ret_job)
{
	struct vacation_recipient *recipients;
	size_t count;

	if (!vacation_is_on(job->generation))
		return NULL;
	filter_vacation(
	    job, result, end->session->is_local, ret_job, &recipients, &count);
	return vacation_answer(ret_job, recipients, count, batch);
}

static bool
write_spool(const struct end *end, const struct filter_job *job,
    const struct filter_result *result, struct spool_batch *batch)
{
	struct vacation_job vacation;
	struct vacation_plan *plans;

	if (filter_spool(job, result, batch)) {
		plans = answer_for_absent(end, job, result, batch, &vacation);
		if (spool_commit(batch)) {
			vacation_tell(&vacation, plans);
			return true;
		}
	}
	spool_withdraw(batch);
	return false;
}

static struct verdict
filter(struct end *end)
{
	struct milter_session *session = end->session;
	const struct settings *settings = session->generation->settings;
	struct filter_job job = {.generation = session->generation,
	    .decision = end->d,
	    .queue_id = end->queue_id,
	    .input = &end->input,
	    .rewriting = &end->rewriting,
	    .came = intake_text(&session->message->intake),
	    .keeps_space = session->keeps_space,
	    .so_far = *end->so_far,
	    .deadline =
		deadline_in((unsigned)settings->limits.program_seconds * 1000)};
	struct filter_result *result =
	    ARENA_NEW(end->arena, struct filter_result);
	struct spool_batch *batch = spool_batch_new(end->arena);
	struct verdict verdict;

	filter_decide(&job, result);
	verdict = result->verdict;
	if (!verdict_is_refusal(&verdict) &&
	    !write_spool(end, &job, result, batch))
		verdict = no_spool;
	tell_recipes(end, result, &verdict);
	filter_end(result);
	if (verdict_is_refusal(&verdict))
		return verdict;
	end->answer->batch = batch;
	if (result->edits.count > 0 && verdict.kind != VERDICT_DISCARD)
		end->answer->edits = &result->edits;
	return verdict;
}

/* Filters that cannot see a message do not guess. */
static struct verdict
pass_by(struct end *end)
{
	struct milter_session *session = end->session;
	enum large_messages what =
	    session->generation->settings->large_messages;

	if (what != LARGE_PASS) {
		const struct verdict *verdict =
		    what == LARGE_DEFER ? &too_large_now : &too_large;

		stage_record(
		    session, verdict, session->said.sender, end->macros);
		return *verdict;
	}
	log_line(LOG_WARNING,
	    SLICE_FMT ": larger than max_message_kept: passed without recipes",
	    SLICE_ARG(end->queue_id));
	return *end->so_far;
}

/*
 * Marks.
 */

static bool
is_our_copy(const struct end *end)
{
	const struct intake *intake = &end->session->message->intake;
	struct message_input input =
	    intake_input(intake, end->arena, SLICE(""));

	return intake->marks > 0 &&
	       copy_mark_is_valid(end->arena, intake->mark, input.recipients,
		   input.recipient_count);
}

static void
remove_marks(const struct end *end)
{
	unsigned marks = end->session->message->intake.marks;
	struct edit_list *edits;

	if (marks == 0)
		return;
	edits = ARENA_NEW(end->arena, struct edit_list);
	edit_list_init(edits, end->arena);
	if (end->answer->edits != NULL) {
		for (const struct edit *e = end->answer->edits->first;
		     e != NULL; e = e->next)
			edit_add(edits, *e);
	}
	for (; marks > 0; marks--)
		edit_add(edits, (struct edit){.kind = EDIT_REMOVE_HEADER,
				    .name = SLICE(COPY_MARK_FIELD),
				    .index = marks});
	end->answer->edits = edits;
}

static struct verdict
finish(struct end *end)
{
	struct milter_session *session = end->session;
	struct verdict verdict;

	if (is_filtered(session->generation) && is_our_copy(end))
		return *end->so_far;
	if (!rewrite(end, &verdict))
		return verdict;
	if (end->rewriting.edits.count > 0)
		end->answer->edits = &end->rewriting.edits;
	if (!is_filtered(session->generation))
		verdict = *end->so_far;
	else if (session->message->intake.is_too_large)
		verdict = pass_by(end);
	else
		verdict = filter(end);
	if (verdict_is_refusal(&verdict) || verdict.kind == VERDICT_DISCARD)
		end->answer->edits = NULL;
	if (!verdict_is_refusal(&verdict))
		tell_rewriting(end);
	return verdict;
}

struct verdict
stage_filter(struct milter_session *session, const struct decision *d,
    const struct macros *macros, const struct verdict *so_far,
    struct answer *answer)
{
	struct end *end = ARENA_NEW(d->arena, struct end);
	bool may_wait = is_filtered(session->generation);
	struct watch_call call;
	struct verdict verdict;

	*end = (struct end){.session = session,
	    .d = d,
	    .macros = macros,
	    .so_far = so_far,
	    .answer = answer,
	    .arena = d->arena,
	    .queue_id = macro(macros, "i")};
	if (may_wait)
		watch_enter(&call);
	verdict = finish(end);
	if (may_wait)
		watch_leave(&call);
	if (!verdict_is_refusal(&verdict) && verdict.kind != VERDICT_DISCARD)
		remove_marks(end);
	return verdict;
}
