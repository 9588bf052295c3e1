/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "probe/run.h"

static const enum cul_probe_place places[] = {
	[CUL_SITE_FUNCTION] = CUL_PLACE_ENTRY,
	[CUL_SITE_CLONE] = CUL_PLACE_CLONE,
	[CUL_SITE_INLINED] = CUL_PLACE_INLINED,
	[CUL_SITE_INSIDE] = CUL_PLACE_INSIDE,
	[CUL_SITE_TRACEPOINT] = CUL_PLACE_TRACEPOINT,
};

/* What follows the record's head. */
struct tail {
	const uint64_t *regs; /* NULL: none */
	const uint64_t *frames;
	size_t n_frames;
};

/* False when the record is shorter than it says. */
static bool find_tail(const struct cul_probe_event *e, size_t size, struct tail *out)
{
	const uint8_t *data = (const uint8_t *)(e + 1);
	size_t at = e->flags & CUL_CALL_AFTER ? 2u * e->payload : e->payload;

	memset(out, 0, sizeof(*out));
	if (e->payload > CUL_PROBE_PAYLOAD || e->payload % 8 || e->n_kernel > CUL_PROBE_FRAMES ||
		e->n_user > CUL_PROBE_FRAMES)
		return false;
	if (e->flags & CUL_CALL_REGS) {
		out->regs = (const uint64_t *)(data + at);
		at += CUL_PROBE_REGS * 8;
	}
	out->frames = (const uint64_t *)(data + at);
	out->n_frames = (size_t)e->n_kernel + e->n_user;
	return size >= sizeof(*e) + at + out->n_frames * 8;
}

/* All frames of a call, with the caller where the kernel did not see it. Returns how many. */
static size_t gather(struct cul_probe_run *run, const struct cul_probe_event *e,
	const struct tail *tail, uint64_t *addrs, size_t *n_kernel)
{
	const uint64_t *user = tail->frames + e->n_kernel;
	size_t n = 0, n_user = tail->n_frames - e->n_kernel;

	for (size_t i = 0; i < e->n_kernel; i++)
		addrs[n++] = tail->frames[i];
	*n_kernel = n;
	for (size_t i = 0; i < n_user; i++) {
		addrs[n++] = user[i];
		if (!i && cul_probe_lacks_caller(run, e->site, e->in.caller, user, n_user))
			addrs[n++] = e->in.caller;
	}
	return n;
}

/* `comm` has to live as long as the frames. */
static void name_frames(struct cul_probe_run *run, const struct cul_probe_event *e,
	const char *comm, const uint64_t *addrs, size_t n, size_t n_kernel,
	struct cul_shown_frame *frames)
{
	const struct cul_probe_owner owner = {
		.pid = (pid_t)e->in.pid, .comm = comm, .renewed = e->flags & CUL_CALL_RENEWED};
	/* Of user frames, the second is no frame's then. */
	bool entry = n > (size_t)e->n_kernel + e->n_user;
	bool here = run->pid && !(e->flags & CUL_CALL_RETURN);

	if (e->n_user)
		cul_probe_open_user(run, &owner);
	for (size_t i = 0; i < n; i++) {
		const struct cul_probe_frame from = {.addr = addrs[i],
			.user = i >= n_kernel,
			.at = i == 0 || i == n_kernel      ? CUL_FRAME_INNERMOST
			      : entry && i == n_kernel + 1 ? CUL_FRAME_ENTRY
							   : CUL_FRAME_OUTER,
			.owner = &owner,
			.site = here && i == n_kernel ? &run->sites.sites.data[e->site] : NULL};

		cul_probe_name_frame(run, &from, &frames[i]);
	}
}

/* The texts of a call's arguments, twice for --diff. */
struct texts {
	struct cul_probe_arg args[CUL_PLAN_ARGS];
	struct cul_str now[CUL_PLAN_ARGS], after[CUL_PLAN_ARGS], ret;
	size_t n;
};

static void texts_free(struct texts *t)
{
	for (size_t i = 0; i < CUL_PLAN_ARGS; i++) {
		cul_str_free(&t->now[i]);
		cul_str_free(&t->after[i]);
	}
	cul_str_free(&t->ret);
}

static void show_args(struct cul_probe_run *run, const struct cul_plan *plan,
	const struct cul_probe_event *e, struct texts *t)
{
	for (size_t i = 0; i < plan->n_args; i++) {
		const struct cul_plan_arg *a = &plan->args[i];
		struct cul_probe_arg *out = &t->args[t->n];
		const char *ignored = NULL;

		if (a->form == CUL_FORM_REGS)
			continue;
		out->name = a->name;
		cul_plan_show(plan, a, e, false, run->scope, &t->now[t->n], &out->value, &out->why);
		t->n++;
		if (!(e->flags & CUL_CALL_AFTER) || a->fetch < 0)
			continue;
		cul_plan_show(
			plan, a, e, true, run->scope, &t->after[t->n - 1], &out->after, &ignored);
		if (ignored || !out->value.text || !strcmp(out->value.text, out->after.text))
			out->after = (struct cul_shown){0};
	}
}

