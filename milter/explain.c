/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A session runs through connect, mail, each recipient and, where a message
 * or its size is given, its end, until a stage refuses. What one stage leaves
 * behind for the later ones (a discard at connect or for one recipient loses
 * the whole message) is the doors' business, not the policy's, and so it is
 * done here once more; see find_decisive().
 */
#include "milter/explain.h"

#include "milter/attributes.h"
#include "milter/dynamic.h"
#include "milter/explain_answer.h"
#include "milter/explain_recipes.h"
#include "milter/explain_vacation.h"
#include "milter/explain_rewrite.h"
#include "milter/lazy_ports.h"
#include "policy/decide.h"

#include <limits.h>

/* The milter's, for the client's name. */
#define CLIENT_BUDGET_MS 2000
#define ARENA_BLOCK (32 * 1024)

struct run {
	const struct explain *explain;
	struct arena *arena;
	const struct attributes *attributes;
	struct session session;
	struct lazy_ports lazy;
	struct ports ports;
	struct explain_answer answer;
	struct explain_message *message; /* that was taken in, or NULL */
	struct error *error;
};

__attribute__((format(printf, 2, 3))) static void
assume(struct run *run, const char *format, ...)
{
	struct explain_answer *answer = &run->answer;
	va_list args;

	va_start(args, format);
	answer->assumed[answer->assumed_count++] =
	    arena_vprintf(run->arena, format, args);
	va_end(args);
}

/* As the daemon does for an MTA that says nothing of names. */
static void
resolve_client(struct run *run)
{
	struct client *client = &run->session.client;
	struct resolver *resolver = lazy_ports_resolver(&run->lazy);

	if (resolver == NULL) {
		client->resolve = RESOLVE_TEMP;
		client_set_name(run->arena, client);
	} else {
		resolver_find_client(resolver, run->arena,
		    deadline_in(CLIENT_BUDGET_MS), client);
	}
	assume(run, "client_name=" SLICE_FMT, SLICE_ARG(client->name));
	assume(run, "reverse_client_name=" SLICE_FMT,
	    client->ptr.len == 0 ? 7 : (int)client->ptr.len,
	    client->ptr.len == 0 ? "unknown" : client->ptr.ptr);
}

static bool
read_client(struct run *run)
{
	enum client_words words;

	if (!attributes_read_client(run->attributes, run->arena,
		&run->session.client, &words, run->error))
		return false;
	if (words == CLIENT_NAMES_MISSING)
		resolve_client(run);
	if (words != CLIENT_COMPLETE)
		assume(run, "client_resolve=%s",
		    client_resolve_word(run->session.client.resolve));
	return true;
}

static void
read_sender(struct run *run, bool is_needed)
{
	const struct attributes *a = run->attributes;

	if (attribute_is_given(a->sender)) {
		run->session.sender = attribute_path(run->arena, a->sender);
	} else if (is_needed) {
		run->session.sender = SLICE("<>");
		assume(run, "sender=<>");
	}
	run->answer.has_sender = run->session.sender.len > 0;
}

/* Of the last stage. */
static struct decision
decision_for(struct run *run)
{
	bool with_trace = run->explain->with_trace;

	return (struct decision){
	    .policy = run->explain->generation->policy,
	    .ports = &run->ports,
	    .session = &run->session,
	    .arena = run->arena,
	    .trace = with_trace ? &run->answer.last->trace : NULL,
	};
}

static struct decision
start_stage(struct run *run, const char *stage, slice recipient)
{
	struct explain_answer *answer = &run->answer;
	struct explain_stage *entry =
	    ARENA_NEW(run->arena, struct explain_stage);

	entry->stage = stage;
	entry->recipient = recipient;
	trace_init(&entry->trace, run->arena);
	if (answer->first == NULL)
		answer->first = entry;
	else
		answer->last->next = entry;
	answer->last = entry;
	/* Decides unless find_decisive() knows better. */
	answer->decisive = entry;
	lazy_ports_start_stage(&run->lazy);
	return decision_for(run);
}

/* False: the session is over with this verdict. */
static bool
finish_stage(struct run *run, struct verdict verdict)
{
	run->answer.last->verdict = verdict;
	return !verdict_is_refusal(&verdict);
}

static void
run_recipients(struct run *run)
{
	const struct attribute_value *r = run->attributes->first_recipient;

	for (; r != NULL; r = r->next) {
		slice path = attribute_path(run->arena, r->value);
		struct decision d = start_stage(run, "rcpt", path);
		struct verdict verdict = decide_recipient(&d, path);

		(void)finish_stage(run, verdict);
		if (!verdict_is_refusal(&verdict))
			run->session.rcpt_count++;
	}
}

