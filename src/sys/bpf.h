/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loading and running BPF programs by hand. Tests make both fail through
 * sys/fault.h. libbpf is kept from printing.
 */
#ifndef CUL_SYS_BPF_H
#define CUL_SYS_BPF_H

#include <stdint.h>

struct bpf_object_skeleton;

/* What NAME_bpf__load does, with a skeleton's `->skeleton`. 0 or a negative errno. */
int cul_sys_bpf_load(struct bpf_object_skeleton *skeleton);

/* Runs a raw tracepoint program once, on this CPU (kernel 5.10). 0 or a negative errno. */
int cul_sys_bpf_run(int prog_fd, uint32_t *result);

#endif
