/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The only mutable global of this file is `spare`. Its lock is a leaf. Our
 * pthread_create() is called with libmilter's own lock held: it may not wait.
 *
 * A sanitizer of clang's has its pthread_create() in the program as well;
 * there this one is left out.
 */
#include "milter/threads.h"

#include "milter/gate.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

#if defined(__clang__) && defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_FOREIGN_CREATE 1
#endif
#endif

typedef int create_fn(pthread_t *restrict, const pthread_attr_t *restrict,
    void *(*)(void *), void *restrict);

static struct {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t thread;
	bool is_there;
	void *(*body)(void *);
	void *argument;
} spare = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .wake = PTHREAD_COND_INITIALIZER,
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

static void *
wait_for_work(void *unused)
{
	void *(*body)(void *);
	void *argument;

	(void)unused;
	(void)pthread_mutex_lock(&spare.lock);
	while (spare.body == NULL)
		(void)pthread_cond_wait(&spare.wake, &spare.lock);
	body = spare.body;
	argument = spare.argument;
	spare.body = NULL;
	(void)pthread_mutex_unlock(&spare.lock);
	return body(argument);
}

/* Not before the last one has gone to work: the slot is one. */
bool
threads_keep_spare(void)
{
	create_fn *create = find_create();
	bool is_there;

	(void)pthread_mutex_lock(&spare.lock);
	if (!spare.is_there && spare.body == NULL && create != NULL)
		spare.is_there =
		    create(&spare.thread, NULL, wait_for_work, NULL) == 0;
	is_there = spare.is_there;
	(void)pthread_mutex_unlock(&spare.lock);
	return is_there;
}

#ifndef HAS_FOREIGN_CREATE

static bool
hand_over(pthread_t *thread, void *(*body)(void *), void *argument)
{
	bool is_there;

	(void)pthread_mutex_lock(&spare.lock);
	is_there = spare.is_there;
	if (is_there) {
		spare.is_there = false;
		spare.body = body;
		spare.argument = argument;
		*thread = spare.thread;
		(void)pthread_cond_signal(&spare.wake);
	}
	(void)pthread_mutex_unlock(&spare.lock);
	return is_there;
}

int
pthread_create(pthread_t *restrict thread,
    const pthread_attr_t *restrict attributes, void *(*body)(void *),
    void *restrict argument)
{
	create_fn *create = find_create();
	int problem = create == NULL
			  ? ENOSYS
			  : create(thread, attributes, body, argument);

	if (problem != EAGAIN || !hand_over(thread, body, argument))
		return problem;
	gate_shut_for_threads();
	return 0;
}

#endif
