/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * By which way each site is attached, as cheap as the kernel allows: fentry for
 * few functions, one fprobe for many, kprobes for what is left.
 */
#include "probe/run.h"

/* BTF may have a function's name with another one's type: those that stand in for a system call
 * that this kernel lacks take nothing. */
static bool takes_one(const struct cul_type *func)
{
	return func && !cul_type_fill(func, NULL) && func->n_members == 1;
}

/* One whose arguments are where such a program finds them: a register each. */
static bool fits_fentry(const struct cul_probe_run *run, size_t i)
{
	const struct cul_site *site = &run->sites.sites.data[i];
	const struct cul_plan *plan = &run->plans[i];

	if (site->kind != CUL_SITE_FUNCTION || !site->btf_id || !site->traceable || !plan->typed ||
		plan->signature.is_variadic || plan->signature.ret_in_memory)
		return false;
	if (plan->syscall)
		return takes_one(site->type);
	for (size_t a = 0; a < plan->signature.n_params; a++) {
		const struct cul_arg_place *place = &plan->signature.params[a].place;

		if (place->where != CUL_ARG_WORDS || place->word != a || place->n_words != 1 ||
			a >= CUL_PROBE_REG_WORDS)
			return false;
	}
	return true;
}

/*
 * With fentry the kernel's unwinder starts inside our program, and searches its tables in vain for
 * that and for the trampoline: the stack costs twice what it does from the registers of a kprobe.
 */
static bool wants_stack_at_once(const struct cul_probe_run *run)
{
	return run->options->want_kernel_stack && !run->returns && !run->options->condition;
}

enum cul_attach_kind cul_probe_way(const struct cul_probe_run *run, size_t i)
{
	const struct cul_site *site = &run->sites.sites.data[i];

	if (run->pid)
		return CUL_ATTACH_UPROBE;
	if (site->kind == CUL_SITE_TRACEPOINT)
		return CUL_ATTACH_RAW_TRACEPOINT;
	if (!cul_probe_returns(site) || run->inject.every)
		return CUL_ATTACH_KPROBE;
	if (run->options->maxactive && run->returns)
		return CUL_ATTACH_TRACEFS;
	if (run->sites.sites.len <= CUL_PROBE_FENTRY_MOST && !run->generated[i].uses_caller &&
		!wants_stack_at_once(run) && fits_fentry(run, i))
		return CUL_ATTACH_FENTRY;
	return site->traceable ? CUL_ATTACH_KPROBE_MULTI : CUL_ATTACH_KPROBE;
}
