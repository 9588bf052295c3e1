/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "watch/run.h"

enum { CODE_ROOM = 16 * 1024, AFTER = 16 };

static int by_address(const void *a, const void *b)
{
	const struct cul_watch_site *x = a, *y = b;

	return x->ip < y->ip ? -1 : x->ip > y->ip;
}

/* What the trap was for: which bytes, and where per-CPU accesses count from. */
static void describe_trap(struct cul_watch_run *run, unsigned target,
	const struct cul_watch_event *e, struct cul_trap *trap)
{
	const struct cul_watch_target *t = &run->targets[target];
	struct cul_kernel *kernel;

	trap->watch = run->options->access;
	trap->addr = t->addr;
	trap->size = t->size;
	if (!e)
		return;
	trap->addr = e->addr;
	for (unsigned i = 0; i < t->n_pieces; i++)
		if (cul_watch_target_addr(t, (int)e->in.cpu) + t->pieces[i].offset == e->addr)
			trap->size = t->pieces[i].len;
	if (e->flags & CUL_HIT_USER)
		return;
	kernel = cul_scope_kernel_names(run->scope, NULL);
	trap->gs_known =
		kernel && !cul_kernel_percpu_offset(kernel, (int)e->in.cpu, &trap->gs_base, NULL);
}

static void find_insn(struct cul_watch_run *run, struct cul_watch_site *site, unsigned target,
	const struct cul_watch_event *e)
{
	cul_autofree uint8_t *bytes = cul_calloc(1, CODE_ROOM);
	struct cul_code code = {.bytes = bytes};
	struct cul_regs regs = {0};
	struct cul_trap trap = {.regs = &regs};

	if (!bytes)
		return;
	code.size = cul_scope_code(run->scope, site->ip, AFTER, site->user, bytes, CODE_ROOM,
		&code.addr, &code.from_entry);
	if (!code.size)
		return;
	if (run->options->access == CUL_ACCESS_EXECUTE) {
		if (!run->arch->decode(&code, site->ip, &site->insn))
			site->insn.certainty = CUL_CERTAIN;
		return;
	}
	if (e)
		memcpy(regs.r, e->regs, sizeof(e->regs));
	regs.r[run->arch->reg_ip] = site->ip;
	describe_trap(run, target, e, &trap);
	if (run->arch->find_access(&code, &trap, &site->insn))
		memset(&site->insn, 0, sizeof(site->insn));
	/* Without registers nothing was checked. */
	if (!e && site->insn.certainty == CUL_CERTAIN)
		site->insn.certainty = CUL_LIKELY;
}

static void find(struct cul_watch_run *run, struct cul_watch_site *site, unsigned target,
	const struct cul_watch_event *e)
{
	bool found;

	find_insn(run, site, target, e);
	found = site->insn.certainty != CUL_UNKNOWN && site->insn.addr;
	cul_scope_where(run->scope, found ? site->insn.addr : site->ip, site->user, &site->where);
}

struct cul_watch_site *cul_watch_site(struct cul_watch_run *run, uint64_t ip, bool user,
	unsigned target, const struct cul_watch_event *e)
{
	struct cul_watch_site key = {.ip = ip}, *site, **slot;

	slot = tfind(&key, &run->sites, by_address);
	if (slot)
		return *slot;
	site = cul_calloc(1, sizeof(*site));
	if (!site)
		return NULL;
	site->ip = ip;
	site->user = user;
	find(run, site, target, e);
	if (!tsearch(site, &run->sites, by_address)) {
		free(site);
		return NULL;
	}
	return site;
}

enum cul_access_kind cul_watch_site_access(
	const struct cul_watch_run *run, const struct cul_watch_site *site)
{
	if (run->options->access == CUL_ACCESS_READ_WRITE && site->insn.certainty != CUL_UNKNOWN)
		return site->insn.access;
	return run->options->access;
}

bool cul_watch_site_stores(const struct cul_watch_run *run, const struct cul_watch_site *site)
{
	if (run->options->access != CUL_ACCESS_READ_WRITE)
		return run->options->access == CUL_ACCESS_WRITE;
	return site->insn.certainty != CUL_UNKNOWN && site->insn.access != CUL_ACCESS_READ;
}

void cul_watch_sites_free(struct cul_watch_run *run)
{
	tdestroy(run->sites, free);
	run->sites = NULL;
}
