/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is probed, and a line a call, as text. */
#include "report/text_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum {
	CALL_INDENT = 4,
	CALL_COLUMN = 31, /* where the function begins, if there is room */
	ROOMY = 80,       /* columns from which things are lined up */
};

static void word(struct cul_text_sink *t, enum cul_ink ink, const char *text)
{
	cul_cell_add(&t->cell, &t->style, ink, text);
	cul_lines_cell(&t->lines, &t->cell, 1);
}

/* "312 functions at 318 sites (4 clones, 2 inlined)", "1 site" of a single function */
static void add_coverage(struct cul_text_sink *t, const struct cul_probe_attached *a)
{
	if (a->n_functions != 1)
		cul_text_say(t, CUL_INK_PLAIN, "%zu functions at", a->n_functions);
	cul_text_say(t, CUL_INK_PLAIN, "%zu site%s", a->n_sites, cul_text_plural(a->n_sites));
	if (a->n_clones && a->n_inlined)
		cul_text_say(t, CUL_INK_PLAIN, "(%zu clone%s, %zu inlined)", a->n_clones,
			cul_text_plural(a->n_clones), a->n_inlined);
	else if (a->n_clones)
		cul_text_say(t, CUL_INK_PLAIN, "(%zu clone%s)", a->n_clones,
			cul_text_plural(a->n_clones));
	else if (a->n_inlined)
		cul_text_say(t, CUL_INK_PLAIN, "(%zu inlined)", a->n_inlined);
}

/* "by fentry", "by kprobe-multi (310) and kprobe (8)" */
static void add_methods(struct cul_text_sink *t, const struct cul_probe_attached *a)
{
	for (size_t i = 0; i < a->n_methods; i++) {
		cul_cell_addf(&t->cell, &t->style, CUL_INK_PLAIN, "%s%s",
			i == 0                  ? "by "
			: i + 1 == a->n_methods ? "and "
						: "",
			a->methods[i].name);
		if (a->n_methods > 1)
			cul_cell_addf(&t->cell, &t->style, CUL_INK_PLAIN, " (%zu)",
				a->methods[i].n_sites);
		if (i + 2 < a->n_methods)
			cul_cell_add(&t->cell, &t->style, CUL_INK_PLAIN, ",");
		cul_lines_cell(&t->lines, &t->cell, 1);
	}
}

static void add_scope(struct cul_text_sink *t, const struct cul_probe_attached *a)
{
	int pid = a->pid ? a->pid : a->only_pid;

	if (!pid)
		return;
	if (!a->pid)
		cul_str_add(&t->lines.text, ",");
	cul_cell_add(&t->cell, &t->style, CUL_INK_PLAIN, a->pid ? "in " : "called by ");
	if (a->process)
		cul_text_process(&t->cell, &t->style, a->process, pid, pid);
	else
		cul_cell_addf(&t->cell, &t->style, CUL_INK_PLAIN, "process %d", pid);
	cul_cell_add(&t->cell, &t->style, CUL_INK_PLAIN,
		a->pid && !a->children ? "" : " and its children");
	cul_lines_cell(&t->lines, &t->cell, 1);
}

