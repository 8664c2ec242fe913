/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The maillog, read at the other end of a socket of the test's own: what the
 * lines look like, what hostile text can do to them, and what happens when the
 * log daemon stands still, restarts or is not there.
 */
#include "milter/log.h"
#include "milter/log_lines.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

enum { LINE_SIZE = 4096 };

static char directory[] = "/tmp/milterd-log-XXXXXX";
static char path[sizeof(directory) + 8];
static struct arena *arena;

static void
make_directory(void)
{
	memcpy(directory + sizeof(directory) - 7, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(directory));
	(void)snprintf(path, sizeof(path), "%s/log", directory);
	arena = arena_new(0);
}

static void
remove_directory(void)
{
	log_stop();
	(void)unlink(path);
	(void)rmdir(directory);
	arena_free(arena);
}

/* A log daemon: binds the path anew. */
static int
daemon_start(void)
{
	struct timeval patience = {.tv_sec = 5};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	memcpy(address.sun_path, path, strlen(path) + 1);
	(void)unlink(path);
	ck_assert_int_eq(
	    bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	(void)setsockopt(
	    fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

static void
log_to_path(void)
{
	struct log_options options = {
	    .facility = SLICE("mail"), .level = 9, .socket_path = path};
	struct error error;

	ck_assert_msg(log_start(&options, &error), "%s", error.text);
}

/* One datagram; false when none came in time. */
static bool
read_line(int fd, char *line)
{
	ssize_t len = recv(fd, line, LINE_SIZE - 1, 0);

	if (len < 0)
		return false;
	line[len] = '\0';
	return true;
}

static bool
matches(const char *text, const char *pattern)
{
	regex_t regex;
	bool hit;

	ck_assert_int_eq(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
	hit = regexec(&regex, text, 0, NULL, 0) == 0;
	regfree(&regex);
	return hit;
}

/* The text behind "<PRI>stamp milterd[pid]: ". */
static const char *
text_of(const char *line)
{
	const char *end = strstr(line, "]: ");

	ck_assert_msg(matches(line, "^<[0-9]+>[JFMASOND][a-z][a-z] [ 1-3][0-9] "
				    "[0-2][0-9]:[0-5][0-9]:[0-6][0-9] "
				    "milterd\\[[0-9]+\\]: "),
	    "%s", line);
	return end + 3;
}

/* Logs one decision and returns its line's text. */
static const char *
text_of_decision(const struct log_decision *decision)
{
	static char line[LINE_SIZE];
	int fd = daemon_start();

	log_to_path();
	log_verdict(arena, decision);
	ck_assert_msg(read_line(fd, line), "no line");
	log_stop();
	(void)close(fd);
	return text_of(line);
}

static const struct client good_client = {
    .address = SLICE_INIT("192.0.2.7"),
    .name = SLICE_INIT("mail.good.test"),
    .ptr = SLICE_INIT("mail.good.test"),
    .resolve = RESOLVE_OK,
};
static const struct client forged_client = {
    .address = SLICE_INIT("192.0.2.7"),
    .name = SLICE_INIT("[192.0.2.7]"),
    .ptr = SLICE_INIT("mail.good.test"),
    .resolve = RESOLVE_FORGED,
};
static const struct client nameless_client = {
    .address = SLICE_INIT("IPv6:2001:db8:0:0:0:0:0:1"),
    .name = SLICE_INIT("[IPv6:2001:db8:0:0:0:0:0:1]"),
    .resolve = RESOLVE_FAIL,
};

static struct verdict
denied(slice about)
{
	return (struct verdict){
	    .kind = VERDICT_REJECT,
	    .code = 550,
	    .enhanced = SLICE("5.7.1"),
	    .text = SLICE("Relaying denied"),
	    .about = about,
	    .rule = "check_rcpt",
	};
}

/* Escaping */

static const struct {
	const char *text;
	const char *escaped;
	size_t limit;
} escapes[] = {
    {"<x@y>", "<x@y>", 100},
    {"x@y", "x@y", 100},
    {"<user+detail@y>", "<user+detail@y>", 100},
    {"<>", "<>", 100},
    {"", "", 100},
    {"<x y@z>", "<x+20y@z>", 100},
    {"<a,b=c@z>", "<a+2Cb+3Dc@z>", 100},
    {"<<x>@y>", "<+3Cx+3E@y>", 100},
    {"<x", "+3Cx", 100},
    {"x>", "x+3E", 100},
    {"<x\n\r\t\x7f@y>", "<x+0A+0D+09+7F@y>", 100},
    {"<\xc3\xa9@y>", "<+C3+A9@y>", 100},
    {"<x@[192.0.2.1]>", "<x@[192.0.2.1]>", 100},
    {"<abcdefgh>", "<abcdefgh>", 10},
    {"<abcdefghi>", "<abcdefgh>", 10},
    {"abcdefghi", "abcd", 4},
    {"a  b", "a+20", 6},
    {"<\"x>, relay=[198.51.100.9], reject=550 \"@b>",
	"<\"x+3E+2C+20relay+3D[198.51.100.9]+2C+20reject+3D550+20\"@b>", 100},
};

START_TEST(escape_row)
{
	slice got = log_escape(
	    arena, slice_from_cstr(escapes[_i].text), escapes[_i].limit);

	ck_assert_msg(slice_eq(got, slice_from_cstr(escapes[_i].escaped)),
	    "%s: " SLICE_FMT, escapes[_i].text, SLICE_ARG(got));
}
END_TEST

START_TEST(escape_keeps_nul)
{
	slice got = log_escape(arena, SLICE("<a\0b>"), 100);

	ck_assert(slice_eq(got, SLICE("<a+00b>")));
}
END_TEST

/* The forms of a decision */

START_TEST(relaying_denied)
{
	struct verdict verdict = denied(SLICE("<u@v.test>"));
	struct log_decision decision = {
	    .client = &forged_client,
	    .arg1 = SLICE("<u@v.test>"),
	    .verdict = &verdict,
	};

	ck_assert_str_eq(text_of_decision(&decision),
	    "NOQUEUE: ruleset=check_rcpt, arg1=<u@v.test>, "
	    "relay=mail.good.test [192.0.2.7] (may be forged), "
	    "reject=550 5.7.1 <u@v.test>... Relaying denied");
}
END_TEST

START_TEST(refused_at_connect)
{
	struct verdict verdict = {
	    .kind = VERDICT_REJECT,
	    .code = 550,
	    .enhanced = SLICE("5.7.1"),
	    .text = SLICE("Access denied"),
	    .rule = "check_relay",
	};
	struct log_decision decision = {
	    .queue_id = SLICE("4AB1C2d3000123"),
	    .client = &nameless_client,
	    .arg1 = SLICE("[IPv6:2001:db8:0:0:0:0:0:1]"),
	    .arg2 = SLICE("IPv6:2001:db8:0:0:0:0:0:1"),
	    .verdict = &verdict,
	};

	ck_assert_str_eq(text_of_decision(&decision),
	    "4AB1C2d3000123: ruleset=check_relay, "
	    "arg1=[IPv6:2001:db8:0:0:0:0:0:1], "
	    "arg2=IPv6:2001:db8:0:0:0:0:0:1, "
	    "relay=[IPv6:2001:db8:0:0:0:0:0:1], "
	    "reject=550 5.7.1 Access denied");
}
END_TEST

START_TEST(deferred)
{
	struct verdict verdict = {
	    .kind = VERDICT_DEFER,
	    .code = 451,
	    .enhanced = SLICE("4.1.8"),
	    .text = SLICE("Domain of sender address a@b does not resolve"),
	    .rule = "check_mail",
	};
	struct log_decision decision = {
	    .client = &good_client,
	    .arg1 = SLICE("<a@b>"),
	    .verdict = &verdict,
	};

	ck_assert_str_eq(text_of_decision(&decision),
	    "NOQUEUE: ruleset=check_mail, arg1=<a@b>, "
	    "relay=mail.good.test [192.0.2.7], reject=451 4.1.8 "
	    "Domain of sender address a@b does not resolve");
}
END_TEST

START_TEST(discarded)
{
	struct verdict verdict = {
	    .kind = VERDICT_DISCARD, .rule = "check_mail"};
	struct log_decision decision = {
	    .client = &good_client,
	    .arg1 = SLICE("<a@b>"),
	    .verdict = &verdict,
	};

	ck_assert_str_eq(text_of_decision(&decision),
	    "NOQUEUE: ruleset=check_mail, arg1=<a@b>, "
	    "relay=mail.good.test [192.0.2.7], discard");
}
END_TEST

START_TEST(quarantined)
{
	struct verdict verdict = {
	    .kind = VERDICT_QUARANTINE,
	    .text = SLICE("held for a look"),
	    .rule = "check_rcpt",
	};
	struct log_decision decision = {
	    .client = &good_client,
	    .arg1 = SLICE("<a@b>"),
	    .verdict = &verdict,
	};

	ck_assert_str_eq(text_of_decision(&decision),
	    "NOQUEUE: ruleset=check_rcpt, arg1=<a@b>, "
	    "relay=mail.good.test [192.0.2.7], quarantine=held for a look");
}
END_TEST

START_TEST(nothing_for_acceptance)
{
	static const enum verdict_kind silent[] = {
	    VERDICT_CONTINUE, VERDICT_ACCEPT};
	char line[LINE_SIZE];
	int fd = daemon_start();

	log_to_path();
	for (size_t i = 0; i < 2; i++) {
		struct verdict verdict = {
		    .kind = silent[i], .rule = "check_rcpt"};

		log_verdict(
		    arena, &(struct log_decision){.client = &good_client,
			       .arg1 = SLICE("<a@b>"),
			       .verdict = &verdict});
	}
	log_line(LOG_INFO, "after");
	ck_assert(read_line(fd, line));
	ck_assert_str_eq(text_of(line), "after");
	(void)close(fd);
}
END_TEST

START_TEST(forged_connection)
{
	char line[LINE_SIZE];
	int fd = daemon_start();

	log_to_path();
	log_forged(arena, SLICE(""), &forged_client);
	ck_assert(read_line(fd, line));
	ck_assert_str_eq(text_of(line),
	    "NOQUEUE: connect from mail.good.test [192.0.2.7] "
	    "(may be forged)");
	(void)close(fd);
}
END_TEST

/* Hostile text. 198.51.100.9 is the innocent address that the attacker wants
 * banned; a filter finds it wherever "relay=" introduces it. */

#define INNOCENT "198[.]51[.]100[.]9"

static void
check_innocent_is_safe(const char *text)
{
	/* As filters are written: fields found by their names, ... */
	ck_assert_msg(
	    !matches(text, "relay=([^ ,]* )?\\[" INNOCENT "\\]"), "%s", text);
	ck_assert_msg(!matches(text, "relay=.*relay="), "%s", text);
	/* ... greedily up to the last one, ... */
	ck_assert_msg(
	    !matches(text, "relay=.*\\[" INNOCENT "\\].*reject="), "%s", text);
	/* ... and by the reply's words. */
	ck_assert_msg(
	    matches(text, "^NOQUEUE: ruleset=[a-z_]+, arg1=[^ ,=]+, "
			  "relay=[^=]*\\[192[.]0[.]2[.]7\\]( \\(may be "
			  "forged\\))?, reject=[^=]*$"),
	    "%s", text);
}

static const char *const attacks[] = {
    "<\"x>, relay=[198.51.100.9], reject=550 \"@b>",
    "<\"x\\\"y\\\" z, relay=[198.51.100.9], reject=550 \"@b>",
    "<z\\\"\"x, relay=[198.51.100.9], reject=550 \"@b>",
    "<x>, relay=[198.51.100.9], reject=550 5.7.1 <x>... Relaying denied>",
    ("<\"x\nDec 31 23:59:59 mx milterd[1]: NOQUEUE: ruleset=check_rcpt, "
     "arg1=<a@b>, relay=[198.51.100.9], reject=550 5.7.1 \"@b>"),
    "<relay=[198.51.100.9]@b>",
};

START_TEST(attack_in_argument_and_reply)
{
	slice address = slice_from_cstr(attacks[_i]);
	struct verdict verdict = denied(address);
	struct log_decision decision = {
	    .client = &good_client, .arg1 = address, .verdict = &verdict};
	const char *text = text_of_decision(&decision);
	slice escaped = log_escape(arena, address, 1000);

	check_innocent_is_safe(text);
	/* Filters ask that argument and reply speak of the same address. */
	ck_assert_msg(
	    slice_has_suffix_nocase(slice_from_cstr(text),
		arena_printf(arena,
		    "reject=550 5.7.1 " SLICE_FMT "... Relaying denied",
		    SLICE_ARG(escaped))),
	    "%s", text);
}
END_TEST

START_TEST(attack_in_prose)
{
	slice address = slice_from_cstr(attacks[_i]);
	struct verdict verdict = {
	    .kind = VERDICT_REJECT,
	    .code = 553,
	    .enhanced = SLICE("5.1.8"),
	    .text = arena_printf(arena,
		"Domain of sender address " SLICE_FMT " does not exist",
		SLICE_ARG(address)),
	    .about = address,
	    .rule = "check_mail",
	};
	struct log_decision decision = {
	    .client = &good_client, .arg1 = address, .verdict = &verdict};

	check_innocent_is_safe(text_of_decision(&decision));
}
END_TEST

START_TEST(quotes_in_prose)
{
	static const struct {
		const char *text;
		const char *written;
	} rows[] = {
	    {"See <http://a.test/?b=c>, please",
		"See <http://a.test/?b+3Dc>, please"},
	    {"of \"x>, y\"@b or \"z <\"@c, gone",
		"of \"x+3E+2C+20y\"@b+20or+20\"z+20+3C\"@c, gone"},
	    {"of \"x, y", "of \"x+2C+20y"},
	    {"\"", "\""},
	    {"a\tb\xe9", "a+09b+E9"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct verdict verdict = {.kind = VERDICT_QUARANTINE,
		    .text = slice_from_cstr(rows[i].text),
		    .rule = "check_mail"};
		struct log_decision decision = {.client = &good_client,
		    .arg1 = SLICE("<>"),
		    .verdict = &verdict};
		const char *text = text_of_decision(&decision);

		ck_assert_str_eq(
		    strstr(text, "quarantine=") + 11, rows[i].written);
	}
}
END_TEST

START_TEST(attack_in_reverse_name)
{
	struct client client = forged_client;
	struct verdict verdict = denied(SLICE("<u@v>"));
	struct log_decision decision = {
	    .client = &client, .arg1 = SLICE("<u@v>"), .verdict = &verdict};

	client.ptr = SLICE("h [198.51.100.9], reject=550\n<x>");
	ck_assert_str_eq(text_of_decision(&decision),
	    "NOQUEUE: ruleset=check_rcpt, arg1=<u@v>, "
	    "relay=h+20+5B198.51.100.9+5D+2C+20reject+3D550+0A+3Cx+3E "
	    "[192.0.2.7] (may be forged), "
	    "reject=550 5.7.1 <u@v>... Relaying denied");
}
END_TEST

START_TEST(attack_in_queue_id)
{
	struct verdict verdict = denied(SLICE("<u@v>"));
	struct log_decision decision = {
	    .queue_id = SLICE("a b=\n"),
	    .client = &good_client,
	    .arg1 = SLICE("<u@v>"),
	    .verdict = &verdict,
	};

	ck_assert(matches(
	    text_of_decision(&decision), "^a[+]20b[+]3D[+]0A: ruleset="));
}
END_TEST

START_TEST(line_has_no_controls)
{
	char line[LINE_SIZE];
	int fd = daemon_start();

	log_to_path();
	log_line(LOG_INFO, "a\nb\tc\x1b[0m%c", '\r');
	ck_assert(read_line(fd, line));
	ck_assert_str_eq(text_of(line), "a+0Ab+09c+1B[0m+0D");
	(void)close(fd);
}
END_TEST

/* Length */

static slice
repeated(char c, size_t len)
{
	char *p = arena_alloc(arena, len);

	memset(p, c, len);
	return (slice){p, len};
}

START_TEST(address_is_cut_before_reply)
{
	slice address = arena_printf(
	    arena, "<" SLICE_FMT "@v>", SLICE_ARG(repeated('x', 5000)));
	struct verdict verdict = denied(address);
	struct log_decision decision = {
	    .client = &good_client, .arg1 = address, .verdict = &verdict};
	const char *text = text_of_decision(&decision);

	ck_assert_uint_le(strlen(text), 1000);
	ck_assert_uint_gt(strlen(text), 400);
	ck_assert_msg(matches(text, "arg1=<x+>, relay=mail.good.test "
				    "\\[192.0.2.7\\], reject=550 5.7.1 "
				    "<x+>[.]{3} Relaying denied$"),
	    "%s", text);
}
END_TEST

START_TEST(longest_reply_is_cut_last)
{
	struct verdict verdict = denied(SLICE(""));
	struct log_decision decision = {
	    .client = &good_client,
	    .arg1 = arena_printf(
		arena, "<" SLICE_FMT ">", SLICE_ARG(repeated('\n', 5000))),
	    .verdict = &verdict,
	};
	const char *text;

	verdict.text = repeated('y', 2000);
	text = text_of_decision(&decision);
	ck_assert_uint_eq(strlen(text), 1000);
	ck_assert_msg(matches(text, "^NOQUEUE: ruleset=check_rcpt, "
				    "arg1=<([+]0A)+>, relay=mail.good.test "
				    "\\[192.0.2.7\\], reject=550 5.7.1 y+$"),
	    "%s", text);
}
END_TEST

START_TEST(long_line_is_cut)
{
	char line[LINE_SIZE];
	int fd = daemon_start();

	log_to_path();
	log_line(LOG_INFO, SLICE_FMT, SLICE_ARG(repeated('z', 3000)));
	log_line(LOG_INFO, SLICE_FMT, SLICE_ARG(repeated('\n', 3000)));
	ck_assert(read_line(fd, line));
	ck_assert_uint_eq(strlen(text_of(line)), 1000);
	ck_assert(read_line(fd, line));
	ck_assert_uint_eq(strlen(text_of(line)), 999);
	(void)close(fd);
}
END_TEST

/* Priorities and levels */

START_TEST(priority_and_facility)
{
	struct log_options options = {
	    .facility = SLICE("LOCAL3"), .level = 9, .socket_path = path};
	char line[LINE_SIZE];
	int fd = daemon_start();

	ck_assert(log_start(&options, NULL));
	log_line(LOG_ERR, "x");
	ck_assert(read_line(fd, line));
	/* 19 * 8 + 3, RFC 3164 4.1.1 */
	ck_assert_msg(strncmp(line, "<155>", 5) == 0, "%s", line);
	(void)close(fd);
}
END_TEST

START_TEST(unknown_facility)
{
	struct log_options options = {
	    .facility = SLICE("mial"), .socket_path = path};
	struct error error;

	ck_assert(!log_start(&options, &error));
	ck_assert_str_eq(error.text, "unknown syslog facility \"mial\"");
}
END_TEST

START_TEST(levels)
{
	static const struct {
		int level;
		const char *lines;
	} rows[] = {{0, ""}, {1, "e"}, {2, "ew"}, {3, "ewn"}, {5, "ewni"},
	    {9, "ewni"}, {10, "ewnid"}};
	int fd = daemon_start();

	log_to_path();
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char line[LINE_SIZE];
		char got[8] = "";

		log_set_level(rows[i].level);
		log_line(LOG_ERR, "e");
		log_line(LOG_WARNING, "w");
		log_line(LOG_NOTICE, "n");
		log_line(LOG_INFO, "i");
		log_line(LOG_DEBUG, "d");
		log_set_level(1);
		log_line(LOG_ERR, ".");
		for (;;) {
			ck_assert(read_line(fd, line));
			if (*text_of(line) == '.')
				break;
			strncat(got, text_of(line), 1);
		}
		ck_assert_msg(strcmp(got, rows[i].lines) == 0, "level %d: %s",
		    rows[i].level, got);
	}
	(void)close(fd);
}
END_TEST

/* Standard error */

/* Sends standard error into a pipe until stderr_back(). */
static int saved_stderr;

static int
stderr_to_pipe(void)
{
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	saved_stderr = dup(STDERR_FILENO);
	(void)dup2(ends[1], STDERR_FILENO);
	(void)close(ends[1]);
	return ends[0];
}

static void
stderr_back(void)
{
	(void)dup2(saved_stderr, STDERR_FILENO);
	(void)close(saved_stderr);
}

START_TEST(to_standard_error)
{
	struct log_options options = {.facility = SLICE("mail"),
	    .level = 9,
	    .to_stderr = true,
	    .socket_path = path};
	char got[LINE_SIZE] = "";
	int fd = stderr_to_pipe();
	ssize_t len;

	log_set_level(9);
	log_line(LOG_INFO, "before");
	ck_assert(log_start(&options, NULL));
	log_line(LOG_INFO, "during");
	log_stop();
	log_line(LOG_INFO, "after");
	stderr_back();
	len = read(fd, got, sizeof(got) - 1);
	ck_assert_int_gt(len, 0);
	ck_assert_msg(matches(got, "^milterd: before\n[^\n]* "
				   "milterd\\[[0-9]+\\]: during\n"
				   "milterd: after\n$"),
	    "%s", got);
	(void)close(fd);
}
END_TEST

/* Threads */

enum { WRITERS = 4, LINES_EACH = 1500 };

static void *
write_many(void *context)
{
	long writer = *(const long *)context;

	for (int i = 0; i < LINES_EACH; i++)
		log_line(LOG_INFO, "writer %ld line %d", writer, i);
	return NULL;
}

START_TEST(many_writers)
{
	int next[WRITERS] = {0};
	long numbers[WRITERS];
	pthread_t threads[WRITERS];
	char line[LINE_SIZE];
	int fd = daemon_start();

	log_to_path();
	for (long i = 0; i < WRITERS; i++) {
		numbers[i] = i;
		(void)pthread_create(
		    &threads[i], NULL, write_many, &numbers[i]);
	}
	for (int i = 0; i < WRITERS * LINES_EACH; i++) {
		long writer = -1;
		int number = -1;

		ck_assert(read_line(fd, line));
		ck_assert_int_eq(sscanf(text_of(line), "writer %ld line %d",
				     &writer, &number),
		    2);
		ck_assert(writer >= 0 && writer < WRITERS);
		ck_assert_int_eq(number, next[writer]++);
	}
	for (int i = 0; i < WRITERS; i++)
		(void)pthread_join(threads[i], NULL);
	ck_assert_uint_eq(log_dropped(), 0);
	(void)close(fd);
}
END_TEST

/* A log daemon that fails */

enum { STALLED_LINES = 100000 };

static long long
now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (long long)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int
compare_longs(const void *a, const void *b)
{
	long x = *(const long *)a;
	long y = *(const long *)b;

	return (x > y) - (x < y);
}

/* Reads up to the line "end"; counts lines, and adds what lines say was
 * dropped. The numbers must rise. */
static void
read_to_end(int fd, unsigned long *ret_lines, unsigned long *ret_told)
{
	char line[LINE_SIZE];
	long last = -1;

	*ret_lines = *ret_told = 0;
	for (;;) {
		unsigned long told;
		long number;

		ck_assert_msg(read_line(fd, line), "no more lines");
		if (strcmp(text_of(line), "end") == 0)
			return;
		if (sscanf(text_of(line), "%lu log lines dropped", &told) ==
		    1) {
			*ret_told += told;
			continue;
		}
		ck_assert_int_eq(sscanf(text_of(line), "line %ld", &number), 1);
		ck_assert_int_gt(number, last);
		last = number;
		(*ret_lines)++;
	}
}

START_TEST(stalled_daemon_stops_nobody)
{
	long *took = malloc(STALLED_LINES * sizeof(*took));
	struct timespec nap = {.tv_nsec = 300000000};
	unsigned long lines;
	unsigned long told;
	unsigned long dropped;
	char line[LINE_SIZE];
	int fd = daemon_start();

	log_to_path();
	for (long i = 0; i < STALLED_LINES; i++) {
		long long before = now_ns();

		log_line(LOG_INFO, "line %ld of a busy day", i);
		took[i] = (long)(now_ns() - before);
	}
	dropped = log_dropped();
	ck_assert_uint_gt(dropped, STALLED_LINES / 2);
	qsort(took, STALLED_LINES, sizeof(*took), compare_longs);
	printf("stalled log daemon: a line took %ld ns (median), "
	       "%ld ns (p99), %ld ns (worst)\n",
	    took[STALLED_LINES / 2], took[STALLED_LINES / 100 * 99],
	    took[STALLED_LINES - 1]);
	ck_assert_int_lt(took[STALLED_LINES / 100 * 99], 1000000);
	free(took);

	/* It comes back to life: a reader in this thread, and room for one
	 * more line only after a few have been read. */
	for (int i = 0; i < 100; i++) {
		ck_assert(read_line(fd, line));
		(void)text_of(line);
	}
	(void)nanosleep(&nap, NULL);
	log_line(LOG_INFO, "end");
	read_to_end(fd, &lines, &told);
	ck_assert_uint_eq(log_dropped(), dropped);
	ck_assert_uint_eq(told, dropped);
	ck_assert_uint_eq(lines + 100 + dropped, STALLED_LINES);
	/* Told once, and never again. */
	log_line(LOG_INFO, "after");
	ck_assert(read_line(fd, line));
	ck_assert_str_eq(text_of(line), "after");
	(void)close(fd);
}
END_TEST

START_TEST(drops_are_told_without_a_further_line)
{
	struct timeval short_patience = {.tv_usec = 400000};
	unsigned long told = 0;
	unsigned long lines = 0;
	char line[LINE_SIZE];
	int fd = daemon_start();

	log_to_path();
	for (int i = 0; i < 20000; i++)
		log_line(LOG_INFO, "line %d", i);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &short_patience,
	    sizeof(short_patience));
	while (read_line(fd, line)) {
		unsigned long count;

		if (sscanf(text_of(line), "%lu log lines dropped", &count) == 1)
			told += count;
		else
			lines++;
	}
	ck_assert_uint_gt(told, 0);
	ck_assert_uint_eq(told, log_dropped());
	ck_assert_uint_eq(lines + told, 20000);
	(void)close(fd);
}
END_TEST

START_TEST(stop_waits_a_second_at_most)
{
	long long before;
	unsigned long queued;
	char line[LINE_SIZE];
	char told[LINE_SIZE] = "";
	struct timeval no_patience = {.tv_usec = 100000};
	int fd = daemon_start();
	int err = stderr_to_pipe();
	unsigned long received = 0;

	log_to_path();
	for (int i = 0; i < 1000; i++)
		log_line(LOG_INFO, "line %d", i);
	before = now_ns();
	log_stop();
	ck_assert_int_lt((now_ns() - before) / 1000000, 1500);
	ck_assert_int_gt((now_ns() - before) / 1000000, 900);
	stderr_back();
	(void)setsockopt(
	    fd, SOL_SOCKET, SO_RCVTIMEO, &no_patience, sizeof(no_patience));
	while (read_line(fd, line))
		received++;
	queued = log_dropped();
	ck_assert_uint_eq(received + queued, 1000);
	ck_assert_int_gt(read(err, told, sizeof(told) - 1), 0);
	ck_assert_msg(strtoul(told + strlen("milterd: "), NULL, 10) == queued,
	    "%s", told);
	(void)close(err);
	(void)close(fd);
}
END_TEST

START_TEST(stop_sends_what_is_queued)
{
	char line[LINE_SIZE];
	int fd;

	(void)unlink(path);
	log_to_path();
	log_line(LOG_INFO, "first");
	log_line(LOG_INFO, "second");
	fd = daemon_start();
	log_stop();
	ck_assert(read_line(fd, line));
	ck_assert_str_eq(text_of(line), "first");
	ck_assert(read_line(fd, line));
	ck_assert_str_eq(text_of(line), "second");
	ck_assert_uint_eq(log_dropped(), 0);
	(void)close(fd);
}
END_TEST

START_TEST(daemon_restarts)
{
	char line[LINE_SIZE];
	int fd = daemon_start();

	log_to_path();
	log_line(LOG_INFO, "one");
	ck_assert(read_line(fd, line));
	(void)close(fd);
	log_line(LOG_INFO, "two");
	fd = daemon_start();
	log_line(LOG_INFO, "three");
	ck_assert(read_line(fd, line));
	ck_assert_str_eq(text_of(line), "two");
	ck_assert(read_line(fd, line));
	ck_assert_str_eq(text_of(line), "three");
	ck_assert_uint_eq(log_dropped(), 0);
	(void)close(fd);
}
END_TEST

START_TEST(starts_again)
{
	char line[LINE_SIZE];
	int fd = daemon_start();

	for (int i = 0; i < 3; i++) {
		log_to_path();
		log_line(LOG_INFO, "round %d", i);
		ck_assert(read_line(fd, line));
		ck_assert_int_eq(text_of(line)[6], '0' + i);
		log_stop();
		log_stop();
	}
	(void)close(fd);
}
END_TEST

static TCase *
case_of(Suite *suite, const char *name)
{
	TCase *tcase = tcase_create(name);

	tcase_add_checked_fixture(tcase, make_directory, remove_directory);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	return tcase;
}

static Suite *
log_suite(void)
{
	Suite *suite = suite_create("log");
	TCase *escaping = case_of(suite, "escaping");
	TCase *forms = case_of(suite, "forms");
	TCase *hostile = case_of(suite, "hostile");
	TCase *lengths = case_of(suite, "lengths");
	TCase *levels_case = case_of(suite, "levels");
	TCase *daemon = case_of(suite, "daemon");

	tcase_add_loop_test(
	    escaping, escape_row, 0, (int)(sizeof(escapes) / sizeof(*escapes)));
	tcase_add_test(escaping, escape_keeps_nul);
	tcase_add_test(forms, relaying_denied);
	tcase_add_test(forms, refused_at_connect);
	tcase_add_test(forms, deferred);
	tcase_add_test(forms, discarded);
	tcase_add_test(forms, quarantined);
	tcase_add_test(forms, nothing_for_acceptance);
	tcase_add_test(forms, forged_connection);
	tcase_add_loop_test(hostile, attack_in_argument_and_reply, 0,
	    (int)(sizeof(attacks) / sizeof(*attacks)));
	tcase_add_loop_test(hostile, attack_in_prose, 0,
	    (int)(sizeof(attacks) / sizeof(*attacks)));
	tcase_add_test(hostile, quotes_in_prose);
	tcase_add_test(hostile, attack_in_reverse_name);
	tcase_add_test(hostile, attack_in_queue_id);
	tcase_add_test(hostile, line_has_no_controls);
	tcase_add_test(lengths, address_is_cut_before_reply);
	tcase_add_test(lengths, longest_reply_is_cut_last);
	tcase_add_test(lengths, long_line_is_cut);
	tcase_add_test(levels_case, priority_and_facility);
	tcase_add_test(levels_case, unknown_facility);
	tcase_add_test(levels_case, levels);
	tcase_add_test(levels_case, to_standard_error);
	tcase_add_test(daemon, many_writers);
	tcase_add_test(daemon, stalled_daemon_stops_nobody);
	tcase_add_test(daemon, drops_are_told_without_a_further_line);
	tcase_add_test(daemon, stop_waits_a_second_at_most);
	tcase_add_test(daemon, stop_sends_what_is_queued);
	tcase_add_test(daemon, daemon_restarts);
	tcase_add_test(daemon, starts_again);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(log_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
