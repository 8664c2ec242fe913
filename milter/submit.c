/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/submit.h"

#include "milter/child.h"
#include "policy/path.h"

#include <string.h>
#include <sysexits.h>

enum { ADDRESS_MAX = 512, ERRORS_KEPT = 400, FIXED_ARGUMENTS = 10 };

/* In quotes anything may stand that is printable. */
static bool
is_quoted_char(char c)
{
	return (unsigned char)c >= ' ' && c != 0x7f;
}

static bool
is_plain_char(char c)
{
	return is_quoted_char(c) && strchr(" \"(),:<>\\", c) == NULL;
}

/* The local part's length, or 0 when it is none. */
static size_t
local_length(slice address)
{
	size_t i = 1;

	if (address.ptr[0] != '"') {
		for (i = 0; i < address.len && address.ptr[i] != '@'; i++) {
			if (!is_plain_char(address.ptr[i]))
				return 0;
		}
		return i;
	}
	for (; i < address.len && address.ptr[i] != '"'; i++) {
		if (address.ptr[i] == '\\')
			i++;
		if (i == address.len || !is_quoted_char(address.ptr[i]))
			return 0;
	}
	return i < address.len ? i + 1 : 0;
}

/* An MTA takes the quotes off and then looks how the name begins. */
static bool
is_program_or_file(slice local)
{
	while (local.len > 0 && strchr("\"\\ ", local.ptr[0]) != NULL)
		local = slice_from(local, 1);
	return local.len == 0 || strchr("|/:-", local.ptr[0]) != NULL;
}

static bool
is_domain(slice domain)
{
	for (size_t i = 0; i < domain.len; i++) {
		char c = domain.ptr[i];
		bool is_literal = domain.ptr[0] == '[' && c == ':';

		if (!is_literal && (!is_plain_char(c) || c == '@'))
			return false;
	}
	return domain.len > 0 && domain.ptr[0] != '-' && domain.ptr[0] != '/';
}

/* The local part's length, 0 where it is none or the rest is no domain. */
static size_t
measure(slice address)
{
	size_t local;

	if (address.len == 0 || address.len > ADDRESS_MAX)
		return 0;
	local = local_length(address);
	if (local == 0 || local == address.len)
		return local;
	return address.ptr[local] == '@' &&
		       is_domain(slice_from(address, local + 1))
		   ? local
		   : 0;
}

bool
submit_takes_address(slice address)
{
	size_t local = measure(address);

	return local > 0 && !is_program_or_file(slice_first(address, local));
}

bool
submit_takes_sender(slice address)
{
	size_t local = measure(address);

	if (local > 1 && local < address.len &&
	    (address.ptr[0] == '/' || address.ptr[0] == '-'))
		return true;
	return submit_takes_address(address);
}

static char **
make_arguments(const struct submission *submission, struct arena *arena)
{
	char **argv = ARENA_ARRAY(
	    arena, char *, FIXED_ARGUMENTS + submission->recipient_count);
	size_t count = 0;

	argv[count++] = arena_cstr(arena, SLICE("sendmail"));
	argv[count++] = arena_cstr(arena, SLICE("-i"));
	if (submission->is_8bit)
		argv[count++] = arena_cstr(arena, SLICE("-B8BITMIME"));
	if (submission->never_notify) {
		argv[count++] = arena_cstr(arena, SLICE("-N"));
		argv[count++] = arena_cstr(arena, SLICE("never"));
	}
	argv[count++] = arena_cstr(arena, SLICE("-f"));
	argv[count++] = arena_cstr(arena, path_of(arena, submission->sender));
	argv[count++] = arena_cstr(arena, SLICE("--"));
	for (size_t i = 0; i < submission->recipient_count; i++)
		argv[count++] = arena_cstr(
		    arena, path_of(arena, submission->recipients[i]));
	argv[count] = NULL;
	return argv;
}

/* sysexits(3) of a mailer: what may be otherwise tomorrow. EX_NOUSER and the
 * like cannot come from a command that only takes mail in; a wrong
 * installation (EX_OSFILE, EX_CONFIG, 127 of a loader) is mended some day. */
static bool
is_temporary(int status)
{
	switch (status) {
	case EX_USAGE:
	case EX_DATAERR:
	case EX_NOUSER:
	case EX_NOHOST:
		return false;
	}
	return true;
}

static slice
first_line(struct arena *arena, slice errors)
{
	slice line;

	while (slice_next(&errors, '\n', &line)) {
		line = slice_trim(line);
		if (line.len > 0)
			return arena_printf(
			    arena, ": " SLICE_FMT, SLICE_ARG(line));
	}
	return SLICE("");
}

static enum submit_result
judge(const struct child_result *result, struct arena *arena,
    const char *sendmail, slice *ret_problem)
{
	slice said = first_line(arena, result->errors);

	switch (result->end) {
	case CHILD_EXITED:
		if (result->status == 0)
			return SUBMIT_DONE;
		*ret_problem =
		    arena_printf(arena, "%s: exit status %d" SLICE_FMT,
			sendmail, result->status, SLICE_ARG(said));
		return is_temporary(result->status) ? SUBMIT_LATER
						    : SUBMIT_NEVER;
	case CHILD_SIGNALLED:
		*ret_problem = arena_printf(arena, "%s: signal %d" SLICE_FMT,
		    sendmail, result->status, SLICE_ARG(said));
		return SUBMIT_LATER;
	case CHILD_TIMEOUT:
	case CHILD_FLOODED:
		*ret_problem = arena_printf(arena,
		    "%s: took too long" SLICE_FMT, sendmail, SLICE_ARG(said));
		return SUBMIT_LATER;
	case CHILD_NOT_STARTED:
		break;
	}
	*ret_problem =
	    arena_printf(arena, "%s: %s", sendmail, strerror(result->status));
	return SUBMIT_LATER;
}

enum submit_result
submit_message(const struct submission *submission, struct arena *arena,
    slice *ret_problem)
{
	static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	static char locale[] = "LC_ALL=C";
	static char *const environment[] = {path, locale, NULL};
	struct child child = {.path = submission->sendmail,
	    .argv = make_arguments(submission, arena),
	    .environment = environment,
	    .input_fd = submission->message_fd,
	    .errors_max = ERRORS_KEPT,
	    .may_leave_others = true,
	    .deadline = submission->deadline};
	struct child_result result;

	*ret_problem = SLICE("");
	child_run(&child, arena, &result);
	return judge(&result, arena, submission->sendmail, ret_problem);
}
