/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/mail_text.h"

#include <string.h>

/* Length of the first line with its end. */
static size_t
line_length(slice text)
{
	const char *end =
	    text.len == 0 ? NULL : memchr(text.ptr, '\n', text.len);

	return end == NULL ? text.len : (size_t)(end - text.ptr) + 1;
}

static bool
is_empty_line(slice text)
{
	return (text.len > 0 && text.ptr[0] == '\n') ||
	       (text.len > 1 && text.ptr[0] == '\r' && text.ptr[1] == '\n');
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static slice
without_line_end(slice line)
{
	if (line.len > 0 && line.ptr[line.len - 1] == '\n')
		line.len--;
	if (line.len > 0 && line.ptr[line.len - 1] == '\r')
		line.len--;
	return line;
}

struct mail_text
mail_text_split(slice message)
{
	slice rest = message;
	bool has_begun = false;

	while (rest.len > 0) {
		bool is_empty = is_empty_line(rest);

		rest = slice_from(rest, line_length(rest));
		if (has_begun && is_empty)
			break;
		has_begun = has_begun || !is_empty;
	}
	return (struct mail_text){
	    .header = slice_first(message, message.len - rest.len),
	    .body = rest};
}

void
mail_fields_init(struct mail_fields *fields, slice header)
{
	while (is_empty_line(header))
		header = slice_from(header, line_length(header));
	fields->rest = header;
}

/* RFC 5322, 2.2: printable bytes but the colon. Others are let pass too, but
 * a blank ends the name, and then only blanks may come before the colon. */
static bool
find_name(slice line, slice *ret_name, size_t *ret_colon)
{
	size_t colon = slice_index(line, ':');
	slice name = slice_first(line, colon);

	while (name.len > 0 && is_blank(name.ptr[name.len - 1]))
		name.len--;
	if (colon == line.len || name.len == 0)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (is_blank(name.ptr[i]) || name.ptr[i] == '\n')
			return false;
	*ret_name = name;
	*ret_colon = colon;
	return true;
}

bool
mail_fields_next(struct mail_fields *fields, struct mail_field *ret_field)
{
	slice rest = fields->rest;
	size_t first = line_length(rest);
	size_t len = first;
	size_t colon = 0;
	struct mail_field field = {.name = {"", 0}};

	if (rest.len == 0 || is_empty_line(rest))
		return false;
	while (len < rest.len && is_blank(rest.ptr[len]))
		len += line_length(slice_from(rest, len));
	field.whole = slice_first(rest, len);
	field.value = without_line_end(field.whole);
	if (find_name(slice_first(rest, first), &field.name, &colon))
		field.value = slice_from(field.value, colon + 1);
	fields->rest = slice_from(rest, len);
	*ret_field = field;
	return true;
}

bool
mail_field_find(slice header, slice name, struct mail_field *ret_field)
{
	struct mail_fields fields;
	struct mail_field field;

	mail_fields_init(&fields, header);
	while (mail_fields_next(&fields, &field)) {
		if (field.name.len > 0 && slice_eq_nocase(field.name, name)) {
			*ret_field = field;
			return true;
		}
	}
	return false;
}

slice
mail_value_unfold(struct arena *arena, slice value)
{
	struct strbuf joined;

	value = slice_trim(value);
	if (slice_index(value, '\n') == value.len)
		return value;
	strbuf_init(&joined, arena);
	while (value.len > 0) {
		size_t len = line_length(value);

		strbuf_add(&joined, without_line_end(slice_first(value, len)));
		value = slice_from(value, len);
	}
	return strbuf_slice(&joined);
}

static bool
has_fold(slice header)
{
	while (header.len > 0) {
		header = slice_from(header, line_length(header));
		if (header.len > 0 && is_blank(header.ptr[0]))
			return true;
	}
	return false;
}

slice
mail_header_join(struct arena *arena, slice header)
{
	char *copy;

	if (!has_fold(header))
		return header;
	copy = arena_cstr(arena, header);
	for (size_t i = 0; i + 1 < header.len; i++) {
		if (copy[i] == '\n' && is_blank(copy[i + 1]))
			copy[i] = ' ';
	}
	return (slice){copy, header.len};
}

void
mail_header_add(struct strbuf *header, slice name, slice value, bool adds_blank)
{
	strbuf_add(header, name);
	strbuf_add_char(header, ':');
	do {
		size_t len = line_length(value);

		if (len > 0 && adds_blank && !is_blank(value.ptr[0]))
			strbuf_add_char(header, ' ');
		strbuf_add(header, without_line_end(slice_first(value, len)));
		strbuf_add_char(header, '\n');
		value = slice_from(value, len);
		adds_blank = true;
	} while (value.len > 0);
}
