/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether BPF programs can be loaded, attached to a breakpoint, and do what watch needs. */
#include "doctor/checks.h"

#include <errno.h>
#include <unistd.h>

#include <linux/bpf.h>

#include "base/cleanup.h"
#include "sys/insns.h"
#include "sys/bpf.h"
#include "sys/perf.h"
#include "trace/breakpoint.h"

static int load(const struct bpf_insn *insns, size_t n)
{
	return cul_sys_bpf_prog_load(BPF_PROG_TYPE_PERF_EVENT, "cul_doctor", insns, n);
}

/* Counts in element 0 of `map` how often it ran and could read the kernel's memory. */
static int load_counter(int map)
{
	const struct bpf_insn insns[] = {
		INSN(BPF_ST | BPF_MEM | BPF_W, 10, 0, -4, 0), /* key 0 */
		INSN(BPF_ST | BPF_MEM | BPF_DW, 10, 0, -16, 0),
		MOV_REG(1, 10),
		ADD_IMM(1, -24), /* to */
		MOV_IMM(2, 8),
		MOV_REG(3, 10),
		ADD_IMM(3, -16), /* from: the kernel's stack */
		CALL(BPF_FUNC_probe_read_kernel),
		MOV_REG(6, 0),
		INSN(BPF_LD | BPF_IMM | BPF_DW, 1, BPF_PSEUDO_MAP_FD, 0, map),
		INSN(0, 0, 0, 0, 0),
		MOV_REG(2, 10),
		ADD_IMM(2, -4),
		CALL(BPF_FUNC_map_lookup_elem),
		INSN(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 5, 0), /* no element: out */
		MOV_IMM(1, 1),
		INSN(BPF_STX | BPF_ATOMIC | BPF_DW, 0, 1, 0, BPF_ADD), /* ran */
		INSN(BPF_JMP | BPF_JNE | BPF_K, 6, 0, 2, 0),           /* not read: out */
		ADD_IMM(0, 8),
		INSN(BPF_STX | BPF_ATOMIC | BPF_DW, 0, 1, 0, BPF_ADD), /* read */
		MOV_IMM(0, 0),
		EXIT(),
	};

	return load(insns, N_INSNS(insns));
}

static const char *why(struct cul_doctor *d, const char *what, int code)
{
	return cul_doctor_text(d, "%s: %s", what, cul_strerror(code));
}

static const char *remedy(struct cul_doctor *d, int code)
{
	if (code == -EPERM || code == -EACCES)
		return "run as root or with CAP_BPF and CAP_PERFMON; a container may filter bpf()";
	return cul_doctor_option(d, "CONFIG_BPF_SYSCALL");
}

static void check_load(struct cul_doctor *d)
{
	static const struct bpf_insn nothing[] = {MOV_IMM(0, 0), EXIT()};
	struct cul_doctor_check c = {.id = "bpf", .what = "load BPF programs"};
	cul_autoclose int fd = load(nothing, N_INSNS(nothing));

	d->bpf = fd >= 0;
	if (fd < 0) {
		c.answer = CUL_DOCTOR_NO;
		c.because = why(d, "loading a program that does nothing", fd);
		c.remedy = remedy(d, fd);
	}
	cul_doctor_note(d, &c);
}

static void check_ring(struct cul_doctor *d)
{
	struct cul_doctor_check c = {
		.id = "bpf-ring", .what = "get details of hits from the kernel"};
	cul_autoclose int fd = cul_sys_bpf_map_create(
		BPF_MAP_TYPE_RINGBUF, "cul_doctor", 0, 0, (unsigned)getpagesize());

	if (fd < 0) {
		c.answer = CUL_DOCTOR_NO;
		c.because = why(d, "creating a ring buffer", fd);
		c.remedy = fd == -EINVAL ? "use a kernel of 5.8 or newer" : remedy(d, fd);
	} else {
		c.found = "a ring buffer was created";
	}
	cul_doctor_note(d, &c);
}

struct counts {
	uint64_t ran, read;
};

/* One store under a breakpoint with the counting program. */
static int run_counter(struct counts *counts, struct cul_error *err)
{
	cul_autoclose int map = cul_sys_bpf_map_create(
		BPF_MAP_TYPE_ARRAY, "cul_doctor", sizeof(uint32_t), sizeof(*counts), 1);
	cul_autoclose int prog = map < 0 ? map : load_counter(map);
	volatile uint64_t cell __attribute__((aligned(8))) = 0;
	const struct cul_breakpoint bp = {.addr = (uint64_t)(uintptr_t)&cell,
		.len = sizeof(cell),
		.access = CUL_ACCESS_WRITE,
		.tid = gettid(),
		.cpu = -1};
	const uint32_t key = 0;
	int r;

	if (prog < 0)
		return cul_fail(err, prog, "loading a program that counts: %s", cul_strerror(prog));
	cul_autoclose int fd = cul_breakpoint_open(&bp, prog, err);
	if (fd < 0)
		return fd;
	r = cul_sys_perf_enable(fd);
	cell = 1;
	if (r == 0)
		r = cul_sys_perf_disable(fd);
	if (r == 0)
		r = cul_sys_bpf_map_lookup(map, &key, counts);
	return r < 0 ? cul_fail(err, r, "running a program at a hit: %s", cul_strerror(r)) : 0;
}

static void check_run(struct cul_doctor *d)
{
	struct cul_doctor_check run = {.id = "bpf-attach", .what = "run a BPF program at each hit"};
	struct cul_doctor_check read = {
		.id = "bpf-read", .what = "read values in the kernel at a hit"};
	struct counts counts = {0};
	struct cul_error err = {0};
	const char *lockdown;
	int r = 0;

	if (!d->bpf || !d->breakpoints) {
		run.answer = read.answer = CUL_DOCTOR_UNTRIED;
		run.because = read.because =
			d->bpf ? "no breakpoint fires here" : "no BPF program can be loaded";
	} else if ((r = run_counter(&counts, &err)) < 0 || !counts.ran) {
		run.answer = CUL_DOCTOR_NO;
		run.because = r < 0 ? cul_doctor_text(d, "%s", err.text)
				    : "the breakpoint fired, the program did not run";
		run.remedy = cul_sys_bpf_confidential() ? CUL_DOCTOR_CONFIDENTIAL
							: cul_doctor_option(d, "CONFIG_BPF_EVENTS");
		read.answer = CUL_DOCTOR_UNTRIED;
		read.because = "no program runs at a hit";
	} else if (!counts.read) {
		lockdown = cul_doctor_line(d, "/sys/kernel/security/lockdown");
		read.answer = CUL_DOCTOR_NO;
		read.because = cul_doctor_text(d, "the kernel refuses the read; lockdown: %s",
			lockdown ? lockdown : "unknown");
		read.remedy = CUL_DOCTOR_CONFIDENTIAL;
	}
	cul_doctor_note(d, &run);
	cul_doctor_note(d, &read);
}

void cul_doctor_programs(struct cul_doctor *d)
{
	check_load(d);
	/* The rest is what watch and probe need. */
	if (!d->arch)
		return;
	check_ring(d);
	check_run(d);
}
