/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The store of one machine, in LMDB.
 *
 * One database, one record for each key: when it was made, for how long, a
 * number (of a counter), the key as it was given and the value. LMDB's own
 * keys are short, so a long key is stored under its beginning and a hash;
 * two that meet there forget each other and are never taken for each other.
 *
 * Without MDB_WRITEMAP: a full disk is an error of write(2), not a SIGBUS. A
 * file shorter than its pages say would be one, and damaged pages worse, so a
 * child process reads the whole file before it is used here.
 *
 * What has expired is as good as gone for readers. Each write looks at a few
 * more records, round and round, and removes those; a store that is full is
 * swept whole, at most once a minute. Some pages are kept free, because with
 * copy on write a deletion wants pages too.
 *
 * An answer survives the death of the process (MDB_NOMETASYNC: of the machine
 * all but the last ones do, and the file stays whole).
 */
#include "maps/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <lmdb.h>

#define DEFAULT_MAP_BYTES ((size_t)256 * 1024 * 1024)
#define DEFAULT_KEYS_MAX 1000000
#define READERS_MAX 512
#define SHORT_KEY_MAX 400
#define DB_KEY_MAX (SHORT_KEY_MAX + 1 + 16)
#define SWEEP_STEP 4
#define FULL_SWEEP_PAUSE_MS 60000

struct lmdb_store {
	struct store base;
	MDB_env *env;
	MDB_dbi dbi;
	size_t keys_max;
	size_t pages_max;
	/* Used in write transactions only, of which there is one at a time. */
	long long swept_ms;
	size_t swept_len;
	char swept[DB_KEY_MAX]; /* where the round sweep is */
};

/* A record as it stands in the file, key and value behind it. */
struct header {
	long long made_ms;
	long long number;
	uint32_t seconds;
	uint16_t key_len;
	uint16_t version;
};

enum { RECORD_VERSION = 1 };

struct record {
	struct header header;
	slice key;
	slice value;
};

struct db_key {
	char bytes[DB_KEY_MAX];
	size_t len;
};

static struct lmdb_store *
lmdb_of(struct store *store)
{
	return (struct lmdb_store *)(void *)store;
}

static uint64_t
hash_of(slice key)
{
	uint64_t hash = 14695981039346656037ULL;

	for (size_t i = 0; i < key.len; i++)
		hash = (hash ^ (unsigned char)key.ptr[i]) * 1099511628211ULL;
	return hash;
}

static void
make_db_key(slice key, struct db_key *ret)
{
	char hash[18];

	ret->len = key.len < SHORT_KEY_MAX ? key.len : SHORT_KEY_MAX;
	memcpy(ret->bytes, key.ptr, ret->len);
	if (key.len <= SHORT_KEY_MAX)
		return;
	(void)snprintf(
	    hash, sizeof(hash), "#%016llx", (unsigned long long)hash_of(key));
	memcpy(ret->bytes + ret->len, hash, 17);
	ret->len += 17;
}

static bool
read_record(const MDB_val *data, struct record *ret)
{
	const char *bytes = data->mv_data;

	if (data->mv_size < sizeof(ret->header))
		return false;
	memcpy(&ret->header, bytes, sizeof(ret->header));
	if (ret->header.version != RECORD_VERSION ||
	    data->mv_size - sizeof(ret->header) < ret->header.key_len)
		return false;
	ret->key = (slice){bytes + sizeof(ret->header), ret->header.key_len};
	ret->value = (slice){ret->key.ptr + ret->key.len,
	    data->mv_size - sizeof(ret->header) - ret->key.len};
	return true;
}

/* 0: it has expired. One that seems to come from the future was made while the
 * clock was ahead: it has all of its time. */
static unsigned long
seconds_left(const struct record *record, long long now)
{
	long long length = (long long)record->header.seconds * 1000;
	long long age = now - record->header.made_ms;

	if (age < 0)
		age = 0;
	return age >= length ? 0 : (unsigned long)((length - age + 999) / 1000);
}

static enum store_result
failed(struct store *store, int code)
{
	return store_unavailable(store, "store.mdb: %s", mdb_strerror(code));
}

