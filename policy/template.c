/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/template.h"

#include "base/strbuf.h"

slice
template_fill(
    struct arena *arena, slice value, const slice *arguments, size_t count)
{
	struct strbuf filled;

	if (slice_index(value, '%') == value.len)
		return value;
	strbuf_init(&filled, arena);
	for (size_t i = 0; i < value.len; i++) {
		char next = i + 1 < value.len ? value.ptr[i + 1] : '\0';

		if (value.ptr[i] != '%' ||
		    (next != '%' && !ascii_is_digit(next))) {
			strbuf_add_char(&filled, value.ptr[i]);
			continue;
		}
		i++;
		if (next == '%')
			strbuf_add_char(&filled, '%');
		else if ((size_t)(next - '0') < count)
			strbuf_add(&filled, arguments[next - '0']);
	}
	return strbuf_slice(&filled);
}
