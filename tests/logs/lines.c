/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The maillog's own code, fed from standard input: one decision a line, its
 * fields between tabs: queue id, address, reverse name, resolve, verdict,
 * ruleset, arg1, arg2, code, enhanced code, about, text. "continue" writes the
 * line about a forged name alone. The lines go to the datagram socket named
 * as the argument, as they go to a log daemon.
 */
#include "milter/log.h"
#include "milter/log_lines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum field {
	QUEUE_ID,
	ADDRESS,
	PTR,
	RESOLVE,
	KIND,
	RULE,
	ARG1,
	ARG2,
	CODE,
	ENHANCED,
	ABOUT,
	TEXT,
	FIELDS,
};

static bool
split(slice line, slice *ret_fields)
{
	for (size_t i = 0; i < FIELDS; i++) {
		if (!slice_next(&line, '\t', &ret_fields[i]))
			ret_fields[i] = SLICE("");
	}
	return line.len == 0;
}

static bool
find_kind(slice word, enum verdict_kind *ret_kind)
{
	for (int kind = 0; kind <= VERDICT_QUARANTINE; kind++) {
		const char *name = verdict_word((enum verdict_kind)kind);

		if (!slice_eq(word, slice_from_cstr(name)))
			continue;
		*ret_kind = (enum verdict_kind)kind;
		return true;
	}
	return false;
}

static bool
log_one(struct arena *arena, slice line)
{
	slice f[FIELDS];
	struct client client = {0};
	struct verdict verdict = {0};
	struct log_decision decision = {
		.client = &client,
		.verdict = &verdict,
	};

	if (!split(line, f) || !find_kind(f[KIND], &verdict.kind) ||
	    !client_resolve_parse(f[RESOLVE], &client.resolve) ||
	    !client_address_canonical(arena, f[ADDRESS], &client.address))
		return false;
	client.ptr = f[PTR];
	client_set_name(arena, &client);
	verdict.rule = arena_cstr(arena, f[RULE]);
	verdict.code = atoi(arena_cstr(arena, f[CODE]));
	verdict.enhanced = f[ENHANCED];
	verdict.about = f[ABOUT];
	verdict.text = f[TEXT];
	decision.queue_id = f[QUEUE_ID];
	decision.arg1 = f[ARG1];
	decision.arg2 = f[ARG2];
	if (verdict.kind == VERDICT_CONTINUE)
		log_forged(arena, f[QUEUE_ID], &client);
	else
		log_verdict(arena, &decision);
	return true;
}

int
main(int argc, char **argv)
{
	struct log_options options = {
		.facility = SLICE("mail"),
		.level = 9,
		.socket_path = argc == 2 ? argv[1] : NULL,
	};
	struct error error = {0};
	struct arena *arena = arena_new(0);
	char line[8192];
	int status = EX_OK;

	if (argc != 2 || !log_start(&options, &error)) {
		fprintf(stderr, "lines: %s\n", error.text);
		return EX_USAGE;
	}
	while (status == EX_OK && fgets(line, sizeof(line), stdin) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (!log_one(arena, slice_from_cstr(line))) {
			fprintf(stderr, "lines: cannot read: %s\n", line);
			status = EX_DATAERR;
		}
		arena_reset(arena);
	}
	log_stop();
	arena_free(arena);
	return status;
}
