/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/attach.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "sys/bpf.h"
#include "trace/attach_priv.h"

static void fill(struct cul_attachment *out, enum cul_attach_kind kind, bool at_return, int link_fd,
	int prog_fd)
{
	*out = CUL_ATTACHMENT_NONE;
	out->kind = kind;
	out->at_return = at_return;
	out->link_fd = link_fd;
	out->prog_fd = prog_fd;
}

bool cul_attach_explain_common(const char *what, int code, bool linking, struct cul_error *err)
{
	switch (code) {
	case -EPERM:
	case -EACCES:
		cul_fail(err, code,
			"%s: the kernel refuses it (%s); run as root, or give CAP_BPF, CAP_PERFMON "
			"and, for a process's functions or where kernel.perf_event_paranoid is "
			"more than 2, CAP_SYS_ADMIN; "
			"in lockdown mode (/sys/kernel/security/lockdown) nobody may",
			what, cul_strerror(code));
		return true;
	case -EMFILE:
	case -ENFILE:
		cul_fail(err, code, "%s: too many open files; raise `ulimit -n`", what);
		return true;
	case -ENOMEM:
		cul_fail(err, code, "%s: out of memory; probe fewer functions at once", what);
		return true;
	case -E2BIG:
		cul_fail(err, code,
			"%s: as many BPF programs are attached there as the kernel allows; "
			"`bpftool link` lists them",
			what);
		return true;
	case -EINVAL:
		if (!linking)
			return false;
		cul_fail(err, code,
			"%s: the kernel does not take the program there (%s); attach cookies need "
			"Linux 5.15, those of fentry 5.19",
			what, cul_strerror(code));
		return true;
	default:
		return false;
	}
}

int cul_attach_fentry(int prog_fd, uint64_t cookie, bool at_return, struct cul_attachment *out,
	struct cul_error *err)
{
	const char *what = at_return ? "attaching to a function's return by ftrace (fexit)"
				     : "attaching to a function by ftrace (fentry)";
	int fd = cul_sys_bpf_link_tracing(
		prog_fd, at_return ? BPF_TRACE_FEXIT : BPF_TRACE_FENTRY, cookie);

	if (fd >= 0) {
		fill(out, CUL_ATTACH_FENTRY, at_return, fd, prog_fd);
		return 0;
	}
	if (cul_attach_explain_common(what, fd, true, err))
		return fd;
	if (fd == -EBUSY)
		return cul_fail(err, fd,
			"%s: something else holds its entry (a live patch, or a program that is "
			"attached already); a kprobe may still go there",
			what);
	return cul_fail(err, fd, "%s: %s; a kprobe may still go there", what,
		fd == -524 /* ENOTSUPP, the kernel's own */ ? "this kernel or function allows none"
							    : cul_strerror(fd));
}

/* The first of the addresses that the kernel refuses; each try attaches the half of the rest. */
static uint64_t find_refused(int prog_fd, const uint64_t *addrs, size_t n, bool at_return)
{
	size_t good = 0, bad = n; /* [0, good) attach, [0, bad) do not */

	while (bad - good > 1) {
		size_t middle = good + (bad - good) / 2;
		int fd = cul_sys_bpf_link_kprobe_multi(
			prog_fd, (const __u64 *)addrs + good, NULL, middle - good, at_return);

		if (fd < 0) {
			bad = middle;
			continue;
		}
		close(fd);
		good = middle;
	}
	return addrs[good];
}

