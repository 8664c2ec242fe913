/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Classes against parts of names, as sendmail's patterns "$* $=R" (an end)
 * and "$=R $*" (a beginning) match them: only at the boundaries of tokens.
 */
#ifndef POLICY_MATCH_H
#define POLICY_MATCH_H

#include "policy/decide.h"

/* Some end of `name`, the whole of it too, is in the class. */
bool match_end(const struct class *set, slice name);
/* Some beginning of `text`, the whole of it too, is in the class. */
bool match_start(const struct class *set, slice text);
/* $=m: `name` is the domain the host itself is in, or below it. */
bool match_own_domain(const struct policy *policy, slice name);
/* $m: the policy's hostname behind its first label. */
slice own_domain(const struct policy *policy);

#endif
