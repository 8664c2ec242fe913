/* SPDX-License-Identifier: BSD-2-Clause */
#include "maps/pattern.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

static struct arena *arena;
static char warnings[1000];

static void
set_up(void)
{
	arena = arena_new(0);
	warnings[0] = '\0';
}

static void
tear_down(void)
{
	arena_free(arena);
}

static void
note(void *context, const char *path, unsigned line, const char *problem)
{
	(void)context;
	(void)snprintf(warnings + strlen(warnings),
	    sizeof(warnings) - strlen(warnings), "%s:%u: %s\n", path, line,
	    problem);
}

static struct pattern_list *
load(slice text, struct error *error)
{
	struct pattern_source source = {
	    .path = "p", .text = text, .warn = note};

	return pattern_list_new(&source, error);
}

static struct pattern_list *
loaded(const char *text)
{
	struct error error = {.line = 0};
	struct pattern_list *list = load(slice_from_cstr(text), &error);

	ck_assert_msg(list != NULL, "%s: %u: %s", text, error.line, error.text);
	return list;
}

/* What `postmap -q KEY pcre:FILE` of Postfix 3.7 says; the parity test asks it
 * many more. */
static const struct {
	const char *text;
	const char *key;
	const char *value; /* NULL: nothing */
	unsigned line;
} questions[] = {
    /* clang-format off */
	{"/a/ x\n", "bab", "x", 1},
	{"/a/ x\n", "bbb", NULL, 0},
	{"/a/ x", "A", "x", 1},
	{"/a/i x\n", "A", NULL, 0},
	{"/a/ii x\n", "A", "x", 1},
	{"/a.b/ x\n", "a\nb", "x", 1},
	{"/a.b/s x\n", "a\nb", NULL, 0},
	{"/^b/m x\n", "a\nb", "x", 1},
	{"/a b/x x\n", "ab", "x", 1},
	{"/b/A x\n", "ab", NULL, 0},
	{"/b$/ x\n", "b\n", "x", 1},
	{"/b$/E x\n", "b\n", NULL, 0},
	{"/(a+)/U x${1}y\n", "aaa", "xay", 1},
	{"/(a)/ x${1}y$$z\n", "abc", "xay$z", 1},
	{"/(a)/ x$(1)y\n", "abc", "xay", 1},
	{"/(a)/ x$1.y\n", "abc", "xa.y", 1},
	{"/(a)/ $01\n", "a", "a", 1},
	{"/(a)/ x$$y\n", "abc", "x$y", 1},
	{"/(a)|(b)/ x$2\n", "a", "x", 1},
	{"/(a)|(b)/ $2\n", "a", NULL, 0},
	{"/(a)/  \n  x   \n# foo\n\n   y z\n", "abc", "x      y z", 1},
	{"! ! /(z)/ x\n", "abz", "x", 1},
	{"!/z/ 1\n/b/ 2\n", "abz", "2", 2},
	{"!/(z)/ x$$1\n", "abc", "x$1", 1},
	{"\"z\" q\n", "abz", "q", 1},
	{"|a\\|b| y\n", "a|b", "y", 1},
	{"/a\\/b/ y\n", "a/b", "y", 1},
	{"/a /ix y\n", "a", "y", 1},
	{"/a /ix y\n", "A", NULL, 0},
	{"/a /x y\n", "A", "y", 1},
	{"/a/ y \\\n", "a", "y \\", 1},
	{"IF /a/\n/b/ in\nENDIF\n/./ out\n", "abz", "in", 2},
	{"IF /a/\n/b/ in\nENDIF\n/./ out\n", "bz", "out", 4},
	{"IF /a/\n/b/ in\nENDIF\n/./ out\n", "az", "out", 4},
	{"if !/a/\n/b/ in\nendif\n/./ out\n", "b", "in", 2},
	{"if!/a/\n/b/ in\nendif\n", "ab", NULL, 0},
	{"if /a/\nif /b/\n/c/ 1\nendif\n/d/ 2\nendif\n/./ 3\n", "abc", "1", 3},
	{"if /a/\nif /b/\n/c/ 1\nendif\n/d/ 2\nendif\n/./ 3\n", "ad", "2", 5},
	{"if /a/\nif /b/\n/c/ 1\nendif\n/d/ 2\nendif\n/./ 3\n", "bcd", "3", 7},
	{"# one\n\n  # two\n/a/ x\n", "a", "x", 4},
	{"/a/ x\r\n", "a", "x", 1},
	{"/\xff/ x\n", "\xff", "x", 1},
	{"/^.$/ x\n/^..$/ y\n", "\xc3\xa4", "y", 2},
	{"/(*UTF)^.$/ x\n/^..$/ y\n", "\xc3\xa4", "x", 1},
	{"/(*UTF)^\\w$/ x\n/./ y\n", "\xff", "y", 2},
	{"", "a", NULL, 0},
    /* clang-format on */
};

