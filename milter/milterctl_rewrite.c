/* SPDX-License-Identifier: BSD-2-Clause */
/* `milterctl rewrite`: addresses from the command line or standard input. */
#include "milter/milterctl_batch.h"

#include <getopt.h>
#include <string.h>

struct wishes {
	const char *as;
	bool is_local;
};

static const struct option options[] = {
    {"as", required_argument, NULL, 'a'},
    {"local", no_argument, NULL, 'l'},
    {"config", required_argument, NULL, 'C'},
    {"json", no_argument, NULL, 'j'},
    {"trace", no_argument, NULL, 't'},
    {NULL, 0, NULL, 0},
};

static bool
ask(struct batch *batch, const struct wishes *wishes, slice address)
{
	struct arena *arena = batch->arena;

	return batch_add_line(batch, arena_printf(arena, "rewrite=" SLICE_FMT,
					 SLICE_ARG(address))) &&
	       batch_add_line(
		   batch, arena_printf(arena, "as=%s", wishes->as)) &&
	       batch_add_line(batch,
		   wishes->is_local ? SLICE("local=yes") : SLICE("local=no")) &&
	       batch_add_line(batch, SLICE(""));
}

static bool
take_line(struct batch *batch, void *context, slice line)
{
	return ask(batch, context, line);
}

/* Exit status, or -1 to go on. */
static int
read_options(struct batch *batch, struct wishes *wishes, int argc, char **argv)
{
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'a':
			wishes->as = optarg;
			break;
		case 'l':
			wishes->is_local = true;
			break;
		case 'C':
			batch->config = optarg;
			break;
		case 'j':
			batch->explain.as_json = true;
			break;
		case 't':
			batch->explain.with_trace = true;
			break;
		default:
			return milterctl_usage(NULL);
		}
	}
	for (int i = optind; i < argc; i++) {
		if (strchr(argv[i], '\n') != NULL)
			return milterctl_usage("no such address can be");
	}
	return strchr(wishes->as, '\n') == NULL
		   ? -1
		   : milterctl_usage("no such place can be");
}

static bool
ask_all(struct batch *batch, struct wishes *wishes, int argc, char **argv)
{
	if (optind == argc)
		return batch_read_input(batch, take_line, wishes) &&
		       batch_send(batch);
	for (int i = optind; i < argc; i++) {
		if (!ask(batch, wishes, slice_from_cstr(argv[i])))
			return false;
	}
	return batch_send(batch);
}

int
milterctl_rewrite(struct milterctl *ctl, int argc, char **argv)
{
	struct wishes wishes = {.as = "header-sender"};
	struct batch batch;
	int status;

	batch_init(&batch, ctl);
	status = read_options(&batch, &wishes, argc, argv);
	if (status == -1)
		return batch_close(&batch,
		    batch_open(&batch) && ask_all(&batch, &wishes, argc, argv));
	(void)batch_close(&batch, true);
	return status;
}
