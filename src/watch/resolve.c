/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From what the user typed to addresses: whose names they are (the kernel's, a
 * process's, the command's), and how far the command has to run before its
 * variables are there.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "sym/maps.h"
#include "sys/process.h"
#include "watch/run.h"

static int select_cpus(struct cul_watch_run *run, int *copy, struct cul_error *err)
{
	const char *list = run->options->cpus;
	int r = list ? cul_cpus_named(list, &run->wanted, err) : cul_cpus_online(&run->wanted, err);

	*copy = -1;
	if (!r && list && cul_cpus_count(&run->wanted) == 1)
		*copy = cul_cpus_next(&run->wanted, -1);
	return r;
}

static void forget_targets(struct cul_watch_run *run)
{
	while (run->n_targets)
		cul_watch_target_free(&run->targets[--run->n_targets]);
}

/* On that CPU. */
static bool meet(const struct cul_watch_target *a, const struct cul_watch_target *b, int cpu)
{
	uint64_t at = cul_watch_target_addr(a, cpu), bt = cul_watch_target_addr(b, cpu);

	for (unsigned p = 0; p < a->n_pieces; p++)
		for (unsigned q = 0; q < b->n_pieces; q++)
			if (at + a->pieces[p].offset == bt + b->pieces[q].offset)
				return true;
	return false;
}

static int refuse_shared(
	const struct cul_watch_target *a, const struct cul_watch_target *b, struct cul_error *err)
{
	if (a->bit_size && b->bit_size)
		return cul_fail(err, -EINVAL,
			"%s and %s share memory (bit fields of one word of %" PRIu64 " byte%s): "
			"their hits could not be told apart; watch one of them, or the whole word: "
			"%s:%" PRIu64,
			a->text, b->text, a->size, a->size == 1 ? "" : "s", a->text, a->size);
	return cul_fail(err, -EINVAL,
		"%s and %s share memory: their hits could not be told apart; watch one of them",
		a->text, b->text);
}

/* Two registers at one address: a hit does not tell which of them it was. */
static int overlap(
	const struct cul_watch_run *run, const struct cul_watch_target *t, struct cul_error *err)
{
	for (size_t i = 0; i < run->n_targets; i++) {
		const struct cul_watch_target *o = &run->targets[i];
		bool share = !o->copies && !t->copies && meet(o, t, 0);

		cul_for_each_cpu(cpu, &run->wanted)
		{
			share |= meet(o, t, cpu);
		}
		if (share)
			return refuse_shared(o, t, err);
	}
	return 0;
}

/* To a per-CPU variable `--cpu N` means a copy, to any other who watches. */
static int refuse_mixed(const struct cul_watch_run *run, struct cul_error *err)
{
	for (unsigned i = 1; i < run->n_targets; i++) {
		const struct cul_watch_target *a = &run->targets[0], *b = &run->targets[i];

		if (a->percpu != b->percpu)
			return cul_fail_usage(err, -EINVAL,
				"--cpu with one CPU says which copy of %s is watched, by every "
				"CPU, "
				"but which CPU watches %s; watch them in two runs",
				a->percpu ? a->text : b->text, a->percpu ? b->text : a->text);
	}
	return 0;
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
		r = overlap(run, &run->targets[i], err);
		run->n_targets++;
		if (r)
			return r;
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
	if (!r && copy >= 0)
		r = refuse_mixed(run, err);
	if (r)
		return r;
	/* `--cpu N` chooses a per-CPU variable's copy, which then every CPU watches. */
	if (copy >= 0 && run->targets[0].percpu) {
		r = cul_cpus_online(&online, err);
		if (r)
			return r;
		run->wanted = online;
	} else if (run->options->cpus) {
		run->named = run->wanted;
	}
	return 0;
}

/* A thread that has ended, as a kernel's, has no mappings. */
static bool has_memory(pid_t tid)
{
	cul_autofclose FILE *f = NULL;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/maps", tid);
	f = fopen(path, "re");
	return f && fgetc(f) != EOF;
}

/*
 * The thread by whose number the memory of a process is reached: the first one, or another where
 * that one has left the others alone. The process itself where none has memory.
 */
static pid_t thread_with_memory(pid_t pid)
{
	struct dirent *entry;
	pid_t found = 0;
	char path[64];
	DIR *dir;

	if (has_memory(pid))
		return pid;
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && !found && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' && has_memory(atoi(entry->d_name)))
			found = atoi(entry->d_name);
	if (dir)
		closedir(dir);
	return found ? found : pid;
}

static int resolve_process(struct cul_watch_run *run, struct cul_error *err)
{
	int r;

	if (run->options->cpus)
		return cul_fail_usage(err, -EINVAL,
			"--cpu is for the kernel's memory: a process's is watched on every CPU, "
			"with the "
			"threads");
	if (run->scope)
		r = cul_scope_refresh(run->scope, err);
	else
		r = cul_scope_process(
			thread_with_memory(run->pid), run->options->debug_paths, &run->scope, err);
	return r ? r : resolve_all(run, -1, err);
}

/* The name is not there, or not there yet. */
static bool is_missing(int code)
{
	return code == -ENOENT || code == -ENXIO || code == -ENODATA;
}

