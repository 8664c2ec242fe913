/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Parts of a snapshot from files: maps, aliases, classes and texts.
 */
#include "maps/snapshot_private.h"

#include "base/strbuf.h"
#include "maps/alias_text.h"
#include "maps/text.h"

#include <stdalign.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define WARNINGS_PER_FILE 20
#define SHOWN_KEY 80

/* How many warnings a file has caused. */
struct told {
	const char *path;
	size_t count;
	struct told *next;
};

/* One map or class being loaded. */
struct loading {
	struct snapshot *snapshot;
	const struct snapshot_source *source;
	struct error *error;
	struct owned *owned;
	struct arena *scratch;
	struct told *told;
	const struct snapshot_keys *keys; /* of aliases; NULL: other maps */
};

/* Copies what outlives the loading. Returns the path. */
static const char *
add_file(struct loading *loading, const struct text_file *text)
{
	struct arena *arena = loading->snapshot->arena;
	struct snapshot_file *file = ARENA_NEW(arena, struct snapshot_file);

	file->path = arena_cstr(arena, slice_from_cstr(text->path));
	file->modified = text->stat.st_mtim;
	file->size = text->stat.st_size;
	if (loading->owned->last_file == NULL)
		loading->owned->part.files = file;
	else
		loading->owned->last_file->next = file;
	loading->owned->last_file = file;
	return file->path;
}

static struct told *
told_of(struct loading *loading, const char *path)
{
	struct told *told = loading->told;

	while (told != NULL && strcmp(told->path, path) != 0)
		told = told->next;
	if (told == NULL) {
		told = ARENA_NEW(loading->scratch, struct told);
		told->path =
		    arena_cstr(loading->scratch, slice_from_cstr(path));
		told->next = loading->told;
		loading->told = told;
	}
	return told;
}

/* False when the file has had its share. */
static bool
may_warn(struct loading *loading, const char *path)
{
	return loading->source->warn != NULL &&
	       told_of(loading, path)->count++ < WARNINGS_PER_FILE;
}

static void
warn_line(struct loading *loading, const char *path, unsigned line,
    const char *problem)
{
	slice text;

	if (!may_warn(loading, path))
		return;
	text = arena_printf(loading->scratch, "%s:%u: %s", path, line, problem);
	loading->source->warn(loading->source->context, text.ptr);
}

/* Fit for a terminal. */
static slice
shown_key(struct arena *arena, slice key)
{
	char *shown = arena_cstr(arena, slice_first(key, SHOWN_KEY));

	for (char *p = shown; *p != '\0'; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	}
	return slice_from_cstr(shown);
}

static void
warn_duplicate(void *context, const struct table_duplicate *duplicate)
{
	struct loading *loading = context;
	bool same_file = strcmp(duplicate->file, duplicate->first_file) == 0;
	slice text;

	if (!may_warn(loading, duplicate->file))
		return;
	text = arena_printf(loading->scratch,
	    "%s:%u: duplicate key \"" SLICE_FMT "\", %s%s%u counts",
	    duplicate->file, duplicate->line,
	    SLICE_ARG(shown_key(loading->scratch, duplicate->key)),
	    same_file ? "line " : duplicate->first_file, same_file ? "" : ":",
	    duplicate->first_line);
	loading->source->warn(loading->source->context, text.ptr);
}

static void
warn_of_more(struct loading *loading)
{
	for (struct told *at = loading->told; at != NULL; at = at->next) {
		slice text;

		if (at->count <= WARNINGS_PER_FILE)
			continue;
		text = arena_printf(loading->scratch, "%s: and %zu more",
		    at->path, at->count - WARNINGS_PER_FILE);
		loading->source->warn(loading->source->context, text.ptr);
	}
}

static bool
refuse_line(struct loading *loading, const char *path, unsigned line,
    const char *problem)
{
	(void)error_at(loading->error, path, line, "%s", problem);
	if (loading->error != NULL)
		loading->error->exit_code = EX_DATAERR;
	return false;
}

/* An entry whose key is a wrong net is skipped. */
static bool
add_entry(struct loading *loading, const struct text_file *file,
    struct table_builder *builder, unsigned index, struct text_entry entry)
{
	/* A key that is a net becomes another in this room. */
	alignas(max_align_t) char room[1024];
	struct arena *arena;
	const char *problem;
	bool done = true;

