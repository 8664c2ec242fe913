/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Alias files. The table is what `newaliases` of sendmail 8.17.1.9 makes of
 * such files, as makemap -u shows it, but for the names, which are still as
 * they stand in the file, for names with a colon in them, and for a backslash
 * as a file's last byte.
 */
#include "maps/alias_text.h"

#include "base/strbuf.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))

/* Entries as "line name=value;", warnings as "line!problem;". */
static const struct {
	const char *text;
	const char *entries;
} files[] = {
	/* clang-format off */
	{"", ""},
	{"dl: dl, dl@qq.com\n", "1 dl=dl, dl@qq.com;"},
	{"dl:dl", "1 dl=dl;"},
	{"dl :\t dl \t\n", "1 dl=dl;"},
	{"a: b\r\nc: d\r\n", "1 a=b;2 c=d;"},
	{"# comment\n\na: b\n", "3 a=b;"},
	{"a: b # c\n", "1 a=b # c;"},
	{"a:b#c\n", "1 a=b#c;"},
	/* Continued by a blank. */
	{"a: b,\n\tc\nd: e\n", "1 a=b,\tc;3 d=e;"},
	{"a: b,\n c,\n  d\n", "1 a=b, c,  d;"},
	{"a:\n b\n", "1 a=b;"},
	{"a: b,\n \t \nc: d\n", "1 a=b,;3 c=d;"},
	{"nocolon\n leading: x\n", "1 nocolon leading=x;"},
	/* Continued by a backslash. */
	{"a: b, \\\nc\nd: e\n", "1 a=b, c;3 d=e;"},
	{"a: b\\\nc\n", "1 a=bc;"},
	{"a: b,\\\n\\\nc\n", "1 a=b,c;"},
	{"a: b, \\\n c, \\\n d\n", "1 a=b,  c,  d;"},
	{"a: b, \\\n c\n d\n", "1 a=b,  c d;"},
	{"a: b \\", "1 a=b;"},
	{"a: b \\\n", "1 a=b;"},
	{"a: b, \\\n#c\n", "1 a=b, #c;"},
	/* Comments are continued as well. */
	{"# c \\\na: b\nd: e\n", "3 d=e;"},
	{"# c\n\ta: b\nd: e\n", "3 d=e;"},
	/* A line that continues nothing; of several the first is told. */
	{"a: b\n\n\tc: d\ne: f\n", "1 a=b;2!skipped: line continues nothing;4 e=f;"},
	{" a: b\n c: d\n", "1!skipped: line continues nothing;"},
	{"\n x\n\n y\n", "1!skipped: line continues nothing;"},
	{"\n x\na: b\n\n y\n",
	    "1!skipped: line continues nothing;3 a=b;4!skipped: line continues nothing;"},
	/* Names. */
	{"\"quoted name\": b\n", "1 \"quoted name\"=b;"},
	{"a b: c\n", "1 a b=c;"},
	{"tab\tname: c\n", "1 tab\tname=c;"},
	{"(x:y) a: c\n", "1 (x:y) a=c;"},
	{"\"c:d\": b\n", "1 \"c:d\"=b;"},
	{"a\\:b: c\n", "1 a\\:b=c;"},
	{"q:a: bob\n", "1 q=a: bob;"},
	{"l: :include:/x\n", "1 l=:include:/x;"},
	{"l::include:/x\n", "1 l=:include:/x;"},
	{"a: b\na: c\n", "1 a=b;2 a=c;"},
	/* What is no entry. */
	{"nocolon\na: b\n", "1!skipped: no colon behind a name;2 a=b;"},
	{"empty:\n", "1!skipped: alias has no value;"},
	{"empty:  \t \n", "1!skipped: alias has no value;"},
	{"empty: \r\n", "1!skipped: alias has no value;"},
	{":include:/x: b\n", "1!skipped: no name before the colon;"},
	{" \n", "1!skipped: line continues nothing;"},
	{"\"a: b\n", "1!skipped: no colon behind a name;"},
	/* clang-format on */
};

static struct arena *arena;

static void
setup(void)
{
	arena = arena_new(0);
}

static void
teardown(void)
{
	arena_free(arena);
}

static const char *
read_all(slice content)
{
	struct alias_reader reader;
	struct text_entry entry;
	struct strbuf out;

	strbuf_init(&out, arena);
	strbuf_add(&out, SLICE(""));
	alias_reader_init(&reader, arena, content);
	for (;;) {
		switch (alias_reader_next(&reader, &entry)) {
		case TEXT_ENTRY:
			ck_assert_ptr_null(reader.problem);
			strbuf_printf(&out, "%u " SLICE_FMT "=" SLICE_FMT ";",
			    entry.line, SLICE_ARG(entry.key),
			    SLICE_ARG(entry.value));
			break;
		case TEXT_WARNING:
			strbuf_printf(
			    &out, "%u!%s;", reader.line, reader.problem);
			break;
		case TEXT_BAD:
			strbuf_printf(
			    &out, "%u?%s", reader.line, reader.problem);
			return out.data;
		case TEXT_END:
			return out.data;
		}
	}
}

START_TEST(file)
{
	ck_assert_str_eq(
	    read_all(slice_from_cstr(files[_i].text)), files[_i].entries);
}
END_TEST

START_TEST(nul_byte)
{
	ck_assert_str_eq(read_all(SLICE("a: b\nc: d\0e\n")),
	    "1 a=b;2?line contains a NUL byte");
	ck_assert_str_eq(read_all(SLICE("a: b,\n \0\n")),
	    "2?line contains a NUL byte");
}
END_TEST

static slice
line_of(size_t len, const char *begin, const char *end)
{
	struct strbuf text;

	strbuf_init(&text, arena);
	strbuf_add(&text, slice_from_cstr(begin));
	while (text.len + strlen(end) < len)
		strbuf_add_char(&text, 'x');
	strbuf_add(&text, slice_from_cstr(end));
	return strbuf_slice(&text);
}

START_TEST(long_line)
{
	const char *got = read_all(line_of(TEXT_LINE_MAX, "a: ", ""));

	ck_assert_uint_eq(strlen(got), TEXT_LINE_MAX + strlen("1 =;") - 2);
	ck_assert_str_eq(read_all(line_of(TEXT_LINE_MAX + 1, "a: ", "")),
	    "1?line is longer than 65536 bytes");
}
END_TEST

/* sendmail's lines end at 8190 bytes. */
START_TEST(long_entry)
{
	struct strbuf text;
	slice line = line_of(1000, " ", ",\n");
	const char *got;

	strbuf_init(&text, arena);
	strbuf_add(&text, SLICE("a:\n"));
	for (size_t len = 0; len + 1000 < ALIAS_ENTRY_MAX; len += 1000)
		strbuf_add(&text, line);
	got = read_all(strbuf_slice(&text));
	ck_assert_uint_gt(strlen(got), ALIAS_ENTRY_MAX - 10000);
	ck_assert_ptr_null(strchr(got, '?'));
	for (int i = 0; i < 10; i++)
		strbuf_add(&text, line);
	ck_assert_ptr_nonnull(
	    strstr(read_all(strbuf_slice(&text)), "?alias is longer"));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("alias_text");
	TCase *tcase = tcase_create("alias_text");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, file, 0, COUNT(files));
	tcase_add_test(tcase, nul_byte);
	tcase_add_test(tcase, long_line);
	tcase_add_test(tcase, long_entry);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
