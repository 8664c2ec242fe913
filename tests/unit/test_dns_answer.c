/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets, written by hand as RFC 1035 describes them, and what is made of
 * them: the honest ones, and those that are meant to hurt.
 */
#include "milter/dns_answer.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IN = 1, CNAME = 5, SOA = 6, NOERROR = 0, SERVFAIL = 2, NXDOMAIN = 3 };

static struct arena *arena;

/* A packet being written. */
static struct {
	unsigned char data[65536];
	size_t len;
} packet;

static void
put(const void *bytes, size_t len)
{
	ck_assert_uint_le(packet.len + len, sizeof(packet.data));
	memcpy(packet.data + packet.len, bytes, len);
	packet.len += len;
}

static void
put_number(unsigned long number, size_t bytes)
{
	for (size_t i = bytes; i > 0; i--) {
		unsigned char byte =
		    (unsigned char)(number >> 8 * (i - 1) & 0xff);

		put(&byte, 1);
	}
}

/* "a.b", "" for the root; "\\x" keeps the letter, a dot as well. */
static void
put_name(const char *name)
{
	while (*name != '\0') {
		unsigned char label[256];
		size_t len = 0;

		while (*name != '\0' && *name != '.') {
			if (*name == '\\')
				name++;
			label[++len] = (unsigned char)*name++;
		}
		label[0] = (unsigned char)len;
		put(label, len + 1);
		if (*name == '.')
			name++;
	}
	put("", 1);
}

static void
begin(unsigned rcode, const char *name, unsigned type)
{
	packet.len = 0;
	put_number(0x1234, 2);
	put_number(0x8180 | rcode, 2);
	put_number(1, 2);
	put("\0\0\0\0\0\0", 6);
	put_name(name);
	put_number(type, 2);
	put_number(IN, 2);
}

static void
count_record(size_t offset)
{
	unsigned count =
	    (unsigned)(packet.data[offset] << 8 | packet.data[offset + 1]) + 1;

	packet.data[offset] = (unsigned char)(count >> 8);
	packet.data[offset + 1] = (unsigned char)(count & 0xff);
}

/* Head of a record of the answer; its data follow. */
static void
begin_record(const char *owner, unsigned type, unsigned long ttl, size_t len)
{
	count_record(6);
	put_name(owner);
	put_number(type, 2);
	put_number(IN, 2);
	put_number(ttl, 4);
	put_number(len, 2);
}

static void
set_data_len(size_t data_at)
{
	size_t len = packet.len - data_at;

	packet.data[data_at - 2] = (unsigned char)(len >> 8);
	packet.data[data_at - 1] = (unsigned char)(len & 0xff);
}

static void
add_a(const char *owner, unsigned long ttl, unsigned long address)
{
	begin_record(owner, DNS_A, ttl, 4);
	put_number(address, 4);
}

static void
add_name(
    const char *owner, unsigned type, unsigned long ttl, const char *target)
{
	size_t data_at;

	begin_record(owner, type, ttl, 0);
	data_at = packet.len;
	put_name(target);
	set_data_len(data_at);
}

static void
add_mx(const char *owner, unsigned preference, const char *target)
{
	size_t data_at;

	begin_record(owner, DNS_MX, 300, 0);
	data_at = packet.len;
	put_number(preference, 2);
	put_name(target);
	set_data_len(data_at);
}

