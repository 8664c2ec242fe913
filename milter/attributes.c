/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/attributes.h"

#include <limits.h>

#define FIELD(name)                                                            \
	{                                                                      \
#name, offsetof(struct attributes, name), false                \
	}
#define UNUSED(name)                                                           \
	{                                                                      \
#name, 0, true                                                 \
	}

/* clang-format off */
static const struct attribute_word words[] = {
	FIELD(client_address),
	FIELD(client_name),
	FIELD(reverse_client_name),
	FIELD(client_resolve),
	FIELD(helo_name),
	FIELD(sender),
	{"recipient", offsetof(struct attributes, first_recipient), false},
	FIELD(sasl_method),
	FIELD(sasl_username),
	FIELD(size),
	FIELD(ruleset),
	FIELD(message),
	{"header", offsetof(struct attributes, first_header), false},
	FIELD(rewrite),
	FIELD(as),
	FIELD(local),
	FIELD(request),
	FIELD(protocol_state),
	FIELD(queue_id),
	UNUSED(protocol_name),
	UNUSED(recipient_count),
	UNUSED(instance),
	UNUSED(sasl_sender),
	UNUSED(ccert_subject),
	UNUSED(ccert_issuer),
	UNUSED(ccert_fingerprint),
	UNUSED(ccert_pubkey_fingerprint),
	UNUSED(encryption_protocol),
	UNUSED(encryption_cipher),
	UNUSED(encryption_keysize),
	UNUSED(etrn_domain),
	UNUSED(stress),
	UNUSED(client_port),
	UNUSED(policy_context),
	UNUSED(server_address),
	UNUSED(server_port),
	UNUSED(compatibility_level),
	UNUSED(mail_version),
	{NULL, 0, false},
};
/* clang-format on */

const struct attribute_word *
attribute_words(void)
{
	return words;
}

static const struct attribute_word *
find_word(slice name)
{
	for (const struct attribute_word *w = words; w->name != NULL; w++) {
		if (slice_eq(name, slice_from_cstr(w->name)))
			return w;
	}
	return NULL;
}

static void
add_value(struct arena *arena, struct attribute_value **first,
    struct attribute_value **last, slice value)
{
	struct attribute_value *added =
	    ARENA_NEW(arena, struct attribute_value);

	added->value = value;
	if (*last == NULL)
		*first = added;
	else
		(*last)->next = added;
	*last = added;
}

bool
attributes_add_line(
    struct attributes *attributes, struct arena *arena, slice line)
{
	size_t equals = slice_index(line, '=');
	slice value = {line.ptr + equals + 1, line.len - equals - 1};
	const struct attribute_word *word;

	if (equals == line.len)
		return false;
	word = find_word(slice_first(line, equals));
	if (word == NULL)
		return false;
	if (word->unused)
		return true;
	if (word->offset == offsetof(struct attributes, first_recipient))
		add_value(arena, &attributes->first_recipient,
		    &attributes->last_recipient, value);
	else if (word->offset == offsetof(struct attributes, first_header))
		add_value(arena, &attributes->first_header,
		    &attributes->last_header, value);
	else
		*(slice *)(void *)((char *)attributes + word->offset) = value;
	return true;
}

/* A name that says something: neither missing, nor "unknown", nor "[ip]". */
static bool
is_name(slice name)
{
	return name.len > 0 && name.ptr[0] != '[' &&
	       !slice_eq_nocase(name, SLICE("unknown"));
}

static bool
read_resolve(const struct attributes *a, enum client_resolve *ret_resolve,
    enum client_words *ret_words, struct error *error)
{
	*ret_words = CLIENT_DERIVED;
	if (attribute_is_given(a->client_resolve)) {
		*ret_words = CLIENT_COMPLETE;
		if (!client_resolve_parse(a->client_resolve, ret_resolve))
			return error_set(error,
			    "client_resolve is one of OK, FORGED, FAIL, TEMP, "
			    "not '" SLICE_FMT "'",
			    SLICE_ARG(a->client_resolve));
	} else if (is_name(a->client_name)) {
		*ret_resolve = RESOLVE_OK;
	} else if (is_name(a->reverse_client_name)) {
		*ret_resolve = RESOLVE_FORGED;
	} else {
		*ret_resolve = RESOLVE_FAIL;
		if (!attribute_is_given(a->client_name) &&
		    !attribute_is_given(a->reverse_client_name))
			*ret_words = CLIENT_NAMES_MISSING;
	}
	return true;
}

bool
attributes_read_client(const struct attributes *a, struct arena *arena,
    struct client *ret_client, enum client_words *ret_words,
    struct error *error)
{
	struct client client = {.resolve = RESOLVE_FAIL};
	enum client_words said;

	if (a->client_address.len == 0)
		return error_set(error, "client_address is missing");
	if (!client_address_canonical(
		arena, a->client_address, &client.address))
		return error_set(error,
		    "client_address '" SLICE_FMT "' is no address",
		    SLICE_ARG(a->client_address));
	if (!read_resolve(a, &client.resolve, &said, error))
		return false;
	if (is_name(a->reverse_client_name))
		client.ptr = a->reverse_client_name;
	else if (is_name(a->client_name) &&
		 (client.resolve == RESOLVE_OK ||
		     client.resolve == RESOLVE_FORGED))
		client.ptr = a->client_name;
	client_set_name(arena, &client);
	/* The MTA's word counts where the two names differ. */
	if (client.resolve == RESOLVE_OK && a->client_name.len > 0)
		client.name = a->client_name;
	*ret_client = client;
	*ret_words = said;
	return true;
}

bool
attribute_read_number(slice value, const char *what, unsigned long *ret_number,
    struct error *error)
{
	unsigned long number = 0;

	if (!slice_is_number(value))
		return error_set(error, "%s '" SLICE_FMT "' is no number", what,
		    SLICE_ARG(value));
	for (size_t i = 0; i < value.len; i++) {
		unsigned long digit = (unsigned long)(value.ptr[i] - '0');

		if (number > (ULONG_MAX - digit) / 10)
			return error_set(error,
			    "%s '" SLICE_FMT "' is too large", what,
			    SLICE_ARG(value));
		number = number * 10 + digit;
	}
	*ret_number = number;
	return true;
}

bool
attributes_read_session(
    const struct attributes *a, struct session *session, struct error *error)
{
	unsigned long size = 0;

	if (a->size.len > 0 &&
	    !attribute_read_number(a->size, "size", &size, error))
		return false;
	session->size = size;
	session->helo = a->helo_name;
	session->auth_type = a->sasl_method;
	session->auth_authen = a->sasl_username;
	return true;
}

slice
attribute_path(struct arena *arena, slice value)
{
	if (value.len > 0 &&
	    (value.ptr[0] == '<' || value.ptr[value.len - 1] == '>'))
		return value;
	return arena_printf(arena, "<" SLICE_FMT ">", SLICE_ARG(value));
}
