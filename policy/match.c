/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/match.h"

#include "policy/token.h"

bool
match_end(const struct class *set, slice name)
{
	if (set == NULL || class_count(set) == 0)
		return false;
	for (size_t at = 0; at < name.len; at++) {
		if (text_is_boundary(name, at) &&
		    class_has(set, slice_from(name, at)))
			return true;
	}
	return false;
}

bool
match_start(const struct class *set, slice text)
{
	if (set == NULL || class_count(set) == 0)
		return false;
	for (size_t end = text.len; end > 0; end--) {
		if (text_is_boundary(text, end) &&
		    class_has(set, slice_first(text, end)))
			return true;
	}
	return false;
}

slice
own_domain(const struct policy *policy)
{
	slice host = policy->hostname;
	size_t dot = slice_index(host, '.');

	return dot < host.len ? slice_from(host, dot + 1) : host;
}

bool
match_own_domain(const struct policy *policy, slice name)
{
	slice domain = own_domain(policy);

	return slice_has_suffix_nocase(name, domain) &&
	    text_is_boundary(name, name.len - domain.len);
}
