/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether functions can be probed. Only a function of our own is: of the kernel it is asked for
 * what it must refuse, and how it refuses tells what it can do.
 */
#include "doctor/checks.h"

#include <errno.h>
#include <unistd.h>

#include <linux/bpf.h>

#include "base/cleanup.h"
#include "sys/insns.h"
#include "sym/btf.h"
#include "sym/maps.h"
#include "sys/bpf.h"
#include "trace/attach.h"

enum { NO_CODE = 1, CALLS = 3 };

/* A function of the kernel's that exists for such programs (net/bpf/test_run.c). */
static const char SUBJECT[] = "bpf_fentry_test1";

static const struct bpf_insn nothing[] = {
	INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0),
	INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
};

static int load(enum bpf_prog_type type, enum bpf_attach_type attach, uint32_t btf_id,
	const struct bpf_insn *insns, size_t n)
{
	const struct cul_bpf_prog prog = {.type = type,
		.name = "cul_doctor",
		.insns = insns,
		.n = n,
		.expected_attach_type = attach,
		.attach_btf_id = btf_id};

	return cul_sys_bpf_prog_load_attr(&prog);
}

static void no(struct cul_doctor *d, struct cul_doctor_check *c, int code, const char *option)
{
	c->answer = CUL_DOCTOR_NO;
	if (!c->because)
		c->because = cul_doctor_text(d, "%s", cul_strerror(code));
	c->remedy = (code == -EPERM || code == -EACCES) && geteuid()
			    ? "run as root or with CAP_BPF and CAP_PERFMON"
			    : cul_doctor_option(d, option);
}

static void untried(struct cul_doctor *d, struct cul_doctor_check *c)
{
	c->answer = CUL_DOCTOR_UNTRIED;
	c->because = "no BPF program can be loaded";
	cul_doctor_note(d, c);
}

/* What is called; its address is that of a file's instruction. */
static __attribute__((noinline)) void called(void)
{
	__asm__ volatile("");
}

static int count_calls(int map, uint64_t *n, struct cul_error *err)
{
	const struct bpf_insn insns[] = {
		INSN(BPF_ST | BPF_MEM | BPF_W, 10, 0, -4, 0), /* key 0 */
		INSN(BPF_LD | BPF_IMM | BPF_DW, 1, BPF_PSEUDO_MAP_FD, 0, map),
		INSN(0, 0, 0, 0, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, 2, 10, 0, 0),
		INSN(BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, -4),
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem),
		INSN(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 2, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 1, 0, 0, 1),
		INSN(BPF_STX | BPF_ATOMIC | BPF_DW, 0, 1, 0, BPF_ADD),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};
	cul_autoclose int prog = load(BPF_PROG_TYPE_KPROBE, 0, 0, insns, N_INSNS(insns));
	struct cul_attachment attached = CUL_ATTACHMENT_NONE;
	uint64_t addr = (uint64_t)(uintptr_t)called;
	struct cul_maps maps = {0};
	const struct cul_map *m;
	const uint32_t key = 0;
	int r;

	if (prog < 0)
		return cul_fail(err, prog, "loading a program that counts: %s", cul_strerror(prog));
	r = cul_maps_read(getpid(), &maps, err);
	m = r ? NULL : cul_maps_at(&maps, addr);
	if (!r)
		r = m ? cul_attach_uprobe(prog, "/proc/self/exe", addr - m->start + m->offset,
				getpid(), 0, false, &attached, err)
		      : cul_fail(err, -EFAULT, "our own code is not mapped");
	cul_maps_free(&maps);
	if (r)
		return r;
	for (int i = 0; i < CALLS; i++)
		called();
	cul_attachment_detach(&attached);
	return cul_sys_bpf_map_lookup(map, &key, n);
}

static void check_uprobe(struct cul_doctor *d)
{
	struct cul_doctor_check c = {
		.id = "probe-user", .what = "probe functions of a process (uprobes)"};
	cul_autoclose int map = cul_sys_bpf_map_create(BPF_MAP_TYPE_ARRAY, "cul_doctor", 4, 8, 1);
	struct cul_error err = {0};
	uint64_t n = 0;
	int r = map < 0 ? map : count_calls(map, &n, &err);

	if (r || n != CALLS) {
		c.because = r ? cul_doctor_text(d, "%s", err.text)
			      : cul_doctor_text(
					d, "%d of %d calls of our own were seen", (int)n, CALLS);
		no(d, &c, r, "CONFIG_UPROBE_EVENTS");
	} else {
		c.found = cul_doctor_text(d, "%d of %d calls of our own were seen", CALLS, CALLS);
	}
	cul_doctor_note(d, &c);
}

