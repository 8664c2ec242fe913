/* SPDX-License-Identifier: BSD-2-Clause */
#include "maps/alias_text.h"

#include "base/strbuf.h"

void
alias_reader_init(
    struct alias_reader *reader, struct arena *arena, slice content)
{
	*reader = (struct alias_reader){.arena = arena, .rest = content};
}

static bool
is_indented(slice line)
{
	return line.len > 0 && (line.ptr[0] == ' ' || line.ptr[0] == '\t');
}

static bool
ends_in_backslash(slice line)
{
	return line.len > 0 && line.ptr[line.len - 1] == '\\';
}

static enum text_next
bad(struct alias_reader *reader, const char *problem)
{
	reader->line = reader->lines;
	reader->problem = problem;
	return TEXT_BAD;
}

static enum text_next
skip(struct alias_reader *reader, const char *problem)
{
	reader->problem = problem;
	return TEXT_WARNING;
}

/* One line of the file. */
static enum text_next
take_line(struct alias_reader *reader, slice *ret_line)
{
	if (!slice_next(&reader->rest, '\n', ret_line))
		return TEXT_END;
	reader->lines++;
	if (ret_line->len > TEXT_LINE_MAX)
		return bad(reader, "line is longer than 65536 bytes");
	if (slice_index(*ret_line, '\0') < ret_line->len)
		return bad(reader, "line contains a NUL byte");
	return TEXT_ENTRY;
}

/* One more line behind `joined`; TEXT_END where there is none. */
static enum text_next
join_line(struct alias_reader *reader, struct strbuf *joined)
{
	slice more;
	enum text_next next = take_line(reader, &more);

	if (next != TEXT_ENTRY)
		return next;
	strbuf_add(joined, more);
	return joined->len > ALIAS_ENTRY_MAX
		   ? bad(reader, "alias is longer than 4 MB")
		   : next;
}

/* A line with all that continue it. */
static enum text_next
take_entry(struct alias_reader *reader, slice *ret_text)
{
	struct strbuf joined;
	slice text;
	enum text_next next = take_line(reader, &text);

	if (next != TEXT_ENTRY)
		return next;
	reader->line = reader->lines;
	*ret_text = text;
	if (!ends_in_backslash(text) && !is_indented(reader->rest))
		return next;
	strbuf_init(&joined, reader->arena);
	strbuf_add(&joined, text);
	do {
		if (ends_in_backslash(strbuf_slice(&joined)))
			joined.len--;
		next = join_line(reader, &joined);
	} while (
	    next == TEXT_ENTRY && (ends_in_backslash(strbuf_slice(&joined)) ||
				      is_indented(reader->rest)));
	*ret_text = strbuf_slice(&joined);
	return next == TEXT_BAD ? next : TEXT_ENTRY;
}

/* The colon behind the name, or the text's length. */
static size_t
name_length(slice text)
{
	bool in_quotes = false;
	unsigned comments = 0;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (c == '\\')
			i++;
		else if (c == '"' && comments == 0)
			in_quotes = !in_quotes;
		else if (c == '(' && !in_quotes)
			comments++;
		else if (c == ')' && !in_quotes && comments > 0)
			comments--;
		else if (c == ':' && !in_quotes && comments == 0)
			return i;
	}
	return text.len;
}

static enum text_next
split(struct alias_reader *reader, slice text, struct text_entry *ret_entry)
{
	size_t colon = name_length(text);
	slice value = slice_trim(slice_from(text, colon + 1));

	if (colon >= text.len)
		return skip(reader, "skipped: no colon behind a name");
	if (slice_trim(slice_first(text, colon)).len == 0)
		return skip(reader, "skipped: no name before the colon");
	if (value.len == 0)
		return skip(reader, "skipped: alias has no value");
	*ret_entry = (struct text_entry){
	    .key = slice_trim(slice_first(text, colon)),
	    .value = value,
	    .line = reader->line,
	};
	return TEXT_ENTRY;
}

enum text_next
alias_reader_next(struct alias_reader *reader, struct text_entry *ret_entry)
{
	slice text;

	reader->problem = NULL;
	for (;;) {
		enum text_next next = take_entry(reader, &text);

		if (next != TEXT_ENTRY)
			return next;
		if (!is_indented(text)) {
			reader->is_skipping = false;
			if (text.len > 0 && text.ptr[0] != '#')
				return split(reader, text, ret_entry);
		} else if (!reader->is_skipping) {
			reader->is_skipping = true;
			return skip(reader, "skipped: line continues nothing");
		}
	}
}
