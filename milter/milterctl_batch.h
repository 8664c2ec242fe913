/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Blocks of name=value lines on their way to the daemon, or to the same
 * functions in this process (--config FILE). A long input is cut into pieces
 * between two blocks, so that neither side holds much of it at a time.
 *
 * The functions that return bool set `error` when it is false.
 */
#ifndef MILTER_MILTERCTL_BATCH_H
#define MILTER_MILTERCTL_BATCH_H

#include "base/strbuf.h"
#include "milter/explain.h"
#include "milter/milterctl.h"

struct batch {
	struct milterctl *ctl;
	struct explain explain;
	const char *config; /* --config: answered here */
	struct generation *generation;
	struct resolver *resolver;
	bool has_tried_resolver;
	struct arena *arena; /* of one piece */
	struct strbuf text;
	unsigned first_line; /* of the piece */
	unsigned next_line;
	unsigned blocks;
	struct error error;
};

void batch_init(struct batch *batch, struct milterctl *ctl);
/* Once `config` and the wishes in `explain` are set. */
bool batch_open(struct batch *batch);
/* The exit status of the whole, with the error told. */
int batch_close(struct batch *batch, bool is_good);

/* One line of a block; an empty one ends it, and may send the piece. */
bool batch_add_line(struct batch *batch, slice line);
/* Sends what has not been sent; prints the answers. */
bool batch_send(struct batch *batch);
/* Standard input, line by line without the line's end. */
bool batch_read_input(struct batch *batch,
    bool (*take_line)(struct batch *batch, void *context, slice line),
    void *context);
/* A mistake of the caller's. Returns false. */
__attribute__((format(printf, 2, 3))) bool batch_fail(
    struct batch *batch, const char *format, ...);

#endif
