/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/mime_encode.h"

#include "policy/header.h"

enum {
	LINE_MAX_WANTED = 76,
	WORD_MAX = 900,	 /* of 998 that a line may have (RFC 5322, 2.1.1) */
	CHUNK_MAX = 45,	 /* bytes of text in one encoded word of 75 */
	QP_LINE_MAX = 75, /* and a "=" */
};

/* The length of the UTF-8 character at the front of the text, 0 for none. */
static size_t
character_length(slice text)
{
	unsigned char c = (unsigned char)text.ptr[0];
	unsigned char least = 0x80;
	unsigned char most = 0xbf;
	size_t len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

	if (len == 1)
		return 1;
	if (c < 0xc2 || c > 0xf4 || text.len < len)
		return 0;
	if (c == 0xe0)
		least = 0xa0;
	if (c == 0xed)
		most = 0x9f;
	if (c == 0xf0)
		least = 0x90;
	if (c == 0xf4)
		most = 0x8f;
	for (size_t i = 1; i < len; i++) {
		c = (unsigned char)text.ptr[i];
		if (c < least || c > most)
			return 0;
		least = 0x80;
		most = 0xbf;
	}
	return len;
}

bool
utf8_is_valid(slice text)
{
	while (text.len > 0) {
		size_t len = character_length(text);

		if (len == 0)
			return false;
		text = slice_from(text, len);
	}
	return true;
}

slice
utf8_from_any(struct arena *arena, slice text)
{
	struct strbuf out;

	if (utf8_is_valid(text))
		return text;
	strbuf_init(&out, arena);
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (c >= 0x80) {
			strbuf_add_char(&out, (char)(0xc0 | c >> 6));
			c = 0x80 | (c & 0x3f);
		}
		strbuf_add_char(&out, (char)c);
	}
	return strbuf_slice(&out);
}

slice
utf8_first(slice text, size_t limit)
{
	size_t len = limit;

	if (text.len <= limit)
		return text;
	while (len > 0 && ((unsigned char)text.ptr[len] & 0xc0) == 0x80)
		len--;
	return slice_first(text, len == 0 ? limit : len);
}

bool
text_is_ascii(slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		if ((unsigned char)text.ptr[i] >= 0x80)
			return false;
	}
	return true;
}

/* Controls of ASCII, and those of C1 (U+0080 to U+009F), which terminals
 * obey as well. */
slice
header_text_clean(struct arena *arena, slice text)
{
	struct strbuf out;

	strbuf_init(&out, arena);
	text = slice_trim(utf8_from_any(arena, text));
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		bool is_c1 = c == 0xc2 && i + 1 < text.len &&
		    (unsigned char)text.ptr[i + 1] < 0xa0;

		if (is_c1)
			i++;
		/* Of a line's folding one blank is left. */
		if ((c == '\r' || c == '\n') && i + 1 < text.len &&
		    ascii_is_space(text.ptr[i + 1]))
			continue;
		strbuf_add_char(
		    &out, c < 0x20 || c == 0x7f || is_c1 ? ' ' : (char)c);
	}
	return slice_trim(strbuf_slice(&out));
}

static void
add_base64(struct strbuf *out, slice text)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < text.len; i += 3) {
		size_t len = text.len - i < 3 ? text.len - i : 3;
		unsigned bits = 0;

		for (size_t j = 0; j < 3; j++)
			bits = bits << 8 |
			    (j < len ? (unsigned char)text.ptr[i + j] : 0);
		for (size_t j = 0; j < 4; j++)
			strbuf_add_char(out,
			    j <= len ? digits[bits >> (18 - 6 * j) & 63] : '=');
	}
}

/* A field while it is written. */
struct field {
	struct strbuf *out;
	size_t column;
};

static void
field_add_word(struct field *f, slice word)
{
	if (f->column + 1 + word.len > LINE_MAX_WANTED) {
		strbuf_add_char(f->out, '\n');
		f->column = 0;
	}
	strbuf_add_char(f->out, ' ');
	strbuf_add(f->out, word);
	f->column += 1 + word.len;
}

static void
field_add_encoded(struct field *f, slice text)
{
	struct strbuf word;

	strbuf_init(&word, f->out->arena);
	while (text.len > 0) {
		slice chunk = utf8_first(text, CHUNK_MAX);

		strbuf_clear(&word);
		strbuf_add(&word, SLICE("=?utf-8?B?"));
		add_base64(&word, chunk);
		strbuf_add(&word, SLICE("?="));
		field_add_word(f, strbuf_slice(&word));
		text = slice_from(text, chunk.len);
	}
}

static struct field
field_begin(struct strbuf *out, slice name)
{
	strbuf_add(out, name);
	strbuf_add_char(out, ':');
	return (struct field){.out = out, .column = name.len + 1};
}

static bool
is_encoded_word(slice word)
{
	return slice_has_prefix_nocase(word, SLICE("=?"));
}

static bool
wants_encoding(slice word)
{
	return word.len > WORD_MAX || !text_is_ascii(word);
}

