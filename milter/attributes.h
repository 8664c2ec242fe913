/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A session told in words: lines of name=value, as Postfix's policy delegation
 * protocol and `milterctl explain` write them. The names are Postfix's, so
 * that a request caught there can be asked again; a few are milterd's own.
 *
 * Values are borrowed from the text they were read from; a value that was not
 * given has a NULL pointer, one that was given empty has not.
 */
#ifndef MILTER_ATTRIBUTES_H
#define MILTER_ATTRIBUTES_H

#include "base/arena.h"
#include "base/error.h"
#include "policy/session.h"

struct attributes {
	slice request; /* policy service only, with the two below */
	slice protocol_state;
	slice queue_id;

	slice client_address;
	slice client_name;
	slice reverse_client_name;
	slice client_resolve;
	slice helo_name;
	slice sasl_method;
	slice sasl_username;
	slice size;
	slice sender;
	struct attribute_value *first_recipient;
	struct attribute_value *last_recipient;

	slice ruleset; /* explain only, with the ones below */
	/* "SIZE HOPS HEADER": milterctl has read the file; HEADER as below. */
	slice message;
	/* Header fields, "\n" for a line's end, "\\" for a backslash. */
	struct attribute_value *first_header;
	struct attribute_value *last_header;
	slice rewrite; /* an address, not a session, with the two below */
	slice as;
	slice local;
};

struct attribute_value {
	slice value;
	struct attribute_value *next;
};

/* Known names, for a program's options; `unused` ones are Postfix's and mean
 * nothing here. NULL-named row at the end. */
struct attribute_word {
	const char *name;
	size_t offset;
	bool unused;
};
const struct attribute_word *attribute_words(void);

static inline bool
attribute_is_given(slice value)
{
	return value.ptr != NULL;
}

/* Takes one line without its end. False, and nothing is changed, when there
 * is no '=' in it or the name is none of attribute_words(). A name given
 * twice counts as said last; recipients and header fields add up. */
bool attributes_add_line(
    struct attributes *attributes, struct arena *arena, slice line);

/* What the words say about the client. NAMES_MISSING: only the address is
 * known, names and resolve have to be found out. */
enum client_words { CLIENT_COMPLETE, CLIENT_DERIVED, CLIENT_NAMES_MISSING };

/* CLIENT_DERIVED: client_resolve was not said and follows from the names, as
 * Postfix gives them: client_name is "unknown" unless reverse and forward DNS
 * agree, reverse_client_name is "unknown" without a reverse name. False: no
 * address, or a value that is none. */
bool attributes_read_client(const struct attributes *attributes,
    struct arena *arena, struct client *ret_client,
    enum client_words *ret_words, struct error *error);
/* Everything but the client and the sender. */
bool attributes_read_session(const struct attributes *attributes,
    struct session *session, struct error *error);
/* "<x@y>" as typed when the value shows angle brackets at either end, else
 * with brackets put around it. */
slice attribute_path(struct arena *arena, slice value);
/* A count; `what` names it in the error. */
bool attribute_read_number(slice value, const char *what,
    unsigned long *ret_number, struct error *error);

#endif
