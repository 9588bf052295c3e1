/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "samples.h"

#define KERNEL(fn, off)                                                                            \
	{                                                                                          \
		.where = {.addr = 0xffffffff81000000 + (off),                                      \
			.function = fn,                                                            \
			.offset = off,                                                             \
			.module = "vmlinux"},                                                      \
		.method = "orc"                                                                    \
	}
#define USER(fn, off)                                                                              \
	{                                                                                          \
		.where = {.addr = 0x401000 + (off),                                                \
			.function = fn,                                                            \
			.offset = off,                                                             \
			.module = "threads",                                                       \
			.file = "threads.c",                                                       \
			.line = off},                                                              \
		.user = true, .method = "fp"                                                       \
	}
#define NUMBER(v)                                                                                  \
	{                                                                                          \
		.text = v, .is_number = true                                                       \
	}
#define N(array) (sizeof(array) / sizeof((array)[0]))

static const struct cul_insn dec = {.addr = 0xffffffffc0a8101c,
	.len = 4,
	.access = CUL_ACCESS_READ_WRITE,
	.certainty = CUL_CERTAIN,
	.width = 4,
	.text = "lock decl 0x8(%rdi)"};
static const struct cul_insn inc = {.addr = 0xffffffffc0a80f09,
	.len = 4,
	.access = CUL_ACCESS_READ_WRITE,
	.certainty = CUL_LIKELY,
	.width = 4,
	.text = "lock incl 0x8(%rdi)"};

static const struct cul_where put_twice = {.addr = 0xffffffffc0a8101c,
	.function = "put_twice",
	.offset = 0x1c,
	.module = "victim",
	.file = "tests/victims/kmod/refs.c",
	.line = 88};
static const struct cul_where get_ref = {.addr = 0xffffffffc0a80f09,
	.function = "get_ref",
	.offset = 0x9,
	.module = "victim",
	.file = "tests/victims/kmod/refs.c",
	.line = 61};
static const struct cul_where nowhere = {
	.addr = 0xffffffffc0a80f44, .offset = 0xf44, .module = "victim"};

static const struct cul_shown_frame worker[] = {KERNEL("put_twice", 0x1c),
	KERNEL("close_account", 0x44), KERNEL("process_one_work", 0x1e1),
	KERNEL("worker_thread", 0x4d), KERNEL("kthread", 0xdf)};

static const struct cul_watch_armed refs = {.target = "victim:account.refs",
	.type = "int",
	.addr = 0xffffffffc0a83440,
	.size = 4,
	.access = CUL_ACCESS_WRITE,
	.percpu_copy = -1,
	.n_cpus = 2,
	.n_cpus_online = 2,
	.slots = 1,
	.slots_per_cpu = 4,
	.proved_cpus = 2,
	.hit_cost_ns = 16400,
	.value = NUMBER("0")};

static int play_guilty(struct cul_sink *s)
{
	const struct cul_watch_hit hit = {.target = refs.target,
		.ns = 3204512345,
		.cpu = 1,
		.pid = 57,
		.tid = 57,
		.comm = "kworker/1:2",
		.old = NUMBER("0"),
		.new = NUMBER("-1"),
		.old_certain = true,
		.access = CUL_ACCESS_WRITE,
		.insn = &dec,
		.store = put_twice,
		.frames = worker,
		.n_frames = N(worker),
		.number = 1,
		.violation = true,
		.expect = "new >= 0"};
	const struct cul_watch_process kworker = {.pid = 57, .comm = "kworker/1:2", .hits = 1};
	const struct cul_watch_process several[] = {{57, "kworker/1:2", 6}, {812, "bash", 3},
		{813, "bash", 2}, {900, "sshd", 1}, {1, "systemd", 1}};
	const struct cul_watch_writer writers[] = {{.target = refs.target,
							   .where = get_ref,
							   .insn = &inc,
							   .access = CUL_ACCESS_WRITE,
							   .hits = 12,
							   .first_ns = 100003000,
							   .last_ns = 3100871999,
							   .min = NUMBER("0"),
							   .max = NUMBER("3"),
							   .last = NUMBER("1"),
							   .unchanged = 2,
							   .processes = several,
							   .n_processes = N(several)},
		{.target = refs.target,
			.where = put_twice,
			.insn = &dec,
			.access = CUL_ACCESS_WRITE,
			.hits = 1,
			.first_ns = 3204512345,
			.last_ns = 3204512345,
			.min = NUMBER("-1"),
			.max = NUMBER("-1"),
			.last = NUMBER("-1"),
			.processes = &kworker,
			.n_processes = 1,
			.guilty = true}};
	const struct cul_watch_loss loss = {.hits = 13,
		.seen = 13,
		.detailed = 1,
		.filtered = 12,
		.unchanged = 2,
		.end = CUL_END_VIOLATION,
		.command_status = -1,
		.ran_ns = 3205000000,
		.max_rate = 12195,
		.expect = "new >= 0",
		.violations = 1};

	return s->ops->watch_armed(s, &refs) ?: s->ops->watch_hit(s, &hit)
		?: s->ops->watch_writers(s, writers, N(writers)) ?: s->ops->watch_loss(s, &loss);
}