/*
 * Inside a transaction: 0 or what LMDB says.
 */

/* MDB_NOTFOUND: not there, expired, or another key in its place. */
static int
find(struct lmdb_store *lmdb, MDB_txn *txn, slice key, long long now,
    struct record *ret)
{
	struct db_key db_key;
	MDB_val name;
	MDB_val data;
	int code;

	make_db_key(key, &db_key);
	name = (MDB_val){db_key.len, db_key.bytes};
	code = mdb_get(txn, lmdb->dbi, &name, &data);
	if (code != 0)
		return code;
	if (!read_record(&data, ret) || !slice_eq(ret->key, key) ||
	    seconds_left(ret, now) == 0)
		return MDB_NOTFOUND;
	return 0;
}

static bool
is_expired(const MDB_val *data, long long now)
{
	struct record record;

	return !read_record(data, &record) || seconds_left(&record, now) == 0;
}

static int
sweep_all(struct lmdb_store *lmdb, MDB_txn *txn, long long now)
{
	MDB_cursor *cursor;
	MDB_val name;
	MDB_val data;
	int code = mdb_cursor_open(txn, lmdb->dbi, &cursor);

	if (code != 0)
		return code;
	while ((code = mdb_cursor_get(cursor, &name, &data, MDB_NEXT)) == 0) {
		if (is_expired(&data, now) &&
		    (code = mdb_cursor_del(cursor, 0)) != 0)
			break;
	}
	mdb_cursor_close(cursor);
	return code == MDB_NOTFOUND ? 0 : code;
}

static int
sweep_some(struct lmdb_store *lmdb, MDB_cursor *cursor, long long now)
{
	MDB_val name = {lmdb->swept_len, lmdb->swept};
	MDB_val data;
	int code = mdb_cursor_get(cursor, &name, &data,
	    lmdb->swept_len == 0 ? MDB_FIRST : MDB_SET_RANGE);

	for (unsigned i = 0; code == 0 && i < SWEEP_STEP; i++) {
		if (is_expired(&data, now) &&
		    (code = mdb_cursor_del(cursor, 0)) != 0)
			return code;
		code = mdb_cursor_get(cursor, &name, &data, MDB_NEXT);
	}
	lmdb->swept_len = 0;
	if (code != 0)
		return code == MDB_NOTFOUND ? 0 : code;
	if (name.mv_size <= sizeof(lmdb->swept)) {
		lmdb->swept_len = name.mv_size;
		memcpy(lmdb->swept, name.mv_data, name.mv_size);
	}
	return 0;
}

static int
sweep_step(struct lmdb_store *lmdb, MDB_txn *txn, long long now)
{
	MDB_cursor *cursor;
	int code = mdb_cursor_open(txn, lmdb->dbi, &cursor);

	if (code != 0)
		return code;
	code = sweep_some(lmdb, cursor, now);
	mdb_cursor_close(cursor);
	return code;
}

static bool
has_room(const struct lmdb_store *lmdb, MDB_txn *txn)
{
	MDB_stat stat;

	return mdb_stat(txn, lmdb->dbi, &stat) == 0 &&
	       stat.ms_entries < lmdb->keys_max &&
	       stat.ms_branch_pages + stat.ms_leaf_pages +
		       stat.ms_overflow_pages <
		   lmdb->pages_max;
}

static int
make_room(struct lmdb_store *lmdb, MDB_txn *txn, long long now)
{
	int code;

	if (has_room(lmdb, txn))
		return 0;
	if (now >= lmdb->swept_ms && now - lmdb->swept_ms < FULL_SWEEP_PAUSE_MS)
		return MDB_MAP_FULL;
	lmdb->swept_ms = now;
	code = sweep_all(lmdb, txn, now);
	if (code != 0)
		return code;
	return has_room(lmdb, txn) ? 0 : MDB_MAP_FULL;
}

