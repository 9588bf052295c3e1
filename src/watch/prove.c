/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watch/prove.h"

#include <errno.h>
#include <sched.h>

#include "base/clock.h"
#include "sys/bpf.h"
#include "watch.skel.h"

enum { ACCESSES = 8, ROUNDS = 5 };

static __attribute__((noinline)) void user_code(void)
{
	__asm__ volatile("" ::: "memory");
}

enum cul_watch_proof cul_watch_proof_for(enum cul_access_kind access, bool kernel)
{
	if (access == CUL_ACCESS_EXECUTE)
		return CUL_PROOF_CODE;
	return kernel ? CUL_PROOF_KERNEL : CUL_PROOF_USER;
}

/* One store by the kernel on `cpu`, in a BPF program that is run there. */
static int kernel_access(struct cul_watch_program *p, int cpu)
{
	return cul_sys_bpf_prog_run_on(bpf_program__fd(p->skel->progs.watch_proof), cpu);
}

int cul_watch_proof_addr(struct cul_watch_program *p, enum cul_watch_proof proof, uint64_t *addr,
	struct cul_error *err)
{
	int r;

	switch (proof) {
	case CUL_PROOF_USER:
		*addr = (uint64_t)(uintptr_t)&p->proof_cell;
		return 0;
	case CUL_PROOF_CODE:
		*addr = (uint64_t)(uintptr_t)user_code;
		return 0;
	default:
		break;
	}
	if (!p->skel->bss->proof_cell_addr) {
		r = kernel_access(p, sched_getcpu());
		if (r)
			return cul_fail(err, r, "running the self-test's store in the kernel: %s",
				cul_strerror(r));
	}
	*addr = p->skel->bss->proof_cell_addr;
	return 0;
}

static int make_accesses(
	struct cul_watch_program *p, enum cul_watch_proof proof, int cpu, uint64_t *cost_ns)
{
	uint64_t least = UINT64_MAX, start, took;
	int r;

	for (int i = 0; i < ACCESSES; i++) {
		start = cul_clock_now();
		if (proof == CUL_PROOF_KERNEL) {
			r = kernel_access(p, cpu);
			if (r)
				return r;
			took = p->skel->bss->proof_ns;
		} else {
			if (proof == CUL_PROOF_USER)
				p->proof_cell++;
			else
				user_code();
			took = cul_clock_now() - start;
		}
		if (took < least)
			least = took;
	}
	*cost_ns = least;
	return 0;
}

/* One round of accesses on `cpu`; `seen`: how many the program counted. */
static int make_round(struct cul_watch_program *p, enum cul_watch_proof proof, int cpu,
	uint64_t *cost_ns, uint64_t *seen, struct cul_error *err)
{
	const volatile __u64 *proofs;
	uint64_t before;
	struct cul_cpus here = {0}, there = {0}; /* cpu_set_t ends at 1024 CPUs */
	int r = 0;

	if (!cul_cpus_has(&p->possible, cpu))
		return cul_fail(err, -ENXIO, "self-test: there is no CPU %d", cpu);
	proofs = &p->heres[cpu].totals[0].proofs;
	before = *proofs;
	if (proof != CUL_PROOF_KERNEL) {
		cul_cpus_add(&there, cpu);
		if (sched_getaffinity(0, sizeof(here), (cpu_set_t *)&here))
			r = -errno;
		else if (sched_setaffinity(0, sizeof(there), (cpu_set_t *)&there))
			r = errno == EINVAL ? -EPERM : -errno; /* outside of our cpuset */
	}
	if (r)
		return cul_fail(err, r, "self-test on CPU %d: %s", cpu, cul_strerror(r));
	r = make_accesses(p, proof, cpu, cost_ns);
	if (proof != CUL_PROOF_KERNEL)
		sched_setaffinity(0, sizeof(here), (cpu_set_t *)&here);
	if (r)
		return cul_fail(err, r, "self-test on CPU %d: %s", cpu, cul_strerror(r));
	*seen = *proofs - before;
	return 0;
}

int cul_watch_prove(struct cul_watch_program *p, enum cul_watch_proof proof, int cpu,
	uint64_t *cost_ns, struct cul_error *err)
{
	uint64_t seen = 1;

	/* The kernel keeps our program out while another one runs on that CPU: some may be missed.
	 */
	for (int round = 0; round < ROUNDS && seen && seen < ACCESSES; round++) {
		int r = make_round(p, proof, cpu, cost_ns, &seen, err);

		if (r)
			return r;
	}
	if (seen < ACCESSES)
		return cul_fail(err, -ENXIO,
			"CPU %d: a debug register was armed and did not fire at a known access "
			"(%lu of %d "
			"seen); this machine's debug registers cannot be trusted here, which is "
			"known of some "
			"virtual machines",
			cpu, (unsigned long)seen, ACCESSES);
	return 0;
}
