/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/command.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cmd/progress.h"
#include "cmd/values.h"
#include "watch/watch.h"

enum option_id {
	OPT_WRITE = 1,
	OPT_RW,
	OPT_EXEC,
	OPT_READ,
	OPT_PID,
	OPT_KERNEL,
	OPT_CPU,
	OPT_IF,
	OPT_EXPECT,
	OPT_KEEP_GOING,
	OPT_FOR,
	OPT_COUNT,
	OPT_STACK,
	OPT_MAX_RATE,
	OPT_PARTIAL,
	OPT_DEBUG,
	OPT_JSON,
	OPT_OUTPUT,
};

static const struct cul_option watch_options[] = {
	{OPT_WRITE, "write", 0, NULL, "stores into the target (the default)"},
	{OPT_RW, "rw", 0, NULL, "loads too"},
	{OPT_EXEC, "exec", 0, NULL, "the target is code: who executes it"},
	{OPT_READ, "read", 0, NULL, NULL},
	{OPT_READ, "ro", 0, NULL, NULL},
	{OPT_PID, "pid", 'p', "PID",
		"memory of this process: all its threads, and children to come"},
	{OPT_KERNEL, "kernel", 0, NULL, "with -- CMD: the kernel's memory while CMD runs"},
	{OPT_CPU, "cpu", 0, "LIST",
		"these CPUs only, such as 0-3,8; of a per-CPU variable: the copy "
		"of CPU N, watched by every CPU"},
	{OPT_IF, "if", 0, "EXPR",
		"only hits for which EXPR holds; it may use old, new, cpu, pid, "
		"tid, comm"},
	{OPT_EXPECT, "expect", 0, "EXPR",
		"EXPR must hold: show the first hit that breaks it and end "
		"with status 3"},
	{OPT_KEEP_GOING, "keep-going", 0, NULL, "with --expect: show every hit that breaks it"},
	{OPT_FOR, "for", 0, "DURATION", "end after 10s, 250ms, 5m, ..."},
	{OPT_COUNT, "count", 0, "N", "end after N hits were shown"},
	{OPT_STACK, "stack", 0, "WHICH", "none, kernel, user or both (default: the target's side)"},
	{OPT_MAX_RATE, "max-rate", 0, "N",
		"disarm at more than N hits a second on a CPU; none: "
		"never (default: what a fifth of a CPU can bear)"},
	{OPT_PARTIAL, "partial", 0, NULL, "go on when not every CPU can be armed"},
	{OPT_DEBUG, "debug", 0, "PATH",
		"look for debug information here too: a file or a "
		"directory; may be repeated"},
	{OPT_JSON, "json", 0, NULL, "one JSON object a line"},
	{OPT_OUTPUT, "output", 'o', "FILE", "record to FILE as well, as JSON lines"},
	CUL_OPTIONS_TAIL,
};

/* The options of the case with the memory their lists stand in. */
struct request {
	struct cul_watch_options watch;
	const char **targets, **debug; /* each with room for all arguments */
	size_t n_debug;
	bool json, help;
	const char *output;
};

static void request_free(struct request *r)
{
	free(r->targets);
	free(r->debug);
}

static int set_access(struct request *r, enum cul_access_kind access)
{
	if (r->watch.access != CUL_ACCESS_NONE && r->watch.access != access)
		return cul_cmd_usage(&cul_cmd_watch, "--write, --rw and --exec exclude each other");
	r->watch.access = access;
	return 0;
}

static int set_stack(struct request *r, const char *value)
{
	unsigned choice;
	int status = cul_value_stack(&cul_cmd_watch, value, &choice);

	if (!status)
		r->watch.stack = CUL_STACK_NONE + choice;
	return status;
}

static int set_max_rate(struct request *r, const char *value)
{
	uint64_t n;

	if (!strcmp(value, "none"))
		n = CUL_RATE_UNLIMITED;
	else if (cul_parse_u64(value, &n) < 0 || n == 0 || n > INT64_MAX)
		return cul_value_bad(&cul_cmd_watch, "max-rate", value,
			"not a number of hits a second, nor none");
	r->watch.max_rate = (int64_t)n;
	return 0;
}

static int set_flag(struct request *r, int id)
{
	switch (id) {
	case OPT_KERNEL:
		r->watch.kernel = true;
		return 0;
	case OPT_KEEP_GOING:
		r->watch.keep_going = true;
		return 0;
	case OPT_PARTIAL:
		r->watch.partial = true;
		return 0;
	case OPT_JSON:
		r->json = true;
		return 0;
	default:
		r->help = true;
		return 0;
	}
}

