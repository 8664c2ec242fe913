/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Users' files: which paths there can be, whose file it must be, and that
 * nobody waits for long. The user is whoever runs this test.
 */
#include "milter/user_file.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/scratch.h"

static struct arena *arena;
static slice user;

static void
setup(void)
{
	arena = arena_new(0);
	scratch_make("/tmp");
	ck_assert_int_eq(chmod(scratch, 0755), 0);
	user = arena_copy(
	    arena, slice_from_cstr(getpwuid(geteuid())->pw_name));
}

static void
teardown(void)
{
	scratch_remove();
	user_file_forget();
	arena_free(arena);
}

static struct user_file_answer
read_as(slice name, slice domain, const char *pattern)
{
	struct user_file_question question = {
	    .pattern = arena_printf(arena, "%s/%s", scratch, pattern),
	    .user = name,
	    .domain = domain,
	    .bytes_max = 100,
	};

	return user_file_read(arena, &question, deadline_in(5000));
}

static enum user_file_result
result_of(const char *pattern)
{
	return read_as(user, SLICE("d.test"), pattern).result;
}

static void
write_file(const char *name, const char *text)
{
	const char *path = scratch_write(name, slice_from_cstr(text));

	ck_assert_int_eq(chmod(path, 0644), 0);
}

static const char *
name_with(const char *end)
{
	return arena_printf(arena, SLICE_FMT "%s", SLICE_ARG(user), end).ptr;
}

START_TEST(test_found)
{
	struct user_file_answer a;

	write_file(name_with(".msg"), "one");
	a = read_as(user, SLICE("d.test"), "%u.msg");
	ck_assert_int_eq(a.result, USER_FILE_FOUND);
	ck_assert(slice_eq(a.text, SLICE("one")));
	a = read_as(user, SLICE("d.test"), "%u.msg");
	ck_assert(slice_eq(a.text, SLICE("one")));
	/* The same size, and perhaps the same second. */
	write_file("new", "two");
	ck_assert_int_eq(
	    rename(scratch_path("new"), scratch_path(name_with(".msg"))), 0);
	a = read_as(user, SLICE("d.test"), "%u.msg");
	ck_assert(slice_eq(a.text, SLICE("two")));
	ck_assert_int_eq(unlink(scratch_path(name_with(".msg"))), 0);
	ck_assert_int_eq(result_of("%u.msg"), USER_FILE_NONE);
}
END_TEST

START_TEST(test_domain)
{
	ck_assert_int_eq(mkdir(scratch_path("d.test"), 0755), 0);
	write_file(arena_printf(arena, "d.test/" SLICE_FMT, SLICE_ARG(user)).ptr,
	    "x");
	ck_assert_int_eq(
	    read_as(user, SLICE("D.Test"), "%d/%u").result, USER_FILE_FOUND);
	ck_assert_int_eq(
	    read_as(user, SLICE("e.test"), "%d/%u").result, USER_FILE_NONE);
	ck_assert_int_eq(
	    read_as(user, SLICE(".."), "%d/%u").result, USER_FILE_NONE);
	ck_assert_int_eq(
	    read_as(user, SLICE(""), "%d/%u").result, USER_FILE_NONE);
}
END_TEST

static const char *const names[] = {"", ".", "..", "../secret", "a/b", "/",
    ".hidden", "a b", "a\nb", "a\177b", "../../../../etc/passwd"};

START_TEST(test_names)
{
	struct user_file_answer a;

	write_file("secret", "s");
	write_file(".hidden", "s");
	ck_assert_int_eq(mkdir(scratch_path("sub"), 0755), 0);
	a = read_as(slice_from_cstr(names[_i]), SLICE("d.test"), "sub/%u");
	ck_assert_int_eq(a.result, USER_FILE_NONE);
	a = read_as(slice_from_cstr(names[_i]), SLICE("d.test"), "%u");
	ck_assert_int_eq(a.result, USER_FILE_NONE);
}
END_TEST

