/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "samples.h"

#define KERNEL(fn, off)                                                                            \
	{                                                                                          \
		.where = {.addr = 0xffffffff81000000 + (off),                                      \
			.function = fn,                                                            \
			.offset = off,                                                             \
			.module = "vmlinux"},                                                      \
		.method = "bpf"                                                                    \
	}
#define USER(fn, off)                                                                              \
	{                                                                                          \
		.where = {.addr = 0x401000 + (off),                                                \
			.function = fn,                                                            \
			.offset = off,                                                             \
			.module = "libc.so.6"},                                                    \
		.user = true, .method = "bpf"                                                      \
	}
#define NUMBER(v)                                                                                  \
	{                                                                                          \
		.text = v, .is_number = true                                                       \
	}
#define TEXT(v)                                                                                    \
	{                                                                                          \
		.text = v                                                                          \
	}
#define N(array) (sizeof(array) / sizeof((array)[0]))

static const struct cul_probe_method by_fentry = {"fentry", 1};

static const struct cul_probe_attached open_at = {.spec = "do_sys_openat2",
	.signature = "do_sys_openat2(int dfd, const char *filename, struct open_how *how)",
	.n_functions = 1,
	.n_sites = 1,
	.methods = &by_fentry,
	.n_methods = 1,
	.returns = true,
	.took_ns = 4100000};

static const struct cul_where openat2 = {.addr = 0xffffffff81400000,
	.function = "do_sys_openat2",
	.module = "vmlinux",
	.file = "fs/open.c",
	.line = 1401};

static const struct cul_probe_arg open_args[] = {
	{.name = "dfd", .value = NUMBER("-100")},
	{.name = "filename", .value = TEXT("\"/etc/passwd, with a comma, and more\"")},
	{.name = "how", .value = TEXT("{flags = 0x8000, mode = 0, resolve = 0}")},
};

static const struct cul_shown_frame open_stack[] = {KERNEL("do_sys_openat2", 0x5),
	KERNEL("__x64_sys_openat", 0x6a), KERNEL("do_syscall_64", 0x58),
	KERNEL("entry_SYSCALL_64_after_hwframe", 0x6e), USER("open64", 0x5a)};

/* --ret: three calls, one of which fails. */
static int play_returns(struct cul_sink *s)
{
	static const struct cul_probe_arg nope[] = {
		{.name = "dfd", .value = NUMBER("-100")},
		{.name = "filename", .value = TEXT("\"/nope\"")},
		{.name = "how", .value = TEXT("0x7ffd1000"), .why = "unreadable"},
		{.name = "x", .why = "floating point"},
	};
	struct cul_probe_call call = {.number = 1,
		.where = openat2,
		.ns = 13231000,
		.cpu = 1,
		.pid = 812,
		.tid = 812,
		.comm = "cat",
		.args = open_args,
		.n_args = N(open_args),
		.returned = true,
		.ret = NUMBER("3"),
		.dur_ns = 12345,
		.caller = {.addr = 0xffffffff81400a6a,
			.function = "__x64_sys_openat",
			.offset = 0x6a,
			.module = "vmlinux"}};
	const struct cul_probe_function f = {.function = "do_sys_openat2",
		.module = "vmlinux",
		.calls = 13,
		.returns_known = true,
		.returns = 12,
		.errors = 1,
		.matched = 13,
		.timed = 12,
		.sum_ns = 120000,
		.max_ns = 90500};
	const struct cul_probe_loss loss = {.calls = 13,
		.matched = 12,
		.shown = 12,
		.unreturned = 1,
		.misses_known = true,
		.end = CUL_END_SIGNAL,
		.command_status = -1,
		.ran_ns = 3000000000,
		.detached_ns = 21000000};
	int r = s->ops->probe_attached(s, &open_at) ?: s->ops->probe_call(s, &call);

	call.number = 2;
	call.ns = 13950000;
	call.args = nope;
	call.ret = (struct cul_shown)NUMBER("-2");
	call.error = "ENOENT";
	call.dur_ns = 4100;
	call.caller.addr = 0;
	r = r ?: s->ops->probe_call(s, &call);
	call.number = 3;
	call.ns = 14000000000;
	call.comm = "a-long-name-of-1";
	call.pid = 4123456;
	call.tid = 4123457;
	call.n_args = 0;
	call.ret = (struct cul_shown){0};
	call.error = NULL;
	call.dur_ns = 2500000000;
	return r ?: s->ops->probe_call(s, &call) ?: s->ops->probe_functions(s, &f, 1, 0)
		?: s->ops->probe_loss(s, &loss);
}

