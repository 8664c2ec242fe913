/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/replica_private.h"

#include "maps/image.h"

#include <stdlib.h>
#include <sysexits.h>

/* A piece is what one request carries. Images and shards without a generation,
 * and those of the one before, stay for GRACE. */
#define PIECE ((size_t)4 * 1024 * 1024)
#define GRACE SLICE("3600")
#define SEEN_FOR SLICE("86400")
enum { PIECE_MS = 10000 };

static slice
key_of(struct redis *redis, struct arena *arena, slice name)
{
	return arena_join(arena, redis_client_prefix(redis_client_of(redis)),
	    name, SLICE(""));
}

static slice
piece_key(struct redis *redis, struct arena *arena, struct digest digest,
    size_t number)
{
	return key_of(redis, arena,
	    arena_printf(arena, "part:" SLICE_FMT ":%zu",
		SLICE_ARG(digest_text(digest, arena)), number));
}

static size_t
pieces_of(const struct manifest_blob *blob)
{
	return (blob->bytes + PIECE - 1) / PIECE;
}

static bool
fail(struct redis *redis, const char *what, struct error *error)
{
	(void)error_set(error, "%s: Redis: %s", what, redis_problem(redis));
	if (error != NULL)
		error->exit_code = EX_TEMPFAIL;
	return false;
}

enum current
wire_read_current(struct redis *redis, struct arena *arena, slice *ret_text,
    struct manifest *ret_manifest)
{
	struct redis_command get = {
	    REDIS_WORDS(SLICE("GET"), key_of(redis, arena, SLICE("current")))};
	const struct redis_reply *reply;

	*ret_text = SLICE("");
	if (redis_call(redis, redis_client_deadline(redis_client_of(redis)),
		&get, &reply) != REDIS_NO_TROUBLE)
		return CURRENT_AWAY;
	if (reply->kind == REDIS_KIND_NIL)
		return CURRENT_NONE;
	if (reply->kind != REDIS_KIND_TEXT)
		return CURRENT_BAD;
	*ret_text = arena_copy(arena, reply->text);
	switch (manifest_read(*ret_text, arena, ret_manifest)) {
	case MANIFEST_GOOD:
		return CURRENT_GOOD;
	case MANIFEST_NEWER:
		return CURRENT_NEWER;
	case MANIFEST_BAD:
		break;
	}
	return CURRENT_BAD;
}

/*
 * Fetching.
 */

static bool
missing(struct error *error)
{
	(void)error_set(error, "a part of a map is not in Redis");
	if (error != NULL)
		error->exit_code = EX_DATAERR;
	return false;
}

static bool
fetch_blob(void *context, const struct manifest_blob *blob, struct arena *arena,
    slice *ret_bytes, struct error *error)
{
	struct redis *redis = context;
	struct strbuf bytes;

	strbuf_init(&bytes, arena);
	for (size_t i = 0; i < pieces_of(blob); i++) {
		struct redis_command get = {REDIS_WORDS(
		    SLICE("GET"), piece_key(redis, arena, blob->digest, i))};
		struct redis_reply *const *replies;

		if (redis_pipeline(redis, deadline_in(PIECE_MS), &get, 1,
			PIECE + 1024, &replies) != REDIS_NO_TROUBLE ||
		    replies[0]->kind == REDIS_KIND_ERROR)
			return fail(redis, "cannot fetch a map", error);
		if (replies[0]->kind != REDIS_KIND_TEXT)
			return missing(error);
		strbuf_add(&bytes, replies[0]->text);
	}
	*ret_bytes = strbuf_slice(&bytes);
	return true;
}

/* What is in force under that name, whether it is the same or not. */
static const struct snapshot_part *
part_in_force(const struct generation *have, const struct manifest_part *wanted)
{
	return have == NULL ? NULL
			    : snapshot_find_part(have->snapshot, wanted->name);
}

static bool
is_same(const struct generation *have, const struct manifest_part *wanted)
{
	const struct manifest_part *part =
	    have == NULL || have->manifest == NULL
		? NULL
		: manifest_find(have->manifest, wanted->name);

	return part != NULL && manifest_part_eq(part, wanted);
}