static int
write_record(struct lmdb_store *lmdb, MDB_txn *txn, const struct record *record)
{
	struct db_key db_key;
	size_t header = sizeof(record->header);
	MDB_val name;
	MDB_val data = {header + record->key.len + record->value.len, NULL};
	char *to;
	int code;

	make_db_key(record->key, &db_key);
	name = (MDB_val){db_key.len, db_key.bytes};
	code = mdb_put(txn, lmdb->dbi, &name, &data, MDB_RESERVE);
	if (code != 0)
		return code;
	to = data.mv_data;
	memcpy(to, &record->header, header);
	memcpy(to + header, record->key.ptr, record->key.len);
	if (record->value.len > 0)
		memcpy(to + header + record->key.len, record->value.ptr,
		    record->value.len);
	return 0;
}

static int
put_record(
    struct lmdb_store *lmdb, MDB_txn *txn, struct record *record, long long now)
{
	int code;

	record->header.version = RECORD_VERSION;
	record->header.key_len = (uint16_t)record->key.len;
	code = make_room(lmdb, txn, now);
	if (code == 0)
		code = write_record(lmdb, txn, record);
	return code == 0 ? sweep_step(lmdb, txn, now) : code;
}

/*
 * Transactions. A change is made of one key: `change` says what becomes of
 * what is there.
 */

struct change {
	slice key;
	slice value;
	unsigned long seconds;
	long long amount;
	long long now;
	struct arena *arena;
	struct store_entry *ret_entry; /* claim */
	long long total;
	bool is_taken; /* claim: nothing was written */
};

/* `before` is NULL where nothing is there. */
typedef bool make_record(
    struct change *change, const struct record *before, struct record *ret);

static void
copy_entry(struct arena *arena, const struct record *record, long long now,
    struct store_entry *ret)
{
	ret->key = arena_copy(arena, record->key);
	ret->value = arena_copy(arena, record->value);
	ret->seconds_left = seconds_left(record, now);
}

static int
change_in(struct lmdb_store *lmdb, MDB_txn *txn, struct change *change,
    make_record *make)
{
	struct record before;
	struct record after = {.header = {.made_ms = change->now,
				   .seconds = (uint32_t)change->seconds},
	    .key = change->key,
	    .value = change->value};
	int code = find(lmdb, txn, change->key, change->now, &before);

	if (code != 0 && code != MDB_NOTFOUND)
		return code;
	if (!make(change, code == 0 ? &before : NULL, &after))
		return 0;
	return put_record(lmdb, txn, &after, change->now);
}

static enum store_result
make_change(struct store *store, struct change *change, make_record *make)
{
	struct lmdb_store *lmdb = lmdb_of(store);
	MDB_txn *txn;
	int code = mdb_txn_begin(lmdb->env, NULL, 0, &txn);

	if (code != 0)
		return failed(store, code);
	change->now = store_now_ms(store);
	code = change_in(lmdb, txn, change, make);
	if (code != 0 || change->is_taken) {
		/* The sweep is undone with it. */
		lmdb->swept_len = 0;
		mdb_txn_abort(txn);
	} else {
		code = mdb_txn_commit(txn);
	}
	return code == 0 ? STORE_YES : failed(store, code);
}

static bool
make_claim(
    struct change *change, const struct record *before, struct record *ret)
{
	(void)ret;
	if (before == NULL)
		return true;
	copy_entry(change->arena, before, change->now, change->ret_entry);
	change->is_taken = true;
	return false;
}

static enum store_result
claim(struct store *store, slice key, slice value, unsigned long seconds,
    struct arena *arena, struct store_entry *ret_taken)
{
	struct change change = {.key = key,
	    .value = value,
	    .seconds = seconds,
	    .arena = arena,
	    .ret_entry = ret_taken};
	enum store_result result = make_change(store, &change, make_claim);

	return result == STORE_YES && change.is_taken ? STORE_NO : result;
}

static bool
make_put(struct change *change, const struct record *before, struct record *ret)
{
	(void)change;
	(void)before;
	(void)ret;
	return true;
}

static enum store_result
put(struct store *store, slice key, slice value, unsigned long seconds)
{
	struct change change = {.key = key, .value = value, .seconds = seconds};

	return make_change(store, &change, make_put);
}

/* The window is that of its first event. */
static bool
make_count(
    struct change *change, const struct record *before, struct record *ret)
{
	if (before != NULL)
		ret->header = before->header;
	if (ret->header.number < LLONG_MAX)
		ret->header.number++;
	change->total = ret->header.number;
	return true;
}