static bool
read_message(struct run *run, unsigned long *ret_size, unsigned long *ret_hops)
{
	slice rest = run->attributes->message;
	slice size = SLICE("");
	slice hops = SLICE("");

	(void)slice_next(&rest, ' ', &size);
	(void)slice_next(&rest, ' ', &hops);
	return attribute_read_number(size, "message", ret_size, run->error) &&
	       attribute_read_number(hops, "message", ret_hops, run->error);
}

/* Without a message its size, where that is known, is judged alone. */
static bool
run_message(struct run *run)
{
	bool has_message = attribute_is_given(run->attributes->message);
	unsigned long size = run->session.size;
	unsigned long hops = 0;
	struct decision d;

	if (!has_message && size == 0)
		return true;
	if (!has_message)
		assume(run, "message=%lu 0", size);
	else if (!read_message(run, &size, &hops))
		return false;
	d = start_stage(run, "eom", SLICE(""));
	(void)finish_stage(
	    run, decide_message(
		     &d, size, hops > UINT_MAX ? UINT_MAX : (unsigned)hops));
	return true;
}

/* The header as milterctl has read it stands behind the two numbers. */
static slice
message_header(slice message)
{
	size_t hops = slice_index(message, ' ') + 1;

	return slice_from(
	    message, hops + slice_index(slice_from(message, hops), ' ') + 1);
}

static struct explain_message *
take_in(struct run *run, const struct decision *d)
{
	const struct attributes *a = run->attributes;
	struct explain_message *message =
	    ARENA_NEW(run->arena, struct explain_message);

	explain_message_begin(
	    message, d, &run->explain->generation->settings->limits);
	intake_wish(
	    &message->intake, &run->explain->generation->filters.wishes);
	for (const struct explain_stage *s = run->answer.first; s != NULL;
	     s = s->next) {
		if (s->recipient.len > 0 && !verdict_is_refusal(&s->verdict))
			explain_message_add_recipient(message, s->recipient);
	}
	explain_message_add_header(message, message_header(a->message));
	for (const struct attribute_value *h = a->first_header; h != NULL;
	     h = h->next)
		explain_message_add_header(message, h->value);
	return message;
}

static const struct explain_stage *
find_kind(const struct explain_answer *answer, enum verdict_kind kind)
{
	for (const struct explain_stage *s = answer->first; s != NULL;
	     s = s->next) {
		if (s->verdict.kind != kind)
			continue;
		/* sendmail only logs a quarantine at connect. */
		if (kind == VERDICT_QUARANTINE && s == answer->first)
			continue;
		return s;
	}
	return NULL;
}

/* The first recipient that is accepted, else the first of all. */
static const struct explain_stage *
find_recipient(const struct explain_answer *answer)
{
	const struct explain_stage *refused = NULL;

	for (const struct explain_stage *s = answer->first; s != NULL;
	     s = s->next) {
		if (s->recipient.len == 0)
			continue;
		if (!verdict_is_refusal(&s->verdict))
			return s;
		if (refused == NULL)
			refused = s;
	}
	return refused;
}

/* After the recipients: with all of them refused the first stands for the
 * session; else a refusal at the end of the message does, then a discard or a
 * quarantine at any stage, for it takes the whole message. */
static void
find_decisive(struct explain_answer *answer)
{
	const struct explain_stage *recipient = find_recipient(answer);
	const struct explain_stage *found;

	if (verdict_is_refusal(&recipient->verdict)) {
		answer->decisive = recipient;
		return;
	}
	if (answer->last->recipient.len == 0 &&
	    verdict_is_refusal(&answer->last->verdict))
		return;
	found = find_kind(answer, VERDICT_DISCARD);
	if (found == NULL)
		found = find_kind(answer, VERDICT_QUARANTINE);
	if (found != NULL)
		answer->decisive = found;
	else if (answer->last->recipient.len > 0 || answer->last->is_aside)
		answer->decisive = recipient;
}

/* milterctl hands over no more of a large message than its beginning. */
static void
tell_cut(struct run *run, const struct explain_message *message)
{
	const struct intake *intake = &message->intake;
	size_t kept = intake->header.len + intake->body_len;
	unsigned long size;
	unsigned long hops;

	if (read_message(run, &size, &hops) && intake->keeps_body &&
	    kept < size)
		assume(run, "message=its first %zu bytes", kept);
}

