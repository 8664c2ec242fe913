/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The spool: what is written is sent, once released, with the arguments and the
 * text that were meant; what is withdrawn is not; what a dead process leaves
 * is taken up; its bounds hold. The sendmail(8) here is a script that writes
 * down what it is given.
 */
#include "milter/spool.h"

#include "milter/copy_mark.h"
#include "milter/submit.h"
#include "tests/unit/scratch.h"

#include <dirent.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct arena *arena;
static struct spool_options options;
static atomic_uint claims;
static enum spool_claim claim_answer;

static enum spool_claim
claim(void *context, slice key, unsigned long interval_s)
{
	(void)context;
	ck_assert(slice_eq(key, SLICE("vacation/u/a@b/1")));
	ck_assert_uint_eq(interval_s, 604800);
	claims++;
	return claim_answer;
}

/* Writes its arguments and its input to scratch/sent/N, and exits as
 * scratch/status says. */
static void
write_sendmail(void)
{
	char script[PATH_MAX * 2];

	(void)snprintf(script, sizeof(script),
	    "#!/bin/sh\ncd '%s' || exit 75\n"
	    "status=$(cat status)\n[ $status = 0 ] || { echo no >&2; exit "
	    "$status; }\n"
	    "f=$(mktemp sent/XXXXXX)\nfor a; do echo \"[$a]\"; done > $f\n"
	    "cat >> $f\nmv $f $f.done\n",
	    scratch);
	ck_assert_int_eq(
	    chmod(scratch_write("sendmail", slice_from_cstr(script)), 0700), 0);
}

static void
set_status(const char *status)
{
	(void)scratch_write("status", slice_from_cstr(status));
}

static void
start(void)
{
	struct error error;

	if (!spool_start(&options, &error))
		ck_abort_msg("%s: %s", error.file, error.text);
}

static void
set_up(void)
{
	arena = arena_new(0);
	scratch_make("/tmp");
	ck_assert_int_eq(mkdir(scratch_path("sent"), 0700), 0);
	write_sendmail();
	set_status("0");
	claims = 0;
	claim_answer = SPOOL_CLAIM_FIRST;
	options = (struct spool_options){
	    .directory = arena_copy(arena, slice_from_cstr(scratch)),
	    .sendmail =
		arena_copy(arena, slice_from_cstr(scratch_path("sendmail"))),
	    .entries_max = 8,
	    .bytes_max = 100000,
	    .claim = claim};
}

static void
tear_down(void)
{
	spool_stop();
	scratch_remove();
	arena_free(arena);
}

static unsigned
count_files(const char *directory, const char *suffix)
{
	DIR *dir = opendir(scratch_path(directory));
	const struct dirent *entry;
	unsigned count = 0;

	ck_assert_ptr_nonnull(dir);
	while ((entry = readdir(dir)) != NULL)
		count += entry->d_name[0] != '.' &&
			 slice_has_suffix_nocase(slice_from_cstr(entry->d_name),
			     slice_from_cstr(suffix));
	(void)closedir(dir);
	return count;
}

/* Until there are so many files, for five seconds. */
static void
wait_for(const char *directory, const char *suffix, unsigned wanted)
{
	for (int i = 0; i < 500; i++) {
		if (count_files(directory, suffix) == wanted)
			return;
		(void)usleep(10000);
	}
	ck_assert_uint_eq(count_files(directory, suffix), wanted);
}

static void
wait_for_entries(unsigned long wanted)
{
	for (int i = 0; i < 500 && spool_get_status().entries != wanted; i++)
		(void)usleep(10000);
	ck_assert_uint_eq(spool_get_status().entries, wanted);
}

/* The text of the one file in there. */
static slice
read_only_file(const char *directory, const char *suffix)
{
	DIR *dir = opendir(scratch_path(directory));
	const struct dirent *entry;
	char path[PATH_MAX] = "";
	char text[4096];
	size_t len;
	FILE *file;

	ck_assert_ptr_nonnull(dir);
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] != '.' &&
		    slice_has_suffix_nocase(slice_from_cstr(entry->d_name),
			slice_from_cstr(suffix)))
			(void)snprintf(path, sizeof(path), "%s/%s",
			    scratch_path(directory), entry->d_name);
	}
	(void)closedir(dir);
	file = fopen(path, "r");
	ck_assert_ptr_nonnull(file);
	len = fread(text, 1, sizeof(text), file);
	(void)fclose(file);
	return arena_copy(arena, (slice){text, len});
}

static slice recipients[] = {SLICE_INIT("x@y"), SLICE_INIT("z+w@y")};

