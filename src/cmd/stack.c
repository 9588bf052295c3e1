/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "stack/stack.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cmd/command.h"
#include "cmd/progress.h"
#include "cmd/values.h"
#include "unwind/unwind.h"

enum option_id {
	OPT_KERNEL = 1,
	OPT_ALL_TASKS,
	OPT_NO_FOLD,
	OPT_FRAMES,
	OPT_METHOD,
	OPT_EXE,
	OPT_SYSROOT,
	OPT_DEBUG,
	OPT_FOLDED,
	OPT_JSON,
	OPT_OUTPUT,
};

static const struct cul_option stack_options[] = {
	{OPT_KERNEL, "kernel", 0, NULL,
		"the kernel stack of a task, from the kernel's memory; nothing is stopped"},
	{OPT_ALL_TASKS, "all-tasks", 0, NULL, "the same of all tasks there are"},
	{OPT_NO_FOLD, "no-fold", 0, NULL, "each thread for itself, also where stacks are the same"},
	{OPT_FRAMES, "frames", 0, "N", "at most N frames of each thread"},
	{OPT_METHOD, "method", 0, "LIST",
		"find frames by these alone: cfi, exidx, signal, code, lr, fp, bad-pc, scan, orc, "
		"deduced"},
	{OPT_EXE, "exe", 0, "FILE", "of a core: the program, where it is not at its old place"},
	{OPT_SYSROOT, "sysroot", 0, "DIR", "of a core: the directory its files are under"},
	{OPT_DEBUG, "debug", 0, "PATH",
		"look for debug information here too: a file or a directory; may be repeated"},
	{OPT_FOLDED, "folded", 0, NULL, "folded stacks, a line each, for flame graphs"},
	{OPT_JSON, "json", 0, NULL, "one JSON object a line"},
	{OPT_OUTPUT, "output", 'o', "FILE", "record to FILE as well, as JSON lines"},
	CUL_OPTIONS_TAIL,
};

/* The options of the case with the memory their lists stand in. */
struct request {
	struct cul_stack_options stack;
	const char *target; /* PID or CORE */
	const char **debug; /* with room for all arguments */
	size_t n_debug;
	bool json, folded, help;
	const char *output;
};

static void request_free(struct request *r)
{
	free(r->debug);
}

static int set_methods(struct request *r, const char *value)
{
	static const char *const names[] = {[CUL_UNWIND_REGS] = "",
		[CUL_UNWIND_CFI] = "cfi",
		[CUL_UNWIND_EXIDX] = "exidx",
		[CUL_UNWIND_SIGNAL] = "signal",
		[CUL_UNWIND_CODE] = "code",
		[CUL_UNWIND_LR] = "lr",
		[CUL_UNWIND_FP] = "fp",
		[CUL_UNWIND_BAD_PC] = "bad-pc",
		[CUL_UNWIND_SCAN] = "scan",
		[CUL_UNWIND_ORC] = "orc",
		[CUL_UNWIND_DEDUCED] = "deduced"};
	const char *word = value;

	r->stack.methods = 0;
	for (;;) {
		size_t len = strcspn(word, ","), i = CUL_UNWIND_CFI;

		while (i < CUL_UNWIND_METHODS &&
			(strlen(names[i]) != len || strncmp(names[i], word, len) != 0))
			i++;
		if (i == CUL_UNWIND_METHODS)
			return cul_value_bad(&cul_cmd_stack, "method", value,
				"a list such as cfi,fp of cfi, exidx, signal, code, lr, fp, "
				"bad-pc, scan, orc, deduced");
		r->stack.methods |= 1u << i;
		if (!word[len])
			return 0;
		word += len + 1;
	}
}

static int set_target(struct request *r, const char *value)
{
	if (r->target)
		return cul_cmd_usage(&cul_cmd_stack,
			"one process or core at a time, not %s and %s too", r->target, value);
	r->target = value;
	return 0;
}

static int set_flag(struct request *r, int id)
{
	bool *const flags[] = {
		[OPT_KERNEL] = &r->stack.kernel_only,
		[OPT_ALL_TASKS] = &r->stack.all_tasks,
		[OPT_NO_FOLD] = &r->stack.no_fold,
		[OPT_FOLDED] = &r->folded,
		[OPT_JSON] = &r->json,
	};

	*(id == CUL_OPTION_HELP ? &r->help : flags[id]) = true;
	return 0;
}

static int set(void *request, int id, const char *value)
{
	struct request *r = request;

	switch (id) {
	case CUL_OPTIONS_OPERAND:
		return set_target(r, value);
	case OPT_FRAMES:
		return cul_value_number(&cul_cmd_stack, "frames", value, "frames",
			CUL_UNWIND_MAX_FRAMES, &r->stack.max_frames);
	case OPT_METHOD:
		return set_methods(r, value);
	case OPT_EXE:
		r->stack.exe = value;
		return 0;
	case OPT_SYSROOT:
		r->stack.sysroot = value;
		return 0;
	case OPT_DEBUG:
		r->debug[r->n_debug++] = value;
		return cul_value_path(&cul_cmd_stack, "debug", value);
	case OPT_OUTPUT:
		r->output = value;
		return 0;
	default:
		return set_flag(r, id);
	}
}

