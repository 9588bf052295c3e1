/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Before anything is attached: what is read at each site, which expressions run
 * there, and the maps and rings for it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "probe/run.h"

static const struct cul_site *site_of(const struct cul_probe_run *run, size_t i)
{
	return &run->sites.sites.data[i];
}

static bool has_expressions(const struct cul_probe_options *o)
{
	return o->condition || o->args || o->by || o->hist;
}

/* The registers there, and with --after those behind the instruction. */
static int plan_instruction(struct cul_probe_run *run, size_t i, struct cul_error *err)
{
	const struct cul_probe_options *o = run->options;
	const struct cul_site *site = site_of(run, i);
	struct cul_plan *plan = &run->plans[i];
	struct cul_error why = {0};
	struct cul_insn insn;
	int r;

	if (!run->regs.pointer)
		cul_instruction_regs_init(&run->regs, run->arch, cul_scope_env(run->scope)->ctypes);
	if (!run->regs.pointer)
		return cul_fail(err, -ENOMEM, "out of memory");
	cul_plan_regs(plan, run->regs.pointer, run->after && !o->args);
	plan->after = run->after;
	/* Read before a probe stands there. */
	r = cul_instruction_at(run->scope, run->arch, site, run->pid != 0, &insn, &why);
	if (!r)
		run->insn = insn;
	else if (run->after || (r == -EILSEQ && run->pid))
		return cul_fail(err, r, "%s", why.text); /* nobody but us keeps a process from it */
	else
		r = 0;
	if (!r && run->after)
		r = cul_instruction_next(site, &insn, &plan->step, err);
	return r;
}

static int plan_site(struct cul_probe_run *run, size_t i, struct cul_error *err)
{
	const struct cul_probe_options *o = run->options;
	const struct cul_site *site = site_of(run, i);
	/* In the middle of a function the arguments are anywhere, but where DWARF tells. */
	bool inside = site->kind == CUL_SITE_INSIDE || site->kind == CUL_SITE_INLINED;
	bool known = !inside || (site->copy && site->copy->type);
	struct cul_plan_want want = {
		.args = o->view == CUL_VIEW_CALLS && !o->args,
		.ret = o->view == CUL_VIEW_CALLS && run->returns,
		.depth = o->depth,
		.user = run->pid != 0,
		.tracepoint = site->kind == CUL_SITE_TRACEPOINT,
		.copy = known ? site->copy : NULL,
		.entry = site->entry,
	};
	struct cul_generated *g = &run->generated[i];
	int r = run->pid ? 0
			 : cul_syscall_find(site, run->arch, cul_scope_env(run->scope),
				   &run->sites.arena, &want.syscall);

	if (r)
		return cul_fail(err, r, "out of memory");
	r = cul_plan_make(want.syscall ? want.syscall->type
			  : known      ? site->type
				       : NULL,
		&want, &run->plans[i], err);
	run->plans[i].inside = inside;
	if (!r && run->inject.every)
		r = cul_inject_check(site, err);
	if (!r && run->returns && site->moves_stack && cul_probe_returns(site))
		r = cul_fail(err, -ENOENT,
			"what returns from %s cannot be probed: Go moves its stacks and reads the "
			"return addresses on them, and the program would die of the changed one; "
			"probe calls alone, without --ret and what needs it",
			site->name);
	if (!r && o->errors && cul_probe_returns(site) && !run->plans[i].typed)
		r = cul_fail(err, -ENOENT,
			"--errors needs the type of what %s returns, which is not known; "
			"--ret --if '(int)ret < 0' shows what returns a negative int",
			site->name);
	if (!r && o->errors && run->plans[i].signature.ret_unseen)
		r = cul_fail(err, -ENOENT,
			"--errors needs what %s returns, which comes back where a probe does not "
			"see it: it is not called as functions of C are",
			site->name);
	if (!r && site->kind == CUL_SITE_INSIDE)
		r = plan_instruction(run, i, err);
	else if (!r && run->after)
		r = cul_fail(err, -EINVAL,
			"--after shows one instruction, and %s is a whole function; write %s+OFF, "
			"or --ret for what it returns",
			site->name, site->name);
	if (r || (!has_expressions(o) && !run->plans[i].copy && !run->plans[i].syscall))
		return r;
	r = cul_generate(o, &run->plans[i], cul_probe_returns(site) && !run->inject.every,
		run->scope, g, err);
	/* What does not fit this function may fit another. */
	if (r && r != -ENOMEM)
		return -ENOENT;
	if (!r && g->uses_late && !run->returns) {
		/* From here on calls are told at their return, and planned so. */
		run->returns = true;
		cul_generated_free(g);
		return plan_site(run, i, err);
	}
	if (!r && o->args)
		cul_plan_values(&run->plans[i], &want, g->values, g->n_args);
	return r;
}

