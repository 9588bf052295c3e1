/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "stack/source.h"

#include <stdlib.h>

void cul_stack_source_free(struct cul_stack_source *source)
{
	if (source->free)
		source->free(source);
	for (size_t i = 0; i < source->threads.len; i++) {
		struct cul_source_thread *t = &source->threads.data[i];

		free(t->kernel.data);
		if (t->walked)
			cul_stack_free(t->walked);
		free(t->walked);
	}
	free(source->threads.data);
	cul_arena_free(&source->arena);
	*source = (struct cul_stack_source){0};
}
