/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From what the user typed to addresses: whose names they are (the kernel's, a
 * process's, the command's), and how far the command has to run before its
 * variables are there.
 */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "watch/run.h"

static int select_cpus(struct cul_watch_run *run, int *copy, struct cul_error *err)
{
	struct cul_cpus online, named;
	int r;

	*copy = -1;
	r = cul_cpus_online(&online, err);
	if (r)
		return r;
	run->wanted = online;
	if (!run->options->cpus)
		return 0;
	r = cul_cpus_parse(run->options->cpus, &named, err);
	if (r)
		return r;
	cul_for_each_cpu(cpu, &named)
	{
		if (!cul_cpus_has(&online, cpu))
			return cul_fail(err, -ENODEV, "--cpu %s: CPU %d is not online",
				run->options->cpus, cpu);
	}
	run->wanted = named;
	if (cul_cpus_count(&named) == 1)
		*copy = cul_cpus_next(&named, -1);
	return 0;
}

static void forget_targets(struct cul_watch_run *run)
{
	while (run->n_targets)
		cul_watch_target_free(&run->targets[--run->n_targets]);
}

static int resolve_all(struct cul_watch_run *run, int copy, struct cul_error *err)
{
	unsigned slots = 0;
	int r;

	forget_targets(run);
	for (size_t i = 0; i < run->options->n_targets; i++) {
		r = cul_watch_target_resolve(run->options->targets[i], run->scope, run->arch,
			run->options->access, &run->wanted, copy, &run->targets[i], err);
		if (r)
			return r;
		run->n_targets++;
		slots += run->targets[i].n_pieces;
	}
	if (slots > run->arch->watch_slots)
		return cul_fail(err, -E2BIG,
			"these targets need %u debug registers together, a CPU has %u; watch "
			"fewer, or smaller "
			"ones (a field over 8 bytes, or unaligned, takes several)",
			slots, run->arch->watch_slots);
	return 0;
}

static int resolve_kernel(struct cul_watch_run *run, struct cul_error *err)
{
	struct cul_cpus online;
	int copy, r;

	r = select_cpus(run, &copy, err);
	if (!r)
		r = cul_scope_kernel(run->options->debug_paths, &run->scope, err);
	if (!r)
		r = resolve_all(run, copy, err);
	if (r)
		return r;
	/* `--cpu N` chooses a per-CPU variable's copy, which then every CPU watches. */
	if (copy >= 0 && run->targets[0].percpu) {
		r = cul_cpus_online(&online, err);
		if (r)
			return r;
		run->wanted = online;
	}
	return 0;
}

static int resolve_process(struct cul_watch_run *run, struct cul_error *err)
{
	int r;

	if (run->options->cpus)
		return cul_fail(err, -EINVAL,
			"--cpu is for the kernel's memory: a process's is watched on every CPU, "
			"with the "
			"threads");
	if (!run->scope) {
		r = cul_scope_process(run->pid, run->options->debug_paths, &run->scope, err);
		if (r)
			return r;
	}
	return resolve_all(run, -1, err);
}

/* The name is not there, or not there yet. */
static bool is_missing(int code)
{
	return code == -ENOENT || code == -ENXIO || code == -ENODATA;
}

/* The command, held at its first instruction, and then up to where its libraries are there. */
static int resolve_command(struct cul_watch_run *run, struct cul_error *err)
{
	struct cul_error first = {0};
	bool at_entry = false;
	int r;

	run->pid = run->child.pid;
	r = resolve_process(run, err);
	if (!is_missing(r))
		return r;
	while (!at_entry) {
		r = cul_child_step(&run->child, &at_entry, err);
		if (r)
			return r;
		r = resolve_process(run, &first);
		if (!is_missing(r)) {
			*err = first;
			return r;
		}
	}
	*err = first;
	return r;
}

/* Not the command's: perhaps the kernel's, watched while the command runs. */
static int fall_back_to_kernel(struct cul_watch_run *run, struct cul_error *err)
{
	struct cul_error kernel = {0};

	forget_targets(run);
	cul_scope_free(run->scope);
	run->scope = NULL;
	run->pid = 0;
	if (!resolve_kernel(run, &kernel))
		return 0;
	return cul_fail(err, -ENOENT, "neither in %s (%.200s) nor in the kernel (%.200s)",
		run->options->command[0], err->text, kernel.text);
}

int cul_watch_resolve(struct cul_watch_run *run, struct cul_error *err)
{
	const struct cul_watch_options *o = run->options;
	int r;

	if (o->n_targets > CUL_WATCH_SLOTS)
		return cul_fail(err, -E2BIG, "%zu targets: a CPU has %u debug registers",
			o->n_targets, run->arch->watch_slots);
	if (o->command) {
		r = cul_child_start(o->command, &run->child, err);
		if (r)
			return r;
	}
	if (o->pid) {
		run->pid = o->pid;
		r = resolve_process(run, err);
	} else if (o->command && !o->kernel) {
		r = resolve_command(run, err);
		if (is_missing(r))
			r = fall_back_to_kernel(run, err);
	} else {
		r = resolve_kernel(run, err);
	}
	if (r || !run->pid)
		return r;
	run->pid_fd =
		(int)syscall(SYS_pidfd_open, run->pid, 0); /* -1 before 5.3: asked by kill(0) */
	return 0;
}
