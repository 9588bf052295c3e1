/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The debug registers of a run: proved to fire, pointed at the targets, counted
 * and given back.
 */
#ifndef CUL_WATCH_ARM_H
#define CUL_WATCH_ARM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/vec.h"
#include "trace/cpus.h"
#include "watch/program.h"
#include "watch/target.h"

struct cul_watch_event_fd {
	int fd;
	int cpu;   /* -1 for a thread's */
	pid_t tid; /* -1 for a CPU's */
	unsigned target;
	uint64_t base;  /* count of its self-test */
	uint64_t count; /* when last read */
};

struct cul_watch_arm {
	const struct cul_arch *arch;
	struct cul_watch_program *program;
	const struct cul_watch_target *targets;
	size_t n_targets;
	enum cul_access_kind access;
	pid_t pid; /* 0: kernel */
	CUL_VEC(struct cul_watch_event_fd) events;
	struct cul_cpus armed; /* CPUs that watch (kernel), or on which it was proved (process) */
	unsigned n_threads;
	uint64_t hits_gone;   /* of events that were closed with their CPU */
	uint64_t hits_before; /* what the program had counted when the events were opened */
	uint64_t hit_cost_ns; /* of one hit with our program, by the self-test */
};

/* Debug registers that all targets take together, on the CPU or thread that takes most. */
unsigned cul_watch_arm_slots(const struct cul_watch_arm *a);

/*
 * Kernel targets: opens each register of `cpu` on memory of our own, sees it fire on that CPU, and
 * moves it to its target. All of them, or none and an error: -ENOSPC (taken), -ENXIO (armed, but
 * did not fire), and what the kernel says.
 */
int cul_watch_arm_cpu(struct cul_watch_arm *a, int cpu, struct cul_error *err);

/*
 * Process targets: sees a register fire on each online CPU for a thread of our own, then opens the
 * registers of every thread of the process, with inheritance. No thread is missed: the list of
 * threads is the same before and after.
 */
int cul_watch_arm_process(struct cul_watch_arm *a, struct cul_error *err);

/* Hits since arming, as the kernel counted them before any program ran. */
uint64_t cul_watch_arm_hits(struct cul_watch_arm *a);

/* Those of them that the program did not see: another BPF program ran on that CPU. */
uint64_t cul_watch_arm_busy(struct cul_watch_arm *a);

/* Whether every event was on all the time since it was enabled; else the share in percent. */
unsigned cul_watch_arm_share(struct cul_watch_arm *a);

/* Stops counting; the registers are free after cul_watch_arm_free. */
void cul_watch_arm_disable(struct cul_watch_arm *a);
void cul_watch_arm_free(struct cul_watch_arm *a);

#endif
