/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/policyd.h"

#include "milter/attributes.h"
#include "milter/dynamic.h"
#include "milter/include_file.h"
#include "milter/log.h"
#include "milter/log_lines.h"
#include "milter/reload.h"
#include "milter/server.h"
#include "milter/users.h"
#include "policy/decide.h"

#include <string.h>
#include <syslog.h>

/* The milter's, for a callback and, within it, for the client's name. */
#define REQUEST_BUDGET_MS 4000
#define CLIENT_BUDGET_MS 2000

struct request {
	struct service *service;
	struct arena *arena;
	struct generation *generation;
	struct attributes attributes;
	struct session session;
	struct resolver_session resolver;
	struct ports ports;
	struct trace faults;
};

static enum frame_result
frame(slice input, bool at_end, size_t *ret_len)
{
	const char *end = memmem(input.ptr, input.len, "\n\n", 2);

	(void)at_end;
	if (input.len > 0 && input.ptr[0] == '\n')
		return FRAME_BAD;
	if (end == NULL)
		return FRAME_PARTIAL;
	*ret_len = (size_t)(end - input.ptr) + 2;
	return FRAME_WHOLE;
}

/* Attributes of a later Postfix are passed over; a line that is none, and NUL
 * bytes, are not its. */
static bool
read_attributes(struct request *r, slice text)
{
	slice line;

	if (memchr(text.ptr, '\0', text.len) != NULL)
		return false;
	while (slice_next(&text, '\n', &line)) {
		if (line.len > 0 &&
		    !attributes_add_line(&r->attributes, r->arena, line) &&
		    slice_index(line, '=') == line.len)
			return false;
	}
	return slice_eq(r->attributes.request, SLICE("smtpd_access_policy"));
}

/* Dot-string of RFC 5321: needs no quotes. Bytes above 127 are left alone
 * (SMTPUTF8). */
static bool
is_plain(slice word)
{
	static const char specials[] = " \t\"(),:;<>@[\\]";

	for (size_t i = 0; i < word.len; i++) {
		unsigned char c = (unsigned char)word.ptr[i];

		if (c < ' ' || c == 0x7f || strchr(specials, c) != NULL)
			return false;
	}
	return true;
}

static void
add_quoted(struct strbuf *path, slice text)
{
	strbuf_add_char(path, '"');
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == '"' || text.ptr[i] == '\\')
			strbuf_add_char(path, '\\');
		strbuf_add_char(path, text.ptr[i]);
	}
	strbuf_add_char(path, '"');
}

/* Of the word at the front: up to "@", "%" or "!". */
static size_t
word_length(slice text)
{
	size_t len = 0;

	while (len < text.len && strchr("@%!", text.ptr[len]) == NULL)
		len++;
	return len;
}

/* A last word that is empty is odd: Postfix takes "host!" for nobody at that
 * host, sendmail for a user of this one. */
static bool
has_plain_words(slice text)
{
	size_t len;

	while ((len = word_length(text)) < text.len) {
		if (!is_plain(slice_first(text, len)) || len + 1 == text.len)
			return false;
		text = slice_from(text, len + 1);
	}
	return is_plain(text);
}

static void
add_word(struct strbuf *path, slice word, bool is_last)
{
	if (is_plain(word) && !(is_last && word.len == 0))
		strbuf_add(path, word);
	else
		add_quoted(path, word);
}

/* Each word in quotes of its own where it needs them. */
static void
add_words(struct strbuf *path, slice text)
{
	size_t len;

	while ((len = word_length(text)) < text.len) {
		add_word(path, slice_first(text, len), false);
		strbuf_add_char(path, text.ptr[len]);
		text = slice_from(text, len + 1);
	}
	add_word(path, text, true);
}

/*
 * Postfix tells addresses without quotes and brackets; as typed, "a@b"@c and
 * a@b@c are very different things. But it goes by "@", "%" and "!" that were
 * in quotes as well ("u%b "@c is u at b to it, if c is its own), where
 * sendmail looks into quotes only if nothing odd is in them. So the words
 * between them are quoted, not the whole, where one of them is odd.
 */
