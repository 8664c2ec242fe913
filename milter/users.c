/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One question is under way at a time:
 *
 *   IDLE      -> ASKED     somebody puts his question down, and waits
 *   ASKED     -> WORKING   the thread has taken it
 *   WORKING   -> ANSWERED  the thread has the answer
 *             -> IDLE      nobody waits for it any more; it is kept still
 *   ANSWERED  -> IDLE      who asked has taken the answer
 *
 * Who comes while another's question is under way waits for IDLE.
 */
#include "milter/users.h"

#include <errno.h>
#include <pthread.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "base/deadline.h"
#include "milter/threads.h"

enum {
	PATIENCE_MS = 1000,
	USER_KEPT_MS = 60 * 1000,
	NOBODY_KEPT_MS = 10 * 1000,
	MOST_KEPT = 1024,
	LONGEST_NAME = 255,
	BUFFER_SIZE = 16 * 1024,
	MOST_BUFFER = 1024 * 1024,
};

struct kept {
	char name[LONGEST_NAME + 1];
	enum world_answer answer;
	deadline_ms until; /* 0: nothing is kept here */
};

enum state { IDLE, ASKED, WORKING, ANSWERED };

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	enum state state;
	bool is_started;
	bool is_waited_for;
	bool is_stuck; /* somebody has waited in vain */
	char name[LONGEST_NAME + 1];
	enum world_answer answer;
	users_source *source;
	struct kept kept[MOST_KEPT];
} users = {.lock = PTHREAD_MUTEX_INITIALIZER};

static enum world_answer
ask_system_with(const char *name, char *buffer, size_t size, bool *ret_again)
{
	struct passwd entry;
	struct passwd *found = NULL;
	int problem = getpwnam_r(name, &entry, buffer, size, &found);

	*ret_again = problem == ERANGE;
	if (found != NULL)
		return WORLD_FOUND;
	/* getpwnam(3) lists what systems return for "not found". */
	switch (problem) {
	case 0:
	case ENOENT:
	case ESRCH:
	case EBADF:
	case EPERM:
		return WORLD_NONE;
	}
	return WORLD_TEMPFAIL;
}

static enum world_answer
ask_system(const char *name)
{
	size_t size = BUFFER_SIZE;
	char *buffer = xmalloc(size);
	enum world_answer answer;
	bool again;

	while (answer = ask_system_with(name, buffer, size, &again), again) {
		if (size >= MOST_BUFFER)
			break;
		size *= 2;
		buffer = xrealloc(buffer, size);
	}
	free(buffer);
	return answer;
}

static struct kept *
place_of(const char *name)
{
	unsigned hash = 2166136261U;

	for (; *name != '\0'; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619U;
	return &users.kept[hash % MOST_KEPT];
}

/* With the lock held, here and below. */
static void
keep(const char *name, enum world_answer answer)
{
	struct kept *k = place_of(name);
	unsigned ms = answer == WORLD_FOUND ? USER_KEPT_MS : NOBODY_KEPT_MS;

	if (answer == WORLD_TEMPFAIL)
		return;
	memcpy(k->name, name, strlen(name) + 1);
	k->answer = answer;
	k->until = deadline_in(ms);
}

static bool
recall(const char *name, enum world_answer *ret_answer)
{
	const struct kept *k = place_of(name);

	if (k->until == 0 || deadline_passed(k->until) ||
	    strcmp(k->name, name) != 0)
		return false;
	*ret_answer = k->answer;
	return true;
}

static void
set_state(enum state state)
{
	users.state = state;
	(void)pthread_cond_broadcast(&users.changed);
}

static void
work(void)
{
	char name[LONGEST_NAME + 1];
	users_source *source = users.source;
	enum world_answer answer;

	set_state(WORKING);
	memcpy(name, users.name, sizeof(name));
	(void)pthread_mutex_unlock(&users.lock);
	answer = source == NULL ? ask_system(name) : source(name);
	(void)pthread_mutex_lock(&users.lock);
	if (source == users.source)
		keep(name, answer);
	users.answer = answer;
	users.is_stuck = false;
	set_state(users.is_waited_for ? ANSWERED : IDLE);
}

static void *
run(void *unused)
{
	(void)unused;
	(void)pthread_mutex_lock(&users.lock);
	for (;;) {
		if (users.state == ASKED)
			work();
		else
			(void)pthread_cond_wait(&users.changed, &users.lock);
	}
	return NULL;
}

static bool
start(void)
{
	if (users.is_started)
		return true;
	threads_init_condition(&users.changed);
	users.is_started = threads_start(NULL, run, NULL, NULL);
	if (!users.is_started)
		(void)pthread_cond_destroy(&users.changed);
	return users.is_started;
}

static bool
wait_for(enum state state, deadline_ms deadline)
{
	struct timespec until = deadline_timespec(deadline);

	while (users.state != state) {
		if (users.is_stuck)
			return false;
		if (pthread_cond_timedwait(
			&users.changed, &users.lock, &until) != 0 &&
		    users.state != state)
			return false;
	}
	return true;
}

static enum world_answer
ask_thread(const char *name)
{
	deadline_ms deadline = deadline_in(PATIENCE_MS);
	enum world_answer answer;

	if (!wait_for(IDLE, deadline))
		return WORLD_TEMPFAIL;
	/* Somebody else may have asked for the same. */
	if (recall(name, &answer))
		return answer;
	memcpy(users.name, name, strlen(name) + 1);
	users.is_waited_for = true;
	set_state(ASKED);
	if (wait_for(ANSWERED, deadline)) {
		answer = users.answer;
		set_state(IDLE);
		return answer;
	}
	users.is_waited_for = false;
	users.is_stuck = true;
	return WORLD_TEMPFAIL;
}

enum world_answer
users_find(void *context, struct arena *arena, slice name)
{
	enum world_answer answer;
	const char *text;

	(void)context;
	if (name.len == 0 || name.len > LONGEST_NAME ||
	    slice_index(name, '\0') < name.len)
		return WORLD_NONE;
	text = arena_cstr(arena, name);
	(void)pthread_mutex_lock(&users.lock);
	if (!recall(text, &answer))
		answer = start() ? ask_thread(text) : WORLD_TEMPFAIL;
	(void)pthread_mutex_unlock(&users.lock);
	return answer;
}

void
users_set_source(users_source *source)
{
	(void)pthread_mutex_lock(&users.lock);
	users.source = source;
	memset(users.kept, 0, sizeof(users.kept));
	(void)pthread_mutex_unlock(&users.lock);
}
