/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "sys/bpf.h"
#include "sys/fault.h"

/*
 * Newer than the header this is built with: include/uapi/linux/bpf.h of v6.12. `missed` of both
 * kinds came with v6.7, whose struct is therefore longer than that of v6.6.
 */
struct link_info {
	__u32 type, id, prog_id, pad;
	union {
		struct {
			__u64 addrs;
			__u32 count, flags;
			__u64 missed;
			__u64 cookies;
		} kprobe_multi;
		struct {
			__u32 type, pad;
			__u64 func_name;
			__u32 name_len, offset;
			__u64 addr;
			__u64 missed;
			__u64 cookie;
		} kprobe; /* perf_event, with what its union holds for this type */
	};
};

enum { /* enum bpf_link_type, enum bpf_perf_event_type of the same file */
	LINK_PERF_EVENT = 7,
	LINK_KPROBE_MULTI = 8,
	PERF_EVENT_KPROBE = 3,
	PERF_EVENT_KRETPROBE = 4,
	LINK_INFO_6_7 = offsetof(struct link_info, kprobe.cookie),
};

/* The same: `cookie` came with v6.10. */
struct raw_tracepoint_attr {
	__u64 name;
	__u32 prog_fd, pad;
	__u64 cookie;
};

static int result(int r)
{
	return r < 0 ? -errno : r;
}

int cul_sys_bpf_link_perf(int prog_fd, int perf_fd, __u64 cookie)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .perf_event.bpf_cookie = cookie);
	int r = cul_sys_faulted(CUL_SYS_BPF);

	return r ? r : result(bpf_link_create(prog_fd, perf_fd, BPF_PERF_EVENT, &opts));
}

int cul_sys_bpf_link_tracing(int prog_fd, enum bpf_attach_type type, __u64 cookie)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .tracing.cookie = cookie);
	int r = cul_sys_faulted(CUL_SYS_BPF);

	return r ? r : result(bpf_link_create(prog_fd, 0, type, &opts));
}

int cul_sys_bpf_link_kprobe_multi(
	int prog_fd, const __u64 *addrs, const __u64 *cookies, size_t n, bool at_return)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .kprobe_multi.cnt = (__u32)n,
		.kprobe_multi.addrs = (const unsigned long *)addrs, .kprobe_multi.cookies = cookies,
		.kprobe_multi.flags = at_return ? BPF_F_KPROBE_MULTI_RETURN : 0);
	int r = cul_sys_faulted(CUL_SYS_BPF);

	_Static_assert(sizeof(long) == sizeof(__u64), "the kernel takes longs");
	return r ? r : result(bpf_link_create(prog_fd, 0, BPF_TRACE_KPROBE_MULTI, &opts));
}

int cul_sys_bpf_link_raw_tracepoint(int prog_fd, const char *name, __u64 cookie)
{
	struct raw_tracepoint_attr attr;
	int r = cul_sys_faulted(CUL_SYS_BPF);

	if (r)
		return r;
	memset(&attr, 0, sizeof(attr));
	attr.name = (__u64)(uintptr_t)name;
	attr.prog_fd = (__u32)prog_fd;
	attr.cookie = cookie;
	return result((int)syscall(SYS_bpf, BPF_RAW_TRACEPOINT_OPEN, &attr, sizeof(attr)));
}

int cul_sys_bpf_link_iter(int prog_fd)
{
	int r = cul_sys_faulted(CUL_SYS_BPF);

	return r ? r : result(bpf_link_create(prog_fd, 0, BPF_TRACE_ITER, NULL));
}

int cul_sys_bpf_iter_create(int link_fd)
{
	int r = cul_sys_faulted(CUL_SYS_BPF);

	return r ? r : result(bpf_iter_create(link_fd));
}

int cul_sys_bpf_link_missed(int link_fd, __u64 *missed)
{
	struct link_info info;
	__u32 len = sizeof(info);
	int r = cul_sys_faulted(CUL_SYS_BPF);

	memset(&info, 0, sizeof(info));
	if (!r)
		r = result(bpf_obj_get_info_by_fd(link_fd, &info, &len));
	if (r)
		return r;
	if (len < LINK_INFO_6_7)
		return -ENODATA;
	if (info.type == LINK_KPROBE_MULTI)
		*missed = info.kprobe_multi.missed;
	else if (info.type == LINK_PERF_EVENT && (info.kprobe.type == PERF_EVENT_KPROBE ||
							 info.kprobe.type == PERF_EVENT_KRETPROBE))
		*missed = info.kprobe.missed;
	else
		return -EOPNOTSUPP;
	return 0;
}

int cul_sys_bpf_prog_recursion_misses(int prog_fd, __u64 *misses)
{
	struct bpf_prog_info info;
	__u32 len = sizeof(info);
	int r = cul_sys_faulted(CUL_SYS_BPF);

	memset(&info, 0, sizeof(info));
	if (!r)
		r = result(bpf_obj_get_info_by_fd(prog_fd, &info, &len));
	if (r)
		return r;
	if (len < offsetof(struct bpf_prog_info, recursion_misses) + sizeof(info.recursion_misses))
		return -ENODATA;
	*misses = info.recursion_misses;
	return 0;
}