struct snapshot *
wire_fetch(struct redis *redis, const struct manifest *manifest,
    const struct generation *have, struct error *error)
{
	struct manifest_source source = {fetch_blob, redis};
	struct snapshot *parts = snapshot_new();

	for (size_t i = 0; i < manifest->part_count; i++) {
		const struct manifest_part *part = &manifest->parts[i];
		const struct snapshot_part *mine = part_in_force(have, part);

		if (mine != NULL && is_same(have, part)) {
			snapshot_share_part(parts, mine);
		} else if (!manifest_add_part(
			       part, &source, mine, parts, error)) {
			snapshot_release(parts);
			return NULL;
		}
	}
	return parts;
}

/*
 * Publishing.
 */

/* Where it is there already its time is begun anew, so that it does not end
 * before `current` names it. */
static bool
send_piece(struct redis *redis, slice key, slice piece, bool again)
{
	struct redis_command refresh = {
	    REDIS_WORDS(SLICE("EXPIRE"), key, GRACE)};
	struct redis_command set = {
	    REDIS_WORDS(SLICE("SET"), key, piece, SLICE("EX"), GRACE)};
	const struct redis_reply *reply;

	if (!again) {
		if (redis_call(redis, deadline_in(PIECE_MS), &refresh,
			&reply) != REDIS_NO_TROUBLE)
			return false;
		if (reply->number == 1)
			return true;
	}
	return redis_call(redis, deadline_in(PIECE_MS), &set, &reply) ==
	       REDIS_NO_TROUBLE;
}

static bool
send_blob(struct redis *redis, const struct manifest_blob *blob, slice bytes,
    bool again)
{
	struct arena *arena = arena_new(0);
	bool done = true;

	for (size_t i = 0; done && i < pieces_of(blob); i++)
		done = send_piece(redis,
		    piece_key(redis, arena, blob->digest, i),
		    slice_first(slice_from(bytes, i * PIECE), PIECE), again);
	arena_free(arena);
	return done;
}

/* Which blobs are to be sent. */
typedef bool is_wanted(void *context, const struct manifest_blob *blob);

static bool
send_image(struct redis *redis, const struct manifest_part *part,
    const struct snapshot_part *made, bool again)
{
	struct image image;
	bool done;

	image_of_part(made, &image);
	done = send_blob(redis, &part->image, image_slice(&image), again);
	image_free(&image);
	return done;
}

static bool
send_part(struct redis *redis, const struct manifest_part *part,
    const struct snapshot *parts, is_wanted *wanted, void *context, bool again)
{
	const struct snapshot_part *made =
	    snapshot_find_part(parts, part->name);

	for (size_t i = 0; i < part->shard_count; i++) {
		const struct manifest_blob *blob = &part->shards[i];

		if (wanted(context, blob) &&
		    !send_blob(redis, blob,
			shard_records(image_find_shard(made, blob->digest)),
			again))
			return false;
	}
	return !wanted(context, &part->image) ||
	       send_image(redis, part, made, again);
}

/* Commands of one transaction. */
struct batch {
	struct redis *redis;
	struct arena *arena;
	struct redis_command *commands;
	size_t count;
	size_t room;
};

static void
batch_add(struct batch *batch, const slice *words, size_t count)
{
	slice *kept = ARENA_ARRAY(batch->arena, slice, count);

	for (size_t i = 0; i < count; i++)
		kept[i] = words[i];
	if (batch->count == batch->room) {
		batch->room = batch->room * 2 + 64;
		batch->commands = xrealloc(
		    batch->commands, batch->room * sizeof(*batch->commands));
	}
	batch->commands[batch->count++] = (struct redis_command){kept, count};
}

#define BATCH_ADD(batch, ...) batch_add((batch), REDIS_WORDS(__VA_ARGS__))

static void
keep_pieces(struct batch *batch, const struct manifest_blob *blob)
{
	for (size_t i = 0; i < pieces_of(blob); i++)
		BATCH_ADD(batch, SLICE("PERSIST"),
		    piece_key(batch->redis, batch->arena, blob->digest, i));
}

static void
let_pieces_go(struct batch *batch, const struct manifest_blob *blob)
{
	for (size_t i = 0; i < pieces_of(blob); i++)
		BATCH_ADD(batch, SLICE("EXPIRE"),
		    piece_key(batch->redis, batch->arena, blob->digest, i),
		    GRACE);
}