	if (!loading->source->has_nets)
		return table_builder_add(builder, entry.key, entry.value, index,
		    entry.line, loading->error);
	arena = arena_in(room, sizeof(room));
	problem = net_make_key(arena, entry.key, &entry.key);
	if (problem != NULL)
		warn_line(loading, file->path, entry.line,
		    arena_printf(arena, "skipped: " SLICE_FMT ": %s",
			SLICE_ARG(shown_key(arena, entry.key)), problem)
			.ptr);
	else
		done = table_builder_add(builder, entry.key, entry.value, index,
		    entry.line, loading->error);
	arena_reset(arena);
	return done;
}

static bool
read_map(struct loading *loading, const struct text_file *file,
    struct table_builder *builder)
{
	unsigned index = table_builder_add_file(builder, file->path);
	struct text_reader reader;
	struct text_entry entry;

	table_builder_expect(builder, file->content.len);
	text_reader_init(&reader, file->content);
	for (;;) {
		switch (text_reader_next(&reader, &entry)) {
		case TEXT_ENTRY:
			if (!add_entry(loading, file, builder, index, entry))
				return false;
			break;
		case TEXT_WARNING:
			warn_line(
			    loading, file->path, reader.line, reader.problem);
			break;
		case TEXT_BAD:
			return refuse_line(
			    loading, file->path, reader.line, reader.problem);
		case TEXT_END:
			return true;
		}
	}
}

/* An alias on its way into the table, the last one first. */
struct alias {
	struct text_entry entry;
	struct alias *before;
};

struct aliases {
	struct arena *arena;
	struct arena *scratch; /* of one name */
	struct alias *last;
};

static void
add_alias(struct loading *loading, const struct text_file *file,
    struct aliases *aliases, const struct text_entry *entry)
{
	const struct snapshot_keys *keys = loading->keys;
	struct arena *scratch = aliases->scratch;
	struct alias *alias;
	slice key;
	const char *problem;

	arena_reset(scratch);
	problem = keys->make(keys->context, scratch, entry->key, &key);
	if (problem != NULL) {
		slice text = arena_printf(scratch, "skipped: " SLICE_FMT ": %s",
		    SLICE_ARG(shown_key(scratch, entry->key)), problem);

		warn_line(loading, file->path, entry->line, text.ptr);
		return;
	}
	alias = ARENA_NEW(aliases->arena, struct alias);
	alias->entry = *entry;
	alias->entry.key = arena_copy(aliases->arena, key);
	alias->before = aliases->last;
	aliases->last = alias;
}

static bool
parse_aliases(struct loading *loading, const struct text_file *file,
    struct aliases *aliases)
{
	struct alias_reader reader;
	struct text_entry entry;

	alias_reader_init(&reader, aliases->arena, file->content);
	for (;;) {
		switch (alias_reader_next(&reader, &entry)) {
		case TEXT_ENTRY:
			add_alias(loading, file, aliases, &entry);
			break;
		case TEXT_WARNING:
			warn_line(
			    loading, file->path, reader.line, reader.problem);
			break;
		case TEXT_BAD:
			return refuse_line(
			    loading, file->path, reader.line, reader.problem);
		case TEXT_END:
			return true;
		}
	}
}

/* Of a table the first entry counts, of aliases the last. */
static bool
read_aliases(struct loading *loading, const struct text_file *file,
    struct table_builder *builder)
{
	unsigned index = table_builder_add_file(builder, file->path);
	struct aliases aliases = {
	    .arena = arena_new(0), .scratch = arena_new(0)};
	bool done = parse_aliases(loading, file, &aliases);

	for (const struct alias *at = aliases.last; done && at != NULL;
	     at = at->before)
		done = table_builder_add(builder, at->entry.key,
		    at->entry.value, index, at->entry.line, loading->error);
	arena_free(aliases.scratch);
	arena_free(aliases.arena);
	return done;
}

static bool
read_class(struct loading *loading, const struct text_file *file,
    const char *path, struct class *words)
{
	struct text_reader reader;
	struct text_entry entry;

	text_reader_init(&reader, file->content);
	for (;;) {
		enum text_next next = text_reader_next_word(&reader, &entry);

		if (next == TEXT_END)
			return true;
		if (next == TEXT_BAD)
			return refuse_line(
			    loading, path, reader.line, reader.problem);
		if (reader.problem != NULL)
			warn_line(loading, path, reader.line, reader.problem);
		if (next == TEXT_ENTRY)
			class_add(words, entry.key, path, entry.line);
	}
}

