/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SMTP_ADD_HEADER and its like, carried out on a header's text; and the
 * policy's own edits of a header, so that recipes see what it becomes.
 */
#ifndef POLICY_RECIPE_HEADER_H
#define POLICY_RECIPE_HEADER_H

#include "policy/edit.h"
#include "policy/recipe.h"

/* The header itself where there is nothing to do. Lines end in LF. */
slice recipe_header_edit(
    struct arena *arena, slice header, const struct recipe_header_edit *edits);

/* The EDIT_CHANGE_HEADER of the list; `keeps_space` as in header_diff(). */
slice header_apply_changes(struct arena *arena, slice header,
    const struct edit_list *edits, bool keeps_space);

#endif
