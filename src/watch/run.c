/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watch/run.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "report/stream.h"
#include "sys/process.h"
#include "watch.skel.h"

enum {
	READ_MS = 20,     /* how often the rings are read, unless they fill up before */
	LOOK_MS = 100,    /* how often memory is compared with what the hits left */
	SHARE_OF_CPU = 5, /* the default budget: a fifth of a CPU */
	/* For so long a host may let a virtual CPU wait: some turns of others on its processor. */
	HELD_NS = 20 * 1000 * 1000,
};

uint64_t cul_watch_since(const struct cul_watch_run *run, uint64_t ns)
{
	return ns > run->start_ns ? ns - run->start_ns : 0;
}

static void busy(struct cul_watch_run *run, const char *what)
{
	if (run->options->progress)
		run->options->progress(run->options->progress_data, what, 0, 0);
}

void cul_watch_naming(struct cul_watch_run *run, bool begins)
{
	if (run->done)
		busy(run, begins ? "reading names and lines of code" : NULL);
}

static void wants_stacks(const struct cul_watch_run *run, bool *kernel, bool *user)
{
	switch (run->options->stack) {
	case CUL_STACK_DEFAULT:
		/* Kernel frames of a process target: only where the kernel itself stored. */
		*kernel = true;
		*user = run->pid != 0;
		break;
	default:
		*kernel = run->options->stack == CUL_STACK_KERNEL ||
			  run->options->stack == CUL_STACK_BOTH;
		*user = run->options->stack == CUL_STACK_USER ||
			run->options->stack == CUL_STACK_BOTH;
	}
}

static int load(struct cul_watch_run *run, struct cul_error *err)
{
	struct cul_watch_program_config config = {
		.targets = run->targets,
		.n_targets = run->n_targets,
		.scope = run->scope,
		.access = run->options->access,
		.condition = run->options->condition,
		.expect = run->options->expect,
		.on_event = cul_watch_on_event,
		.data = run,
	};
	int r;

	wants_stacks(run, &config.kernel_stack, &config.user_stack);
	r = cul_cpus_possible(&config.possible, err);
	return r ? r : cul_watch_program_load(&config, &run->program, err);
}

static int arm_cpus(struct cul_watch_run *run, struct cul_error *err)
{
	int r;

	cul_for_each_cpu(cpu, &run->wanted)
	{
		r = cul_watch_arm_cpu(&run->arm, cpu, err);
		if (!r)
			continue;
		if (!run->options->partial)
			return r;
		cul_watch_unarmed_add(run, cpu, cul_clock_now(), err);
	}
	return run->arm.events.len ? 0 : err->code;
}

static int arm(struct cul_watch_run *run, struct cul_error *err)
{
	run->arm.arch = run->arch;
	run->arm.program = &run->program;
	run->arm.targets = run->targets;
	run->arm.n_targets = run->n_targets;
	run->arm.access = run->options->access;
	run->arm.pid = run->pid;
	return run->pid ? cul_watch_arm_process(&run->arm, err) : arm_cpus(run, err);
}

/* The budget, from what a hit was seen to cost here. */
static void set_budget(struct cul_watch_run *run)
{
	uint64_t cost = run->arm.hit_cost_ns ? run->arm.hit_cost_ns : 1000;

	run->max_rate = run->options->max_rate;
	if (run->max_rate == CUL_RATE_AUTO)
		run->max_rate = (int64_t)(1000000000u / SHARE_OF_CPU / cost) + 1;
	run->program.skel->bss->budget_hits = (uint64_t)run->max_rate;
	/* Two traps overlap when they are closer than what one takes; with room for doubt. */
	run->program.skel->bss->trap_ns = run->program.skel->bss->race_ns = 4 * cost;
	if (run->arch->in_virtual_machine() && 4 * cost < HELD_NS)
		run->program.skel->bss->race_ns = HELD_NS;
}

static const char *process_name(pid_t pid, char name[64])
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	name[0] = '\0';
	f = fopen(path, "re");
	if (f) {
		if (!fgets(name, 64, f))
			name[0] = '\0';
		fclose(f);
	}
	name[strcspn(name, "\n")] = '\0';
	return name[0] ? name : NULL;
}

/*
 * Whether a process that has ended was killed by SIGTRAP: its exit code, the last field of its stat
 * (proc(5)), as long as its parent has not asked for it.
 */
static bool died_of_trap(pid_t pid)
{
	cul_autofclose FILE *f = NULL;
	char path[64], line[1024], *last;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (!f || !fgets(line, sizeof(line), f))
		return false;
	line[strcspn(line, "\n")] = '\0';
	last = strrchr(line, ' ');
	return last && WTERMSIG(atoi(last + 1)) == SIGTRAP;
}

