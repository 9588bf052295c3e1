/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether debug registers can be had, fire, and how many are free. */
#include "doctor/checks.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "sys/file.h"
#include "sys/perf.h"
#include "trace/breakpoint.h"
#include "trace/cpus.h"

enum { ACCESSES = 3, SLOTS_MOST = 64 };

/* Does the access `ACCESSES` times while the breakpoint is armed. Hits, or a negative errno. */
static int fire(const struct cul_breakpoint *bp, void (*access)(volatile uint64_t *cell),
	volatile uint64_t *cell, struct cul_error *err)
{
	cul_autoclose int fd = cul_breakpoint_open(bp, -1, err);
	struct cul_perf_count count = {0};
	int r;

	if (fd < 0)
		return fd;
	r = cul_sys_perf_enable(fd);
	for (int i = 0; i < ACCESSES && r == 0; i++)
		access(cell);
	if (r == 0)
		r = cul_sys_perf_disable(fd);
	if (r == 0)
		r = cul_sys_perf_read(fd, &count);
	if (r < 0)
		return cul_fail(err, r, "using the breakpoint: %s", cul_strerror(r));
	return count.value > ACCESSES ? ACCESSES : (int)count.value;
}

static void store(volatile uint64_t *cell)
{
	*cell = *cell + 1;
}

/* The kernel stores for us. */
static void store_by_kernel(volatile uint64_t *cell)
{
	cul_autoclose int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && read(fd, (void *)cell, sizeof(*cell)) < 0)
		return; /* then no hit will be counted */
}

static __attribute__((noinline)) void execute(volatile uint64_t *cell)
{
	*cell = *cell + 1;
}

static const char *remedy(struct cul_doctor *d, int code)
{
	const char *paranoid;

	switch (code) {
	case -EACCES:
	case -EPERM:
		paranoid = cul_doctor_line(d, "/proc/sys/kernel/perf_event_paranoid");
		return cul_doctor_text(d,
			"kernel.perf_event_paranoid is %s; in a container perf_event_open may be "
			"filtered",
			paranoid ? paranoid : "not to be had");
	case -ENOSPC:
		return "end what else uses hardware breakpoints: gdb, perf, another culprit";
	case -ENOENT:
	case -ENODEV:
	case -ENOSYS:
	case -EOPNOTSUPP:
		return cul_doctor_text(d, "%s; %s; or ask whoever runs this virtual machine",
			cul_doctor_option(d, "CONFIG_PERF_EVENTS"),
			cul_doctor_option(d, "CONFIG_HAVE_HW_BREAKPOINT"));
	default:
		return NULL;
	}
}

/* Notes what came of fire(); `warning` follows a "yes". */
static bool note_fired(struct cul_doctor *d, struct cul_doctor_check c, int hits,
	const char *warning, const struct cul_error *err)
{
	if (hits < 0) {
		c.answer = CUL_DOCTOR_NO;
		c.because = cul_doctor_text(d, "%s", err->text);
		c.remedy = remedy(d, hits);
	} else if (hits < ACCESSES) {
		c.answer = CUL_DOCTOR_NO;
		c.because = cul_doctor_text(d,
			"the breakpoint was armed and %d of %d accesses fired it: the hypervisor "
			"does not pass debug registers on",
			hits, ACCESSES);
		c.remedy = "use another machine, or QEMU's software emulation";
	} else {
		c.answer = CUL_DOCTOR_YES;
		c.found = cul_doctor_text(
			d, "%d of %d accesses of our own seen%s", hits, ACCESSES, warning);
	}
	cul_doctor_note(d, &c);
	return c.answer == CUL_DOCTOR_YES;
}

