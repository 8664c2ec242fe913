/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/edit.h"

void
edit_list_init(struct edit_list *list, struct arena *arena)
{
	*list = (struct edit_list){.arena = arena};
	list->end = &list->first;
}

void
edit_add(struct edit_list *list, struct edit edit)
{
	struct edit *kept = ARENA_NEW(list->arena, struct edit);

	*kept = edit;
	kept->next = NULL;
	*list->end = kept;
	list->end = &kept->next;
	list->count++;
}
