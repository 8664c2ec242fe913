/* SPDX-License-Identifier: BSD-2-Clause */
/* A binary heap: an entry is due no later than the two below it. */
#include "milter/spool_queue.h"

static void
swap(struct spool_queue *queue, size_t a, size_t b)
{
	struct spool_entry *entry = queue->entries[a];

	queue->entries[a] = queue->entries[b];
	queue->entries[b] = entry;
}

static bool
is_before(const struct spool_queue *queue, size_t a, size_t b)
{
	return queue->entries[a]->due < queue->entries[b]->due;
}

void
spool_queue_add(struct spool_queue *queue, struct spool_entry *entry)
{
	size_t at = queue->count++;

	if (queue->count > queue->size) {
		queue->size = queue->size == 0 ? 64 : queue->size * 2;
		queue->entries = xrealloc(
		    queue->entries, queue->size * sizeof(*queue->entries));
	}
	queue->entries[at] = entry;
	for (; at > 0 && is_before(queue, at, (at - 1) / 2); at = (at - 1) / 2)
		swap(queue, at, (at - 1) / 2);
}

const struct spool_entry *
spool_queue_first(const struct spool_queue *queue)
{
	return queue->count == 0 ? NULL : queue->entries[0];
}

static void
sink(struct spool_queue *queue, size_t at)
{
	for (size_t below; (below = 2 * at + 1) < queue->count; at = below) {
		if (below + 1 < queue->count &&
		    is_before(queue, below + 1, below))
			below++;
		if (!is_before(queue, below, at))
			return;
		swap(queue, below, at);
	}
}

struct spool_entry *
spool_queue_take(struct spool_queue *queue)
{
	struct spool_entry *first;

	if (queue->count == 0)
		return NULL;
	first = queue->entries[0];
	queue->entries[0] = queue->entries[--queue->count];
	sink(queue, 0);
	return first;
}
