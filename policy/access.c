/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/access.h"

#include "policy/host.h"
#include "policy/token.h"

#include <string.h>

/* No name, address or mailbox is longer (RFC 5321, 4.5.3.1). Longer keys cannot
 * stand in a map either and are never found. */
#define KEY_MAX 1024

static const slice tag_names[] = {
	[ACCESS_CONNECT] = SLICE_INIT("Connect:"),
	[ACCESS_FROM] = SLICE_INIT("From:"),
	[ACCESS_TO] = SLICE_INIT("To:"),
	[ACCESS_SPAM] = SLICE_INIT("Spam:"),
};

/* Keys are put together here: tag, then up to four parts. */
struct key {
	char bytes[KEY_MAX];
	size_t len;
	size_t tag_len;
	bool too_long;
};

/* The bytes need no clearing, and there are a thousand of them. */
static void
key_begin(struct key *key, slice tag)
{
	memcpy(key->bytes, tag.ptr, tag.len);
	key->len = key->tag_len = tag.len;
	key->too_long = false;
}

static void
key_add(struct key *key, slice part)
{
	if (part.len > sizeof(key->bytes) - key->len) {
		key->too_long = true;
		return;
	}
	if (part.len > 0)
		memcpy(key->bytes + key->len, part.ptr, part.len);
	key->len += part.len;
}

/* Dynamic entries are keys, not nets. */
bool
access_find_dynamic(const struct decision *d, slice key, slice *ret_value)
{
	const struct ports *ports = d->ports;
	struct dynamic_entry entry;

	if (ports->find_dynamic == NULL ||
	    !ports->find_dynamic(ports->dynamic, d->arena, key, &entry))
		return false;
	trace_add(d->trace,
	    "access " SLICE_FMT ": " SLICE_FMT
	    " (dynamic entry, expires in %lu s)",
	    SLICE_ARG(key), SLICE_ARG(entry.value), entry.seconds_left);
	*ret_value = entry.value;
	return true;
}

static struct access_value
look_up(const struct access_query *q, slice key, bool is_net)
{
	const struct map *map = q->d->policy->access;
	struct map_hit hit;
	enum map_result result;

	if (!is_net && access_find_dynamic(q->d, key, &hit.value))
		return access_parse(q->d->arena, hit.value);
	result = is_net ? map_find_net(map, key, &hit)
			: map_find(map, key, q->d->arena, &hit);
	trace_lookup(q->d->trace, "access", key, result, &hit);
	switch (result) {
	case MAP_FOUND:
		return access_parse(q->d->arena, hit.value);
	case MAP_MISSING:
		return (struct access_value){.kind = ACCESS_NONE};
	case MAP_TEMPFAIL:
		break;
	}
	return (struct access_value){.kind = ACCESS_TEMPFAIL};
}

static struct access_value
look_up_both(const struct access_query *q, const struct key *key, bool is_net)
{
	struct access_value value =
	    look_up(q, (slice){key->bytes, key->len}, is_net);

	if (value.kind != ACCESS_NONE || q->tag_only)
		return value;
	return look_up(q,
	    (slice){key->bytes + key->tag_len, key->len - key->tag_len},
	    is_net);
}

/* The parts as they are: without quotes. */
static struct access_value
find_plain(const struct access_query *q, slice a, slice b, slice c)
{
	struct access_value value = {.kind = ACCESS_NONE};
	struct key key;

	if (q->d->policy->access == NULL)
		return value;
	key_begin(&key, tag_names[q->tag]);
	key_add(&key, a);
	key_add(&key, b);
	key_add(&key, c);
	return key.too_long ? value : look_up_both(q, &key, false);
}

static struct access_value
find_net(const struct access_query *q, const struct net_address *address,
    unsigned length)
{
	char room[NET_TEXT_MAX];
	struct key key;

	key_begin(&key, tag_names[q->tag]);
	key_add(&key, net_key(address, length, room));
	return look_up_both(q, &key, true);
}

static struct access_value
find_parts(const struct access_query *q, slice a, slice b, slice c)
{
	struct arena *arena = q->d->arena;

	return find_plain(
	    q, host_unquoted(arena, a), b, host_unquoted(arena, c));
}

struct access_value
access_find_exact(const struct access_query *q, slice key)
{
	return find_parts(q, key, SLICE(""), SLICE(""));
}

/* The first `c` that is neither quoted nor the first byte; text.len when there
 * is none. */
static size_t
inner_index(slice text, char c)
{
	bool is_quoted = false;

	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == '\\')
			i++;
		else if (text.ptr[i] == '"')
			is_quoted = !is_quoted;
		else if (text.ptr[i] == c && i > 0 && !is_quoted)
			return i;
	}
	return text.len;
}

/* The next wider key: a name without its first label. Empty at the end. */
static slice
parent_domain(slice name)
{
	return slice_from(name, inner_index(name, '.') + 1);
}

static size_t
last_separator(slice text)
{
	for (size_t i = text.len; i > 1; i--) {
		if (text.ptr[i - 1] == '.' || text.ptr[i - 1] == ':')
			return i - 1;
	}
	return 0;
}

