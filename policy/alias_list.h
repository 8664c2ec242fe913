/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lists of addresses as they stand in an alias or in a line of an ":include:"
 * file: separated by commas that are not in quotes, comments or angle
 * brackets. What is left open reaches to the end of the list.
 */
#ifndef POLICY_ALIAS_LIST_H
#define POLICY_ALIAS_LIST_H

#include "base/slice.h"

/* Takes the next member, which is never empty, off the front; false at the
 * end. */
bool alias_list_next(slice *rest, slice *ret_member);
/* The same with the lines of an ":include:" file that are not empty, without
 * what is comment in them: a line with '#' in its first column, and all behind
 * " #@# ". */
bool include_next_line(slice *rest, slice *ret_line);

#endif
