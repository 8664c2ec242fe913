/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * GMime's parser follows parts within parts to a depth of 1024, and compares a
 * line that begins with "--" with the boundaries of all parts it is in. So the
 * number of boundaries is bounded before it is asked, by the number of times
 * that their parameter can be named, and that of such lines too, by which parts
 * end.
 *
 * It reads a copy of the message; texts are taken from it piece by piece, so
 * that what is encoded small and large when decoded ends at the limit.
 */
#include "milter/decode.h"

#include "base/strbuf.h"
#include "policy/mail_text.h"

#include <gmime/gmime.h>
#include <pthread.h>
#include <string.h>

#define INPUT_MAX (16 * 1024 * 1024)
#define OUTPUT_MAX (8 * 1024 * 1024)
#define BOUNDARIES_MAX 32
#define DASHES_MAX 5000
#define PARTS_MAX 200
#define CHARSET_MAX 64
#define PIECE 4096

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Text parts on their way out. */
struct output {
	struct strbuf text;
	struct decode_limits limits;
	unsigned parts;
};

static struct decode_limits
or_default(const struct decode_limits *asked)
{
	struct decode_limits limits = {.input = INPUT_MAX,
	    .output = OUTPUT_MAX,
	    .boundaries = BOUNDARIES_MAX,
	    .dashes = DASHES_MAX,
	    .parts = PARTS_MAX};

	if (asked == NULL)
		return limits;
	if (asked->input > 0)
		limits.input = asked->input;
	if (asked->output > 0)
		limits.output = asked->output;
	if (asked->boundaries > 0)
		limits.boundaries = asked->boundaries;
	if (asked->dashes > 0)
		limits.dashes = asked->dashes;
	if (asked->parts > 0)
		limits.parts = asked->parts;
	return limits;
}

/*
 * Header.
 *
 * GMime's own decoder of encoded words loses text: it takes neighbours of one
 * charset for one piece of base64, which the first padding ends. So the words
 * are found here, each is decoded alone, and neighbours of one charset are
 * converted together, since mailers cut letters in two.
 */

struct encoded_word {
	slice charset;
	bool is_base64;
	slice text;
	size_t len; /* of all of it */
};

/* "=?charset*language?Q?text?=" at the start. */
static bool
take_word(slice s, struct encoded_word *ret_word)
{
	slice rest = slice_from(s, 2);
	struct encoded_word word = {.is_base64 = false};
	slice encoding;

	if (s.len < 2 || s.ptr[0] != '=' || s.ptr[1] != '?' ||
	    !slice_next(&rest, '?', &word.charset) ||
	    !slice_next(&rest, '?', &encoding) ||
	    !slice_next(&rest, '?', &word.text) || rest.len == 0 ||
	    rest.ptr[0] != '=' || word.charset.len == 0 ||
	    word.charset.len > CHARSET_MAX)
		return false;
	word.len = (size_t)(rest.ptr + 1 - s.ptr);
	word.charset =
	    slice_first(word.charset, slice_index(word.charset, '*'));
	word.is_base64 = slice_eq_nocase(encoding, SLICE("B"));
	*ret_word = word;
	return word.is_base64 || slice_eq_nocase(encoding, SLICE("Q"));
}

static void
add_bytes(struct strbuf *bytes, const struct encoded_word *word)
{
	char *text = arena_cstr(bytes->arena, word->text);
	GMimeEncoding state;
	char *room;
	size_t len;

	for (char *at = text; !word->is_base64 && *at != '\0'; at++)
		if (*at == '_')
			*at = ' ';
	g_mime_encoding_init_decode(
	    &state, word->is_base64 ? GMIME_CONTENT_ENCODING_BASE64
				    : GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE);
	room = arena_alloc(
	    bytes->arena, g_mime_encoding_outlen(&state, word->text.len));
	len = g_mime_encoding_flush(&state, text, word->text.len, room);
	strbuf_add(bytes, (slice){room, len});
}

