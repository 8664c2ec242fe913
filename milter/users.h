/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who is a user of this host? getpwnam_r(3) knows, but behind it may stand a
 * directory service that takes its time. So one thread of our own asks it, one
 * name after the other, and nobody who wants to know waits for more than a
 * second: after that the answer is WORLD_TEMPFAIL. While the thread hangs that
 * comes at once. Answers are kept, a user for a minute, nobody for ten
 * seconds.
 *
 * The thread and what it shares with those who ask are one mutable global
 * behind a lock, started with the first question. Any thread may ask.
 */
#ifndef MILTER_USERS_H
#define MILTER_USERS_H

#include "policy/ports.h"

/* ports->find_user. The context is not looked at. */
enum world_answer users_find(void *context, struct arena *arena, slice name);

/* What the thread asks; for tests. NULL: getpwnam_r(3). What was kept is
 * forgotten. */
typedef enum world_answer users_source(const char *name);
void users_set_source(users_source *source);

#endif