static int set(void *request, int id, const char *value)
{
	struct request *r = request;

	switch (id) {
	case CUL_OPTIONS_OPERAND:
		r->targets[r->watch.n_targets++] = value;
		return 0;
	case OPT_WRITE:
		return set_access(r, CUL_ACCESS_WRITE);
	case OPT_RW:
		return set_access(r, CUL_ACCESS_READ_WRITE);
	case OPT_EXEC:
		return set_access(r, CUL_ACCESS_EXECUTE);
	case OPT_READ:
		return cul_cmd_usage(&cul_cmd_watch, "the hardware cannot trap on loads alone; use "
						     "--rw, which shows loads and stores");
	case OPT_PID:
		return cul_value_pid(&cul_cmd_watch, value, &r->watch.pid);
	case OPT_CPU:
		r->watch.cpus = value;
		return 0;
	case OPT_IF:
		r->watch.condition = value;
		return 0;
	case OPT_EXPECT:
		r->watch.expect = value;
		return 0;
	case OPT_STACK:
		return set_stack(r, value);
	case OPT_FOR:
		return cul_value_duration(&cul_cmd_watch, "for", value, &r->watch.for_ns);
	case OPT_COUNT:
		return cul_value_number(
			&cul_cmd_watch, "count", value, "hits", UINT64_MAX, &r->watch.count);
	case OPT_MAX_RATE:
		return set_max_rate(r, value);
	case OPT_DEBUG:
		r->debug[r->n_debug++] = value;
		return cul_value_path(&cul_cmd_watch, "debug", value);
	case OPT_OUTPUT:
		r->output = value;
		return 0;
	default:
		return set_flag(r, id);
	}
}

/* What no single option can see. */
static int check(const struct request *r)
{
	if (r->watch.n_targets == 0)
		return cul_cmd_usage(&cul_cmd_watch,
			"no target; name a variable or an address, such as pid_max:4, "
			"module:var.field or 0xADDR:SIZE");
	if (r->watch.keep_going && !r->watch.expect)
		return cul_cmd_usage(&cul_cmd_watch, "--keep-going goes with --expect");
	if (r->watch.kernel && r->watch.pid)
		return cul_cmd_usage(&cul_cmd_watch, "--kernel and --pid exclude each other");
	if (r->watch.command && !r->watch.command[0])
		return cul_cmd_usage(&cul_cmd_watch, "no command after --");
	return 0;
}

/* 0 or an exit status that is not. */
static int parse(struct request *r, char **argv)
{
	int status;

	r->watch.max_rate = CUL_RATE_AUTO;
	r->targets = cul_cmd_list(&cul_cmd_watch, argv);
	r->debug = r->targets ? cul_cmd_list(&cul_cmd_watch, argv) : NULL;
	if (!r->debug)
		return CUL_EXIT_FAILED;
	r->watch.targets = r->targets;
	r->watch.debug_paths = r->debug;
	status = cul_cmd_parse(&cul_cmd_watch, argv, set, r, &r->watch.command);
	if (r->watch.access == CUL_ACCESS_NONE)
		r->watch.access = CUL_ACCESS_WRITE;
	return status || r->help ? status : check(r);
}

static int watch(struct request *r)
{
	struct cul_watch_outcome outcome = {0};
	struct cul_progress *progress;
	struct cul_output output;
	struct cul_error err = {0};
	int result;

	result = cul_cmd_begin(&cul_cmd_watch, &r->watch.stop_fd,
		r->json ? CUL_OUTPUT_JSON : CUL_OUTPUT_TEXT, r->output, &output);
	if (result)
		return result;
	progress = cul_progress_start();
	if (progress) {
		r->watch.progress = cul_progress_tell;
		r->watch.progress_data = progress;
	}
	result = cul_watch_run(&r->watch, output.sink, &outcome, &err);
	cul_progress_end(progress);
	cul_output_close(&output, &err);
	if (result < 0)
		return cul_cmd_fail(&cul_cmd_watch, &err);
	return outcome.violated ? CUL_EXIT_GUILTY : CUL_EXIT_OK;
}

static int run(const struct cul_command *const *all, char **argv)
{
	cul_cleanup(request_free) struct request r = {0};
	int status = parse(&r, argv);

	if (status)
		return status;
	return r.help ? cul_cmd_show_help(&cul_cmd_watch, stdout) : watch(&r);
}

static const struct cul_example watch_examples[] = {
	{"watch jiffies_64:8 --count 5",
		"who writes a kernel variable, with the stack of each write"},
	{"watch victim:account.refs --expect 'new >= 0'",
		"the first write that breaks a rule: a field of a module's variable"},
	{"watch -p 812 'config.mode' --for 10s", "a variable of a running process, all threads",
		.more = true},
	{"watch counter -- ./program", "a variable of a program, from its first instruction on",
		.more = true},
	{0},
};

const struct cul_command cul_cmd_watch = {
	.name = "watch",
	.summary = "who writes (or touches, or executes) this memory",
	.synopsis = "[OPTIONS] TARGET... [-- CMD [ARG...]]",
	.about = "Watches memory with the processor's debug registers and names the code, the "
		 "process "
		 "and the stack of each write, with the values before and after; at the end a "
		 "table of "
		 "writers, and what was lost, if anything was.\n\n"
		 "TARGET is sym, module:sym, a typed expression such as victim:stats.errors[2], "
		 "runqueues.nr_running or ((struct task_struct *)0xffff...)->on_cpu, sym+off:SIZE, "
		 "or "
		 "0xADDR:SIZE; where there is debug information (DWARF) also file.c:var. Up to "
		 "four debug registers of eight bytes each.",
	.options = watch_options,
	.examples = watch_examples,
	.run = run,
};
