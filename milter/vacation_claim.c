/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/vacation_claim.h"

#include "base/deadline.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>

enum { RECENT_MOST = 4096, RECENT_SECONDS = 600, MINUTE_MS = 60000 };

static struct {
	pthread_mutex_t lock;
	struct {
		uint64_t hash;
		deadline_ms until; /* 0: nothing is kept here */
	} recent[RECENT_MOST];
	deadline_ms minute;
	int turns;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER};

static uint64_t
hash_of(slice key)
{
	uint64_t hash = 0xcbf29ce484222325U;

	for (size_t i = 0; i < key.len; i++)
		hash = (hash ^ (unsigned char)key.ptr[i]) * 0x100000001b3U;
	return hash ^ hash >> 29;
}

static void
remember(slice key, unsigned long seconds)
{
	uint64_t hash = hash_of(key);
	size_t place = hash % RECENT_MOST;

	if (seconds > RECENT_SECONDS)
		seconds = RECENT_SECONDS;
	(void)pthread_mutex_lock(&state.lock);
	state.recent[place].hash = hash;
	state.recent[place].until = deadline_in((unsigned)seconds * 1000);
	(void)pthread_mutex_unlock(&state.lock);
}

enum spool_claim
vacation_claim(void *context, slice key, unsigned long interval_s)
{
	struct store *store = context;
	struct store_entry taken = {.seconds_left = 0};
	enum spool_claim answer = SPOOL_CLAIM_UNKNOWN;
	struct arena *arena;

	if (store == NULL)
		return SPOOL_CLAIM_UNKNOWN;
	arena = arena_new(0);
	switch (store_claim(
	    store, key, SLICE("1"), interval_s, arena, &taken)) {
	case STORE_YES:
		remember(key, interval_s);
		answer = SPOOL_CLAIM_FIRST;
		break;
	case STORE_NO:
		remember(key, taken.seconds_left);
		answer = SPOOL_CLAIM_REPEATED;
		break;
	case STORE_UNAVAILABLE:
		break;
	}
	arena_free(arena);
	return answer;
}

bool
vacation_is_recent(slice key)
{
	uint64_t hash = hash_of(key);
	size_t place = hash % RECENT_MOST;
	bool is_recent;

	(void)pthread_mutex_lock(&state.lock);
	is_recent = state.recent[place].until != 0 &&
	    state.recent[place].hash == hash &&
	    !deadline_passed(state.recent[place].until);
	(void)pthread_mutex_unlock(&state.lock);
	return is_recent;
}

bool
vacation_take_turn(int limit)
{
	deadline_ms minute = deadline_now() / MINUTE_MS;
	bool has_turn;

	(void)pthread_mutex_lock(&state.lock);
	if (state.minute != minute) {
		state.minute = minute;
		state.turns = 0;
	}
	has_turn = limit == 0 || state.turns < limit;
	if (has_turn && state.turns < 1000000000)
		state.turns++;
	(void)pthread_mutex_unlock(&state.lock);
	return has_turn;
}

void
vacation_forget_recent(void)
{
	(void)pthread_mutex_lock(&state.lock);
	memset(state.recent, 0, sizeof(state.recent));
	(void)pthread_mutex_unlock(&state.lock);
}
