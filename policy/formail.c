/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A field is its text and how much of that is its name, the colon included.
 * The fields of the options are such, too: one that is only the beginning of
 * a name has no colon, and stands for all fields that begin with it.
 */
#include "policy/formail.h"

#include "base/strbuf.h"

#include <string.h>

struct field {
	slice text; /* its line end included */
	size_t name_len;
	slice new_name; /* of -R */
	struct field *next;
};

struct fields {
	struct field *first;
	struct field **end;
	size_t count;
};

struct formail {
	struct fields add_if_missing; /* -a */
	struct fields add;	      /* -A */
	struct fields rename_insert;  /* -i */
	struct fields delete_insert;  /* -I */
	struct fields rename;	      /* -R */
	struct fields extract;	      /* -x */
	struct fields extract_whole;  /* -X */
	size_t count;
	bool joins;
	bool keeps_body;
	bool zaps;
};

static const slice from_name = SLICE_INIT("From ");
static const slice old_prefix = SLICE_INIT("Old-");

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
is_control(char c)
{
	return (unsigned char)c < ' ' || c == 0x7f;
}

static bool
has_prefix(slice text, slice prefix)
{
	return text.len >= prefix.len &&
	       memcmp(text.ptr, prefix.ptr, prefix.len) == 0;
}

/* A name and how long it is, with its colon; else how much of the text could
 * be the beginning of one. */
struct name {
	bool is_whole;
	size_t len;
};

/* Behind a blank in what may be a name: only the colon may follow, but for
 * "From ". `at` is the place of the blank. */
static struct name
read_blank(slice text, size_t at)
{
	size_t end = at;

	if (at == 0)
		return (struct name){false, 0};
	while (end < text.len && is_blank(text.ptr[end]))
		end++;
	if (end < text.len && text.ptr[end] == ':')
		return (struct name){true, end + 1};
	if (has_prefix(text, from_name))
		return (struct name){true, from_name.len};
	return (struct name){false, at + 1};
}

static struct name
read_name(slice text)
{
	for (size_t at = 0; at < text.len; at++) {
		char c = text.ptr[at];

		if (c == ':')
			return (struct name){at > 0, at > 0 ? at + 1 : 0};
		if (is_blank(c))
			return read_blank(text, at);
		if (is_control(c))
			return (struct name){false, at};
	}
	return (struct name){false, text.len};
}

static void
fields_init(struct fields *fields)
{
	*fields = (struct fields){.first = NULL};
	fields->end = &fields->first;
}

static struct field *
fields_add(
    struct fields *fields, struct arena *arena, slice text, size_t name_len)
{
	struct field *field = ARENA_NEW(arena, struct field);

	field->text = text;
	field->name_len = name_len;
	*fields->end = field;
	fields->end = &field->next;
	fields->count++;
	return field;
}

static slice
name_of(const struct field *field)
{
	return slice_first(field->text, field->name_len);
}

/* The first one that the field's name begins with. */
static const struct field *
fields_find(const struct fields *fields, const struct field *field)
{
	for (const struct field *f = fields->first; f != NULL; f = f->next)
		if (slice_has_prefix_nocase(name_of(field), name_of(f)))
			return f;
	return NULL;
}

static bool
has_contents(const struct field *field)
{
	return field->text.len > field->name_len + 1;
}

/* Reading the options. */

struct words {
	const slice *words;
	size_t count;
	size_t at;
	struct arena *arena;
	struct error *error;
};

static enum formail_parsed
invalid_field(struct words *words, slice field)
{
	(void)error_set(words->error,
	    "formail: Invalid field-name: \"" SLICE_FMT "\"", SLICE_ARG(field));
	return FORMAIL_USAGE;
}

/* -R: the second name, behind the first in the same word or in the next. */
static enum formail_parsed
read_new_name(struct words *words, struct field *field, bool is_whole)
{
	slice rest = slice_from(field->text, field->name_len);
	struct name name;

	while (rest.len > 0 && (is_blank(rest.ptr[0]) || rest.ptr[0] == '\n'))
		rest = slice_from(rest, 1);
	name = read_name(rest);
	if (name.len == 0) {
		if (rest.len > 0 || words->at >= words->count)
			return invalid_field(words, rest);
		rest = words->words[words->at++];
		name = read_name(rest);
		if (name.len == 0 && rest.len > 0)
			return invalid_field(words, rest);
	}
	if (!name.is_whole && is_whole)
		return invalid_field(words, rest);
	field->new_name = slice_first(rest, name.len);
	return FORMAIL_READY;
}

