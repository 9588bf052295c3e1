/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory of a live process: process_vm_readv(2), and /proc/PID/mem for what that refuses. */
#include "mem/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "sys/file.h"
#include "sys/process.h"

struct process {
	struct cul_mem mem;
	pid_t pid;
	int fd; /* /proc/PID/mem */
};

/*
 * /proc/PID/mem reads pages without read permission, and still reads when the main thread is gone
 * while others run (process_vm_readv says ESRCH then).
 */
static int read_by_file(struct process *p, uint64_t addr, void *buf, size_t size)
{
	ssize_t n;

	if (addr > INT64_MAX || size > INT64_MAX - addr)
		return -EFAULT;
	n = cul_sys_pread_full(p->fd, buf, size, addr);
	if (n == -EIO)
		return -EFAULT;
	if (n < 0)
		return (int)n;
	return (size_t)n == size ? 0 : -ESRCH; /* an address space with no user left has no bytes */
}

static int process_read(struct cul_mem *mem, uint64_t addr, void *buf, size_t size)
{
	struct process *p = (struct process *)mem;
	ssize_t n;

	if (size == 0)
		return 0;
	n = cul_sys_process_vm_readv(p->pid, addr, buf, size);
	if (n < 0)
		n = 0;
	if ((size_t)n == size)
		return 0;
	return read_by_file(p, addr + (size_t)n, (char *)buf + n, size - (size_t)n);
}

static void process_free(struct cul_mem *mem)
{
	struct process *p = (struct process *)mem;

	close(p->fd);
	free(p);
}

/* The file stands for the memory it was opened with: at its end there is not even an error. */
static bool process_is_gone(struct cul_mem *mem)
{
	struct process *p = (struct process *)mem;
	char byte;

	return pread(p->fd, &byte, 1, 0) == 0;
}

static const struct cul_mem_ops process_ops = {
	.name = "process_vm_readv",
	.read = process_read,
	.free = process_free,
	.is_gone = process_is_gone,
};

static int fail_open(pid_t pid, int code, struct cul_error *err)
{
	switch (code) {
	case -ESRCH:
		if (kill(pid, 0) == 0 || errno == EPERM)
			return cul_fail(err, code,
				"memory of process %d: it has none: it is a kernel thread, has "
				"ended, or its first thread has ended",
				(int)pid);
		/* fallthrough */
	case -ENOENT:
		return cul_fail(
			err, -ESRCH, "memory of process %d: there is no such process", (int)pid);
	case -EACCES:
	case -EPERM:
		return cul_fail(err, -EPERM, "memory of process %d: not permitted%s", (int)pid,
			geteuid() == 0 ? ", though this is root: CAP_SYS_PTRACE is missing here "
					 "(a container?), or a security module forbids it"
				       : "; run as root or with CAP_SYS_PTRACE (your own "
					 "processes: see kernel.yama.ptrace_scope)");
	default:
		return cul_fail(err, code, "memory of process %d: cannot open /proc/%d/mem: %s",
			(int)pid, (int)pid, cul_strerror(code));
	}
}

int cul_mem_process(pid_t pid, struct cul_mem **out, struct cul_error *err)
{
	cul_autoclose int fd = -1;
	struct process *p;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	fd = cul_sys_open(path, O_RDONLY);
	if (fd < 0)
		return fail_open(pid, fd, err);
	p = cul_calloc(1, sizeof(*p));
	if (!p)
		return cul_fail(err, -ENOMEM, "memory of process %d: out of memory", (int)pid);
	p->mem.ops = &process_ops;
	p->pid = pid;
	p->fd = cul_take_fd(&fd);
	*out = &p->mem;
	return 0;
}
