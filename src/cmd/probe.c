/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/probe.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cmd/command.h"
#include "cmd/progress.h"
#include "cmd/values.h"

enum option_id {
	OPT_PID = 1,
	OPT_KERNEL,
	OPT_CPU,
	OPT_IF,
	OPT_ARGS,
	OPT_DEPTH,
	OPT_RET,
	OPT_DIFF,
	OPT_ERRORS,
	OPT_SLOW,
	OPT_COUNT,
	OPT_BY,
	OPT_HIST,
	OPT_LINEAR,
	OPT_RATE,
	OPT_STACK,
	OPT_AFTER,
	OPT_MAXACTIVE,
	OPT_INJECT,
	OPT_FOR,
	OPT_DEBUG,
	OPT_JSON,
	OPT_OUTPUT,
};

enum { DEPTH_DEFAULT = 1, DEPTH_MOST = 8, MAXACTIVE_MOST = 65536 };

static const struct cul_option probe_options[] = {
	{OPT_PID, "pid", 'p', "PID",
		"functions of this process and its libraries, and of children that it forks"},
	{OPT_KERNEL, "kernel", 0, NULL,
		"with -p or -- CMD: functions of the kernel, called by that process"},
	{OPT_CPU, "cpu", 0, "LIST", "calls on these CPUs only, such as 0-3,8"},
	{OPT_IF, "if", 0, "EXPR",
		"only calls for which EXPR holds; it may use the arguments, ret, dur (ns), pid, "
		"tid, comm, cpu, caller"},
	{OPT_ARGS, "args", 0, "EXPR,...", "show these instead of all arguments"},
	{OPT_DEPTH, "depth", 0, "N", "follow pointers to structs N times (default 1; 0: never)"},
	{OPT_RET, "ret", 0, NULL, "the returned value, and the time inside"},
	{OPT_DIFF, "diff", 0, NULL, "what changed behind the pointers; implies --ret"},
	{OPT_ERRORS, "errors", 0, NULL,
		"only calls that return an error, with its name and the stack; implies --ret"},
	{OPT_SLOW, "slow", 0, "DURATION", "only calls that take longer; implies --ret"},
	{OPT_COUNT, "count", 0, "N",
		"without N: count calls by their stack, or by --by; with N: end after N calls "
		"were shown",
		.optional = true},
	{OPT_BY, "by", 0, "EXPR,...", "with --count or --hist: one group for each value"},
	{OPT_HIST, "hist", 0, "EXPR", "how EXPR is spread, as bars; dur is the time inside"},
	{OPT_LINEAR, "linear", 0, "MIN,MAX,STEP",
		"with --hist: bars of equal width; powers of two otherwise"},
	{OPT_RATE, "rate", 0, NULL, "calls a second, live"},
	{OPT_STACK, "stack", 0, "WHICH",
		"none, kernel, user or both (default: none; with --errors, and with --count "
		"without --by, the function's own side)"},
	{OPT_AFTER, "after", 0, NULL, "of FUNC+OFF: the registers once that instruction has run"},
	{OPT_MAXACTIVE, "maxactive", 0, "N", "remember N calls at once until they return"},
	{OPT_INJECT, "inject", 0, "RET[,EVERY N]",
		"return RET instead of calling the function, where the kernel allows it: this "
		"changes what the system does"},
	{OPT_FOR, "for", 0, "DURATION", "end after 10s, 250ms, 5m, ..."},
	{OPT_DEBUG, "debug", 0, "PATH",
		"look for debug information here too: a file or a directory; may be repeated"},
	{OPT_JSON, "json", 0, NULL, "one JSON object a line"},
	{OPT_OUTPUT, "output", 'o', "FILE", "record to FILE as well, as JSON lines"},
	CUL_OPTIONS_TAIL,
};

/* The options of the case with the memory their lists stand in. */
struct request {
	struct cul_probe_options probe;
	const char **specs, **debug; /* each with room for all arguments */
	size_t n_debug;
	unsigned stack;
	bool stack_given, by_count, by_hist, by_rate; /* views that were asked for */
	bool json, help;
	const char *output;
};

