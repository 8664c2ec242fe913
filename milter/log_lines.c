/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/log_lines.h"

#include "base/strbuf.h"
#include "milter/log.h"
#include "milter/log_private.h"
#include "policy/path.h"

#include <syslog.h>

enum {
	QUEUE_ID_MAX = 64,
	HOST_MAX = 255,
	ADDRESS_MIN = 125,
};

/* Escapes. */

static bool
is_unprintable(char c)
{
	return log_is_control(c) || (unsigned char)c >= 0x80;
}

static bool
is_structure(char c)
{
	return c == ' ' || c == ',' || c == '=' || c == '<' || c == '>';
}

/* Until `limit` bytes are written; false when the text had more. */
static bool
escape_into(struct strbuf *out, slice text, size_t limit)
{
	char hex[3];

	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		slice piece = {&c, 1};

		if (is_unprintable(c) || is_structure(c))
			piece = (slice){hex, log_add_hex(hex, c)};
		if (out->len + piece.len > limit)
			return false;
		strbuf_add(out, piece);
	}
	return true;
}

static bool
is_harmless(slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (is_unprintable(text.ptr[i]) || is_structure(text.ptr[i]))
			return false;
	}
	return true;
}

slice
log_escape(struct arena *arena, slice text, size_t limit)
{
	bool bracketed = path_has_brackets(text) && limit >= 2;
	slice inner = bracketed ? (slice){text.ptr + 1, text.len - 2} : text;
	struct strbuf out;

	if (text.len <= limit && is_harmless(inner))
		return text;
	strbuf_init(&out, arena);
	if (bracketed)
		strbuf_add_char(&out, '<');
	(void)escape_into(&out, inner, bracketed ? limit - 1 : limit);
	if (bracketed)
		strbuf_add_char(&out, '>');
	return strbuf_slice(&out);
}

/* What may stand in quotes: from the first quote to the last, whatever lies
 * between, for the address grammar's own idea of them is not needed here. */
static slice
quoted_part(slice text)
{
	size_t first = slice_index(text, '"');
	size_t last = slice_last_index(text, '"');

	return slice_from(
	    slice_first(text, last == first ? text.len : last), first);
}

/*
 * The text of a reply is prose, with blanks and commas, and may hold an
 * address that the client chose: "Domain of sender address $f does not
 * exist". Two things keep such an address from looking like fields of the
 * line: no '=' is left as it is, and what stands in quotes (a blank in an
 * address must) is escaped as an address is.
 */
static slice
escape_prose(struct arena *arena, slice text)
{
	slice quoted = quoted_part(text);
	size_t first = text.len;
	struct strbuf out;
	char hex[3];

	if (quoted.len > 0)
		first = (size_t)(quoted.ptr - text.ptr);
	strbuf_init(&out, arena);
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		bool in_quotes = i >= first && i < first + quoted.len;

		if (is_unprintable(c) || c == '=' ||
		    (in_quotes && is_structure(c)))
			strbuf_add(&out, (slice){hex, log_add_hex(hex, c)});
		else
			strbuf_add_char(&out, c);
	}
	return strbuf_slice(&out);
}

static bool
is_host_char(char c)
{
	char lower = ascii_lower(c);

	return (lower >= 'a' && lower <= 'z') || ascii_is_digit(c) ||
	       c == '-' || c == '.' || c == '_';
}

static bool
is_host_name(slice name)
{
	for (size_t i = 0; i < name.len; i++) {
		if (!is_host_char(name.ptr[i]))
			return false;
	}
	return name.len <= HOST_MAX;
}

/* A name that an MTA or the DNS gave: "[192.0.2.1]" as it is, else every byte
 * escaped that no host name has. */
static slice
escape_host(struct arena *arena, slice name, slice address)
{
	struct strbuf out;
	char hex[3];

	if (is_host_name(name) ||
	    slice_eq(name, client_bracketed(arena, address)))
		return name;
	strbuf_init(&out, arena);
	for (size_t i = 0; i < name.len && out.len < HOST_MAX; i++) {
		if (is_host_char(name.ptr[i]))
			strbuf_add_char(&out, name.ptr[i]);
		else
			strbuf_add(
			    &out, (slice){hex, log_add_hex(hex, name.ptr[i])});
	}
	return strbuf_slice(&out);
}

/* Decisions. */

/* relay=. What an MTA handed over as a name is not to be trusted either. */
static slice
relay_text(struct arena *arena, const struct client *client)
{
	struct client safe = *client;

	safe.address = log_escape(arena, client->address, HOST_MAX);
	safe.name = escape_host(arena, client->name, safe.address);
	safe.ptr = escape_host(arena, client->ptr, safe.address);
	return client_relay_text(arena, &safe);
}

static slice
queue_id_text(struct arena *arena, slice queue_id)
{
	if (queue_id.len == 0)
		return SLICE("NOQUEUE");
	return log_escape(arena, queue_id, QUEUE_ID_MAX);
}

/* ", reject=...", with the address cut at `limit`. */
static slice
outcome_text(struct arena *arena, const struct verdict *verdict, size_t limit)
{
	struct verdict safe = *verdict;

	safe.text = escape_prose(arena, verdict->text);
	switch (verdict->kind) {
	case VERDICT_REJECT:
	case VERDICT_DEFER:
		safe.about = log_escape(arena, verdict->about, limit);
		return arena_printf(arena, ", reject=" SLICE_FMT,
		    SLICE_ARG(verdict_reply(arena, &safe)));
	case VERDICT_DISCARD:
		return SLICE(", discard");
	case VERDICT_QUARANTINE:
		return arena_printf(
		    arena, ", quarantine=" SLICE_FMT, SLICE_ARG(safe.text));
	case VERDICT_CONTINUE:
	case VERDICT_ACCEPT:
		break;
	}
	return SLICE("");
}