START_TEST(test_refused)
{
	const char *name = name_with("");

	write_file("other", "x");
	ck_assert_int_eq(symlink("other", scratch_path(name)), 0);
	ck_assert_int_eq(result_of("%u"), USER_FILE_REFUSED);
	ck_assert_int_eq(unlink(scratch_path(name)), 0);
	ck_assert_int_eq(mkfifo(scratch_path(name), 0600), 0);
	ck_assert_int_eq(result_of("%u"), USER_FILE_REFUSED);
	ck_assert_int_eq(unlink(scratch_path(name)), 0);
	ck_assert_int_eq(mkdir(scratch_path(name), 0755), 0);
	ck_assert_int_eq(result_of("%u"), USER_FILE_REFUSED);
	ck_assert_int_eq(rmdir(scratch_path(name)), 0);
	write_file(name, "x");
	ck_assert_int_eq(result_of("%u"), USER_FILE_FOUND);
	ck_assert_int_eq(chmod(scratch_path(name), 0646), 0);
	ck_assert_int_eq(result_of("%u"), USER_FILE_REFUSED);
	ck_assert_int_eq(chmod(scratch_path(name), 0644), 0);
	ck_assert_int_eq(chmod(scratch, 0777), 0);
	ck_assert_int_eq(result_of("%u"), USER_FILE_REFUSED);
	ck_assert_int_eq(chmod(scratch, 0755), 0);
	write_file(name,
	    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
	ck_assert_int_eq(result_of("%u"), USER_FILE_REFUSED);
}
END_TEST

/* What belongs to root or to the daemon, for a user it does not know: by the
 * rules of maps, which trust nothing below /tmp. */
START_TEST(test_not_his_own)
{
	struct user_file_question question = {
	    .pattern = arena_printf(arena, "%s/%%u", scratch),
	    .user = SLICE("no-such-user-here"),
	    .domain = SLICE("d.test"),
	    .bytes_max = 100,
	};

	write_file("no-such-user-here", "x");
	ck_assert_int_eq(
	    user_file_read(arena, &question, deadline_in(5000)).result,
	    USER_FILE_REFUSED);
	question.allow_unsafe = true;
	ck_assert_int_eq(
	    user_file_read(arena, &question, deadline_in(5000)).result,
	    USER_FILE_FOUND);
	question.pattern = SLICE("%h/x");
	ck_assert_int_eq(
	    user_file_read(arena, &question, deadline_in(5000)).result,
	    USER_FILE_NONE);
}
END_TEST

START_TEST(test_no_time)
{
	struct user_file_question question = {
	    .pattern = arena_printf(arena, "%s/%%u", scratch),
	    .user = user,
	    .domain = SLICE("d.test"),
	    .bytes_max = 100,
	};

	write_file(name_with(""), "x");
	for (int i = 0; i < 100; i++) {
		enum user_file_result result = user_file_read(
		    arena, &question, deadline_now() - 1)
						   .result;

		ck_assert(result == USER_FILE_TEMPFAIL ||
		    result == USER_FILE_FOUND);
	}
	/* Once the thread has done with what was left to it, all is well. */
	for (int i = 0; i < 1000 && result_of("%u") != USER_FILE_FOUND; i++)
		(void)usleep(1000);
	ck_assert_int_eq(result_of("%u"), USER_FILE_FOUND);
}
END_TEST

static const struct {
	const char *pattern;
	bool is_good;
} patterns[] = {
	{"/etc/x/%u", true},
	{"%h/.vacation.msg", true},
	{"/x/%d/%u%%", true},
	{"", false},
	{"x/%u", false},
	{"/x", false},
	{"/x/%d", false},
	{"/x/%h", false},
	{"/x/%u%", false},
	{"/x/%u%x", false},
};

START_TEST(test_patterns)
{
	ck_assert_msg((user_file_check_pattern(slice_from_cstr(
			   patterns[_i].pattern)) == NULL) ==
		patterns[_i].is_good,
	    "%s", patterns[_i].pattern);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("user_file");
	TCase *tcase = tcase_create("user_file");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_found);
	tcase_add_test(tcase, test_domain);
	tcase_add_loop_test(
	    tcase, test_names, 0, sizeof(names) / sizeof(*names));
	tcase_add_test(tcase, test_refused);
	tcase_add_test(tcase, test_not_his_own);
	tcase_add_test(tcase, test_no_time);
	tcase_add_loop_test(
	    tcase, test_patterns, 0, sizeof(patterns) / sizeof(*patterns));
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
