/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A snapshot: one immutable generation of maps and classes and of whatever
 * else is allocated in its arena (policy/ puts its options there). Built by
 * one thread, then published; counted: a session holds one from its first
 * callback to its close, and the last to release it frees it. The count is
 * atomic; acquire and release may be called by any thread.
 */
#ifndef MAPS_SNAPSHOT_H
#define MAPS_SNAPSHOT_H

#include "base/arena.h"
#include "base/error.h"
#include "maps/class.h"
#include "maps/map.h"

#include <stdint.h>
#include <sys/stat.h>

struct snapshot;

/* Count 1, belonging to the caller. */
struct snapshot *snapshot_new(void);
struct snapshot *snapshot_acquire(struct snapshot *snapshot);
void snapshot_release(struct snapshot *snapshot);
struct arena *snapshot_arena(struct snapshot *snapshot);

/* Warnings of loading (duplicates, skipped lines): file:line: text. */
typedef void snapshot_warn(void *context, const char *text);

struct snapshot_source {
	bool allow_unsafe_files;
	bool has_nets;	     /* keys may be nets, maps/net.h */
	snapshot_warn *warn; /* may be NULL */
	void *context;
};

/* Loads a map from the files in order. A path is a file name, "text:" and a
 * file name, or "pcre:" and the name of a file of patterns. Text files that
 * stand together become one exact-match table, in which a key in an earlier
 * file or line wins. The map belongs to the snapshot. At most 20 warnings are
 * given per file, and then their number. NULL on failure: the snapshot is then
 * good for nothing but its release. */
const struct map *snapshot_add_map(struct snapshot *snapshot, slice name,
    const slice *paths, size_t path_count, const struct snapshot_source *source,
    struct error *error);
/* The key of a name as it stands in a file of aliases. NULL, or what is wrong
 * with the name, whose entry is then skipped with a warning. */
typedef const char *snapshot_make_key(
    void *context, struct arena *arena, slice name, slice *ret_key);

struct snapshot_keys {
	snapshot_make_key *make;
	void *context;
};

/* The same where text files are of aliases (maps/alias_text.h). Of one name's
 * entries in a file the last counts, as with newaliases, of several files the
 * first. */
const struct map *snapshot_add_aliases(struct snapshot *snapshot, slice name,
    const slice *paths, size_t path_count, const struct snapshot_keys *keys,
    const struct snapshot_source *source, struct error *error);
/* Items that begin with '/' are files of words, the others are words. More
 * words may be added until the snapshot is published. */
struct class *snapshot_add_class(struct snapshot *snapshot, slice name,
    const slice *items, size_t item_count, const struct snapshot_source *source,
    struct error *error);

/* Keeps files whole, for whoever knows how to read them: recipes and the like.
 * More may be added until the snapshot is published, in a part of that name
 * that is there or a new one; a path that is in it already is not read again.
 * False on failure, as above. */
bool snapshot_add_text(struct snapshot *snapshot, slice name,
    const slice *paths, size_t path_count, const struct snapshot_source *source,
    struct error *error);

/* The same with a file that the caller has read. */
void snapshot_add_text_of(
    struct snapshot *snapshot, slice name, slice path, slice content);

/* The same with a line that is in no file, and is its own path. */
void snapshot_add_text_line(
    struct snapshot *snapshot, slice name, slice line);

/* One file of a text. Lives as long as the snapshot. */
struct snapshot_text {
	const char *path;
	slice content; /* NUL-terminated behind its end */
	const struct snapshot_text *next;
};

/* NULL when there is no such text, or it has no such file. */
const struct snapshot_text *snapshot_find_text(
    const struct snapshot *snapshot, slice name, slice path);

enum part_kind { PART_MAP, PART_CLASS, PART_TEXT };

/* "map", "class" or "text". */
const char *part_kind_text(enum part_kind kind);
/* What it has: "entries", "words" or "files". */
const char *part_kind_unit(enum part_kind kind);

/* What is in it, for status, reload's report and explain. */
struct snapshot_part {
	slice name;
	enum part_kind kind;
	size_t entries; /* of a text: files */
	size_t bytes;
	uint64_t digest;
	const struct map *map;		   /* of a map alone, */
	const struct class *words;	   /* of a class alone, */
	const struct snapshot_text *texts; /* of a text alone */
	const struct snapshot_part *next;
	const struct snapshot_file *files;
};

struct snapshot_file {
	const char *path;
	struct timespec modified;
	off_t size;
	const struct snapshot_file *next;
};

const struct snapshot_part *snapshot_parts(const struct snapshot *snapshot);
const struct snapshot_part *snapshot_find_part(
    const struct snapshot *snapshot, slice name);

#endif
