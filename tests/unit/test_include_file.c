/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ":include:" files of the aliases: what is read, what is kept, and what
 * is refused for good or for now.
 */
#include "milter/include_file.h"

#include "base/strbuf.h"
#include "milter/alias_includes.h"
#include "tests/unit/files.h"

#include <pthread.h>
#include <sys/resource.h>

static struct files files;
static struct arena *arena;

static void
set_up(void)
{
	files_make(&files);
	arena = arena_new(0);
	include_file_forget();
}

static void
tear_down(void)
{
	include_file_forget();
	arena_free(arena);
	files_remove(&files);
}

static enum world_answer
read_path(const char *path, bool allow_unsafe, slice *ret_text)
{
	struct policy policy = {.allow_unsafe_files = allow_unsafe};

	return include_file_read(
	    NULL, arena, slice_from_cstr(path), &policy, ret_text);
}

static void
expect_text(const char *path, const char *expected)
{
	slice text = SLICE("untouched");

	ck_assert_int_eq(read_path(path, true, &text), WORLD_FOUND);
	ck_assert_msg(slice_eq(text, slice_from_cstr(expected)),
	    SLICE_FMT " is not %s", SLICE_ARG(text), expected);
}

static void
expect_answer(const char *path, enum world_answer expected)
{
	slice text = SLICE("untouched");

	ck_assert_int_eq(read_path(path, true, &text), expected);
	ck_assert(slice_eq(text, SLICE("untouched")));
}

START_TEST(reads_text)
{
	const char *path = files_write(&files, "list", "a\nb\n");

	expect_text(path, "a\nb\n");
	expect_text(path, "a\nb\n");
	expect_text(files_write(&files, "empty", ""), "");
}
END_TEST

START_TEST(sees_changes)
{
	const char *path = files_write(&files, "list", "one");
	FILE *file;

	expect_text(path, "one");
	/* Replaced by one of the same size. */
	(void)files_write(&files, "list", "two");
	expect_text(path, "two");
	/* Written in place. */
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs("six", file), 0);
	ck_assert_int_eq(fclose(file), 0);
	expect_text(path, "six");
	ck_assert_int_eq(unlink(path), 0);
	expect_answer(path, WORLD_NONE);
	(void)files_write(&files, "list", "new");
	expect_text(path, "new");
}
END_TEST

START_TEST(keeps_some)
{
	char name[16];

	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 100; i++) {
			(void)snprintf(name, sizeof(name), "l%d", i);
			if (round == 0)
				(void)files_write(&files, name, name);
			expect_text(files_path(&files, name), name);
		}
	}
}
END_TEST

START_TEST(refused_for_good)
{
	struct strbuf large;

	ck_assert_int_eq(mkdir(files_path(&files, "directory"), 0755), 0);
	expect_answer(files_path(&files, "directory"), WORLD_NONE);
	expect_answer(files_path(&files, "none"), WORLD_NONE);
	expect_answer("relative", WORLD_NONE);
	expect_answer("", WORLD_NONE);
	expect_answer("/dev/null", WORLD_NONE);
	expect_answer(files_write_bytes(&files, "nul", "a\0b", 3), WORLD_NONE);
	expect_answer(files_path(&files, "empty-directory/none"), WORLD_NONE);
	strbuf_init(&large, arena);
	while (large.len <= 1024 * 1024)
		strbuf_add(&large, SLICE("somebody@some.where.example\n"));
	expect_answer(files_write_bytes(&files, "large", large.data, large.len),
	    WORLD_NONE);
}
END_TEST

/* Nothing below /tmp is safe, also when it was read before. */
START_TEST(unsafe_file)
{
	const char *path = files_write(&files, "list", "a");
	slice text;

	ck_assert_int_eq(read_path(path, false, &text), WORLD_NONE);
	ck_assert_int_eq(read_path(path, true, &text), WORLD_FOUND);
	ck_assert_int_eq(read_path(path, false, &text), WORLD_NONE);
}
END_TEST

