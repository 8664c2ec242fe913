/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The only mutable global of this file is `reserve`. Its lock is a leaf. Our
 * pthread_create() is called with libmilter's own lock held: it may not wait.
 *
 * A sanitizer of clang's has its pthread_create() in the program as well;
 * there this one is left out.
 */
#include "milter/threads.h"

#include "base/arena.h"
#include "milter/gate.h"

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#if defined(__clang__) && defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_FOREIGN_CREATE 1
#endif
#endif

/* As many sessions may find libmilter's threads busy at one moment, before
 * one of them has to wait for a thread. */
enum { RESERVE = 4 };

typedef int create_fn(pthread_t *restrict, const pthread_attr_t *restrict,
    void *(*)(void *), void *restrict);

struct job {
	struct job *next;
	void *(*body)(void *);
	void *argument;
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool is_kept;
	unsigned threads; /* that wait for a job */
	unsigned jobs;	  /* that wait for a thread; more than that: refused */
	struct job *first;
	struct job **end;
} reserve = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .wake = PTHREAD_COND_INITIALIZER,
    .end = &reserve.first,
};

/* The C library's, or a sanitizer's. */
static create_fn *
find_create(void)
{
	create_fn *create = NULL;
	void *symbol = dlsym(RTLD_NEXT, "pthread_create");

	memcpy(&create, &symbol, sizeof(create));
	return create;
}

/*
 * milterd's own.
 */

bool
threads_start(pthread_t *ret_thread, void *(*body)(void *), void *argument,
    struct error *error)
{
	create_fn *create = find_create();
	pthread_t thread;
	sigset_t all;
	sigset_t before;
	int problem;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	problem =
	    create == NULL ? ENOSYS : create(&thread, NULL, body, argument);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (problem != 0) {
		(void)error_set(
		    error, "cannot start a thread: %s", strerror(problem));
		if (error != NULL)
			error->exit_code = EX_OSERR;
		return false;
	}
	if (ret_thread != NULL)
		*ret_thread = thread;
	else
		(void)pthread_detach(thread);
	return true;
}

void
threads_init_condition(pthread_cond_t *condition)
{
	pthread_condattr_t attributes;

	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(condition, &attributes);
	(void)pthread_condattr_destroy(&attributes);
}

/*
 * The reserve.
 */

/* With the lock held, when there is one. */
static struct job *
take_job(void)
{
	struct job *job = reserve.first;

	reserve.first = job->next;
	if (reserve.first == NULL)
		reserve.end = &reserve.first;
	reserve.jobs--;
	return job;
}

static void *
wait_for_job(void *unused)
{
	struct job *job;
	struct job work;

	(void)unused;
	(void)pthread_mutex_lock(&reserve.lock);
	while (reserve.first == NULL)
		(void)pthread_cond_wait(&reserve.wake, &reserve.lock);
	job = take_job();
	reserve.threads--;
	(void)pthread_mutex_unlock(&reserve.lock);
	work = *job;
	free(job);
	return work.body(work.argument);
}

bool
threads_fill_reserve(void)
{
	create_fn *create = find_create();
	pthread_t thread;
	bool is_full;

	(void)pthread_mutex_lock(&reserve.lock);
	reserve.is_kept = true;
	while (create != NULL && reserve.threads < RESERVE + reserve.jobs &&
	       create(&thread, NULL, wait_for_job, NULL) == 0)
		reserve.threads++;
	is_full = reserve.threads >= RESERVE + reserve.jobs;
	(void)pthread_mutex_unlock(&reserve.lock);
	return is_full;
}

#ifndef HAS_FOREIGN_CREATE

static bool
hand_over(void *(*body)(void *), void *argument)
{
	struct job *job = xmalloc(sizeof(*job));
	bool is_kept;

	*job = (struct job){.body = body, .argument = argument};
	(void)pthread_mutex_lock(&reserve.lock);
	is_kept = reserve.is_kept;
	if (is_kept) {
		*reserve.end = job;
		reserve.end = &job->next;
		reserve.jobs++;
		(void)pthread_cond_signal(&reserve.wake);
	}
	(void)pthread_mutex_unlock(&reserve.lock);
	if (!is_kept)
		free(job);
	return is_kept;
}

/* Which thread will run it is not known yet: libmilter does not ask. */
int
pthread_create(pthread_t *restrict thread,
    const pthread_attr_t *restrict attributes, void *(*body)(void *),
    void *restrict argument)
{
	create_fn *create = find_create();
	int problem = create == NULL
			  ? ENOSYS
			  : create(thread, attributes, body, argument);

	if (problem != EAGAIN || !hand_over(body, argument))
		return problem;
	*thread = pthread_self();
	gate_shut_for_threads();
	return 0;
}

#endif
