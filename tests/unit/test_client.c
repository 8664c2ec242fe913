/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/client.h"

#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

/* As sendmail writes {client_addr}. NULL: not an address. */
static const struct {
	const char *text;
	const char *canonical;
} addresses[] = {
    {"0.0.0.0", "0.0.0.0"},
    {"9.10.99.100", "9.10.99.100"},
    {"255.255.255.255", "255.255.255.255"},
    {"::", "IPv6:0:0:0:0:0:0:0:0"},
    {"::1", "IPv6:0:0:0:0:0:0:0:1"},
    {"2001:DB8::abc:10", "IPv6:2001:db8:0:0:0:0:abc:10"},
    {"IPv6:1:20:300:4000:5:60:700:8000", "IPv6:1:20:300:4000:5:60:700:8000"},
    {"ipv6:f000:0f00:00f0:000f::", "IPv6:f000:f00:f0:f:0:0:0:0"},
    {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	"IPv6:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"::ffff:192.0.2.1", "192.0.2.1"},
    {"::fffe:192.0.2.1", "IPv6:0:0:0:0:0:fffe:c000:201"},
    {"", NULL},
    {"IPv6:", NULL},
    {"192.0.2", NULL},
    {"192.0.2.256", NULL},
    {"mail.abc.com", NULL},
    {"1:2:3:4:5:6:7:8:9", NULL},
};

START_TEST(writes_addresses)
{
	struct arena *arena = arena_new(0);
	slice wanted = slice_from_cstr(addresses[_i].canonical);
	slice got = SLICE("");
	bool is_address = client_address_canonical(
	    arena, slice_from_cstr(addresses[_i].text), &got);

	ck_assert_int_eq(is_address, addresses[_i].canonical != NULL);
	ck_assert_msg(slice_eq(got, wanted), "%s: " SLICE_FMT,
	    addresses[_i].text, SLICE_ARG(got));
	arena_free(arena);
}
END_TEST

static Suite *
client_suite(void)
{
	Suite *suite = suite_create("client");
	TCase *tcase = tcase_create("client");

	tcase_add_loop_test(tcase, writes_addresses, 0, ROWS(addresses));
	suite_add_tcase(suite, tcase);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(client_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