static bool
is_pattern_file(slice path)
{
	return slice_has_prefix_nocase(path, SLICE("pcre:"));
}

/* "text:/etc/mail/access" is the long form of "/etc/mail/access". */
static bool
take_type(slice *path, struct error *error)
{
	size_t colon = slice_index(*path, ':');

	if (slice_has_prefix_nocase(*path, SLICE("text:")) ||
	    is_pattern_file(*path))
		*path = slice_from(*path, colon + 1);
	else if (colon < slice_index(*path, '/'))
		return error_set(error,
		    "unknown map type in \"" SLICE_FMT
		    "\": only text: and pcre: are known",
		    SLICE_ARG(*path));
	if (path->len == 0)
		return error_set(error, "map without a file name");
	return true;
}

static bool
read_file(struct loading *loading, slice path, struct arena *arena,
    struct text_file *ret_file)
{
	return text_file_read(arena_cstr(arena, path),
	    loading->source->allow_unsafe_files, arena, ret_file,
	    loading->error);
}

static bool
load_map_file(
    struct loading *loading, slice path, struct table_builder *builder)
{
	struct arena *content;
	struct text_file file;
	bool done;

	if (!take_type(&path, loading->error))
		return false;
	content = arena_new(0);
	done = read_file(loading, path, content, &file);
	if (done) {
		(void)add_file(loading, &file);
		done = loading->keys == NULL
			   ? read_map(loading, &file, builder)
			   : read_aliases(loading, &file, builder);
	}
	arena_free(content);
	return done;
}

static void
warn_pattern(
    void *context, const char *path, unsigned line, const char *problem)
{
	warn_line(context, path, line, problem);
}

static struct pattern_list *
load_patterns(struct loading *loading, slice path)
{
	struct pattern_list *list = NULL;
	struct pattern_source source = {
	    .warn = warn_pattern, .context = loading};
	struct arena *content;
	struct text_file file;

	if (!take_type(&path, loading->error))
		return NULL;
	content = arena_new(0);
	if (read_file(loading, path, content, &file)) {
		source.path = add_file(loading, &file);
		source.text = file.content;
		list = pattern_list_new(&source, loading->error);
	}
	arena_free(content);
	return list;
}

static bool
load_class_item(struct loading *loading, slice item, struct class *words)
{
	struct arena *content;
	struct text_file file;
	bool done;

	if (item.len == 0 || item.ptr[0] != '/') {
		if (item.len > 0)
			class_add(words, item, NULL, 0);
		return true;
	}
	content = arena_new(0);
	done = text_file_read(arena_cstr(content, item),
	    loading->source->allow_unsafe_files, content, &file,
	    loading->error);
	if (done)
		done =
		    read_class(loading, &file, add_file(loading, &file), words);
	arena_free(content);
	return done;
}

static struct table *
load_table(struct loading *loading, const slice *paths, size_t path_count)
{
	struct table_builder *builder = table_builder_new(loading->error);

	if (builder == NULL)
		return NULL;
	for (size_t i = 0; i < path_count; i++) {
		if (!load_map_file(loading, paths[i], builder)) {
			table_builder_free(builder);
			return NULL;
		}
	}
	return table_finish(builder, warn_duplicate, loading, loading->error);
}

static struct loading
begin(struct snapshot *snapshot, slice name,
    const struct snapshot_source *source, struct error *error)
{
	return (struct loading){.snapshot = snapshot,
	    .source = source,
	    .error = error,
	    .owned = snapshot_new_part(snapshot, name),
	    .scratch = arena_new(0)};
}

static void
end(struct loading *loading)
{
	warn_of_more(loading);
	arena_free(loading->scratch);
}

/* Takes one or more paths, those of one table or one list of patterns. */
static bool
load_part(struct loading *loading, const slice *paths, size_t path_count,
    size_t *taken)
{
	struct owned *owned = loading->owned;
	struct map_part *part = &owned->parts[owned->part_count];
	size_t first = *taken;

	if (path_count > 0 && is_pattern_file(paths[first])) {
		*taken = first + 1;
		part->patterns = load_patterns(loading, paths[first]);
	} else {
		while (*taken < path_count && !is_pattern_file(paths[*taken]))
			++*taken;
		part->table =
		    load_table(loading, paths + first, *taken - first);
	}
	owned->part_count++;
	return part->table != NULL || part->patterns != NULL;
}

