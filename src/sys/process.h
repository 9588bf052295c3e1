/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * System calls about another process whose failure a test must be able to
 * cause. All return a negative errno on failure.
 */
#ifndef CUL_SYS_PROCESS_H
#define CUL_SYS_PROCESS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/*
 * ptrace(2) without PTRACE_PEEK*, whose result is a value. `data`: a number or a pointer, as the
 * request has it. 0 or a negative errno.
 */
int cul_sys_ptrace(int request, pid_t pid, uintptr_t data);

/*
 * PTRACE_GETREGSET of the set `type` (NT_PRSTATUS). `*size`: the room, then what the kernel filled,
 * which tells a 32-bit process from a 64-bit one.
 */
int cul_sys_ptrace_regset(pid_t tid, unsigned type, void *buf, size_t *size);

/*
 * Whether the tracee has stopped, without waiting and without taking the stop away: `*stop` is its
 * signal and event << 8. -EAGAIN: not yet; -ECHILD: it has ended, or is no tracee of this thread.
 */
int cul_sys_ptrace_stop(pid_t tid, int *stop);

/* Lets go of a tracee, of any thread of ours, that has ended; of no other. */
void cul_sys_ptrace_reap(pid_t tid);

/* A descriptor (close-on-exec) that is readable when the process has ended (kernel 5.3). */
int cul_sys_pidfd_open(pid_t pid);

/* process_vm_readv(2) of one block: the bytes that came, which may be fewer at an unmapped page. */
ssize_t cul_sys_process_vm_readv(pid_t pid, uint64_t addr, void *buf, size_t size);

/*
 * The same of `n` blocks, 1024 at most, that go into `buf` one behind the other; it ends with the
 * first block that does not come whole.
 */
ssize_t cul_sys_process_vm_readv_all(pid_t pid, const struct iovec *blocks, size_t n, void *buf);

/*
 * Our PID namespace, as bpf_get_ns_current_pid_tgid() wants it. 0, 0: the machine's own, where
 * processes have the numbers that the kernel has for them.
 */
struct cul_sys_pidns {
	uint64_t dev, ino;
};
struct cul_sys_pidns cul_sys_pidns(void);

/* As many descriptors as we may have: probes and registers take one or two each. */
void cul_sys_raise_file_limit(void);

#endif