/* Each mark that a hit can carry. */
static int play_marks(struct cul_sink *s)
{
	const struct cul_shown_frame unsure[] = {worker[0],
		{.where = {.addr = 0xffffffffc0a80f44, .offset = 0xf44, .module = "victim"},
			.method = "scan"}};
	struct cul_watch_hit h = {.target = refs.target,
		.ns = 100003000,
		.cpu = 0,
		.pid = 812,
		.tid = 812,
		.comm = "bash",
		.old = NUMBER("0"),
		.new = NUMBER("1"),
		.old_certain = true,
		.access = CUL_ACCESS_WRITE,
		.insn = &inc,
		.store = get_ref,
		.frames = worker,
		.n_frames = N(worker),
		.number = 1};
	const struct cul_watch_behind behind = {.target = refs.target,
		.from_ns = 2000000000,
		.to_ns = 2500000000,
		.old = NUMBER("1"),
		.new = NUMBER("9"),
		.copy = -1};
	const struct cul_watch_writer w = {.target = refs.target,
		.where = nowhere,
		.access = CUL_ACCESS_WRITE,
		.hits = 7,
		.neighbour = 1,
		.unchanged = 2,
		.first_ns = 100003000,
		.last_ns = 1600000000,
		.last = {.text = "{1, 2, 3}"}};
	const struct cul_watch_loss loss = {.hits = 7,
		.seen = 7,
		.detailed = 7,
		.unchanged = 1,
		.behind = 1,
		.end = CUL_END_COMMAND,
		.command_status = 3 << 8,
		.ran_ns = 3000000000};
	int r = s->ops->watch_armed(s, &refs) ?: s->ops->watch_hit(s, &h);

	h.number++, h.ns += 100000000, h.old_certain = false, h.same_stack_as = 1;
	r = r ?: s->ops->watch_hit(s, &h);
	h.number++, h.ns += 100000000, h.old_certain = true, h.unchanged = true;
	h.old.text = "1", h.tid = 815;
	r = r ?: s->ops->watch_hit(s, &h);
	h.number++, h.ns += 100000000, h.neighbour = true;
	r = r ?: s->ops->watch_hit(s, &h);
	h.number++, h.ns += 100000000, h.unchanged = h.neighbour = false, h.insn = NULL;
	h.store = nowhere, h.old.text = NULL, h.same_stack_as = 0;
	h.frames = unsure, h.n_frames = N(unsure);
	r = r ?: s->ops->watch_hit(s, &h);
	h.number++, h.ns += 1000000000, h.access = CUL_ACCESS_READ, h.insn = &dec, h.n_frames = 0;
	r = r ?: s->ops->watch_hit(s, &h);
	h.number++, h.ns += 100000000, h.access = CUL_ACCESS_EXECUTE, h.insn = NULL;
	h.new.text = NULL;
	r = r ?: s->ops->watch_hit(s, &h);
	return r ?: s->ops->watch_behind(s, &behind) ?: s->ops->watch_writers(s, &w, 1)
		?: s->ops->watch_loss(s, &loss);
}

