/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "stack/source.h"

#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/str.h"

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

bool cul_stack_is_over(const struct cul_stack_options *options)
{
	struct pollfd fd = {.fd = options->stop_fd, .events = POLLIN};

	return fd.fd >= 0 && poll(&fd, 1, 0) > 0;
}

void cul_stack_note(struct cul_stack_source *source, const char *fmt, ...)
{
	cul_autostr struct cul_str text = {0};
	const char *kept;
	va_list ap;

	va_start(ap, fmt);
	cul_str_addv(&text, fmt, ap);
	va_end(ap);
	kept = text.failed ? NULL : cul_arena_strdup(&source->arena, cul_str_text(&text));
	source->about.notes = source->notes;
	if (kept && source->about.n_notes < CUL_STACK_NOTES)
		source->notes[source->about.n_notes++] = kept;
}
