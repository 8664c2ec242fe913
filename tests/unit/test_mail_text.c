/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages as RFC 5322 has them (2.1, 2.2, 2.2.3, 4.5), with LF and CRLF, and
 * what procmail takes for a header beyond that: empty lines in front, lines
 * that are no fields, a "From " line.
 */
#include "policy/mail_text.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static void
expect(slice found, const char *expected)
{
	ck_assert_msg(slice_eq(found, slice_from_cstr(expected)),
	    "\"" SLICE_FMT "\" and not \"%s\"", SLICE_ARG(found), expected);
}

static const struct {
	const char *header;
	const char *body;
} splits[] = {
    {"", ""},
    {"A: b", ""},
    {"A: b\n", ""},
    {"A: b\n\n", ""},
    {"A: b\n\n", "body\n"},
    {"A: b\r\n\r\n", "body\r\n"},
    {"A: b\r\n\n", "body"},
    {"A: b\n\r\n", "body"},
    {"A: b\n\n", "\n\nC: d\n"},
    {"\n\nA: b\n\n", "body\n"},
    {"\r\nA: b\r\n\r\n", "body\r\n"},
    {"\n\n", ""},
    /* A line of blanks is no empty line, and neither is a lone CR. */
    {"A: b\n \nC: d\n\n", "body"},
    {"A: b\n\rC: d\n\n", "body"},
    {"no field at all\n\n", "body"},
};

START_TEST(test_split)
{
	struct arena *arena = arena_new(0);
	slice message = arena_join(arena, slice_from_cstr(splits[_i].header),
	    slice_from_cstr(splits[_i].body), SLICE(""));
	struct mail_text text = mail_text_split(message);

	expect(text.header, splits[_i].header);
	expect(text.body, splits[_i].body);
	arena_free(arena);
}
END_TEST

/* "name|value|whole;" of each field. */
static const struct {
	const char *header;
	const char *fields;
} headers[] = {
    {"", ""},
    {"\n", ""},
    {"A: b\nC:d\n\nE: f\n", "A| b|A: b\n;C|d|C:d\n;"},
    {"A: b\r\nC: d\r\n\r\n", "A| b|A: b\r\n;C| d|C: d\r\n;"},
    {"\n\nA: b\n", "A| b|A: b\n;"},
    {"A: b\n c\n\td\nE: f", "A| b\n c\n\td|A: b\n c\n\td\n;E| f|E: f;"},
    {"A: b\r\n c\r\n", "A| b\r\n c|A: b\r\n c\r\n;"},
    /* Obsolete, and still read: blanks before the colon (4.5.1). */
    {"A \t: b\n", "A| b|A \t: b\n;"},
    {"A:\n", "A||A:\n;"},
    {"A: b: c\n", "A| b: c|A: b: c\n;"},
    {"A b: c\n", "|A b: c|A b: c\n;"},
    {": c\n", "|: c|: c\n;"},
    {"none\nA: b\n", "|none|none\n;A| b|A: b\n;"},
    /* The colon of a fold makes no name. */
    {"none\n x: y\n", "|none\n x: y|none\n x: y\n;"},
    {"From a@b  Sun Nov 22 10:00:00 2026\nA: b\n",
	"|From a@b  Sun Nov 22 10:00:00 2026|"
	"From a@b  Sun Nov 22 10:00:00 2026\n;A| b|A: b\n;"},
};

START_TEST(test_fields)
{
	struct arena *arena = arena_new(0);
	struct mail_fields fields;
	struct mail_field field;
	struct strbuf found;

	strbuf_init(&found, arena);
	mail_fields_init(&fields, slice_from_cstr(headers[_i].header));
	while (mail_fields_next(&fields, &field))
		strbuf_printf(&found, SLICE_FMT "|" SLICE_FMT "|" SLICE_FMT ";",
		    SLICE_ARG(field.name), SLICE_ARG(field.value),
		    SLICE_ARG(field.whole));
	expect(strbuf_slice(&found), headers[_i].fields);
	ck_assert(!mail_fields_next(&fields, &field));
	arena_free(arena);
}
END_TEST