/* The rule holds at each use: a file becomes unsafe by its directory alone. */
START_TEST(becomes_unsafe)
{
	struct files safe;
	const char *path;
	slice text;

	if (!files_make_safe(&safe))
		return;
	path = files_write(&safe, "list", "a");
	ck_assert_int_eq(chmod(safe.directory, 0755), 0);
	ck_assert_int_eq(read_path(path, false, &text), WORLD_FOUND);
	ck_assert_int_eq(chmod(safe.directory, 0777), 0);
	ck_assert_int_eq(read_path(path, false, &text), WORLD_NONE);
	ck_assert_int_eq(chmod(safe.directory, 0755), 0);
	ck_assert_int_eq(read_path(path, false, &text), WORLD_FOUND);
	ck_assert_int_eq(chmod(path, 0664), 0);
	ck_assert_int_eq(read_path(path, false, &text), WORLD_NONE);
	files_remove(&safe);
}
END_TEST

/* A process without descriptors may have some later. */
START_TEST(no_descriptor)
{
	const char *path = files_write(&files, "list", "a");
	struct rlimit before;
	struct rlimit none;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){0, before.rlim_max};
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	expect_answer(path, WORLD_TEMPFAIL);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	expect_text(path, "a");
}
END_TEST

START_TEST(fleets_text_stands_in)
{
	struct snapshot *snapshot = snapshot_new();
	struct policy policy = {.includes = snapshot};
	slice path = slice_from_cstr(files_write(&files, "list", "own\n"));
	slice text = SLICE("untouched");

	snapshot_add_text_of(
	    snapshot, SLICE(ALIAS_INCLUDES_PART), path, SLICE("fleet\n"));
	ck_assert_int_eq(chmod(path.ptr, 0666), 0);
	ck_assert_int_eq(
	    include_file_read(NULL, arena, path, &policy, &text), WORLD_NONE);
	policy.allow_unsafe_files = true;
	ck_assert_int_eq(
	    include_file_read(NULL, arena, path, &policy, &text), WORLD_FOUND);
	ck_assert(slice_eq(text, SLICE("own\n")));
	ck_assert_int_eq(unlink(path.ptr), 0);
	ck_assert_int_eq(
	    include_file_read(NULL, arena, path, &policy, &text), WORLD_FOUND);
	ck_assert(slice_eq(text, SLICE("fleet\n")));
	ck_assert_int_eq(include_file_read(NULL, arena, SLICE("/nosuch/file"),
			     &policy, &text),
	    WORLD_NONE);
	snapshot_release(snapshot);
}
END_TEST

static void *
read_often(void *path)
{
	struct policy policy = {.allow_unsafe_files = true};
	struct arena *own = arena_new(0);

	for (int i = 0; i < 300; i++) {
		slice text = SLICE("");
		enum world_answer answer;

		arena_reset(own);
		answer = include_file_read(
		    NULL, own, slice_from_cstr(path), &policy, &text);
		/* A file that changes each time it is read is for later. */
		if (answer != WORLD_TEMPFAIL &&
		    (answer != WORLD_FOUND ||
			(!slice_eq(text, SLICE("aaaa")) &&
			    !slice_eq(text, SLICE("bbbbbb"))))) {
			arena_free(own);
			return path;
		}
	}
	arena_free(own);
	return NULL;
}

START_TEST(many_threads)
{
	char path[256];
	pthread_t threads[4];
	void *bad;

	(void)snprintf(
	    path, sizeof(path), "%s", files_write(&files, "list", "aaaa"));
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(
		    pthread_create(&threads[i], NULL, read_often, path), 0);
	for (int i = 0; i < 20; i++)
		(void)files_write(
		    &files, "list", i % 2 == 0 ? "bbbbbb" : "aaaa");
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(pthread_join(threads[i], &bad), 0);
		ck_assert_ptr_null(bad);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("include_file");
	TCase *tcase = tcase_create("include_file");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, reads_text);
	tcase_add_test(tcase, sees_changes);
	tcase_add_test(tcase, keeps_some);
	tcase_add_test(tcase, refused_for_good);
	tcase_add_test(tcase, unsafe_file);
	tcase_add_test(tcase, becomes_unsafe);
	tcase_add_test(tcase, no_descriptor);
	tcase_add_test(tcase, fleets_text_stands_in);
	tcase_add_test(tcase, many_threads);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