static struct fields *
fields_of(struct formail *formail, char option)
{
	switch (option) {
	case 'a':
		return &formail->add_if_missing;
	case 'A':
		return &formail->add;
	case 'i':
		return &formail->rename_insert;
	case 'I':
		return &formail->delete_insert;
	case 'R':
		return &formail->rename;
	case 'x':
		return &formail->extract;
	case 'X':
		return &formail->extract_whole;
	default:
		return NULL;
	}
}

static enum formail_parsed
read_field(
    struct words *words, struct formail *formail, char option, slice text)
{
	struct name name = read_name(text);
	struct field *field;

	if (++formail->count > FORMAIL_FIELDS_MAX) {
		(void)error_set(words->error, "formail: more than %d fields",
		    FORMAIL_FIELDS_MAX);
		return FORMAIL_USAGE;
	}
	if (!name.is_whole && option != 'R' &&
	    (option == 'a' || option == 'A' || name.len != text.len))
		return invalid_field(words, text);
	field = fields_add(fields_of(formail, option), words->arena,
	    arena_join(words->arena, text, SLICE("\n"), SLICE("")), name.len);
	return option == 'R' ? read_new_name(words, field, name.is_whole)
			     : FORMAIL_READY;
}

static bool
set_flag(struct formail *formail, char option)
{
	switch (option) {
	case 'c':
		formail->joins = true;
		return true;
	case 'k':
		formail->keeps_body = true;
		return true;
	case 'z':
		formail->zaps = true;
		return true;
	case 'b':
	case 'f':
	case 'q':
	case 'Y':
		return true;
	default:
		return false;
	}
}

/* One word of options; the last of them may take the rest of the word, or the
 * next word, as its field. */
static enum formail_parsed
read_options(struct words *words, struct formail *formail, slice options)
{
	while (options.len > 0) {
		char option = options.ptr[0];

		options = slice_from(options, 1);
		if (fields_of(formail, option) != NULL) {
			if (options.len == 0 && words->at >= words->count)
				return FORMAIL_USAGE;
			if (options.len == 0)
				options = words->words[words->at++];
			return read_field(words, formail, option, options);
		}
		if (!set_flag(formail, option)) {
			(void)error_set(words->error,
			    "formail: option -%c is not done in-process",
			    option);
			return FORMAIL_UNKNOWN;
		}
		if (option == 'q' && options.len > 0 && options.ptr[0] == '-')
			options = slice_from(options, 1);
	}
	return FORMAIL_READY;
}

static enum formail_parsed
read_words(struct words *words, struct formail *formail)
{
	enum formail_parsed parsed = FORMAIL_READY;

	while (parsed == FORMAIL_READY && words->at < words->count) {
		slice word = words->words[words->at++];

		if (word.len > 0 && word.ptr[0] == '-')
			parsed =
			    read_options(words, formail, slice_from(word, 1));
		else
			parsed = word.len > 0 && word.ptr[0] == '+'
				     ? FORMAIL_UNKNOWN
				     : FORMAIL_USAGE;
	}
	return parsed;
}

static bool
extracts(const struct formail *formail)
{
	return formail->extract.count + formail->extract_whole.count > 0;
}

enum formail_parsed
formail_parse(struct arena *arena, const slice *words, size_t count,
    struct formail **ret_formail, struct error *error)
{
	struct words reading = {words, count, 0, arena, error};
	struct formail *formail = ARENA_NEW(arena, struct formail);
	enum formail_parsed parsed;

	for (const char *option = "aAiIRxX"; *option != '\0'; option++)
		fields_init(fields_of(formail, *option));
	(void)error_set(error, "formail: not an option, or no field behind it");
	parsed = read_words(&reading, formail);
	if (parsed == FORMAIL_READY && formail->keeps_body &&
	    !extracts(formail)) {
		(void)error_set(error, "formail: -k without -x or -X");
		return FORMAIL_USAGE;
	}
	if (parsed == FORMAIL_READY)
		*ret_formail = formail;
	return parsed;
}

/* Reading the message. */

/* Length of the first line with its end. */
static size_t
line_length(slice text)
{
	size_t end = slice_index(text, '\n');

	return end < text.len ? end + 1 : end;
}

