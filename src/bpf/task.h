/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Processes and threads by the numbers that the user knows them by: those of culprit's own PID
 * namespace.
 */
#ifndef CUL_BPF_TASK_H
#define CUL_BPF_TASK_H

#include "bpf/helpers.h"

const volatile __u64 pidns_dev, pidns_ino; /* 0: the machine's own */

__u32 outsiders; /* one was told of that has no number there */

/* As bpf_get_current_pid_tgid(). 0: it has no number, or is in a namespace of its own. */
static __always_inline __u64 task_id(void)
{
	struct bpf_pidns_info in = {};

	if (!pidns_ino)
		return bpf_get_current_pid_tgid();
	if (bpf_get_ns_current_pid_tgid(pidns_dev, pidns_ino, &in, sizeof(in)))
		return 0;
	return (__u64)in.tgid << 32 | in.pid;
}

/* It will be told with this number: the ledger has to say what 0 is. */
static __always_inline void note_outsider(__u64 id)
{
	if (pidns_ino && !id && bpf_get_current_pid_tgid()) /* not an idle CPU */
		outsiders = 1;
}

/* A number that nobody else has, for keys. `id`: what task_id() gave. */
static __always_inline __u64 task_key(__u64 id)
{
	return pidns_ino ? bpf_get_current_pid_tgid() : id;
}

#endif
