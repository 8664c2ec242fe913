/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/tables.h"

#include "base/strbuf.h"
#include "policy/access.h"
#include "policy/address.h"
#include "policy/alias.h"
#include "policy/mailertable.h"
#include "policy/path.h"
#include "policy/rewrite.h"

/* "user@host" into its ends; false when one is missing. */
static bool
split_address(slice address, slice *ret_user, slice *ret_host)
{
	size_t at = slice_last_index(address, '@');

	if (at == 0 || at + 1 >= address.len)
		return false;
	*ret_user = slice_first(address, at);
	*ret_host = slice_from(address, at + 1);
	return true;
}

/*
 * mailertable
 */

/* sendmail's mailers that speak SMTP are one transport in Postfix; others are
 * taken to be transports of the same name. */
static slice
transport_name(struct arena *arena, slice mailer)
{
	static const slice smtp[] = {SLICE_INIT("smtp"), SLICE_INIT("esmtp"),
	    SLICE_INIT("smtp8"), SLICE_INIT("dsmtp")};

	for (size_t i = 0; i < sizeof(smtp) / sizeof(*smtp); i++) {
		if (slice_eq_nocase(mailer, smtp[i]))
			return smtp[0];
	}
	return arena_copy_lower(arena, mailer);
}

/* Hosts to try one after the other have commas between them, not colons;
 * "[IPv6:...]" is "[...]". */
static void
add_hosts(struct strbuf *out, slice hosts)
{
	static const slice ipv6 = SLICE_INIT("[IPv6:");
	bool in_literal = false;

	for (size_t i = 0; i < hosts.len; i++) {
		char c = hosts.ptr[i];

		if (slice_has_prefix_nocase(slice_from(hosts, i), ipv6)) {
			strbuf_add_char(out, '[');
			in_literal = true;
			i += ipv6.len - 1;
		} else if (c == ':' && !in_literal) {
			strbuf_add(out, SLICE(", "));
		} else {
			in_literal = (in_literal || c == '[') && c != ']';
			strbuf_add_char(out, c);
		}
	}
}

static slice
transport_for(struct arena *arena, const struct way *way)
{
	struct strbuf out;

	/* Only virtual_alias can change the recipient: without it the mail
	 * would go to somebody else. */
	if (way->user.len > 0)
		return SLICE("retry:4.3.5 mailertable: an entry with a user "
			     "needs virtual_alias_maps");
	strbuf_init(&out, arena);
	strbuf_add(&out, transport_name(arena, way->mailer));
	strbuf_add_char(&out, ':');
	add_hosts(&out, way->host);
	return strbuf_slice(&out);
}

static slice
transport_for_error(struct arena *arena, const struct verdict *error)
{
	return arena_printf(arena, "%s:" SLICE_FMT " " SLICE_FMT,
	    error->kind == VERDICT_DEFER ? "retry" : "error",
	    SLICE_ARG(error->enhanced), SLICE_ARG(error->text));
}

static enum table_result
find_transport(const struct decision *d, slice key, slice *ret_value)
{
	slice user;
	slice host = key;
	struct way way;

	(void)split_address(key, &user, &host);
	/* Asked for the domain we have said all about its parents. */
	if (host.ptr[0] == '.' || slice_eq(key, SLICE("*")))
		return TABLE_MISSING;
	way = mailertable_find(d, host);
	switch (way.kind) {
	case WAY_NONE:
		return TABLE_MISSING;
	case WAY_MAILER:
		*ret_value = transport_for(d->arena, &way);
		return TABLE_FOUND;
	case WAY_ERROR:
		*ret_value = transport_for_error(d->arena, &way.error);
		return TABLE_FOUND;
	case WAY_TEMPFAIL:
		break;
	}
	return TABLE_TEMPFAIL;
}

/*
 * virtusertable and aliases
 */

/* Users of this host get its name: Postfix would add one of its own, and look
 * the address up again. */