static const struct cul_probe_reg regs[] = {
	{"rax", 0, true, 0x17}, {"rbx", 0xffff888003a5c000}, {"rsp", 0xffffc900004fbe40}};
static const struct cul_probe_function many_functions[] = {
	{.function = "tcp_sendmsg",
		.module = "vmlinux",
		.calls = 1234567,
		.returns_known = true,
		.returns = 1234560,
		.errors = 12,
		.filtered = 1234000,
		.matched = 567,
		.timed = 567,
		.sum_ns = 567000000,
		.max_ns = 1500000},
	{.function = "bbr_main", .module = "tcp_bbr", .calls = 3, .matched = 3, .missed = 2},
};

/* A glob by several methods, refusals, stacks, clones and inlined copies, --diff. */
static int play_many(struct cul_sink *s)
{
	static const struct cul_probe_method methods[] = {
		{"kprobe-multi", 310}, {"fentry", 2}, {"kprobe", 8}};
	static const struct cul_probe_refused refused[] = {
		{"tcp_foo", "vmlinux", "notrace"},
		{"tcp_bar", "tcp_bbr", "on the kernel's list of functions not to probe"},
		{"tcp_baz", "vmlinux", "notrace"},
		{"tcp_baz", "vmlinux", "notrace"},
		{"tcp_odd", NULL, NULL},
	};
	static const struct cul_probe_attached attached = {.spec = "tcp_* udp_*",
		.n_functions = 312,
		.n_sites = 320,
		.n_clones = 4,
		.n_inlined = 1,
		.methods = methods,
		.n_methods = N(methods),
		.refused = refused,
		.n_refused = 11,
		.n_refused_shown = N(refused),
		.returns = true,
		.took_ns = 412000000,
		.only_pid = 812,
		.only_cpus = "0-3,8",
		.process = "nginx",
		.note = "arguments of functions in tcp_bbr are not typed: it has no BTF"};
	static const struct cul_probe_arg diff[] = {
		{.name = "sk", .value = TEXT("tcp 10.0.0.1:80 -> 10.0.0.2:4242")},
		{.name = "count", .value = NUMBER("5"), .after = NUMBER("3")},
		{.value = NUMBER("7")},
		{.name = "x", .why = "floating point"},
	};
	struct cul_probe_call call = {.number = 1,
		.where = openat2,
		.place = CUL_PLACE_CLONE,
		.ns = 1000000,
		.pid = 812,
		.tid = 813,
		.comm = "nginx",
		.args = diff,
		.n_args = N(diff),
		.returned = true,
		.ret = TEXT("ECONNRESET"),
		.error = "ECONNRESET",
		.dur_ns = 999,
		.frames = open_stack,
		.n_frames = N(open_stack)};
	static const char *const gaps[] = {
		"CPU 3 came online 4.200000 s in and was probed from 4.200310 s on"};
	static const struct cul_probe_loss loss = {.calls = 1234570,
		.matched = 570,
		.filtered = 1234000,
		.shown = 500,
		.dropped = 60,
		.unreturned = 7,
		.lone = 1,
		.missed = 2,
		.missed_returns = 1,
		.recursion = 30,
		.misses_unknown_for = "what kprobe-multi missed, which this kernel does not count",
		.gaps = gaps,
		.n_gaps = 1,
		.end = CUL_END_COMMAND,
		.command_status = 256,
		.ran_ns = 10000000000,
		.detached_ns = 1250000000};
	int r = s->ops->probe_attached(s, &attached) ?: s->ops->probe_call(s, &call);

	call.number = 2;
	call.same_stack_as = 1;
	call.place = CUL_PLACE_INLINED;
	r = r ?: s->ops->probe_call(s, &call);
	call.number = 3;
	call.place = CUL_PLACE_INSIDE;
	call.where.offset = 0x1c;
	call.same_stack_as = 0;
	call.n_frames = 0;
	call.n_args = 0;
	call.returned = false;
	call.regs = regs;
	call.n_regs = N(regs);
	call.regs_after = true;
	r = r ?: s->ops->probe_call(s, &call);
	return r ?: s->ops->probe_functions(s, many_functions, N(many_functions), 310) ?: s->ops->probe_loss(s, &loss);
}