static bool
continues(slice text, size_t at, bool is_from)
{
	if (at >= text.len)
		return false;
	return is_from ? text.ptr[at] == '>' : is_blank(text.ptr[at]);
}

/* Blanks before the colon go. */
static struct field
clean(struct arena *arena, slice text, size_t name_len)
{
	size_t colon = name_len - 1;
	size_t end = colon;

	while (text.ptr[colon] == ':' && end > 0 && is_blank(text.ptr[end - 1]))
		end--;
	if (end == colon)
		return (struct field){.text = text, .name_len = name_len};
	return (struct field){.text = arena_join(arena, slice_first(text, end),
				  slice_from(text, colon), SLICE("")),
	    .name_len = end + 1};
}

/* Takes a field off the front of *rest. A "From " line is one only at the
 * top. */
static bool
read_next(struct fields *fields, struct arena *arena, slice *rest)
{
	struct name name = read_name(slice_first(*rest, line_length(*rest)));
	bool is_from = has_prefix(*rest, from_name) && name.is_whole &&
		       name.len == from_name.len;
	size_t len = line_length(*rest);
	struct field field;
	slice text;

	if (!name.is_whole || (is_from && fields->count > 0))
		return false;
	while (continues(*rest, len, is_from))
		len += line_length(slice_from(*rest, len));
	text = slice_first(*rest, len);
	*rest = slice_from(*rest, len);
	if (text.ptr[text.len - 1] != '\n')
		text = arena_join(arena, text, SLICE("\n"), SLICE(""));
	field = clean(arena, text, name.len);
	(void)fields_add(fields, arena, field.text, field.name_len);
	return true;
}

/* The fields, and the body: what is behind the empty line, or, where a line
 * of the header is no field, that and all that follows. */
static slice
read_message(struct fields *fields, struct arena *arena,
    const struct formail_message *message)
{
	slice rest = message->header;

	fields_init(fields);
	while (rest.len > 0 && rest.ptr[0] == '\n')
		rest = slice_from(rest, 1);
	while (rest.len > 0 && read_next(fields, arena, &rest))
		continue;
	if (rest.len > 0 && rest.ptr[0] == '\n')
		rest = slice_from(rest, 1);
	if (rest.len == 0)
		return message->body;
	return arena_join(arena, rest, message->body, SLICE(""));
}

/* Changing fields. */

/* In a copy of the text: what is behind each line end becomes `mark`, where it
 * is one of `marks`. */
static slice
mark_folds(struct arena *arena, slice text, const char *marks, char mark)
{
	slice copy = arena_copy(arena, text);
	char *bytes = arena_cstr(arena, copy);

	for (size_t i = 1; i < text.len; i++) {
		if (bytes[i - 1] == '\n' && strchr(marks, bytes[i]) != NULL &&
		    bytes[i] != '\0')
			bytes[i] = mark;
	}
	return (slice){bytes, text.len};
}

/* The lines behind a "From " line begin with ">", folds with a blank: they
 * change with the name. */
static void
rename_field(
    struct arena *arena, struct field *field, size_t old_len, slice new_name)
{
	bool to_from =
	    new_name.len == from_name.len && has_prefix(new_name, from_name);

	if (has_prefix(field->text, from_name))
		field->text = mark_folds(arena, field->text, ">", ' ');
	if (to_from)
		field->text = mark_folds(arena, field->text, " \t", '>');
	if (to_from ||
	    (new_name.len > 0 && new_name.ptr[new_name.len - 1] == ':'))
		old_len = field->name_len;
	field->text = arena_join(
	    arena, new_name, slice_from(field->text, old_len), SLICE(""));
	field->name_len = field->name_len - old_len + new_name.len;
}

/* False when the field goes. */
static bool
change_field(
    const struct formail *formail, struct arena *arena, struct field *field)
{
	const struct field *found;

	if (fields_find(&formail->rename_insert, field) != NULL) {
		rename_field(arena, field, 0, old_prefix);
		return true;
	}
	if (fields_find(&formail->delete_insert, field) != NULL)
		return false;
	found = fields_find(&formail->rename, field);
	if (found != NULL)
		rename_field(arena, field, found->name_len, found->new_name);
	return true;
}