static void
add_recipient(struct strbuf *out, const struct policy *policy, slice address)
{
	slice user;
	slice host;

	if (out->len > 0)
		strbuf_add(out, SLICE(", "));
	strbuf_add(out, address);
	if (split_address(address, &user, &host))
		return;
	strbuf_add_char(out, '@');
	strbuf_add(out, policy->hostname);
}

/* "local:", "local:user" and "smtp:user@host" of the mailertable. */
static enum table_result
find_user_of_way(
    const struct decision *d, slice user, slice host, slice *ret_value)
{
	struct way way = mailertable_find(d, host);
	struct strbuf out;

	if (way.kind == WAY_TEMPFAIL)
		return TABLE_TEMPFAIL;
	if (way.kind != WAY_MAILER ||
	    (way.user.len == 0 && !slice_eq_nocase(way.mailer, SLICE("local"))))
		return TABLE_MISSING;
	strbuf_init(&out, d->arena);
	strbuf_add(&out, way.user.len == 0 ? user : way.user);
	strbuf_add_char(&out, '@');
	strbuf_add(&out, way.host.len == 0 ? d->policy->hostname : way.host);
	*ret_value = strbuf_slice(&out);
	return TABLE_FOUND;
}

static enum table_result
find_virtual_alias(const struct decision *d, slice key, slice *ret_value)
{
	struct expansion e;
	struct strbuf out;
	slice user;
	slice host;

	if (!split_address(key, &user, &host))
		return TABLE_MISSING;
	e = expand_recipient(d, path_of(d->arena, key));
	switch (e.kind) {
	case EXPANSION_SAME:
		return find_user_of_way(d, user, host, ret_value);
	case EXPANSION_MTA:
	/* recipient_access tells of it; Postfix would only defer. */
	case EXPANSION_ERROR:
		return TABLE_MISSING;
	case EXPANSION_TEMPFAIL:
		return TABLE_TEMPFAIL;
	case EXPANSION_SET:
		break;
	}
	strbuf_init(&out, d->arena);
	for (size_t i = 0; i < e.count; i++)
		add_recipient(
		    &out, d->policy, i == e.own ? key : e.addresses[i]);
	*ret_value = strbuf_slice(&out);
	return e.count == 0 ? TABLE_MISSING : TABLE_FOUND;
}

/*
 * Addresses
 */

static enum table_result
find_rewritten(const struct decision *d, enum rewrite_role role, slice key,
    slice *ret_value)
{
	struct rewrite how = {.role = role};
	bool failed = false;
	slice user;
	slice host;

	if (!split_address(key, &user, &host))
		return TABLE_MISSING;
	if (rewrite_changes(d, &how, key, ret_value, &failed))
		return TABLE_FOUND;
	return failed ? TABLE_TEMPFAIL : TABLE_MISSING;
}

static enum table_result
find_canonical(const struct decision *d, slice key, slice *ret_value)
{
	return find_rewritten(d, REWRITE_ENVELOPE_RECIPIENT, key, ret_value);
}

static enum table_result
find_sender_canonical(const struct decision *d, slice key, slice *ret_value)
{
	return find_rewritten(d, REWRITE_HEADER_SENDER, key, ret_value);
}

static enum table_result
find_recipient_canonical(const struct decision *d, slice key, slice *ret_value)
{
	return find_rewritten(d, REWRITE_HEADER_RECIPIENT, key, ret_value);
}

/*
 * access
 */

static slice
refusal_text(struct arena *arena, const struct verdict *verdict)
{
	return arena_printf(arena, "%d " SLICE_FMT " " SLICE_FMT, verdict->code,
	    SLICE_ARG(verdict->enhanced), SLICE_ARG(verdict->text));
}

/* How sendmail words REJECT. */
struct wording {
	const char *status;
	const char *text;
};

static const struct wording denied = {"5.7.1", "550 Access denied"};
static const struct wording disabled = {
    "5.2.1", "550 Mailbox disabled for this recipient"};

/* What grants relaying in sendmail does not grant it here: an "OK" would, in
 * the wrong list of restrictions, and for a sender. Relaying is granted by the
 * policy service. */
