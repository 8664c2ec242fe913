/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What sendmail 8.17.1 answers to the same questions was measured with class
 * files; where maps/safe_file.h is stricter, it says so.
 */
#include "maps/safe_file.h"

#include "maps/text.h"
#include "tests/unit/scratch.h"

#include <check.h>
#include <fcntl.h>
#include <limits.h>
#include <sysexits.h>
#include <unistd.h>

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

static struct arena *arena;

static bool
read_file(const char *path, bool allow_unsafe, struct text_file *ret_file,
    struct error *error)
{
	memset(error, 0, sizeof(*error));
	return text_file_read(path, allow_unsafe, arena, ret_file, error);
}

static void
expect_refusal(const char *path, const char *text)
{
	struct text_file file = {0};
	struct error error;

	ck_assert(!read_file(path, false, &file, &error));
	ck_assert_str_eq(error.text, text);
	ck_assert_str_eq(error.file, path);
	ck_assert_uint_eq(error.line, 0);
	ck_assert_int_eq(error.exit_code, EX_NOPERM);
	ck_assert_ptr_null(file.path);
}

/* No directory above may be writable by others; where that is, depends. */
static bool
is_safe_place(const char *place)
{
	char way[PATH_MAX];
	struct stat st;

	if (place == NULL || realpath(place, way) == NULL ||
	    access(way, W_OK) != 0)
		return false;
	for (;;) {
		if (stat(way[0] == '\0' ? "/" : way, &st) != 0 ||
		    (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
			return false;
		if (way[0] == '\0')
			return true;
		*strrchr(way, '/') = '\0';
	}
}

static const char *
safe_place(void)
{
	static const char *const places[] = {"/run", "/var/lib"};

	for (int i = 0; i < ROWS(places); i++) {
		if (is_safe_place(places[i]))
			return places[i];
	}
	return is_safe_place(getenv("HOME")) ? getenv("HOME") : NULL;
}

/* mail/access and other, with nothing wrong. */
static void
set_up(void)
{
	(void)umask(022);
	scratch_make(safe_place());
	ck_assert_int_eq(chmod(scratch, 0755), 0);
	ck_assert_int_eq(mkdir(scratch_path("mail"), 0755), 0);
	(void)scratch_write("mail/access", SLICE("k v\n"));
	(void)scratch_write("other", SLICE("k v\n"));
	arena = arena_new(0);
}

static void
set_up_in_tmp(void)
{
	scratch_make("/tmp");
	arena = arena_new(0);
}

static void
tear_down(void)
{
	arena_free(arena);
	scratch_remove();
}

static void
open_to(const char *name, mode_t more)
{
	const char *path = name[0] == '\0' ? scratch : scratch_path(name);
	struct stat st;

	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(chmod(path, (st.st_mode & 07777) | more), 0);
}

static void
link_access_to(const char *target)
{
	ck_assert_int_eq(unlink(scratch_path("mail/access")), 0);
	ck_assert_int_eq(symlink(target, scratch_path("mail/access")), 0);
}

static const struct {
	const char *label;
	const char *open; /* what is opened to others; NULL: nothing */
	mode_t more;
	const char *link;  /* mail/access is a link to this; NULL: no link */
	const char *path;  /* NULL: mail/access */
	const char *fault; /* NULL: safe; else what is to blame */
	const char *why;
} safeties[] = {
    {"all well", NULL, 0, NULL, NULL, NULL, NULL},
    {"file of group", "mail/access", 0020, NULL, NULL, "", "its group"},
    {"file of all", "mail/access", 0002, NULL, NULL, "", "everybody"},
    {"file read by all", "mail/access", 0044, NULL, NULL, NULL, NULL},
    {"directory of group", "mail", 0020, NULL, NULL, "/mail", "its group"},
    {"directory of all", "mail", 0002, NULL, NULL, "/mail", "everybody"},
    {"sticky directory", "mail", 01777, NULL, NULL, "/mail", "everybody"},
    {"sticky of group", "mail", 01020, NULL, NULL, "/mail", "its group"},
    {"setgid directory", "mail", 02000, NULL, NULL, NULL, NULL},
    {"upper directory", "", 0020, NULL, NULL, "/", "its group"},
    {"another directory", "mail", 0022, NULL, "other", NULL, NULL},
    {"dots", NULL, 0, NULL, "mail/../mail/./access", NULL, NULL},
    {"dots by the way", "mail", 0020, NULL, "mail/../other", "/mail",
	"its group"},
    {"slashes", NULL, 0, NULL, "mail//access", NULL, NULL},
    {"link", NULL, 0, "../other", NULL, NULL, NULL},
    {"link in bad directory", "mail", 0020, "../other", NULL, "/mail",
	"its group"},
    {"link to bad file", "other", 0002, "../other", NULL, "", "everybody"},
    {"link to bad directory", "bad", 0020, "../bad/file", NULL, "/bad",
	"its group"},
    {"link through link", "bad", 0020, "../way/file", NULL, "/bad",
	"its group"},
    {"link through good link", NULL, 0, "../way/file", NULL, NULL, NULL},
    {"link by way of bad directory", "bad", 0020, "../bad/../other", NULL,
	"/bad", "its group"},
    {"link up and down", NULL, 0, "./../../../../../../../../../etc/passwd",
	NULL, NULL, NULL},
    {"link to /tmp", NULL, 0, "/tmp/../etc/passwd", NULL, "/tmp", "everybody"},
};

START_TEST(who_may_write)
{
	char path[PATH_MAX];
	struct text_file file;
	struct error error;
	bool safe;

	(void)snprintf(path, sizeof(path), "%s/%s", scratch,
	    safeties[_i].path == NULL ? "mail/access" : safeties[_i].path);
	ck_assert_int_eq(mkdir(scratch_path("bad"), 0755), 0);
	(void)scratch_write("bad/file", SLICE("k v\n"));
	ck_assert_int_eq(symlink("bad", scratch_path("way")), 0);
	if (safeties[_i].link != NULL)
		link_access_to(safeties[_i].link);
	if (safeties[_i].open != NULL)
		open_to(safeties[_i].open, safeties[_i].more);
	safe = read_file(path, false, &file, &error);
	ck_assert_msg(safe == (safeties[_i].fault == NULL), "%s: %s",
	    safeties[_i].label, error.text);
	ck_assert(read_file(path, true, &file, &(struct error){0}));
	if (safe)
		return;
	ck_assert_str_eq(error.file, path);
	ck_assert_int_eq(error.exit_code, EX_NOPERM);
	ck_assert_msg(strstr(error.text, safeties[_i].why) != NULL, "%s: %s",
	    safeties[_i].label, error.text);
	ck_assert_ptr_nonnull(strstr(error.text, "allow_unsafe_files"));
	if (safeties[_i].fault[0] != '\0')
		ck_assert_msg(strstr(error.text, safeties[_i].fault) != NULL,
		    "%s: %s", safeties[_i].label, error.text);
}
END_TEST

START_TEST(message_names_the_directory)
{
	char wanted[PATH_MAX + 100];

	open_to("mail", 0020);
	(void)snprintf(wanted, sizeof(wanted),
	    "unsafe, because %s/mail is writable by its group; "
	    "allow_unsafe_files lifts this",
	    scratch);
	expect_refusal(scratch_path("mail/access"), wanted);
	open_to("mail/access", 0022);
	expect_refusal(scratch_path("mail/access"),
	    "is writable by everybody; allow_unsafe_files lifts this");
}
END_TEST

START_TEST(relative_path)
{
	struct text_file file;
	struct error error;
	int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	ck_assert_int_eq(chdir(scratch_path("mail")), 0);
	ck_assert_msg(
	    read_file("access", false, &file, &error), "%s", error.text);
	open_to("", 0020);
	ck_assert(!read_file("access", false, &file, &error));
	ck_assert_int_eq(fchdir(here), 0);
	(void)close(here);
}
END_TEST

/* Somebody else's file is his to change; somebody else's directory is
 * sendmail's limit of suspicion, and ours. */
START_TEST(owners)
{
	const char *path = scratch_path("mail/access");
	struct text_file file;
	struct error error;
	bool own;

	if (geteuid() != 0) {
		(void)puts("skipped: owners (needs root)");
		return;
	}
	ck_assert_int_eq(chown(scratch_path("mail"), 12345, 12345), 0);
	ck_assert_msg(read_file(path, false, &file, &error), "%s", error.text);
	ck_assert_int_eq(chown(path, 12345, 12345), 0);
	expect_refusal(path,
	    "belongs neither to root nor to the user who reads it; "
	    "allow_unsafe_files lifts this");
	ck_assert_int_eq(seteuid(12345), 0);
	own = read_file(path, false, &file, &error);
	ck_assert_int_eq(seteuid(0), 0);
	ck_assert_msg(own, "%s", error.text);
}
END_TEST

START_TEST(tmp_is_not_safe)
{
	expect_refusal(scratch_write("file", SLICE("k v\n")),
	    "unsafe, because /tmp is writable by everybody; "
	    "allow_unsafe_files lifts this");
}
END_TEST

static Suite *
safe_file_suite(void)
{
	Suite *suite = suite_create("safe_file");
	TCase *safe = tcase_create("safe place");
	TCase *tmp = tcase_create("tmp");

	tcase_add_checked_fixture(tmp, set_up_in_tmp, tear_down);
	tcase_add_test(tmp, tmp_is_not_safe);
	suite_add_tcase(suite, tmp);
	suite_add_tcase(suite, safe);
	if (safe_place() == NULL) {
		(void)puts("skipped: every directory to write in has one "
			   "above it that others may write");
		return suite;
	}
	tcase_add_checked_fixture(safe, set_up, tear_down);
	tcase_add_loop_test(safe, who_may_write, 0, ROWS(safeties));
	tcase_add_test(safe, message_names_the_directory);
	tcase_add_test(safe, relative_path);
	tcase_add_test(safe, owners);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(safe_file_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