static void check_kprobe(struct cul_doctor *d)
{
	struct cul_doctor_check c = {
		.id = "probe-kernel", .what = "probe functions of the kernel (kprobes)"};
	cul_autoclose int prog = load(BPF_PROG_TYPE_KPROBE, 0, 0, nothing, N_INSNS(nothing));
	struct cul_attachment attached = CUL_ATTACHMENT_NONE;
	struct cul_error err = {0};
	int r = prog < 0 ? prog : cul_attach_kprobe(prog, NO_CODE, 0, false, &attached, &err);

	cul_attachment_detach(&attached);
	if (access("/sys/bus/event_source/devices/kprobe/type", R_OK)) {
		c.because = "perf has no kprobes here";
		no(d, &c, -ENOENT, "CONFIG_KPROBE_EVENTS");
	} else if (r == -EPERM || r == -EACCES || prog < 0) {
		no(d, &c, r, "CONFIG_KPROBE_EVENTS");
	}
	cul_doctor_note(d, &c);
}

static void check_multi(struct cul_doctor *d)
{
	struct cul_doctor_check c = {.id = "probe-multi",
		.what = "probe thousands of the kernel's functions at once (kprobe-multi)"};
	cul_autoclose int prog =
		load(BPF_PROG_TYPE_KPROBE, BPF_TRACE_KPROBE_MULTI, 0, nothing, N_INSNS(nothing));
	struct cul_attachment attached = CUL_ATTACHMENT_NONE;
	const uint64_t addr = NO_CODE, cookie = 0;
	struct cul_error err = {0};
	int r = prog < 0 ? prog
			 : cul_attach_kprobe_multi(prog, &addr, &cookie, 1, false, &attached, &err);

	cul_attachment_detach(&attached);
	if (prog < 0 || r == -ENOTSUP || r == -EPERM) {
		c.because =
			"the kernel has no fprobe: they are probed one by one, which takes longer";
		no(d, &c, r, "CONFIG_FPROBE");
	}
	cul_doctor_note(d, &c);
}

static void check_fentry(struct cul_doctor *d)
{
	struct cul_doctor_check c = {.id = "probe-fentry",
		.what = "probe single functions of the kernel at the least cost (fentry)"};
	struct cul_btf *btf = NULL;
	struct cul_error err = {0};
	int r = cul_btf_open("/sys/kernel/btf/vmlinux", NULL, &btf, &err);
	uint32_t id = r ? 0 : cul_btf_func_id(btf, SUBJECT);
	cul_autoclose int prog =
		id ? load(BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY, id, nothing, N_INSNS(nothing))
		   : -ENOENT;

	cul_btf_free(btf);
	if (prog < 0) {
		c.because = r     ? cul_doctor_text(d, "%s", err.text)
			    : !id ? cul_doctor_text(d, "%s is not in the kernel's BTF", SUBJECT)
				  : NULL;
		no(d, &c, r ? r : prog,
			r ? "CONFIG_DEBUG_INFO_BTF" : "CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS");
	} else {
		c.found = "a program for it was loaded, not attached";
	}
	cul_doctor_note(d, &c);
}

static void check_maxactive(struct cul_doctor *d)
{
	struct cul_doctor_check c = {.id = "probe-maxactive",
		.what = "choose how many calls are followed to their return (--maxactive)"};

	if (access("/sys/kernel/tracing/kprobe_events", W_OK) &&
		access("/sys/kernel/debug/tracing/kprobe_events", W_OK)) {
		c.answer = CUL_DOCTOR_NO;
		c.because = "tracefs has no kprobe_events that can be written";
		c.remedy = cul_doctor_text(d, "mount -t tracefs none /sys/kernel/tracing; %s",
			cul_doctor_option(d, "CONFIG_KPROBE_EVENTS"));
	}
	cul_doctor_note(d, &c);
}

static void check_inject(struct cul_doctor *d)
{
	static const struct bpf_insn insns[] = {
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 2, 0, 0, 0),
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_override_return),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};
	struct cul_doctor_check c = {
		.id = "probe-inject", .what = "change what a function returns (--inject)"};
	cul_autoclose int prog = load(BPF_PROG_TYPE_KPROBE, 0, 0, insns, N_INSNS(insns));

	if (prog < 0) {
		c.because = "programs that do it are refused";
		no(d, &c, prog, "CONFIG_BPF_KPROBE_OVERRIDE");
	}
	cul_doctor_note(d, &c);
}

void cul_doctor_probes(struct cul_doctor *d)
{
	static void (*const all[])(struct cul_doctor *) = {check_kprobe, check_multi, check_fentry,
		check_uprobe, check_maxactive, check_inject};
	struct cul_doctor_check c = {.id = "probe", .what = "probe functions"};

	if (!d->arch) {
		cul_doctor_strange(d, c.id, c.what);
		return;
	}
	if (!d->bpf) {
		untried(d, &c);
		return;
	}
	if (cul_sys_bpf_confidential()) {
		/* Programs of the least kind can be loaded still, and ours cannot. */
		c.answer = CUL_DOCTOR_NO;
		c.because = "no program may read the kernel's memory";
		c.remedy = CUL_DOCTOR_CONFIDENTIAL;
		cul_doctor_note(d, &c);
		return;
	}
	for (size_t i = 0; i < N_INSNS(all); i++)
		all[i](d);
}
