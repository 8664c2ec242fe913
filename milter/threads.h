/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * threads: one thread in reserve.
 *
 * libmilter starts a thread when a connection comes that none of its idle
 * ones can take. Where the system refuses, it forgets that connection, which
 * is neither served nor closed, and its other sessions with it. So this
 * program has a pthread_create() of its own, which libmilter gets: what is
 * refused for now (EAGAIN) is run by the thread in reserve. Then the gate is
 * shut until there is another.
 *
 * The thread in reserve blocks the signals that its maker blocks. Any thread
 * may call these functions.
 */
#ifndef MILTER_THREADS_H
#define MILTER_THREADS_H

#include <stdbool.h>

/* There is a thread in reserve, or one could be made. */
bool threads_keep_spare(void);

#endif