static void check_own(struct cul_doctor *d, volatile uint64_t *cell)
{
	/*
	 * A host may lose the cause of a debug trap (is_stray_trap() in trace/child.c), too rarely
	 * to be tried.
	 */
	bool is_virtual = d->arch->in_virtual_machine();
	struct cul_breakpoint bp = {.addr = (uint64_t)(uintptr_t)cell,
		.len = sizeof(*cell),
		.access = CUL_ACCESS_WRITE,
		.tid = gettid(),
		.cpu = -1,
		.user_only = true};
	struct cul_error err = {0};
	int hits = fire(&bp, store, cell, &err);

	d->breakpoints = note_fired(d,
		(struct cul_doctor_check){
			.id = "breakpoint-user", .what = "watch the memory of a process"},
		hits,
		is_virtual ? "; this CPU is virtual: where the host loses a trap, as KVM before "
			     "Linux 6.14 may, a process under watch dies of SIGTRAP (see "
			     "LIMITS in culprit-watch(1))"
			   : "",
		&err);
	bp.user_only = false;
	hits = fire(&bp, store_by_kernel, cell, &err);
	note_fired(d,
		(struct cul_doctor_check){.id = "breakpoint-syscall",
			.what = "see the kernel write a process's memory"},
		hits, "", &err);
	bp.addr = (uint64_t)(uintptr_t)execute;
	bp.access = CUL_ACCESS_EXECUTE;
	bp.user_only = true;
	hits = fire(&bp, execute, cell, &err);
	note_fired(d,
		(struct cul_doctor_check){
			.id = "breakpoint-exec", .what = "watch code of a process being executed"},
		hits, "", &err);
}

/* CPUs that see a store of ours while they watch for everybody. A negative errno on the first "no".
 */
static int fire_everywhere(
	const struct cul_cpus *cpus, volatile uint64_t *cell, struct cul_error *err)
{
	struct cul_breakpoint bp = {.addr = (uint64_t)(uintptr_t)cell,
		.len = sizeof(*cell),
		.access = CUL_ACCESS_WRITE,
		.tid = -1};
	cpu_set_t before, one;
	int proved = 0, hits = 0;

	CPU_ZERO(&before);
	if (sched_getaffinity(0, sizeof(before), &before) < 0)
		return cul_fail(err, -errno, "asking where we may run: %s", cul_strerror(errno));
	cul_for_each_cpu(cpu, cpus)
	{
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (cpu >= CPU_SETSIZE || sched_setaffinity(0, sizeof(one), &one) < 0)
			continue; /* we may not run there: not proved */
		bp.cpu = cpu;
		hits = fire(&bp, store, cell, err);
		if (hits < 0)
			break;
		proved += hits == ACCESSES;
	}
	sched_setaffinity(0, sizeof(before), &before);
	return hits < 0 ? hits : proved;
}

/* Whether a breakpoint in the kernel's half may be asked for; it is never enabled. */
static int ask_kernel(struct cul_error *err)
{
	const struct cul_breakpoint bp = {.addr = ~0xfffULL,
		.len = 8,
		.access = CUL_ACCESS_WRITE,
		.tid = gettid(),
		.cpu = -1};
	cul_autoclose int fd = cul_breakpoint_open(&bp, -1, err);

	return fd < 0 ? fd : 0;
}

static void check_kernel(struct cul_doctor *d, const struct cul_cpus *cpus, volatile uint64_t *cell)
{
	struct cul_doctor_check c = {
		.id = "breakpoint-kernel", .what = "watch the kernel's memory, on every CPU"};
	unsigned n = cul_cpus_count(cpus);
	struct cul_error err = {0};
	int proved = ask_kernel(&err);

	if (proved == 0)
		proved = fire_everywhere(cpus, cell, &err);
	if (proved < 0) {
		c.answer = CUL_DOCTOR_NO;
		c.because = cul_doctor_text(d, "%s", err.text);
		c.remedy = remedy(d, proved);
	} else if ((unsigned)proved < n) {
		c.answer = proved ? CUL_DOCTOR_PARTLY : CUL_DOCTOR_NO;
		c.because = cul_doctor_text(
			d, "%d of %u CPUs saw a store of our own while they watched", proved, n);
		c.remedy = "run where all CPUs may be used (cpuset, taskset), on another machine, "
			   "or name CPUs with --cpu";
	} else {
		c.answer = CUL_DOCTOR_YES;
		c.found = cul_doctor_text(
			d, "a store of our own was seen on %d of %u CPUs", proved, n);
	}
	cul_doctor_note(d, &c);
}