static enum table_result
action_for(const struct decision *d, const struct access_value *value,
    const struct wording *wording, slice *ret_action)
{
	struct verdict verdict;

	switch (value->kind) {
	case ACCESS_NONE:
		return TABLE_MISSING;
	case ACCESS_TEMPFAIL:
		return TABLE_TEMPFAIL;
	case ACCESS_OK:
	case ACCESS_RELAY:
		*ret_action = SLICE("permit_auth_destination");
		return TABLE_FOUND;
	case ACCESS_SKIP:
		*ret_action = SLICE("DUNNO");
		return TABLE_FOUND;
	case ACCESS_DISCARD:
		*ret_action = SLICE("DISCARD");
		return TABLE_FOUND;
	case ACCESS_QUARANTINE:
		*ret_action = arena_printf(
		    d->arena, "HOLD " SLICE_FMT, SLICE_ARG(value->text));
		return TABLE_FOUND;
	case ACCESS_REJECT:
	case ACCESS_FRIEND:
	case ACCESS_HATER:
	case ACCESS_TEXT:
		break;
	}
	verdict =
	    access_verdict(d, value, "access", wording->status, wording->text);
	*ret_action = refusal_text(d->arena, &verdict);
	return TABLE_FOUND;
}

/* Postfix asks for the parents itself, and must not where SKIP says so. */
static struct access_value
find_domain(const struct access_query *q, slice name)
{
	struct access_value value = access_find_domain(q, name);

	while (value.kind == ACCESS_NONE && name.len > 0) {
		struct access_value here = access_find_exact(q, name);

		if (here.kind == ACCESS_SKIP)
			return here;
		name = slice_from(name, slice_index(name, '.') + 1);
	}
	return value;
}

/* Postfix asks for "192.0.2" as well, but not in sendmail's order. */
static bool
is_part_of_address(slice key)
{
	for (size_t i = 0; i < key.len; i++) {
		if (!ascii_is_digit(key.ptr[i]) && key.ptr[i] != '.')
			return slice_index(key, ':') < key.len;
	}
	return true;
}

static enum table_result
find_client(const struct decision *d, slice key, slice *ret_action)
{
	struct access_query q = {.d = d, .tag = ACCESS_CONNECT};
	struct access_value value;
	slice address;

	if (client_address_canonical(d->arena, key, &address))
		value = access_find_address(&q, address);
	else if (is_part_of_address(key) || key.ptr[0] == '.' ||
		 slice_eq(key, SLICE("unknown")))
		return TABLE_MISSING;
	else
		value = find_domain(&q, key);
	return action_for(d, &value, &denied, ret_action);
}

/* The parts of "user@host" as the rulesets see them. */
static bool
read_address(
    const struct decision *d, slice key, slice *ret_user, slice *ret_host)
{
	struct address_fault fault;
	struct address a;

	if (!split_address(key, ret_user, ret_host) ||
	    !address_parse_text(d, path_of(d->arena, key), &a, &fault))
		return false;
	address_strip_dots(&a);
	if (a.local.count == 0)
		return false;
	*ret_user = address_local(d, &a);
	*ret_host = a.has_host ? address_host(d, &a) : SLICE("");
	return true;
}

/* A domain alone is asked for by Postfix after the address, and by people. */
static enum table_result
find_lone_domain(const struct access_query *q, slice key,
    const struct wording *wording, slice *ret_action)
{
	struct access_value value;

	if (slice_index(key, '@') < key.len || key.ptr[0] == '.' ||
	    key.ptr[0] == '<')
		return TABLE_MISSING;
	value = find_domain(q, key);
	return action_for(q->d, &value, wording, ret_action);
}

static enum table_result
find_sender(const struct decision *d, slice key, slice *ret_action)
{
	struct access_query q = {.d = d, .tag = ACCESS_FROM};
	struct access_value value;
	slice user;
	slice host;

	if (!read_address(d, key, &user, &host))
		return find_lone_domain(&q, key, &denied, ret_action);
	value = access_find_full(&q, user, host);
	if (value.kind == ACCESS_NONE)
		value = access_find_user(&q, user);
	if (value.kind == ACCESS_NONE && host.len > 0)
		value = find_domain(&q, host);
	return action_for(d, &value, &denied, ret_action);
}