static bool same(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

/* Those refused for the reason that refused[first] has: "tcp_foo, tcp_bar (notrace)" */
static void add_reason(struct cul_text_sink *t, const struct cul_probe_attached *a, size_t first)
{
	const struct cul_probe_refused *before = NULL;
	const char *why = a->refused[first].why;

	for (size_t i = first; i < a->n_refused_shown; i++) {
		const struct cul_probe_refused *r = &a->refused[i];

		if (!same(r->why, why) || (before && same(r->function, before->function) &&
						  same(r->module, before->module)))
			continue; /* copies of a function are one name */
		if (before) {
			cul_cell_add(&t->cell, &t->style, CUL_INK_PLAIN, ",");
			cul_lines_cell(&t->lines, &t->cell, 1);
		}
		before = r;
		cul_cell_add(&t->cell, &t->style, CUL_INK_CODE, r->function);
		if (r->module && strcmp(r->module, "vmlinux") != 0)
			cul_cell_addf(&t->cell, &t->style, CUL_INK_PLAIN, " [%s]", r->module);
	}
	cul_lines_cell(&t->lines, &t->cell, 1);
	cul_text_say(t, CUL_INK_PLAIN, "(%s)", why ? why : "for a reason that is not known");
}

static void add_refused(struct cul_text_sink *t, const struct cul_probe_attached *a)
{
	bool begun = false;

	if (!a->n_refused)
		return;
	cul_lines_begin(&t->lines, 2, 4);
	cul_text_say(
		t, CUL_INK_WARNING, "%zu refused%s", a->n_refused, a->n_refused_shown ? ":" : "");
	for (size_t i = 0, k; i < a->n_refused_shown; i++) {
		for (k = 0; k < i && !same(a->refused[k].why, a->refused[i].why); k++)
			;
		if (k < i)
			continue;
		if (begun)
			cul_str_add(&t->lines.text, ";");
		begun = true;
		add_reason(t, a, i);
	}
	if (begun && a->n_refused > a->n_refused_shown)
		cul_text_say(t, CUL_INK_PLAIN, "and %zu more", a->n_refused - a->n_refused_shown);
	cul_lines_end(&t->lines);
}

void cul_text_probe_cpus(struct cul_text_sink *t)
{
	const char *cpus = t->probe.only_cpus;

	if (cpus)
		cul_text_say(t, CUL_INK_PLAIN, "on CPU%s %s", strpbrk(cpus, ",-") ? "s" : "", cpus);
}

int cul_text_probe_attached(struct cul_sink *s, const struct cul_probe_attached *a)
{
	struct cul_text_sink *t = (struct cul_text_sink *)s;
	char took[CUL_TEXT_TIME];

	free(t->probe.spec);
	free(t->probe.only_cpus);
	t->probe = (struct cul_text_probe){.spec = cul_strdup(a->spec),
		.only_cpus = a->only_cpus ? cul_strdup(a->only_cpus) : NULL,
		.n_functions = a->n_functions,
		.n_sites = a->n_sites,
		.returns = a->returns,
		.pid = a->pid,
		.only_pid = a->only_pid};
	if (!t->probe.spec || (a->only_cpus && !t->probe.only_cpus))
		return -ENOMEM;
	cul_lines_begin(&t->lines, 0, 2);
	word(t, CUL_INK_PLAIN, "probing");
	cul_text_say(t, CUL_INK_CODE, "%s:", a->signature ? a->signature : a->spec);
	add_coverage(t, a);
	add_methods(t, a);
	add_scope(t, a);
	cul_text_probe_cpus(t);
	if (a->returns) {
		cul_str_add(&t->lines.text, ",");
		cul_text_say(
			t, CUL_INK_PLAIN, a->n_sites == 1 ? "and its return" : "and their returns");
	}
	if (a->n_functions != 1 && a->took_ns) {
		cul_str_add(&t->lines.text, ",");
		cul_text_say(
			t, CUL_INK_PLAIN, "attached in %s", cul_text_duration(took, a->took_ns));
	}
	cul_lines_end(&t->lines);
	add_refused(t, a);
	cul_text_note(t, a->note);
	return cul_text_flush(t);
}

/* Behind the gap that is due; the next one is 1. */
static void put(struct cul_text_sink *t, unsigned *gap)
{
	cul_lines_cell(&t->lines, &t->cell, *gap);
	*gap = 1;
}

/* Up to the comma after which a wide value may go on in another line. Strings stay whole. */
static size_t piece(const char *text)
{
	char quote = 0;

	for (size_t i = 0; text[i]; i++) {
		if (quote) {
			if (text[i] == '\\' && text[i + 1])
				i++;
			else if (text[i] == quote)
				quote = 0;
		} else if (text[i] == '"' || text[i] == '\'') {
			quote = text[i];
		} else if (text[i] == ',' && text[i + 1] == ' ') {
			return i + 1;
		}
	}
	return strlen(text);
}

/* Adds to the cell; of what does not fit into a line, all but the last piece is put. */
static void add_value(struct cul_text_sink *t, const char *text, unsigned *gap)
{
	size_t n;

	while (t->cell.columns + strlen(text) + t->lines.indent > t->style.width &&
		text[n = piece(text)] == ' ') {
		cul_autostr struct cul_str one = {0};

		cul_str_addn(&one, text, n);
		cul_cell_add(&t->cell, &t->style, CUL_INK_VALUE, cul_str_text(&one));
		t->cell.text.failed |= one.failed;
		put(t, gap);
		text += n + 1;
	}
	cul_cell_add(&t->cell, &t->style, CUL_INK_VALUE, text);
}

void cul_text_arg(struct cul_text_sink *t, const struct cul_probe_arg *arg, unsigned *gap)
{
	if (arg->name)
		cul_cell_addf(&t->cell, &t->style, CUL_INK_PLAIN, "%s=", arg->name);
	if (arg->value.text)
		add_value(t, arg->value.text, gap);
	if (!arg->value.text || arg->why)
		cul_cell_addf(&t->cell, &t->style, CUL_INK_WARNING, "%s(%s)",
			arg->value.text ? " " : "?", arg->why ? arg->why : "not known");
	if (arg->after.text) {
		cul_cell_add(&t->cell, &t->style, CUL_INK_PLAIN, " -> ");
		add_value(t, arg->after.text, gap);
	}
}

/* "tcp_sendmsg", "tcp_sendmsg+0x1c" */
static void add_name(struct cul_text_sink *t, const struct cul_probe_call *call)
{
	if (call->place == CUL_PLACE_INSIDE || !call->where.function)
		cul_text_where(&t->cell, &t->style, &call->where);
	else
		cul_cell_add(&t->cell, &t->style, CUL_INK_CODE, call->where.function);
}

/* Where it is not the function's own entry: "(clone)", "(inlined, open.c:12)" */
static void add_place(struct cul_text_sink *t, const struct cul_probe_call *call)
{
	const struct cul_where *w = &call->where;
	const char *slash = w->file ? strrchr(w->file, '/') : NULL;

	if (call->place == CUL_PLACE_CLONE)
		cul_cell_add(&t->cell, &t->style, CUL_INK_DIM, "(clone)");
	else if (call->place == CUL_PLACE_INLINED && w->file)
		cul_cell_addf(&t->cell, &t->style, CUL_INK_DIM, "(inlined, %s:%d)",
			slash ? slash + 1 : w->file, w->line);
	else if (call->place == CUL_PLACE_INLINED)
		cul_cell_addf(
			&t->cell, &t->style, CUL_INK_DIM, "(inlined at 0x%" PRIx64 ")", w->addr);
	cul_lines_cell(&t->lines, &t->cell, 3);
}

static void add_args(struct cul_text_sink *t, const struct cul_probe_call *call, unsigned *gap)
{
	bool inside = call->place == CUL_PLACE_INSIDE;

	if (inside && !call->n_args)
		return;
	cul_cell_add(&t->cell, &t->style, CUL_INK_PLAIN, inside ? " (" : "(");
	for (size_t i = 0; i < call->n_args; i++) {
		cul_text_arg(t, &call->args[i], gap);
		if (i + 1 < call->n_args) {
			cul_cell_add(&t->cell, &t->style, CUL_INK_PLAIN, ",");
			put(t, gap);
		}
	}
	cul_cell_add(&t->cell, &t->style, CUL_INK_PLAIN, ")");
}

static void add_return(struct cul_text_sink *t, const struct cul_probe_call *call)
{
	char dur[CUL_TEXT_TIME];
	unsigned gap = 1;

	if (!call->returned)
		return;
	if (call->ret.text || call->error) {
		cul_cell_add(&t->cell, &t->style, CUL_INK_PLAIN, "= ");
		if (call->ret.text)
			add_value(t, call->ret.text, &gap);
		if (call->error && !same(call->error, call->ret.text))
			cul_cell_addf(&t->cell, &t->style, CUL_INK_WARNING, "%s%s",
				call->ret.text ? " " : "", call->error);
		put(t, &gap);
	}
	if (call->injected)
		cul_cell_add(&t->cell, &t->style, CUL_INK_WARNING, "(injected)");
	else
		cul_cell_add(
			&t->cell, &t->style, CUL_INK_PLAIN, cul_text_duration(dur, call->dur_ns));
	cul_lines_cell(&t->lines, &t->cell, 3);
}

/* Where stacks are shown it is their second frame. */
static void add_caller(struct cul_text_sink *t, const struct cul_probe_call *call)
{
	struct cul_where from = call->caller;

	if (!from.addr || call->n_frames || call->same_stack_as)
		return;
	if (from.function && same(from.module, "vmlinux"))
		from.module = NULL; /* goes without saying */
	cul_cell_add(&t->cell, &t->style, CUL_INK_DIM, "from ");
	cul_text_where(&t->cell, &t->style, &from);
	cul_lines_cell(&t->lines, &t->cell, 3);
}

/* Lines the calls up where the terminal is wide enough. Returns the gap of the function. */
static unsigned add_who(struct cul_text_sink *t, const struct cul_probe_call *call)
{
	struct cul_cell *c = &t->cell;
	char time[CUL_TEXT_TIME];

	cul_lines_begin(&t->lines, 0, CALL_INDENT);
	if (call->n_frames || call->same_stack_as)
		cul_cell_addf(c, &t->style, CUL_INK_DIM, "#%-2" PRIu64 " ", call->number);
	cul_cell_addf(c, &t->style, CUL_INK_PLAIN, "%11s", cul_text_time(time, call->ns));
	cul_lines_cell(&t->lines, c, 0);
	cul_text_process(c, &t->style, call->comm, call->pid, call->tid);
	cul_cell_addf(c, &t->style, CUL_INK_PLAIN, " CPU %d", call->cpu);
	cul_lines_cell(&t->lines, c, 2);
	if (t->style.width < ROOMY || t->lines.column + 2 > CALL_COLUMN)
		return 2;
	return CALL_COLUMN - t->lines.column;
}

static void add_regs(struct cul_text_sink *t, const struct cul_probe_call *call)
{
	if (!call->n_regs)
		return;
	cul_text_label(t, CALL_INDENT, call->regs_after ? "after" : "regs");
	for (size_t i = 0; i < call->n_regs; i++) {
		cul_cell_addf(&t->cell, &t->style, CUL_INK_PLAIN, "%s=", call->regs[i].name);
		cul_cell_addf(
			&t->cell, &t->style, CUL_INK_VALUE, "0x%" PRIx64, call->regs[i].value);
		if (call->regs[i].changed)
			cul_cell_addf(&t->cell, &t->style, CUL_INK_PLAIN, " (was 0x%" PRIx64 ")",
				call->regs[i].before);
		cul_lines_cell(&t->lines, &t->cell, 2);
	}
	cul_lines_end(&t->lines);
}

int cul_text_probe_call(struct cul_sink *s, const struct cul_probe_call *call)
{
	struct cul_text_sink *t = (struct cul_text_sink *)s;
	unsigned gap = add_who(t, call);

	add_name(t, call);
	add_args(t, call, &gap);
	put(t, &gap);
	add_return(t, call);
	add_place(t, call);
	add_caller(t, call);
	cul_lines_end(&t->lines);
	add_regs(t, call);
	cul_text_stack(t, CALL_INDENT, call->frames, call->n_frames, call->same_stack_as);
	return cul_text_flush(t);
}