START_TEST(answers)
{
	struct pattern_list *list = loaded(questions[_i].text);
	const char *value = questions[_i].value;
	struct map_hit hit = {.origin = NULL};
	enum map_result result = pattern_list_find(
	    list, slice_from_cstr(questions[_i].key), arena, &hit);

	ck_assert_int_eq(result, value == NULL ? MAP_MISSING : MAP_FOUND);
	if (result == MAP_FOUND) {
		ck_assert_msg(slice_eq(hit.value, slice_from_cstr(value)),
		    "%s: %.*s", questions[_i].text, SLICE_ARG(hit.value));
		ck_assert_uint_eq(map_hit_line(&hit), questions[_i].line);
		ck_assert_str_eq(map_hit_file(&hit), "p");
	}
	ck_assert_str_eq(warnings, "");
	pattern_list_release(list);
}
END_TEST

static const struct {
	const char *text;
	unsigned line;
	const char *problem;
} broken[] = {
    /* clang-format off */
	{"/a/ x\n/a(b/ x\n", 2, "at offset 3 of the pattern: missing closing parenthesis"},
	{"/a/ x\n# c\n\n/[b/ x\n", 4, "at offset 2 of the pattern: missing terminating ]"},
	{"if /(/\nendif\n", 1, "at offset 1 of the pattern: missing closing parenthesis"},
	{"/a/\n", 1, "no value"},
	{"/a/   \n# x\n", 1, "no value"},
	{"/a x\n", 1, "no second delimiter"},
	{"/a\\/ x\n", 1, "no second delimiter"},
	{"/a\\\n", 1, "no second delimiter"},
	{"/a/q x\n", 1, "unknown flag"},
	{"!\n", 1, "no pattern"},
	{"if\n", 1, "no pattern"},
	{"if a\n", 1, "does not begin with a letter"},
	{"a/a/ x\n", 1, "does not begin with a letter"},
	{"iffy /a/ x\n", 1, "does not begin with a letter"},
	{"  /a/ x\n/./ y\n", 1, "continues nothing"},
	{"if /a/\n/b/ x\n", 1, "\"if\" without \"endif\""},
	{"/b/ x\nif /a/\nif /b/\nendif\n", 2, "\"if\" without \"endif\""},
	{"/a/ x\nendif\n", 2, "\"endif\" without \"if\""},
	{"/(a)/ $2\n", 1, "no group of such a number"},
	{"/a/ $1\n", 1, "no group of such a number"},
	{"/(a)/ $0\n", 1, "not from 1 to 99"},
	{"/(a)/ $100\n", 1, "not from 1 to 99"},
	{"/(a)/ $99999999999999999999\n", 1, "not from 1 to 99"},
	{"/(a)/ x$1y\n", 1, "without a number"},
	{"/(a)/ x$1_\n", 1, "without a number"},
	{"/(a)/ x$\n", 1, "without a number"},
	{"/(a)/ x$ y\n", 1, "without a number"},
	{"/(a)/ ${1?yes}\n", 1, "without a number"},
	{"/(a)/ ${}\n", 1, "without a number"},
	{"/(a)/ ${1\n", 1, "not closed"},
	{"/(a)/ $(1\n", 1, "not closed"},
	{"!/(a)/ $1\n", 1, "must not match has no"},
    /* clang-format on */
};

START_TEST(errors_have_a_line)
{
	struct error error = {.line = 0};

	ck_assert_msg(load(slice_from_cstr(broken[_i].text), &error) == NULL,
	    "%s", broken[_i].text);
	ck_assert_msg(strstr(error.text, broken[_i].problem) != NULL, "%s: %s",
	    broken[_i].text, error.text);
	ck_assert_uint_eq(error.line, broken[_i].line);
	ck_assert_str_eq(error.file, "p");
	ck_assert_int_eq(error.exit_code, EX_DATAERR);
}
END_TEST

START_TEST(nul_bytes_and_endless_rules_are_refused)
{
	struct error error = {.line = 0};
	static char text[200 * 1024];
	size_t len = 0;

	ck_assert_ptr_null(load(SLICE("/a/ x\n/b/ y\0\n"), &error));
	ck_assert_uint_eq(error.line, 2);
	memcpy(text, "/a/ x\n", 6);
	for (len = 6; len + 200 < sizeof(text); len += 100) {
		memset(text + len, 'b', 99);
		text[len] = ' ';
		text[len + 99] = '\n';
	}
	ck_assert_ptr_null(load((slice){text, len}, &error));
	ck_assert_uint_eq(error.line, 1);
	ck_assert_ptr_nonnull(strstr(error.text, "longer than 65536"));
}
END_TEST

