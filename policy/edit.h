/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Edits: what is to be changed in a message. Decided first, all of them;
 * carried out afterwards by milter/apply, in an order that both MTAs
 * understand alike.
 */
#ifndef POLICY_EDIT_H
#define POLICY_EDIT_H

#include "base/arena.h"

enum edit_kind {
	EDIT_SENDER,	     /* text: the new envelope sender, "<a@b>" */
	EDIT_ADD_RECIPIENT,  /* text: "<a@b>" */
	EDIT_DROP_RECIPIENT, /* text: as the client gave it */
	EDIT_CHANGE_HEADER,  /* name, index, text: the whole new value */
	EDIT_REMOVE_HEADER,  /* name, index */
	EDIT_ADD_HEADER,     /* name, text: below the others */
	EDIT_INSERT_HEADER,  /* name, text: above them; the last one is topmost */
	EDIT_BODY,	     /* text: all of the new body, lines end in "\n" */
};

struct edit {
	enum edit_kind kind;
	slice text;
	slice name;	/* header name as the client wrote it */
	unsigned index; /* of the instances of this name, from 1 */
	slice before;	/* what stood there, for explain and the log */
	bool is_there;	/* EDIT_ADD_RECIPIENT: is a recipient already */
	struct edit *next;
};

struct edit_list {
	struct arena *arena;
	struct edit *first;
	struct edit **end;
	size_t count;
};

void edit_list_init(struct edit_list *list, struct arena *arena);
/* Copies nothing: the slices must live as long as the list. */
void edit_add(struct edit_list *list, struct edit edit);

#endif