static bool
next_word(slice *rest, slice *ret_word)
{
	size_t len = 0;

	*rest = slice_trim(*rest);
	while (len < rest->len && !ascii_is_space(rest->ptr[len]))
		len++;
	*ret_word = slice_first(*rest, len);
	*rest = slice_from(*rest, len);
	return len > 0;
}

/* The blanks between two encoded words are lost to who reads them (RFC 2047,
 * 6.2), so words side by side become one text, and the blank towards an
 * encoded word that was there before belongs to it. */
static slice
take_run(struct arena *arena, slice first, slice *rest, bool after_encoded)
{
	struct strbuf run;
	slice word = first;
	slice ahead = *rest;

	strbuf_init(&run, arena);
	if (after_encoded)
		strbuf_add_char(&run, ' ');
	strbuf_add(&run, first);
	while (next_word(&ahead, &word) && wants_encoding(word)) {
		strbuf_add_char(&run, ' ');
		strbuf_add(&run, word);
		*rest = ahead;
	}
	if (is_encoded_word(word) && !wants_encoding(word))
		strbuf_add_char(&run, ' ');
	return strbuf_slice(&run);
}

static void
field_add_text(struct field *f, slice value)
{
	bool after_encoded = false;
	slice word;

	while (next_word(&value, &word)) {
		if (wants_encoding(word)) {
			field_add_encoded(f,
			    take_run(
				f->out->arena, word, &value, after_encoded));
			after_encoded = true;
			continue;
		}
		field_add_word(f, word);
		after_encoded = is_encoded_word(word);
	}
}

void
header_add_text(struct strbuf *out, slice name, slice value)
{
	struct field f = field_begin(out, name);

	field_add_text(&f, value);
	strbuf_add_char(out, '\n');
}

static slice
ascii_only(struct arena *arena, slice text)
{
	struct strbuf out;

	strbuf_init(&out, arena);
	while (text.len > 0) {
		size_t len = character_length(text);

		strbuf_add_char(&out, len == 1 ? text.ptr[0] : '?');
		text = slice_from(text, len == 0 ? 1 : len);
	}
	return strbuf_slice(&out);
}

/* A display name without its quotes. */
static slice
unquoted(struct arena *arena, slice phrase)
{
	struct strbuf out;

	strbuf_init(&out, arena);
	for (size_t i = 0; i < phrase.len; i++) {
		char c = phrase.ptr[i];

		if (c == '"')
			continue;
		if (c == '\\' && i + 1 < phrase.len)
			c = phrase.ptr[++i];
		strbuf_add_char(&out, c);
	}
	return slice_trim(strbuf_slice(&out));
}

/* Is it a display name and one address, and where is its "<"? */
static bool
has_name(slice value, size_t *ret_angle)
{
	struct header_parser parser;
	slice address;
	slice other;

	header_parser_init(&parser, value);
	if (header_next(&parser, &address) != HEADER_ADDRESS ||
	    header_next(&parser, &other) != HEADER_END)
		return false;
	*ret_angle = slice_last_index(
	    slice_first(value, (size_t)(address.ptr - value.ptr)), '<');
	return *ret_angle < (size_t)(address.ptr - value.ptr) &&
	    text_is_ascii(slice_from(value, *ret_angle));
}

void
header_add_addresses(struct strbuf *out, slice name, slice value)
{
	struct field f = field_begin(out, name);
	size_t angle;

	if (!text_is_ascii(value) && has_name(value, &angle)) {
		field_add_encoded(
		    &f, unquoted(out->arena, slice_first(value, angle)));
		value = slice_from(value, angle);
	}
	field_add_text(&f, ascii_only(out->arena, value));
	strbuf_add_char(out, '\n');
}

static bool
is_plain_in_line(slice line, size_t i)
{
	char c = line.ptr[i];

	if (c == ' ' || c == '\t')
		return i + 1 < line.len;
	if (i == 0 && (slice_eq(line, SLICE(".")) ||
			  slice_has_prefix_nocase(line, SLICE("From "))))
		return false;
	return c > ' ' && c < 0x7f && c != '=';
}

static void
add_qp_line(struct strbuf *out, slice line)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t column = 0;

	for (size_t i = 0; i < line.len; i++) {
		bool is_plain = is_plain_in_line(line, i);
		unsigned char c = (unsigned char)line.ptr[i];
		size_t width = is_plain ? 1 : 3;

		if (column + width > QP_LINE_MAX) {
			strbuf_add(out, SLICE("=\n"));
			column = 0;
		}
		column += width;
		if (is_plain) {
			strbuf_add_char(out, (char)c);
			continue;
		}
		strbuf_add_char(out, '=');
		strbuf_add_char(out, digits[c >> 4]);
		strbuf_add_char(out, digits[c & 15]);
	}
}

void
quoted_printable_add(struct strbuf *out, slice text)
{
	slice line;

	while (slice_next(&text, '\n', &line)) {
		add_qp_line(out, line);
		strbuf_add_char(out, '\n');
	}
}
