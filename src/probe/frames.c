/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stacks of calls: whose frames they are, and what is missing or too much at
 * their innermost end.
 */
#include <string.h>

#include "probe/run.h"

enum { OURS = 4 };

/* The kernel's functions between a tracepoint and our program (include/trace/bpf_probe.h, v6.1). */
static bool calls_programs(const char *function)
{
	return function &&
	       (!strncmp(function, "bpf_trace_run", 13) || !strncmp(function, "__bpf_trace_", 12) ||
		       !strncmp(function, "__traceiter_", 12));
}

static size_t skip_to_tracepoint(const struct cul_shown_frame *frames, size_t n)
{
	size_t ours = 0;

	for (size_t i = 0; i + 1 < n && i <= OURS; i++)
		if (!frames[i].user && calls_programs(frames[i].where.function))
			ours = i + 1;
	return ours;
}

/* With fentry the innermost frames are the kernel's trampoline and our program. */
size_t cul_probe_skip_ours(
	const struct cul_site *site, const struct cul_shown_frame *frames, size_t n)
{
	if (site->kind == CUL_SITE_TRACEPOINT)
		return skip_to_tracepoint(frames, n);
	for (size_t i = 0; i < n && i <= OURS; i++) {
		const struct cul_where *where = &frames[i].where;

		if (!frames[i].user && where->function && !strcmp(where->function, site->symbol))
			return i;
	}
	return 0;
}

static bool is_inside(struct cul_probe_run *run, const struct cul_site *site, uint64_t addr)
{
	struct cul_where where = {0};

	cul_scope_where(run->scope, addr, true, &where);
	return where.function && !strcmp(where.function, site->symbol);
}

/*
 * The kernel follows frame pointers. At a function's first instruction that is its caller's, which
 * leads to the caller's caller: the caller is at the stack pointer. Since 6.11 the kernel looks
 * there itself, if the instruction is one that functions begin with (is_uprobe_at_func_entry() of
 * arch/x86/events/core.c), and always or never for one site. What it did is told from what it
 * found, but for a function that calls itself, where both look the same: there the site's other
 * calls tell.
 */
bool cul_probe_lacks_caller(
	struct cul_probe_run *run, unsigned i, uint64_t caller, const uint64_t *frames, size_t n)
{
	const struct cul_site *site = &run->sites.sites.data[i];

	if (!caller || !run->pid || run->returns || !cul_probe_returns(site))
		return false;
	if (n < 2 || frames[1] != caller) {
		run->bare[i] |= n >= 2;
		return true;
	}
	return run->bare[i] && is_inside(run, site, caller - 1);
}

/* A child has the code of the process that is probed, until it runs another program. */
static bool has_own_code(const struct cul_probe_run *run, const struct cul_probe_owner *owner)
{
	return run->pid && !owner->renewed;
}

void cul_probe_open_user(struct cul_probe_run *run, const struct cul_probe_owner *owner)
{
	if (owner->pid && !has_own_code(run, owner))
		cul_users_open(&run->users, owner->pid, owner->comm);
}

void cul_probe_name_frame(
	struct cul_probe_run *run, const struct cul_probe_frame *from, struct cul_shown_frame *out)
{
	/* A return address belongs to the call before it. */
	bool behind = from->at != CUL_FRAME_INNERMOST;
	const struct cul_probe_owner *owner = from->owner;
	struct cul_where *where = &out->where;

	*out = (struct cul_shown_frame){.user = from->user,
		.method = from->at == CUL_FRAME_INNERMOST ? "regs"
			  : from->at == CUL_FRAME_ENTRY   ? "entry"
			  : from->user                    ? "fp"
							  : "kernel"};
	if (!from->user || has_own_code(run, owner))
		cul_scope_where(run->scope, from->addr - behind, from->user, where);
	else
		cul_users_where(&run->users, owner->pid, owner->comm, from->addr - behind, where);
	if (from->site && !where->function) {
		where->function = from->site->symbol;
		where->module = from->site->module;
		where->offset = from->site->offset;
	}
	where->addr = from->addr;
	where->offset += behind;
}

void cul_probe_meet_callers(struct cul_probe_run *run)
{
	char comm[CUL_PROBE_COMM + 1];
	pid_t pid;

	if (run->options->view != CUL_VIEW_COUNT || !run->options->want_user_stack)
		return;
	for (int i = 0; i < CUL_USERS_MOST; i++) {
		if (!cul_probe_program_next_caller(&run->program, &pid, comm))
			return;
		cul_users_open(&run->users, pid, comm);
	}
}
