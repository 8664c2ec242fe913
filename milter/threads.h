/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * threads: those of milterd's own, and some in reserve for libmilter.
 *
 * libmilter starts a thread when a connection comes, or a command on one that
 * is there, and none of its idle ones can take it. Where the system refuses,
 * it forgets that connection, which is neither served nor closed. So this
 * program has a pthread_create() of its own, which libmilter gets: what is
 * refused for now (EAGAIN) is run by a thread in reserve, or as soon as there
 * is one. Then the gate is shut until the reserve is full again.
 *
 * The threads in reserve block the signals that their maker blocks. Any thread
 * may call these functions.
 */
#ifndef MILTER_THREADS_H
#define MILTER_THREADS_H

#include "base/error.h"

#include <pthread.h>

/* A thread of milterd's own, detached unless `ret_thread` is there; it gets no
 * signals. False: the system refuses (EX_OSERR). `error` may be NULL. */
bool threads_start(pthread_t *ret_thread, void *(*body)(void *),
    void *argument, struct error *error);

/* Its timed waits take what deadline_timespec() gives. */
void threads_init_condition(pthread_cond_t *condition);

/* The reserve is full, or could be filled. From the first call on nothing that
 * libmilter starts is refused. */
bool threads_fill_reserve(void);

#endif