static struct spool_message
message_of(enum spool_kind kind)
{
	return (struct spool_message){.kind = kind,
	    .sender = kind == SPOOL_COPY ? SLICE("a@b") : SLICE(""),
	    .recipients = recipients,
	    .recipient_count = 2,
	    .header = SLICE("Subject: s\r\nX: 1\r\n 2\r\n"),
	    .body = SLICE("one\r\n.\r\ntwo\nbare\rcr"),
	    .queue_id = SLICE("Q1"),
	    .claim_key = SLICE("vacation/u/a@b/1"),
	    .claim_interval_s = 604800};
}

static void
send_one(enum spool_kind kind)
{
	struct spool_batch *batch = spool_batch_new(arena);
	struct spool_message message = message_of(kind);

	ck_assert(spool_write(batch, &message));
	ck_assert(spool_commit(batch));
	spool_release(batch);
}

START_TEST(a_copy_is_sent_with_its_mark)
{
	slice said;
	slice mark;
	slice others[] = {SLICE("<X@Y>"), SLICE("<else@y>")};

	start();
	send_one(SPOOL_COPY);
	wait_for("sent", ".done", 1);
	said = read_only_file("sent", ".done");
	mark = slice_from(said, slice_index(said, 'X'));
	mark = slice_first(mark, slice_index(mark, '\n'));
	mark = slice_from(mark, slice_index(mark, ' ') + 1);
	ck_assert_uint_eq(mark.len, 32);
	ck_assert_str_eq(arena_cstr(arena, said),
	    arena_printf(arena,
		"[-i]\n[-f]\n[<a@b>]\n[--]\n[<x@y>]\n[<z+w@y>]\n"
		"X-Milterd-Copy: " SLICE_FMT "\nSubject: s\nX: 1\n 2\n"
		"\none\n.\ntwo\nbare\rcr",
		SLICE_ARG(mark))
		.ptr);
	wait_for_entries(0);
	ck_assert_uint_eq(count_files("spool/queue", ""), 0);
	ck_assert(copy_mark_is_valid(arena, mark, recipients, 2));
	ck_assert(copy_mark_is_valid(arena, mark, others, 1));
	ck_assert(!copy_mark_is_valid(arena, mark, others, 2));
	ck_assert(!copy_mark_is_valid(arena, SLICE("../lock"), recipients, 1));
	ck_assert(!copy_mark_is_valid(
	    arena, SLICE("0123456789abcdef0123456789abcdef"), recipients, 1));
}
END_TEST

START_TEST(a_reply_is_claimed_and_sent_from_nobody)
{
	start();
	send_one(SPOOL_REPLY);
	wait_for("sent", ".done", 1);
	ck_assert_str_eq(arena_cstr(arena, read_only_file("sent", ".done")),
	    "[-i]\n[-N]\n[never]\n[-f]\n[<>]\n[--]\n[<x@y>]\n[<z+w@y>]\n"
	    "Subject: s\nX: 1\n 2\n\none\n.\ntwo\nbare\rcr");
	wait_for_entries(0);
	ck_assert_uint_eq(claims, 1);
	ck_assert_uint_eq(count_files("spool/sent", ""), 0);
}
END_TEST

START_TEST(a_repeated_reply_is_dropped)
{
	claim_answer = SPOOL_CLAIM_REPEATED;
	start();
	send_one(SPOOL_REPLY);
	wait_for_entries(0);
	ck_assert_uint_eq(spool_get_status().dropped, 1);
	ck_assert_uint_eq(count_files("spool/queue", ""), 0);
	ck_assert_uint_eq(count_files("sent", ""), 0);
}
END_TEST

/* What the store cannot answer is asked again, not sent. */
START_TEST(an_unknown_claim_waits)
{
	claim_answer = SPOOL_CLAIM_UNKNOWN;
	start();
	send_one(SPOOL_REPLY);
	for (int i = 0; i < 500 && claims == 0; i++)
		(void)usleep(10000);
	ck_assert_uint_eq(spool_get_status().entries, 1);
	ck_assert_uint_eq(count_files("sent", ""), 0);
}
END_TEST

START_TEST(withdrawn_is_not_sent)
{
	struct spool_batch *batch = spool_batch_new(arena);
	struct spool_message message = message_of(SPOOL_COPY);

	start();
	ck_assert(spool_write(batch, &message));
	spool_withdraw(batch);
	ck_assert(spool_write(batch, &message));
	ck_assert(spool_write(batch, &message));
	ck_assert(spool_commit(batch));
	ck_assert_uint_eq(count_files("spool/queue", ""), 2);
	ck_assert_uint_eq(count_files("spool/sent", ""), 2);
	(void)usleep(50000);
	ck_assert_uint_eq(count_files("sent", ""), 0);
	spool_withdraw(batch);
	ck_assert_uint_eq(count_files("spool/queue", ""), 0);
	ck_assert_uint_eq(count_files("spool/tmp", ""), 0);
	ck_assert_uint_eq(count_files("spool/sent", ""), 0);
	ck_assert_uint_eq(spool_get_status().entries, 0);
	ck_assert_uint_eq(spool_get_status().bytes, 0);
}
END_TEST

