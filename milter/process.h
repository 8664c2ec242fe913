/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What makes a process a daemon: limits, identity, detachment, its pid file,
 * and what it tells a service manager. For the main thread.
 */
#ifndef MILTER_PROCESS_H
#define MILTER_PROCESS_H

#include "base/error.h"
#include "milter/settings.h"

#include <sys/types.h>

/* Raises the soft limit of open files to the hard one; fails when that is
 * below `floor`. */
bool process_raise_file_limit(
    unsigned long floor, unsigned long *ret_limit, struct error *error);

struct identity {
	bool is_change; /* false: stay who we are */
	uid_t user;
	gid_t group;
	char name[64];
};

/* Looks `user` and `group` of the settings up. Fails when they are not known,
 * and when only root could become them. */
bool process_find_identity(const struct settings *settings,
    struct identity *ret_identity, struct error *error);
/* For good: fails when root's rights are still within reach afterwards. */
bool process_become(const struct identity *identity, struct error *error);

/* Forks; the parent waits for process_report(). `*ret_is_parent` with the
 * status to exit with, else the child, detached from the terminal's session,
 * with the descriptor to report to. Before any thread is started. */
struct detachment {
	bool is_parent;
	int status;
	int report_fd;
};
bool process_detach(struct detachment *ret, struct error *error);
/* To the parent: the start went well (0) or failed with an exit status. */
void process_report(int report_fd, int status);
/* Standard input, output and error to /dev/null. */
void process_leave_terminal(void);

/* Creates and locks the pid file and writes our pid into it. One that is locked
 * belongs to a process that lives; any other is stale and taken over. An
 * empty path does nothing. */
bool process_write_pid(const char *path, struct error *error);
/* Removes it, or empties it where the directory is not ours to change. */
void process_remove_pid(void);

/* "READY=1" and the like to $NOTIFY_SOCKET, where there is one (sd_notify(3)).
 */
void process_notify(const char *state);

#endif
