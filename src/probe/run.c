/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/run.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "report/stream.h"
#include "sys/process.h"

enum { READ_MS = 20 }; /* how often the rings are read, unless they fill up before */

uint64_t cul_probe_since(const struct cul_probe_run *run, uint64_t ns)
{
	return ns > run->start_ns ? ns - run->start_ns : 0;
}

void cul_probe_busy(struct cul_probe_run *run, const char *what)
{
	if (run->options->progress)
		run->options->progress(run->options->progress_data, what, 0, 0);
}

void cul_probe_naming(struct cul_probe_run *run, bool begins)
{
	if (run->done)
		cul_probe_busy(run, begins ? "reading names and lines of code" : NULL);
}

int cul_probe_step(struct cul_probe_run *run, const char *what, size_t done, struct cul_error *err)
{
	const struct cul_probe_options *o = run->options;
	struct pollfd stop = {.fd = o->stop_fd, .events = POLLIN};
	size_t n = run->sites.sites.len;

	if (poll(&stop, 1, 0) > 0)
		return cul_fail(err, -EINTR,
			"interrupted while %s, %zu of %zu places: nothing stays attached", what,
			done, n);
	if (o->progress)
		o->progress(o->progress_data, what, done, n);
	return 0;
}

/*
 * Addresses will have to be named. Not left until then: the code of a module that goes away has no
 * name any more.
 */
static void read_names(struct cul_probe_run *run)
{
	bool named = run->options->want_kernel_stack;
	struct cul_kernel *k;

	for (size_t i = 0; !named && i < run->sites.sites.len; i++)
		named = run->generated[i].uses_caller;
	k = named && !run->pid ? cul_scope_kernel_names(run->scope, NULL) : NULL;
	if (k)
		cul_kernel_read_ahead(k);
}

static int start(struct cul_probe_run *run, struct cul_error *err)
{
	int r;

	cul_probe_busy(run, "looking for it in symbols and debug information");
	r = cul_probe_select(run, err);
	/* Not before: the command keeps the limit it was given. */
	cul_sys_raise_file_limit();
	if (!r)
		r = cul_probe_prepare(run, err);
	if (!r)
		r = cul_probe_arm(run, err);
	if (r)
		return r;
	read_names(run);
	cul_probe_busy(run, NULL);
	r = cul_probe_say_attached(run);
	if (r)
		return cul_stream_failed(r, err);
	return run->child.state == CUL_CHILD_STOPPED ? cul_child_run(&run->child, err) : 0;
}

static void end(struct cul_probe_run *run, enum cul_end why)
{
	if (run->done)
		return;
	run->done = true;
	run->end = why;
}

static bool is_gone(const struct cul_probe_run *run, const struct pollfd *fd)
{
	pid_t pid = run->pid ? run->pid : run->only_pid;

	return pid && (run->pid_fd >= 0 ? fd->revents != 0 : kill(pid, 0) < 0);
}

static void look_for_end(struct cul_probe_run *run, const struct pollfd *fds, uint64_t now)
{
	const struct cul_probe_options *o = run->options;

	if (fds[1].revents)
		end(run, CUL_END_SIGNAL);
	if (run->child.state != CUL_CHILD_NONE) {
		cul_child_handle(&run->child);
		if (run->child.state == CUL_CHILD_EXITING || run->child.state == CUL_CHILD_EXITED)
			end(run, CUL_END_COMMAND);
	} else if (is_gone(run, &fds[3])) {
		end(run, CUL_END_PROCESS);
	}
	if (o->for_ns && now - run->start_ns >= o->for_ns)
		end(run, CUL_END_TIME);
}

static int loop(struct cul_probe_run *run)
{
	struct pollfd fds[] = {
		{.fd = run->program.rings ? cul_rings_fd(run->program.rings) : -1,
			.events = POLLIN},
		{.fd = run->options->stop_fd, .events = POLLIN},
		{.fd = run->child.signal_fd, .events = POLLIN},
		{.fd = run->pid_fd, .events = POLLIN},
	};
	int r = 0;

	while (!run->done && !r) {
		poll(fds, sizeof(fds) / sizeof(fds[0]), READ_MS);
		if (run->program.rings)
			r = cul_rings_read(run->program.rings, false);
		cul_probe_meet_callers(run);
		if (!r)
			r = cul_probe_say_rate(run, cul_clock_now());
		look_for_end(run, fds, cul_clock_now());
	}
	return r;
}

static int finish(struct cul_probe_run *run, struct cul_error *err)
{
	int r = cul_probe_disarm(run, err);

	if (!r && run->program.rings)
		r = cul_rings_read(run->program.rings, true);
	if (!r)
		r = cul_probe_summary(run, err);
	cul_child_release(&run->child);
	return r;
}

static void free_run(struct cul_probe_run *run)
{
	cul_probe_arm_free(run);
	cul_child_free(&run->child);
	cul_sites_free(&run->sites);
	cul_seen_free(&run->seen);
	free(run->rated);
	cul_gaps_free(&run->gaps);
	cul_scope_free(run->scope);
	cul_users_free(&run->users);
	if (run->pid_fd >= 0)
		close(run->pid_fd);
}

int cul_probe_run(const struct cul_probe_options *options, struct cul_sink *sink,
	struct cul_probe_outcome *outcome, struct cul_error *err)
{
	__attribute__((cleanup(free_run))) struct cul_probe_run run = {
		.options = options,
		.users = {.debug_paths = options->debug_paths},
		.sink = sink,
		.arch = cul_arch_host(),
		.pid_fd = -1,
		.fork_links = {CUL_ATTACHMENT_NONE, CUL_ATTACHMENT_NONE, CUL_ATTACHMENT_NONE},
		.child = {.signal_fd = -1, .entry_fd = -1},
		.after = options->after,
		.returns = options->returns || options->errors || options->slow_ns || options->diff,
	};
	struct cul_error own;
	int r;

	if (!err)
		err = &own;
	if (!run.arch)
		return cul_fail(err, -ENOTSUP, "culprit knows no probes of this processor yet");
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
	return 0;
}
