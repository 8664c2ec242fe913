/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/stage.h"

#include "milter/log_lines.h"
#include "milter/stage_filter.h"
#include "policy/decide.h"

static const struct verdict shutting_down = {.kind = VERDICT_DEFER,
    .code = 421,
    .enhanced = SLICE_INIT("4.3.2"),
    .text = SLICE_INIT("Shutting down, please try again later"),
    .close = true};

static struct decision
decision_for(struct milter_session *session)
{
	trace_init(&session->faults, session->scratch);
	session->faults.faults_only = true;
	return (struct decision){.policy = session->generation->policy,
	    .ports = &session->ports,
	    .session = &session->said,
	    .arena = session->scratch,
	    .trace = &session->faults};
}

static struct answer
answer_with(const struct verdict *verdict)
{
	return (struct answer){.verdict = *verdict, .with_about = true};
}

static struct answer
answer_continue(void)
{
	return (struct answer){.verdict.kind = VERDICT_CONTINUE};
}

/* sendmail writes the address itself before what a milter says at MAIL and
 * RCPT. */
static struct answer
answer_in_envelope(
    const struct milter_session *session, const struct verdict *verdict)
{
	return (struct answer){
	    .verdict = *verdict, .with_about = session->mta != MTA_SENDMAIL};
}

struct answer
stage_out_of_order(void)
{
	static const struct verdict verdict = {.kind = VERDICT_DEFER,
	    .code = 451,
	    .enhanced = SLICE_INIT("4.3.0"),
	    .text = SLICE_INIT("Please try again later")};

	return answer_with(&verdict);
}

/* The texts of a verdict that outlives its callback. */
static struct verdict
keep_verdict(struct arena *arena, const struct verdict *verdict)
{
	struct verdict kept = *verdict;

	kept.enhanced = arena_copy(arena, verdict->enhanced);
	kept.text = arena_copy(arena, verdict->text);
	kept.about = arena_copy(arena, verdict->about);
	return kept;
}

static void
count(struct counters *counters, enum verdict_kind kind)
{
	switch (kind) {
	case VERDICT_REJECT:
		atomic_fetch_add(&counters->rejected, 1);
		return;
	case VERDICT_DEFER:
		atomic_fetch_add(&counters->deferred, 1);
		return;
	case VERDICT_DISCARD:
		atomic_fetch_add(&counters->discarded, 1);
		return;
	case VERDICT_QUARANTINE:
		atomic_fetch_add(&counters->quarantined, 1);
		return;
	case VERDICT_CONTINUE:
	case VERDICT_ACCEPT:
		return;
	}
}

/* One line per decision. The queue id is asked for only here: Postfix knows
 * it from the first accepted recipient on, and mostly nobody wants it. */
void
stage_record(struct milter_session *session, const struct verdict *verdict,
    slice arg1, const struct macros *macros)
{
	struct log_decision line = {
	    .client = &session->said.client, .arg1 = arg1, .verdict = verdict};

	if (verdict->kind == VERDICT_CONTINUE ||
	    verdict->kind == VERDICT_ACCEPT)
		return;
	if (macros == NULL)
		line.arg2 = session->said.client.address;
	else
		line.queue_id = macro(macros, "i");
	count(&session->service->counters, verdict->kind);
	log_verdict(session->scratch, &line);
	log_fault(session->scratch, line.queue_id, &session->faults);
	session->forgery_told = true;
}

static void
hold_refusal(struct milter_session *session, const struct verdict *verdict)
{
	struct arena *arena = session->connection_arena;
	struct verdict *kept = ARENA_NEW(arena, struct verdict);

	*kept = keep_verdict(arena, verdict);
	session->connect_refusal = kept;
}

struct answer
stage_connect(struct milter_session *session)
{
	struct decision decision = decision_for(session);
	struct verdict verdict;

	if (atomic_load(&session->service->stopping))
		return answer_with(&shutting_down);
	verdict = decide_connect(&decision);
	stage_record(session, &verdict, session->said.client.name, NULL);
	if (verdict.kind == VERDICT_DISCARD)
		session->connect_discard = true;
	if (!verdict_is_refusal(&verdict))
		return answer_continue();
	if (verdict.close)
		return answer_with(&verdict);
	hold_refusal(session, &verdict);
	return answer_continue();
}

struct answer
stage_helo(struct milter_session *session)
{
	if (session->mta == MTA_SENDMAIL && session->connect_refusal != NULL)
		return answer_with(session->connect_refusal);
	return answer_continue();
}

/* What is decided for the message and carried out at its end. */
static void
hold(struct milter_session *session, const struct verdict *verdict)
{
	struct message *message = session->message;

	if (verdict->kind == VERDICT_DISCARD)
		message->discard = true;
	if (verdict->kind != VERDICT_QUARANTINE)
		return;
	message->quarantine = true;
	message->quarantine_reason = arena_copy(message->arena, verdict->text);
}