/*
 * x86_64: what the kernel keeps beside the registers depends on how it got there, and of a segment
 * register's word on what was on the stack.
 */
static uint64_t value_of(const char *name, uint64_t v)
{
	return !strcmp(name, "cs") || !strcmp(name, "ss") ? v & 0xffff : v;
}

/* Those that the instruction has changed first, then the others; not where it stands. */
static size_t show_regs(const struct cul_probe_run *run, const uint64_t *now,
	const uint64_t *before, struct cul_probe_reg *out)
{
	size_t n = 0;

	for (int others = 0; others < 2; others++)
		for (unsigned i = 0; i < run->arch->n_regs && i < CUL_PROBE_REGS; i++) {
			const char *name = run->arch->reg_names[i];
			uint64_t value = value_of(name, now[i]);
			bool changed = before && value_of(name, before[i]) != value;

			if (i == run->arch->reg_ip || !strcmp(name, "orig_rax") ||
				changed == others)
				continue;
			out[n++] = (struct cul_probe_reg){.name = name,
				.value = value,
				.changed = changed,
				.before = changed ? value_of(name, before[i]) : 0};
		}
	return n;
}

static int show(struct cul_probe_run *run, const struct cul_probe_event *e, const struct tail *tail)
{
	const struct cul_site *site = &run->sites.sites.data[e->site];
	const struct cul_plan *plan = &run->plans[e->site];
	__attribute__((cleanup(texts_free))) struct texts texts = {0};
	struct cul_shown_frame frames[2 * CUL_PROBE_FRAMES + 1];
	uint64_t addrs[2 * CUL_PROBE_FRAMES + 1];
	size_t n_kernel, n = gather(run, e, tail, addrs, &n_kernel);
	struct cul_probe_reg regs[CUL_MAX_REGS];
	char comm[CUL_PROBE_COMM + 1] = "";
	const char *ignored;
	struct cul_probe_call call = {
		.number = run->shown + 1,
		.where = {.addr = site->addr,
			.function = site->name,
			.offset = site->kind == CUL_SITE_INSIDE ? site->offset : 0,
			.module = site->module},
		.place = places[site->kind],
		.ns = cul_probe_since(run, e->ns),
		.cpu = (int)e->in.cpu,
		.pid = (int)e->in.pid,
		.tid = (int)e->in.tid,
		.comm = comm,
		.args = texts.args,
		.returned =
			(e->flags & CUL_CALL_RETURN && !run->after) || e->flags & CUL_CALL_INJECTED,
		.injected = e->flags & CUL_CALL_INJECTED,
		.error = cul_plan_error(plan, e),
		.dur_ns = e->in.dur,
		.regs = regs,
		.regs_after = run->after,
		.frames = frames,
	};

	memcpy(comm, e->in.comm, CUL_PROBE_COMM);
	cul_probe_naming(run, true);
	show_args(run, plan, e, &texts);
	call.n_args = texts.n;
	if (call.returned && plan->has_ret)
		cul_plan_show(
			plan, &plan->ret, e, false, run->scope, &texts.ret, &call.ret, &ignored);
	if (e->in.caller)
		cul_scope_where(run->scope, e->in.caller - 1, run->pid != 0, &call.caller);
	if (tail->regs && site->kind == CUL_SITE_INSIDE)
		call.n_regs = show_regs(run, tail->regs, cul_plan_show_regs(plan, e), regs);
	if (n) {
		call.same_stack_as = cul_seen_at(&run->seen, addrs, n, call.number);
		if (!call.same_stack_as) {
			size_t ours;

			name_frames(run, e, comm, addrs, n, n_kernel, frames);
			ours = cul_probe_skip_ours(site, frames, n);
			call.frames = frames + ours;
			call.n_frames = n - ours;
		}
	}
	cul_probe_naming(run, false);
	run->shown++;
	return run->sink->ops->probe_call(run->sink, &call);
}

int cul_probe_on_event(void *data, const void *record, size_t size)
{
	struct cul_probe_run *run = data;
	const struct cul_probe_event *e = record;
	struct tail tail;
	int r;

	if (size < sizeof(*e) || e->site >= run->sites.sites.len || !find_tail(e, size, &tail))
		return 0;
	run->arrived++;
	if (run->enough)
		return 0;
	r = show(run, e, &tail);
	if (!r && run->options->count && run->shown >= run->options->count) {
		/* The user has what was asked for: what is still on its way is not shown. */
		run->enough = run->done = true;
		run->end = CUL_END_COUNT;
	}
	return r;
}
