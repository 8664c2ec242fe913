/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/decode.h"

#include "base/strbuf.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))
#define MB ((size_t)1024 * 1024)

static struct arena *arena;

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

/* The table of RFC 2047, 8, as far as it is of encoded words in text, and its
 * headers. */
static const struct {
	const char *header;
	const char *decoded;
} headers[] = {
    {"Subject: =?ISO-8859-1?Q?a?=\n\n", "Subject: a\n\n"},
    {"Subject: =?ISO-8859-1?Q?a?= b\n\n", "Subject: a b\n\n"},
    {"Subject: =?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=\n\n", "Subject: ab\n\n"},
    {"Subject: =?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=\n\n", "Subject: ab\n\n"},
    {"Subject: =?ISO-8859-1?Q?a?=\n  =?ISO-8859-1?Q?b?=\n\n",
	"Subject: ab\n\n"},
    {"Subject: =?ISO-8859-1?Q?a_b?=\n\n", "Subject: a b\n\n"},
    {"From: =?US-ASCII?Q?Keith_Moore?= <moore@cs.utk.edu>\n\n",
	"From: Keith Moore <moore@cs.utk.edu>\n\n"},
    {"To: =?ISO-8859-1?Q?Keld_J=F8rn_Simonsen?= <keld@dkuug.dk>\n\n",
	"To: Keld J\xc3\xb8rn Simonsen <keld@dkuug.dk>\n\n"},
    {"CC: =?ISO-8859-1?Q?Andr=E9?= Pirard <PIRARD@vm1.ulg.ac.be>\n\n",
	"CC: Andr\xc3\xa9 Pirard <PIRARD@vm1.ulg.ac.be>\n\n"},
    {"Subject: =?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\n"
     " =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=\n\n",
	"Subject: If you can read this you understand the example.\n\n"},
    /* What is no encoded word, and what is none of a field's business. */
    {"Subject: plain\nX: a\n\tb\n\n", "Subject: plain\nX: a \tb\n\n"},
    {"Subject: =?x\n\n", "Subject: =?x\n\n"},
    {"Subject: =?nobody-knows?q?a?=\nX: y\n\n", NULL},
    {"A: =?utf-8?q?=0AX-Spam:_no?=\n\n", "A:  X-Spam: no\n\n"},
    {"A: =?utf-8?b?YQ0KWC1TcGFtOiBubw==?=\n\n", "A: a  X-Spam: no\n\n"},
    {"\n", "\n"},
    {"", ""},
};

START_TEST(headers_are_decoded)
{
	slice got = decode_header(arena, slice_from_cstr(headers[_i].header));

	if (headers[_i].decoded != NULL)
		ck_assert_msg(
		    slice_eq(got, slice_from_cstr(headers[_i].decoded)),
		    "%s: %.*s", headers[_i].header, SLICE_ARG(got));
	ck_assert_uint_gt(got.len + (headers[_i].header[0] == '\0'), 0);
}
END_TEST

#define MIXED                                                                  \
	"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"x "      \
	"y\"\n\n"

static const struct {
	const char *header;
	const char *body;
	const char *decoded;
} bodies[] = {
    {"A: b\n\n", "plain\n", "plain\n"},
    {"A: b\n\n", "no end", "no end\n"},
    {"A: b\n\n", "", ""},
    {"A: b\n\n", "\xff\xfe\n", "\xff\xfe\n"},
    {"Content-Transfer-Encoding: base64\n\n", "aGFsbG8NCndlbHQNCg==\n",
	"hallo\nwelt\n"},
    {"Content-Transfer-Encoding: quoted-printable\n\n", "a=3Db=\nc =41\n",
	"a=bc A\n"},
    {"Content-Type: text/plain; charset=iso-8859-1\n"
     "Content-Transfer-Encoding: quoted-printable\n\n",
	"J=F8rn\n", "J\xc3\xb8rn\n"},
    {"Content-Type: text/plain; charset=windows-1252\n\n", "\x80 5\n",
	"\xe2\x82\xac 5\n"},
    {"Content-Type: text/html; charset=utf-8\n"
     "Content-Transfer-Encoding: base64\n\n",
	"PGI+w6Q8L2I+\n", "<b>\xc3\xa4</b>\n"},
    {"Content-Type: text/plain; charset=nobody-knows\n\n", "a\xe4\n",
	"a\xe4\n"},
    {"Content-Type: application/pdf\nContent-Transfer-Encoding: base64\n\n",
	"aGFsbG8=\n", ""},
    {MIXED,
	"before\n--x y\n\none\n--x y\nContent-Type: image/png\n\nnone\n"
	"--x y\nContent-Type: text/plain\nContent-Transfer-Encoding: base64\n\n"
	"dHdv\n--x y--\nafter\n",
	"one\ntwo\n"},
    {MIXED,
	"--x y\nContent-Type: multipart/alternative; boundary=z\n\n"
	"--z\n\ninner\n--z--\n--x y\n\nouter\n--x y--\n",
	"inner\nouter\n"},
    {MIXED, "--x y\n\nnever ended", "never ended\n"},
    {MIXED,
	"--x y\nContent-Type: message/rfc822\n\nSubject: inner\n"
	"Content-Transfer-Encoding: base64\n\naW5uZXI=\n--x y--\n",
	"inner\n"},
    {"Content-Type: multipart/mixed\n\n", "text\n", NULL},
    {"Content-Type: ;;;=\"\n\n", "text\n", NULL},
    {"Content-Transfer-Encoding: base64\n\n", "!!!! not base64 ****\n", NULL},
    {"Content-Transfer-Encoding: quoted-printable\n\n", "=\n=Z=4", NULL},
};

