/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/resolver.h"

#include "milter/dns.h"
#include "milter/hosts.h"

#include "base/strbuf.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

enum { TIMEOUT_MS = 2000, CACHE_ENTRIES = 65536 };

struct resolver {
	struct dns *dns;
	struct hosts *hosts;
};

static const struct dns_answer no_name = {.status = DNS_NO_NAME};

struct resolver *
resolver_new(const struct resolver_options *options, struct error *error)
{
	struct dns_options dns_options = {
	    .server = options->server,
	    .timeout_ms =
		options->timeout_ms == 0 ? TIMEOUT_MS : options->timeout_ms,
	    .cache_entries = options->cache_entries == 0
				 ? CACHE_ENTRIES
				 : options->cache_entries,
	};
	struct dns *dns = dns_new(&dns_options, error);
	struct resolver *resolver;

	if (dns == NULL)
		return NULL;
	resolver = xmalloc(sizeof(*resolver));
	resolver->dns = dns;
	resolver->hosts =
	    hosts_new(options->hosts == NULL ? "/etc/hosts" : options->hosts);
	return resolver;
}

void
resolver_free(struct resolver *resolver)
{
	if (resolver == NULL)
		return;
	dns_free(resolver->dns);
	hosts_free(resolver->hosts);
	free(resolver);
}

/*
 * A name server that does not look CNAMEs up to their end leaves that to who
 * asks: while an answer is nothing but a CNAME, its target is asked for. The
 * last answer's `canonical` is the end of the whole chain.
 */
static const struct dns_answer *
ask(const struct resolver_session *session, struct arena *arena,
    enum dns_type type, slice name)
{
	for (int i = 0; i <= DNS_CNAMES_MAX; i++) {
		const struct dns_answer *answer =
		    dns_ask(session->resolver->dns, arena, type, name,
			session->deadline);

		if (answer->status != DNS_NO_DATA ||
		    slice_eq_nocase(answer->canonical, name))
			return answer;
		name = answer->canonical;
	}
	return &no_name;
}

static bool
is_failure(const struct dns_answer *answer)
{
	return answer->status == DNS_BROKEN || answer->status == DNS_SILENT;
}

/* Addresses backwards */

static slice
ipv4_pointer_name(struct arena *arena, const unsigned char *b)
{
	return arena_printf(
	    arena, "%u.%u.%u.%u.in-addr.arpa", b[3], b[2], b[1], b[0]);
}

static slice
ipv6_pointer_name(struct arena *arena, const unsigned char *b)
{
	struct strbuf name;

	strbuf_init(&name, arena);
	for (size_t i = 16; i > 0; i--)
		strbuf_printf(
		    &name, "%x.%x.", b[i - 1] & 0xfU, (unsigned)b[i - 1] >> 4);
	strbuf_add(&name, SLICE("ip6.arpa"));
	return strbuf_slice(&name);
}

/* Empty for what is no address. */
static slice
pointer_name(struct arena *arena, slice address)
{
	bool six = slice_has_prefix_nocase(address, SLICE("IPv6:"));
	const char *text = arena_cstr(arena, slice_from(address, six ? 5 : 0));
	unsigned char b[sizeof(struct in6_addr)];

	if (inet_pton(six ? AF_INET6 : AF_INET, text, b) != 1)
		return SLICE("");
	return six ? ipv6_pointer_name(arena, b) : ipv4_pointer_name(arena, b);
}

/* Sets client->ptr; what `resolve` says is RESOLVE_OK until the forward
 * lookup knows better. Of several names the first legal one counts. */
static enum client_resolve
find_pointer(const struct resolver_session *session, struct arena *arena,
    struct client *client)
{
	const struct dns_answer *answer;
	slice name;

	if (hosts_find_pointer(
		session->resolver->hosts, arena, client->address, &client->ptr))
		return RESOLVE_OK;
	name = pointer_name(arena, client->address);
	if (name.len == 0)
		return RESOLVE_FAIL;
	answer = ask(session, arena, DNS_PTR, name);
	if (is_failure(answer))
		return RESOLVE_TEMP;
	if (answer->status != DNS_FOUND || answer->count == 0)
		return RESOLVE_FAIL;
	client->ptr = answer->values[0];
	return RESOLVE_OK;
}

