/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/text_parts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "report/shorten.h"
#include "report/stream.h"

void cul_text_name(struct cul_cell *cell, const struct cul_style *style, const char *name)
{
	cul_autostr struct cul_str text = {0};

	cul_shorten_name(&text, name, CUL_NAME_MOST);
	cul_cell_add(cell, style, CUL_INK_CODE, cul_str_text(&text));
}

void cul_text_where(
	struct cul_cell *cell, const struct cul_style *style, const struct cul_where *where)
{
	if (where->function) {
		cul_text_name(cell, style, where->function);
		cul_cell_addf(cell, style, CUL_INK_PLAIN, "+0x%" PRIx64, where->offset);
		if (where->module)
			cul_cell_addf(cell, style, CUL_INK_PLAIN, " [%s]", where->module);
		return;
	}
	cul_cell_addf(cell, style, CUL_INK_CODE, "0x%" PRIx64, where->addr);
	if (where->module)
		cul_cell_addf(cell, style, CUL_INK_PLAIN, " [%s+0x%" PRIx64 "]", where->module,
			where->offset);
}

void cul_text_line(struct cul_cell *cell, const struct cul_style *style,
	const struct cul_where *where, unsigned room)
{
	const char *file = where->file;
	bool cut = false;

	if (!file)
		return;
	for (;;) {
		const char *slash = strchr(file + (*file == '/'), '/');

		cul_cell_addf(cell, style, CUL_INK_PLAIN, "%s%s:%d", cut ? ".../" : "", file,
			where->line);
		if (cell->columns <= room || !slash)
			return;
		file = slash + 1;
		cut = true;
		cul_cell_reset(cell);
	}
}

void cul_text_insn(struct cul_cell *cell, const struct cul_style *style,
	const struct cul_insn *insn, enum cul_access_kind access)
{
	if (insn && insn->certainty != CUL_UNKNOWN) {
		cul_cell_add(cell, style, CUL_INK_DIM, insn->text);
		if (insn->certainty == CUL_LIKELY)
			cul_cell_add(cell, style, CUL_INK_WARNING, " (likely)");
	} else if (access != CUL_ACCESS_EXECUTE) {
		cul_cell_add(
			cell, style, CUL_INK_WARNING, "(just before this; instruction not found)");
	}
}

void cul_text_process(
	struct cul_cell *cell, const struct cul_style *style, const char *comm, int pid, int tid)
{
	cul_cell_add(cell, style, CUL_INK_PLAIN, comm && *comm ? comm : "?");
	if (tid == pid)
		cul_cell_addf(cell, style, CUL_INK_PLAIN, " (%d)", pid);
	else
		cul_cell_addf(cell, style, CUL_INK_PLAIN, " (%d/%d)", pid, tid);
}

const char *cul_text_time(char buf[CUL_TEXT_TIME], uint64_t ns)
{
	snprintf(buf, CUL_TEXT_TIME, "%" PRIu64 ".%06" PRIu64, ns / 1000000000,
		ns % 1000000000 / 1000);
	return buf;
}

const char *cul_text_access(enum cul_access_kind access)
{
	switch (access) {
	case CUL_ACCESS_EXECUTE:
		return "executions";
	case CUL_ACCESS_READ_WRITE:
		return "reads and writes";
	case CUL_ACCESS_READ:
		return "reads";
	default:
		return "writes";
	}
}

int cul_text_flush(struct cul_text_sink *t)
{
	int r = cul_stream_write(t->out, &t->lines.text);

	cul_str_reset(&t->lines.text);
	return r;
}

static void text_free(struct cul_sink *s)
{
	struct cul_text_sink *t = (struct cul_text_sink *)s;

	cul_lines_free(&t->lines);
	cul_cell_free(&t->cell);
	free(t->target);
	free(t->probe.spec);
	free(t->probe.only_cpus);
	for (size_t i = 0; i < t->unnamed.len; i++)
		free(t->unnamed.data[i]);
	free(t->unnamed.data);
	free(t);
}

static const struct cul_sink_ops text_ops = {
	.watch_armed = cul_text_watch_armed,
	.watch_hit = cul_text_watch_hit,
	.watch_behind = cul_text_watch_behind,
	.watch_writers = cul_text_watch_writers,
	.watch_loss = cul_text_watch_loss,
	.probe_attached = cul_text_probe_attached,
	.probe_call = cul_text_probe_call,
	.probe_rate = cul_text_probe_rate,
	.probe_groups = cul_text_probe_groups,
	.probe_histogram = cul_text_probe_histogram,
	.probe_functions = cul_text_probe_functions,
	.probe_loss = cul_text_probe_loss,
	.stack_about = cul_text_stack_about,
	.stack_threads = cul_text_stack_threads,
	.stack_summary = cul_text_stack_summary,
	.doctor = cul_text_doctor,
	.free = text_free,
};

struct cul_sink *cul_text_sink_new(FILE *out, const struct cul_style *style)
{
	struct cul_text_sink *t = cul_calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->sink.ops = &text_ops;
	t->out = out;
	t->style = *style;
	t->lines.style = &t->style;
	return &t->sink;
}
