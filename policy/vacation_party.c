/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/vacation_private.h"

#include "policy/mime_encode.h"
#include "policy/path.h"

#include <string.h>

enum { ADDRESS_MAX = 320 };

/* Behind a comment that begins at `at`. */
static size_t
skip_comment(slice text, size_t at)
{
	unsigned depth = 0;

	for (; at < text.len; at++) {
		if (text.ptr[at] == '\\')
			at++;
		else if (text.ptr[at] == '(')
			depth++;
		else if (text.ptr[at] == ')' && --depth == 0)
			return at + 1;
	}
	return at;
}

struct vacation_party
vacation_party_of(struct arena *arena, slice address)
{
	struct strbuf out;
	bool in_quotes = false;
	size_t at = 0;
	slice text;

	strbuf_init(&out, arena);
	while (at < address.len) {
		char c = address.ptr[at++];

		if (c == '"')
			in_quotes = !in_quotes;
		else if (c == '(' && !in_quotes)
			at = skip_comment(address, at - 1);
		else if (c == '\\' && at < address.len)
			strbuf_add_char(&out, ascii_lower(address.ptr[at++]));
		else if (in_quotes || !ascii_is_space(c))
			strbuf_add_char(&out, ascii_lower(c));
	}
	text = strbuf_slice(&out);
	/* A route says nothing about whose address it is. */
	if (text.len > 0 && text.ptr[0] == '@')
		text = slice_from(text, slice_index(text, ':') + 1);
	at = slice_last_index(text, '@');
	return (struct vacation_party){
	    slice_first(text, at), slice_from(text, at + 1)};
}

static slice
without_detail(slice local)
{
	size_t plus = slice_index(local, '+');

	return plus > 0 ? slice_first(local, plus) : local;
}

static bool
is_same_party(struct vacation_party a, slice address)
{
	size_t at = slice_last_index(address, '@');

	return slice_eq_nocase(a.domain, slice_from(address, at + 1)) &&
	    (slice_eq_nocase(a.local, slice_first(address, at)) ||
		slice_eq_nocase(
		    without_detail(a.local), slice_first(address, at)));
}

static slice
domain_of(slice address)
{
	return slice_from(address, slice_last_index(address, '@') + 1);
}

/* Logins mean the same at each of them. */
static bool
is_our_domain(const struct vacation_question *q, slice domain)
{
	return domain.len == 0 || class_has(q->owner.local, domain) ||
	    slice_eq_nocase(domain, q->options->hostname);
}

/* "a@b" as it is; "a" at any domain of ours. */
static bool
is_named(const struct vacation_question *q, struct vacation_party party,
    slice name)
{
	if (slice_index(name, '@') < name.len)
		return is_same_party(party, name);
	return (is_our_domain(q, party.domain) ||
		   slice_eq_nocase(
		       party.domain, domain_of(q->owner.address))) &&
	    slice_eq_nocase(without_detail(party.local), name);
}

bool
vacation_is_owner(
    const struct vacation_question *q, struct vacation_party party)
{
	const struct vacation_owner *owner = &q->owner;

	if (is_same_party(party, owner->address))
		return true;
	if (is_our_domain(q, party.domain) &&
	    slice_eq_nocase(without_detail(party.local), owner->user))
		return true;
	for (size_t i = 0; i < owner->address_count; i++) {
		if (is_named(q, party, owner->addresses[i]))
			return true;
	}
	for (size_t i = 0; i < q->template->alias_count; i++) {
		if (is_named(q, party, q->template->aliases[i]))
			return true;
	}
	return false;
}

/* "a@b", "@b" for a domain, "@.b" for all below it, "a" for any "a". */
static bool
covers(slice pattern, struct vacation_party party)
{
	size_t at = slice_index(pattern, '@');
	slice domain = slice_from(pattern, at + 1);

	if (at == pattern.len)
		return slice_eq_nocase(party.local, pattern);
	if (at > 0 && !slice_eq_nocase(party.local, slice_first(pattern, at)))
		return false;
	if (domain.len > 0 && domain.ptr[0] == '.')
		return slice_has_suffix_nocase(party.domain, domain);
	return slice_eq_nocase(party.domain, domain);
}