static enum store_result
count(struct store *store, slice key, unsigned long seconds,
    unsigned long *ret_count)
{
	struct change change = {
	    .key = key, .value = SLICE(""), .seconds = seconds};
	enum store_result result = make_change(store, &change, make_count);

	if (result == STORE_YES)
		*ret_count = (unsigned long)change.total;
	return result;
}

static bool
make_sum(struct change *change, const struct record *before, struct record *ret)
{
	long long old = before == NULL ? 0 : before->header.number;

	if (__builtin_add_overflow(old, change->amount, &ret->header.number))
		ret->header.number = change->amount > 0 ? LLONG_MAX : LLONG_MIN;
	change->total = ret->header.number;
	return change->amount != 0;
}

static enum store_result
add(struct store *store, slice key, long long amount, unsigned long seconds,
    long long *ret_total)
{
	struct change change = {.key = key,
	    .value = SLICE(""),
	    .seconds = seconds,
	    .amount = amount};
	enum store_result result = make_change(store, &change, make_sum);

	if (result == STORE_YES)
		*ret_total = change.total;
	return result;
}

static enum store_result
get(struct store *store, slice key, struct arena *arena,
    struct store_entry *ret_entry)
{
	struct lmdb_store *lmdb = lmdb_of(store);
	long long now = store_now_ms(store);
	struct record record;
	MDB_txn *txn;
	int code = mdb_txn_begin(lmdb->env, NULL, MDB_RDONLY, &txn);

	if (code != 0)
		return failed(store, code);
	code = find(lmdb, txn, key, now, &record);
	if (code == 0)
		copy_entry(arena, &record, now, ret_entry);
	mdb_txn_abort(txn);
	if (code == MDB_NOTFOUND)
		return STORE_NO;
	return code == 0 ? STORE_YES : failed(store, code);
}

static int
delete_in(struct lmdb_store *lmdb, MDB_txn *txn, slice key)
{
	struct db_key db_key;
	MDB_val name;

	make_db_key(key, &db_key);
	name = (MDB_val){db_key.len, db_key.bytes};
	return mdb_del(txn, lmdb->dbi, &name, NULL);
}

static enum store_result
erase(struct store *store, slice key)
{
	struct lmdb_store *lmdb = lmdb_of(store);
	struct record record;
	MDB_txn *txn;
	int code = mdb_txn_begin(lmdb->env, NULL, 0, &txn);

	if (code != 0)
		return failed(store, code);
	code = find(lmdb, txn, key, store_now_ms(store), &record);
	if (code == 0)
		code = delete_in(lmdb, txn, key);
	if (code != 0) {
		mdb_txn_abort(txn);
		return code == MDB_NOTFOUND ? STORE_NO : failed(store, code);
	}
	code = mdb_txn_commit(txn);
	return code == 0 ? STORE_YES : failed(store, code);
}

static int
list_in(MDB_cursor *cursor, slice prefix, long long now,
    bool (*each)(void *context, const struct store_entry *entry), void *context)
{
	MDB_val name = {prefix.len, (void *)(uintptr_t)prefix.ptr};
	MDB_val data;
	struct record record;
	int code = mdb_cursor_get(
	    cursor, &name, &data, prefix.len == 0 ? MDB_FIRST : MDB_SET_RANGE);

	for (; code == 0;
	     code = mdb_cursor_get(cursor, &name, &data, MDB_NEXT)) {
		struct store_entry entry;

		if (name.mv_size < prefix.len ||
		    (prefix.len > 0 &&
			memcmp(name.mv_data, prefix.ptr, prefix.len) != 0))
			return 0;
		if (!read_record(&data, &record))
			continue;
		entry = (struct store_entry){.key = record.key,
		    .value = record.value,
		    .seconds_left = seconds_left(&record, now)};
		if (entry.seconds_left > 0 && !each(context, &entry))
			return 0;
	}
	return code == MDB_NOTFOUND ? 0 : code;
}

