/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/message.h"

#include "base/strbuf.h"
#include "policy/access.h"
#include "policy/audience.h"
#include "policy/header.h"
#include "policy/path.h"
#include "policy/rewrite.h"
#include "policy/virtuser.h"

static const char rule[] = "rewrite";

bool
policy_rewrites_headers(const struct policy *p)
{
	return p->domaintable != NULL || p->genericstable != NULL ||
	       p->masquerade_as.len > 0 || p->always_add_domain;
}

bool
policy_rewrites_sender(const struct policy *p)
{
	return p->domaintable != NULL ||
	       (p->masquerade_envelope && policy_rewrites_headers(p)) ||
	       p->aliases != NULL;
}

bool
policy_rewrites_recipients(const struct policy *p)
{
	return p->domaintable != NULL || p->virtusertable != NULL ||
	       p->aliases != NULL || p->luser_relay.len > 0;
}

static void
rewrite_sender(const struct decision *d, const struct message_input *in,
    slice owner, struct message_result *result)
{
	struct rewrite how = {.role = REWRITE_ENVELOPE_SENDER};
	bool failed = false;
	slice sender = path_address(in->sender);
	slice new = owner;

	/* The null sender is nobody's but a list's owner's. */
	if (owner.len == 0 && slice_eq(in->sender, SLICE("<>")))
		return;
	if (owner.len == 0 &&
	    (!policy_rewrites_sender(d->policy) ||
		!rewrite_changes(d, &how, sender, &new, &failed))) {
		if (failed)
			result->verdict = access_tempfail(rule);
		return;
	}
	edit_add(&result->edits, (struct edit){.kind = EDIT_SENDER,
				     .text = path_of(d->arena, new),
				     .before = in->sender});
}

struct field_work {
	struct decision d; /* its arena holds one address at a time */
	struct rewrite how;
	struct strbuf text;
	size_t copied; /* of the old value */
	bool is_changed;
	bool failed;
};

static void
rewrite_span(struct field_work *w, slice value, slice span)
{
	size_t at = (size_t)(span.ptr - value.ptr);
	slice new;

	arena_reset(w->d.arena);
	if (!rewrite_changes(&w->d, &w->how, span, &new, &w->failed))
		return;
	strbuf_add(&w->text,
	    slice_first(slice_from(value, w->copied), at - w->copied));
	strbuf_add(&w->text, new);
	w->copied = at + span.len;
	w->is_changed = true;
}

static const char *
rewrite_spans(struct field_work *w, slice value)
{
	struct header_parser parser;
	slice span;

	header_parser_init(&parser, value);
	for (;;) {
		switch (header_next(&parser, &span)) {
		case HEADER_ADDRESS:
			rewrite_span(w, value, span);
			if (w->failed)
				return NULL;
			break;
		case HEADER_END:
			return NULL;
		case HEADER_BROKEN:
			return parser.problem;
		}
	}
}

static void
add_problem(const struct decision *d, struct message_result *result, slice name,
    const char *problem)
{
	struct message_problem *p = ARENA_NEW(d->arena, struct message_problem);

	p->name = name;
	p->problem = problem;
	p->next = result->problems;
	result->problems = p;
}

static void
rewrite_field(const struct decision *d, const struct header_field *field,
    enum header_kind kind, bool is_local_mail, struct message_result *result)
{
	struct field_work w = {.d = *d,
	    .how = {.role = kind == HEADER_SENDER ? REWRITE_HEADER_SENDER
						  : REWRITE_HEADER_RECIPIENT,
		.is_local_mail = is_local_mail}};
	const char *problem;

	strbuf_init(&w.text, d->arena);
	w.d.arena = arena_new(0);
	problem = rewrite_spans(&w, field->value);
	arena_free(w.d.arena);
	if (w.failed)
		result->verdict = access_tempfail(rule);
	if (problem != NULL)
		add_problem(d, result, field->name, problem);
	if (problem != NULL || w.failed || !w.is_changed)
		return;
	strbuf_add(&w.text, slice_from(field->value, w.copied));
	edit_add(&result->edits, (struct edit){.kind = EDIT_CHANGE_HEADER,
				     .name = field->name,
				     .index = field->index,
				     .text = strbuf_slice(&w.text),
				     .before = field->value});
}

/* sendmail rewrites for each mailer apart; a milter has one message for all.
 * It counts as local only where all of its recipients are. */
static bool
is_local_mail(const struct decision *d, const struct message_input *in)
{
	for (size_t i = 0; i < in->recipient_count; i++) {
		if (route_find(d, in->recipients[i]).kind != ROUTE_LOCAL)
			return false;
	}
	return in->recipient_count > 0;
}

static void
rewrite_fields(const struct decision *d, const struct message_input *in,
    struct message_result *result)
{
	bool is_local;

	if (!policy_rewrites_headers(d->policy))
		return;
	is_local = !d->policy->always_add_domain && is_local_mail(d, in);
	for (size_t i = 0; i < in->field_count; i++) {
		enum header_kind kind = header_kind(in->fields[i].name);

		if (kind != HEADER_OTHER)
			rewrite_field(
			    d, &in->fields[i], kind, is_local, result);
	}
}

struct message_result
rewrite_message(const struct decision *d, const struct message_input *input)
{
	struct message_result result = {.verdict = {.rule = rule}};
	slice owner = SLICE("");

	edit_list_init(&result.edits, d->arena);
	if (policy_rewrites_recipients(d->policy))
		audience_edit(d, input, &result, &owner);
	if (!verdict_is_refusal(&result.verdict))
		rewrite_sender(d, input, owner, &result);
	if (!verdict_is_refusal(&result.verdict))
		rewrite_fields(d, input, &result);
	if (verdict_is_refusal(&result.verdict))
		edit_list_init(&result.edits, d->arena);
	return result;
}