static slice
decision_text(
    struct arena *arena, const struct log_decision *decision, size_t limit)
{
	const char *rule = decision->verdict->rule;
	slice arg2 = decision->arg2;
	struct strbuf out;

	strbuf_init(&out, arena);
	strbuf_add(&out, queue_id_text(arena, decision->queue_id));
	strbuf_printf(&out, ": ruleset=%s, arg1=" SLICE_FMT,
	    rule == NULL ? "milterd" : rule,
	    SLICE_ARG(log_escape(arena, decision->arg1, limit)));
	if (arg2.len > 0)
		strbuf_printf(&out, ", arg2=" SLICE_FMT,
		    SLICE_ARG(log_escape(arena, arg2, HOST_MAX)));
	strbuf_printf(&out, ", relay=" SLICE_FMT,
	    SLICE_ARG(relay_text(arena, decision->client)));
	strbuf_add(&out, outcome_text(arena, decision->verdict, limit));
	return strbuf_slice(&out);
}

/* Where the line is too long the address is cut first, and alike in both its
 * places, because filters ask whether they are the same. */
void
log_verdict(struct arena *arena, const struct log_decision *decision)
{
	size_t limit = LOG_TEXT_MAX;
	slice text;

	if (decision->verdict->kind == VERDICT_CONTINUE ||
	    decision->verdict->kind == VERDICT_ACCEPT)
		return;
	text = decision_text(arena, decision, limit);
	while (text.len > LOG_TEXT_MAX && limit > ADDRESS_MIN) {
		limit /= 2;
		text = decision_text(arena, decision, limit);
	}
	log_line(LOG_NOTICE, SLICE_FMT, SLICE_ARG(text));
}

void
log_forged(struct arena *arena, slice queue_id, const struct client *client)
{
	log_line(LOG_NOTICE, SLICE_FMT ": connect from " SLICE_FMT,
	    SLICE_ARG(queue_id_text(arena, queue_id)),
	    SLICE_ARG(relay_text(arena, client)));
}

static bool
is_of_header(enum edit_kind kind)
{
	switch (kind) {
	case EDIT_CHANGE_HEADER:
	case EDIT_REMOVE_HEADER:
	case EDIT_ADD_HEADER:
	case EDIT_INSERT_HEADER:
		return true;
	case EDIT_SENDER:
	case EDIT_ADD_RECIPIENT:
	case EDIT_DROP_RECIPIENT:
	case EDIT_BODY:
		break;
	}
	return false;
}

/* "name:name", in the order of the edits. */
static slice
changed_headers(struct arena *arena, const struct edit_list *edits)
{
	struct strbuf names;

	strbuf_init(&names, arena);
	for (const struct edit *e = edits->first; e != NULL; e = e->next) {
		if (!is_of_header(e->kind) || names.len > 200)
			continue;
		if (names.len > 0)
			strbuf_add_char(&names, ':');
		strbuf_add(&names, e->name);
	}
	return strbuf_slice(&names);
}

static unsigned
count_edits(const struct edit_list *edits, enum edit_kind kind)
{
	unsigned count = 0;

	for (const struct edit *e = edits->first; e != NULL; e = e->next)
		count += e->kind == kind;
	return count;
}

static slice
new_sender(const struct edit_list *edits, slice old)
{
	for (const struct edit *e = edits->first; e != NULL; e = e->next) {
		if (e->kind == EDIT_SENDER)
			return e->text;
	}
	return old;
}

void
log_rewrite(struct arena *arena, slice queue_id, const struct client *client,
    slice sender, const struct edit_list *edits)
{
	enum { ADDRESS_LIMIT = 250 };

	log_line(LOG_INFO,
	    SLICE_FMT ": ruleset=rewrite, arg1=" SLICE_FMT ", relay=" SLICE_FMT
		      ", sender=" SLICE_FMT
		      ", added=%u, dropped=%u, headers=" SLICE_FMT,
	    SLICE_ARG(queue_id_text(arena, queue_id)),
	    SLICE_ARG(log_escape(arena, sender, ADDRESS_LIMIT)),
	    SLICE_ARG(relay_text(arena, client)),
	    SLICE_ARG(
		log_escape(arena, new_sender(edits, sender), ADDRESS_LIMIT)),
	    count_edits(edits, EDIT_ADD_RECIPIENT),
	    count_edits(edits, EDIT_DROP_RECIPIENT),
	    SLICE_ARG(log_escape(arena, changed_headers(arena, edits), 250)));
}

void
log_fault(struct arena *arena, slice queue_id, const struct trace *faults)
{
	if (faults->first != NULL)
		log_line(LOG_WARNING, SLICE_FMT ": no answer from " SLICE_FMT,
		    SLICE_ARG(queue_id_text(arena, queue_id)),
		    SLICE_ARG(faults->first->text));
}

void
log_recipes(struct arena *arena, slice queue_id, const struct client *client,
    slice recipient, slice what)
{
	log_line(LOG_INFO,
	    SLICE_FMT ": ruleset=recipes, arg1=" SLICE_FMT ", relay=" SLICE_FMT
		      ", " SLICE_FMT,
	    SLICE_ARG(queue_id_text(arena, queue_id)),
	    SLICE_ARG(log_escape(arena, recipient, 250)),
	    SLICE_ARG(relay_text(arena, client)), SLICE_ARG(what));
}

void
log_broken_header(
    struct arena *arena, slice queue_id, slice name, const char *problem)
{
	log_line(LOG_NOTICE,
	    SLICE_FMT ": header " SLICE_FMT " left as it is: %s",
	    SLICE_ARG(queue_id_text(arena, queue_id)),
	    SLICE_ARG(log_escape(arena, name, 60)), problem);
}
