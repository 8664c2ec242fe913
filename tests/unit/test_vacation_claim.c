/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One answer for a sender in his interval (V1, V3), so many a minute (V5), and
 * what milterctl lists and forgets; with the store of this machine and a clock
 * of the test's own.
 */
#include "milter/vacation_claim.h"
#include "milter/vacation_list.h"

#include <sys/stat.h>
#include <sysexits.h>

#include "policy/vacation.h"
#include "tests/unit/scratch.h"

enum { WEEK = 7 * 86400 };

static struct arena *arena;
static struct store *store;
static long long now_ms;

static long long
tell_time(void *unused)
{
	(void)unused;
	return now_ms;
}

static void
setup(void)
{
	struct store_options options = {.clock = {.now_ms = tell_time}};
	struct error error;

	arena = arena_new(0);
	scratch_make("/tmp");
	now_ms = 1795867200000LL;
	store = store_lmdb_open(scratch, &options, &error);
	ck_assert_msg(store != NULL, "%s", error.text);
	vacation_forget_recent();
}

static void
teardown(void)
{
	store_close(store);
	scratch_remove();
	arena_free(arena);
}

static slice
key_of(const char *user, const char *sender)
{
	slice prefix = vacation_key_prefix(
	    arena, slice_from_cstr(user), slice_from_cstr(sender));

	return arena_join(
	    arena, prefix, SLICE("0123456789abcdef"), SLICE(""));
}

START_TEST(test_once)
{
	slice key = key_of("ann", "bob@b.test");

	ck_assert(!vacation_is_recent(key));
	ck_assert_int_eq(vacation_claim(store, key, WEEK), SPOOL_CLAIM_FIRST);
	ck_assert(vacation_is_recent(key));
	ck_assert_int_eq(
	    vacation_claim(store, key, WEEK), SPOOL_CLAIM_REPEATED);
	ck_assert_int_eq(
	    vacation_claim(store, key_of("ann", "bob2@b.test"), WEEK),
	    SPOOL_CLAIM_FIRST);
	ck_assert_int_eq(
	    vacation_claim(store, key_of("eve", "bob@b.test"), WEEK),
	    SPOOL_CLAIM_FIRST);
	now_ms += WEEK * 1000LL - 1000;
	ck_assert_int_eq(
	    vacation_claim(store, key, WEEK), SPOOL_CLAIM_REPEATED);
	now_ms += 2000;
	ck_assert_int_eq(vacation_claim(store, key, WEEK), SPOOL_CLAIM_FIRST);
}
END_TEST

START_TEST(test_no_store)
{
	slice key = key_of("ann", "bob@b.test");

	ck_assert_int_eq(vacation_claim(NULL, key, WEEK), SPOOL_CLAIM_UNKNOWN);
	ck_assert(!vacation_is_recent(key));
}
END_TEST

/* V1: ann and bob, both away, write to each other every minute for an hour;
 * nothing of what RFC 3834 has against it is looked at but the memory. */
START_TEST(test_two_for_an_hour)
{
	unsigned replies = 0;

	for (int minute = 0; minute < 60; minute++) {
		if (vacation_claim(store, key_of("ann", "bob@b.test"), WEEK) ==
		    SPOOL_CLAIM_FIRST)
			replies++;
		if (vacation_claim(store, key_of("bob", "ann@a.test"), WEEK) ==
		    SPOOL_CLAIM_FIRST)
			replies++;
		now_ms += 60 * 1000;
	}
	ck_assert_uint_eq(replies, 2);
}
END_TEST

/* V5. The minute may end while this runs, and no more than once. */
START_TEST(test_rate)
{
	unsigned turns = 0;

	for (int i = 0; i < 100000; i++)
		turns += vacation_take_turn(60);
	ck_assert(turns == 60 || turns == 120);
	for (int i = 0; i < 1000; i++)
		ck_assert(vacation_take_turn(0));
}
END_TEST

START_TEST(test_list)
{
	struct error error = {.exit_code = 0};
	struct strbuf out;
	unsigned long count;

	(void)vacation_claim(store, key_of("ann", "bob@b.test"), WEEK);
	(void)vacation_claim(store, key_of("ann", "a b@b.test"), WEEK);
	(void)vacation_claim(store, key_of("anna", "bob@b.test"), WEEK);
	ck_assert_int_eq(
	    store_put(store, SLICE("other/x"), SLICE("1"), 60), STORE_YES);
	strbuf_init(&out, arena);
	ck_assert(vacation_list_write(store, SLICE("anna"), &out, &error));
	ck_assert_str_eq(out.data, "anna bob@b.test 604800\n");
	strbuf_clear(&out);
	ck_assert(vacation_list_write(store, SLICE("ann"), &out, &error));
	ck_assert_ptr_nonnull(strstr(out.data, "ann bob@b.test 604800\n"));
	ck_assert_ptr_nonnull(strstr(out.data, "ann a%20b@b.test 604800\n"));
	ck_assert_ptr_null(strstr(out.data, "anna"));
	ck_assert(vacation_forget(
	    store, SLICE("ANN"), SLICE("Bob@b.test"), &count, &error));
	ck_assert_uint_eq(count, 1);
	ck_assert(!vacation_is_recent(key_of("ann", "bob@b.test")));
	ck_assert_int_eq(
	    vacation_claim(store, key_of("ann", "bob@b.test"), WEEK),
	    SPOOL_CLAIM_FIRST);
	ck_assert(
	    vacation_forget(store, SLICE("ann"), SLICE(""), &count, &error));
	ck_assert_uint_eq(count, 2);
	ck_assert(
	    !vacation_forget(store, SLICE("ann"), SLICE(""), &count, &error));
	ck_assert_int_eq(error.exit_code, 1);
	ck_assert(!vacation_list_write(NULL, SLICE(""), &out, &error));
	ck_assert_int_eq(error.exit_code, EX_UNAVAILABLE);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("vacation_claim");
	TCase *tcase = tcase_create("vacation_claim");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_once);
	tcase_add_test(tcase, test_no_store);
	tcase_add_test(tcase, test_two_for_an_hour);
	tcase_add_test(tcase, test_rate);
	tcase_add_test(tcase, test_list);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