/* Two targets in a process of several threads, one of them a bit field. */
static int play_process(struct cul_sink *s)
{
	const struct cul_shown_frame frames[] = {KERNEL("copy_to_user", 0x2e), USER("bump", 0x10),
		USER("thread_main", 0x42), USER("start_thread", 0x304)};
	const struct cul_where bump = {.addr = 0x401010,
		.function = "bump",
		.offset = 0x10,
		.module = "threads",
		.file = "/usr/src/a/very/long/path/to/the/sources/threads.c",
		.line = 16};
	const struct cul_watch_armed armed[] = {
		{.target = "flags.mode",
			.type = "enum mode",
			.addr = 0x404040,
			.size = 4,
			.bit_offset = 3,
			.bit_size = 2,
			.access = CUL_ACCESS_READ_WRITE,
			.percpu_copy = -1,
			.pid = 812,
			.process = "threads",
			.n_threads = 4,
			.n_cpus_online = 2,
			.slots = 1,
			.slots_per_cpu = 4,
			.proved_cpus = 1,
			.value = {.text = "MODE_IDLE"},
			.note = "stores by other processes into "
				"memory they share with this one are not seen"},
		{.target = "name",
			.type = "char [24]",
			.addr = 0x404060,
			.size = 24,
			.access = CUL_ACCESS_READ_WRITE,
			.percpu_copy = -1,
			.pid = 812,
			.process = "threads",
			.n_threads = 1,
			.n_cpus_online = 2,
			.slots = 3,
			.slots_per_cpu = 4,
			.proved_cpus = 1}};
	const struct cul_watch_hit hit = {.target = "flags.mode",
		.ns = 1500,
		.cpu = 1,
		.pid = 812,
		.tid = 815,
		.comm = "threads",
		.old = {.text = "MODE_IDLE"},
		.new = {.text = "MODE_BUSY"},
		.old_certain = true,
		.user_mode = true,
		.access = CUL_ACCESS_WRITE,
		.insn = &dec,
		.store = bump,
		.frames = frames,
		.n_frames = N(frames),
		.number = 1};
	const struct cul_watch_process process = {.pid = 812, .comm = "threads", .hits = 12345678};
	const struct cul_watch_writer w[] = {{.target = "flags.mode",
						     .where = bump,
						     .insn = &dec,
						     .access = CUL_ACCESS_READ_WRITE,
						     .hits = 12345678,
						     .first_ns = 1500,
						     .last_ns = 1000000001500,
						     .min = {.text = "MODE_IDLE"},
						     .max = {.text = "MODE_BUSY"},
						     .last = {.text = "MODE_BUSY"},
						     .processes = &process,
						     .n_processes = 1},
		{.target = "name",
			.where = bump,
			.insn = &dec,
			.access = CUL_ACCESS_READ_WRITE,
			.hits = 2,
			.first_ns = 1500,
			.last_ns = 2500,
			.last = {.text = "\"a longer name than fits\""},
			.processes = &process,
			.n_processes = 1}};
	const struct cul_watch_loss loss = {.hits = 12345680,
		.seen = 12345680,
		.detailed = 1,
		.filtered = 12345679,
		.end = CUL_END_PROCESS,
		.command_status = -1,
		.ran_ns = 1001000000000};

	return s->ops->watch_armed(s, &armed[0]) ?: s->ops->watch_armed(s, &armed[1])
		?: s->ops->watch_hit(s, &hit) ?: s->ops->watch_writers(s, w, N(w))
		?: s->ops->watch_loss(s, &loss);
}

static int play_quiet(struct cul_sink *s)
{
	const struct cul_watch_loss loss = {
		.end = CUL_END_TIME, .command_status = -1, .ran_ns = 10000123456};

	return s->ops->watch_armed(s, &refs) ?: s->ops->watch_writers(s, NULL, 0)
		?: s->ops->watch_loss(s, &loss);
}

/* Several targets, of which nothing is to be told. */
static int play_several(struct cul_sink *s)
{
	const struct cul_watch_loss loss = {
		.end = CUL_END_TIME, .command_status = -1, .ran_ns = 10000123456};
	struct cul_watch_armed other = refs;

	other.target = "victim:account.balance";
	other.type = "u64";
	other.addr += 8;
	other.size = 8;
	return s->ops->watch_armed(s, &refs) ?: s->ops->watch_armed(s, &other)
		?: s->ops->watch_writers(s, NULL, 0) ?: s->ops->watch_loss(s, &loss);
}