int cul_attach_kprobe_multi(int prog_fd, const uint64_t *addrs, const uint64_t *cookies, size_t n,
	bool at_return, struct cul_attachment *out, struct cul_error *err)
{
	const char *what = at_return ? "attaching to functions' returns by fprobe (kprobe-multi)"
				     : "attaching to functions by fprobe (kprobe-multi)";
	int fd = n ? cul_sys_bpf_link_kprobe_multi(
			     prog_fd, (const __u64 *)addrs, (const __u64 *)cookies, n, at_return)
		   : -EINVAL;

	if (fd >= 0) {
		fill(out, CUL_ATTACH_KPROBE_MULTI, at_return, fd, prog_fd);
		return 0;
	}
	if (fd == -EOPNOTSUPP)
		return cul_fail(err, -ENOTSUP,
			"%s: this kernel has none (CONFIG_FPROBE); attach by fentry or kprobes",
			what);
	if (fd == -EINVAL && n)
		return cul_fail(err, fd,
			"%s: ftrace does not know one of %zu functions (0x%llx: notrace, or its "
			"module went away), or the program was not made for it",
			what, n, (unsigned long long)find_refused(prog_fd, addrs, n, at_return));
	if (cul_attach_explain_common(what, fd, false, err))
		return fd;
	return cul_fail(err, fd, "%s: %s", what, cul_strerror(fd));
}

int cul_attach_raw_tracepoint(int prog_fd, const char *name, uint64_t cookie,
	struct cul_attachment *out, struct cul_error *err)
{
	int fd = cul_sys_bpf_link_raw_tracepoint(prog_fd, name, cookie);
	char what[160];

	if (fd == -EINVAL && cookie)
		fd = cul_sys_bpf_link_raw_tracepoint(prog_fd, name, 0);
	if (fd >= 0) {
		fill(out, CUL_ATTACH_RAW_TRACEPOINT, false, fd, prog_fd);
		return 0;
	}
	snprintf(what, sizeof(what), "attaching to tracepoint %.64s", name);
	if (fd == -ENOENT)
		return cul_fail(err, fd,
			"%s: there is none of that name; /sys/kernel/tracing/available_events has "
			"them, as subsystem:name",
			what);
	if (cul_attach_explain_common(what, fd, false, err))
		return fd;
	return cul_fail(err, fd, "%s: %s", what, cul_strerror(fd));
}

void cul_attachment_detach(struct cul_attachment *a)
{
	/* The link first: it holds the event. */
	if (a->link_fd >= 0)
		close(a->link_fd);
	if (a->perf_fd >= 0)
		close(a->perf_fd);
	*a = CUL_ATTACHMENT_NONE;
}

/*
 * Whether the kernel counts the runs that it refused: of ftrace's trampolines since 5.12 (with the
 * field), of kprobes and uprobes since 6.7 (trace_call_bpf() and kprobe_multi_link_prog_run() of
 * kernel/trace/bpf_trace.c), which is known by the links' own counter. Raw tracepoints: since the
 * kernel refuses any (6.2).
 */
static bool counts_recursion(const struct cul_attachment *a)
{
	__u64 missed;

	switch (a->kind) {
	case CUL_ATTACH_FENTRY:
	case CUL_ATTACH_RAW_TRACEPOINT:
		return true;
	case CUL_ATTACH_UPROBE:
		return cul_sys_bpf_link_missed(a->link_fd, &missed) != -ENODATA;
	default:
		return !cul_sys_bpf_link_missed(a->link_fd, &missed);
	}
}

void cul_attachment_misses(const struct cul_attachment *a, struct cul_attach_misses *out)
{
	__u64 value = 0;

	*out = (struct cul_attach_misses){0};
	if (a->link_fd < 0)
		return;
	switch (a->kind) {
	case CUL_ATTACH_KPROBE_MULTI:
	case CUL_ATTACH_KPROBE:
	case CUL_ATTACH_TRACEFS:
		out->probe_known = !cul_sys_bpf_link_missed(a->link_fd, &value);
		break;
	case CUL_ATTACH_UPROBE:
		/* Only returns can be missed, of more than 64 nested calls, and are not counted. */
		out->probe_known = !a->at_return;
		break;
	default: /* nothing stands between the place and the program */
		out->probe_known = true;
		break;
	}
	out->probe = out->probe_known ? value : 0;
	value = 0;
	out->recursion_known =
		counts_recursion(a) && !cul_sys_bpf_prog_recursion_misses(a->prog_fd, &value);
	out->recursion = out->recursion_known ? value : 0;
}