/* As C++ and Rust write names: none of the kernel's. */
static bool is_of_source(const struct cul_watch_options *o)
{
	for (size_t i = 0; i < o->n_targets; i++)
		if (strstr(o->targets[i], "::"))
			return true;
	return false;
}

/* A library by name: it may be loaded at any time, as a plug-in is. */
static bool names_a_library(const struct cul_watch_options *o)
{
	for (size_t i = 0; i < o->n_targets; i++) {
		const char *so = strstr(o->targets[i], ".so"), *colon = strchr(o->targets[i], ':');

		if (so && colon && so < colon)
			return true;
	}
	return false;
}

/*
 * A library is mapped piece by piece: its names are there before its data is. Only then is what
 * stands at the address the variable's value.
 */
static bool is_in_place(struct cul_watch_run *run)
{
	struct cul_maps maps = {0};
	bool all = true;

	if (run->options->access == CUL_ACCESS_EXECUTE || cul_maps_read(run->pid, &maps, NULL))
		return true;
	for (size_t i = 0; i < run->n_targets; i++) {
		const struct cul_map *map = cul_maps_at(&maps, run->targets[i].addr);

		all &= map && map->prot & CUL_MAP_WRITE;
	}
	cul_maps_free(&maps);
	return all;
}

/*
 * The command, held at its first instruction. What is not there yet comes with its libraries, which
 * are mapped when it gets to its entry point, or later if it loads the one that was named itself.
 */
static int step_to_target(struct cul_watch_run *run, struct cul_error *err)
{
	enum { PIECES = 32 }; /* system calls that mapping a file takes, and more */
	bool at_entry = false, plug_in = names_a_library(run->options), stepped = false;
	struct cul_error step = {0};
	int r, pieces = 0;

	run->pid = run->child.pid;
	r = resolve_process(run, err);
	while (is_missing(r) ? !at_entry || (plug_in && r == -ENXIO)
			     : !r && stepped && pieces++ < PIECES && !is_in_place(run)) {
		bool entry;

		stepped = true;

		if (cul_child_step(&run->child, &entry, &step))
			return at_entry ? r : cul_fail(err, step.code, "%s", step.text);
		at_entry |= entry;
		r = resolve_process(run, err);
	}
	return r;
}

static int resolve_command(struct cul_watch_run *run, struct cul_error *err)
{
	int r = step_to_target(run, err);

	cul_child_end_steps(&run->child);
	return r;
}

/* What each target begins with is a name of the command's: what is missing is behind it. */
static bool names_are_known(struct cul_watch_run *run)
{
	const struct cul_expr_env *env = run->scope ? cul_scope_env(run->scope) : NULL;
	struct cul_name found;

	for (size_t i = 0; env && i < run->options->n_targets; i++) {
		const char *text = run->options->targets[i];
		size_t n = 0;
		cul_autofree char *name = NULL;

		while (isalnum((unsigned char)text[n]) || (text[n] && strchr("_:", text[n])))
			n++;
		name = cul_strndup(text, n);
		if (!name || !n || env->name(env->data, name, &found, NULL))
			return false;
	}
	return env != NULL;
}

/* Not the command's: perhaps the kernel's, watched while the command runs. */
static int fall_back_to_kernel(struct cul_watch_run *run, struct cul_error *err)
{
	struct cul_error kernel = {0}, process;

	if (names_are_known(run))
		return err->code;
	forget_targets(run);
	cul_scope_free(run->scope);
	run->scope = NULL;
	run->pid = 0;
	if (!resolve_kernel(run, &kernel))
		return 0;
	/* A caret on the next line would stand under the wrong text. */
	process = *err;
	return cul_fail_both(err, &process, &kernel);
}

static void mark_shared(struct cul_watch_run *run)
{
	struct cul_maps maps = {0};

	if (cul_maps_read(cul_scope_pid(run->scope), &maps, NULL))
		return;
	for (size_t i = 0; i < run->n_targets; i++) {
		const struct cul_map *map = cul_maps_at(&maps, run->targets[i].addr);

		run->targets[i].shared = map && map->prot & CUL_MAP_SHARED;
	}
	cul_maps_free(&maps);
}

/* Hits tell the process: what is kept by a thread's number would be compared with nothing. */
static int refuse_thread(pid_t pid, struct cul_error *err)
{
	cul_autofclose FILE *f = NULL;
	char path[64], line[256];
	int process;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Tgid: %d", &process) == 1 && process != pid)
			return cul_fail(err, -EINVAL,
				"%d is a thread of process %d; -p %d watches the process, with all "
				"its threads",
				pid, process, process);
	return 0;
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
		r = refuse_thread(o->pid, err);
		if (!r)
			r = resolve_process(run, err);
		/* It may end at any moment, and its last hits are yet to be named then. */
		if (!r)
			cul_scope_keep(run->scope);
	} else if (o->command && !o->kernel) {
		r = resolve_command(run, err);
		if (is_missing(r) && !is_of_source(o))
			r = fall_back_to_kernel(run, err);
	} else {
		r = resolve_kernel(run, err);
	}
	if (r || !run->pid)
		return r;
	mark_shared(run);
	run->pid_fd = cul_sys_pidfd_open(run->pid); /* none before 5.3: asked by kill(0) */
	return 0;
}