struct answer
stage_mail(struct milter_session *session, const struct macros *macros)
{
	struct decision decision = decision_for(session);
	struct answer answer;
	struct verdict verdict;

	if (atomic_load(&session->service->stopping))
		verdict = shutting_down;
	else if (session->connect_refusal != NULL)
		verdict = *session->connect_refusal;
	else {
		verdict = decide_mail(&decision);
		stage_record(session, &verdict, session->said.sender, macros);
	}
	session->message->discard = session->connect_discard;
	hold(session, &verdict);
	if (!verdict_is_refusal(&verdict))
		return answer_continue();
	verdict = keep_verdict(session->scratch, &verdict);
	answer = answer_in_envelope(session, &verdict);
	session_end_message(session);
	return answer;
}

/* More recipients than are kept: the client has to send the others apart. */
static struct answer
too_many_recipients(const struct milter_session *session)
{
	static const struct verdict verdict = {.kind = VERDICT_DEFER,
	    .code = 452,
	    .enhanced = SLICE_INIT("4.5.3"),
	    .text = SLICE_INIT("Too many recipients")};

	return answer_in_envelope(session, &verdict);
}

/* A recipient of mail that did not come by SMTP cannot be refused alone. */
static struct answer
refuse_recipient(struct milter_session *session, const struct verdict *verdict)
{
	struct message *message = session->message;

	if (!session->is_local)
		return answer_in_envelope(session, verdict);
	if (!verdict_is_refusal(&message->refusal))
		message->refusal = keep_verdict(message->arena, verdict);
	return answer_continue();
}

struct answer
stage_recipient(struct milter_session *session, char *const *arguments,
    const struct macros *macros)
{
	struct decision decision = decision_for(session);
	struct verdict verdict;
	slice recipient;

	if (session->message == NULL)
		return stage_out_of_order();
	recipient = session_recipient(session, slice_from_cstr(arguments[0]));
	verdict = decide_recipient(&decision, recipient);
	stage_record(session, &verdict, recipient, macros);
	hold(session, &verdict);
	if (verdict_is_refusal(&verdict))
		return refuse_recipient(session, &verdict);
	return session_add_recipient(session, recipient, arguments)
		   ? answer_continue()
		   : too_many_recipients(session);
}

/* Without macros: nobody knows a queue id any more. */
static void
tell_forgery(struct milter_session *session, const struct macros *macros)
{
	if (session->forgery_told ||
	    session->said.client.resolve != RESOLVE_FORGED)
		return;
	session->forgery_told = true;
	log_forged(session->scratch,
	    macros == NULL ? SLICE("") : macro(macros, "i"),
	    &session->said.client);
}

/* The refusals first: a message that is too big is refused even where it
 * would be discarded. */
static struct verdict
decide_end(struct milter_session *session, const struct macros *macros)
{
	struct decision decision = decision_for(session);
	struct message *message = session->message;
	struct verdict verdict;

	if (verdict_is_refusal(&message->refusal))
		return keep_verdict(session->scratch, &message->refusal);
	verdict = decide_message(&decision, message->bytes, message->hops);
	stage_record(session, &verdict, session->said.sender, macros);
	hold(session, &verdict);
	if (verdict_is_refusal(&verdict))
		return keep_verdict(session->scratch, &verdict);
	if (message->discard)
		return (struct verdict){.kind = VERDICT_DISCARD};
	if (!message->quarantine)
		return (struct verdict){.kind = VERDICT_CONTINUE};
	return (struct verdict){.kind = VERDICT_QUARANTINE,
	    .text = arena_copy(session->scratch, message->quarantine_reason)};
}

/* Bodies that nobody judges are not asked of the MTA; their size is what the
 * client has said. */
static void
count_message(struct milter_session *session)
{
	struct counters *counters = &session->service->counters;
	unsigned long bytes = session->message->bytes;

	if (session->generation->policy->max_message_size == 0 &&
	    session->said.size > bytes)
		bytes = session->said.size;
	atomic_fetch_add(&counters->messages, 1);
	atomic_fetch_add(&counters->bytes, bytes);
}

struct answer
stage_end_of_message(
    struct milter_session *session, const struct macros *macros)
{
	struct answer answer;
	struct verdict verdict;

	if (session->message == NULL)
		return stage_out_of_order();
	verdict = decide_end(session, macros);
	answer = answer_with(&verdict);
	if (verdict.kind == VERDICT_CONTINUE ||
	    verdict.kind == VERDICT_QUARANTINE) {
		struct decision decision = decision_for(session);

		answer.verdict =
		    stage_filter(session, &decision, macros, &verdict, &answer);
	}
	count_message(session);
	tell_forgery(session, macros);
	return answer;
}

void
stage_close(struct milter_session *session)
{
	tell_forgery(session, NULL);
}