static enum table_result
find_blocked(const struct decision *d, slice key, slice *ret_action)
{
	struct access_query q = {.d = d, .tag = ACCESS_TO};
	struct access_value value;
	slice user;
	slice host;

	if (!d->policy->blocklist_recipients)
		return TABLE_MISSING;
	if (!read_address(d, key, &user, &host))
		return find_lone_domain(&q, key, &disabled, ret_action);
	value = access_find_full(&q, user, host);
	if (value.kind == ACCESS_NONE && class_has(d->policy->local, host))
		value = access_find_user(&q, user);
	if (value.kind == ACCESS_NONE && host.len > 0)
		value = find_domain(&q, host);
	return action_for(d, &value, &disabled, ret_action);
}

static enum table_result
find_recipient(const struct decision *d, slice key, slice *ret_action)
{
	struct expansion e = {.kind = EXPANSION_SAME};
	slice user;
	slice host;

	if (split_address(key, &user, &host))
		e = expand_recipient(d, path_of(d->arena, key));
	if (e.kind != EXPANSION_ERROR && e.kind != EXPANSION_TEMPFAIL)
		return find_blocked(d, key, ret_action);
	*ret_action = refusal_text(d->arena, &e.error);
	return TABLE_FOUND;
}

/* clang-format off */
static const struct table {
	slice name;
	enum table_result (*find)(
	    const struct decision *d, slice key, slice *ret_value);
} tables[] = {
	{SLICE_INIT("transport"), find_transport},
	{SLICE_INIT("virtual_alias"), find_virtual_alias},
	{SLICE_INIT("canonical"), find_canonical},
	{SLICE_INIT("sender_canonical"), find_sender_canonical},
	{SLICE_INIT("recipient_canonical"), find_recipient_canonical},
	{SLICE_INIT("client_access"), find_client},
	{SLICE_INIT("sender_access"), find_sender},
	{SLICE_INIT("recipient_access"), find_recipient},
};

/* What sendmail's .m4 files call the maps. */
static const struct other_name {
	slice name;
	slice map;
} other_names[] = {
	{SLICE_INIT("virtuser"), SLICE_INIT("virtusertable")},
	{SLICE_INIT("generics"), SLICE_INIT("genericstable")},
};
/* clang-format on */

static enum table_result
find_in_map(const struct decision *d, const struct snapshot *snapshot,
    slice name, slice key, slice *ret_value)
{
	enum map_result result;
	const struct snapshot_part *part;
	struct map_hit hit;

	for (size_t i = 0; i < sizeof(other_names) / sizeof(*other_names);
	     i++) {
		if (slice_eq(name, other_names[i].name))
			name = other_names[i].map;
	}
	part = snapshot_find_part(snapshot, name);
	if (part == NULL || part->kind != PART_MAP)
		return TABLE_UNKNOWN;
	if (part->map == d->policy->access &&
	    access_find_dynamic(d, key, ret_value))
		return TABLE_FOUND;
	result = map_find(part->map, key, d->arena, &hit);
	trace_lookup(d->trace, arena_cstr(d->arena, name), key, result, &hit);
	switch (result) {
	case MAP_FOUND:
		*ret_value = hit.value;
		return TABLE_FOUND;
	case MAP_MISSING:
		return TABLE_MISSING;
	case MAP_TEMPFAIL:
		break;
	}
	return TABLE_TEMPFAIL;
}

/* Nobody is called so, and an answer would carry it on. */
static bool
has_line_end(slice key)
{
	return slice_index(key, '\n') < key.len ||
	       slice_index(key, '\r') < key.len ||
	       slice_index(key, '\0') < key.len;
}

enum table_result
tables_find(const struct decision *d, const struct snapshot *snapshot,
    slice name, slice key, slice *ret_value)
{
	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++) {
		if (slice_eq(name, tables[i].name))
			return key.len == 0 || has_line_end(key)
				   ? TABLE_MISSING
				   : tables[i].find(d, key, ret_value);
	}
	return find_in_map(d, snapshot, name, key, ret_value);
}