/* -z: a blank behind the colon; false when there is nothing else. */
static bool
zap_field(struct arena *arena, struct field *field)
{
	slice contents = slice_from(field->text, field->name_len);

	if (field->name_len == 0 || field->text.ptr[field->name_len - 1] != ':')
		return true;
	if (contents.len > 1 && !is_blank(contents.ptr[0])) {
		field->text =
		    arena_join(arena, name_of(field), SLICE(" "), contents);
		return true;
	}
	return contents.len > 2;
}

/* -c: on one line. */
static void
join_field(struct arena *arena, struct field *field)
{
	char *bytes;

	if (has_prefix(field->text, from_name))
		return;
	bytes = arena_cstr(arena, field->text);
	for (size_t i = 0; i + 1 < field->text.len; i++)
		if (bytes[i] == '\n')
			bytes[i] = ' ';
	field->text.ptr = bytes;
}

static void
change_fields(
    const struct formail *formail, struct arena *arena, struct fields *fields)
{
	struct field **at = &fields->first;

	while (*at != NULL) {
		struct field *field = *at;
		bool stays = change_field(formail, arena, field) &&
			     (!formail->zaps || zap_field(arena, field));

		if (!stays) {
			*at = field->next;
			continue;
		}
		if (formail->joins)
			join_field(arena, field);
		at = &field->next;
	}
	fields->end = at;
}

/* Writing. */

struct output {
	const struct formail *formail;
	struct strbuf text;
};

static slice
contents_of(const struct field *field, bool zaps)
{
	slice contents = slice_from(field->text, field->name_len);

	contents.len -= contents.len > 0;
	while (zaps && contents.len > 0 && is_blank(contents.ptr[0]))
		contents = slice_from(contents, 1);
	while (zaps && contents.len > 0 &&
	       is_blank(contents.ptr[contents.len - 1]))
		contents.len--;
	return contents;
}

static void
write_field(struct output *output, const struct field *field)
{
	const struct formail *formail = output->formail;

	if (!extracts(formail) ||
	    (fields_find(&formail->extract, field) == NULL &&
		fields_find(&formail->extract_whole, field) != NULL)) {
		strbuf_add(&output->text, field->text);
	} else if (fields_find(&formail->extract, field) != NULL) {
		strbuf_add(&output->text, contents_of(field, formail->zaps));
		strbuf_add_char(&output->text, '\n');
	}
}

static void
write_fields(struct output *output, const struct fields *fields)
{
	for (const struct field *f = fields->first; f != NULL; f = f->next)
		write_field(output, f);
}

static void
write_added(struct output *output, const struct fields *fields)
{
	for (const struct field *f = fields->first; f != NULL; f = f->next)
		if (has_contents(f))
			write_field(output, f);
}

static bool
is_message_id(const struct field *field)
{
	return slice_eq_nocase(name_of(field), SLICE("Message-ID:")) ||
	       slice_eq_nocase(name_of(field), SLICE("Resent-Message-ID:"));
}

/* -a. A name alone is written all the same, but for Message-ID, which gets a
 * new one. */
static void
write_missing(struct output *output, struct arena *arena,
    const struct fields *fields, slice message_id)
{
	const struct fields *missing = &output->formail->add_if_missing;

	for (const struct field *f = missing->first; f != NULL; f = f->next) {
		struct field field = *f;

		if (fields_find(fields, f) != NULL)
			continue;
		if (is_message_id(f) && !has_contents(f)) {
			if (message_id.len == 0)
				continue;
			field.text =
			    arena_printf(arena, SLICE_FMT " " SLICE_FMT "\n",
				SLICE_ARG(name_of(f)), SLICE_ARG(message_id));
		}
		write_field(output, &field);
	}
}

struct formail_message
formail_run(const struct formail *formail, struct arena *arena,
    const struct formail_message *message)
{
	struct output output = {.formail = formail};
	struct fields fields;
	slice body = read_message(&fields, arena, message);

	strbuf_init(&output.text, arena);
	change_fields(formail, arena, &fields);
	write_fields(&output, &fields);
	write_missing(&output, arena, &fields, message->message_id);
	write_added(&output, &formail->add);
	write_added(&output, &formail->rename_insert);
	write_added(&output, &formail->delete_insert);
	if (extracts(formail) && !formail->keeps_body)
		body = SLICE("");
	else
		strbuf_add_char(&output.text, '\n');
	return (struct formail_message){.header = strbuf_slice(&output.text),
	    .body = body,
	    .message_id = message->message_id};
}
