/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the spool is:
 *
 *	spool/lock	locked by the process that has it
 *	spool/tmp	being written; what is left of a dead process goes
 *	spool/queue	to be sent
 *	spool/sent	marks (milter/copy_mark)
 *	spool/bad	what could not be sent, for the administrator
 *
 * All of it is milterd's alone, or it is refused: people's mail lies in it. For
 * milter/spool.c alone.
 */
#ifndef MILTER_SPOOL_DIR_H
#define MILTER_SPOOL_DIR_H

#include "base/error.h"

struct spool_dir {
	int lock;
	int tmp;
	int queue;
	int bad;
};

/* Makes what is missing, below a directory that must be there. */
bool spool_dir_open(
    struct spool_dir *dir, slice directory, struct error *error);
void spool_dir_close(struct spool_dir *dir);
/* Calls `found` for every name in there that does not begin with a dot. */
void spool_dir_visit(
    int directory_fd, void (*found)(int directory_fd, const char *name));

#endif
