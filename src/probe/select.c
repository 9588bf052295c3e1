/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From what the user typed to places: whose functions they are (the kernel's,
 * a process's, the command's), or tracepoints.
 */
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/nearest.h"
#include "base/str.h"
#include "probe/run.h"
#include "sys/process.h"

#define EVENTS "/sys/kernel/tracing/events"

/*
 * The subsystem that tracefs lists the tracepoint under, when it is not that of `spec`: into
 * `other`. Some are not listed at all.
 */
static bool is_of_another(const char *spec, const char *name, struct cul_str *other)
{
	cul_autostr struct cul_str pattern = {0};
	bool listed = false;
	glob_t found = {0};

	cul_str_addf(&pattern, EVENTS "/*/%s", name);
	if (pattern.s && !glob(pattern.s, GLOB_NOSORT, NULL, &found))
		for (size_t i = 0; i < found.gl_pathc && !listed; i++) {
			const char *at = found.gl_pathv[i] + sizeof(EVENTS);
			int n = (int)strcspn(at, "/");

			listed = !strncmp(at, spec, (size_t)n) && spec[n] == ':';
			other->len = 0;
			cul_str_addf(other, "%.*s", n, at);
		}
	globfree(&found);
	return other->len && !listed;
}

static int push_tracepoint(struct cul_probe_run *run, const char *name, const struct cul_type *type)
{
	struct cul_site *site = cul_vec_push(&run->sites.sites);

	if (!site)
		return -ENOMEM;
	*site = (struct cul_site){.kind = CUL_SITE_TRACEPOINT, .type = type};
	site->name = site->symbol = cul_arena_strdup(&run->sites.arena, name);
	site->module = "tracepoint";
	return site->name ? 0 : -ENOMEM;
}

/* "sched:sched_switch" or "sched_switch". -ENOENT: there is none. */
static int add_tracepoint(
	struct cul_probe_run *run, struct cul_kernel *k, const char *spec, struct cul_error *err)
{
	const char *colon = strchr(spec, ':'), *name = colon ? colon + 1 : spec;
	const struct cul_type *type = cul_kernel_tracepoint(k, name);
	cul_autostr struct cul_str other = {0};

	if (!type)
		return -ENOENT;
	if (colon && is_of_another(spec, name, &other))
		return cul_fail(err, -EINVAL, "no tracepoint is called '%s'; nearest: %s:%s", spec,
			cul_str_text(&other), name);
	return push_tracepoint(run, name, type);
}

/* "irq:*", "sched:sched_*": those that tracefs lists. What it makes up itself has no type. */
static int add_pattern(struct cul_probe_run *run, struct cul_kernel *k, const char *spec)
{
	const char *colon = strchr(spec, ':');
	cul_autostr struct cul_str pattern = {0};
	glob_t found = {0};
	int r = -ENOENT;

	if (!colon || !strpbrk(spec, "*?[") || strchr(spec, '/'))
		return -ENOENT;
	cul_str_addf(&pattern, EVENTS "/%.*s/%s", (int)(colon - spec), spec, colon + 1);
	if (pattern.s && !glob(pattern.s, 0, NULL, &found))
		for (size_t i = 0; i < found.gl_pathc && (!r || r == -ENOENT); i++) {
			const char *name = strrchr(found.gl_pathv[i], '/') + 1;
			const struct cul_type *type = cul_kernel_tracepoint(k, name);

			if (type)
				r = push_tracepoint(run, name, type);
		}
	globfree(&found);
	return r;
}

/* Of a system call there is the function alone; tracefs sorts its events out of two for all. */
static int refuse_syscall(const char *spec, struct cul_error *err)
{
	static const char *const events[] = {"syscalls:sys_enter_", "syscalls:sys_exit_"};

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (!strncmp(spec, events[i], strlen(events[i])))
			return cul_fail(err, -EINVAL,
				"'%s' is no tracepoint of its own; probe the function of the "
				"system call, '*_sys_%s', or all of them, raw_syscalls:sys_%s",
				spec, spec + strlen(events[i]), i ? "exit" : "enter");
	return -ENOENT;
}

