/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/hosts.h"

#include "base/deadline.h"
#include "policy/client.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 64 * 1024 * 1024, LOOK_AGAIN_MS = 1000 };

struct line {
	slice address;
	slice *names;
	size_t count;
};

/* A key of one of the two indices and the line it is on. */
struct entry {
	slice key;
	size_t line;
};

struct index {
	struct entry *entries;
	size_t count;
};

struct hosts {
	pthread_mutex_t lock;
	char *path;
	deadline_ms look_again_at;
	struct stat seen;
	struct arena *arena; /* of all that follows */
	struct line *lines;
	size_t line_count;
	struct index by_name;
	struct index by_address;
};

struct hosts *
hosts_new(const char *path)
{
	struct hosts *hosts = xmalloc(sizeof(*hosts));

	*hosts = (struct hosts){.path = xstrdup(path)};
	(void)pthread_mutex_init(&hosts->lock, NULL);
	return hosts;
}

void
hosts_free(struct hosts *hosts)
{
	if (hosts == NULL)
		return;
	(void)pthread_mutex_destroy(&hosts->lock);
	arena_free(hosts->arena);
	free(hosts->path);
	free(hosts);
}

/* Reading */

static slice
read_file(int fd, struct arena *arena, size_t size)
{
	char *text = arena_alloc(arena, size + 1);
	size_t len = 0;

	while (len < size) {
		ssize_t got = read(fd, text + len, size - len);

		if (got <= 0)
			break;
		len += (size_t)got;
	}
	return (slice){text, len};
}

static bool
next_word(slice *rest, slice *ret_word)
{
	size_t len = 0;

	*rest = slice_trim(*rest);
	while (len < rest->len && !ascii_is_space(rest->ptr[len]))
		len++;
	*ret_word = slice_first(*rest, len);
	*rest = slice_from(*rest, len);
	return len > 0;
}

static size_t
count_bytes(slice text, char c)
{
	size_t count = 0;

	for (size_t i = 0; i < text.len; i++)
		count += text.ptr[i] == c;
	return count;
}

static size_t
count_words(slice text)
{
	size_t count = 0;
	slice word;

	while (next_word(&text, &word))
		count++;
	return count;
}

static bool
parse_line(struct arena *arena, slice text, struct line *ret_line)
{
	slice word;

	text = slice_first(text, slice_index(text, '#'));
	if (!next_word(&text, &word) ||
	    !client_address_canonical(arena, word, &ret_line->address))
		return false;
	ret_line->count = 0;
	ret_line->names = ARENA_ARRAY(arena, slice, count_words(text));
	while (next_word(&text, &word)) {
		if (word.ptr[word.len - 1] == '.')
			word.len--;
		if (word.len > 0)
			ret_line->names[ret_line->count++] =
			    arena_copy_lower(arena, word);
	}
	return ret_line->count > 0;
}

static int
compare_slices(slice a, slice b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int order = memcmp(a.ptr, b.ptr, len);

	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int
compare_entries(const void *a, const void *b)
{
	const struct entry *x = a;
	const struct entry *y = b;
	int order = compare_slices(x->key, y->key);

	return order != 0 ? order : (x->line > y->line) - (x->line < y->line);
}

static void
build_indices(struct hosts *hosts)
{
	struct index *names = &hosts->by_name;
	struct index *addresses = &hosts->by_address;
	size_t count = 0;

	for (size_t i = 0; i < hosts->line_count; i++)
		count += hosts->lines[i].count;
	names->entries = ARENA_ARRAY(hosts->arena, struct entry, count);
	addresses->entries =
	    ARENA_ARRAY(hosts->arena, struct entry, hosts->line_count);
	for (size_t i = 0; i < hosts->line_count; i++) {
		const struct line *line = &hosts->lines[i];

		addresses->entries[addresses->count++] =
		    (struct entry){line->address, i};
		for (size_t j = 0; j < line->count; j++)
			names->entries[names->count++] =
			    (struct entry){line->names[j], i};
	}
	qsort(names->entries, names->count, sizeof(struct entry),
	    compare_entries);
	qsort(addresses->entries, addresses->count, sizeof(struct entry),
	    compare_entries);
}

static void
forget(struct hosts *hosts)
{
	arena_free(hosts->arena);
	hosts->arena = arena_new(0);
	hosts->line_count = 0;
	hosts->by_name = (struct index){0};
	hosts->by_address = (struct index){0};
}

static void
load(struct hosts *hosts, int fd)
{
	slice text;
	slice line;

	forget(hosts);
	if (fd < 0 || hosts->seen.st_size > FILE_MAX)
		return;
	text = read_file(fd, hosts->arena, (size_t)hosts->seen.st_size);
	hosts->lines =
	    ARENA_ARRAY(hosts->arena, struct line, count_bytes(text, '\n') + 1);
	while (slice_next(&text, '\n', &line)) {
		if (parse_line(
			hosts->arena, line, &hosts->lines[hosts->line_count]))
			hosts->line_count++;
	}
	build_indices(hosts);
}

static bool
is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev &&
	       a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Caller holds the lock. */
static void
refresh(struct hosts *hosts)
{
	struct stat now = {0};
	int fd;

	if (!deadline_passed(hosts->look_again_at))
		return;
	hosts->look_again_at = deadline_in(LOOK_AGAIN_MS);
	if (stat(hosts->path, &now) == 0 && hosts->arena != NULL &&
	    is_same_file(&now, &hosts->seen))
		return;
	fd = open(hosts->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &hosts->seen) < 0 ||
	    !S_ISREG(hosts->seen.st_mode))
		hosts->seen = (struct stat){0};
	load(hosts, fd);
	if (fd >= 0)
		(void)close(fd);
}

