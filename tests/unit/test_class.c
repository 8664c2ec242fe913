/* SPDX-License-Identifier: BSD-2-Clause */
#include "maps/class.h"

#include "maps/table.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

static struct class *set;

static void
make_class(void)
{
	set = class_new(SLICE("w"));
}

static void
free_class(void)
{
	class_free(set);
}

static const struct {
	slice word;
	bool member;
} questions[] = {
    {SLICE_INIT("abc.com"), true},
    {SLICE_INIT("ABC.com"), true},
    {SLICE_INIT("mx.Abc.Com"), true},
    {SLICE_INIT("MX.ABC.COM"), true},
    {SLICE_INIT("[127.0.0.1]"), true},
    {SLICE_INIT("\xc4.de"), true},
    {SLICE_INIT("\xe4.de"), false},
    {SLICE_INIT("bc.com"), false},
    {SLICE_INIT("abc.co"), false},
    {SLICE_INIT("abc.com."), false},
    {SLICE_INIT("x.abc.com"), false},
    {SLICE_INIT(""), false},
    {{NULL, 0}, false},
};

START_TEST(answers)
{
	slice word = questions[_i].word;

	class_add(set, SLICE("abc.com"), NULL, 0);
	class_add(set, SLICE("MX.Abc.Com"), NULL, 0);
	class_add(set, SLICE("[127.0.0.1]"), NULL, 0);
	class_add(set, SLICE("\xc4.DE"), NULL, 0);
	ck_assert_int_eq(class_has(set, word), questions[_i].member);
	ck_assert_int_eq(class_find(set, word) != NULL, questions[_i].member);
	ck_assert(!class_has(NULL, word));
}
END_TEST

START_TEST(empty_word_is_a_word)
{
	class_add(set, SLICE(""), NULL, 0);
	ck_assert(class_has(set, SLICE("")));
	ck_assert(class_has(set, (slice){NULL, 0}));
	ck_assert(!class_has(set, SLICE("a")));
	ck_assert_uint_eq(class_count(set), 1);
}
END_TEST

/* The first place counts, and the word is folded and copied. */
START_TEST(first_addition_counts)
{
	char word[] = "Abc.Com";
	const struct class_word *found;

	class_add(set, (slice){word, 7}, "/etc/mail/a", 3);
	word[0] = 'z';
	class_add(set, SLICE("ABC.COM"), "/etc/mail/b", 9);
	ck_assert_uint_eq(class_count(set), 1);
	found = class_find(set, SLICE("abc.com"));
	ck_assert_ptr_nonnull(found);
	ck_assert(slice_eq(found->word, SLICE("abc.com")));
	ck_assert_str_eq(found->file, "/etc/mail/a");
	ck_assert_uint_eq(found->line, 3);
}
END_TEST

enum { MANY = 20000 };

static slice
nth_word(char *buffer, size_t size, int n)
{
	return (slice){
	    buffer, (size_t)snprintf(buffer, size, "Host%d.abc.com", n)};
}

static bool
add_up(void *context, slice word)
{
	size_t *lengths = context;

	*lengths += word.len;
	return true;
}

START_TEST(holds_many)
{
	char buffer[64];
	size_t wanted = 0;
	size_t walked = 0;

	for (int n = 0; n < MANY; n++) {
		class_add(set, nth_word(buffer, sizeof(buffer), n), NULL, 0);
		wanted += nth_word(buffer, sizeof(buffer), n).len;
	}
	ck_assert_uint_eq(class_count(set), MANY);
	for (int n = 0; n < 2 * MANY; n++)
		ck_assert_int_eq(
		    class_has(set, nth_word(buffer, sizeof(buffer), n)),
		    n < MANY);
	class_walk(set, add_up, &walked);
	ck_assert_uint_eq(walked, wanted);
}
END_TEST

static bool
stop_at_once(void *context, slice word)
{
	int *calls = context;

	(void)word;
	(*calls)++;
	return false;
}

START_TEST(walk_stops)
{
	int calls = 0;

	class_walk(set, stop_at_once, &calls);
	class_walk(NULL, stop_at_once, &calls);
	ck_assert_int_eq(calls, 0);
	class_add(set, SLICE("a"), NULL, 0);
	class_add(set, SLICE("b"), NULL, 0);
	class_walk(set, stop_at_once, &calls);
	ck_assert_int_eq(calls, 1);
}
END_TEST

START_TEST(totals_are_kept)
{
	char buffer[64];
	size_t count = 99;
	size_t bytes = 0;
	size_t bytes_before;
	uint64_t digest = 99;

	class_keep_totals(set, &count, &bytes, &digest);
	ck_assert_uint_eq(count, 0);
	ck_assert_uint_eq(digest, 0);
	bytes_before = bytes;
	ck_assert_uint_gt(bytes_before, 0);
	class_add(set, SLICE("B"), NULL, 0);
	class_add(set, SLICE("a"), NULL, 0);
	class_add(set, SLICE("b"), NULL, 0);
	ck_assert_uint_eq(count, 2);
	ck_assert_uint_eq(
	    digest, shard_entry_digest(SLICE("a"), SLICE("")) +
			shard_entry_digest(SLICE("b"), SLICE("")));
	for (int n = 0; n < MANY; n++)
		class_add(set, nth_word(buffer, sizeof(buffer), n), NULL, 0);
	ck_assert_uint_eq(count, MANY + 2);
	ck_assert_uint_gt(bytes, bytes_before + (size_t)MANY * 10);
}
END_TEST

START_TEST(name_is_kept)
{
	ck_assert(slice_eq(class_name(set), SLICE("w")));
	ck_assert_uint_eq(class_count(set), 0);
	ck_assert_uint_eq(class_count(NULL), 0);
	class_free(NULL);
}
END_TEST

static Suite *
class_suite(void)
{
	Suite *suite = suite_create("class");
	TCase *tcase = tcase_create("class");

	tcase_add_checked_fixture(tcase, make_class, free_class);
	tcase_add_loop_test(tcase, answers, 0, ROWS(questions));
	tcase_add_test(tcase, empty_word_is_a_word);
	tcase_add_test(tcase, first_addition_counts);
	tcase_add_test(tcase, holds_many);
	tcase_add_test(tcase, walk_stops);
	tcase_add_test(tcase, totals_are_kept);
	tcase_add_test(tcase, name_is_kept);
	suite_add_tcase(suite, tcase);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(class_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