/* Digits are a process; a file of such a name is written ./812. */
static int find_target(struct request *r)
{
	uint64_t n;

	if (!r->target[strspn(r->target, "0123456789")]) {
		if (cul_parse_u64(r->target, &n) < 0 || n == 0 || n > INT_MAX)
			return cul_cmd_usage(&cul_cmd_stack,
				"%s is not a process number; a core of that name is written ./%s",
				r->target, r->target);
		r->stack.pid = (pid_t)n;
	} else {
		r->stack.core = r->target;
	}
	return 0;
}

static int check(struct request *r)
{
	const struct cul_stack_options *s = &r->stack;
	int status;

	if ((!r->target || !*r->target) && !s->all_tasks)
		return cul_cmd_usage(&cul_cmd_stack,
			"whose? name a process by its number, or a core file, or --all-tasks");
	if (r->target && s->all_tasks)
		return cul_cmd_usage(&cul_cmd_stack, "--all-tasks takes no PID");
	if (r->json && r->folded)
		return cul_cmd_usage(&cul_cmd_stack, "--json and --folded exclude each other");
	status = r->target ? find_target(r) : 0;
	if (status)
		return status;
	if (s->core && s->kernel_only)
		return cul_cmd_usage(
			&cul_cmd_stack, "--kernel goes with a PID: a core has no kernel stack");
	if (!s->core && (s->exe || s->sysroot))
		return cul_cmd_usage(&cul_cmd_stack, "--%s goes with a core, not with a process",
			s->exe ? "exe" : "sysroot");
	status = s->exe ? cul_value_path(&cul_cmd_stack, "exe", s->exe) : 0;
	return status || !s->sysroot ? status
				     : cul_value_path(&cul_cmd_stack, "sysroot", s->sysroot);
}

/* 0 or an exit status that is not. */
static int parse(struct request *r, char **argv)
{
	char *const *rest;
	int status;

	r->debug = cul_cmd_list(&cul_cmd_stack, argv);
	if (!r->debug)
		return CUL_EXIT_FAILED;
	r->stack.debug_paths = r->debug;
	status = cul_cmd_parse(&cul_cmd_stack, argv, set, r, &rest);
	if (status || r->help)
		return status;
	if (rest)
		return cul_cmd_usage(&cul_cmd_stack, "it runs no command");
	return check(r);
}

static int stack(struct request *r)
{
	struct cul_progress *progress;
	struct cul_output output;
	struct cul_error err = {0};
	int result;

	result = cul_cmd_begin(&cul_cmd_stack, &r->stack.stop_fd,
		r->folded ? CUL_OUTPUT_FOLDED
		: r->json ? CUL_OUTPUT_JSON
			  : CUL_OUTPUT_TEXT,
		r->output, &output);
	if (result)
		return result;
	progress = cul_progress_start();
	if (progress) {
		r->stack.progress = cul_progress_tell;
		r->stack.progress_data = progress;
	}
	result = cul_stack_run(&r->stack, output.sink, &err);
	cul_progress_end(progress);
	cul_output_close(&output, &err);
	return result < 0 ? cul_cmd_fail(&cul_cmd_stack, &err) : CUL_EXIT_OK;
}

static int run(const struct cul_command *const *all, char **argv)
{
	cul_cleanup(request_free) struct request r = {0};
	int status = parse(&r, argv);

	if (status)
		return status;
	return r.help ? cul_cmd_show_help(&cul_cmd_stack, stdout) : stack(&r);
}

static const struct cul_example stack_examples[] = {
	{"stack 812", "where every thread of a process is, in user space and in the kernel"},
	{"stack ./core", "the same of a core file, also of arm, arm64 or mips", .more = true},
	{"stack --kernel 2", "the kernel stack of a task, from the kernel's memory", .more = true},
	{"stack --folded 812 | flamegraph.pl > threads.svg", "a picture of a thousand threads",
		.more = true},
	{0},
};

const struct cul_command cul_cmd_stack = {
	.name = "stack",
	.summary = "where every thread is, user and kernel frames",
	.synopsis = "[OPTIONS] PID|CORE",
	.about = "Shows the stack of each thread, the innermost frame first. All threads of a "
		 "process are stopped before any is looked at, for as short a time as it takes to "
		 "copy registers and stacks, and go on whatever happens; how long they stood "
		 "still is said. Threads with the same stack are put together: that of the first "
		 "thread is shown first, then the largest.\n\n"
		 "A frame marked \"?\" may be wrong; how it was found stands behind it. "
		 "Where a stack could not be walked to its end, it is said why.",
	.options = stack_options,
	.examples = stack_examples,
	.run = run,
};
