/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/folded.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "report/escape.h"
#include "report/stream.h"

struct folded {
	struct cul_sink sink;
	FILE *out;
	struct cul_str line;
	char *process; /* NULL: several processes */
};

/* A semicolon ends a frame. */
static void add_name(struct cul_str *line, const char *name)
{
	size_t from = line->len;

	cul_escape_text(line, name && *name ? name : "?");
	for (size_t i = from; i < line->len; i++) {
		if (line->s[i] == ';')
			line->s[i] = ':';
	}
}

static int folded_about(struct cul_sink *s, const struct cul_stack_about *about)
{
	struct folded *f = (struct folded *)s;

	if (!about->pid && !about->process)
		return 0;
	f->process = cul_strdup(about->process ? about->process : "?");
	return f->process ? 0 : -ENOMEM;
}

static void add_frame(struct cul_str *line, const struct cul_stack_frame_shown *f)
{
	cul_str_add(line, ";");
	if (f->where.function) {
		add_name(line, f->where.function);
	} else if (f->where.module) {
		add_name(line, f->where.module);
		cul_str_addf(line, "+0x%" PRIx64, f->where.offset);
	} else {
		cul_str_addf(line, "0x%" PRIx64, f->where.addr);
	}
	if (f->times > 1)
		cul_str_addf(line, " x %" PRIu64, f->times);
	if (!f->user)
		cul_str_add(line, "_[k]");
	else if (f->inlined)
		cul_str_add(line, "_[i]");
}

static int folded_threads(struct cul_sink *s, const struct cul_stack_threads *g)
{
	struct folded *f = (struct folded *)s;

	if (g->n_frames == 0)
		return 0;
	cul_str_reset(&f->line);
	add_name(&f->line, f->process ? f->process : g->threads[0].name);
	for (size_t i = g->n_frames; i-- > 0;)
		add_frame(&f->line, &g->frames[i]);
	cul_str_addf(&f->line, " %zu\n", g->n_threads);
	return cul_stream_write(f->out, &f->line);
}

static int folded_summary(struct cul_sink *s, const struct cul_stack_summary *summary)
{
	return 0;
}

static void folded_free(struct cul_sink *s)
{
	struct folded *f = (struct folded *)s;

	cul_str_free(&f->line);
	free(f->process);
	free(f);
}

static const struct cul_sink_ops folded_ops = {
	.stack_about = folded_about,
	.stack_threads = folded_threads,
	.stack_summary = folded_summary,
	.free = folded_free,
};

struct cul_sink *cul_folded_sink_new(FILE *out)
{
	struct folded *f = cul_calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->sink.ops = &folded_ops;
	f->out = out;
	return &f->sink;
}
