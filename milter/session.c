/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who the client is, in the order of what can be trusted most:
 *
 * 1. {client_resolve}, which both MTAs give when asked for it;
 * 2. "(may be forged)" in the macro _, and a host name that is not "[...]":
 *    MTAs that do not know how to be asked;
 * 3. milterd's own resolver: for a client without a name only it can tell FAIL
 *    from TEMP. With client_resolve = "dns" it comes first.
 *
 * Mail that Postfix takes from its sendmail(1) command (non_smtpd_milters)
 * looks like a session from 127.0.0.1 without a client port, whose queue id
 * is known at CONNECT; its addresses come without angle brackets and the null
 * sender as an empty string.
 */
#include "milter/session.h"

#include "milter/dynamic.h"
#include "milter/include_file.h"
#include "milter/reload.h"
#include "milter/users.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum {
	CONNECTION_ARENA = 256,
	MESSAGE_ARENA = 512,
	HELO_MAX = 1024,
	CLIENT_BUDGET_MS = 2000,
	CALLBACK_BUDGET_MS = 4000,
};

slice
macro(const struct macros *macros, const char *name)
{
	return macros->get(macros->context, name);
}

/*
 * The ports, with two things added: the budget begins with the first question
 * of a callback, so that callbacks without one need no clock; and the watch
 * knows who is waiting.
 */
static struct milter_session *
ask(void *context, struct watch_call *call)
{
	struct milter_session *session = context;

	if (session->resolver.deadline == 0)
		session->resolver.deadline = deadline_in(CALLBACK_BUDGET_MS);
	watch_enter(call);
	return session;
}

static struct ports
resolver_of(struct milter_session *session)
{
	struct ports ports;

	resolver_ports(&session->resolver, &ports);
	return ports;
}

static enum world_answer
find_host(void *context, struct arena *arena, slice name, slice *ret_canonical)
{
	struct watch_call call;
	struct milter_session *session = ask(context, &call);
	enum world_answer answer = resolver_of(session).find_host(
	    &session->resolver, arena, name, ret_canonical);

	watch_leave(&call);
	return answer;
}

static enum world_answer
find_mx(void *context, struct arena *arena, slice domain,
    struct name_list *ret_hosts)
{
	struct watch_call call;
	struct milter_session *session = ask(context, &call);
	enum world_answer answer = resolver_of(session).find_mx(
	    &session->resolver, arena, domain, ret_hosts);

	watch_leave(&call);
	return answer;
}

static enum world_answer
find_address(void *context, struct arena *arena, slice name, slice *ret_address)
{
	struct watch_call call;
	struct milter_session *session = ask(context, &call);
	enum world_answer answer = resolver_of(session).find_address(
	    &session->resolver, arena, name, ret_address);

	watch_leave(&call);
	return answer;
}

/* The time it may take is bounded by milter/users. */
static enum world_answer
find_user(void *context, struct arena *arena, slice name)
{
	struct watch_call call;
	enum world_answer answer;

	(void)ask(context, &call);
	answer = users_find(NULL, arena, name);
	watch_leave(&call);
	return answer;
}

static enum world_answer
read_include(void *context, struct arena *arena, slice path,
    const struct policy *policy, slice *ret_text)
{
	struct watch_call call;
	enum world_answer answer;

	(void)ask(context, &call);
	answer = include_file_read(NULL, arena, path, policy, ret_text);
	watch_leave(&call);
	return answer;
}

struct milter_session *
session_new(struct service *service)
{
	struct generation *generation = current_acquire();
	struct arena *arena;
	struct milter_session *session;

	if (generation == NULL)
		return NULL;
	arena = arena_new(sizeof(*session) + CONNECTION_ARENA);
	session = ARENA_NEW(arena, struct milter_session);
	session->service = service;
	session->generation = generation;
	session->connection_arena = arena;
	session->resolver.resolver = service->resolver;
	session->ports = (struct ports){.context = session,
	    .find_host = find_host,
	    .find_mx = find_mx,
	    .find_address = find_address,
	    .read_include = read_include,
	    .find_user = find_user};
	dynamic_set_ports(service->live, &session->ports);
	atomic_fetch_add(&service->counters.connections, 1);
	atomic_fetch_add(&service->counters.open_sessions, 1);
	return session;
}

void
session_free(struct milter_session *session)
{
	if (session == NULL)
		return;
	session_end_message(session);
	atomic_fetch_sub(&session->service->counters.open_sessions, 1);
	generation_release(session->generation);
	arena_free(session->connection_arena);
}

void
session_begin_callback(struct milter_session *session, struct arena *scratch)
{
	session->scratch = scratch;
	session->resolver.deadline = 0;
}

void
session_end_callback(struct milter_session *session)
{
	session->scratch = NULL;
}

/* Postfix names itself in v, unless its administrator has changed that. The
 * queue id at CONNECT is sendmail's habit, and Postfix's only for mail that did
 * not come by SMTP. */