static void note(struct cul_watch_run *run, const struct cul_watch_target *t, bool readable,
	struct cul_str *out)
{
	if (run->options->access == CUL_ACCESS_EXECUTE)
		return;
	if (t->percpu && t->copy < 0)
		cul_str_add(out,
			"each CPU watches its own copy: a write to another CPU's copy is not "
			"seen (--cpu N watches copy N from every CPU)");
	else if (run->pid && run->options->access == CUL_ACCESS_READ_WRITE)
		cul_str_add(out,
			"what the kernel reads and writes for the process is not seen: we would "
			"see ourselves (--write sees its writes)");
	else if (!readable)
		cul_str_add(out, "nothing can be read there now: no value is known before a store");
	else if (!run->pid && cul_cpus_count(&run->arm.armed) < cul_cpus_count(&run->wanted))
		cul_str_add(out, "writes by the other CPUs are not seen");
}

static int say_armed(struct cul_watch_run *run)
{
	struct cul_cpus online = {0};
	int r = 0;

	cul_cpus_online(&online, NULL);
	for (unsigned i = 0; !r && i < run->n_targets; i++) {
		const struct cul_watch_target *t = &run->targets[i];
		cul_autostr struct cul_str type = {0}, value = {0}, notes = {0};
		struct cul_watch_armed armed = {
			.target = t->text,
			.addr = t->addr,
			.size = t->size,
			.bit_offset = t->bit_offset,
			.bit_size = t->bit_size,
			.access = run->options->access,
			.is_percpu = t->percpu && t->copy < 0,
			.percpu_copy = t->copy,
			.pid = run->pid,
			.n_cpus = run->pid ? 0 : cul_cpus_count(&run->arm.armed),
			.n_cpus_online = cul_cpus_count(&online),
			.n_threads = run->arm.n_threads,
			.slots = t->n_pieces,
			.slots_per_cpu = run->arch->watch_slots,
			.proved_cpus = cul_cpus_count(&run->arm.armed),
			.hit_cost_ns = run->arm.hit_cost_ns,
		};
		struct cul_watch_state state;
		struct cul_where code;
		char name[64];
		int cpu = t->percpu && t->copy < 0 ? cul_cpus_next(&run->arm.armed, -1) : -1;

		armed.process = run->pid ? process_name(run->pid, name) : NULL;
		if (t->declared) {
			cul_type_print(&type, t->declared);
			armed.type = cul_str_text(&type);
		}
		if (run->pid)
			r = cul_watch_program_get_process_state(&run->program, run->pid, i, &state);
		else
			state = *cul_watch_program_state(&run->program, i, cpu);
		if (!r && state.known)
			cul_watch_print(run, i, state.value, 0, &value, &armed.value);
		if (armed.access == CUL_ACCESS_EXECUTE) {
			cul_scope_where(run->scope, t->addr, run->pid != 0, &code);
			armed.code = &code;
		}
		note(run, t, !r && state.known, &notes);
		armed.note = notes.len ? cul_str_text(&notes) : NULL;
		r = run->sink->ops->watch_armed(run->sink, &armed);
	}
	return r;
}

static int start(struct cul_watch_run *run, struct cul_error *err)
{
	int r;

	busy(run, "looking for it in symbols and debug information");
	r = cul_watch_resolve(run, err);
	/* Not before: the command keeps the limit it was given. */
	cul_sys_raise_file_limit();
	if (!r)
		r = load(run, err);
	if (!r)
		r = arm(run, err);
	busy(run, NULL);
	if (r)
		return r;
	set_budget(run);
	r = cul_watch_first_values(run, err);
	if (r)
		return r;
	run->looked_ns = run->start_ns;
	/* For the writers' names: the code of a module that goes away has none any more. */
	if (!run->pid)
		cul_kernel_read_ahead(cul_scope_kernel_names(run->scope, NULL));
	r = say_armed(run);
	if (r)
		return cul_stream_failed(r, err);
	return run->child.state == CUL_CHILD_STOPPED ? cul_child_run(&run->child, err) : 0;
}

static void end(struct cul_watch_run *run, enum cul_end why)
{
	if (run->done)
		return;
	run->done = true;
	run->end = why;
}

static void disarm_if_tripped(struct cul_watch_run *run)
{
	if (run->disarmed || !__atomic_load_n(&run->program.skel->bss->tripped, __ATOMIC_ACQUIRE))
		return;
	cul_watch_arm_disable(&run->arm);
	run->disarmed = true;
	run->end_ns = cul_clock_now();
	/* A command goes on to its end, unwatched. */
	if (run->child.state != CUL_CHILD_RUNNING)
		end(run, CUL_END_RATE);
}

/*
 * The registers of a process are given up when it becomes another program. A command is seen doing
 * it; another process has no memory any more and is still there, also at the next look.
 */
