/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What has to be done to one header to make another of it, as edits that both
 * MTAs understand alike: fields are told apart by their name and number among
 * those of that name, changes come first, then removals from the highest number
 * down, then new fields. Lines that are no fields are passed over, since an MTA
 * does not show them.
 */
#ifndef POLICY_HEADER_DIFF_H
#define POLICY_HEADER_DIFF_H

#include "policy/edit.h"

/* Headers as policy/mail_text.h has them. `keeps_space`: values of the edits
 * have the blank behind the colon; else the MTA puts one there. The slices
 * borrow from both headers. */
void header_diff(
    slice before, slice after, bool keeps_space, struct edit_list *edits);

#endif