/* --count, by stack and by values. */
static int play_count(struct cul_sink *s)
{
	static const struct cul_probe_arg by[] = {
		{.name = "comm", .value = TEXT("\"cat\"")}, {.name = "ret", .value = NUMBER("-2")}};
	static const struct cul_probe_group groups[] = {
		{.function = "do_sys_openat2",
			.module = "vmlinux",
			.by = by,
			.n_by = N(by),
			.calls = 812,
			.errors = 812,
			.timed = true,
			.sum_ns = 8120000,
			.max_ns = 22000},
		{.function = "do_sys_openat2",
			.module = "vmlinux",
			.frames = open_stack,
			.n_frames = N(open_stack),
			.pid = 812,
			.comm = "cat",
			.calls = 200},
		{.function = "do_sys_openat2", .module = "vmlinux", .calls = 1},
	};
	static const struct cul_probe_loss loss = {.calls = 1023,
		.matched = 1023,
		.ungrouped = 10,
		.misses_known = true,
		.end = CUL_END_TIME,
		.command_status = -1,
		.ran_ns = 10000000000};

	return s->ops->probe_attached(s, &open_at) ?: s->ops->probe_groups(s, groups, N(groups))
		?: s->ops->probe_loss(s, &loss);
}

static int play_histogram(struct cul_sink *s)
{
	static const struct cul_probe_bar times[] = {
		{512, 1024, 3}, {1024, 2048, 812}, {2048, 4096, 0}, {4096, 8192, 1}};
	static const struct cul_probe_bar numbers[] = {
		{INT64_MIN, 0, 7}, {0, 1, 2}, {1, 2, 3}, {2, 4, 4}, {4, INT64_MAX, 5}};
	static const struct cul_probe_arg by = {.name = "comm", .value = TEXT("\"cat\"")};
	static const struct cul_probe_histogram h[] = {
		{.measure = "dur",
			.is_time = true,
			.bars = times,
			.n_bars = N(times),
			.count = 816,
			.min = 980,
			.max = 5000},
		{.function = "do_sys_openat2",
			.module = "vmlinux",
			.measure = "how->flags",
			.by = &by,
			.n_by = 1,
			.bars = numbers,
			.n_bars = N(numbers),
			.count = 21,
			.unread = 1234,
			.min = -5,
			.max = 64},
		{.measure = "dur", .is_time = true},
	};
	static const struct cul_probe_loss loss = {.calls = 2071,
		.matched = 2071,
		.unread = 1234,
		.end = CUL_END_TIME,
		.command_status = -1,
		.ran_ns = 10000000000};

	return s->ops->probe_attached(s, &open_at) ?: s->ops->probe_histogram(s, &h[0])
		?: s->ops->probe_histogram(s, &h[1]) ?: s->ops->probe_histogram(s, &h[2])
		?: s->ops->probe_loss(s, &loss);
}