/* "[1.2.3.4]" to "[1.2.3]"; empty at the end. */
static slice
parent_bracketed(struct arena *arena, slice name)
{
	slice inside = slice_first(slice_from(name, 1), name.len - 2);
	size_t cut = last_separator(inside);

	if (cut == 0)
		return SLICE("");
	return arena_join(
	    arena, SLICE("["), slice_first(inside, cut), SLICE("]"));
}

static struct access_value
find_dotted(const struct access_query *q, slice name)
{
	slice rest = SLICE("");

	if (q->d->policy->lookupdotdomain)
		rest = parent_domain(name);
	if (rest.len == 0)
		return (struct access_value){.kind = ACCESS_NONE};
	return find_parts(q, SLICE("."), rest, SLICE(""));
}

struct access_value
access_find_domain(const struct access_query *q, slice name)
{
	struct access_value value = {.kind = ACCESS_NONE};

	if (q->d->policy->access == NULL)
		return value;
	while (name.len > 0 && value.kind == ACCESS_NONE) {
		value = access_find_exact(q, name);
		if (value.kind == ACCESS_NONE)
			value = find_dotted(q, name);
		name = name.ptr[0] == '[' && name.ptr[name.len - 1] == ']'
		    ? parent_bracketed(q->d->arena, name)
		    : parent_domain(name);
	}
	if (value.kind == ACCESS_SKIP)
		value.kind = ACCESS_NONE;
	return value;
}

/* The nets whose lengths lie between those of sendmail's keys. */
struct nets {
	const struct net_lengths *lengths; /* NULL: there are none */
	struct net_address address;
	unsigned length; /* of the key that was asked last */
};

static void
nets_init(struct nets *nets, const struct access_query *q, slice address)
{
	nets->lengths = map_nets(q->d->policy->access);
	if (net_lengths_are_none(nets->lengths) ||
	    !net_address_parse(address, &nets->address))
		nets->lengths = NULL;
	else
		nets->length = net_address_bits(&nets->address);
}

/* Behind a key of sendmail's, down to the next one. */
static struct access_value
nets_find(struct nets *nets, const struct access_query *q)
{
	struct access_value value = {.kind = ACCESS_NONE};
	unsigned group = nets->lengths == NULL ? 0
	    : nets->address.is_six	       ? 16
					       : 8;

	while (value.kind == ACCESS_NONE && group > 0 && nets->length > 0) {
		nets->length--;
		if (net_lengths_has(
			nets->lengths, &nets->address, nets->length))
			value = find_net(q, &nets->address, nets->length);
		if (nets->length % group == 0)
			break;
	}
	return value;
}

/* From the address to its widest net; sendmail has the lengths where a group
 * ends alone, and the map's other lengths come between them. */
struct access_value
access_find_address(const struct access_query *q, slice address)
{
	struct access_value value = {.kind = ACCESS_NONE};
	struct nets nets;

	if (q->d->policy->access == NULL)
		return value;
	nets_init(&nets, q, address);
	while (address.len > 0 && value.kind == ACCESS_NONE) {
		value = find_plain(q, address, SLICE(""), SLICE(""));
		if (value.kind == ACCESS_NONE)
			value = nets_find(&nets, q);
		address = slice_first(address, last_separator(address));
	}
	if (value.kind == ACCESS_SKIP)
		value.kind = ACCESS_NONE;
	return value;
}

/* The domain as seen from the detail, which ends at the first "@": a local
 * part may have one, too. */
static slice
domain_behind(const struct access_query *q, slice detail, slice host)
{
	size_t at = inner_index(detail, '@');

	return host.len == 0 || at == detail.len
	    ? host
	    : arena_printf(q->d->arena, SLICE_FMT "@" SLICE_FMT,
		SLICE_ARG(slice_from(detail, at + 1)), SLICE_ARG(host));
}

struct access_value
access_find_full(const struct access_query *q, slice local, slice host)
{
	struct access_value value;
	slice base;
	size_t plus;

	value = find_parts(q, local, SLICE("@"), host);
	if (value.kind != ACCESS_NONE)
		return value;
	plus = inner_index(local, '+');
	if (plus >= local.len)
		return value;
	base = slice_first(local, plus);
	host = domain_behind(q, slice_from(local, plus), host);
	value = find_parts(q, base, SLICE("+*@"), host);
	if (value.kind != ACCESS_NONE)
		return value;
	return find_parts(q, base, SLICE("@"), host);
}

struct access_value
access_find_user(const struct access_query *q, slice local)
{
	return access_find_full(q, local, SLICE(""));
}

/* Values. */

static bool
parse_keyword(slice word, enum access_kind *ret_kind)
{
	static const struct {
		slice word;
		enum access_kind kind;
	} keywords[] = {
		{SLICE_INIT("OK"), ACCESS_OK},
		{SLICE_INIT("RELAY"), ACCESS_RELAY},
		{SLICE_INIT("REJECT"), ACCESS_REJECT},
		{SLICE_INIT("DISCARD"), ACCESS_DISCARD},
		{SLICE_INIT("SKIP"), ACCESS_SKIP},
		{SLICE_INIT("FRIEND"), ACCESS_FRIEND},
		{SLICE_INIT("HATER"), ACCESS_HATER},
	};

	for (size_t i = 0; i < sizeof(keywords) / sizeof(*keywords); i++) {
		if (slice_eq_nocase(word, keywords[i].word)) {
			*ret_kind = keywords[i].kind;
			return true;
		}
	}
	return false;
}