static void request_free(struct request *r)
{
	free(r->specs);
	free(r->debug);
}

static int set_depth(struct request *r, const char *value)
{
	uint64_t n;

	if (cul_parse_u64(value, &n) < 0 || n > DEPTH_MOST)
		return cul_value_bad(&cul_cmd_probe, "depth", value, "it is a number from 0 to 8");
	r->probe.depth = (unsigned)n;
	return 0;
}

/* Alone it is a view; with a number it is an end. */
static int set_count(struct request *r, const char *value)
{
	if (value)
		return cul_value_number(
			&cul_cmd_probe, "count", value, "calls", UINT64_MAX, &r->probe.count);
	r->by_count = true;
	return 0;
}

static int set_maxactive(struct request *r, const char *value)
{
	uint64_t n;
	int status =
		cul_value_number(&cul_cmd_probe, "maxactive", value, "calls", MAXACTIVE_MOST, &n);

	if (!status)
		r->probe.maxactive = (unsigned)n;
	return status;
}

static int set_expression(const char *option, const char *value, const char **to)
{
	if (!value[strspn(value, " \t")])
		return cul_value_bad(&cul_cmd_probe, option, value, "an expression is missing");
	*to = value;
	return 0;
}

static int set_linear(struct request *r, const char *value)
{
	struct cul_value_steps s;
	int status = cul_value_steps(&cul_cmd_probe, "linear", value, CUL_PROBE_SCALE_MOST, &s);

	if (!status)
		r->probe.scale = (struct cul_probe_scale){s.min, s.max, s.step};
	return status;
}

static int set_flag(struct request *r, int id)
{
	bool *const flags[] = {
		[OPT_KERNEL] = &r->probe.kernel,
		[OPT_RET] = &r->probe.returns,
		[OPT_DIFF] = &r->probe.diff,
		[OPT_ERRORS] = &r->probe.errors,
		[OPT_RATE] = &r->by_rate,
		[OPT_AFTER] = &r->probe.after,
		[OPT_JSON] = &r->json,
	};

	*(id == CUL_OPTION_HELP ? &r->help : flags[id]) = true;
	return 0;
}

static int set(void *request, int id, const char *value)
{
	struct request *r = request;

	struct cul_probe_options *p = &r->probe;

	switch (id) {
	case CUL_OPTIONS_OPERAND:
		r->specs[p->n_specs++] = value;
		return 0;
	case OPT_PID:
		return cul_value_pid(&cul_cmd_probe, value, &p->pid);
	case OPT_CPU:
		p->cpus = value;
		return 0;
	case OPT_IF:
		return set_expression("if", value, &p->condition);
	case OPT_ARGS:
		return set_expression("args", value, &p->args);
	case OPT_DEPTH:
		return set_depth(r, value);
	case OPT_SLOW:
		return cul_value_duration(&cul_cmd_probe, "slow", value, &p->slow_ns);
	case OPT_COUNT:
		return set_count(r, value);
	case OPT_BY:
		return set_expression("by", value, &p->by);
	case OPT_HIST:
		r->by_hist = true;
		return set_expression("hist", value, &p->hist);
	case OPT_LINEAR:
		return set_linear(r, value);
	case OPT_STACK:
		r->stack_given = true;
		return cul_value_stack(&cul_cmd_probe, value, &r->stack);
	case OPT_MAXACTIVE:
		return set_maxactive(r, value);
	case OPT_INJECT:
		return set_expression("inject", value, &p->inject);
	case OPT_FOR:
		return cul_value_duration(&cul_cmd_probe, "for", value, &p->for_ns);
	case OPT_DEBUG:
		r->debug[r->n_debug++] = value;
		return cul_value_path(&cul_cmd_probe, "debug", value);
	case OPT_OUTPUT:
		r->output = value;
		return 0;
	default:
		return set_flag(r, id);
	}
}

