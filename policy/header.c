/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/header.h"

/* One place in an address list while it is read: a bare address, or the
 * inside of angle brackets once those were seen. */
struct place {
	size_t first;
	size_t last; /* behind the last byte; 0: nothing seen yet */
	bool is_angle;
	bool has_gap; /* words side by side: a name, not an address */
	bool after_word;
};

void
header_parser_init(struct header_parser *parser, slice value)
{
	*parser = (struct header_parser){.value = value};
}

static bool
is_at_end(const struct header_parser *p)
{
	return p->at >= p->value.len;
}

static char
here(const struct header_parser *p)
{
	return p->value.ptr[p->at];
}

static bool
broken(struct header_parser *p, const char *problem)
{
	p->problem = problem;
	return false;
}

/* Behind what `close` closes; a backslash takes the next byte along. */
static bool
skip_to(struct header_parser *p, char close, const char *problem)
{
	for (p->at++; !is_at_end(p); p->at++) {
		if (here(p) == '\\')
			p->at++;
		else if (here(p) == close) {
			p->at++;
			return true;
		}
	}
	return broken(p, problem);
}

static bool
skip_comment(struct header_parser *p)
{
	unsigned depth = 0;

	for (; !is_at_end(p); p->at++) {
		char c = here(p);

		if (c == '\\') {
			p->at++;
		} else if (c == '(') {
			depth++;
		} else if (c == ')' && --depth == 0) {
			p->at++;
			return true;
		}
	}
	return broken(p, "unbalanced '('");
}

static bool
skip_blank(struct header_parser *p)
{
	while (!is_at_end(p)) {
		if (ascii_is_space(here(p)))
			p->at++;
		else if (here(p) != '(')
			return true;
		else if (!skip_comment(p))
			return false;
	}
	return true;
}

static bool
is_special(char c)
{
	return ascii_is_space(c) || c == '(' || c == '"' || c == '[' ||
	    c == '<' || c == '>' || c == ',' || c == ';' || c == ':';
}

/* Over one quoted string, literal, run of other bytes, or lone colon. */
static bool
skip_part(struct header_parser *p)
{
	if (here(p) == '"')
		return skip_to(p, '"', "unbalanced '\"'");
	if (here(p) == '[')
		return skip_to(p, ']', "unbalanced '['");
	if (is_special(here(p))) {
		p->at++;
		return true;
	}
	while (!is_at_end(p) && !is_special(here(p)))
		p->at += here(p) == '\\' && p->at + 1 < p->value.len ? 2 : 1;
	return true;
}

/* Does the byte join its neighbours to one address? */
static bool
is_joint(char c)
{
	return c == '.' || c == '@' || c == '%' || c == '!' || c == ':' ||
	    c == ',';
}

static bool
add_part(struct header_parser *p, struct place *place)
{
	size_t start = p->at;
	bool is_first = place->last == 0;

	if (!is_first && place->last < start && place->after_word &&
	    !is_joint(here(p)))
		place->has_gap = true;
	if (!skip_part(p))
		return false;
	if (is_first)
		place->first = start;
	place->last = p->at;
	place->after_word = !is_joint(p->value.ptr[p->at - 1]);
	return true;
}

/* From "<" to behind ">". */
static bool
read_angle(struct header_parser *p, struct place *place)
{
	*place = (struct place){.is_angle = true};
	p->at++;
	while (skip_blank(p) && !is_at_end(p)) {
		if (here(p) == '>') {
			p->at++;
			return true;
		}
		if (here(p) == '<' || here(p) == ';')
			break;
		if (!add_part(p, place))
			return false;
	}
	return p->problem != NULL ? false : broken(p, "unbalanced '<'");
}

/* One byte or part of a place; false when broken. `*ret_ends` when the place
 * ended with it. */
static bool
read_step(struct header_parser *p, struct place *place, bool *ret_ends)
{
	char c = here(p);

	*ret_ends = c == ',' || (c == ';' && p->in_group);
	if (*ret_ends) {
		p->in_group = p->in_group && c != ';';
		p->at++;
		return true;
	}
	if (c == '<')
		return place->is_angle ? broken(p, "two addresses in one")
				       : read_angle(p, place);
	if (c == '>')
		return broken(p, "unbalanced '>'");
	if (c == ';')
		return broken(p, "';' outside of a group");
	if (c == ':' && !place->is_angle && place->last > 0) {
		if (p->in_group)
			return broken(p, "a group in a group");
		p->in_group = true;
		*place = (struct place){.last = 0};
		p->at++;
		return true;
	}
	if (!place->is_angle)
		return add_part(p, place);
	return broken(p, "words behind an address");
}

static bool
read_place(struct header_parser *p, struct place *place)
{
	bool ends = false;

	*place = (struct place){.last = 0};
	while (!ends) {
		if (!skip_blank(p))
			return false;
		if (is_at_end(p))
			return true;
		if (!read_step(p, place, &ends))
			return false;
	}
	return true;
}

enum header_next
header_next(struct header_parser *p, slice *ret_span)
{
	struct place place;

	while (!is_at_end(p)) {
		if (!read_place(p, &place))
			return HEADER_BROKEN;
		if (place.last == 0)
			continue;
		if (place.has_gap) {
			(void)broken(p, "words that are no address");
			return HEADER_BROKEN;
		}
		*ret_span = slice_first(slice_from(p->value, place.first),
		    place.last - place.first);
		return HEADER_ADDRESS;
	}
	return HEADER_END;
}

enum header_kind
header_kind(slice name)
{
	static const struct {
		slice name;
		enum header_kind kind;
	} fields[] = {
		{SLICE_INIT("From"), HEADER_SENDER},
		{SLICE_INIT("Sender"), HEADER_SENDER},
		{SLICE_INIT("Reply-To"), HEADER_SENDER},
		{SLICE_INIT("Errors-To"), HEADER_SENDER},
		{SLICE_INIT("Disposition-Notification-To"), HEADER_SENDER},
		{SLICE_INIT("Resent-From"), HEADER_SENDER},
		{SLICE_INIT("Resent-Sender"), HEADER_SENDER},
		{SLICE_INIT("Resent-Reply-To"), HEADER_SENDER},
		{SLICE_INIT("To"), HEADER_RECIPIENT},
		{SLICE_INIT("Cc"), HEADER_RECIPIENT},
		{SLICE_INIT("Apparently-To"), HEADER_RECIPIENT},
		{SLICE_INIT("Resent-To"), HEADER_RECIPIENT},
		{SLICE_INIT("Resent-Cc"), HEADER_RECIPIENT},
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		if (slice_eq_nocase(name, fields[i].name))
			return fields[i].kind;
	}
	return HEADER_OTHER;
}