/* False when nobody knows the charset. A line's end would make a field. */
static bool
add_converted(struct strbuf *out, slice bytes, slice charset)
{
	GMimeFilter *filter =
	    g_mime_filter_charset_new(arena_cstr(out->arena, charset), "utf-8");
	char *converted;
	size_t len;
	size_t before;

	if (filter == NULL)
		return false;
	g_mime_filter_complete(filter, arena_cstr(out->arena, bytes), bytes.len,
	    0, &converted, &len, &before);
	for (size_t i = 0; i < len; i++)
		strbuf_add_char(out, converted[i] == '\n' ||
					     converted[i] == '\r' ||
					     converted[i] == '\0'
					 ? ' '
					 : converted[i]);
	g_object_unref(filter);
	return true;
}

static slice
skip_blanks(slice s)
{
	while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
		s = slice_from(s, 1);
	return s;
}

/* The words of one charset that stand together; with their blanks the end of
 * what was read is returned. */
static slice
add_words(struct strbuf *out, slice field, const struct encoded_word *first)
{
	struct encoded_word word = *first;
	slice rest = field;
	struct strbuf bytes;

	strbuf_init(&bytes, out->arena);
	strbuf_add(&bytes, SLICE(""));
	do {
		add_bytes(&bytes, &word);
		rest = slice_from(rest, word.len);
		if (!take_word(skip_blanks(rest), &word))
			break;
		rest = skip_blanks(rest);
	} while (slice_eq_nocase(word.charset, first->charset));
	if (!add_converted(out, strbuf_slice(&bytes), first->charset))
		strbuf_add(
		    out, slice_first(field, (size_t)(rest.ptr - field.ptr)));
	return rest;
}

static void
add_field(struct strbuf *out, slice field)
{
	if (field.len > DECODE_FIELD_MAX) {
		strbuf_add(out, field);
		return;
	}
	while (field.len > 0) {
		size_t plain = slice_index(field, '=');
		struct encoded_word word;

		strbuf_add(out, slice_first(field, plain));
		field = slice_from(field, plain);
		if (take_word(field, &word)) {
			field = add_words(out, field, &word);
		} else if (field.len > 0) {
			strbuf_add_char(out, '=');
			field = slice_from(field, 1);
		}
	}
}

slice
decode_header(struct arena *arena, slice header)
{
	slice rest = mail_header_join(arena, header);
	struct strbuf out;
	slice field;

	(void)pthread_once(&once, g_mime_init);
	strbuf_init(&out, arena);
	while (slice_next(&rest, '\n', &field)) {
		add_field(&out, field);
		strbuf_add_char(&out, '\n');
	}
	return strbuf_slice(&out);
}

/*
 * Body.
 */

/* Where the name of one more boundary than allowed begins, or the end. */
static size_t
boundaries_end(slice body, unsigned most)
{
	static const slice word = SLICE_INIT("boundary");
	unsigned found = 0;

	for (size_t i = 0; i + word.len <= body.len; i++)
		if (ascii_lower(body.ptr[i]) == 'b' &&
		    slice_has_prefix_nocase(slice_from(body, i), word) &&
		    ++found >= most)
			return i;
	return body.len;
}

static size_t
dashes_end(slice body, unsigned most)
{
	slice rest = body;
	slice line;
	unsigned found = 0;

	while (slice_next(&rest, '\n', &line))
		if (line.len > 1 && line.ptr[0] == '-' && line.ptr[1] == '-' &&
		    ++found >= most)
			return (size_t)(line.ptr - body.ptr);
	return body.len;
}

/* As much of the body as may be looked at. */
static slice
bound_body(slice body, const struct decode_limits *limits)
{
	body = slice_first(body, limits->input);
	body = slice_first(body, boundaries_end(body, limits->boundaries));
	return slice_first(body, dashes_end(body, limits->dashes));
}