static enum store_result
list(struct store *store, slice prefix,
    bool (*each)(void *context, const struct store_entry *entry), void *context)
{
	struct lmdb_store *lmdb = lmdb_of(store);
	MDB_cursor *cursor;
	MDB_txn *txn;
	int code = mdb_txn_begin(lmdb->env, NULL, MDB_RDONLY, &txn);

	if (code != 0)
		return failed(store, code);
	code = mdb_cursor_open(txn, lmdb->dbi, &cursor);
	if (code == 0) {
		code =
		    list_in(cursor, prefix, store_now_ms(store), each, context);
		mdb_cursor_close(cursor);
	}
	mdb_txn_abort(txn);
	return code == 0 ? STORE_YES : failed(store, code);
}

static bool
key_count(struct store *store, size_t *ret_keys)
{
	struct lmdb_store *lmdb = lmdb_of(store);
	MDB_stat stat;
	MDB_txn *txn;
	int code = mdb_txn_begin(lmdb->env, NULL, MDB_RDONLY, &txn);

	if (code == 0) {
		code = mdb_stat(txn, lmdb->dbi, &stat);
		mdb_txn_abort(txn);
	}
	if (code != 0) {
		(void)failed(store, code);
		return false;
	}
	*ret_keys = stat.ms_entries;
	return true;
}

static void
close_lmdb(struct store *store)
{
	struct lmdb_store *lmdb = lmdb_of(store);

	mdb_env_close(lmdb->env);
	free(lmdb);
}

static const struct store_kind lmdb_kind = {
    .name = "lmdb",
    .close = close_lmdb,
    .claim = claim,
    .get = get,
    .put = put,
    .delete = erase,
    .list = list,
    .count = count,
    .add = add,
    .key_count = key_count,
};

/*
 * Opening.
 */

static bool
refuse(struct error *error, int exit_code, const char *path, const char *why)
{
	(void)error_at(error, path, 0, "%s", why);
	if (error != NULL)
		error->exit_code = exit_code;
	return false;
}

static bool
check_directory(const char *path, struct error *error)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return refuse(error, errno == ENOENT ? EX_NOINPUT : EX_NOPERM,
		    path, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return refuse(error, EX_NOINPUT, path, "is no directory");
	if (st.st_uid != geteuid())
		return refuse(
		    error, EX_NOPERM, path, "belongs to another user");
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return refuse(
		    error, EX_NOPERM, path, "may be written by others");
	return true;
}

/* Of a file that is there already. */
static bool
check_file(const char *path, struct error *error)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		return errno == ENOENT ||
		       refuse(error, EX_NOPERM, path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return refuse(error, EX_NOPERM, path, "is no plain file");
	if (st.st_uid != geteuid() || (st.st_mode & 077) != 0)
		return refuse(error, EX_NOPERM, path,
		    "belongs to another user, or others may use it");
	return true;
}

static int
open_env(
    const char *path, const struct store_options *options, MDB_env **ret_env)
{
	unsigned flags = MDB_NOSUBDIR | MDB_NOTLS |
			 (options->is_unsynced ? MDB_NOSYNC : MDB_NOMETASYNC);
	MDB_env *env;
	int dead;
	int code = mdb_env_create(&env);

	if (code != 0)
		return code;
	code = mdb_env_set_mapsize(env, options->map_bytes);
	if (code == 0)
		code = mdb_env_set_maxreaders(env, READERS_MAX);
	if (code == 0)
		code = mdb_env_open(env, path, flags, 0600);
	if (code == 0)
		code = mdb_reader_check(env, &dead);
	if (code == 0)
		*ret_env = env;
	else
		mdb_env_close(env);
	return code;
}

/* In the child: reads every page that is in use. */
static int
walk(MDB_txn *txn, MDB_dbi dbi)
{
	MDB_cursor *cursor;
	MDB_val name;
	MDB_val data;
	uint64_t sum = 0;
	int code = mdb_cursor_open(txn, dbi, &cursor);

	while (code == 0 &&
	       (code = mdb_cursor_get(cursor, &name, &data, MDB_NEXT)) == 0)
		sum += hash_of((slice){name.mv_data, name.mv_size}) +
		       hash_of((slice){data.mv_data, data.mv_size});
	/* So that the reading is not left out. */
	return code == MDB_NOTFOUND && sum != 1 ? 0 : code;
}

