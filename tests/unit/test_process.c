/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a daemon leaves in the file system: its pid file and its sockets, in
 * directories that others may change at the same time.
 */
#include "milter/process.h"
#include "milter/socket.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/unit/files.h"

static struct files files;
static struct error error;
static const char *removed_at_lock;
static int removals;

/* In place of the C library's: somebody removes the file just before. */
int
flock(int fd, int operation)
{
	if (removals > 0 && removed_at_lock != NULL) {
		removals--;
		ck_assert_int_eq(unlink(removed_at_lock), 0);
	}
	return (int)syscall(SYS_flock, fd, operation);
}

static void
set_up(void)
{
	files_make(&files);
	memset(&error, 0, sizeof(error));
	removed_at_lock = files_path(&files, "pid");
	removals = 0;
}

static void
tear_down(void)
{
	process_remove_pid();
	files_remove(&files);
}

/* As a second daemon would find it. */
static bool
is_locked(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	bool locked;

	ck_assert_int_ge(fd, 0);
	locked = flock(fd, LOCK_EX | LOCK_NB) != 0;
	(void)close(fd);
	return locked;
}

static void
check_pid(const char *path)
{
	char text[32] = "";
	FILE *file = fopen(path, "re");

	ck_assert_ptr_nonnull(file);
	ck_assert_ptr_nonnull(fgets(text, sizeof(text), file));
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_int_eq(strtol(text, NULL, 10), getpid());
}

START_TEST(test_pid_file)
{
	ck_assert(process_write_pid(removed_at_lock, &error));
	check_pid(removed_at_lock);
	ck_assert(is_locked(removed_at_lock));
	process_remove_pid();
	ck_assert_int_ne(access(removed_at_lock, F_OK), 0);
}
END_TEST

/* A predecessor removes it when it has been opened and not locked yet. */
START_TEST(test_pid_file_removed_meanwhile)
{
	removals = 2;
	ck_assert(process_write_pid(removed_at_lock, &error));
	check_pid(removed_at_lock);
	ck_assert(is_locked(removed_at_lock));
}
END_TEST

START_TEST(test_pid_file_removed_each_time)
{
	removals = 1000;
	ck_assert(!process_write_pid(removed_at_lock, &error));
	ck_assert_ptr_nonnull(strstr(error.text, "again and again"));
	removals = 0;
}
END_TEST

static struct socket_owner
with_mode(mode_t mode)
{
	return (struct socket_owner){.user = (uid_t)-1,
	    .group = (gid_t)-1,
	    .user_group = (gid_t)-1,
	    .mode = mode};
}

static slice
address_of(const char *path)
{
	static char address[300];

	(void)snprintf(address, sizeof(address), "unix:%s", path);
	return slice_from_cstr(address);
}

START_TEST(test_mode_of_a_socket)
{
	struct socket_owner owner = with_mode(0662);
	const char *path = files_path(&files, "socket");
	struct stat st;
	int fd = socket_listen(address_of(path), &owner, &error);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0662);
	(void)close(fd);
}
END_TEST

/* Whoever owns the directory may put it there; root must not follow it. */
START_TEST(test_mode_not_through_a_link)
{
	struct socket_owner owner = with_mode(0666);
	const char *precious = files_write(&files, "precious", "text");
	const char *path = files_path(&files, "socket");
	struct stat st;

	ck_assert_int_eq(chmod(precious, 0600), 0);
	ck_assert_int_eq(symlink(precious, path), 0);
	ck_assert(!socket_set_owner(address_of(path), &owner, &error));
	ck_assert_int_eq(stat(precious, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("process");
	TCase *tcase = tcase_create("process");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, test_pid_file);
	tcase_add_test(tcase, test_pid_file_removed_meanwhile);
	tcase_add_test(tcase, test_pid_file_removed_each_time);
	tcase_add_test(tcase, test_mode_of_a_socket);
	tcase_add_test(tcase, test_mode_not_through_a_link);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