static enum mta_kind
recognise_mta(const struct macros *macros)
{
	slice version = macro(macros, "v");

	if (slice_has_prefix_nocase(version, SLICE("postfix")))
		return MTA_POSTFIX;
	if (version.len > 0 && ascii_is_digit(version.ptr[0]))
		return MTA_SENDMAIL;
	return macro(macros, "i").len > 0 ? MTA_SENDMAIL : MTA_POSTFIX;
}

static bool
has_port(const struct sockaddr *address)
{
	struct sockaddr_in6 in6;
	struct sockaddr_in in;

	if (address == NULL)
		return false;
	if (address->sa_family == AF_INET6) {
		memcpy(&in6, address, sizeof(in6));
		return in6.sin6_port != 0;
	}
	if (address->sa_family != AF_INET)
		return false;
	memcpy(&in, address, sizeof(in));
	return in.sin_port != 0;
}

static bool
is_not_smtp(const struct milter_session *session,
    const struct sockaddr *address, const struct macros *macros)
{
	slice port;

	if (session->mta != MTA_POSTFIX || macro(macros, "i").len == 0)
		return false;
	port = macro(macros, "{client_port}");
	return !has_port(address) || port.len == 0 ||
	       slice_eq(port, SLICE("0"));
}

static slice
address_text(struct arena *arena, const struct sockaddr *address)
{
	struct sockaddr_in6 in6;
	struct sockaddr_in in;

	if (address != NULL && address->sa_family == AF_INET) {
		memcpy(&in, address, sizeof(in));
		return client_ip4_text(arena, &in.sin_addr);
	}
	if (address != NULL && address->sa_family == AF_INET6) {
		memcpy(&in6, address, sizeof(in6));
		return client_ip6_text(arena, &in6.sin6_addr);
	}
	return SLICE("");
}

/* A name as the MTAs write it, without what they write for want of one. */
static slice
real_name(struct arena *arena, slice name)
{
	if (name.len == 0 || name.ptr[0] == '[' ||
	    slice_eq_nocase(name, SLICE("unknown")))
		return SLICE("");
	if (name.ptr[name.len - 1] == '.')
		name.len--;
	return arena_copy(arena, name);
}

static void
set_local_client(struct milter_session *session)
{
	session->said.client = (struct client){.address = SLICE("127.0.0.1"),
	    .name = SLICE("localhost"),
	    .ptr = SLICE("localhost"),
	    .resolve = RESOLVE_OK};
}

static bool
client_from_resolve_macro(
    struct milter_session *session, const struct macros *macros)
{
	struct arena *arena = session->connection_arena;
	struct client *client = &session->said.client;
	slice name = real_name(arena, macro(macros, "{client_name}"));

	if (!client_resolve_parse(
		macro(macros, "{client_resolve}"), &client->resolve))
		return false;
	client->ptr = real_name(arena, macro(macros, "{client_ptr}"));
	if (client->resolve == RESOLVE_OK && client->ptr.len == 0)
		client->ptr = name;
	if (client->resolve == RESOLVE_OK && client->ptr.len == 0)
		return false;
	client_set_name(arena, client);
	if (client->resolve == RESOLVE_OK && name.len > 0)
		client->name = name;
	return true;
}

/* The macro _ is "ident@name [address] (may be forged)", the parts around
 * the address being optional. */
static slice
name_in_underscore(struct arena *arena, slice text)
{
	slice name = slice_first(text, slice_index(text, ' '));
	size_t at = slice_index(name, '@');

	return real_name(
	    arena, at < name.len ? slice_from(name, at + 1) : name);
}

static bool
client_from_old_macros(
    struct milter_session *session, slice host, const struct macros *macros)
{
	struct arena *arena = session->connection_arena;
	struct client *client = &session->said.client;
	slice whole = macro(macros, "_");
	slice ptr = real_name(arena, macro(macros, "{client_ptr}"));
	slice name = real_name(arena, host);

	client->resolve = RESOLVE_OK;
	client->ptr = name;
	if (slice_has_suffix_nocase(whole, SLICE("(may be forged)"))) {
		client->resolve = RESOLVE_FORGED;
		client->ptr =
		    ptr.len > 0 ? ptr : name_in_underscore(arena, whole);
	} else if (name.len == 0) {
		client->resolve = RESOLVE_FORGED;
		client->ptr = ptr;
	}
	client_set_name(arena, client);
	return client->ptr.len > 0;
}

static void
client_from_resolver(struct milter_session *session)
{
	struct watch_call call;

	watch_enter(&call);
	resolver_find_client(session->service->resolver,
	    session->connection_arena, deadline_in(CLIENT_BUDGET_MS),
	    &session->said.client);
	watch_leave(&call);
	client_set_name(session->connection_arena, &session->said.client);
}