static int play_rate(struct cul_sink *s)
{
	static const struct cul_probe_rate first[] = {
		{1000000000, 1000000000, "tcp_sendmsg", "vmlinux", 4096, 12}};
	struct cul_probe_rate second[10];
	static const struct cul_probe_loss loss = {.calls = 5000,
		.matched = 5000,
		.misses_known = true,
		.end = CUL_END_PROCESS,
		.command_status = -1,
		.ran_ns = 10000000000};

	for (unsigned i = 0; i < N(second); i++)
		second[i] = (struct cul_probe_rate){
			2500000000, 1500000000, "tcp_recvmsg", "tcp_bbr", 15 * i, 0};
	return s->ops->probe_attached(s, &open_at) ?: s->ops->probe_rate(s, first, 1)
		?: s->ops->probe_rate(s, second, N(second)) ?: s->ops->probe_loss(s, &loss);
}

/* No call: with all known, and with gaps. */
static int play_quiet(struct cul_sink *s)
{
	static const struct cul_probe_attached process = {.spec = "SSL_read SSL_write",
		.n_functions = 2,
		.n_sites = 2,
		.methods = &by_fentry,
		.n_methods = 1,
		.pid = 812,
		.process = "nginx"};
	struct cul_probe_loss loss = {.misses_known = true,
		.end = CUL_END_TIME,
		.command_status = -1,
		.ran_ns = 10000000000};
	int r = s->ops->probe_attached(s, &open_at) ?: s->ops->probe_functions(s, NULL, 0, 1)
		?: s->ops->probe_loss(s, &loss);

	loss.misses_known = false;
	loss.missed = 1;
	return r ?: s->ops->probe_attached(s, &process) ?: s->ops->probe_loss(s, &loss);
}

/* Names and strings chosen by somebody who wishes the reader ill. */
static int play_hostile(struct cul_sink *s)
{
	static const struct cul_probe_arg args[] = {
		{.name = "a\nb", .value = TEXT("\"\033[2J\", \"\\\", x\", \xff")},
		{.name = "n", .value = NUMBER("99999999999999999999")},
		{.name = "m", .why = "\r"},
	};
	static const struct cul_probe_reg reg = {"r\033", 1};
	static const struct cul_probe_refused refused = {"\033]0;pwned\a", "m\n", "\xe2\x80\xae"};
	struct cul_probe_attached attached = open_at;
	const struct cul_probe_call call = {.number = 1,
		.where = {.addr = 1, .function = "f\033[1m"},
		.place = CUL_PLACE_INLINED,
		.pid = 1,
		.tid = 1,
		.comm = "\xc2\x9b"
			"31m",
		.args = args,
		.n_args = N(args),
		.returned = true,
		.error = "E\nX",
		.caller = {.addr = 2},
		.regs = &reg,
		.n_regs = 1};
	static const char *const gap = "CPU \033[0m\xfe 3";
	static const struct cul_probe_loss loss = {.calls = 1,
		.matched = 1,
		.shown = 1,
		.gaps = &gap,
		.n_gaps = 1,
		.misses_unknown_for = "\b",
		.end = CUL_END_COUNT,
		.command_status = -1};

	attached.signature = "f(char *\033[1m)";
	attached.refused = &refused;
	attached.n_refused = attached.n_refused_shown = 1;
	return s->ops->probe_attached(s, &attached) ?: s->ops->probe_call(s, &call)
		?: s->ops->probe_loss(s, &loss);
}

const struct sample samples_probe[] = {
	{"probe/returns", "probe", play_returns},
	{"probe/many", "probe", play_many},
	{"probe/count", "probe", play_count},
	{"probe/histogram", "probe", play_histogram},
	{"probe/rate", "probe", play_rate},
	{"probe/quiet", "probe", play_quiet},
	{"probe/hostile", "probe", play_hostile},
};
const size_t n_samples_probe = N(samples_probe);
