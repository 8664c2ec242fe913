/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the parts of milterctl share: milterctl.c has the short commands,
 * milterctl_explain.c and milterctl_rewrite.c the long ones.
 */
#ifndef MILTER_MILTERCTL_H
#define MILTER_MILTERCTL_H

#include "base/arena.h"
#include "base/error.h"

struct milterctl {
	struct arena *arena; /* lives as long as the program */
	const char *config;  /* -c: the daemon's configuration */
	slice socket;	     /* -s: the daemon's control socket */
};

/* All return the exit status. */
int milterctl_usage(const char *problem);
int milterctl_fail(const struct error *error);
int milterctl_explain(struct milterctl *ctl, int argc, char **argv);
int milterctl_recipe(struct milterctl *ctl, int argc, char **argv);
int milterctl_rewrite(struct milterctl *ctl, int argc, char **argv);

bool milterctl_print(slice text);
bool milterctl_find_socket(struct milterctl *ctl, struct error *error);

/* Asks the daemon, prints its answer, and gives it in *ret_body. */
int milterctl_ask_and_print(
    struct milterctl *ctl, slice request, slice *ret_body);
int milterctl_reload(struct milterctl *ctl, int argc, char **argv);

#endif