bool
vacation_is_excluded(
    const struct vacation_question *q, struct vacation_party party)
{
	for (size_t i = 0; i < q->options->excluded_count; i++) {
		if (covers(q->options->excluded[i], party))
			return true;
	}
	for (size_t i = 0; i < q->template->excluded_count; i++) {
		if (covers(q->template->excluded[i], party))
			return true;
	}
	return false;
}

static bool
contains(slice text, const char *part)
{
	return text.len > 0 &&
	    memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

/*
 * RFC 3834 (2) and RFC 5230 (4.6) name the first ones, sendmail's vacation the
 * rest of the first line; postmaster is a person. "*" stands at one end only.
 */
bool
vacation_is_program(slice local)
{
	static const char *const names[] = {"mailer-daemon", "listserv",
	    "majordomo", "owner-*", "*-owner", "*-request", "*-relay", "mailer",
	    "uucp", "mdaemon", "noreply", "no-reply", "no_reply", "donotreply",
	    "do-not-reply", "noreply-*", "noreply+*", "no-reply-*",
	    "no-reply+*", "*-noreply", "*-no-reply", "bounce", "bounces",
	    "bounce-*", "bounces-*", "bounce+*", "bounces+*", "*-bounce",
	    "*-bounces"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		slice name = slice_from_cstr(names[i]);
		slice front = slice_first(name, name.len - 1);

		if (name.ptr[0] == '*'
			? slice_has_suffix_nocase(local, slice_from(name, 1))
			: name.ptr[front.len] == '*'
			? slice_has_prefix_nocase(local, front)
			: slice_eq_nocase(local, name))
			return true;
	}
	/* A "=" is in what programs make of addresses: VERP, SRS, BATV. With a
	 * "/" in front it is one of X.400. */
	return contains(local, "-bounces+") || contains(local, "-request+") ||
	    (slice_index(local, '=') < local.len && local.ptr[0] != '/');
}

/* RFC 5321, 4.1.2: Dot-string, or what is in a Quoted-string. */
static bool
is_local_part(slice local)
{
	bool is_quoted = local.len > 2 && local.ptr[0] == '"' &&
	    local.ptr[local.len - 1] == '"';

	if (is_quoted)
		local = slice_first(slice_from(local, 1), local.len - 2);
	for (size_t i = 0; i < local.len; i++) {
		unsigned char c = (unsigned char)local.ptr[i];

		if (c < ' ' || c >= 0x7f || memchr("<>\"\\", (char)c, 4))
			return false;
		if (!is_quoted && memchr(" ()[]:;,@", (char)c, 9))
			return false;
	}
	return local.len > 0 &&
	    (is_quoted || memchr("-|/", local.ptr[0], 3) == NULL);
}

static bool
is_domain(slice domain)
{
	bool is_literal = domain.len > 2 && domain.ptr[0] == '[' &&
	    domain.ptr[domain.len - 1] == ']';

	if (is_literal)
		domain = slice_first(slice_from(domain, 1), domain.len - 2);
	for (size_t i = 0; i < domain.len; i++) {
		char c = ascii_lower(domain.ptr[i]);

		if (!ascii_is_digit(c) && !(c >= 'a' && c <= 'z') &&
		    c != '-' && c != '.' && c != '_' &&
		    !(is_literal && c == ':'))
			return false;
	}
	return domain.len > 0 && domain.ptr[0] != '.';
}

bool
vacation_reply_address(slice sender, slice *ret_address)
{
	slice address = slice_trim(path_address(slice_trim(sender)));
	size_t at;

	*ret_address = address;
	if (address.len == 0 || address.len > ADDRESS_MAX)
		return false;
	if (address.ptr[0] == '@')
		address = slice_from(address, slice_index(address, ':') + 1);
	at = slice_last_index(address, '@');
	if (!is_local_part(slice_first(address, at)) ||
	    (at < address.len && !is_domain(slice_from(address, at + 1))))
		return false;
	*ret_address = address;
	return true;
}