static void
add_soa(unsigned long ttl, unsigned long minimum)
{
	size_t data_at;

	begin_record("test", SOA, ttl, 0);
	data_at = packet.len;
	put_name("ns.test");
	put_name("root.test");
	put("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	put_number(minimum, 4);
	set_data_len(data_at);
	/* It belongs to the authority section. */
	packet.data[7]--;
	count_record(8);
}

static struct dns_answer
parse(enum dns_type type, const char *name)
{
	struct dns_answer answer;
	/* A copy of its own size: a step over its end is seen. */
	char *exact = malloc(packet.len + 1);

	memcpy(exact, packet.data, packet.len);
	dns_answer_parse(arena, type, slice_from_cstr(name),
	    (slice){exact, packet.len}, &answer);
	free(exact);
	return answer;
}

static void
check_values(const struct dns_answer *answer, const char *expected)
{
	char got[4096] = "";

	for (size_t i = 0; i < answer->count; i++) {
		if (i > 0)
			strcat(got, " ");
		strncat(got, answer->values[i].ptr, answer->values[i].len);
	}
	ck_assert_str_eq(got, expected);
}

#define check_canonical(answer, name)                                          \
	ck_assert_msg(slice_eq((answer).canonical, SLICE(name)), SLICE_FMT,    \
	    SLICE_ARG((answer).canonical))

START_TEST(addresses)
{
	struct dns_answer answer;

	begin(NOERROR, "Good.Test", DNS_A);
	add_a("good.TEST", 300, 0xc0000201);
	add_a("good.test", 200, 0xc0000202);
	add_a("other.test", 100, 0xc0000203);
	answer = parse(DNS_A, "Good.test");
	ck_assert_int_eq(answer.status, DNS_FOUND);
	ck_assert_uint_eq(answer.ttl_s, 200);
	check_canonical(answer, "good.test");
	check_values(&answer, "192.0.2.1 192.0.2.2");
}
END_TEST

START_TEST(ipv6_addresses)
{
	struct dns_answer answer;

	begin(NOERROR, "six.test", DNS_AAAA);
	begin_record("six.test", DNS_AAAA, 300, 16);
	put("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x06", 16);
	answer = parse(DNS_AAAA, "six.test");
	check_values(&answer, "IPv6:2001:db8:0:0:0:0:0:6");
}
END_TEST

START_TEST(exchangers_in_order)
{
	struct dns_answer answer;

	begin(NOERROR, "good.test", DNS_MX);
	add_mx("good.test", 20, "C.test");
	add_mx("good.test", 5, "a.test");
	add_mx("good.test", 20, "d.test");
	add_mx("good.test", 10, "b.test");
	add_mx("good.test", 10, "bad name.test");
	answer = parse(DNS_MX, "good.test");
	ck_assert_int_eq(answer.status, DNS_FOUND);
	check_values(&answer, "a.test b.test c.test d.test");
}
END_TEST

START_TEST(null_exchanger)
{
	struct dns_answer answer;

	begin(NOERROR, "null.test", DNS_MX);
	add_mx("null.test", 0, "");
	answer = parse(DNS_MX, "null.test");
	ck_assert_int_eq(answer.status, DNS_FOUND);
	ck_assert_uint_eq(answer.count, 1);
	ck_assert_uint_eq(answer.values[0].len, 0);
}
END_TEST

START_TEST(aliases_in_any_order)
{
	struct dns_answer answer;

	begin(NOERROR, "a.test", DNS_A);
	add_a("c.test", 300, 0xc0000201);
	add_name("b.test", CNAME, 7, "c.test");
	add_name("a.test", CNAME, 300, "B.test");
	answer = parse(DNS_A, "a.test");
	ck_assert_int_eq(answer.status, DNS_FOUND);
	ck_assert_uint_eq(answer.ttl_s, 7);
	check_canonical(answer, "c.test");
	check_values(&answer, "192.0.2.1");
}
END_TEST

/* n0 -> n1 -> ... -> n<length> */
static struct dns_answer
parse_chain(int length)
{
	begin(NOERROR, "n0.test", DNS_A);
	for (int i = 0; i < length; i++) {
		char from[32];
		char to[32];

		(void)snprintf(from, sizeof(from), "n%d.test", i);
		(void)snprintf(to, sizeof(to), "n%d.test", i + 1);
		add_name(from, CNAME, 300, to);
		if (i == length - 1)
			add_a(to, 300, 0xc0000201);
	}
	return parse(DNS_A, "n0.test");
}

START_TEST(chains_have_a_limit)
{
	struct dns_answer answer = parse_chain(DNS_CNAMES_MAX);

	ck_assert_int_eq(answer.status, DNS_FOUND);
	check_canonical(answer, "n11.test");
	answer = parse_chain(DNS_CNAMES_MAX + 1);
	ck_assert_int_eq(answer.status, DNS_NO_NAME);
}
END_TEST

START_TEST(alias_loop)
{
	struct dns_answer answer;

	begin(NOERROR, "a.test", DNS_A);
	add_name("a.test", CNAME, 300, "b.test");
	add_name("b.test", CNAME, 300, "a.test");
	answer = parse(DNS_A, "a.test");
	ck_assert_int_eq(answer.status, DNS_NO_NAME);
}
END_TEST

START_TEST(dangling_alias)
{
	struct dns_answer answer;

	begin(NXDOMAIN, "a.test", DNS_A);
	add_name("a.test", CNAME, 300, "nowhere.test");
	answer = parse(DNS_A, "a.test");
	ck_assert_int_eq(answer.status, DNS_NO_NAME);
}
END_TEST

START_TEST(alias_only)
{
	struct dns_answer answer;

	begin(NOERROR, "a.test", DNS_A);
	add_name("a.test", CNAME, 300, "b.test");
	answer = parse(DNS_A, "a.test");
	ck_assert_int_eq(answer.status, DNS_NO_DATA);
	check_canonical(answer, "b.test");
}
END_TEST

START_TEST(alias_to_an_unspeakable_name)
{
	struct dns_answer answer;

	begin(NOERROR, "a.test", DNS_A);
	add_name("a.test", CNAME, 300, "b\\.c d.test");
	answer = parse(DNS_A, "a.test");
	ck_assert_int_eq(answer.status, DNS_NO_NAME);
}
END_TEST

static const struct {
	const char *target;
	const char *value; /* NULL: none */
} pointers[] = {
    {"mail.good.test", "mail.good.test"},
    {"MAIL.Good.Test", "mail.good.test"},
    {"under_score.test", "under_score.test"},
    {"x-.test", "x-.test"},
    {"a.-b.test", "a.-b.test"},
    {"single", "single"},
    {"", "."},
    {"-ab.test", NULL},
    {"1.2.3.4", NULL},
    {"a b.test", NULL},
    {"a\nb.test", NULL},
    {"a\"b.test", NULL},
    {"a\\.b.test", NULL},
    {"a\\\\b.test", NULL},
    {"a,b.test", NULL},
    {"a=b.test", NULL},
    {"slash/x.test", NULL},
    {"[192.0.2.1]", NULL},
    {"\xc3\xa4.test", NULL},
};

START_TEST(pointer)
{
	static const char name[] = "1.2.0.192.in-addr.arpa";
	struct dns_answer answer;

	begin(NOERROR, name, DNS_PTR);
	add_name(name, DNS_PTR, 300, pointers[_i].target);
	answer = parse(DNS_PTR, name);
	ck_assert_int_eq(answer.status, DNS_FOUND);
	ck_assert_uint_eq(answer.count, pointers[_i].value != NULL);
	if (pointers[_i].value != NULL)
		check_values(&answer, pointers[_i].value);
}
END_TEST

START_TEST(first_pointer_counts)
{
	static const char name[] = "1.2.0.192.in-addr.arpa";
	struct dns_answer answer;

	begin(NOERROR, name, DNS_PTR);
	for (int i = 0; i < 200; i++) {
		char target[32];

		(void)snprintf(target, sizeof(target), "p%d.test", i);
		add_name(name, DNS_PTR, 300, target);
	}
	answer = parse(DNS_PTR, name);
	check_values(&answer, "p0.test");
	begin(NOERROR, name, DNS_PTR);
	add_name(name, DNS_PTR, 300, "a b.test");
	add_name(name, DNS_PTR, 300, "good.test");
	answer = parse(DNS_PTR, name);
	ck_assert_int_eq(answer.status, DNS_FOUND);
	ck_assert_uint_eq(answer.count, 0);
}
END_TEST

START_TEST(classless_pointer)
{
	struct dns_answer answer;

	/* RFC 2317 */
	begin(NOERROR, "1.2.0.192.in-addr.arpa", DNS_PTR);
	add_name("1.2.0.192.in-addr.arpa", CNAME, 300,
	    "1.0/25.2.0.192.in-addr.arpa");
	add_name("1.0/25.2.0.192.in-addr.arpa", DNS_PTR, 300, "good.test");
	answer = parse(DNS_PTR, "1.2.0.192.in-addr.arpa");
	check_values(&answer, "good.test");
}
END_TEST

START_TEST(numbers_are_bounded)
{
	struct dns_answer answer;

	begin(NOERROR, "many.test", DNS_A);
	for (unsigned i = 0; i < 600; i++)
		add_a("many.test", 300, 0x0a000000 + i);
	answer = parse(DNS_A, "many.test");
	ck_assert_uint_eq(answer.count, DNS_ADDRESSES_MAX);
	begin(NOERROR, "many.test", DNS_MX);
	for (unsigned i = 0; i < 600; i++)
		add_mx("many.test", 600 - i, "x.test");
	answer = parse(DNS_MX, "many.test");
	ck_assert_uint_eq(answer.count, DNS_EXCHANGERS_MAX);
}
END_TEST

/* Times to live */

static const struct {
	unsigned long ttl;
	unsigned ttl_s;
} ttls[] = {
    {0, 1},
    {1, 1},
    {3600, 3600},
    {3601, 3600},
    {604800, 3600},
    {0x7fffffff, 3600},
    {0x80000000, 1},
    {0xffffffff, 1},
};

START_TEST(ttl)
{
	begin(NOERROR, "a.test", DNS_A);
	add_a("a.test", ttls[_i].ttl, 0xc0000201);
	ck_assert_uint_eq(parse(DNS_A, "a.test").ttl_s, ttls[_i].ttl_s);
}
END_TEST

START_TEST(negative_ttl)
{
	struct dns_answer answer;

	begin(NXDOMAIN, "a.test", DNS_A);
	answer = parse(DNS_A, "a.test");
	ck_assert_int_eq(answer.status, DNS_NO_NAME);
	ck_assert_uint_eq(answer.ttl_s, DNS_TTL_NEGATIVE_S);
	begin(NXDOMAIN, "a.test", DNS_A);
	add_soa(500, 30);
	ck_assert_uint_eq(parse(DNS_A, "a.test").ttl_s, 30);
	begin(NOERROR, "a.test", DNS_A);
	add_soa(20, 30);
	answer = parse(DNS_A, "a.test");
	ck_assert_int_eq(answer.status, DNS_NO_DATA);
	ck_assert_uint_eq(answer.ttl_s, 20);
	begin(NOERROR, "a.test", DNS_A);
	add_soa(86400, 86400);
	ck_assert_uint_eq(parse(DNS_A, "a.test").ttl_s, DNS_TTL_MAX_S);
}
END_TEST

/* Packets that are not to be understood */

START_TEST(response_codes)
{
	for (unsigned rcode = 1; rcode < 16; rcode++) {
		begin(rcode, "a.test", DNS_A);
		ck_assert_int_eq(parse(DNS_A, "a.test").status,
		    rcode == NXDOMAIN ? DNS_NO_NAME : DNS_BROKEN);
	}
}
END_TEST

START_TEST(truncated_everywhere)
{
	size_t whole;

	begin(NOERROR, "a.test", DNS_A);
	add_name("a.test", CNAME, 300, "b.test");
	add_a("b.test", 300, 0xc0000201);
	whole = packet.len;
	ck_assert_int_eq(parse(DNS_A, "a.test").status, DNS_FOUND);
	for (size_t len = 0; len < whole; len++) {
		packet.len = len;
		ck_assert_int_eq(parse(DNS_A, "a.test").status, DNS_BROKEN);
	}
}
END_TEST

/* An answer record whose owner is at the end a pointer to `to`. */
static struct dns_answer
parse_pointing(unsigned to)
{
	begin(NOERROR, "a.test", DNS_A);
	count_record(6);
	put_number(0xc000 | to, 2);
	put_number(DNS_A, 2);
	put_number(IN, 2);
	put_number(300, 4);
	put_number(4, 2);
	put_number(0xc0000201, 4);
	return parse(DNS_A, "a.test");
}

START_TEST(compression)
{
	unsigned here = 12 + 8 + 4;

	ck_assert_int_eq(parse_pointing(12).status, DNS_FOUND);
	/* To itself, forwards, and behind the end. */
	ck_assert_int_eq(parse_pointing(here).status, DNS_BROKEN);
	ck_assert_int_eq(parse_pointing(here + 2).status, DNS_BROKEN);
	ck_assert_int_eq(parse_pointing(0x3fff).status, DNS_BROKEN);
}
END_TEST

START_TEST(pointers_in_a_circle)
{
	begin(NOERROR, "a.test", DNS_A);
	count_record(6);
	put("\1x\xc0\x1c\1y\xc0\x18", 8);
	put("\0\1\0\1\0\0\0\1\0\4\1\2\3\4", 14);
	ck_assert_int_eq(parse(DNS_A, "a.test").status, DNS_BROKEN);
}
END_TEST

START_TEST(name_too_long)
{
	char name[300];

	memset(name, 'x', sizeof(name));
	for (size_t i = 50; i < sizeof(name); i += 51)
		name[i] = '.';
	name[254] = '\0';
	begin(NOERROR, "a.test", DNS_A);
	add_a(name, 300, 0xc0000201);
	ck_assert_int_eq(parse(DNS_A, "a.test").status, DNS_BROKEN);
	name[253] = '\0';
	begin(NOERROR, name, DNS_A);
	add_a(name, 300, 0xc0000201);
	ck_assert_int_eq(parse(DNS_A, name).status, DNS_FOUND);
}
END_TEST

START_TEST(wrong_lengths_of_data)
{
	struct dns_answer answer;

	begin(NOERROR, "a.test", DNS_A);
	begin_record("a.test", DNS_A, 300, 5);
	put("\1\2\3\4\5", 5);
	begin_record("a.test", DNS_A, 300, 0);
	add_a("a.test", 300, 0xc0000201);
	answer = parse(DNS_A, "a.test");
	check_values(&answer, "192.0.2.1");

	/* A name that ends before or behind its data. */
	begin(NOERROR, "a.test", DNS_MX);
	add_mx("a.test", 1, "x.test");
	put("\0", 1);
	set_data_len(packet.len - 11);
	answer = parse(DNS_MX, "a.test");
	ck_assert_uint_eq(answer.count, 0);

	begin(NOERROR, "a.test", DNS_MX);
	begin_record("a.test", DNS_MX, 300, 1);
	put("\1", 1);
	answer = parse(DNS_MX, "a.test");
	ck_assert_int_eq(answer.status, DNS_FOUND);
	ck_assert_uint_eq(answer.count, 0);
}
END_TEST

START_TEST(record_counts_that_lie)
{
	begin(NOERROR, "a.test", DNS_A);
	add_a("a.test", 300, 0xc0000201);
	packet.data[6] = 0xff;
	ck_assert_int_eq(parse(DNS_A, "a.test").status, DNS_BROKEN);
	begin(NOERROR, "a.test", DNS_A);
	packet.data[4] = 0xff;
	ck_assert_int_eq(parse(DNS_A, "a.test").status, DNS_BROKEN);
}
END_TEST

START_TEST(other_classes_do_not_count)
{
	begin(NOERROR, "a.test", DNS_A);
	add_a("a.test", 300, 0xc0000201);
	packet.data[packet.len - 11] = 3;
	ck_assert_int_eq(parse(DNS_A, "a.test").status, DNS_NO_DATA);
}
END_TEST

static unsigned
next_random(unsigned *state)
{
	*state = *state * 1103515245 + 12345;
	return *state >> 8;
}

static void
check_sane(const struct dns_answer *answer, enum dns_type type)
{
	ck_assert(answer->ttl_s >= 1 && answer->ttl_s <= DNS_TTL_MAX_S);
	ck_assert_uint_le(answer->count, DNS_ADDRESSES_MAX);
	if (type == DNS_MX || type == DNS_PTR) {
		for (size_t i = 0; i < answer->count; i++) {
			slice name = answer->values[i];

			ck_assert(name.len == 0 || slice_eq(name, SLICE(".")) ||
				  dns_is_host_name(name));
		}
	}
	if (answer->status != DNS_FOUND)
		ck_assert_uint_eq(answer->count, 0);
}

#ifdef __SANITIZE_THREAD__
enum { MUTATIONS = 4000 }; /* it has one thread */
#elif defined(__SANITIZE_ADDRESS__)
enum { MUTATIONS = 20000 };
#else
enum { MUTATIONS = 40000 };
#endif

/* Whatever bytes change, the parser ends, within the packet, with an answer
 * that keeps its word. */
START_TEST(mutations)
{
	static const enum dns_type types[] = {DNS_A, DNS_AAAA, DNS_MX, DNS_PTR};
	unsigned random = 4711;

	for (int round = 0; round < MUTATIONS; round++) {
		enum dns_type type = types[round % 4];
		struct dns_answer answer;

		begin(NOERROR, "a.test", type);
		add_name("a.test", CNAME, 300, "b.test");
		add_a("b.test", 300, 0xc0000201);
		add_mx("b.test", 10, "mail.test");
		add_name("b.test", DNS_PTR, 300, "c.test");
		add_soa(300, 60);
		for (unsigned i = next_random(&random) % 12; i > 0; i--)
			packet.data[next_random(&random) % packet.len] =
			    (unsigned char)next_random(&random);
		if (next_random(&random) % 4 == 0)
			packet.len = next_random(&random) % packet.len;
		answer = parse(type, "a.test");
		check_sane(&answer, type);
		arena_reset(arena);
	}
}
END_TEST

/* Copies and names */

START_TEST(copy_is_whole)
{
	struct dns_answer answer;
	struct dns_answer *copy;
	void *memory;

	begin(NOERROR, "a.test", DNS_MX);
	add_mx("a.test", 10, "b.test");
	add_mx("a.test", 20, "c.test");
	answer = parse(DNS_MX, "a.test");
	memory = malloc(dns_answer_size(&answer));
	copy = dns_answer_copy(memory, &answer);
	arena_reset(arena);
	memset(arena_alloc(arena, 4000), 'x', 4000);
	check_values(copy, "b.test c.test");
	check_canonical(*copy, "a.test");
	ck_assert_uint_eq(copy->ttl_s, 300);
	free(memory);
}
END_TEST

START_TEST(host_names)
{
	static const char *const good[] = {
	    "a", "a.b", "1.2.3", "x-y.z_w", "1.2.3.4.5"};
	static const char *const bad[] = {
	    "", ".", "a.", ".a", "a..b", "a b", "1.2.3.4", "-a", "a\x7f"};

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		ck_assert_msg(
		    dns_is_host_name(slice_from_cstr(good[i])), "%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ck_assert_msg(
		    !dns_is_host_name(slice_from_cstr(bad[i])), "%s", bad[i]);
}
END_TEST

static void
set_up(void)
{
	arena = arena_new(0);
}

static void
tear_down(void)
{
	arena_free(arena);
}

static TCase *
case_of(Suite *suite, const char *name)
{
	TCase *tcase = tcase_create(name);

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	return tcase;
}

static Suite *
dns_answer_suite(void)
{
	Suite *suite = suite_create("dns_answer");
	TCase *records = case_of(suite, "records");
	TCase *aliases = case_of(suite, "aliases");
	TCase *times = case_of(suite, "times");
	TCase *broken = case_of(suite, "broken");
	TCase *rest = case_of(suite, "rest");

	tcase_add_test(records, addresses);
	tcase_add_test(records, ipv6_addresses);
	tcase_add_test(records, exchangers_in_order);
	tcase_add_test(records, null_exchanger);
	tcase_add_loop_test(
	    records, pointer, 0, (int)(sizeof(pointers) / sizeof(*pointers)));
	tcase_add_test(records, first_pointer_counts);
	tcase_add_test(records, classless_pointer);
	tcase_add_test(records, numbers_are_bounded);
	tcase_add_test(aliases, aliases_in_any_order);
	tcase_add_test(aliases, chains_have_a_limit);
	tcase_add_test(aliases, alias_loop);
	tcase_add_test(aliases, dangling_alias);
	tcase_add_test(aliases, alias_only);
	tcase_add_test(aliases, alias_to_an_unspeakable_name);
	tcase_add_loop_test(times, ttl, 0, (int)(sizeof(ttls) / sizeof(*ttls)));
	tcase_add_test(times, negative_ttl);
	tcase_add_test(broken, response_codes);
	tcase_add_test(broken, truncated_everywhere);
	tcase_add_test(broken, compression);
	tcase_add_test(broken, pointers_in_a_circle);
	tcase_add_test(broken, name_too_long);
	tcase_add_test(broken, wrong_lengths_of_data);
	tcase_add_test(broken, record_counts_that_lie);
	tcase_add_test(broken, other_classes_do_not_count);
	tcase_add_test(broken, mutations);
	tcase_add_test(rest, copy_is_whole);
	tcase_add_test(rest, host_names);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(dns_answer_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