/* False: they refuse the message, or leave nobody. Without a message there is
 * nothing that recipes could say. */
static bool
run_recipes(
    struct run *run, struct explain_message *message, const struct decision *d)
{
	struct explain_answer *answer = &run->answer;
	const struct explain_stage *held = find_kind(answer, VERDICT_QUARANTINE);
	struct verdict so_far = {.kind = VERDICT_CONTINUE};

	if (held != NULL)
		so_far = held->verdict;
	if (!attribute_is_given(run->attributes->message))
		return true;
	if (message->intake.is_too_large) {
		assume(run, "recipes=none, for the message is too large");
		return true;
	}
	tell_cut(run, message);
	answer->recipes = explain_recipes(
	    message, d, run->explain->generation, &so_far);
	if (answer->recipes == NULL ||
	    answer->recipes->verdict.kind == VERDICT_CONTINUE)
		return true;
	answer->last->verdict = answer->recipes->verdict;
	return answer->recipes->verdict.kind == VERDICT_QUARANTINE;
}

/* What gets that far is rewritten, with or without a message. */
static void
run_rewriting(struct run *run)
{
	struct explain_answer *answer = &run->answer;
	struct explain_message *message;
	struct verdict verdict;
	struct decision d;

	if ((!explain_message_matters(run->explain->generation->policy) &&
		!run->explain->generation->filters.wishes.header) ||
	    find_kind(answer, VERDICT_DISCARD) != NULL)
		return;
	if (answer->last->recipient.len > 0) {
		(void)start_stage(run, "eom", SLICE(""));
		answer->last->is_aside = true;
	} else if (verdict_is_refusal(&answer->last->verdict)) {
		return;
	}
	d = decision_for(run);
	message = take_in(run, &d);
	run->message = message;
	verdict = explain_message_rewrite(message, &d);
	if (verdict_is_refusal(&verdict)) {
		answer->last->verdict = verdict;
		return;
	}
	if (!run_recipes(run, message, &d))
		return;
	answer->message = message;
	answer->vacation = explain_vacation(message, &d,
	    run->explain->generation,
	    find_kind(answer, VERDICT_QUARANTINE) != NULL
		? VERDICT_QUARANTINE
		: VERDICT_CONTINUE);
}

static bool
run_session(struct run *run)
{
	bool has_recipients = run->attributes->first_recipient != NULL;
	struct decision d;

	read_sender(run, has_recipients);
	if (!attribute_is_given(run->attributes->helo_name)) {
		run->session.helo = run->session.client.name;
		assume(
		    run, "helo_name=" SLICE_FMT, SLICE_ARG(run->session.helo));
	}
	d = start_stage(run, "connect", SLICE(""));
	if (!finish_stage(run, decide_connect(&d)) || !run->answer.has_sender)
		return true;
	d = start_stage(run, "mail", SLICE(""));
	if (!finish_stage(run, decide_mail(&d)) || !has_recipients)
		return true;
	run_recipients(run);
	if (run->session.rcpt_count > 0) {
		if (!run_message(run))
			return false;
		run_rewriting(run);
	}
	find_decisive(&run->answer);
	return true;
}

static bool
run_check_rcpt(struct run *run)
{
	const struct attribute_value *r = run->attributes->first_recipient;

	if (r == NULL)
		return error_set(
		    run->error, "ruleset=check_rcpt needs a recipient");
	for (; r != NULL; r = r->next) {
		slice path = attribute_path(run->arena, r->value);
		struct decision d = start_stage(run, "rcpt", path);

		(void)finish_stage(
		    run, decide_ruleset(&d, RULESET_CHECK_RCPT, path));
	}
	find_decisive(&run->answer);
	return true;
}

static bool
run_ruleset(struct run *run)
{
	slice name = run->attributes->ruleset;
	struct decision d;

	if (slice_eq(name, SLICE("check_relay"))) {
		d = start_stage(run, "connect", SLICE(""));
		(void)finish_stage(run, decide_ruleset(&d, RULESET_CHECK_RELAY,
					    run->session.client.name));
		return true;
	}
	if (slice_eq(name, SLICE("check_mail"))) {
		if (!attribute_is_given(run->attributes->sender))
			return error_set(
			    run->error, "ruleset=check_mail needs a sender");
		read_sender(run, true);
		d = start_stage(run, "mail", SLICE(""));
		(void)finish_stage(run, decide_ruleset(&d, RULESET_CHECK_MAIL,
					    run->session.sender));
		return true;
	}
	if (slice_eq(name, SLICE("check_rcpt"))) {
		read_sender(run, true);
		return run_check_rcpt(run);
	}
	return error_set(run->error,
	    "ruleset is one of check_relay, check_mail, check_rcpt, "
	    "not '" SLICE_FMT "'",
	    SLICE_ARG(name));
}

