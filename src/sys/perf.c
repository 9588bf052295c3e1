/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sys/perf.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/fault.h"

int cul_sys_perf_event_open(const struct perf_event_attr *attr, pid_t pid, int cpu)
{
	long fd = cul_sys_faulted(CUL_SYS_PERF_EVENT_OPEN);

	if (fd < 0)
		return (int)fd;
	fd = syscall(SYS_perf_event_open, attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : (int)fd;
}

static int control(int fd, unsigned long request, unsigned long arg)
{
	int r = cul_sys_faulted(CUL_SYS_PERF_IOCTL);

	if (r < 0)
		return r;
	return ioctl(fd, request, arg) < 0 ? -errno : 0;
}

int cul_sys_perf_enable(int fd)
{
	return control(fd, PERF_EVENT_IOC_ENABLE, 0);
}

int cul_sys_perf_disable(int fd)
{
	return control(fd, PERF_EVENT_IOC_DISABLE, 0);
}

int cul_sys_perf_set_bpf(int fd, int prog_fd)
{
	return control(fd, PERF_EVENT_IOC_SET_BPF, (unsigned long)prog_fd);
}

int cul_sys_perf_modify(int fd, const struct perf_event_attr *attr)
{
	return control(fd, PERF_EVENT_IOC_MODIFY_ATTRIBUTES, (unsigned long)attr);
}

int cul_sys_perf_read(int fd, struct cul_perf_count *out)
{
	ssize_t n = cul_sys_faulted(CUL_SYS_PERF_READ);

	if (n < 0)
		return (int)n;
	n = read(fd, out, sizeof(*out));
	if (n < 0)
		return -errno;
	return n == sizeof(*out) ? 0 : -EIO; /* 0: the event is in error state */
}
