/* SPDX-License-Identifier: BSD-2-Clause */
/* The attributes of a session that say something, for usage.py. */
#include "milter/attributes.h"

#include <stdio.h>

int
main(void)
{
	const struct attribute_word *word;

	for (word = attribute_words(); word->name != NULL; word++) {
		if (!word->unused)
			puts(word->name);
	}
	return 0;
}