/* Code: by name, by a number inside of a function, and where there is no name. */
static int play_exec(struct cul_sink *s)
{
	const struct cul_watch_loss loss = {
		.end = CUL_END_TIME, .command_status = -1, .ran_ns = 10000123456};
	const struct cul_where start = {
		.addr = 0xffffffffc0a81000, .function = "put_twice", .module = "victim"};
	struct cul_watch_armed armed = refs;
	int r;

	armed.access = CUL_ACCESS_EXECUTE;
	armed.type = NULL;
	armed.size = 1;
	armed.value = (struct cul_shown){0};
	armed.target = "victim:put_twice";
	armed.addr = start.addr;
	armed.code = &start;
	r = s->ops->watch_armed(s, &armed);
	armed.target = "0xffffffffc0a8101c";
	armed.addr = put_twice.addr;
	armed.code = &put_twice;
	r = r ?: s->ops->watch_armed(s, &armed);
	armed.target = "0xffffffffc0a80f44";
	armed.addr = nowhere.addr;
	armed.code = &nowhere;
	r = r ?: s->ops->watch_armed(s, &armed);
	return r ?: s->ops->watch_writers(s, NULL, 0) ?: s->ops->watch_loss(s, &loss);
}

/* With --rw: who only looks is no writer, and leaves nothing unchanged. */
static int play_loads(struct cul_sink *s)
{
	static const struct cul_insn load = {.addr = 0xffffffffc0a80f09,
		.len = 3,
		.access = CUL_ACCESS_READ,
		.certainty = CUL_CERTAIN,
		.width = 4,
		.text = "movl 8(%rdi), %eax"};
	const struct cul_watch_process bash = {.pid = 812, .comm = "bash", .hits = 9};
	const struct cul_watch_writer w[] = {{.target = refs.target,
						     .where = get_ref,
						     .insn = &load,
						     .access = CUL_ACCESS_READ,
						     .hits = 9,
						     .first_ns = 100003000,
						     .last_ns = 3100871999,
						     .min = NUMBER("0"),
						     .max = NUMBER("3"),
						     .last = NUMBER("1"),
						     .processes = &bash,
						     .n_processes = 1},
		{.target = refs.target,
			.where = put_twice,
			.insn = &dec,
			.access = CUL_ACCESS_READ_WRITE,
			.hits = 4,
			.unchanged = 1,
			.first_ns = 200003000,
			.last_ns = 3204512345,
			.min = NUMBER("-1"),
			.max = NUMBER("3"),
			.last = NUMBER("-1"),
			.processes = &bash,
			.n_processes = 1},
		{.target = refs.target,
			.where = nowhere,
			.access = CUL_ACCESS_READ_WRITE,
			.hits = 1,
			.first_ns = 300003000,
			.last_ns = 300003000,
			.min = NUMBER("2"),
			.max = NUMBER("2"),
			.last = NUMBER("2"),
			.processes = &bash,
			.n_processes = 1}};
	const struct cul_watch_loss loss = {.hits = 14,
		.seen = 14,
		.detailed = 14,
		.unchanged = 1,
		.end = CUL_END_TIME,
		.command_status = -1,
		.ran_ns = 10000123456};
	struct cul_watch_armed armed = refs;

	armed.access = CUL_ACCESS_READ_WRITE;
	return s->ops->watch_armed(s, &armed) ?: s->ops->watch_writers(s, w, N(w))
		?: s->ops->watch_loss(s, &loss);
}

static int play_unproved(struct cul_sink *s)
{
	static const char *const gaps[] = {"CPU 1 was not watched: no free debug register"};
	const struct cul_watch_loss loss = {.end = CUL_END_SIGNAL,
		.command_status = -1,
		.ran_ns = 950000000,
		.gaps = gaps,
		.n_gaps = 1};
	struct cul_watch_armed armed = refs;

	armed.n_cpus = armed.proved_cpus = 1;
	armed.target = "runqueues.nr_running";
	armed.percpu_copy = 1;
	armed.proved_cpus = 0;
	return s->ops->watch_armed(s, &armed) ?: s->ops->watch_loss(s, &loss);
}

static int play_behind(struct cul_sink *s)
{
	struct cul_watch_armed armed = refs;
	const struct cul_watch_behind behind = {.target = refs.target,
		.from_ns = 0,
		.to_ns = 1000000000,
		.old = NUMBER("18446744073709551615"),
		.new = NUMBER("0"),
		.copy = 3};
	const struct cul_watch_loss loss = {
		.behind = 1, .end = CUL_END_COMMAND, .command_status = 11, .ran_ns = 1000000000};

	armed.is_percpu = true;
	return s->ops->watch_armed(s, &armed) ?: s->ops->watch_behind(s, &behind)
		?: s->ops->watch_loss(s, &loss);
}

