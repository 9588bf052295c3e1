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

/* process_vm_readv(2) of one block: the bytes that came, which may be fewer at an unmapped page. */
ssize_t cul_sys_process_vm_readv(pid_t pid, uint64_t addr, void *buf, size_t size);

#endif