/* Without paths there is one table, without entries. */
static bool
load_parts(struct loading *loading, const slice *paths, size_t path_count)
{
	struct owned *owned = loading->owned;
	size_t taken = 0;

	owned->parts = ARENA_ARRAY(
	    loading->snapshot->arena, struct map_part, path_count + 1);
	do {
		if (!load_part(loading, paths, path_count, &taken)) {
			snapshot_drop_map(owned);
			return false;
		}
	} while (taken < path_count);
	return true;
}

static const struct map *
add_map(struct loading *loading, const slice *paths, size_t path_count)
{
	struct owned *owned = loading->owned;

	if (load_parts(loading, paths, path_count))
		snapshot_append_map(loading->snapshot, owned);
	end(loading);
	return owned->part.map;
}

const struct map *
snapshot_add_map(struct snapshot *snapshot, slice name, const slice *paths,
    size_t path_count, const struct snapshot_source *source,
    struct error *error)
{
	struct loading loading = begin(snapshot, name, source, error);

	return add_map(&loading, paths, path_count);
}

const struct map *
snapshot_add_aliases(struct snapshot *snapshot, slice name, const slice *paths,
    size_t path_count, const struct snapshot_keys *keys,
    const struct snapshot_source *source, struct error *error)
{
	struct loading loading = begin(snapshot, name, source, error);

	loading.keys = keys;
	return add_map(&loading, paths, path_count);
}

struct class *
snapshot_add_class(struct snapshot *snapshot, slice name, const slice *items,
    size_t item_count, const struct snapshot_source *source,
    struct error *error)
{
	struct loading loading = begin(snapshot, name, source, error);
	struct class *words = class_new(name);
	bool done = true;

	for (size_t i = 0; done && i < item_count; i++)
		done = load_class_item(&loading, items[i], words);
	end(&loading);
	if (!done) {
		class_free(words);
		return NULL;
	}
	snapshot_append_class(snapshot, loading.owned, words);
	return words;
}

/* Behind the last text of the part. */
static void
append_text(struct owned *owned, struct snapshot_text *text)
{
	if (owned->last_text == NULL)
		owned->part.texts = text;
	else
		owned->last_text->next = text;
	owned->last_text = text;
	owned->part.entries++;
	owned->part.bytes += text->content.len;
	owned->part.digest +=
	    shard_entry_digest(slice_from_cstr(text->path), text->content);
}

void
snapshot_keep_text(
    struct snapshot *snapshot, struct owned *owned, slice path, slice content)
{
	struct snapshot_text *text =
	    ARENA_NEW(snapshot->arena, struct snapshot_text);

	text->path = arena_cstr(snapshot->arena, path);
	text->content = arena_copy(snapshot->arena, content);
	append_text(owned, text);
}

static bool
load_text_file(struct loading *loading, slice path)
{
	struct arena *content = arena_new(0);
	struct text_file file;
	bool done = read_file(loading, path, content, &file);

	if (done) {
		(void)add_file(loading, &file);
		snapshot_keep_text(
		    loading->snapshot, loading->owned, path, file.content);
	}
	arena_free(content);
	return done;
}

static struct owned *
text_part(struct snapshot *snapshot, slice name)
{
	struct owned *owned = snapshot->first;

	while (owned != NULL && !slice_eq(owned->part.name, name))
		owned = owned->next;
	if (owned != NULL)
		return owned;
	owned = snapshot_new_part(snapshot, name);
	owned->part.kind = PART_TEXT;
	snapshot_append(snapshot, owned);
	return owned;
}

bool
snapshot_add_text(struct snapshot *snapshot, slice name, const slice *paths,
    size_t path_count, const struct snapshot_source *source,
    struct error *error)
{
	struct loading loading = {
	    .snapshot = snapshot,
	    .source = source,
	    .error = error,
	    .owned = text_part(snapshot, name),
	};

	for (size_t i = 0; i < path_count; i++) {
		if (snapshot_find_text(snapshot, name, paths[i]) == NULL &&
		    !load_text_file(&loading, paths[i]))
			return false;
	}
	return true;
}

void
snapshot_add_text_of(
    struct snapshot *snapshot, slice name, slice path, slice content)
{
	snapshot_keep_text(snapshot, text_part(snapshot, name), path, content);
}

void
snapshot_add_text_line(struct snapshot *snapshot, slice name, slice line)
{
	snapshot_add_text_of(snapshot, name, line, line);
}
