/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/slice.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

static const struct {
	slice a;
	slice b;
	bool equal;
	bool equal_nocase;
} comparisons[] = {
    {SLICE_INIT(""), SLICE_INIT(""), true, true},
    {SLICE_INIT("abc"), SLICE_INIT("abc"), true, true},
    {SLICE_INIT("abc"), SLICE_INIT("aBC"), false, true},
    {SLICE_INIT("abc"), SLICE_INIT("abcd"), false, false},
    {SLICE_INIT("abc"), SLICE_INIT("ab"), false, false},
    {SLICE_INIT("abc"), SLICE_INIT(""), false, false},
    {SLICE_INIT("a\0b"), SLICE_INIT("a\0c"), false, false},
    {SLICE_INIT("a\0b"), SLICE_INIT("A\0B"), false, true},
    /* Only ASCII letters have a case: not the neighbours of A-Z, and not
     * what Latin-1 calls letters. */
    {SLICE_INIT("@[`{"), SLICE_INIT("`{@["), false, false},
    {SLICE_INIT("\xc4"), SLICE_INIT("\xe4"), false, false},
};

START_TEST(compares)
{
	slice a = comparisons[_i].a;
	slice b = comparisons[_i].b;

	ck_assert_int_eq(slice_eq(a, b), comparisons[_i].equal);
	ck_assert_int_eq(slice_eq(b, a), comparisons[_i].equal);
	ck_assert_int_eq(slice_eq_nocase(a, b), comparisons[_i].equal_nocase);
	ck_assert_int_eq(slice_eq_nocase(b, a), comparisons[_i].equal_nocase);
}
END_TEST

static const struct {
	slice whole;
	slice part;
	bool prefix;
	bool suffix;
} affixes[] = {
    {SLICE_INIT("mail.abc.com"), SLICE_INIT("MAIL."), true, false},
    {SLICE_INIT("mail.abc.com"), SLICE_INIT(".Com"), false, true},
    {SLICE_INIT("abc"), SLICE_INIT("aBc"), true, true},
    {SLICE_INIT("abc"), SLICE_INIT(""), true, true},
    {SLICE_INIT(""), SLICE_INIT(""), true, true},
    {SLICE_INIT(""), SLICE_INIT("a"), false, false},
    {SLICE_INIT("abc"), SLICE_INIT("abcd"), false, false},
    {SLICE_INIT("abc"), SLICE_INIT("zabc"), false, false},
    {SLICE_INIT("abab"), SLICE_INIT("ba"), false, false},
};

START_TEST(finds_affixes)
{
	slice whole = affixes[_i].whole;
	slice part = affixes[_i].part;

	ck_assert_int_eq(
	    slice_has_prefix_nocase(whole, part), affixes[_i].prefix);
	ck_assert_int_eq(
	    slice_has_suffix_nocase(whole, part), affixes[_i].suffix);
}
END_TEST

static const struct {
	size_t at;
	slice from;
	slice first;
} cuts[] = {
    {0, SLICE_INIT("abc"), SLICE_INIT("")},
    {1, SLICE_INIT("bc"), SLICE_INIT("a")},
    {3, SLICE_INIT(""), SLICE_INIT("abc")},
    {4, SLICE_INIT(""), SLICE_INIT("abc")},
    {(size_t)-1, SLICE_INIT(""), SLICE_INIT("abc")},
};

START_TEST(cuts_within_bounds)
{
	ck_assert(
	    slice_eq(slice_from(SLICE("abc"), cuts[_i].at), cuts[_i].from));
	ck_assert(
	    slice_eq(slice_first(SLICE("abc"), cuts[_i].at), cuts[_i].first));
}
END_TEST

static const struct {
	slice s;
	char c;
	size_t first;
	size_t last;
} searches[] = {
    {SLICE_INIT("a@b@c"), '@', 1, 3},
    {SLICE_INIT("@"), '@', 0, 0},
    {SLICE_INIT("abc"), '@', 3, 3},
    {SLICE_INIT(""), '@', 0, 0},
    {SLICE_INIT("a\0b"), '\0', 1, 1},
    {SLICE_INIT("abc"), '\0', 3, 3},
};

START_TEST(finds_bytes)
{
	slice s = searches[_i].s;

	ck_assert_uint_eq(slice_index(s, searches[_i].c), searches[_i].first);
	ck_assert_uint_eq(
	    slice_last_index(s, searches[_i].c), searches[_i].last);
}
END_TEST

static const struct {
	slice s;
	slice trimmed;
} trims[] = {
    {SLICE_INIT("a b"), SLICE_INIT("a b")},
    {SLICE_INIT(" \t a b\r\n"), SLICE_INIT("a b")},
    {SLICE_INIT(" "), SLICE_INIT("")},
    {SLICE_INIT(" \t\r\n "), SLICE_INIT("")},
    {SLICE_INIT(""), SLICE_INIT("")},
    {SLICE_INIT("\va\f"), SLICE_INIT("\va\f")},
    {SLICE_INIT("\xa0"), SLICE_INIT("\xa0")},
};