/*
 * How many breakpoints a CPU has room for. They are opened, never enabled, and closed. `end`: why
 * there was no further one.
 */
static unsigned count_free(int cpu, volatile uint64_t *cell, int *end)
{
	struct cul_breakpoint bp = {.addr = (uint64_t)(uintptr_t)cell,
		.len = sizeof(*cell),
		.access = CUL_ACCESS_WRITE,
		.tid = -1,
		.cpu = cpu};
	int fds[SLOTS_MOST];
	unsigned n = 0;

	while (n < SLOTS_MOST) {
		fds[n] = cul_breakpoint_open(&bp, -1, NULL);
		if (fds[n] == -EACCES || fds[n] == -EPERM) {
			/* what is left to an unprivileged user: on a thread of its own */
			bp.tid = gettid();
			bp.user_only = true;
			fds[n] = cul_breakpoint_open(&bp, -1, NULL);
		}
		*end = fds[n];
		if (fds[n] < 0)
			break;
		n++;
	}
	for (unsigned i = 0; i < n; i++)
		close(fds[i]);
	return n;
}

static void check_free(struct cul_doctor *d, const struct cul_cpus *cpus, volatile uint64_t *cell)
{
	struct cul_doctor_check c = {.id = "debug-registers", .what = "find free debug registers"};
	unsigned slots = d->arch->watch_slots, least = SLOTS_MOST, most = 0;
	cul_autostr struct cul_str taken = {0};
	int end = 0;

	cul_for_each_cpu(cpu, cpus)
	{
		unsigned n = count_free(cpu, cell, &end);

		least = n < least ? n : least;
		most = n > most ? n : most;
		if (n < slots)
			cul_str_addf(&taken, "%sCPU %d has %u", taken.len ? ", " : "", cpu, n);
	}
	if (!most && end != -ENOSPC) { /* refused, not taken: what comes before this tells why */
		c.answer = CUL_DOCTOR_UNTRIED;
		c.because = "no breakpoint can be opened";
		cul_doctor_note(d, &c);
		return;
	}
	c.answer = least == 0 ? CUL_DOCTOR_NO : least < slots ? CUL_DOCTOR_PARTLY : CUL_DOCTOR_YES;
	c.found = slots ? cul_doctor_text(d, "%u of %u free on each CPU", least, slots)
			: cul_doctor_text(d, "%u free on each CPU", least);
	if (c.answer != CUL_DOCTOR_YES) {
		c.because = taken.len ? cul_doctor_text(d, "%s", taken.s) : "none could be opened";
		c.remedy = "end what else uses hardware breakpoints: gdb, perf, another culprit, "
			   "kgdb";
	}
	cul_doctor_note(d, &c);
}

void cul_doctor_breakpoints(struct cul_doctor *d)
{
	volatile uint64_t cell __attribute__((aligned(8))) = 0;
	struct cul_cpus cpus = {0};
	struct cul_error err = {0};

	if (!d->arch) {
		cul_doctor_strange(d, "watch", "watch memory");
		return;
	}
	check_own(d, &cell);
	if (cul_cpus_online(&cpus, &err) < 0) {
		cul_doctor_note(d, &(struct cul_doctor_check){.id = "breakpoint-kernel",
					   .what = "watch the kernel's memory, on every CPU",
					   .answer = CUL_DOCTOR_UNTRIED,
					   .because = cul_doctor_text(d, "%s", err.text),
					   .remedy = "mount /sys"});
		return;
	}
	check_kernel(d, &cpus, &cell);
	check_free(d, &cpus, &cell);
}