START_TEST(test_find)
{
	slice header = SLICE("Aa: 1\nB: 2\nAA: 3\nnone\n\nC: 4\n");
	struct mail_field field;

	ck_assert(mail_field_find(header, SLICE("aA"), &field));
	expect(field.value, " 1");
	ck_assert(mail_field_find(header, SLICE("b"), &field));
	expect(field.whole, "B: 2\n");
	ck_assert(!mail_field_find(header, SLICE("A"), &field));
	ck_assert(!mail_field_find(header, SLICE("C"), &field));
	ck_assert(!mail_field_find(header, SLICE(""), &field));
}
END_TEST

static const struct {
	const char *value;
	const char *unfolded;
} values[] = {
    {"", ""},
    {" a ", "a"},
    {" a\n b", "a b"},
    {" a\r\n b\r\n\tc ", "a b\tc"},
    {"\n a", "a"},
    {" a \n  b", "a   b"},
};

START_TEST(test_unfold)
{
	struct arena *arena = arena_new(0);

	expect(mail_value_unfold(arena, slice_from_cstr(values[_i].value)),
	    values[_i].unfolded);
	arena_free(arena);
}
END_TEST

static const struct {
	const char *header;
	const char *joined;
} joins[] = {
    {"", ""},
    {"A: b\nC: d\n\n", "A: b\nC: d\n\n"},
    {"A: b\n c\n\td\nE: f\n\n", "A: b  c \td\nE: f\n\n"},
    {"A: b\n ", "A: b  "},
    {"A: b\n", "A: b\n"},
};

START_TEST(test_join)
{
	struct arena *arena = arena_new(0);
	slice header = slice_from_cstr(joins[_i].header);
	slice joined = mail_header_join(arena, header);

	expect(joined, joins[_i].joined);
	ck_assert_uint_eq(joined.len, header.len);
	ck_assert((joined.ptr == header.ptr) == slice_eq(joined, header));
	arena_free(arena);
}
END_TEST

/* A value may bring no field of its own. */
static const struct {
	const char *value;
	bool adds_blank;
	const char *line;
} lines[] = {
    {"v", true, "N: v\n"},
    {"v", false, "N:v\n"},
    {" v", true, "N: v\n"},
    {" v", false, "N: v\n"},
    {"", true, "N:\n"},
    {"a\n b", false, "N:a\n b\n"},
    {"a\r\n\tb\r\n", false, "N:a\n\tb\n"},
    {"a\nX: b", false, "N:a\n X: b\n"},
    {"a\n\nX: b", true, "N: a\n \n X: b\n"},
};

START_TEST(test_add)
{
	struct arena *arena = arena_new(0);
	struct strbuf header;

	strbuf_init(&header, arena);
	mail_header_add(&header, SLICE("N"), slice_from_cstr(lines[_i].value),
	    lines[_i].adds_blank);
	expect(strbuf_slice(&header), lines[_i].line);
	arena_free(arena);
}
END_TEST

/* NUL is a byte like others. */
START_TEST(test_nul)
{
	slice message = SLICE("A: \0b\n\0\nC: d\n\n\0body");
	struct mail_text text = mail_text_split(message);
	struct mail_field field;

	ck_assert(slice_eq(text.body, SLICE("\0body")));
	ck_assert(mail_field_find(text.header, SLICE("A"), &field));
	ck_assert(slice_eq(field.value, SLICE(" \0b")));
	ck_assert(mail_field_find(text.header, SLICE("C"), &field));
}
END_TEST

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

int
main(void)
{
	Suite *suite = suite_create("mail_text");
	TCase *tcase = tcase_create("mail_text");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tcase, test_split, 0, COUNT(splits));
	tcase_add_loop_test(tcase, test_fields, 0, COUNT(headers));
	tcase_add_test(tcase, test_find);
	tcase_add_loop_test(tcase, test_unfold, 0, COUNT(values));
	tcase_add_loop_test(tcase, test_join, 0, COUNT(joins));
	tcase_add_loop_test(tcase, test_add, 0, COUNT(lines));
	tcase_add_test(tcase, test_nul);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
