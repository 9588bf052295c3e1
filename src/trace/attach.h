/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Attaching BPF programs to functions, instructions and tracepoints. All of it
 * hangs on descriptors: closed, by us or by the kernel when we die, and the code
 * is as it was. The one exception is a kretprobe with a chosen number of
 * instances, which only tracefs can make: trace/kretprobe.h.
 *
 * The sites' numbers travel as attach cookies (kernel 5.15; fentry 5.19).
 */
#ifndef CUL_TRACE_ATTACH_H
#define CUL_TRACE_ATTACH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

enum cul_attach_kind {
	CUL_ATTACH_FENTRY, /* and fexit: by the trampoline of ftrace, one program a function */
	CUL_ATTACH_KPROBE_MULTI, /* one fprobe for many functions (kernel 5.18) */
	CUL_ATTACH_KPROBE,       /* perf's kprobe or kretprobe, one a place */
	CUL_ATTACH_TRACEFS,      /* kretprobe with maxactive */
	CUL_ATTACH_UPROBE,
	CUL_ATTACH_RAW_TRACEPOINT,
};

/* One attachment: a program at one or many places. */
struct cul_attachment {
	enum cul_attach_kind kind;
	bool at_return;
	int link_fd; /* bpf link, -1: none */
	int perf_fd; /* perf event below it, -1: none */
	int prog_fd; /* borrowed */
};

#define CUL_ATTACHMENT_NONE ((struct cul_attachment){.link_fd = -1, .perf_fd = -1, .prog_fd = -1})

/*
 * Each returns 0 and fills `out`, or a negative errno with a sentence: what the place was, why the
 * kernel refused it, what to do. Programs were loaded with the expected attach type that goes with
 * it (fentry, fexit: and with the function as their target).
 */
int cul_attach_fentry(int prog_fd, uint64_t cookie, bool at_return, struct cul_attachment *out,
	struct cul_error *err);
/*
 * `addrs` sorted or not; all or none. -ENOTSUP: the kernel has no fprobe (CONFIG_FPROBE). -EINVAL:
 * ftrace does not know one of them (__ftrace_match_addr() of kernel/trace/ftrace.c, v6.12), or the
 * program was not loaded for BPF_TRACE_KPROBE_MULTI; the sentence names the first address at fault,
 * found by attaching halves. The same program may be attached more than once.
 */
int cul_attach_kprobe_multi(int prog_fd, const uint64_t *addrs, const uint64_t *cookies, size_t n,
	bool at_return, struct cul_attachment *out, struct cul_error *err);
/*
 * -EINVAL: on the blacklist, notrace, a jump label or a static call (check_kprobe_address_safe() of
 * kernel/kprobes.c, __register_trace_kprobe() of kernel/trace/trace_kprobe.c), and `at_return`
 * where no function begins; -EILSEQ: not the start of an instruction (x86: arch_prepare_kprobe());
 * -ENOENT: no kernel code (so seen on 6.1 and 6.12).
 */
int cul_attach_kprobe(int prog_fd, uint64_t addr, uint64_t cookie, bool at_return,
	struct cul_attachment *out, struct cul_error *err);
/*
 * `path`: the file, as this process can open it; `offset` in the file. The breakpoint is in the
 * address space of `pid` alone (-1: in everyone's who maps the file).
 */
int cul_attach_uprobe(int prog_fd, const char *path, uint64_t offset, pid_t pid, uint64_t cookie,
	bool at_return, struct cul_attachment *out, struct cul_error *err);
/* `name` without its subsystem: "sched_switch". Cookies since 6.10; 0 else. */
int cul_attach_raw_tracepoint(int prog_fd, const char *name, uint64_t cookie,
	struct cul_attachment *out, struct cul_error *err);

void cul_attachment_detach(struct cul_attachment *a); /* leaves it NONE; accepts NONE */

/*
 * How often the place was reached and the program did not run, as far as the kernel tells: misses
 * of the probe itself (kprobes: nested or no free return instance; bpf_link_info, kernel 6.7) and
 * runs refused because the program was running on that CPU already (bpf_prog_info, kernel 5.12; for
 * kprobes and uprobes, where any BPF program keeps another out, 6.7). `recursion` is the program's:
 * all its attachments tell the same number. On kernels before 6.7 nothing is known of kprobes but
 * of those in tracefs: cul_kretprobe_missed().
 */
struct cul_attach_misses {
	bool probe_known, recursion_known;
	uint64_t probe, recursion;
};

void cul_attachment_misses(const struct cul_attachment *a, struct cul_attach_misses *out);

#endif
