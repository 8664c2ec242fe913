/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/vacation_list.h"

#include "milter/vacation_claim.h"
#include "policy/vacation.h"

#include <sysexits.h>

enum { LINES_MAX = 10000 };

struct key {
	slice text;
	struct key *next;
};

struct listing {
	struct strbuf *out;   /* or */
	struct arena *arena;  /* of the keys */
	struct key *keys;
	unsigned long count;
};

static bool
refuse(struct error *error, int exit_code, const char *why)
{
	(void)error_set(error, "%s", why);
	error->exit_code = exit_code;
	return false;
}

static bool
ask(struct store *store, slice prefix,
    bool (*each)(void *context, const struct store_entry *entry),
    struct listing *listing, struct error *error)
{
	char why[160];

	if (store == NULL)
		return refuse(error, EX_UNAVAILABLE, "there is no store");
	if (store_list(store, prefix, each, listing) == STORE_YES)
		return true;
	store_trouble(store, why, sizeof(why));
	(void)error_set(error, "the store cannot answer now: %s", why);
	error->exit_code = EX_TEMPFAIL;
	return false;
}

/* Strangers chose some of it, but a key has no blanks and controls in it until
 * it is made plain; they are shown as the key has them. */
static bool
add_line(void *context, const struct store_entry *entry)
{
	struct listing *listing = context;
	struct arena *arena = arena_new(0);
	slice user;
	slice sender;
	slice rest = entry->key;

	if (vacation_key_parse(arena, entry->key, &user, &sender)) {
		(void)slice_next(&rest, '/', &user);
		(void)slice_next(&rest, '/', &user);
		(void)slice_next(&rest, '/', &sender);
		strbuf_printf(listing->out, SLICE_FMT " " SLICE_FMT " %lu\n",
		    SLICE_ARG(user), SLICE_ARG(sender), entry->seconds_left);
		listing->count++;
	}
	arena_free(arena);
	return listing->count < LINES_MAX;
}

bool
vacation_list_write(struct store *store, slice user, struct strbuf *out,
    struct error *error)
{
	struct listing listing = {.out = out};

	return ask(store, vacation_key_prefix(out->arena, user, SLICE("")),
	    add_line, &listing, error);
}

static bool
add_key(void *context, const struct store_entry *entry)
{
	struct listing *listing = context;
	struct key *key = ARENA_NEW(listing->arena, struct key);

	key->text = arena_copy(listing->arena, entry->key);
	key->next = listing->keys;
	listing->keys = key;
	return ++listing->count < LINES_MAX;
}

bool
vacation_forget(struct store *store, slice user, slice sender,
    unsigned long *ret_count, struct error *error)
{
	struct listing listing = {.arena = arena_new(0)};
	bool is_done = ask(store,
	    vacation_key_prefix(listing.arena, user, sender), add_key, &listing,
	    error);

	*ret_count = 0;
	for (const struct key *key = listing.keys; is_done && key != NULL;
	     key = key->next) {
		switch (store_delete(store, key->text)) {
		case STORE_YES:
			++*ret_count;
			break;
		case STORE_NO:
			break;
		case STORE_UNAVAILABLE:
			is_done = refuse(error, EX_TEMPFAIL,
			    "the store cannot answer now");
		}
	}
	arena_free(listing.arena);
	vacation_forget_recent();
	if (is_done && *ret_count == 0)
		return refuse(error, 1, "nobody was answered");
	return is_done;
}