/* One of many that has no such argument is left out, and said so. */
int cul_probe_leave_out(struct cul_probe_run *run, size_t i, const struct cul_error *why)
{
	struct cul_site_refused *refused = cul_vec_push(&run->sites.refused);
	const struct cul_site *site = site_of(run, i);
	char text[200];

	if (!refused)
		return -ENOMEM;
	snprintf(text, sizeof(text), "%.*s", (int)strcspn(why->text, "\n;"), why->text);
	*refused = (struct cul_site_refused){.symbol = site->symbol,
		.module = site->module,
		.why = cul_arena_strdup(&run->sites.arena, text)};
	return refused->why ? 0 : -ENOMEM;
}

static int plan_all(struct cul_probe_run *run, struct cul_error *err)
{
	size_t n = run->sites.sites.len, kept = 0;
	struct cul_error why = {0};
	int r;

	run->plans = cul_calloc(n, sizeof(*run->plans));
	run->generated = cul_calloc(n, sizeof(*run->generated));
	if (!run->plans || !run->generated)
		return cul_fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		r = cul_probe_step(run, "preparing", i, err);
		if (r)
			return r;
		run->sites.sites.data[kept] = *site_of(run, i);
		r = plan_site(run, kept, &why);
		if (!r) {
			kept++;
			continue;
		}
		if (n == 1 || r != -ENOENT || cul_probe_leave_out(run, kept, &why))
			return cul_fail(err, r, "%s", why.text);
		memset(&run->plans[kept], 0, sizeof(run->plans[kept]));
	}
	run->sites.sites.len = kept;
	return kept ? 0 : cul_fail(err, why.code, "%s", why.text);
}

/* The offset of a member, or of a member of a member, of a struct of the kernel. */
static bool offset_of(struct cul_probe_run *run, const char *tag, const char *path, __u32 *out)
{
	const struct cul_expr_env *env = cul_scope_env(run->scope);
	const struct cul_type *t = env->type(env->data, CUL_TAG_STRUCT, tag);
	uint64_t bits = 0;
	char name[32];

	while (t && *path) {
		size_t n = strcspn(path, ".");
		struct cul_member m;

		snprintf(name, sizeof(name), "%.*s", (int)n, path);
		if (cul_type_member(t, name, &m, NULL))
			return false;
		bits += m.bit_offset;
		t = m.type;
		path += n + (path[n] == '.');
	}
	*out = (__u32)(bits / 8);
	return t != NULL;
}

static bool has_paths(const struct cul_probe_recipe *r)
{
	for (unsigned i = 0; i < r->n_fetches; i++)
		if (r->fetch[i].kind != CUL_FETCH_MEM && r->fetch[i].kind != CUL_FETCH_STR)
			return true;
	return false;
}

/* Where paths are in the kernel's structs; only asked when something is one. */
static void find_offsets(struct cul_probe_run *run, struct cul_probe_offsets *o)
{
	bool wanted = false;

	if (run->only_pid) {
		offset_of(run, "task_struct", "tgid", &o->task_tgid);
		offset_of(run, "task_struct", "pid", &o->task_pid);
	}
	for (size_t i = 0; !wanted && i < run->sites.sites.len; i++)
		wanted = has_paths(&run->plans[i].recipe);
	o->known = wanted && offset_of(run, "file", "f_path", &o->file_path) &&
		   offset_of(run, "file", "f_path.dentry", &o->file_dentry) &&
		   offset_of(run, "file", "f_path.mnt", &o->file_mnt) &&
		   offset_of(run, "dentry", "d_parent", &o->dentry_parent) &&
		   offset_of(run, "dentry", "d_name.name", &o->dentry_name) &&
		   offset_of(run, "dentry", "d_sb", &o->dentry_sb) &&
		   offset_of(run, "super_block", "s_type", &o->sb_type) &&
		   offset_of(run, "file_system_type", "name", &o->type_name) &&
		   offset_of(run, "vfsmount", "mnt_root", &o->mnt_root) &&
		   offset_of(run, "mount", "mnt", &o->mount_mnt) &&
		   offset_of(run, "mount", "mnt_parent", &o->mount_parent) &&
		   offset_of(run, "mount", "mnt_mountpoint", &o->mount_mountpoint);
}

/* The words of arguments that a return may still ask for: more than were taken, if code made some.
 */
static unsigned kept_words(const struct cul_plan *plan, unsigned taken)
{
	if (plan->copy)
		return CUL_PROBE_WORDS;
	return plan->syscall ? CUL_PROBE_REG_WORDS + 1 : taken;
}

