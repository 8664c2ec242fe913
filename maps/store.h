/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The store: small shared state with expiry, behind one door whether it is
 * kept in a file of this machine (maps/store_lmdb.c) or in a Redis that
 * machines share (maps/store_redis.c).
 *
 * Every call may wait for a disk or a network, so none may be made where
 * libmilter waits: callers are the workers of the control socket, the threads
 * of spool and replica, and the start. Any number of threads may call at once.
 *
 * Answers have three values. STORE_UNAVAILABLE is no answer: nothing is known,
 * nothing may have been done, and it must never be taken for STORE_NO. A key
 * or value that is too long, and a time of 0, are answered so too.
 *
 * An entry lives for the seconds it was given, also over a restart. Its start
 * and length are kept, not its end: with a clock that was ahead when it was
 * made and is right again, the seconds left are never more than its length.
 */
#ifndef MAPS_STORE_H
#define MAPS_STORE_H

#include "base/arena.h"
#include "base/error.h"

#define STORE_KEY_MAX 1024
#define STORE_VALUE_MAX 4096
#define STORE_PREFIX_MAX 256
#define STORE_SECONDS_MAX (100UL * 366 * 86400)

enum store_result { STORE_YES, STORE_NO, STORE_UNAVAILABLE };

struct store_entry {
	slice key;
	slice value;
	unsigned long seconds_left; /* at least 1 */
};

struct store;

/* Milliseconds since 1970. */
struct store_clock {
	long long (*now_ms)(void *context);
	void *context;
};

struct store_options {
	struct store_clock clock;
	size_t map_bytes; /* LMDB: size of the file; 0: 256 MB */
	size_t keys_max;  /* LMDB: 0: 1,000,000 */
	/* LMDB: an answer outlives the process, not the machine. For tests. */
	bool is_unsynced;
};

/* In `directory`/store.mdb, which is made. The directory must be this user's
 * own and closed to others (0700 as it is used, no more than 0755). NULL on
 * failure, with an exit code: EX_NOINPUT, EX_NOPERM, EX_CANTCREAT, EX_IOERR
 * (the file is damaged), EX_TEMPFAIL. Not before a fork. */
struct store *store_lmdb_open(const char *directory,
    const struct store_options *options, struct error *error);
/* NULL is fine. Only when nobody asks any more. */
void store_close(struct store *store);

/* YES: nobody had the key, now the caller has it for so long. NO: it is taken,
 * `ret_taken` (may be NULL) tells with what value and for how long yet. */
__attribute__((warn_unused_result)) enum store_result store_claim(
    struct store *store, slice key, slice value, unsigned long seconds,
    struct arena *arena, struct store_entry *ret_taken);
__attribute__((warn_unused_result)) enum store_result store_get(
    struct store *store, slice key, struct arena *arena,
    struct store_entry *ret_entry);
/* YES or UNAVAILABLE. Replaces what is there, and its time. */
__attribute__((warn_unused_result)) enum store_result store_put(
    struct store *store, slice key, slice value, unsigned long seconds);
/* NO: there was none. */
__attribute__((warn_unused_result)) enum store_result store_delete(
    struct store *store, slice key);
/* Every entry whose key begins with `prefix`, in no order, until `each` says
 * false; an entry is good until `each` returns, which must not use the store.
 * YES or UNAVAILABLE, which may come after some. */
__attribute__((warn_unused_result)) enum store_result store_list(
    struct store *store, slice prefix,
    bool (*each)(void *context, const struct store_entry *entry),
    void *context);
/* One more event. A window begins with its first event and lasts so long;
 * how many there have been in it, this one too. YES or UNAVAILABLE. */
__attribute__((warn_unused_result)) enum store_result store_count(
    struct store *store, slice key, unsigned long seconds,
    unsigned long *ret_count);
/* A counter that is forgotten when nothing was added for so long. YES or
 * UNAVAILABLE. `amount` may be 0, to ask. */
__attribute__((warn_unused_result)) enum store_result store_add(
    struct store *store, slice key, long long amount, unsigned long seconds,
    long long *ret_total);

/* "lmdb" or "redis". */
const char *store_kind_name(const struct store *store);
/* How many keys it holds, of all uses, with those that have expired and are not
 * swept yet. False: not known, or only at a price, as in Redis. */
bool store_key_count(struct store *store, size_t *ret_keys);
/* Why the last STORE_UNAVAILABLE came, for a log or a reply; empty: never. */
void store_trouble(struct store *store, char *text, size_t size);

#endif