START_TEST(trims_blanks)
{
	ck_assert(slice_eq(slice_trim(trims[_i].s), trims[_i].trimmed));
}
END_TEST

/* A newline at the end does not begin another part. */
static const struct {
	slice s;
	const char *parts[4];
} splits[] = {
    {SLICE_INIT(""), {NULL}},
    {SLICE_INIT("a"), {"a"}},
    {SLICE_INIT("a\n"), {"a"}},
    {SLICE_INIT("a\nb"), {"a", "b"}},
    {SLICE_INIT("\na\n\n"), {"", "a", ""}},
    {SLICE_INIT("\n"), {""}},
};

START_TEST(splits_at_separator)
{
	slice rest = splits[_i].s;
	slice part;

	for (int i = 0; splits[_i].parts[i] != NULL; i++) {
		ck_assert(slice_next(&rest, '\n', &part));
		ck_assert(slice_eq(part, slice_from_cstr(splits[_i].parts[i])));
	}
	ck_assert(!slice_next(&rest, '\n', &part));
}
END_TEST

static const struct {
	slice s;
	bool number;
} numbers[] = {
    {SLICE_INIT("0"), true},
    {SLICE_INIT("0123456789"), true},
    {SLICE_INIT(""), false},
    {SLICE_INIT("-1"), false},
    {SLICE_INIT("12a"), false},
    {SLICE_INIT("/"), false},
    {SLICE_INIT(":"), false},
    {SLICE_INIT("1 "), false},
};

START_TEST(knows_numbers)
{
	ck_assert_int_eq(slice_is_number(numbers[_i].s), numbers[_i].number);
}
END_TEST

START_TEST(null_string_is_empty)
{
	char printed[8];

	ck_assert_uint_eq(slice_from_cstr(NULL).len, 0);
	ck_assert(slice_eq(slice_from_cstr(NULL), (slice){NULL, 0}));
	(void)snprintf(
	    printed, sizeof(printed), SLICE_FMT, SLICE_ARG(((slice){NULL, 0})));
	ck_assert_str_eq(printed, "");
}
END_TEST

START_TEST(folds_letters_only)
{
	for (int c = 0; c < 256; c++) {
		const char *upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
		const char *lower = "abcdefghijklmnopqrstuvwxyz";
		const char *hit = c == 0 ? NULL : strchr(upper, c);
		char wanted = hit == NULL ? (char)c : lower[hit - upper];

		ck_assert_int_eq(ascii_lower((char)c), wanted);
		ck_assert_int_eq(ascii_is_digit((char)c),
		    c != 0 && strchr("0123456789", c) != NULL);
		ck_assert_int_eq(ascii_is_space((char)c),
		    c != 0 && strchr(" \t\r\n", c) != NULL);
	}
}
END_TEST

/* Every byte at every place of a run of any length, and no byte behind it. */
START_TEST(folds_whole_texts)
{
	char text[256 + 32];
	char folded[sizeof(text) + 1];

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)i;
	for (size_t from = 0; from < 256; from++) {
		size_t len = from % 32;

		memset(folded, '!', sizeof(folded));
		slice_lower_into(folded, (slice){text + from, len});
		for (size_t i = 0; i < len; i++)
			ck_assert_int_eq(
			    folded[i], ascii_lower(text[from + i]));
		ck_assert_int_eq(folded[len], '!');
	}
	slice_lower_into(text, (slice){text, sizeof(text)});
	for (size_t i = 0; i < sizeof(text); i++)
		ck_assert_int_eq(text[i], ascii_lower((char)i));
	slice_lower_into(NULL, (slice){NULL, 0});
}
END_TEST

static Suite *
slice_suite(void)
{
	Suite *suite = suite_create("slice");
	TCase *tcase = tcase_create("slice");

	tcase_add_loop_test(tcase, compares, 0, ROWS(comparisons));
	tcase_add_loop_test(tcase, finds_affixes, 0, ROWS(affixes));
	tcase_add_loop_test(tcase, cuts_within_bounds, 0, ROWS(cuts));
	tcase_add_loop_test(tcase, finds_bytes, 0, ROWS(searches));
	tcase_add_loop_test(tcase, trims_blanks, 0, ROWS(trims));
	tcase_add_loop_test(tcase, splits_at_separator, 0, ROWS(splits));
	tcase_add_loop_test(tcase, knows_numbers, 0, ROWS(numbers));
	tcase_add_test(tcase, null_string_is_empty);
	tcase_add_test(tcase, folds_letters_only);
	tcase_add_test(tcase, folds_whole_texts);
	suite_add_tcase(suite, tcase);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(slice_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