START_TEST(what_is_there_is_taken_up)
{
	struct spool_batch *batch = spool_batch_new(arena);
	struct spool_message message = message_of(SPOOL_COPY);

	start();
	ck_assert(spool_write(batch, &message));
	ck_assert(spool_commit(batch));
	/* As if the process had died here: a spool that is shut sends nothing,
	 * and a release gives back its memory alone. */
	spool_stop();
	spool_release(batch);
	ck_assert_uint_eq(count_files("spool/queue", ""), 1);
	(void)scratch_write("spool/tmp/half", SLICE("x"));
	start();
	wait_for("sent", ".done", 1);
	ck_assert_uint_eq(count_files("spool/tmp", ""), 0);
}
END_TEST

/* A reply that was being sent when the process died may have been sent. */
START_TEST(a_reply_is_sent_at_most_once)
{
	struct spool_batch *batch = spool_batch_new(arena);
	struct spool_message message = message_of(SPOOL_REPLY);
	char command[PATH_MAX * 2];

	start();
	ck_assert(spool_write(batch, &message));
	ck_assert(spool_commit(batch));
	spool_stop();
	spool_release(batch);
	(void)snprintf(command, sizeof(command),
	    "cd '%s/spool/queue' && mv * $(echo *).sending", scratch);
	ck_assert_int_eq(system(command), 0);
	start();
	wait_for_entries(0);
	ck_assert_uint_eq(count_files("sent", ""), 0);
	ck_assert_uint_eq(spool_get_status().dropped, 1);
}
END_TEST

START_TEST(a_temporary_failure_is_tried_again)
{
	set_status("75");
	start();
	send_one(SPOOL_COPY);
	(void)usleep(200000);
	ck_assert_uint_eq(spool_get_status().entries, 1);
	spool_stop();
	set_status("0");
	start();
	wait_for("sent", ".done", 1);
}
END_TEST

START_TEST(a_permanent_failure_is_kept)
{
	set_status("64");
	start();
	send_one(SPOOL_COPY);
	wait_for("spool/bad", "", 1);
	wait_for_entries(0);
	ck_assert_uint_eq(spool_get_status().failed, 1);
}
END_TEST

START_TEST(a_broken_file_is_kept)
{
	start();
	spool_stop();
	(void)scratch_write("spool/queue/1-1", SLICE("milterd 1 nonsense\n"));
	start();
	wait_for("spool/bad", "", 1);
	ck_assert_uint_eq(count_files("sent", ""), 0);
}
END_TEST

START_TEST(its_bounds_hold)
{
	struct spool_batch *batch = spool_batch_new(arena);
	struct spool_message copy = message_of(SPOOL_COPY);
	struct spool_message reply = message_of(SPOOL_REPLY);
	char *big = arena_alloc(arena, 120000);

	start();
	for (int i = 0; i < 4; i++)
		ck_assert(spool_write(batch, &reply));
	ck_assert(!spool_write(batch, &reply));
	for (int i = 0; i < 4; i++)
		ck_assert(spool_write(batch, &copy));
	ck_assert(!spool_write(batch, &copy));
	spool_withdraw(batch);
	memset(big, 'x', 120000);
	copy.body = (slice){big, 120000};
	ck_assert(!spool_write(batch, &copy));
	copy.body.len = 60000;
	ck_assert(spool_write(batch, &copy));
	spool_withdraw(batch);
	reply.body = copy.body;
	ck_assert(!spool_write(batch, &reply));
	ck_assert_uint_eq(spool_get_status().entries, 0);
}
END_TEST