static bool
explain_address(const struct explain *explain, struct arena *arena,
    const struct attributes *attributes, bool *ret_goes_on, struct error *error)
{
	struct lazy_ports lazy;
	struct ports ports;
	struct trace trace;
	struct session session = {.size = 0};
	struct decision decision = {
	    .policy = explain->generation->policy,
	    .ports = &ports,
	    .session = &session,
	    .arena = arena,
	};
	struct strbuf out;

	lazy_ports_init(
	    &lazy, explain->find_resolver, explain->context, &ports);
	dynamic_set_ports(explain->live, &ports);
	trace_init(&trace, arena);
	if (explain->with_trace)
		decision.trace = &trace;
	strbuf_init(&out, arena);
	if (!explain_rewrite(
		&decision, attributes, explain->as_json, &out, error))
		return false;
	*ret_goes_on = explain->emit(explain->context, strbuf_slice(&out));
	return true;
}

static bool
explain_session(const struct explain *explain, struct arena *arena,
    const struct attributes *attributes, bool *ret_goes_on, struct error *error)
{
	struct run run = {
	    .explain = explain,
	    .arena = arena,
	    .attributes = attributes,
	    .answer = {.arena = arena},
	    .error = error,
	};
	struct strbuf out;

	lazy_ports_init(
	    &run.lazy, explain->find_resolver, explain->context, &run.ports);
	dynamic_set_ports(explain->live, &run.ports);
	run.answer.session = &run.session;
	if (!attributes_read_session(attributes, &run.session, error) ||
	    !read_client(&run))
		return false;
	if (attribute_is_given(attributes->ruleset) ? !run_ruleset(&run)
						    : !run_session(&run))
		return false;
	strbuf_init(&out, arena);
	if (explain->as_json)
		explain_print_json(&run.answer, explain->with_trace, &out);
	else
		explain_print_text(&run.answer, explain->with_trace, &out);
	if (run.message != NULL)
		intake_end(&run.message->intake);
	*ret_goes_on = explain->emit(explain->context, strbuf_slice(&out));
	return true;
}

static bool
explain_one(const struct explain *explain, struct arena *arena,
    const struct attributes *attributes, bool *ret_goes_on, struct error *error)
{
	return attribute_is_given(attributes->rewrite)
		   ? explain_address(
			 explain, arena, attributes, ret_goes_on, error)
		   : explain_session(
			 explain, arena, attributes, ret_goes_on, error);
}

/* One block; the line counter stands behind it afterwards. An error of the
 * session as a whole is told with the block's first line. */
static bool
explain_block(const struct explain *explain, struct arena *arena, slice *text,
    unsigned *line, bool *ret_goes_on, struct error *error)
{
	struct attributes attributes = {0};
	unsigned first = 0;
	slice rest;

	while (slice_next(text, '\n', &rest)) {
		unsigned here = (*line)++;

		if (rest.len > 0 && rest.ptr[rest.len - 1] == '\r')
			rest.len--;
		if (rest.len == 0 && first == 0)
			continue;
		if (rest.len == 0)
			break;
		if (first == 0)
			first = here;
		if (!attributes_add_line(&attributes, arena, rest))
			return error_set(error,
			    "line %u: '" SLICE_FMT
			    "' is no attribute of a session",
			    here, SLICE_ARG(slice_first(rest, 80)));
	}
	if (first != 0 &&
	    !explain_one(explain, arena, &attributes, ret_goes_on, error)) {
		struct error why = *error;

		return error_set(error, "line %u: %.400s", first, why.text);
	}
	return true;
}

bool
explain_blocks(const struct explain *explain, slice text, unsigned first_line,
    struct error *error)
{
	struct arena *arena = arena_new(ARENA_BLOCK);
	unsigned line = first_line;
	bool goes_on = true;
	bool is_good = true;

	while (is_good && goes_on && text.len > 0) {
		is_good = explain_block(
		    explain, arena, &text, &line, &goes_on, error);
		arena_reset(arena);
	}
	arena_free(arena);
	return is_good;
}