/* "; nearest: ..." of tracepoints, whose types are called so in BTF. */
static const char *near_tracepoints(struct cul_kernel *k, const char *spec, char *text, size_t size)
{
	static const char prefix[] = "btf_trace_";
	const char *colon = strchr(spec, ':');
	struct cul_nearest near, kept;
	char wanted[128];

	snprintf(wanted, sizeof(wanted), "%s%s", prefix, colon ? colon + 1 : spec);
	cul_nearest_init(&near, wanted);
	if (!strpbrk(spec, "*?["))
		cul_kernel_nearest_type(k, CUL_KIND_INT, &near);
	cul_nearest_init(&kept, "");
	for (size_t i = 0; i < near.n; i++)
		if (!strncmp(near.best[i].name, prefix, sizeof(prefix) - 1))
			kept.best[kept.n++].name = near.best[i].name + sizeof(prefix) - 1;
	return cul_nearest_text(&kept, text, size);
}

static int add_kernel(struct cul_probe_run *run, const char *spec, struct cul_error *err)
{
	struct cul_kernel *k = cul_scope_kernel_names(run->scope, err);
	int r = k ? cul_sites_kernel(k, spec, &run->sites, err) : -EPERM, other;
	struct cul_error why;
	char near[256];

	if (r != -ENOENT && r != -ENXIO)
		return r;
	other = add_tracepoint(run, k, spec, err);
	if (other == -ENOENT)
		other = add_pattern(run, k, spec);
	if (other == -ENOENT)
		other = refuse_syscall(spec, err);
	if (other == -ENOMEM)
		return cul_fail(err, other, "out of memory");
	if (other != -ENOENT)
		return other;
	why = *err;
	if (!cul_kernel_has_btf(k))
		return cul_fail(err, r,
			"%.300s; and tracepoints are not known without the kernel's BTF "
			"(/sys/kernel/btf/vmlinux, CONFIG_DEBUG_INFO_BTF)",
			why.text);
	if (r == -ENXIO && strpbrk(spec, "*?[") && access(EVENTS, F_OK))
		return cul_fail(err, r,
			"%.300s, and which tracepoints match '%s' is not known: tracefs is not "
			"mounted; mount -t tracefs tracefs /sys/kernel/tracing",
			why.text, spec);
	/* What stands before the colon may have been meant either way. */
	if (r == -ENXIO)
		return cul_fail(err, r, "%.300s, and no tracepoint is called '%s'%s", why.text,
			spec, near_tracepoints(k, spec, near, sizeof(near)));
	return r;
}

static int select_kernel(struct cul_probe_run *run, struct cul_error *err)
{
	const struct cul_probe_options *o = run->options;
	int r = cul_scope_kernel(o->debug_paths, &run->scope, err);

	if (!r)
		cul_sites_gather(cul_scope_kernel_names(run->scope, NULL), o->specs, o->n_specs);
	for (size_t i = 0; !r && i < run->options->n_specs; i++)
		r = add_kernel(run, run->options->specs[i], err);
	return r;
}

static bool are_inlined(const struct cul_probe_run *run, size_t from)
{
	for (size_t i = from; i < run->sites.sites.len; i++)
		if (run->sites.sites.data[i].kind != CUL_SITE_INLINED)
			return false;
	return true;
}

/* The dynamic linker has functions of the C library's names for its own use. */
static bool are_linkers(const struct cul_probe_run *run, size_t from, const char *spec)
{
	for (size_t i = from; i < run->sites.sites.len; i++) {
		const char *module = run->sites.sites.data[i].module;

		if (strncmp(module, "ld-", 3) != 0 || !strncmp(spec, module, strlen(module)))
			return false;
	}
	return from < run->sites.sites.len;
}

/* What may be otherwise once there is more of the process. */
struct unsettled {
	bool bodiless; /* of some spec there are inlined copies only, */
	bool linkers;  /* or functions of the dynamic linker that it does not name */
};

