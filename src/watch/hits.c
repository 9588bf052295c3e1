/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "sym/print.h"
#include "watch/run.h"

static bool name_pointer(void *data, uint64_t addr, struct cul_where *out)
{
	return cul_scope_data_name(data, addr, out);
}

void cul_watch_print(struct cul_watch_run *run, unsigned target, const void *bytes, uint64_t bits,
	struct cul_str *out, struct cul_shown *shown)
{
	const struct cul_watch_target *t = &run->targets[target];
	const struct cul_print_names names = {.name = name_pointer, .data = run->scope};
	struct cul_print_value value = {.type = t->type, .size = t->size};

	value.bytes = bytes ? bytes : (const void *)&bits;
	if (bytes) {
		value.bit_offset = t->bit_offset;
		value.bit_size = t->bit_size;
	}
	cul_print_value(out, &value, &names);
	shown->text = cul_str_text(out);
	shown->is_number = cul_print_is_number(t->type, t->size);
}

/* Names the frames. The innermost one is the code that trapped: its instruction is known. */
static size_t name_frames(struct cul_watch_run *run, const struct cul_watch_event *e,
	const struct cul_watch_site *site, struct cul_shown_frame *frames)
{
	size_t n = (size_t)e->n_kernel + e->n_user;

	for (size_t i = 0; i < n; i++) {
		struct cul_shown_frame *f = &frames[i];
		uint64_t addr = e->frames[i];

		f->user = i >= e->n_kernel;
		f->method = i == 0 ? "regs" : f->user ? "fp" : "kernel";
		if (i == 0 && addr == site->ip) {
			f->where = site->where;
			continue;
		}
		/* A return address belongs to the call before it. */
		cul_scope_where(run->scope, addr - 1, f->user, &f->where);
		f->where.addr = addr;
		f->where.offset++;
	}
	return n;
}

static void fill_values(struct cul_watch_run *run, const struct cul_watch_event *e,
	const struct cul_watch_site *site, struct cul_str *old_text, struct cul_str *new_text,
	struct cul_watch_hit *hit)
{
	if (run->options->access == CUL_ACCESS_EXECUTE)
		return;
	if (e->flags & CUL_HIT_OLD_KNOWN)
		cul_watch_print(run, e->target, e->old, 0, old_text, &hit->old);
	if (!(e->flags & CUL_HIT_UNREADABLE))
		cul_watch_print(run, e->target, e->new, 0, new_text, &hit->new);
	hit->old_certain = (e->flags & CUL_HIT_OLD_KNOWN) && !(e->flags & CUL_HIT_RACED);
	if (!cul_watch_site_stores(run, site))
		return;
	hit->unchanged = e->flags & CUL_HIT_UNCHANGED;
	hit->neighbour = e->flags & CUL_HIT_NEIGHBOUR;
}

static int show(struct cul_watch_run *run, const struct cul_watch_event *e)
{
	bool user = e->flags & CUL_HIT_USER;
	struct cul_watch_site *site;
	cul_autostr struct cul_str old_text = {0}, new_text = {0};
	struct cul_shown_frame frames[2 * CUL_WATCH_FRAMES];
	char comm[CUL_WATCH_COMM + 1] = "";
	struct cul_watch_hit hit = {
		.target = run->targets[e->target].text,
		.ns = cul_watch_since(run, e->ns),
		.cpu = (int)e->in.cpu,
		.pid = (int)e->in.pid,
		.tid = (int)e->in.tid,
		.comm = comm,
		.user_mode = user,
		.frames = frames,
		.number = run->shown + 1,
		.violation = run->options->expect != NULL,
		.expect = run->options->expect,
	};

	cul_watch_naming(run, true);
	site = cul_watch_site(run, e->ip, user, e->target, e);
	if (!site)
		return -ENOMEM;
	site->guilty |= hit.violation;
	memcpy(comm, e->in.comm, CUL_WATCH_COMM);
	fill_values(run, e, site, &old_text, &new_text, &hit);
	hit.insn = site->insn.certainty != CUL_UNKNOWN ? &site->insn : NULL;
	hit.store = site->where;
	hit.access = cul_watch_site_access(run, site);
	if (e->n_kernel || e->n_user) {
		hit.same_stack_as = cul_seen_at(&run->seen, (const uint64_t *)e->frames,
			(size_t)e->n_kernel + e->n_user, hit.number);
		if (!hit.same_stack_as)
			hit.n_frames = name_frames(run, e, site, frames);
	}
	cul_watch_naming(run, false);
	run->shown++;
	return run->sink->ops->watch_hit(run->sink, &hit);
}

/* The user has what was asked for: records that are still on their way are not shown. */
static void enough(struct cul_watch_run *run, enum cul_end end)
{
	run->enough = true;
	run->done = true;
	run->end = end;
}

int cul_watch_on_event(void *data, const void *record, size_t size)
{
	struct cul_watch_run *run = data;
	const struct cul_watch_options *o = run->options;
	const struct cul_watch_event *e = record;
	int r;

	if (size < offsetof(struct cul_watch_event, frames) || e->target >= run->n_targets ||
		e->n_kernel > CUL_WATCH_FRAMES || e->n_user > CUL_WATCH_FRAMES ||
		size < offsetof(struct cul_watch_event, frames) +
				((size_t)e->n_kernel + e->n_user) * sizeof(e->frames[0]))
		return 0;
	if (e->flags & CUL_HIT_SAMPLE)
		return cul_watch_site(run, e->ip, e->flags & CUL_HIT_USER, e->target, e) ? 0
											 : -ENOMEM;
	run->arrived++;
	if (run->enough)
		return cul_watch_site(run, e->ip, e->flags & CUL_HIT_USER, e->target, e) ? 0
											 : -ENOMEM;
	/* An invariant on a value that nobody knew cannot have been broken. */
	if (o->expect && !(e->flags & CUL_HIT_OLD_KNOWN) && run->program.expect_uses_old)
		return 0;
	r = show(run, e);
	if (r)
		return r;
	if (o->expect) {
		run->violated = true;
		if (!o->keep_going)
			enough(run, CUL_END_VIOLATION);
	}
	if (o->count && run->shown >= o->count)
		enough(run, CUL_END_COUNT);
	return 0;
}