/* "a.b.c:" and something behind it. */
static bool
has_status(struct tokens t)
{
	return t.count > 6 && token_is(t, 1, '.') && token_is(t, 3, '.') &&
	    token_is(t, 5, ':') && !token_is_operator(t.list[0]) &&
	    !token_is_operator(t.list[2]) && !token_is_operator(t.list[4]);
}

struct access_value
access_parse(struct arena *arena, slice text)
{
	struct tokens t = tokens_from(arena, text, NULL);
	struct access_value value = {.kind = ACCESS_TEXT};
	bool has_argument = t.count > 2 && token_is(t, 1, ':');

	if (t.count == 1 && parse_keyword(t.list[0], &value.kind)) {
		value.text = t.list[0];
		return value;
	}
	if (has_argument && token_is_word(t, 0, SLICE("QUARANTINE"))) {
		value.kind = ACCESS_QUARANTINE;
		t = tokens_part(t, 2, t.count);
	} else if (has_argument && token_is_word(t, 0, SLICE("ERROR"))) {
		t = tokens_part(t, 2, t.count);
		if (has_status(t)) {
			value.status = tokens_join(arena, tokens_part(t, 0, 5));
			t = tokens_part(t, 6, t.count);
		}
	}
	value.text = tokens_join_text(arena, t);
	return value;
}

/* The length of an enhanced status code (RFC 3463) at the start, or 0. */
static size_t
status_length(slice text)
{
	size_t at = 1;

	if (text.len < 5 || strchr("245", text.ptr[0]) == NULL ||
	    text.ptr[0] == '\0')
		return 0;
	for (unsigned part = 0; part < 2; part++) {
		size_t digits = 0;

		if (at >= text.len || text.ptr[at++] != '.')
			return 0;
		while (at < text.len && ascii_is_digit(text.ptr[at])) {
			at++;
			digits++;
		}
		if (digits == 0 || digits > 3)
			return 0;
	}
	return at;
}

static bool
has_reply_code(slice text)
{
	return text.len >= 4 && (text.ptr[0] == '4' || text.ptr[0] == '5') &&
	    ascii_is_digit(text.ptr[1]) && ascii_is_digit(text.ptr[2]) &&
	    text.ptr[3] == ' ';
}

struct verdict
access_refusal(
    const struct decision *d, slice status, slice text, const char *rule)
{
	struct verdict v = {.kind = VERDICT_REJECT, .rule = rule, .code = 553,
	    .enhanced = SLICE("5.3.0"), .text = text};
	size_t len;

	if (!has_reply_code(text))
		return v;
	v.code = (text.ptr[0] - '0') * 100 + (text.ptr[1] - '0') * 10 +
	    (text.ptr[2] - '0');
	v.kind = v.code < 500 ? VERDICT_DEFER : VERDICT_REJECT;
	v.close = v.code == 421;
	v.text = slice_from(text, 4);
	len = status_length(v.text);
	if (len > 0 && len + 1 < v.text.len && v.text.ptr[len] == ' ') {
		v.enhanced = slice_first(v.text, len);
		v.text = slice_from(v.text, len + 1);
	} else if (status.len > 0 && status_length(status) == status.len) {
		v.enhanced = status;
	} else {
		v.enhanced = arena_printf(d->arena, "%c.0.0", text.ptr[0]);
	}
	return v;
}

struct verdict
access_tempfail(const char *rule)
{
	return (struct verdict){
	    .kind = VERDICT_DEFER,
	    .rule = rule,
	    .code = 451,
	    .enhanced = SLICE("4.3.0"),
	    .text = SLICE("Temporary system failure. Please try again later."),
	};
}

struct verdict
access_verdict(const struct decision *d, const struct access_value *value,
    const char *rule, const char *reject_status, const char *reject_text)
{
	switch (value->kind) {
	case ACCESS_NONE:
	case ACCESS_OK:
	case ACCESS_RELAY:
		return (struct verdict){.rule = rule};
	case ACCESS_REJECT:
		return access_refusal(d, slice_from_cstr(reject_status),
		    slice_from_cstr(reject_text), rule);
	case ACCESS_DISCARD:
		return (struct verdict){
		    .kind = VERDICT_DISCARD, .rule = rule};
	case ACCESS_QUARANTINE:
		return (struct verdict){.kind = VERDICT_QUARANTINE,
		    .rule = rule, .text = value->text};
	case ACCESS_SKIP:
	case ACCESS_FRIEND:
	case ACCESS_HATER:
	case ACCESS_TEXT:
		return access_refusal(d, value->status, value->text, rule);
	case ACCESS_TEMPFAIL:
		break;
	}
	return access_tempfail(rule);
}