static slice
path_from_postfix(struct arena *arena, slice address)
{
	size_t at = slice_last_index(address, '@');
	slice local = slice_first(address, at);
	struct strbuf path;

	strbuf_init(&path, arena);
	strbuf_add_char(&path, '<');
	if (!has_plain_words(local))
		add_words(&path, local);
	else if (slice_index(local, '@') < local.len)
		add_quoted(&path, local);
	else
		strbuf_add(&path, local);
	strbuf_add(&path, slice_from(address, at));
	strbuf_add_char(&path, '>');
	return strbuf_slice(&path);
}

/* Postfix calls a client without a name and one whose name could not be
 * looked up now "unknown" alike; the resolver is asked which of them it is. */
static void
resolve_client(struct request *r, enum client_words words)
{
	struct client *client = &r->session.client;
	struct client found = {.address = client->address};
	bool is_asked_first =
	    r->generation->settings->client_resolve == CLIENT_FROM_DNS;

	if (!is_asked_first &&
	    (client->resolve != RESOLVE_FAIL || words == CLIENT_COMPLETE))
		return;
	resolver_find_client(r->service->resolver, r->arena,
	    deadline_in(CLIENT_BUDGET_MS), &found);
	if (is_asked_first || found.resolve == RESOLVE_TEMP)
		*client = found;
}

static bool
read_session(struct request *r, struct error *error)
{
	enum client_words words;

	if (!attributes_read_session(&r->attributes, &r->session, error) ||
	    !attributes_read_client(
		&r->attributes, r->arena, &r->session.client, &words, error))
		return false;
	r->session.sender = path_from_postfix(r->arena, r->attributes.sender);
	resolve_client(r, words);
	return true;
}

static slice
first_recipient(const struct request *r)
{
	const struct attribute_value *first = r->attributes.first_recipient;

	return first == NULL ? SLICE("") : first->value;
}

/* Mail that ends here needs no relaying: Postfix knows its own domains, and
 * is not told to pass what it does not know to be one. Not so where the local
 * part leads on to another host. */
static bool
ends_here(const struct request *r, slice address)
{
	size_t at = slice_last_index(address, '@');
	slice local = slice_first(address, at);
	slice domain = slice_from(address, at + 1);

	while (domain.len > 0 && domain.ptr[domain.len - 1] == '.')
		domain.len--;
	return slice_index(local, '%') == local.len &&
	       slice_index(local, '!') == local.len &&
	       slice_index(local, '@') == local.len &&
	       (domain.len == 0 ||
		   class_has(r->generation->policy->local, domain));
}

/* Postfix shows the milter nothing that is decided for good here. */
static void
record(struct request *r, slice recipient, const struct verdict *verdict,
    atomic_ulong *counter)
{
	struct log_decision line = {
	    .queue_id = r->attributes.queue_id,
	    .client = &r->session.client,
	    .arg1 = recipient,
	    .verdict = verdict,
	};

	log_verdict(r->arena, &line);
	log_fault(r->arena, line.queue_id, &r->faults);
	atomic_fetch_add(counter, 1);
}

/* Of mail that ends here the milter tells the client, in sendmail's words. Of
 * other mail Postfix would say that it is not relayed, whatever the reason. */
static void
answer_refusal(struct request *r, slice recipient,
    const struct verdict *verdict, struct strbuf *reply)
{
	struct counters *counters = &r->service->counters;

	if (!verdict->denied_relay && ends_here(r, first_recipient(r))) {
		strbuf_add(reply, SLICE("action=DUNNO\n\n"));
		return;
	}
	record(r, recipient, verdict,
	    verdict->kind == VERDICT_DEFER ? &counters->deferred
					   : &counters->rejected);
	/* Postfix itself says whom the text is about. */
	strbuf_printf(reply, "action=%d " SLICE_FMT " " SLICE_FMT "\n\n",
	    verdict->code, SLICE_ARG(verdict->enhanced),
	    SLICE_ARG(verdict->text));
}

