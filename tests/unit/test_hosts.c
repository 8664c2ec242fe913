/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/hosts.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char text[] = "# a comment\n"
			   "127.0.0.1 localhost\n"
			   "::1\tlocalhost ip6-localhost # another\n"
			   "192.0.2.25 mx.home.test mx\r\n"
			   "10.1.1.1 short1 LONG1.Home.Test other1\n"
			   "10.1.1.2 alone\n"
			   "10.1.1.3 dotted.home.test.\n"
			   "10.1.1.4\n"
			   "not-an-address bad.test\n"
			   "\n"
			   "   10.1.1.5   indented.test\n"
			   "2001:db8::7 both.test\n"
			   "10.1.1.7 both.test\n"
			   "10.1.1.8 first.test\n"
			   "10.1.1.8 second.test\n"
			   "fe80::1%lo scoped.test\n"
			   "10.1.1.9 last.test";

static char path[] = "/tmp/milterd-hosts-XXXXXX";
static struct hosts *hosts;
static struct arena *arena;

static void
write_file(const char *contents, size_t len)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(contents, 1, len, file), len);
	(void)fclose(file);
}

static void
set_up(void)
{
	int fd;

	memcpy(path + sizeof(path) - 7, "XXXXXX", 6);
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	(void)close(fd);
	write_file(text, strlen(text));
	hosts = hosts_new(path);
	arena = arena_new(0);
}

static void
tear_down(void)
{
	(void)unlink(path);
	hosts_free(hosts);
	arena_free(arena);
}

static bool
has_canonical(const char *name, const char *expected)
{
	slice canonical = SLICE("");
	bool found = hosts_find_canonical(
	    hosts, arena, slice_from_cstr(name), &canonical);

	return found == (expected != NULL) &&
	       slice_eq(canonical, slice_from_cstr(expected));
}

static const struct {
	const char *name;
	const char *canonical;
} names[] = {
    {"localhost", "localhost"},
    {"ip6-localhost", "localhost"},
    {"mx", "mx.home.test"},
    {"MX.HOME.test", "mx.home.test"},
    {"short1", "long1.home.test"},
    {"other1", "long1.home.test"},
    {"long1.home.test", "long1.home.test"},
    {"long1", NULL},
    {"alone", "alone"},
    {"dotted.home.test", "dotted.home.test"},
    {"indented.test", "indented.test"},
    {"last.test", "last.test"},
    {"bad.test", NULL},
    {"scoped.test", NULL},
    {"another", NULL},
    {"10.1.1.1", NULL},
    {"", NULL},
};

START_TEST(canonical)
{
	ck_assert_msg(has_canonical(names[_i].name, names[_i].canonical), "%s",
	    names[_i].name);
}
END_TEST

static const struct {
	const char *address;
	const char *name;
} addresses[] = {
    {"127.0.0.1", "localhost"},
    {"IPv6:0:0:0:0:0:0:0:1", "localhost"},
    {"192.0.2.25", "mx.home.test"},
    {"10.1.1.1", "short1"},
    {"10.1.1.8", "first.test"},
    {"10.1.1.9", "last.test"},
    {"IPv6:2001:db8:0:0:0:0:0:7", "both.test"},
    {"10.1.1.4", NULL},
    {"10.1.1.10", NULL},
    {"", NULL},
};

START_TEST(pointer)
{
	slice name = SLICE("");
	bool found = hosts_find_pointer(
	    hosts, arena, slice_from_cstr(addresses[_i].address), &name);

	ck_assert_msg(found == (addresses[_i].name != NULL) &&
			  slice_eq(name, slice_from_cstr(addresses[_i].name)),
	    "%s: " SLICE_FMT, addresses[_i].address, SLICE_ARG(name));
}
END_TEST

