/* SPDX-License-Identifier: BSD-2-Clause */
#include "maps/live.h"

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static struct arena *arena;
static struct live *live;

static void
begin(void)
{
	arena = arena_new(0);
	live = live_new(100);
}

static void
end(void)
{
	live_free(live);
	arena_free(arena);
}

static slice
text(const char *s)
{
	return slice_from_cstr(s);
}

static void
expect_put(const char *key, const char *value, unsigned long seconds,
    long long now)
{
	ck_assert(live_put(live, text(key), text(value), seconds, now));
}

static void
expect(const char *key, long long now, const char *value)
{
	struct live_entry entry = {.seconds_left = 0};
	bool is_found = live_find(live, text(key), now, arena, &entry);

	ck_assert_msg(is_found == (value != NULL), "%s at %lld", key, now);
	if (is_found)
		ck_assert(slice_eq(entry.value, text(value)));
}

START_TEST(finds_what_was_put)
{
	ck_assert(live_is_empty(live));
	expect("a", 0, NULL);
	expect_put("A.b", "x", 10, 0);
	ck_assert(!live_is_empty(live));
	expect("a.B", 0, "x");
	expect("a", 0, NULL);
	expect_put("a.b", "y", 10, 0);
	expect("A.B", 0, "y");
	ck_assert_uint_eq(live_count(live, 0), 1);
	expect_put("empty", "", 10, 0);
	expect("empty", 0, "");
}
END_TEST

START_TEST(ends_in_time)
{
	struct live_entry entry;

	expect_put("a", "x", 10, 5000);
	ck_assert(live_find(live, text("a"), 5000, arena, &entry));
	ck_assert_uint_eq(entry.seconds_left, 10);
	ck_assert(live_find(live, text("a"), 14999, arena, &entry));
	ck_assert_uint_eq(entry.seconds_left, 1);
	expect("a", 15000, NULL);
	ck_assert(!live_delete(live, text("a"), 15000));
	ck_assert(live_is_empty(live));
}
END_TEST

START_TEST(deletes)
{
	expect_put("a", "x", 10, 0);
	expect_put("b", "x", 10, 0);
	ck_assert(live_delete(live, text("A"), 0));
	ck_assert(!live_delete(live, text("a"), 0));
	expect("a", 0, NULL);
	expect("b", 0, "x");
}
END_TEST

START_TEST(holds_no_more_than_its_bound)
{
	char key[16];

	for (int i = 0; i < 100; i++) {
		(void)snprintf(key, sizeof(key), "k%d", i);
		expect_put(key, "x", 10, 0);
	}
	ck_assert(!live_put(live, text("more"), text("x"), 10, 0));
	expect("more", 0, NULL);
	expect_put("k7", "y", 10, 0);
	ck_assert_uint_eq(live_count(live, 0), 100);
	/* What has ended makes room. */
	expect_put("more", "x", 10, 10000);
	ck_assert_uint_eq(live_count(live, 10000), 1);
}
END_TEST

static bool
add_up(void *context, const struct live_entry *entry)
{
	unsigned *sum = context;

	ck_assert_uint_eq(entry->value.len, 1);
	*sum += (unsigned)(entry->key.ptr[0] - 'a' + 1);
	return true;
}

START_TEST(walks_over_what_has_not_ended)
{
	unsigned sum = 0;

	expect_put("a", "x", 10, 0);
	expect_put("b", "x", 1, 0);
	expect_put("D", "x", 10, 0);
	live_walk(live, 5000, add_up, &sum);
	ck_assert_uint_eq(sum, 1 + 4);
}
END_TEST

START_TEST(is_replaced_as_a_whole)
{
	struct live *fresh = live_like(live);

	expect_put("old", "x", 10, 0);
	expect_put("both", "old", 10, 0);
	ck_assert(live_put(fresh, text("both"), text("new"), 10, 0));
	live_replace_all(live, fresh);
	expect("old", 0, NULL);
	expect("both", 0, "new");
	ck_assert_uint_eq(live_count(live, 0), 1);
	live_replace_all(live, live_like(live));
	ck_assert(live_is_empty(live));
}
END_TEST

static atomic_bool is_over;

/* A reader sees one of the values that a key has had, whole. */
static void *
read_on(void *context)
{
	unsigned long *bad = context;
	struct arena *own = arena_new(0);

	while (!atomic_load(&is_over)) {
		struct live_entry entry;

		if (live_find(live, text("key"), 0, own, &entry) &&
		    !slice_eq(entry.value, text("one value")) &&
		    !slice_eq(entry.value, text("and another one")))
			(*bad)++;
		arena_reset(own);
	}
	arena_free(own);
	return NULL;
}

static void
change_on(void)
{
	char key[16];

	for (int i = 0; i < 20000; i++) {
		expect_put("key", i % 2 == 0 ? "one value" : "and another one",
		    10, 0);
		(void)snprintf(key, sizeof(key), "k%d", i % 50);
		expect_put(key, "x", 10, 0);
		if (i % 7 == 0)
			(void)live_delete(live, text("key"), 0);
		if (i % 1000 == 0)
			live_replace_all(live, live_like(live));
	}
}

START_TEST(readers_and_writers_do_not_meet)
{
	pthread_t threads[3];
	unsigned long bad[3] = {0};

	atomic_store(&is_over, false);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(
		    pthread_create(&threads[i], NULL, read_on, &bad[i]), 0);
	change_on();
	atomic_store(&is_over, true);
	for (int i = 0; i < 3; i++) {
		(void)pthread_join(threads[i], NULL);
		ck_assert_uint_eq(bad[i], 0);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("live");
	TCase *tcase = tcase_create("live");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, begin, end);
	tcase_add_test(tcase, finds_what_was_put);
	tcase_add_test(tcase, ends_in_time);
	tcase_add_test(tcase, deletes);
	tcase_add_test(tcase, holds_no_more_than_its_bound);
	tcase_add_test(tcase, walks_over_what_has_not_ended);
	tcase_add_test(tcase, is_replaced_as_a_whole);
	tcase_add_test(tcase, readers_and_writers_do_not_meet);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