/* A grant counts before a quarantine: the milter will see to that one. */
static void
answer_verdict(struct request *r, slice recipient,
    const struct verdict *verdict, struct strbuf *reply)
{
	switch (verdict->kind) {
	case VERDICT_REJECT:
	case VERDICT_DEFER:
		answer_refusal(r, recipient, verdict, reply);
		return;
	case VERDICT_DISCARD:
		record(r, recipient, verdict, &r->service->counters.discarded);
		strbuf_add(reply, SLICE("action=DISCARD\n\n"));
		return;
	case VERDICT_QUARANTINE:
		if (verdict->relay)
			break;
		strbuf_printf(reply, "action=HOLD " SLICE_FMT "\n\n",
		    SLICE_ARG(verdict->text));
		return;
	case VERDICT_CONTINUE:
	case VERDICT_ACCEPT:
		break;
	}
	strbuf_add(reply, verdict->relay && !ends_here(r, first_recipient(r))
			      ? SLICE("action=OK\n\n")
			      : SLICE("action=DUNNO\n\n"));
}

static void
judge(struct request *r, struct strbuf *reply)
{
	slice recipient = path_from_postfix(r->arena, first_recipient(r));
	struct decision decision = {
	    .policy = r->generation->policy,
	    .ports = &r->ports,
	    .session = &r->session,
	    .arena = r->arena,
	    .trace = &r->faults,
	};
	struct verdict verdict;

	trace_init(&r->faults, r->arena);
	r->faults.faults_only = true;
	r->resolver.resolver = r->service->resolver;
	r->resolver.deadline = deadline_in(REQUEST_BUDGET_MS);
	resolver_ports(&r->resolver, &r->ports);
	r->ports.read_include = include_file_read;
	r->ports.find_user = users_find;
	dynamic_set_ports(r->service->live, &r->ports);
	verdict = decide_recipient(&decision, recipient);
	answer_verdict(r, recipient, &verdict, reply);
}

static void
defer(struct strbuf *reply, const char *why)
{
	log_line(LOG_WARNING, "policy service: %s", why);
	strbuf_add(reply,
	    SLICE("action=DEFER_IF_PERMIT 4.3.0 Please try again later\n\n"));
}

static bool
answer(struct service *service, struct arena *arena, slice text,
    struct strbuf *reply)
{
	struct request r = {.service = service, .arena = arena};
	struct error error;

	atomic_fetch_add(&service->counters.policy_requests, 1);
	if (!read_attributes(&r, text))
		return false;
	if (!slice_eq_nocase(r.attributes.protocol_state, SLICE("RCPT"))) {
		strbuf_add(reply, SLICE("action=DUNNO\n\n"));
		return true;
	}
	r.generation = current_acquire();
	if (r.generation == NULL)
		defer(reply, "no policy is in force");
	else if (!read_session(&r, &error))
		defer(reply, error.text);
	else
		judge(&r, reply);
	if (r.generation != NULL)
		generation_release(r.generation);
	return true;
}

/* Postfix keeps its connections: a hundred or more smtpd processes, five
 * minutes and more between two requests. */
static const struct server_kind base_kind = {
    .name = "policy service",
    .workers_max = 64,
    .idle_ms = 3600 * 1000,
    .request_ms = 10 * 1000,
    .reply_ms = 10 * 1000,
    .frame = frame,
    .answer = answer,
};

bool
policyd_start(struct service *service, const struct settings *settings,
    struct error *error)
{
	struct server_kind kind = base_kind;
	struct socket_owner owner;

	kind.request_max = settings->limits.request_size;
	kind.clients_max = (unsigned)settings->limits.clients;
	return settings->policy_socket.len == 0 ||
	       (socket_owner_from_settings(settings, &owner, error) &&
		   server_open(
		       &kind, service, settings->policy_socket, &owner, error));
}