START_TEST(some_things_are_only_warned_of)
{
	struct pattern_list *list = loaded("if /a/ b\n/c/X d\nendif e\n");

	ck_assert_str_eq(warnings,
	    "p:1: what stands behind \"if\" and its pattern is ignored\n"
	    "p:2: the flag X is ignored\n"
	    "p:3: what stands behind \"endif\" is ignored\n");
	ck_assert_uint_eq(pattern_list_count(list), 1);
	pattern_list_release(list);
}
END_TEST

static const char *const stalling[] = {
    "/b/ 1\n/^(a+)+$/ 2\n/./ 3\n",
    "/b/ 1\n!/^(a+)+$/ 2\n/./ 3\n",
    "/b/ 1\nif /^(a+)+$/\n/a/ 2\nendif\n/./ 3\n",
};

START_TEST(a_pattern_at_its_limit_is_no_miss)
{
	struct pattern_list *list = loaded(stalling[_i]);
	struct map_hit hit;

	ck_assert_int_eq(
	    pattern_list_find(list,
		SLICE("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"), arena,
		&hit),
	    MAP_TEMPFAIL);
	ck_assert_msg(slice_eq(hit.value, SLICE("match limit")), "%.*s",
	    SLICE_ARG(hit.value));
	ck_assert_uint_eq(map_hit_line(&hit), 2);
	ck_assert_str_eq(map_hit_file(&hit), "p");
	ck_assert_int_eq(
	    pattern_list_find(list, SLICE("b"), arena, &hit), MAP_FOUND);
	pattern_list_release(list);
}
END_TEST

static const struct {
	const char *one;
	const char *other;
	bool is_same;
	size_t missing; /* of the first in the other */
} pairs[] = {
    {"/a/ x\n/b/ y\n", "# c\n/a/   x\n\n/b/\n y\n", true, 0},
    {"/a/ x\n/b/ y\n", "/b/ y\n/a/ x\n", false, 0},
    {"/a/ x\n/b/ y\n", "/b/ y\n", false, 1},
    {"/a/ x\n/b/ y\n", "/a/i x\n/b/ z\n", false, 2},
    {"/a/ x\n/a/ x\n", "/a/ x\n", false, 1},
    {"/a/ x\n", "!/a/ x\n", false, 1},
    {"/a/ x\n", "if /b/\n/a/ x\nendif\n", false, 0},
    {"if /b/\n/a/ x\nendif\n/c/ d\n", "if /b/\n/a/ x\n/c/ d\nendif\n", false,
	0},
    {"", "/a/ x\n", false, 0},
};

START_TEST(lists_are_told_apart)
{
	struct pattern_list *one = loaded(pairs[_i].one);
	struct pattern_list *other = loaded(pairs[_i].other);

	ck_assert_int_eq(pattern_list_digest(one) == pattern_list_digest(other),
	    pairs[_i].is_same);
	ck_assert_uint_eq(pattern_list_missing(one, other), pairs[_i].missing);
	ck_assert_uint_eq(
	    pattern_list_missing(one, NULL), pattern_list_count(one));
	ck_assert_uint_eq(pattern_list_missing(NULL, one), 0);
	pattern_list_release(one);
	pattern_list_release(other);
}
END_TEST

START_TEST(a_list_can_be_made_again)
{
	static const char text[] = "if /a(.)/\n/(b)/ x$1\nendif\n";
	struct pattern_list *list = loaded(text);
	struct pattern_source source = {
	    .path = pattern_list_path(list), .text = pattern_list_text(list)};
	struct pattern_list *again = pattern_list_new(&source, NULL);

	ck_assert(slice_eq(pattern_list_text(list), slice_from_cstr(text)));
	ck_assert_ptr_nonnull(again);
	ck_assert_uint_eq(
	    pattern_list_digest(list), pattern_list_digest(again));
	ck_assert_uint_gt(pattern_list_bytes(list), sizeof(text));
	pattern_list_release(list);
	pattern_list_release(again);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("pattern");
	TCase *tcase = tcase_create("pattern");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase, answers, 0, ROWS(questions));
	tcase_add_loop_test(tcase, errors_have_a_line, 0, ROWS(broken));
	tcase_add_test(tcase, nul_bytes_and_endless_rules_are_refused);
	tcase_add_test(tcase, some_things_are_only_warned_of);
	tcase_add_loop_test(
	    tcase, a_pattern_at_its_limit_is_no_miss, 0, ROWS(stalling));
	tcase_add_loop_test(tcase, lists_are_told_apart, 0, ROWS(pairs));
	tcase_add_test(tcase, a_list_can_be_made_again);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