static const struct {
	const char *name;
	const char *address;
	enum hosts_match match;
} matches[] = {
    {"localhost", "127.0.0.1", HOSTS_SAME},
    {"localhost", "127.0.0.2", HOSTS_OTHER},
    {"localhost", "IPv6:0:0:0:0:0:0:0:1", HOSTS_SAME},
    {"mx", "192.0.2.25", HOSTS_SAME},
    {"mx", "192.0.2.2", HOSTS_OTHER},
    {"mx", "IPv6:2001:db8:0:0:0:0:0:7", HOSTS_UNKNOWN},
    {"both.test", "10.1.1.7", HOSTS_SAME},
    {"both.test", "IPv6:2001:db8:0:0:0:0:0:7", HOSTS_SAME},
    {"both.test", "IPv6:2001:db8:0:0:0:0:0:8", HOSTS_OTHER},
    {"nobody.test", "10.1.1.7", HOSTS_UNKNOWN},
};

START_TEST(match)
{
	ck_assert_int_eq(hosts_match(hosts, slice_from_cstr(matches[_i].name),
			     slice_from_cstr(matches[_i].address)),
	    matches[_i].match);
}
END_TEST

START_TEST(change_is_seen)
{
	struct timespec over_a_second = {.tv_sec = 1, .tv_nsec = 50000000};
	static const char changed[] = "10.1.1.2 changed\n";

	ck_assert(has_canonical("alone", "alone"));
	write_file(changed, strlen(changed));
	(void)nanosleep(&over_a_second, NULL);
	ck_assert(has_canonical("alone", NULL));
	ck_assert(has_canonical("changed", "changed"));
	(void)unlink(path);
	(void)nanosleep(&over_a_second, NULL);
	ck_assert(has_canonical("changed", NULL));
	write_file(text, strlen(text));
	(void)nanosleep(&over_a_second, NULL);
	ck_assert(has_canonical("alone", "alone"));
}
END_TEST

START_TEST(odd_files)
{
	static const char zeros[] = "10.1.1.1 a\0b.test c\n\0\n10.1.1.2 d\n";
	struct hosts *none = hosts_new("/nonexistent/hosts");
	struct hosts *directory = hosts_new("/");
	slice name;

	ck_assert(!hosts_find_pointer(none, arena, SLICE("127.0.0.1"), &name));
	ck_assert(
	    !hosts_find_pointer(directory, arena, SLICE("127.0.0.1"), &name));
	hosts_free(none);
	hosts_free(directory);
	write_file(zeros, sizeof(zeros) - 1);
	ck_assert(has_canonical("d", "d"));
	ck_assert(has_canonical("a", NULL));
	write_file("", 0);
}
END_TEST

START_TEST(large_file)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	for (int i = 0; i < 100000; i++)
		(void)fprintf(file, "10.%d.%d.%d h%d.test a%d\n", i / 65536,
		    i / 256 % 256, i % 256, i, i);
	(void)fclose(file);
	ck_assert(has_canonical("a99999", "h99999.test"));
	ck_assert(has_canonical("h0.test", "h0.test"));
	for (int i = 0; i < 100000; i += 7) {
		char name[32];
		char expected[32];

		(void)snprintf(name, sizeof(name), "a%d", i);
		(void)snprintf(expected, sizeof(expected), "h%d.test", i);
		ck_assert(has_canonical(name, expected));
	}
}
END_TEST

static Suite *
hosts_suite(void)
{
	Suite *suite = suite_create("hosts");
	TCase *tcase = tcase_create("hosts");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(
	    tcase, canonical, 0, (int)(sizeof(names) / sizeof(*names)));
	tcase_add_loop_test(
	    tcase, pointer, 0, (int)(sizeof(addresses) / sizeof(*addresses)));
	tcase_add_loop_test(
	    tcase, match, 0, (int)(sizeof(matches) / sizeof(*matches)));
	tcase_add_test(tcase, change_is_seen);
	tcase_add_test(tcase, odd_files);
	tcase_add_test(tcase, large_file);
	suite_add_tcase(suite, tcase);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(hosts_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
