/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * milterctl reload, which may wait for the whole fleet.
 */
#include "milter/milterctl.h"

#include "base/deadline.h"
#include "milter/control_client.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

/* A node that has not been seen for so long is not waited for. */
enum { LIVE_S = 15, WAIT_S = 60, LOOK_MS = 100 };

/* Of "generation 12 published"; 0: none is told, there is no fleet. */
static unsigned long
generation_in(slice body)
{
	slice line = slice_first(body, slice_index(body, '\n'));
	slice word;

	if (!slice_next(&line, ' ', &word) ||
	    !slice_eq(word, SLICE("generation")) ||
	    !slice_next(&line, ' ', &word) || !slice_is_number(word))
		return 0;
	return strtoul(word.ptr, NULL, 10);
}

/* "NAME generation 12 for 3 s, seen 1 s ago, ..." */
static bool
is_behind(slice line, unsigned long generation)
{
	slice words[8] = {{0}};

	for (size_t i = 0; i < 8; i++) {
		if (!slice_next(&line, ' ', &words[i]))
			return false;
	}
	return strtoul(words[2].ptr, NULL, 10) < generation &&
	       strtol(words[7].ptr, NULL, 10) < LIVE_S;
}

static bool
all_serve(slice nodes, unsigned long generation)
{
	slice line;

	while (slice_next(&nodes, '\n', &line)) {
		if (line.len > 0 && is_behind(line, generation))
			return false;
	}
	return true;
}

static void
pause_a_little(void)
{
	struct timespec time = {.tv_nsec = LOOK_MS * 1000000L};

	(void)nanosleep(&time, NULL);
}

static int
wait_for_all(struct milterctl *ctl, unsigned long generation, unsigned seconds)
{
	deadline_ms deadline = deadline_in(seconds * 1000);
	struct error error = {0};
	slice nodes;

	for (;;) {
		bool is_answered = control_ask(ctl->socket,
		    SLICE("nodes text\n"), ctl->arena, &nodes, &error);

		if (is_answered && all_serve(nodes, generation)) {
			(void)milterctl_print(nodes);
			return EX_OK;
		}
		if (deadline_passed(deadline)) {
			(void)milterctl_print(nodes);
			if (is_answered)
				(void)error_set(&error,
				    "not all nodes serve generation %lu",
				    generation);
			error.exit_code = EX_TEMPFAIL;
			return milterctl_fail(&error);
		}
		pause_a_little();
	}
}

int
milterctl_reload(struct milterctl *ctl, int argc, char **argv)
{
	static const struct option options[] = {
	    {"force", no_argument, NULL, 'f'},
	    {"wait", no_argument, NULL, 'w'},
	    {NULL, 0, NULL, 0},
	};
	unsigned seconds = WAIT_S;
	bool force = false;
	bool wait = false;
	unsigned long generation;
	slice body;
	int status;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'f')
			force = true;
		else if (c == 'w')
			wait = true;
		else
			return milterctl_usage(NULL);
	}
	if (wait && optind < argc &&
	    slice_is_number(slice_from_cstr(argv[optind])))
		seconds = (unsigned)strtoul(argv[optind++], NULL, 10);
	if (optind != argc || seconds > 86400)
		return milterctl_usage("reload takes no other arguments");
	status = milterctl_ask_and_print(
	    ctl, force ? SLICE("reload force\n") : SLICE("reload\n"), &body);
	generation = generation_in(body);
	if (status != EX_OK || !wait || generation == 0)
		return status;
	return wait_for_all(ctl, generation, seconds);
}