static int select_process(
	struct cul_probe_run *run, struct unsettled *unsettled, struct cul_error *err)
{
	int r;

	*unsettled = (struct unsettled){0};
	if (run->scope)
		r = cul_scope_refresh(run->scope, err);
	else
		r = cul_scope_process(run->pid, run->options->debug_paths, &run->scope, err);
	for (size_t i = 0; !r && i < run->options->n_specs; i++) {
		const char *spec = run->options->specs[i];
		size_t before = run->sites.sites.len;

		r = cul_sites_process(cul_scope_process_names(run->scope), spec, &run->sites, err);
		unsettled->bodiless |= !r && are_inlined(run, before);
		unsettled->linkers |= !r && are_linkers(run, before, spec);
	}
	return r;
}

static bool is_missing(int code)
{
	return code == -ENOENT || code == -ENXIO || code == -ENODATA;
}

static void forget_sites(struct cul_probe_run *run)
{
	cul_sites_free(&run->sites);
	memset(&run->sites, 0, sizeof(run->sites));
}

/* The kernel's functions, called by the process alone. The scope is the kernel's then. */
static int try_kernel(struct cul_probe_run *run, struct cul_error *err)
{
	struct cul_scope *process = run->scope;
	pid_t pid = run->pid;
	int r;

	forget_sites(run);
	run->scope = NULL;
	run->pid = 0;
	r = select_kernel(run, err);
	if (!r) {
		run->only_pid = pid;
		cul_scope_free(process);
		return 0;
	}
	forget_sites(run);
	cul_scope_free(run->scope);
	run->scope = process;
	run->pid = pid;
	return r;
}

/*
 * The process's functions if it has them, else the kernel's. A command stands at its first
 * instruction, where it has its own and none of its libraries: what the kernel does not have either
 * is looked for again when they are there, at its entry point. So is what it has inlined copies of:
 * the dynamic linker has some of malloc(), which itself is in a library; and what was refused, as
 * which one an ifunc has chosen is known when the library is relocated.
 */
static int select_either(struct cul_probe_run *run, struct cul_error *err)
{
	struct cul_error kernel = {0}, step = {0};
	bool at_entry = run->options->command == NULL, at_once, later;
	struct unsettled unsettled;
	int r = select_process(run, &unsettled, err);

	if (is_missing(r) && !try_kernel(run, &kernel))
		return 0;
	for (;;) {
		at_once = is_missing(r) || (!r && unsettled.bodiless);
		later = r == -EADDRNOTAVAIL ||
			(!r && (unsettled.linkers || run->sites.refused.len));
		if (at_entry || (!at_once && !later))
			break;
		do {
			if (cul_child_step(&run->child, &at_entry, &step))
				return cul_fail(err, step.code, "%s", step.text);
		} while (!at_once && !at_entry);
		forget_sites(run);
		r = select_process(run, &unsettled, err);
	}
	if (!is_missing(r))
		return r;
	step = *err;
	return cul_fail_both(err, &step, &kernel);
}

int cul_probe_select(struct cul_probe_run *run, struct cul_error *err)
{
	const struct cul_probe_options *o = run->options;
	pid_t pid = o->pid;
	int r = o->cpus ? cul_cpus_named(o->cpus, &run->cpus, err) : 0;

	if (r)
		return r;

	if (o->command) {
		r = cul_child_start(o->command, &run->child, err);
		if (r)
			return r;
		pid = run->child.pid;
	}
	if (pid && !o->kernel) {
		run->pid = pid;
		r = select_either(run, err);
		if (!r && run->pid)
			cul_scope_keep(run->scope);
	} else {
		run->only_pid = pid;
		r = select_kernel(run, err);
	}
	if (o->command)
		cul_child_end_steps(&run->child);
	if (r || !pid)
		return r;
	/* While it is there; a command is held at its end, when it has its libraries. */
	if (!run->pid && !o->command && o->want_user_stack)
		cul_users_open(&run->users, pid, "");
	run->pid_fd = cul_sys_pidfd_open(pid);
	return 0;
}
