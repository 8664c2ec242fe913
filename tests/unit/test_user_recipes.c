/* SPDX-License-Identifier: BSD-2-Clause */
/* Which users' recipes travel with a generation, and which do not. */
#include "milter/user_recipes.h"

#include <check.h>
#include <stdlib.h>

#include "tests/unit/files.h"

static struct files files;
static struct arena *arena;
static struct snapshot *snapshot;
static size_t warnings;

static void
set_up(void)
{
	if (!files_make_safe(&files))
		exit(77);
	arena = arena_new(0);
	snapshot = snapshot_new();
	warnings = 0;
}

static void
tear_down(void)
{
	snapshot_release(snapshot);
	arena_free(arena);
	files_remove(&files);
}

static slice
path_of(const char *name)
{
	return arena_printf(arena, "%s/%s", files.directory, name);
}

static void
count_warning(void *context, const char *text)
{
	(void)context;
	(void)text;
	warnings++;
}

static bool
add(const char *name)
{
	struct snapshot_source source = {.warn = count_warning};
	struct error error;

	return user_recipes_add(snapshot, path_of(name), &source, &error);
}

static bool
has(const char *name)
{
	slice text;

	return user_recipes_find(snapshot, path_of(name), &text);
}

START_TEST(files_of_users)
{
	slice text;

	(void)files_write(&files, "ann.rc", ":0\nlists\n");
	(void)files_write(&files, "ann.rc~", "old\n");
	(void)files_write(&files, ".rc", "no user\n");
	(void)files_write(&files, "bob.rc", "");
	ck_assert_int_eq(symlink("ann.rc", path_of("tom.rc").ptr), 0);
	ck_assert(add("%u.rc"));
	ck_assert(user_recipes_find(snapshot, path_of("ann.rc"), &text));
	ck_assert(slice_eq(text, SLICE(":0\nlists\n")));
	ck_assert(has("bob.rc"));
	ck_assert(!has("ann.rc~"));
	ck_assert(!has(".rc"));
	ck_assert(!has("tom.rc"));
	ck_assert_uint_eq(warnings, 0);
}
END_TEST

START_TEST(files_of_others_stay_here)
{
	(void)files_write(&files, "ann.rc", "A=1\n");
	(void)files_write(&files, "bob.rc", "A=1\n");
	ck_assert_int_eq(chmod(path_of("bob.rc").ptr, 0666), 0);
	ck_assert(add("%u.rc"));
	ck_assert(has("ann.rc"));
	ck_assert(!has("bob.rc"));
	ck_assert_uint_eq(warnings, 1);
}
END_TEST

/* Homes, and a directory for each domain, are each server's own. */
START_TEST(other_patterns)
{
	struct snapshot_source source = {.allow_unsafe_files = true};
	struct error error;

	(void)files_write(&files, "ann.rc", "A=1\n");
	ck_assert(user_recipes_add(
	    snapshot, SLICE("%h/.procmailrc"), &source, &error));
	ck_assert(user_recipes_add(snapshot, SLICE(""), &source, &error));
	ck_assert(add("%d/%u.rc"));
	ck_assert(add("missing/%u.rc"));
	ck_assert_ptr_null(
	    snapshot_find_part(snapshot, SLICE(USER_RECIPES_PART)));
}
END_TEST

/* Without a file it is a part all the same: nobody has recipes any more. */
START_TEST(empty_directory)
{
	const struct snapshot_part *part;

	ck_assert(add("%u.rc"));
	part = snapshot_find_part(snapshot, SLICE(USER_RECIPES_PART));
	ck_assert_ptr_nonnull(part);
	ck_assert_uint_eq(part->entries, 0);
}
END_TEST

START_TEST(too_many)
{
	char name[32];

	for (int i = 0; i <= USER_RECIPES_FILES_MAX; i++) {
		(void)snprintf(name, sizeof(name), "u%d.rc", i);
		(void)files_write(&files, name, "");
	}
	ck_assert(add("%u.rc"));
	ck_assert_ptr_null(
	    snapshot_find_part(snapshot, SLICE(USER_RECIPES_PART)));
	ck_assert_uint_eq(warnings, 1);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("user_recipes");
	TCase *tcase = tcase_create("sharing");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	suite_add_tcase(suite, tcase);
	tcase_add_test(tcase, files_of_users);
	tcase_add_test(tcase, files_of_others_stay_here);
	tcase_add_test(tcase, other_patterns);
	tcase_add_test(tcase, empty_directory);
	tcase_add_test(tcase, too_many);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