/* The ports. A name without dot is no name to the DNS: that is what search
 * domains are for, and none is tried here. */

static bool
has_dot(slice name)
{
	return slice_index(name, '.') < name.len;
}

/* "[192.0.2.1]", "[IPv6:2001:db8::1]" and whatever follows the bracket: there
 * is when the address has a pointer, and is really called as that says. */
static enum world_answer
find_literal(const struct resolver_session *session, struct arena *arena,
    slice name, slice *ret_canonical)
{
	struct client client = {.resolve = RESOLVE_FAIL};
	size_t end = slice_index(name, ']');
	slice inside = slice_from(slice_first(name, end), 1);

	if (end < name.len &&
	    client_address_canonical(arena, inside, &client.address))
		client.resolve = find_pointer(session, arena, &client);
	if (client.resolve == RESOLVE_TEMP)
		return WORLD_TEMPFAIL;
	if (client.resolve != RESOLVE_OK)
		return WORLD_NONE;
	*ret_canonical = arena_copy_lower(arena, client.ptr);
	return WORLD_FOUND;
}

/* MX first: most names asked for are those of mail domains, and then one
 * question is enough. */
static enum world_answer
find_host(void *context, struct arena *arena, slice name, slice *ret_canonical)
{
	static const enum dns_type types[] = {DNS_MX, DNS_A, DNS_AAAA};
	const struct resolver_session *session = context;
	bool failed = false;

	if (name.len > 0 && name.ptr[0] == '[')
		return find_literal(session, arena, name, ret_canonical);
	if (hosts_find_canonical(
		session->resolver->hosts, arena, name, ret_canonical))
		return WORLD_FOUND;
	if (!has_dot(name))
		return WORLD_NONE;
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		const struct dns_answer *answer =
		    ask(session, arena, types[i], name);

		if (answer->status == DNS_FOUND) {
			*ret_canonical = answer->canonical;
			return WORLD_FOUND;
		}
		if (answer->status == DNS_NO_NAME)
			break;
		failed = failed || is_failure(answer);
	}
	return failed ? WORLD_TEMPFAIL : WORLD_NONE;
}

static struct name_list
list_of_one(struct arena *arena, slice name)
{
	struct name_list list = {ARENA_NEW(arena, slice), 1};

	list.names[0] = arena_copy_lower(arena, name);
	return list;
}

static bool
has_address(
    const struct resolver_session *session, struct arena *arena, slice name)
{
	return ask(session, arena, DNS_A, name)->status == DNS_FOUND ||
	       ask(session, arena, DNS_AAAA, name)->status == DNS_FOUND;
}

static enum world_answer
find_mx_in_hosts(const struct resolver_session *session, struct arena *arena,
    slice domain, struct name_list *ret_hosts)
{
	slice canonical;

	if (!hosts_find_canonical(
		session->resolver->hosts, arena, domain, &canonical))
		return WORLD_NONE;
	*ret_hosts = list_of_one(arena, canonical);
	return WORLD_FOUND;
}

/* Without the null MX of RFC 7505, which should be alone. */
static enum world_answer
exchangers_of(const struct dns_answer *answer, struct name_list *ret_hosts)
{
	struct name_list list = {answer->values, 0};

	for (size_t i = 0; i < answer->count; i++) {
		if (answer->values[i].len > 0)
			list.names[list.count++] = answer->values[i];
	}
	if (list.count == 0)
		return WORLD_NONE;
	*ret_hosts = list;
	return WORLD_FOUND;
}

/*
 * A domain without MX record is its own exchanger, if it has an address: RFC
 * 5321, 5.1. As in sendmail nobody is put off when that question fails, an
 * alias is not its own exchanger, and /etc/hosts is asked last.
 */
static enum world_answer
find_mx(void *context, struct arena *arena, slice domain,
    struct name_list *ret_hosts)
{
	const struct resolver_session *session = context;
	const struct dns_answer *answer = &no_name;