static int
read_whole(const char *path, const struct store_options *options)
{
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;
	MDB_envinfo info;
	MDB_stat stat;
	struct stat st;
	int code = open_env(path, options, &env);

	if (code != 0)
		return code;
	code = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);
	if (code == 0)
		code = mdb_dbi_open(txn, NULL, 0, &dbi);
	if (code == 0 &&
	    (mdb_env_info(env, &info) != 0 || mdb_env_stat(env, &stat) != 0 ||
		lstat(path, &st) != 0 ||
		(info.me_last_pgno + 1) * stat.ms_psize > (size_t)st.st_size))
		code = MDB_CORRUPTED;
	if (code == 0)
		code = walk(txn, 0);
	return code == 0 ? walk(txn, dbi) : code;
}

/* LMDB believes what it reads: what breaks it here breaks a child. */
static bool
check_content(
    const char *path, const struct store_options *options, struct error *error)
{
	struct stat st;
	pid_t child;
	int status;

	if (lstat(path, &st) != 0)
		return true;
	child = fork();
	if (child < 0)
		return refuse(error, EX_OSERR, path, strerror(errno));
	if (child == 0) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		if (null >= 0)
			(void)dup2(null, STDERR_FILENO);
		_exit(read_whole(path, options) == 0 ? 0 : 1);
	}
	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR)
			return refuse(error, EX_OSERR, path, strerror(errno));
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return true;
	return refuse(error, EX_IOERR, path,
	    "is damaged; milterd begins a new one when it is moved away");
}

static int
open_dbi(struct lmdb_store *lmdb)
{
	MDB_txn *txn;
	int code = mdb_txn_begin(lmdb->env, NULL, 0, &txn);

	if (code != 0)
		return code;
	code = mdb_dbi_open(txn, NULL, 0, &lmdb->dbi);
	if (code != 0) {
		mdb_txn_abort(txn);
		return code;
	}
	return mdb_txn_commit(txn);
}

static bool
open_file(struct lmdb_store *lmdb, const char *path,
    const struct store_options *options, struct error *error)
{
	MDB_stat stat;
	int code = open_env(path, options, &lmdb->env);

	if (code != 0)
		return refuse(error, EX_CANTCREAT, path, mdb_strerror(code));
	code = open_dbi(lmdb);
	if (code == 0)
		code = mdb_env_stat(lmdb->env, &stat);
	if (code != 0) {
		mdb_env_close(lmdb->env);
		return refuse(error, EX_CANTCREAT, path, mdb_strerror(code));
	}
	/* The rest is for deletions. */
	lmdb->pages_max = options->map_bytes / stat.ms_psize / 10 * 8;
	return true;
}

static struct store_options
with_defaults(const struct store_options *options)
{
	struct store_options all = *options;

	if (all.map_bytes == 0)
		all.map_bytes = DEFAULT_MAP_BYTES;
	if (all.keys_max == 0)
		all.keys_max = DEFAULT_KEYS_MAX;
	return all;
}

struct store *
store_lmdb_open(const char *directory, const struct store_options *options,
    struct error *error)
{
	struct store_options all = with_defaults(options);
	struct lmdb_store *lmdb;
	char path[PATH_MAX];

	if ((size_t)snprintf(path, sizeof(path), "%s/store.mdb", directory) >=
	    sizeof(path)) {
		(void)refuse(
		    error, EX_NOINPUT, directory, strerror(ENAMETOOLONG));
		return NULL;
	}
	if (!check_directory(directory, error) || !check_file(path, error) ||
	    !check_content(path, &all, error))
		return NULL;
	lmdb = xmalloc(sizeof(*lmdb));
	memset(lmdb, 0, sizeof(*lmdb));
	store_init(&lmdb->base, &lmdb_kind, &all.clock);
	lmdb->keys_max = all.keys_max;
	lmdb->swept_ms = LLONG_MIN / 2;
	if (open_file(lmdb, path, &all, error))
		return &lmdb->base;
	free(lmdb);
	return NULL;
}
