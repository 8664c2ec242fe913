/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mutable global: the files kept, a list with the one used last in front,
 * guarded by `lock`. Parsing is done without it: two threads may parse the same
 * text once, and one of the two is then forgotten.
 */
#include "milter/recipe_cache.h"

#include "milter/log.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

struct cached_recipes {
	struct arena *arena;
	const char *path;
	slice text;
	struct recipe_file *file; /* NULL: it is beyond all bounds */
	unsigned users;		  /* with the list itself */
	struct cached_recipes *next;
};

static struct cached_recipes *first;
static unsigned count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void
warn(void *context, const char *text)
{
	(void)context;
	log_line(LOG_WARNING, "recipes: %s", text);
}

static struct cached_recipes *
parse(const char *path, slice text)
{
	struct arena *arena = arena_new(0);
	struct cached_recipes *made = ARENA_NEW(arena, struct cached_recipes);
	struct error error = {.text = ""};
	char buffer[1024];

	made->arena = arena;
	made->path = arena_cstr(arena, slice_from_cstr(path));
	made->text = arena_copy(arena, text);
	made->file =
	    recipe_file_read(arena, made->path, made->text, warn, NULL, &error);
	made->users = 1;
	if (made->file == NULL)
		log_line(LOG_ERR, "recipes: %s",
		    error_format(&error, buffer, sizeof(buffer)));
	return made;
}

static void
destroy(struct cached_recipes *old)
{
	if (old->file != NULL)
		recipe_file_free(old->file);
	arena_free(old->arena);
}

/* With the lock held, here and below. Taken out of the list. */
static struct cached_recipes *
take(const char *path, slice text)
{
	for (struct cached_recipes **at = &first; *at != NULL;
	     at = &(*at)->next) {
		struct cached_recipes *found = *at;

		if (strcmp(found->path, path) != 0 ||
		    !slice_eq(found->text, text))
			continue;
		*at = found->next;
		count--;
		return found;
	}
	return NULL;
}

/* An older text of the same file is needed no more. */
static struct cached_recipes *
take_surplus(const char *path)
{
	struct cached_recipes **at = &first;
	struct cached_recipes *found;

	while (*at != NULL && strcmp((*at)->path, path) != 0 &&
	       ((*at)->next != NULL || count < RECIPE_CACHE_MAX))
		at = &(*at)->next;
	found = *at;
	if (found == NULL)
		return NULL;
	*at = found->next;
	count--;
	return --found->users == 0 ? found : NULL;
}

static void
put_first(struct cached_recipes *used)
{
	used->next = first;
	first = used;
	count++;
}

struct cached_recipes *
recipe_cache_find(const char *path, slice text)
{
	struct cached_recipes *surplus = NULL;
	struct cached_recipes *found;
	bool is_usable;

	(void)pthread_mutex_lock(&lock);
	found = take(path, text);
	if (found == NULL) {
		(void)pthread_mutex_unlock(&lock);
		found = parse(path, text);
		(void)pthread_mutex_lock(&lock);
		surplus = take_surplus(path);
	}
	put_first(found);
	is_usable = found->file != NULL;
	found->users += is_usable;
	(void)pthread_mutex_unlock(&lock);
	if (surplus != NULL)
		destroy(surplus);
	/* Without a user another thread may have destroyed it by now. */
	return is_usable ? found : NULL;
}

const struct recipe_file *
recipe_cache_file(const struct cached_recipes *found)
{
	return found->file;
}

void
recipe_cache_release(struct cached_recipes *found)
{
	bool is_last;

	(void)pthread_mutex_lock(&lock);
	is_last = --found->users == 0;
	(void)pthread_mutex_unlock(&lock);
	if (is_last)
		destroy(found);
}

void
recipe_cache_forget(void)
{
	(void)pthread_mutex_lock(&lock);
	while (first != NULL) {
		struct cached_recipes *old = first;

		first = old->next;
		count--;
		if (--old->users == 0)
			destroy(old);
	}
	(void)pthread_mutex_unlock(&lock);
}