static void
keep_part(struct batch *batch, const struct manifest_part *part)
{
	keep_pieces(batch, &part->image);
	for (size_t i = 0; i < part->shard_count; i++)
		keep_pieces(batch, &part->shards[i]);
}

/* But for what is still needed. */
static void
let_part_go(struct batch *batch, const struct manifest_part *part,
    const struct manifest *needed)
{
	if (!manifest_has_blob(needed, part->image.digest))
		let_pieces_go(batch, &part->image);
	for (size_t i = 0; i < part->shard_count; i++) {
		if (!manifest_has_blob(needed, part->shards[i].digest))
			let_pieces_go(batch, &part->shards[i]);
	}
}

/* False: nobody could read so long a manifest. */
static bool
fill_switch(struct batch *batch, const struct publication *publication)
{
	const struct manifest *manifest = publication->manifest;
	const struct manifest *base = publication->base;
	struct strbuf text;

	strbuf_init(&text, batch->arena);
	manifest_write(manifest, &text);
	BATCH_ADD(batch, SLICE("MULTI"));
	BATCH_ADD(batch, SLICE("SET"),
	    key_of(batch->redis, batch->arena, SLICE("current")),
	    strbuf_slice(&text));
	for (size_t i = 0; i < manifest->part_count; i++)
		keep_part(batch, &manifest->parts[i]);
	for (size_t i = 0; base != NULL && i < base->part_count; i++)
		let_part_go(batch, &base->parts[i], manifest);
	BATCH_ADD(batch, SLICE("PUBLISH"),
	    key_of(batch->redis, batch->arena, SLICE("generations")),
	    arena_printf(batch->arena, "%lu", manifest->number));
	BATCH_ADD(batch, SLICE("EXEC"));
	return text.len < REDIS_REPLY_BYTES / 2;
}

static bool
lost_to(struct redis *redis, struct arena *arena, struct error *error)
{
	struct manifest winner;
	slice text;

	if (wire_read_current(redis, arena, &text, &winner) == CURRENT_GOOD)
		(void)error_set(error,
		    "not published: " SLICE_FMT
		    " has published generation %lu meanwhile",
		    SLICE_ARG(winner.publisher), winner.number);
	else
		(void)error_set(error,
		    "not published: somebody else has changed what is "
		    "published meanwhile");
	if (error != NULL)
		error->exit_code = 1;
	return false;
}

static bool
run_switch(struct batch *batch, const struct publication *publication,
    struct error *error)
{
	struct redis_reply *const *replies;
	const struct redis_reply *last;

	if (!fill_switch(batch, publication)) {
		(void)error_set(
		    error, "not published: there are too many maps");
		return false;
	}
	if (redis_pipeline(batch->redis, deadline_in(PIECE_MS), batch->commands,
		batch->count, REDIS_REPLY_BYTES, &replies) != REDIS_NO_TROUBLE)
		return fail(batch->redis, "not published", error);
	last = replies[batch->count - 1];
	if (last->kind == REDIS_KIND_ARRAY)
		return true;
	if (last->kind == REDIS_KIND_NIL)
		return lost_to(batch->redis, batch->arena, error);
	(void)error_set(
	    error, "not published: Redis: " SLICE_FMT, SLICE_ARG(last->text));
	if (error != NULL)
		error->exit_code = EX_TEMPFAIL;
	return false;
}

static bool
is_still_base(struct redis *redis, const struct publication *publication,
    struct arena *arena, struct error *error)
{
	struct redis_command watch = {REDIS_WORDS(
	    SLICE("WATCH"), key_of(redis, arena, SLICE("current")))};
	const struct redis_reply *reply;
	struct manifest manifest;
	slice text;

	if (redis_call(redis, redis_client_deadline(redis_client_of(redis)),
		&watch, &reply) != REDIS_NO_TROUBLE)
		return fail(redis, "not published", error);
	/* From here on one conversation. */
	redis_pin(redis, true);
	if (wire_read_current(redis, arena, &text, &manifest) == CURRENT_AWAY)
		return fail(redis, "not published", error);
	return slice_eq(text, publication->base_text) ||
	       lost_to(redis, arena, error);
}

static bool
is_new(void *context, const struct manifest_blob *blob)
{
	const struct publication *publication = context;

	return publication->all || publication->base == NULL ||
	       !manifest_has_blob(publication->base, blob->digest);
}