static int play_lossy(struct cul_sink *s)
{
	static const char *const gaps[] = {
		"CPU 3 came online 4.200000 s in and was watched from 4.200310 s on",
		"threads 815 and 816 were not watched: no free debug register"};
	const struct cul_watch_loss loss = {.hits = 1000000,
		.seen = 999978,
		.detailed = 4090,
		.filtered = 0,
		.dropped = 995882,
		.busy = 10,
		.unattributed = 12,
		.unreadable = 1,
		.disarmed = true,
		.max_rate = 12195,
		.gaps = gaps,
		.n_gaps = N(gaps),
		.end = CUL_END_RATE,
		.command_status = -1,
		.ran_ns = 82000000000,
		.expect = "new != 7"};

	return s->ops->watch_armed(s, &refs) ?: s->ops->watch_loss(s, &loss);
}

/* Names chosen by somebody who wishes the reader ill. */
static int play_hostile(struct cul_sink *s)
{
	const struct cul_where evil = {.addr = 0x1000,
		.function = "\033]0;pwned\a\033[2J",
		.offset = 1,
		.module = "a\nb",
		.file = "\xe2\x80\xae"
			"c.exe",
		.line = 1};
	const struct cul_watch_hit hit = {.target = "x\ry",
		.ns = 1,
		.pid = 1,
		.tid = 1,
		.comm = "\xc2\x9b"
			"31m\xff\xc0\xaf\xed\xa0\x80",
		.new = {.text = "\"\\\"\177\""},
		.access = CUL_ACCESS_WRITE,
		.store = evil,
		.number = 1};
	const struct cul_watch_hit good = {.target = "x",
		.ns = 2,
		.pid = 1,
		.tid = 1,
		.comm = "na\xc3\xafve \xf0\x9f\x90\x9b",
		.new = {.text = "12x", .is_number = true},
		.old = {.text = "99999999999999999999", .is_number = true},
		.access = CUL_ACCESS_WRITE,
		.store = {.addr = 0x1000},
		.number = 2};
	static const char *const gap = "CPU \033[0m\xfe 3";
	const struct cul_watch_loss loss = {.hits = 2,
		.seen = 2,
		.detailed = 2,
		.gaps = &gap,
		.n_gaps = 1,
		.end = CUL_END_SIGNAL,
		.command_status = -1};

	return s->ops->watch_armed(s, &refs) ?: s->ops->watch_hit(s, &hit)
		?: s->ops->watch_hit(s, &good) ?: s->ops->watch_loss(s, &loss);
}

static int play_doctor(struct cul_sink *s)
{
	static const struct cul_doctor_check checks[] = {
		{.id = "breakpoint-user",
			.what = "watch memory of a process",
			.answer = CUL_DOCTOR_YES,
			.found = "a write of our own was seen; 4 of 4 debug registers free"},
		{.id = "breakpoint-kernel",
			.what = "watch memory of the kernel",
			.answer = CUL_DOCTOR_NO,
			.because = "perf_event_paranoid is 2 and "
				   "CAP_PERFMON is missing",
			.remedy = "run as root, or sysctl kernel.perf_event_paranoid=-1"},
		{.id = "debug-files",
			.what = "name lines of kernel code",
			.answer = CUL_DOCTOR_PARTLY,
			.found = "modules built here only",
			.because = "there is no /usr/lib/debug/boot/vmlinux-6.1.0",
			.remedy = "install linux-image-6.1.0-dbg"},
		{.id = "bpf-attach",
			.what = "run a program at each hit",
			.answer = CUL_DOCTOR_UNTRIED,
			.because = "no breakpoint could be opened"}};
	const struct cul_doctor_report report = {.release = "6.1.0",
		.machine = "x86_64",
		.n_cpus = 2,
		.checks = checks,
		.n_checks = N(checks)};

	return s->ops->doctor(s, &report);
}

const struct sample samples[] = {
	{"watch/guilty", "watch", play_guilty},
	{"watch/marks", "watch", play_marks},
	{"watch/process", "watch", play_process},
	{"watch/quiet", "watch", play_quiet},
	{"watch/several", "watch", play_several},
	{"watch/exec", "watch", play_exec},
	{"watch/loads", "watch", play_loads},
	{"watch/unproved", "watch", play_unproved},
	{"watch/behind", "watch", play_behind},
	{"watch/lossy", "watch", play_lossy},
	{"watch/hostile", "watch", play_hostile},
	{"doctor/mixed", "doctor", play_doctor},
};
const size_t n_samples = N(samples);