START_TEST(two_cannot_have_it)
{
	pid_t child;
	int status;

	start();
	child = fork();
	if (child == 0) {
		struct error error;

		options.directory = arena_copy(arena, options.directory);
		_exit(spool_start(&options, &error) ? 1 : 0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(others_may_not_look_into_it)
{
	struct error error;

	ck_assert_int_eq(mkdir(scratch_path("spool"), 0755), 0);
	ck_assert_int_eq(chmod(scratch_path("spool"), 0755), 0);
	ck_assert(!spool_start(&options, &error));
	ck_assert_str_eq(error.text, "others may look into it");
}
END_TEST

START_TEST(without_a_spool_nothing_is_taken)
{
	struct spool_batch *batch = spool_batch_new(arena);
	struct spool_message message = message_of(SPOOL_COPY);

	ck_assert(!spool_write(batch, &message));
}
END_TEST

static const struct {
	const char *address;
	bool is_taken;
} addresses[] = {
    {"a@b", true},
    {"a", true},
    {"a+b@c.d", true},
    {"a;b@c", true},
    {"a`id`@c", true},
    {"$(id)@c", false},
    {"a$b@c", true},
    {"\"a b\"@c", true},
    {"\"a\\\"b\"@c", true},
    {"a@[192.0.2.1]", true},
    {"a@[IPv6:2001:db8::1]", true},
    {"\303\244@b", true},
    {"", false},
    {"@b", false},
    {"a@", false},
    {"-a@b", false},
    {"\"-a\"@b", false},
    {"|id@b", false},
    {"\"|id\"@b", false},
    {"\"\\|id\"@b", false},
    {"/etc/passwd", false},
    {"\"/etc/x\"@b", false},
    {":include:/etc/x", false},
    {"\"open@b", false},
    {"a b@c", false},
    {"a@b c", false},
    {"a@b,c@d", false},
    {"<a@b>", false},
    {"a>@b", false},
    {"a\n@b", false},
    {"a@b\n", false},
    {"\"a\nb\"@c", false},
    {"@a,@b:c@d", false},
    {"a@b@c", false},
    {"a@-oQ/tmp", false},
    {"a\\b@c", false},
    {"(x)a@b", false},
};

START_TEST(addresses_that_are_taken)
{
	ck_assert_msg(submit_takes_address(slice_from_cstr(
			  addresses[_i].address)) == addresses[_i].is_taken,
	    "%s", addresses[_i].address);
}
END_TEST

/* clang-format off */
static const struct {
	const char *address;
	bool is_taken;
} senders[] = {
	{"a@b.example", true}, {"a", true},
	{"/G=a/S=b@x.example", true}, {"-a@x.example", true}, {"-oQ/tmp/q@x.example", true},
	{"/etc/passwd", false}, {"-oQ/tmp/q", false}, {"/@x.example", false}, {"/", false},
	{"|touch@x.example", false}, {":include:/x@y.example", false},
	{"\"/a\"@x.example", false}, {"-a@-x.example", false},
	{"-a b@x.example", false}, {"-a>@x.example", false}, {"", false},
};
/* clang-format on */

START_TEST(senders_that_are_taken)
{
	ck_assert_msg(submit_takes_sender(slice_from_cstr(
			  senders[_i].address)) == senders[_i].is_taken,
	    "%s", senders[_i].address);
}
END_TEST

/* Hostile ones, which a command line or a shell would be hurt by. */
START_TEST(a_sender_does_nothing_but_send)
{
	struct spool_batch *batch = spool_batch_new(arena);
	struct spool_message message = message_of(SPOOL_COPY);
	slice said;

	start();
	message.sender = SLICE("a;touch`touch$IFS.canary`$IFS@b;touch");
	ck_assert(spool_write(batch, &message));
	ck_assert(spool_commit(batch));
	spool_release(batch);
	wait_for("sent", ".done", 1);
	said = read_only_file("sent", ".done");
	ck_assert_ptr_nonnull(strstr(arena_cstr(arena, said),
	    "[<a;touch`touch$IFS.canary`$IFS@b;touch>]"));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("spool");
	TCase *tcase = tcase_create("spool");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, a_copy_is_sent_with_its_mark);
	tcase_add_loop_test(tcase, senders_that_are_taken, 0,
	    sizeof(senders) / sizeof(*senders));
	tcase_add_test(tcase, a_reply_is_claimed_and_sent_from_nobody);
	tcase_add_test(tcase, a_repeated_reply_is_dropped);
	tcase_add_test(tcase, an_unknown_claim_waits);
	tcase_add_test(tcase, withdrawn_is_not_sent);
	tcase_add_test(tcase, what_is_there_is_taken_up);
	tcase_add_test(tcase, a_reply_is_sent_at_most_once);
	tcase_add_test(tcase, a_temporary_failure_is_tried_again);
	tcase_add_test(tcase, a_permanent_failure_is_kept);
	tcase_add_test(tcase, a_broken_file_is_kept);
	tcase_add_test(tcase, its_bounds_hold);
	tcase_add_test(tcase, two_cannot_have_it);
	tcase_add_test(tcase, others_may_not_look_into_it);
	tcase_add_test(tcase, without_a_spool_nothing_is_taken);
	tcase_add_test(tcase, a_sender_does_nothing_but_send);
	tcase_add_loop_test(tcase, addresses_that_are_taken, 0,
	    sizeof(addresses) / sizeof(*addresses));
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