/* Whose functions. */
static int check_target(const struct request *r)
{
	const struct cul_probe_options *p = &r->probe;

	if (p->n_specs == 0)
		return cul_cmd_usage(&cul_cmd_probe,
			"no function; name one or more, such as do_sys_openat2, 'tcp_*', "
			"module:func, func+0x1c or sched:sched_switch");
	if (p->command && !p->command[0])
		return cul_cmd_usage(&cul_cmd_probe, "no command after --");
	if (p->pid && p->command)
		return cul_cmd_usage(&cul_cmd_probe, "--pid and a command exclude each other");
	if (p->kernel && !p->pid && !p->command)
		return cul_cmd_usage(&cul_cmd_probe,
			"--kernel goes with -p PID or -- CMD; without them the functions are the "
			"kernel's anyhow");
	if (p->inject && (p->pid || p->command) && !p->kernel)
		return cul_cmd_usage(&cul_cmd_probe,
			"--inject changes what functions of the kernel return; with -p or -- CMD "
			"write --kernel too");
	return 0;
}

/* What each view can show. */
static int check_view(const struct request *r)
{
	const struct cul_probe_options *p = &r->probe;
	const char *view = r->by_count ? "--count" : r->by_hist ? "--hist" : "--rate";

	if (r->by_count + r->by_hist + r->by_rate > 1)
		return cul_cmd_usage(
			&cul_cmd_probe, "--count, --hist and --rate exclude each other");
	if (p->by && !r->by_count && !r->by_hist)
		return cul_cmd_usage(&cul_cmd_probe, "--by goes with --count or --hist: write "
						     "--count --by EXPR");
	if (p->scale.step && !r->by_hist)
		return cul_cmd_usage(&cul_cmd_probe,
			"--linear goes with --hist: write --hist EXPR --linear "
			"MIN,MAX,STEP");
	if (!r->by_count && !r->by_hist && !r->by_rate)
		return 0;
	if (p->count)
		return cul_cmd_usage(&cul_cmd_probe,
			"--count N ends after N calls were shown, and %s shows none; end it by "
			"--for DURATION",
			view);
	if (p->args)
		return cul_cmd_usage(&cul_cmd_probe,
			"--args goes with a line a call, not with "
			"%s; --count --by EXPR groups by expressions",
			view);
	if (p->diff)
		return cul_cmd_usage(
			&cul_cmd_probe, "--diff goes with a line a call, not with %s", view);
	if (r->stack_given && !r->by_count)
		return cul_cmd_usage(&cul_cmd_probe,
			"--stack goes with a line a call or with --count, not with %s", view);
	return 0;
}

/* What no single option can see. Comes before what is implied. */
static int check(const struct request *r)
{
	const struct cul_probe_options *p = &r->probe;
	int status = check_target(r) ?: check_view(r);

	if (status)
		return status;
	if (p->after && (p->returns || p->diff || p->errors || p->slow_ns))
		return cul_cmd_usage(&cul_cmd_probe,
			"--after shows one instruction; --ret, --diff, --errors and --slow need "
			"the whole function");
	if (p->after && (r->by_count || r->by_hist || r->by_rate))
		return cul_cmd_usage(&cul_cmd_probe,
			"--after shows registers call by call, not with --count, --hist or --rate");
	if (p->inject && (p->returns || p->diff || p->errors || p->slow_ns || p->after))
		return cul_cmd_usage(&cul_cmd_probe,
			"--inject keeps functions from being called; --ret, --diff, --errors, "
			"--slow and --after are about those that are");
	if (p->maxactive && !p->returns && !p->diff && !p->errors && !p->slow_ns && !p->hist &&
		!p->condition && !p->by && !p->args)
		return cul_cmd_usage(&cul_cmd_probe,
			"--maxactive is about calls until they return; write --ret too");
	return 0;
}