static void look_for_exec(struct cul_watch_run *run, uint64_t now)
{
	if (run->execed || !(run->child.execed || (!run->done && run->rounds_gone > 1)))
		return;
	run->execed = true;
	cul_gaps_add(&run->gaps,
		"process %d became another program about %.3f s in: what it wrote from then on was "
		"not watched",
		run->pid, (double)(now - run->start_ns) / 1e9);
	if (run->child.state == CUL_CHILD_NONE)
		end(run, CUL_END_PROCESS);
}

/* What ends a run from outside: the user, the command, the process, the clock. */
static void look_for_end(struct cul_watch_run *run, const struct pollfd *fds, uint64_t now)
{
	const struct cul_watch_options *o = run->options;

	if (fds[1].revents)
		end(run, CUL_END_SIGNAL);
	if (run->child.state != CUL_CHILD_NONE) {
		cul_child_handle(&run->child);
		if (run->child.state == CUL_CHILD_EXITING || run->child.state == CUL_CHILD_EXITED)
			end(run, CUL_END_COMMAND);
	} else if (run->pid && (run->pid_fd >= 0 ? fds[3].revents != 0 : kill(run->pid, 0) < 0)) {
		run->trapped = died_of_trap(run->pid);
		end(run, CUL_END_PROCESS);
	}
	if (run->pid && !run->disarmed)
		look_for_exec(run, now);
	if (o->for_ns && now - run->start_ns >= o->for_ns)
		end(run, CUL_END_TIME);
}

static int loop(struct cul_watch_run *run)
{
	struct pollfd fds[] = {
		{.fd = cul_rings_fd(run->program.rings), .events = POLLIN},
		{.fd = run->options->stop_fd, .events = POLLIN},
		{.fd = run->child.signal_fd, .events = POLLIN},
		{.fd = run->pid_fd, .events = POLLIN},
	};
	uint64_t look = run->start_ns, cpus = run->start_ns, now;
	int r = 0;

	while (!run->done && !r) {
		poll(fds, sizeof(fds) / sizeof(fds[0]), READ_MS);
		now = cul_clock_now();
		disarm_if_tripped(run);
		r = cul_rings_read(run->program.rings, false);
		if (!r && now - look >= LOOK_MS * 1000000u) {
			look = now;
			r = cul_watch_look_behind(run);
		}
		if (!r && now - cpus >= CUL_WATCH_CPUS_MS * 1000000u) {
			cpus = now;
			cul_watch_follow_cpus(run);
		}
		look_for_end(run, fds, now);
	}
	return r;
}

/*
 * Gives the registers back, then tells what is left to tell. A command that is held at its exit
 * goes last: until then its code can be read and named.
 */
static int finish(struct cul_watch_run *run, struct cul_error *err)
{
	int r = 0;

	if (!run->disarmed) {
		r = cul_watch_look_behind(run);
		cul_watch_arm_disable(&run->arm);
		run->end_ns = cul_clock_now();
	}
	if (!r)
		r = cul_rings_read(run->program.rings, true);
	cul_watch_unarmed_end(run);
	if (!r)
		r = cul_watch_summary(run, err);
	cul_child_release(&run->child);
	return r;
}

static void free_run(struct cul_watch_run *run)
{
	cul_watch_arm_free(&run->arm);
	cul_child_free(&run->child);
	cul_watch_program_free(&run->program);
	cul_watch_sites_free(run);
	cul_watch_unarmed_free(run);
	cul_seen_free(&run->seen);
	while (run->n_targets)
		cul_watch_target_free(&run->targets[--run->n_targets]);
	cul_gaps_free(&run->gaps);
	cul_scope_free(run->scope);
	if (run->pid_fd >= 0)
		close(run->pid_fd);
}

int cul_watch_run(const struct cul_watch_options *options, struct cul_sink *sink,
	struct cul_watch_outcome *outcome, struct cul_error *err)
{
	__attribute__((cleanup(free_run))) struct cul_watch_run run = {
		.options = options,
		.sink = sink,
		.arch = cul_arch_host(),
		.pid_fd = -1,
		.child = {.signal_fd = -1, .entry_fd = -1},
	};
	struct cul_error own;
	int r;

	if (!err)
		err = &own;
	if (!run.arch)
		return cul_fail(
			err, -ENOTSUP, "culprit knows no debug registers of this processor yet");
	r = start(&run, err);
	if (r && r != -EPIPE)
		return r;
	err->code = 0;
	if (!r)
		r = loop(&run);
	if (!r)
		r = finish(&run, err);
	if (r && r != -EPIPE)
		return err->code ? r : cul_stream_failed(r, err);
	outcome->end = run.end;
	outcome->violated = run.violated;
	return 0;
}