	if (has_dot(domain))
		answer = ask(session, arena, DNS_MX, domain);
	switch (answer->status) {
	case DNS_FOUND:
		return exchangers_of(answer, ret_hosts);
	case DNS_NO_DATA:
		if (!slice_eq_nocase(answer->canonical, domain))
			return WORLD_NONE;
		if (!has_address(session, arena, domain))
			break;
		*ret_hosts = list_of_one(arena, domain);
		return WORLD_FOUND;
	case DNS_NO_NAME:
		break;
	case DNS_BROKEN:
	case DNS_SILENT:
		return WORLD_TEMPFAIL;
	}
	return find_mx_in_hosts(session, arena, domain, ret_hosts);
}

static enum world_answer
find_address(void *context, struct arena *arena, slice name, slice *ret_address)
{
	const struct resolver_session *session = context;
	const struct dns_answer *answer = ask(session, arena, DNS_A, name);

	if (is_failure(answer))
		return WORLD_TEMPFAIL;
	if (answer->status != DNS_FOUND || answer->count == 0)
		return WORLD_NONE;
	*ret_address = answer->values[0];
	return WORLD_FOUND;
}

void
resolver_ports(struct resolver_session *session, struct ports *ret_ports)
{
	*ret_ports = (struct ports){
	    .context = session,
	    .find_host = find_host,
	    .find_mx = find_mx,
	    .find_address = find_address,
	};
}

/* The client */

static bool
has_value(const struct dns_answer *answer, slice value)
{
	for (size_t i = 0; i < answer->count; i++) {
		if (slice_eq_nocase(answer->values[i], value))
			return true;
	}
	return false;
}

/*
 * Does client->ptr lead back to the client? To sendmail a forward lookup that
 * the server answers with a failure is as good as one that gives another
 * address. No answer at all is no proof of a forgery: that may be our own
 * server's fault, or our haste.
 */
static enum client_resolve
confirm_pointer(const struct resolver_session *session, struct arena *arena,
    const struct client *client)
{
	bool six = slice_has_prefix_nocase(client->address, SLICE("IPv6:"));
	const struct dns_answer *answer;

	switch (hosts_match(
	    session->resolver->hosts, client->ptr, client->address)) {
	case HOSTS_SAME:
		return RESOLVE_OK;
	case HOSTS_OTHER:
		return RESOLVE_FORGED;
	case HOSTS_UNKNOWN:
		break;
	}
	answer = ask(session, arena, six ? DNS_AAAA : DNS_A, client->ptr);
	if (answer->status == DNS_SILENT)
		return RESOLVE_TEMP;
	if (answer->status == DNS_FOUND && has_value(answer, client->address))
		return RESOLVE_OK;
	return RESOLVE_FORGED;
}

void
resolver_find_client(struct resolver *resolver, struct arena *arena,
    deadline_ms deadline, struct client *client)
{
	const struct resolver_session session = {resolver, deadline};

	client->ptr = SLICE("");
	client->resolve = find_pointer(&session, arena, client);
	if (client->resolve == RESOLVE_OK)
		client->resolve = confirm_pointer(&session, arena, client);
	client_set_name(arena, client);
}

/* Addresses of a host */

struct found {
	struct arena *arena;
	slice *addresses;
	size_t count;
	size_t most;
};

static void
add_found(void *context, slice address, const slice *names, size_t count)
{
	struct found *found = context;

	(void)names;
	(void)count;
	if (found->count < found->most)
		found->addresses[found->count++] =
		    arena_copy(found->arena, address);
}

size_t
resolver_find_addresses(struct resolver *resolver, struct arena *arena,
    deadline_ms deadline, slice host, slice *ret, size_t most)
{
	static const enum dns_type types[] = {DNS_A, DNS_AAAA};
	const struct resolver_session session = {resolver, deadline};
	struct found found = {arena, ret, 0, most};

	hosts_walk(resolver->hosts, host, add_found, &found);
	if (found.count > 0 || !has_dot(host))
		return found.count;
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		const struct dns_answer *answer =
		    ask(&session, arena, types[i], host);

		for (size_t j = 0; j < answer->count; j++)
			add_found(&found, answer->values[j], NULL, 0);
	}
	return found.count;
}

struct resolver_stats
resolver_get_stats(struct resolver *resolver)
{
	struct dns_stats stats = dns_get_stats(resolver->dns);

	return (struct resolver_stats){
	    .questions = stats.questions,
	    .cache_hits = stats.cache_hits,
	    .timeouts = stats.timeouts,
	    .failures = stats.failures,
	};
}