/* What programs have to find out of a call, besides that there was one. */
static void find_needs(struct cul_probe_run *run, struct cul_probe_program_config *config)
{
	const struct cul_probe_options *o = run->options;
	bool calls = o->view == CUL_VIEW_CALLS;

	config->keep = calls;
	run->words = 0;
	for (size_t i = 0; i < run->sites.sites.len; i++) {
		const struct cul_generated *g = &run->generated[i];
		unsigned shown = calls && !o->args ? run->plans[i].words : 0;
		unsigned words = shown > g->words ? shown : g->words;
		unsigned fetches = run->plans[i].recipe.n_fetches;

		config->task |= g->uses_task;
		config->comm |= g->uses_comm;
		config->caller |= g->uses_caller;
		config->texts |= g->has_texts;
		config->by_words = g->by_words > config->by_words ? g->by_words : config->by_words;
		config->keep |= g->keeps;
		run->words = words > run->words ? words : run->words;
		words = kept_words(&run->plans[i], words);
		config->words = words > config->words ? words : config->words;
		for (size_t v = 0; v < g->n_values; v++)
			if (g->values[v].at + g->values[v].n > config->values)
				config->values = g->values[v].at + g->values[v].n;
		if (fetches > config->most_fetches)
			config->most_fetches = fetches;
	}
	config->carry = calls && config->returns && config->most_fetches;
}

static int open_program(struct cul_probe_run *run, struct cul_error *err)
{
	const struct cul_probe_options *o = run->options;
	bool calls = o->view == CUL_VIEW_CALLS, few = run->sites.sites.len <= CUL_PROBE_FENTRY_MOST;
	bool tracepoints = false, inside = false;
	struct cul_probe_program_config config = {
		.n_sites = run->sites.sites.len,
		.user_target = run->pid != 0,
		.returns = run->returns || run->after,
		.diff = o->diff,
		.errors_only = o->errors,
		.only_pid = run->only_pid,
		.parent = run->pid,
		.cpus = o->cpus ? &run->cpus : NULL,
		.slow_ns = o->slow_ns,
		.events = calls,
		.groups = o->view == CUL_VIEW_HIST ||
			  (o->view == CUL_VIEW_COUNT &&
				  (o->by || o->want_kernel_stack || o->want_user_stack)),
		.bars = o->view == CUL_VIEW_HIST,
		.scale = &o->scale,
		.inject_ret = run->inject.ret,
		.inject_every = run->inject.every,
		.kernel_stack = o->want_kernel_stack,
		.user_stack = o->want_user_stack,
		.on_event = cul_probe_on_event,
		.data = run,
	};

	find_needs(run, &config);
	config.caller |= run->pid && o->want_user_stack;
	for (size_t i = 0; i < run->sites.sites.len; i++) {
		tracepoints |= site_of(run, i)->kind == CUL_SITE_TRACEPOINT;
		inside |= site_of(run, i)->kind == CUL_SITE_INSIDE;
	}
	config.regs = calls && inside && !o->args;
	if (!run->pid)
		find_offsets(run, &config.offsets);
	config.n_scratches = few || tracepoints ? 1 + 2 * (unsigned)run->sites.sites.len : 1;
	/* A gate asks nothing but its condition: not whose call it is, or where. */
	if (few && !run->pid && !run->only_pid && !o->cpus &&
		offset_of(run, "task_struct", "tgid", &config.gate_offsets.tgid) &&
		offset_of(run, "task_struct", "thread_info.cpu", &config.gate_offsets.cpu))
		config.n_gates = (unsigned)run->sites.sites.len;
	if (run->pid)
		config.n_scratches = CUL_PROBE_CROWD;
	return cul_probe_program_open(&config, &run->program, err);
}

static int set_recipes(struct cul_probe_run *run, struct cul_error *err)
{
	int r = 0;

	for (size_t i = 0; !r && i < run->sites.sites.len; i++)
		r = cul_probe_program_set_recipe(&run->program, (unsigned)i, &run->plans[i].recipe);
	return r ? cul_fail(err, r, "handing the recipes to the program: %s", cul_strerror(r)) : 0;
}

int cul_probe_prepare(struct cul_probe_run *run, struct cul_error *err)
{
	const char *inject = run->options->inject;
	int r = inject ? cul_inject_parse(inject, &run->inject, err) : 0;

	if (!r && inject)
		r = cul_inject_allowed(err);
	if (!r)
		r = plan_all(run, err);
	if (!r)
		r = open_program(run, err);
	if (r)
		return r;
	run->opened = true;
	return set_recipes(run, err);
}