static bool
publish(struct batch *batch, const struct publication *publication,
    struct error *error)
{
	const struct manifest *manifest = publication->manifest;

	if (!is_still_base(batch->redis, publication, batch->arena, error))
		return false;
	for (size_t i = 0; i < manifest->part_count; i++) {
		if (!send_part(batch->redis, &manifest->parts[i],
			publication->parts, is_new, (void *)publication,
			publication->all))
			return fail(batch->redis, "not published", error);
	}
	return run_switch(batch, publication, error);
}

bool
wire_publish(struct redis *redis, const struct publication *publication,
    struct error *error)
{
	struct batch batch = {.redis = redis, .arena = arena_new(0)};
	bool done = publish(&batch, publication, error);

	redis_pin(redis, false);
	free(batch.commands);
	arena_free(batch.arena);
	return done;
}

/*
 * Mending.
 */

/* PERSIST says 0 both of what is missing and of what stays anyway. */
static bool
has_pieces(struct redis *redis, const struct manifest_blob *blob)
{
	struct batch batch = {.redis = redis, .arena = arena_new(0)};
	struct redis_reply *const *replies;
	bool has_all = true;

	for (size_t i = 0; i < pieces_of(blob); i++) {
		slice key = piece_key(redis, batch.arena, blob->digest, i);

		BATCH_ADD(&batch, SLICE("PERSIST"), key);
		BATCH_ADD(&batch, SLICE("EXISTS"), key);
	}
	if (batch.count > 0 &&
	    redis_pipeline(redis, deadline_in(PIECE_MS), batch.commands,
		batch.count, REDIS_REPLY_BYTES, &replies) == REDIS_NO_TROUBLE) {
		for (size_t i = 1; i < batch.count; i += 2) {
			if (replies[i]->kind == REDIS_KIND_NUMBER &&
			    replies[i]->number == 0)
				has_all = false;
		}
	}
	free(batch.commands);
	arena_free(batch.arena);
	return has_all;
}

static bool
is_gone(void *context, const struct manifest_blob *blob)
{
	return !has_pieces(context, blob);
}

static bool
any_blob(const struct manifest_part *part, is_wanted *wanted, void *context)
{
	bool found = wanted(context, &part->image);

	for (size_t i = 0; i < part->shard_count; i++)
		found = wanted(context, &part->shards[i]) || found;
	return found;
}

/* What was sent is looked at once more, so that it stays. */
void
wire_mend(struct redis *redis, const struct generation *generation)
{
	const struct manifest *manifest = generation->manifest;

	for (size_t i = 0; i < manifest->part_count; i++) {
		const struct manifest_part *part = &manifest->parts[i];

		if (any_blob(part, is_gone, redis) &&
		    send_part(redis, part, generation->snapshot, is_gone, redis,
			false))
			(void)any_blob(part, is_gone, redis);
	}
}

/*
 * Nodes.
 */

bool
wire_say_alive(struct redis *redis, slice name, slice text)
{
	struct arena *arena = arena_new(0);
	slice key = arena_join(
	    arena, key_of(redis, arena, SLICE("node:")), name, SLICE(""));
	struct redis_command commands[] = {
	    {REDIS_WORDS(SLICE("SET"), key, text, SLICE("EX"), SEEN_FOR)},
	    {REDIS_WORDS(
		SLICE("SADD"), key_of(redis, arena, SLICE("nodes")), name)},
	};
	struct redis_reply *const *replies;
	bool done =
	    redis_pipeline(redis, redis_client_deadline(redis_client_of(redis)),
		commands, 2, REDIS_REPLY_BYTES, &replies) == REDIS_NO_TROUBLE;

	arena_free(arena);
	return done;
}

void
wire_say_gone(struct redis *redis, slice name)
{
	struct arena *arena = arena_new(0);
	slice key = arena_join(
	    arena, key_of(redis, arena, SLICE("node:")), name, SLICE(""));
	struct redis_command commands[] = {
	    {REDIS_WORDS(SLICE("DEL"), key)},
	    {REDIS_WORDS(
		SLICE("SREM"), key_of(redis, arena, SLICE("nodes")), name)},
	};
	struct redis_reply *const *replies;

	(void)redis_pipeline(redis,
	    redis_client_deadline(redis_client_of(redis)), commands, 2,
	    REDIS_REPLY_BYTES, &replies);
	arena_free(arena);
}
