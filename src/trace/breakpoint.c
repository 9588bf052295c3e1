/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/breakpoint.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <linux/hw_breakpoint.h>

#include "base/str.h"
#include "sys/perf.h"

static void fill(const struct cul_breakpoint *bp, struct perf_event_attr *attr)
{
	memset(attr, 0, sizeof(*attr));
	attr->size = sizeof(*attr);
	attr->type = PERF_TYPE_BREAKPOINT;
	attr->bp_addr = bp->addr;
	switch (bp->access) {
	case CUL_ACCESS_EXECUTE:
		attr->bp_type = HW_BREAKPOINT_X;
		attr->bp_len = sizeof(long); /* the one length the kernel takes for it */
		break;
	case CUL_ACCESS_READ_WRITE:
		attr->bp_type = HW_BREAKPOINT_RW;
		attr->bp_len = bp->len;
		break;
	default:
		attr->bp_type = HW_BREAKPOINT_W;
		attr->bp_len = bp->len;
		break;
	}
	attr->sample_period = 1;
	attr->disabled = 1;
	attr->inherit = bp->inherit;
	attr->exclude_kernel = bp->user_only;
	attr->exclude_hv = 1;
	attr->read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
	/* A child that becomes another program must not go on with an address of this one. */
	attr->remove_on_exec = bp->tid >= 0;
	attr->sigtrap = bp->sigtrap;
}

static int explain(const struct cul_breakpoint *bp, int code, struct cul_error *err)
{
	cul_autostr struct cul_str on = {0};

	if (bp->tid == 0)
		cul_str_add(&on, "this thread");
	else if (bp->tid > 0)
		cul_str_addf(&on, "thread %d", bp->tid);
	else
		cul_str_addf(&on, "CPU %d", bp->cpu);
	switch (code) {
	case -ENOSPC:
		return cul_fail(err, code, "%s has no free debug register", cul_str_text(&on));
	case -EACCES:
	case -EPERM:
		return cul_fail(err, code,
			"%s: the kernel refuses a breakpoint at 0x%lx; run as root, or give "
			"CAP_PERFMON, and CAP_SYS_ADMIN for the kernel's memory or where "
			"kernel.perf_event_paranoid is more than 2",
			cul_str_text(&on), (unsigned long)bp->addr);
	case -EINVAL:
		return cul_fail(err, code,
			"%s: the kernel allows no breakpoint of %u byte%s at 0x%lx (%s)",
			cul_str_text(&on), bp->len, bp->len == 1 ? "" : "s",
			(unsigned long)bp->addr,
			bp->access == CUL_ACCESS_EXECUTE
				? "code of its breakpoint handling, or a kernel without kprobes"
				: "it protects its entry code's data, GDT, TSS and per-CPU "
				  "offsets");
	case -ESRCH:
		return cul_fail(err, code, "%s is gone", cul_str_text(&on));
	case -ENOENT:
	case -ENODEV:
	case -EOPNOTSUPP:
		return cul_fail(err, code,
			"%s: this machine has no hardware breakpoints (CONFIG_HAVE_HW_BREAKPOINT, "
			"or a "
			"hypervisor that hides the debug registers)",
			cul_str_text(&on));
	case -EMFILE:
		return cul_fail(
			err, code, "%s: too many open files; raise `ulimit -n`", cul_str_text(&on));
	default:
		return cul_fail(err, code, "%s: breakpoint at 0x%lx: %s", cul_str_text(&on),
			(unsigned long)bp->addr, cul_strerror(code));
	}
}

int cul_breakpoint_open(const struct cul_breakpoint *bp, int prog_fd, struct cul_error *err)
{
	struct perf_event_attr attr;
	int fd, r;

	fill(bp, &attr);
	fd = cul_sys_perf_event_open(&attr, bp->tid, bp->cpu);
	if ((fd == -EINVAL || fd == -E2BIG) && attr.remove_on_exec && !bp->sigtrap) {
		attr.remove_on_exec = 0; /* before 5.13 */
		fd = cul_sys_perf_event_open(&attr, bp->tid, bp->cpu);
	}
	if (fd < 0)
		return explain(bp, fd, err);
	r = prog_fd < 0 ? 0 : cul_sys_perf_set_bpf(fd, prog_fd);
	if (r) {
		close(fd);
		return cul_fail(err, r,
			"attaching a BPF program to a breakpoint: %s (CONFIG_BPF_EVENTS, "
			"CAP_BPF and CAP_PERFMON)",
			cul_strerror(r));
	}
	return fd;
}

int cul_breakpoint_move(int fd, const struct cul_breakpoint *to, struct cul_error *err)
{
	struct perf_event_attr attr;
	int r;

	fill(to, &attr);
	attr.disabled = 0; /* the kernel enables it again by this bit */
	r = cul_sys_perf_modify(fd, &attr);
	return r ? explain(to, r, err) : 0;
}
