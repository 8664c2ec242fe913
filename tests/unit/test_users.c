/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who is a user: what is asked and what is kept, and that nobody waits long
 * for a source that hangs.
 */
#include "milter/users.h"

#include "base/deadline.h"

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct arena *arena;
static atomic_uint asked;
static atomic_bool is_hanging;

/* "u..." are users, "later" is not known now, "hang..." waits. */
static enum world_answer
source(const char *name)
{
	atomic_fetch_add(&asked, 1);
	while (strncmp(name, "hang", 4) == 0 && atomic_load(&is_hanging))
		(void)usleep(1000);
	if (strcmp(name, "later") == 0)
		return WORLD_TEMPFAIL;
	return name[0] == 'u' ? WORLD_FOUND : WORLD_NONE;
}

static void
set_up(void)
{
	arena = arena_new(0);
	atomic_store(&asked, 0);
	atomic_store(&is_hanging, false);
	users_set_source(source);
}

static void
tear_down(void)
{
	atomic_store(&is_hanging, false);
	users_set_source(NULL);
	arena_free(arena);
}

static enum world_answer
find(const char *name)
{
	return users_find(NULL, arena, slice_from_cstr(name));
}

START_TEST(answers_are_kept)
{
	ck_assert_int_eq(find("u1"), WORLD_FOUND);
	ck_assert_int_eq(find("nobody"), WORLD_NONE);
	ck_assert_int_eq(find("u1"), WORLD_FOUND);
	ck_assert_int_eq(find("nobody"), WORLD_NONE);
	ck_assert_uint_eq(atomic_load(&asked), 2);
	users_set_source(source);
	ck_assert_int_eq(find("u1"), WORLD_FOUND);
	ck_assert_uint_eq(atomic_load(&asked), 3);
}
END_TEST

START_TEST(failures_are_not_kept)
{
	ck_assert_int_eq(find("later"), WORLD_TEMPFAIL);
	ck_assert_int_eq(find("later"), WORLD_TEMPFAIL);
	ck_assert_uint_eq(atomic_load(&asked), 2);
}
END_TEST

/* What cannot be a user's name is not asked for. */
START_TEST(strange_names)
{
	char name[300];

	memset(name, 'u', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	ck_assert_int_eq(find(name), WORLD_NONE);
	ck_assert_int_eq(find(""), WORLD_NONE);
	ck_assert_int_eq(
	    users_find(NULL, arena, SLICE("u\0x")), WORLD_NONE);
	ck_assert_uint_eq(atomic_load(&asked), 0);
	name[255] = '\0';
	ck_assert_int_eq(find(name), WORLD_FOUND);
}
END_TEST

/* The first who meets it waits a second, the others not at all; what is kept
 * is answered, and all is well again afterwards. */
START_TEST(hanging_source)
{
	deadline_ms begin;

	ck_assert_int_eq(find("u1"), WORLD_FOUND);
	atomic_store(&is_hanging, true);
	begin = deadline_now();
	ck_assert_int_eq(find("hang1"), WORLD_TEMPFAIL);
	ck_assert_int_ge(deadline_now() - begin, 900);
	ck_assert_int_lt(deadline_now() - begin, 3000);
	begin = deadline_now();
	for (int i = 0; i < 50; i++)
		ck_assert_int_eq(find("u2"), WORLD_TEMPFAIL);
	ck_assert_int_eq(find("u1"), WORLD_FOUND);
	ck_assert_int_lt(deadline_now() - begin, 500);
	atomic_store(&is_hanging, false);
	begin = deadline_now();
	while (find("u2") == WORLD_TEMPFAIL && deadline_now() - begin < 5000)
		(void)usleep(1000);
	ck_assert_int_eq(find("u2"), WORLD_FOUND);
	/* The late answer was kept. */
	asked = 0;
	ck_assert_int_eq(find("hang1"), WORLD_NONE);
	ck_assert_uint_eq(atomic_load(&asked), 0);
}
END_TEST

static void *
ask_often(void *number)
{
	struct arena *own = arena_new(0);
	size_t bad = 0;

	for (int i = 0; i < 2000; i++) {
		bool is_user = (i + *(int *)number) % 2 == 0;
		slice name;

		arena_reset(own);
		name = arena_printf(own, "%s%d", is_user ? "u" : "n", i % 700);
		bad += users_find(NULL, own, name) !=
		       (is_user ? WORLD_FOUND : WORLD_NONE);
	}
	arena_free(own);
	return bad == 0 ? NULL : number;
}

START_TEST(many_threads)
{
	pthread_t threads[6];
	int numbers[6];
	void *bad;

	for (int i = 0; i < 6; i++) {
		numbers[i] = i;
		ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_often,
				     &numbers[i]),
		    0);
	}
	for (int i = 0; i < 6; i++) {
		ck_assert_int_eq(pthread_join(threads[i], &bad), 0);
		ck_assert_ptr_null(bad);
	}
}
END_TEST

START_TEST(this_host)
{
	users_set_source(NULL);
	ck_assert_int_eq(find("root"), WORLD_FOUND);
	ck_assert_int_eq(find("no-such-user-here"), WORLD_NONE);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("users");
	TCase *tcase = tcase_create("users");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, answers_are_kept);
	tcase_add_test(tcase, failures_are_not_kept);
	tcase_add_test(tcase, strange_names);
	tcase_add_test(tcase, hanging_source);
	tcase_add_test(tcase, many_threads);
	tcase_add_test(tcase, this_host);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
