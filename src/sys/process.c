/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sys/process.h"

#include <errno.h>
#include <sys/uio.h>

#include "sys/fault.h"

ssize_t cul_sys_process_vm_readv(pid_t pid, uint64_t addr, void *buf, size_t size)
{
	struct iovec local = {.iov_base = buf, .iov_len = size};
	struct iovec remote = {.iov_base = (void *)(uintptr_t)addr, .iov_len = size};
	ssize_t n = cul_sys_faulted(CUL_SYS_PROCESS_VM_READV);

	if (n < 0)
		return n;
	n = process_vm_readv(pid, &local, 1, &remote, 1, 0);
	return n < 0 ? -errno : n;
}
