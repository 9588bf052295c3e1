/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sys/process.h"

#include <errno.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/fault.h"

int cul_sys_ptrace(int request, pid_t pid, uintptr_t data)
{
	int r = cul_sys_faulted(CUL_SYS_PTRACE);

	if (r < 0)
		return r;
	return ptrace((enum __ptrace_request)request, pid, NULL, data) < 0 ? -errno : 0;
}

int cul_sys_ptrace_regset(pid_t tid, unsigned type, void *buf, size_t *size)
{
	struct iovec room = {.iov_base = buf, .iov_len = *size};
	int r = cul_sys_faulted(CUL_SYS_PTRACE);

	if (r < 0)
		return r;
	if (ptrace(PTRACE_GETREGSET, tid, (void *)(uintptr_t)type, &room) < 0)
		return -errno;
	*size = room.iov_len;
	return 0;
}

int cul_sys_ptrace_stop(pid_t tid, int *stop)
{
	const int options = WSTOPPED | WEXITED | WNOHANG | WNOWAIT | __WALL;
	siginfo_t info = {0};
	int r = cul_sys_faulted(CUL_SYS_WAIT);

	if (r < 0)
		return r;
	if (waitid(P_PID, (id_t)tid, &info, options) < 0)
		return -errno;
	if (info.si_pid == 0)
		return -EAGAIN;
	if (info.si_code != CLD_TRAPPED && info.si_code != CLD_STOPPED)
		return -ECHILD;
	*stop = info.si_status;
	return 0;
}

void cul_sys_ptrace_reap(pid_t tid)
{
	const int options = WEXITED | WNOHANG | __WALL;
	siginfo_t info = {0};

	/* Without WNOWAIT a tracee's stop would be taken too, whatever the options say. */
	if (waitid(P_PID, (id_t)tid, &info, options | WNOWAIT) == 0 && info.si_pid &&
		info.si_code != CLD_TRAPPED && info.si_code != CLD_STOPPED)
		waitid(P_PID, (id_t)tid, NULL, options);
}

int cul_sys_pidfd_open(pid_t pid)
{
	long fd = cul_sys_faulted(CUL_SYS_PIDFD_OPEN);

	if (fd < 0)
		return (int)fd;
	fd = syscall(SYS_pidfd_open, pid, 0);
	return fd < 0 ? -errno : (int)fd;
}

ssize_t cul_sys_process_vm_readv(pid_t pid, uint64_t addr, void *buf, size_t size)
{
	const struct iovec block = {.iov_base = (void *)(uintptr_t)addr, .iov_len = size};

	return cul_sys_process_vm_readv_all(pid, &block, 1, buf);
}

ssize_t cul_sys_process_vm_readv_all(pid_t pid, const struct iovec *blocks, size_t n, void *buf)
{
	struct iovec local = {.iov_base = buf};
	ssize_t r = cul_sys_faulted(CUL_SYS_PROCESS_VM_READV);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		local.iov_len += blocks[i].iov_len;
	r = process_vm_readv(pid, &local, 1, blocks, n, 0);
	return r < 0 ? -errno : r;
}

void cul_sys_raise_file_limit(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) || files.rlim_cur >= files.rlim_max)
		return;
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
}

struct cul_sys_pidns cul_sys_pidns(void)
{
	enum { MACHINES = 0xeffffffcu, MINOR_BITS = 20 }; /* PROC_PID_INIT_INO; linux/kdev_t.h */
	struct stat st;

	if (stat("/proc/self/ns/pid", &st) || st.st_ino == MACHINES)
		return (struct cul_sys_pidns){0};
	return (struct cul_sys_pidns){
		.dev = (uint64_t)major(st.st_dev) << MINOR_BITS | minor(st.st_dev),
		.ino = st.st_ino,
	};
}
