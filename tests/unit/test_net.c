/* SPDX-License-Identifier: BSD-2-Clause */
#include "maps/net.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

static const struct {
	const char *written;
	const char *key; /* NULL: refused */
	const char *problem;
} keys[] = {
    /* clang-format off */
	{"192.0.2.0/24", "192.0.2", NULL},
	{"192.0.2.128/25", "192.0.2.128/25", NULL},
	{"192.0.2.7/32", "192.0.2.7", NULL},
	{"10.0.0.0/8", "10", NULL},
	{"10.64.0.0/10", "10.64.0.0/10", NULL},
	{"0.0.0.0/0", "0.0.0.0/0", NULL},
	{"192.0.2.0/024", "192.0.2", NULL},
	{"Connect:192.0.2.0/24", "Connect:192.0.2", NULL},
	{"From:192.0.2.128/26", "From:192.0.2.128/26", NULL},
	{"2001:db8::/32", "ipv6:2001:db8", NULL},
	{"2001:DB8::/33", "2001:db8::/33", NULL},
	{"2001:0db8:0000:8000::/33", NULL, "bits behind its prefix, the net is 2001:db8::/33"},
	{"2001:db8:8000::/33", "2001:db8:8000::/33", NULL},
	{"IPv6:2001:db8::/32", "ipv6:2001:db8", NULL},
	{"Connect:IPv6:2001:db8::/29", "Connect:2001:db8::/29", NULL},
	{"Connect:IPv6:2001:db8::/28", NULL, "the net is 2001:db0::/28"},
	{"connect:ipv6:2001:db8::/45", "connect:2001:db8::/45", NULL},
	{"Connect:2001:db8::/32", "Connect:ipv6:2001:db8", NULL},
	{"2001:db8::1/128", "ipv6:2001:db8:0:0:0:0:0:1", NULL},
	{"::/0", "::/0", NULL},
	{"abc:db8::/32", "ipv6:abc:db8", NULL},
	{"::ffff:192.0.2.0/120", "192.0.2", NULL},
	{"::ffff:192.0.2.128/121", "192.0.2.128/25", NULL},
	{"::ffff:0.0.0.0/96", "0.0.0.0/0", NULL},
	{"192.0.2.1/24", NULL, "the net is 192.0.2"},
	{"192.0.2.65/26", NULL, "the net is 192.0.2.64/26"},
	{"192.0.2.0/33", NULL, "no prefix length"},
	{"2001:db8::/129", NULL, "no prefix length"},
	{"192.0.2.0/", NULL, "no prefix length"},
	{"192.0.2.0/x", NULL, "no prefix length"},
	{"192.0.2.0/-1", NULL, "no prefix length"},
	{"192.0.2.0/00000024", NULL, "no prefix length"},
	{"192.0.2/24", NULL, "no address"},
	{"10/8", NULL, "no address"},
	{"300.0.2.0/24", NULL, "no address"},
	{"2001:db8:/32", NULL, "no address"},
	{"Connect:192.0.2/24", NULL, "no address"},
	{"192.0.2", "192.0.2", NULL},
	{"192.0.2.1", "192.0.2.1", NULL},
	{"a.test", "a.test", NULL},
	{"user/x@a.test", "user/x@a.test", NULL},
	{"From:user/24@a.test", "From:user/24@a.test", NULL},
	{"a/24", "a/24", NULL},
	{"/", "/", NULL},
	{"", "", NULL},
	{"Connect:", "Connect:", NULL},
    /* clang-format on */
};

START_TEST(keys_have_one_form)
{
	struct arena *arena = arena_new(0);
	slice key;
	const char *problem =
	    net_make_key(arena, slice_from_cstr(keys[_i].written), &key);

	if (keys[_i].key != NULL)
		ck_assert_msg(
		    problem == NULL &&
			slice_eq_nocase(key, slice_from_cstr(keys[_i].key)),
		    "%s: %.*s %s", keys[_i].written, SLICE_ARG(key), problem);
	else
		ck_assert_msg(problem != NULL &&
				  strstr(problem, keys[_i].problem) != NULL,
		    "%s: %s", keys[_i].written, problem);
	arena_free(arena);
}
END_TEST

static struct net_address
address(const char *text)
{
	struct net_address address;

	ck_assert(net_address_parse(slice_from_cstr(text), &address));
	return address;
}

START_TEST(lengths_are_kept)
{
	struct net_lengths lengths = {0};
	struct net_lengths more = {0};
	struct net_address four = address("192.0.2.7");
	struct net_address six = address("IPv6:2001:db8:0:0:0:0:0:1");

	ck_assert(net_lengths_are_none(&lengths));
	net_lengths_add(&lengths, SLICE("192.0.2"));
	net_lengths_add(&lengths, SLICE("a/b"));
	ck_assert(net_lengths_are_none(&lengths));
	net_lengths_add(&lengths, SLICE("192.0.2.128/25"));
	net_lengths_add(&more, SLICE("connect:2001:db8::/45"));
	net_lengths_add(&more, SLICE("::/0"));
	net_lengths_add(&more, SLICE("::8/127"));
	net_lengths_join(&lengths, &more);
	ck_assert(!net_lengths_are_none(&lengths));
	for (unsigned length = 0; length <= 32; length++)
		ck_assert_int_eq(
		    net_lengths_has(&lengths, &four, length), length == 25);
	for (unsigned length = 0; length <= 128; length++)
		ck_assert_int_eq(net_lengths_has(&lengths, &six, length),
		    length == 0 || length == 45 || length == 127);
}
END_TEST

static const struct {
	const char *address;
	unsigned length;
	const char *key;
} nets[] = {
    {"192.0.2.200", 32, "192.0.2.200"},
    {"192.0.2.200", 25, "192.0.2.128/25"},
    {"192.0.2.200", 24, "192.0.2"},
    {"192.0.2.200", 1, "128.0.0.0/1"},
    {"192.0.2.200", 0, "0.0.0.0/0"},
    {"2001:db8:ffff::1", 33, "2001:db8:8000::/33"},
    {"2001:db8:ffff::1", 48, "ipv6:2001:db8:ffff"},
    {"2001:db8:ffff::1", 127, "2001:db8:ffff::/127"},
    {"IPv6:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 127,
	"ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127"},
};

START_TEST(an_address_is_in_nets)
{
	struct net_address of = address(nets[_i].address);
	char room[NET_TEXT_MAX];
	slice key = net_key(&of, nets[_i].length, room);

	ck_assert_msg(slice_eq(key, slice_from_cstr(nets[_i].key)), "%.*s",
	    SLICE_ARG(key));
}
END_TEST

START_TEST(other_things_are_no_addresses)
{
	static const slice texts[] = {SLICE_INIT(""), SLICE_INIT("192.0.2"),
	    SLICE_INIT("a.test"), SLICE_INIT("IPv6:"),
	    SLICE_INIT("192.0.2.1\0"), SLICE_INIT("[192.0.2.1]"),
	    SLICE_INIT("11111111111111111111111111111111111111111111111111")};
	struct net_address address;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		ck_assert(!net_address_parse(texts[i], &address));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("net");
	TCase *tcase = tcase_create("net");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tcase, keys_have_one_form, 0, ROWS(keys));
	tcase_add_test(tcase, lengths_are_kept);
	tcase_add_loop_test(tcase, an_address_is_in_nets, 0, ROWS(nets));
	tcase_add_test(tcase, other_things_are_no_addresses);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
