/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a unit test makes a system call fail. Each wrapper of src/sys asks
 * cul_sys_faulted() first; nobody else does. Allocation has its own hook
 * (base/alloc.h).
 */
#ifndef CUL_SYS_FAULT_H
#define CUL_SYS_FAULT_H

/* One value a wrapped call. */
enum cul_sys_call {
	CUL_SYS_OPEN,
	CUL_SYS_READ,
	CUL_SYS_PREAD,
	CUL_SYS_WRITE,
	CUL_SYS_MMAP,
	CUL_SYS_PROCESS_VM_READV,
	CUL_SYS_PERF_EVENT_OPEN,
	CUL_SYS_PERF_IOCTL,
	CUL_SYS_PERF_READ,
	CUL_SYS_BPF, /* each command of bpf(2) that sys/bpf.h wraps; loading a skeleton is one */
	CUL_SYS_PTRACE,
	CUL_SYS_WAIT,
	CUL_SYS_PIDFD_OPEN,
	CUL_SYS_N_CALLS,
};

/*
 * Tests only: the call after `after` further calls of that kind fails with `error` (a positive
 * errno), and each one from then on. `after` -1: none fails any more.
 */
void cul_sys_fail(enum cul_sys_call call, int after, int error);
/* The same, for that one call alone. */
void cul_sys_fail_once(enum cul_sys_call call, int after, int error);
void cul_sys_fail_none(void);

/* For the wrappers: a negative errno when this call is to fail, 0 otherwise. */
int cul_sys_faulted(enum cul_sys_call call);

#endif