static void
read_text(struct output *out, GMimeStream *stream)
{
	char piece[PIECE];
	ssize_t len;

	while (out->text.len < out->limits.output &&
	       (len = g_mime_stream_read(stream, piece, sizeof(piece))) > 0)
		strbuf_add(&out->text, slice_first((slice){piece, (size_t)len},
					   out->limits.output - out->text.len));
	if (out->text.len > 0 && out->text.data[out->text.len - 1] != '\n')
		strbuf_add_char(&out->text, '\n');
}

static void
add_filter(GMimeStream *stream, GMimeFilter *filter)
{
	if (filter == NULL)
		return;
	(void)g_mime_stream_filter_add((GMimeStreamFilter *)stream, filter);
	g_object_unref(filter);
}

/* A charset that nobody knows leaves the bytes as they are. */
static void
add_text(struct output *out, GMimePart *part)
{
	GMimeDataWrapper *content = g_mime_part_get_content(part);
	const char *charset = g_mime_object_get_content_type_parameter(
	    GMIME_OBJECT(part), "charset");
	GMimeStream *stream;

	if (content == NULL)
		return;
	stream =
	    g_mime_stream_filter_new(g_mime_data_wrapper_get_stream(content));
	(void)g_mime_stream_reset(stream);
	add_filter(stream, g_mime_filter_basic_new(
			       g_mime_part_get_content_encoding(part), FALSE));
	if (charset != NULL)
		add_filter(stream, g_mime_filter_charset_new(charset, "utf-8"));
	add_filter(stream, g_mime_filter_dos2unix_new(FALSE));
	read_text(out, stream);
	g_object_unref(stream);
}

/* Also of a message within the message, as deep as GMime follows them. */
static void
on_part(GMimeObject *parent, GMimeObject *object, gpointer context)
{
	struct output *out = context;
	GMimeContentType *type = g_mime_object_get_content_type(object);

	(void)parent;
	if (GMIME_IS_MESSAGE_PART(object)) {
		GMimeMessage *inner =
		    g_mime_message_part_get_message(GMIME_MESSAGE_PART(object));

		if (inner != NULL)
			g_mime_message_foreach(inner, on_part, out);
		return;
	}
	if (!GMIME_IS_PART(object) ||
	    !g_mime_content_type_is_type(type, "text", "*") ||
	    out->parts >= out->limits.parts ||
	    out->text.len >= out->limits.output)
		return;
	out->parts++;
	add_text(out, GMIME_PART(object));
}

static GMimeMessage *
parse(slice header, slice body)
{
	GByteArray *bytes =
	    g_byte_array_sized_new((guint)(header.len + body.len + 1));
	GMimeStream *stream;
	GMimeParser *parser;
	GMimeMessage *message;

	g_byte_array_append(
	    bytes, (const guint8 *)header.ptr, (guint)header.len);
	g_byte_array_append(bytes, (const guint8 *)body.ptr, (guint)body.len);
	/* The stream takes the bytes over. */
	stream = g_mime_stream_mem_new_with_byte_array(bytes);
	parser = g_mime_parser_new_with_stream(stream);
	message = g_mime_parser_construct_message(parser, NULL);
	g_object_unref(parser);
	g_object_unref(stream);
	return message;
}

slice
decode_body(struct arena *arena, slice header, slice body,
    const struct decode_limits *limits)
{
	struct output out = {.limits = or_default(limits)};
	GMimeMessage *message;

	(void)pthread_once(&once, g_mime_init);
	strbuf_init(&out.text, arena);
	strbuf_add(&out.text, SLICE(""));
	if (header.len > INPUT_MAX)
		return slice_first(body, out.limits.output);
	message = parse(header, bound_body(body, &out.limits));
	if (message == NULL)
		return slice_first(body, out.limits.output);
	g_mime_message_foreach(message, on_part, &out);
	g_object_unref(message);
	return strbuf_slice(&out.text);
}

slice
decode_area(void *context, struct arena *arena, slice header, slice body,
    bool wants_body)
{
	(void)context;
	return wants_body ? decode_body(arena, header, body, NULL)
			  : decode_header(arena, header);
}
