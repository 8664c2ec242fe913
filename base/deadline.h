/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Absolute deadlines on the monotonic clock, in milliseconds. One is made
 * where work begins and handed down, so that the parts cannot add up to more
 * than the whole.
 */
#ifndef BASE_DEADLINE_H
#define BASE_DEADLINE_H

#include <stdbool.h>
#include <time.h>

typedef long long deadline_ms;

static inline deadline_ms
deadline_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (deadline_ms)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline deadline_ms
deadline_in(unsigned ms)
{
	return deadline_now() + ms;
}

static inline bool
deadline_passed(deadline_ms deadline)
{
	return deadline_now() >= deadline;
}

/* For pthread_cond_timedwait() on a CLOCK_MONOTONIC condition. */
static inline struct timespec
deadline_timespec(deadline_ms deadline)
{
	return (struct timespec){
	    .tv_sec = (time_t)(deadline / 1000),
	    .tv_nsec = (long)(deadline % 1000) * 1000000,
	};
}

#endif