void
session_connect(struct milter_session *session, slice host,
    const struct sockaddr *address, const struct macros *macros)
{
	struct client *client = &session->said.client;
	bool ask_mta =
	    session->generation->settings->client_resolve == CLIENT_FROM_MTA;

	session->mta = recognise_mta(macros);
	session->is_local = is_not_smtp(session, address, macros);
	*client = (struct client){
	    .address = address_text(session->connection_arena, address)};
	if (session->is_local || client->address.len == 0) {
		set_local_client(session);
		return;
	}
	/* The resolver's part of this callback's time comes out of the whole.
	 */
	session->resolver.deadline = deadline_in(CALLBACK_BUDGET_MS);
	if (ask_mta && client_from_resolve_macro(session, macros))
		return;
	if (ask_mta && macro(macros, "{client_resolve}").len == 0 &&
	    client_from_old_macros(session, host, macros))
		return;
	client->ptr = SLICE("");
	client_from_resolver(session);
}

/* Kept in one place that grows at most a few times, since a client may say it
 * as often as it likes. */
void
session_helo(struct milter_session *session, slice helo)
{
	helo = slice_first(helo, HELO_MAX);
	if (helo.len > session->helo_size) {
		session->helo_size = helo.len * 2;
		session->helo_room =
		    arena_alloc(session->connection_arena, session->helo_size);
	}
	if (helo.len > 0)
		memcpy(session->helo_room, helo.ptr, helo.len);
	session->said.helo = (slice){session->helo_room, helo.len};
}

/* Postfix gives the addresses of its own submission bare. */
static slice
with_brackets(
    const struct milter_session *session, struct arena *arena, slice address)
{
	if (!session->is_local || (address.len > 0 && address.ptr[0] == '<'))
		return arena_copy(arena, address);
	return arena_printf(arena, "<" SLICE_FMT ">", SLICE_ARG(address));
}

static unsigned long
declared_size(char *const *parameters)
{
	for (; *parameters != NULL; parameters++) {
		slice word = slice_from_cstr(*parameters);

		if (slice_has_prefix_nocase(word, SLICE("SIZE=")) &&
		    slice_is_number(slice_from(word, 5)))
			return strtoul(word.ptr + 5, NULL, 10);
	}
	return 0;
}

void
session_mail(struct milter_session *session, char *const *arguments,
    const struct macros *macros)
{
	struct arena *arena = arena_new(MESSAGE_ARENA);
	struct session *said = &session->said;

	session_end_message(session);
	session->message = ARENA_NEW(arena, struct message);
	session->message->arena = arena;
	said->sender =
	    with_brackets(session, arena, slice_from_cstr(arguments[0]));
	said->size = arguments[0] == NULL ? 0 : declared_size(arguments + 1);
	said->auth_type = arena_copy(arena, macro(macros, "{auth_type}"));
	said->auth_authen = arena_copy(arena, macro(macros, "{auth_authen}"));
	said->rcpt_count = 0;
	intake_begin(&session->message->intake, arena,
	    session->generation->policy,
	    &session->generation->settings->limits,
	    arguments[0] == NULL ? NULL : arguments + 1);
	session->message->intake.keeps_space = session->keeps_space;
	intake_wish(
	    &session->message->intake, &session->generation->filters.wishes);
	atomic_fetch_add(&session->service->counters.open_messages, 1);
}

slice
session_recipient(struct milter_session *session, slice address)
{
	return with_brackets(session, session->scratch, address);
}

bool
session_add_recipient(
    struct milter_session *session, slice recipient, char *const *arguments)
{
	if (!intake_add_recipient(&session->message->intake, recipient,
		arguments[0] == NULL ? NULL : arguments + 1))
		return false;
	session->said.rcpt_count++;
	return true;
}

/* As sendmail counts its e_msgsize: the lines as they are in the queue. */
void
session_header(struct milter_session *session, slice name, slice value)
{
	struct message *message = session->message;

	if (message == NULL)
		return;
	message->bytes += name.len + value.len + (session->keeps_space ? 2 : 3);
	if (slice_eq_nocase(name, SLICE("Received")))
		message->hops++;
	intake_add_header(&message->intake, name, value);
}

void
session_body(struct milter_session *session, slice chunk)
{
	struct message *message = session->message;
	const char *end = chunk.ptr + chunk.len;

	if (message == NULL || chunk.len == 0)
		return;
	message->bytes += chunk.len;
	if (message->after_cr && chunk.ptr[0] == '\n')
		message->bytes--;
	for (const char *p = chunk.ptr;
	     (p = memchr(p, '\r', (size_t)(end - p))) != NULL && ++p < end;) {
		if (*p == '\n')
			message->bytes--;
	}
	message->after_cr = end[-1] == '\r';
	intake_add_body(&message->intake, chunk);
}

void
session_end_message(struct milter_session *session)
{
	struct session *said = &session->said;

	if (session->message == NULL)
		return;
	atomic_fetch_sub(&session->service->counters.open_messages, 1);
	said->sender = said->auth_type = said->auth_authen = SLICE("");
	said->size = 0;
	said->rcpt_count = 0;
	intake_end(&session->message->intake);
	arena_free(session->message->arena);
	session->message = NULL;
}
