/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Functions of a process: in its children too, which have its code until they
 * run another program. And the kernel's functions, called by its children.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "probe/run.h"
#include "trace/kprobe_events.h"

/* Events that children inherit make each fork dearer, and each change of threads. */
enum { INHERITED_MOST = 1024 };

static size_t count_threads(pid_t pid)
{
	struct dirent *entry;
	char path[64];
	size_t n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		n += entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return n;
}

static void try_to_inherit(struct cul_probe_run *run)
{
	size_t sites = run->sites.sites.len * (run->returns || run->after ? 2 : 1);
	size_t threads = count_threads(run->pid);

	if (threads && sites * threads > INHERITED_MOST)
		cul_fail(&run->barren, -E2BIG,
			"%zu probes in %zu thread%s are too many to be inherited", sites, threads,
			threads == 1 ? "" : "s");
	else
		run->inherits =
			!cul_kretprobes_new(CUL_UPROBE_EVENTS, &run->kretprobes, &run->barren);
}

static int tell_of(struct cul_probe_run *run, size_t link, enum cul_probe_template from,
	const char *tracepoint, struct cul_error *err)
{
	const struct cul_probe_instance instance = {.from = from};
	int fd = cul_probe_program_make(&run->program, &instance, err);

	return fd < 0 ? fd
		      : cul_attach_raw_tracepoint(fd, tracepoint, 0, &run->fork_links[link], err);
}

static void know_kin(struct cul_probe_run *run)
{
	struct cul_error err = {0};
	int r = tell_of(run, 0, CUL_TEMPLATE_EXIT, "sched_process_exit", &err);

	if (!r)
		r = tell_of(run, 1, CUL_TEMPLATE_EXEC, "sched_process_exec", &err);
	if (!r)
		r = tell_of(run, 2, CUL_TEMPLATE_CHILD, "task_newtask", &err);
	if (r)
		cul_gaps_add(&run->gaps, "what children the process forks is not known: %s",
			cul_strerror(r));
}

/* Before anything is probed: a child that is forked meanwhile is not missed. */
int cul_probe_follow(struct cul_probe_run *run, struct cul_error *err)
{
	int r;

	if (run->pid) {
		try_to_inherit(run);
		know_kin(run);
		return 0;
	}
	if (!run->only_pid)
		return 0;
	r = tell_of(run, 0, CUL_TEMPLATE_FORK, "sched_process_fork", err);
	if (!r)
		r = tell_of(run, 1, CUL_TEMPLATE_FREE, "sched_process_free", err);
	if (r)
		return r;
	r = cul_probe_program_follow(&run->program, run->only_pid);
	return r ? cul_fail(err, r, "following process %d: %s", run->only_pid, cul_strerror(r)) : 0;
}

int cul_probe_attach_user(struct cul_probe_run *run, size_t i, unsigned step, bool at_return,
	int prog_fd, struct cul_attachment *out, struct cul_error *err)
{
	const struct cul_site *site = &run->sites.sites.data[i];
	const struct cul_uprobe_place place = {
		.path = site->path, .offset = site->file_offset + step, .at_return = at_return};
	struct cul_error why = run->barren;
	int r;

	if (run->inherits &&
		!cul_uprobe_inherited(run->kretprobes, &place, run->pid, prog_fd, i, out, &why))
		return 0;
	r = cul_attach_uprobe(prog_fd, place.path, place.offset, run->pid, i, at_return, out, err);
	if (!r) {
		run->inherits = false;
		run->barren = why;
	}
	return r;
}

/* Whether some of the functions are of the program itself, which another one does not have. */
static bool has_own_functions(struct cul_probe_run *run)
{
	struct cul_process_syms *names = cul_scope_process_names(run->scope);
	struct cul_objfile *exe;
	const char *path;

	if (!names || cul_process_object(names, NULL, &exe, NULL))
		return true;
	path = cul_objfile_path(exe);
	for (size_t i = 0; i < run->sites.sites.len; i++)
		if (!strcmp(run->sites.sites.data[i].path, path))
			return true;
	return false;
}

void cul_probe_say_children(struct cul_probe_run *run)
{
	uint64_t children = run->pid ? cul_probe_program_children(&run->program) : 0;
	uint64_t execs = run->pid ? cul_probe_program_execs(&run->program) : 0;
	uint64_t unfollowed = cul_probe_program_unfollowed(&run->program);

	if (unfollowed)
		cul_gaps_add(&run->gaps,
			"%" PRIu64 " tasks were forked while as many of that process lived as are "
			"followed at once (%d): %s",
			unfollowed, CUL_PROBE_FOLLOWED,
			run->pid ? "which programs they ran is not known, and names of their user "
				   "frames may be wrong"
				 : "their calls, and those of what they forked, are missing");
	/*
	 * Its breakpoints are in the child's memory as well; the kernel takes each out when it is
	 * hit: uprobe_perf_func() of kernel/trace/trace_uprobe.c, v6.12.
	 */
	if (children && !run->inherits)
		cul_gaps_add(&run->gaps,
			"the process forked %" PRIu64 " time(s), and calls in its children are not "
			"seen (%s); -p PID probes one of them",
			children, run->barren.text);
	else if (execs && has_own_functions(run))
		cul_gaps_add(&run->gaps,
			"children ran other programs %" PRIu64 " time(s), which have none of the "
			"first one's own functions: calls of shared libraries alone are seen there",
			execs);
}
