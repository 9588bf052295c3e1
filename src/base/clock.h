/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The clock that everything is told by, the one of BPF's bpf_ktime_get_ns(), and one for limits. */
#ifndef CUL_BASE_CLOCK_H
#define CUL_BASE_CLOCK_H

#include <stdint.h>

uint64_t cul_clock_now(void); /* CLOCK_MONOTONIC, ns */

/* What this thread has worked, CLOCK_THREAD_CPUTIME_ID, ns: bounds work on a busy machine too. */
uint64_t cul_clock_worked(void);

#endif
