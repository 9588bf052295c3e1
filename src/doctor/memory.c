/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether memory can be read: the kernel's, and another process's. */
#include "doctor/checks.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mem/mem.h"

static void check_kernel(struct cul_doctor *d)
{
	struct cul_doctor_check c = {.id = "kernel-memory", .what = "read the kernel's memory"};
	struct cul_mem *mem = NULL;
	struct cul_error err = {0};
	int r = cul_mem_kernel(&mem, &err);

	if (r == 0) {
		c.found = cul_doctor_text(d, "through %s", cul_mem_name(mem));
	} else {
		c.answer = CUL_DOCTOR_NO;
		c.because = cul_doctor_text(d, "%s", err.text);
		c.remedy =
			"without it pointers are not followed and the copies of per-CPU variables "
			"are not found; addresses work";
	}
	cul_doctor_note(d, &c);
	cul_mem_free(mem);
}

/* Waits to be killed. Dies with its parent. */
static pid_t start_child(void)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		pause();
}

/* The child is a copy of us: what is constant here is there as well. */
static int read_child(pid_t pid, struct cul_error *err)
{
	static const char text[] = "a text that both of us have";
	char copy[sizeof(text)] = {0};
	struct cul_mem *mem = NULL;
	int r = cul_mem_process(pid, &mem, err);

	if (r == 0) {
		r = cul_mem_read(mem, (uint64_t)(uintptr_t)text, copy, sizeof(copy));
		if (r == 0 && memcmp(copy, text, sizeof(text)) != 0)
			r = -EIO;
		if (r < 0)
			cul_fail(err, r, "reading a child of our own: %s", cul_strerror(r));
	}
	cul_mem_free(mem);
	return r;
}

static void check_process(struct cul_doctor *d)
{
	struct cul_doctor_check c = {
		.id = "process-memory", .what = "read the memory of a process"};
	const char *scope = cul_doctor_line(d, "/proc/sys/kernel/yama/ptrace_scope");
	struct cul_error err = {0};
	pid_t pid = start_child();
	int r = pid < 0 ? cul_fail(&err, -errno, "fork: %s", cul_strerror(errno))
			: read_child(pid, &err);

	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	if (r < 0) {
		c.answer = CUL_DOCTOR_NO;
		c.because = cul_doctor_text(d, "%s", err.text);
		c.remedy = "run as root or with CAP_SYS_PTRACE; a container may filter "
			   "process_vm_readv";
	} else if (scope && strcmp(scope, "0") != 0 && geteuid() != 0) {
		c.answer = CUL_DOCTOR_PARTLY;
		c.found = "a child of our own was read";
		c.because = cul_doctor_text(
			d, "kernel.yama.ptrace_scope is %s: other processes cannot be read", scope);
		c.remedy = "run as root, or start the program with -- CMD";
	} else {
		c.found = "a child of our own was read";
	}
	cul_doctor_note(d, &c);
}

void cul_doctor_memory(struct cul_doctor *d)
{
	check_kernel(d);
	check_process(d);
}