/* Asking */

/* The first entry of the key, or the count: lines come in file order. */
static size_t
first_entry(const struct index *index, slice key)
{
	size_t low = 0;
	size_t high = index->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_slices(index->entries[middle].key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool
has_key(const struct index *index, size_t at, slice key)
{
	return at < index->count && slice_eq(index->entries[at].key, key);
}

static slice
canonical_of(const struct line *line)
{
	for (size_t i = 0; i < line->count; i++) {
		if (slice_index(line->names[i], '.') < line->names[i].len)
			return line->names[i];
	}
	return line->names[0];
}

bool
hosts_find_canonical(
    struct hosts *hosts, struct arena *arena, slice name, slice *ret_canonical)
{
	slice key = arena_copy_lower(arena, name);
	bool found;
	size_t at;

	(void)pthread_mutex_lock(&hosts->lock);
	refresh(hosts);
	at = first_entry(&hosts->by_name, key);
	found = has_key(&hosts->by_name, at, key);
	if (found)
		*ret_canonical = arena_copy(
		    arena, canonical_of(
			       &hosts->lines[hosts->by_name.entries[at].line]));
	(void)pthread_mutex_unlock(&hosts->lock);
	return found;
}

bool
hosts_find_pointer(
    struct hosts *hosts, struct arena *arena, slice address, slice *ret_name)
{
	bool found;
	size_t at;

	(void)pthread_mutex_lock(&hosts->lock);
	refresh(hosts);
	at = first_entry(&hosts->by_address, address);
	found = has_key(&hosts->by_address, at, address);
	if (found) {
		size_t line = hosts->by_address.entries[at].line;

		*ret_name = arena_copy(arena, hosts->lines[line].names[0]);
	}
	(void)pthread_mutex_unlock(&hosts->lock);
	return found;
}

static bool
is_ipv6(slice address)
{
	return slice_index(address, ':') < address.len;
}

enum hosts_match
hosts_match(struct hosts *hosts, slice name, slice address)
{
	enum hosts_match match = HOSTS_UNKNOWN;

	(void)pthread_mutex_lock(&hosts->lock);
	refresh(hosts);
	for (size_t at = first_entry(&hosts->by_name, name);
	     has_key(&hosts->by_name, at, name) && match != HOSTS_SAME; at++) {
		size_t line = hosts->by_name.entries[at].line;
		slice other = hosts->lines[line].address;

		if (slice_eq(other, address))
			match = HOSTS_SAME;
		else if (is_ipv6(other) == is_ipv6(address))
			match = HOSTS_OTHER;
	}
	(void)pthread_mutex_unlock(&hosts->lock);
	return match;
}

void
hosts_walk(struct hosts *hosts, slice name,
    void (*each)(
	void *context, slice address, const slice *names, size_t count),
    void *context)
{
	struct arena *scratch = arena_new(0);
	slice key = arena_copy_lower(scratch, name);

	(void)pthread_mutex_lock(&hosts->lock);
	refresh(hosts);
	for (size_t at = first_entry(&hosts->by_name, key);
	     has_key(&hosts->by_name, at, key); at++) {
		const struct line *line =
		    &hosts->lines[hosts->by_name.entries[at].line];

		each(context, line->address, line->names, line->count);
	}
	(void)pthread_mutex_unlock(&hosts->lock);
	arena_free(scratch);
}
