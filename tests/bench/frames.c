// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * frames PID ROUNDS: walks the stacks of all threads of a process, which stands still meanwhile,
 * again and again, by culprit's unwinder, by libdwfl and (where it was built with it) by libunwind.
 * A line each: the name, frames, nanoseconds of processor time. Names of functions are not asked.
 */
#include <elf.h>
#include <elfutils/libdwfl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "stack/snapshot.h"
#include "stack/stop.h"
#include "sym/process.h"
#include "unwind/process.h"

#ifdef HAVE_LIBUNWIND
#include <libunwind-ptrace.h>
#endif

struct target {
	pid_t pid;
	struct cul_stop stop;
	struct cul_thread_regs *regs;
};

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void fail(const char *what)
{
	fprintf(stderr, "frames: %s\n", what);
	exit(1);
}

static int count(void *data, const struct cul_frame *frame, const struct cul_thread_regs *regs)
{
	(*(uint64_t *)data)++;
	return 0;
}

static uint64_t by_culprit(struct target *t, int rounds)
{
	struct cul_process_syms *syms = NULL;
	struct cul_unwind_process *code = NULL;
	struct cul_snapshot *snapshot = NULL;
	struct cul_unwinder *u = NULL;
	struct cul_mem *mem = NULL;
	struct cul_code_space space;
	uint64_t frames = 0;

	if (cul_process_open(t->pid, NULL, &syms, NULL) || cul_mem_process(t->pid, &mem, NULL) ||
		cul_snapshot_new(t->pid, mem, t->stop.threads.len, &snapshot) ||
		cul_unwind_process_new(syms, cul_snapshot_mem(snapshot), &code))
		fail("culprit");
	space = cul_unwind_process_space(code);
	if (cul_unwinder_new(cul_arch_host(), cul_snapshot_mem(snapshot), &space, &u))
		fail("culprit");
	for (size_t i = 0; i < t->stop.threads.len; i++)
		cul_snapshot_copy(snapshot, t->regs[i].regs.r[cul_arch_host()->reg_sp]);
	for (int round = 0; round < rounds; round++) {
		for (size_t i = 0; i < t->stop.threads.len; i++) {
			struct cul_unwind_end end;

			cul_unwind(u, &t->regs[i], NULL, count, &frames, &end);
		}
	}
	cul_unwinder_free(u);
	cul_unwind_process_free(code);
	cul_snapshot_free(snapshot);
	cul_mem_free(mem);
	cul_process_free(syms);
	return frames;
}

static int on_frame(Dwfl_Frame *frame, void *data)
{
	(*(uint64_t *)data)++;
	return DWARF_CB_OK;
}

static uint64_t by_libdwfl(struct target *t, int rounds)
{
	static const Dwfl_Callbacks callbacks = {.find_elf = dwfl_linux_proc_find_elf,
		.find_debuginfo = dwfl_standard_find_debuginfo};
	Dwfl *dwfl = dwfl_begin(&callbacks);
	uint64_t frames = 0;

	if (!dwfl || dwfl_linux_proc_report(dwfl, t->pid) || dwfl_report_end(dwfl, NULL, NULL) ||
		dwfl_linux_proc_attach(dwfl, t->pid, true))
		fail("libdwfl");
	for (int round = 0; round < rounds; round++) {
		for (size_t i = 0; i < t->stop.threads.len; i++)
			dwfl_getthread_frames(dwfl, t->stop.threads.data[i].tid, on_frame, &frames);
	}
	dwfl_end(dwfl);
	return frames;
}

#ifdef HAVE_LIBUNWIND
static uint64_t by_libunwind(struct target *t, int rounds)
{
	unw_addr_space_t space = unw_create_addr_space(&_UPT_accessors, 0);
	uint64_t frames = 0;

	unw_set_caching_policy(space, UNW_CACHE_GLOBAL);
	for (int round = 0; round < rounds; round++) {
		for (size_t i = 0; i < t->stop.threads.len; i++) {
			void *upt = _UPT_create(t->stop.threads.data[i].tid);
			unw_cursor_t cursor;

			if (upt && unw_init_remote(&cursor, space, upt) == 0) {
				do
					frames++;
				while (unw_step(&cursor) > 0);
			}
			_UPT_destroy(upt);
		}
	}
	unw_destroy_addr_space(space);
	return frames;
}
#endif

static void measure(const char *name, struct target *t, int rounds,
	uint64_t (*walk)(struct target *t, int rounds))
{
	uint64_t start = now(), frames = walk(t, rounds);

	printf("%s %llu %llu\n", name, (unsigned long long)frames,
		(unsigned long long)(now() - start));
}

int main(int argc, char **argv)
{
	struct target t = {.pid = argc > 2 ? atoi(argv[1]) : 0};
	int rounds = argc > 2 ? atoi(argv[2]) : 0;

	if (t.pid <= 0 || rounds <= 0 || !cul_arch_host())
		return 2;
	if (cul_stop_threads(t.pid, &t.stop, NULL))
		fail("it cannot be stopped");
	t.regs = calloc(t.stop.threads.len, sizeof(*t.regs));
	for (size_t i = 0; t.regs && i < t.stop.threads.len; i++) {
		struct iovec room = {
			.iov_base = &t.regs[i].regs, .iov_len = sizeof(t.regs[i].regs)};

		if (ptrace(PTRACE_GETREGSET, t.stop.threads.data[i].tid, (void *)NT_PRSTATUS,
			    &room))
			fail("registers");
		t.regs[i].known = ~0ull;
	}
	measure("culprit", &t, rounds, by_culprit);
	measure("libdwfl", &t, rounds, by_libdwfl);
#ifdef HAVE_LIBUNWIND
	measure("libunwind", &t, rounds, by_libunwind);
#endif
	cul_stop_release(&t.stop);
	free(t.regs);
	return 0;
}