START_TEST(bodies_are_decoded)
{
	slice got = decode_area(NULL, arena, slice_from_cstr(bodies[_i].header),
	    slice_from_cstr(bodies[_i].body), true);

	if (bodies[_i].decoded != NULL)
		ck_assert_msg(
		    slice_eq(got, slice_from_cstr(bodies[_i].decoded)),
		    "%s%s: %.*s", bodies[_i].header, bodies[_i].body,
		    SLICE_ARG(got));
}
END_TEST

static double
seconds(const struct timespec *from)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)(now.tv_sec - from->tv_sec) +
	       (double)(now.tv_nsec - from->tv_nsec) / 1e9;
}

/* Parts in parts, ten thousand deep, and as many messages in messages. */
static const char *const nests[] = {
    "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n",
    "Content-Type: message/rfc822\n\n",
    "Content-Type: multipart/mixed; BOUNDARY*=''b%d\n\n--b%d\n",
};

START_TEST(nests_end_at_a_limit)
{
	struct strbuf body;
	struct timespec from;
	slice got;

	strbuf_init(&body, arena);
	for (int i = 0; i < 10000; i++)
		strbuf_printf(&body, nests[_i], i, i);
	strbuf_add(&body, SLICE("\ndeep inside\n"));
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	got = decode_body(arena,
	    SLICE("Content-Type: multipart/mixed; boundary=b\n\n"),
	    arena_join(arena, SLICE("--b\n"), strbuf_slice(&body), SLICE("")),
	    NULL);
	ck_assert_msg(seconds(&from) < 10, "%f s", seconds(&from));
	ck_assert_uint_le(got.len, 8 * MB);
}
END_TEST

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { FLOOD_MB = 25 };
#else
enum { FLOOD_MB = 100 };
#endif

/* Of ends of parts that are none, of text, and of a line. */
static const char *const floods[] = {"--\n", "=?utf-8?q?=41?= ", "a", "--b\n\n",
    "--b\nContent-Type: text/a\n\n", "boundary"};

START_TEST(floods_end_at_a_limit)
{
	size_t unit = strlen(floods[_i]);
	size_t len = FLOOD_MB * MB / unit * unit;
	char *text = malloc(len);
	struct timespec from;
	slice got;

	ck_assert_ptr_nonnull(text);
	for (size_t at = 0; at < len; at += unit)
		memcpy(text + at, floods[_i], unit);
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	got = decode_body(arena,
	    SLICE("Content-Type: multipart/mixed; boundary=b\n\n"),
	    (slice){text, len}, NULL);
	ck_assert_uint_le(got.len, 8 * MB + 1);
	got = decode_body(arena, SLICE("A: b\n\n"), (slice){text, len}, NULL);
	ck_assert_uint_le(got.len, 8 * MB + 1);
	got = decode_header(arena, slice_first((slice){text, len}, MB));
	ck_assert_uint_le(got.len, 4 * MB);
	ck_assert_msg(seconds(&from) < 20, "%f s", seconds(&from));
	ck_assert_uint_lt(arena_size(arena), 100 * MB);
	free(text);
}
END_TEST

START_TEST(limits_can_be_less)
{
	struct decode_limits limits = {.output = 10, .parts = 2};
	slice body = SLICE("--x y\n\n1\n--x y\n\n2\n--x y\n\n3\n--x y--\n");
	slice got = decode_body(arena, slice_from_cstr(MIXED), body, &limits);

	ck_assert_msg(slice_eq(got, SLICE("1\n2\n")), "%.*s", SLICE_ARG(got));
	got = decode_body(
	    arena, SLICE("A: b\n\n"), SLICE("0123456789abcdef\n"), &limits);
	ck_assert_msg(
	    slice_eq(got, SLICE("0123456789\n")), "%.*s", SLICE_ARG(got));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("decode");
	TCase *tcase = tcase_create("decode");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, headers_are_decoded, 0, ROWS(headers));
	tcase_add_loop_test(tcase, bodies_are_decoded, 0, ROWS(bodies));
	tcase_add_loop_test(tcase, nests_end_at_a_limit, 0, ROWS(nests));
	tcase_add_loop_test(tcase, floods_end_at_a_limit, 0, ROWS(floods));
	tcase_add_test(tcase, limits_can_be_less);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