/* What follows from the options that were given. */
static void complete(struct request *r)
{
	struct cul_probe_options *p = &r->probe;
	bool user = (p->pid || p->command) && !p->kernel;

	if (r->by_count)
		p->view = CUL_VIEW_COUNT;
	else if (r->by_hist)
		p->view = CUL_VIEW_HIST;
	else if (r->by_rate)
		p->view = CUL_VIEW_RATE;
	p->returns |= p->diff || p->errors || p->slow_ns;
	if (!r->stack_given &&
		((p->view == CUL_VIEW_COUNT && !p->by) || (p->view == CUL_VIEW_CALLS && p->errors)))
		r->stack = user ? CUL_VALUE_STACK_USER : CUL_VALUE_STACK_KERNEL;
	p->want_kernel_stack = r->stack & CUL_VALUE_STACK_KERNEL;
	p->want_user_stack = r->stack & CUL_VALUE_STACK_USER;
}

/* 0 or an exit status that is not. */
static int parse(struct request *r, char **argv)
{
	int status;

	r->probe.depth = DEPTH_DEFAULT;
	r->specs = cul_cmd_list(&cul_cmd_probe, argv);
	r->debug = r->specs ? cul_cmd_list(&cul_cmd_probe, argv) : NULL;
	if (!r->debug)
		return CUL_EXIT_FAILED;
	r->probe.specs = r->specs;
	r->probe.debug_paths = r->debug;
	status = cul_cmd_parse(&cul_cmd_probe, argv, set, r, &r->probe.command);
	if (status || r->help)
		return status;
	status = check(r);
	if (!status)
		complete(r);
	return status;
}

static int probe(struct request *r)
{
	struct cul_progress *progress;
	struct cul_probe_outcome outcome = {0};
	struct cul_output output;
	struct cul_error err = {0};
	int result;

	result = cul_cmd_begin(&cul_cmd_probe, &r->probe.stop_fd,
		r->json ? CUL_OUTPUT_JSON : CUL_OUTPUT_TEXT, r->output, &output);
	if (result)
		return result;
	progress = cul_progress_start();
	if (progress) {
		r->probe.progress = cul_progress_tell;
		r->probe.progress_data = progress;
	}
	result = cul_probe_run(&r->probe, output.sink, &outcome, &err);
	cul_progress_end(progress);
	cul_output_close(&output, &err);
	return result < 0 ? cul_cmd_fail(&cul_cmd_probe, &err) : CUL_EXIT_OK;
}

static int run(const struct cul_command *const *all, char **argv)
{
	cul_cleanup(request_free) struct request r = {0};
	int status = parse(&r, argv);

	if (status)
		return status;
	return r.help ? cul_cmd_show_help(&cul_cmd_probe, stdout) : probe(&r);
}

static const struct cul_example probe_examples[] = {
	{"probe do_sys_openat2 --ret",
		"each call: its arguments, what came back, how long it took"},
	{"probe 'tcp_*' --errors", "every call that fails: the error, the stack, the arguments"},
	{"probe vfs_write --count --by 'comm, ret'",
		"how often, for each of these values; without --by: by stack", .more = true},
	{"probe vfs_fsync_range --hist dur", "how long it takes, as bars", .more = true},
	{"probe vfs_read --if 'count > 1 << 20 && ret < 0' --args 'file, count'",
		"only these calls, and only these arguments", .more = true},
	{"probe 'SSL_*' --slow 1ms -p 812",
		"functions of a process and its libraries that take longer than that",
		.more = true},
	{0},
};

const struct cul_command cul_cmd_probe = {
	.name = "probe",
	.summary = "who calls this, with which arguments, what comes back",
	.synopsis = "[OPTIONS] FUNC... [-- CMD [ARG...]]",
	.about = "Shows each call of a function: when, by whom, with which arguments, printed by "
		 "their types; with --ret what came back and how long it took. At the end exact "
		 "counts, and what was lost, if anything was.\n\n"
		 "FUNC is a function of the kernel, module:func, a glob such as 'tcp_*', func+off, "
		 "an address, or a tracepoint such as sched:sched_switch; with -p PID or -- CMD a "
		 "function of that process or of its libraries.",
	.options = probe_options,
	.examples = probe_examples,
	.run = run,
};
