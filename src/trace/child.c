/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/child.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "arch/arch.h"
#include "base/cleanup.h"
#include "sys/perf.h"
#include "sys/process.h"
#include "trace/breakpoint.h"

enum {
	OPTIONS = PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT | PTRACE_O_TRACESYSGOOD,
	SYSCALL_STOP = SIGTRAP | 0x80,
	TRAP_HWBKPT_CODE = 4, /* TRAP_HWBKPT, likewise */
	TRAP_PERF_CODE = 6,   /* TRAP_PERF of asm-generic/siginfo.h, newer than this libc */
};

/*
 * In the child, between fork and exec: async-signal-safe calls only. It waits until it is traced;
 * if we die before, the pipe ends and so does it.
 */
static void become(char *const *argv, int go, int report)
{
	sigset_t none;
	char word;
	int code;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (read(go, &word, 1) != 1)
		_exit(127);
	execvp(argv[0], argv);
	code = errno;
	if (write(report, &code, sizeof(code)) != sizeof(code))
		_exit(126);
	_exit(127);
}

static int explain_exec(const char *program, int code, struct cul_error *err)
{
	struct stat st;

	if (code == EACCES && !stat(program, &st) && S_ISDIR(st.st_mode))
		return cul_fail(err, -code, "%s: is a directory, not a program", program);
	if (code == EACCES && !stat(program, &st) && !(st.st_mode & 0111))
		return cul_fail(err, -code,
			"%s: is not executable; chmod +x, or name its interpreter too", program);
	if (code == ENOENT && !access(program, F_OK))
		return cul_fail(err, -code,
			"%s: its interpreter is missing: what its first line, or the program "
			"itself, names",
			program);
	if (code == ENOEXEC)
		return cul_fail(err, -code,
			"%s: is no program of this machine, nor a script that begins with #!",
			program);
	return cul_fail(err, -code, "%s: %s", program, cul_strerror(code));
}

/* Waits for the next stop; the wait status, or a negative errno. */
static int next_stop(pid_t pid, int *status)
{
	pid_t got;

	do
		got = waitpid(pid, status, __WALL);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	return WIFSTOPPED(*status) ? 0 : -ESRCH;
}

static int event_of(int status)
{
	return status >> 16;
}

/*
 * Lets one that is stopped go on. False when it cannot be: it is killed then, and may stay at its
 * exit until we end.
 */
static bool let_go(pid_t pid, int signal)
{
	int r = cul_sys_ptrace(PTRACE_CONT, pid, (uintptr_t)signal);

	/* Somebody killed it: it is on its way to its next stop, or to its end. */
	if (!r || r == -ESRCH)
		return true;
	kill(pid, SIGKILL);
	return false;
}

/* Kills it, wherever it stands, through the stop that a traced one makes at its exit. */
static void put_down(pid_t pid)
{
	siginfo_t info;
	int status;

	/* One that was waited for already has given its number back. */
	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT | __WALL))
		return;
	kill(pid, SIGKILL);
	while (let_go(pid, 0) && !next_stop(pid, &status))
		;
}

static int seize(pid_t pid, int go)
{
	int r = cul_sys_ptrace(PTRACE_SEIZE, pid, OPTIONS | PTRACE_O_EXITKILL);

	if (r)
		return r;
	return write(go, "", 1) == 1 ? 0 : -errno;
}

/* Lets it run up to the stop that follows a successful exec. */
static int wait_for_exec(pid_t pid)
{
	int status, r;

	for (;;) {
		r = next_stop(pid, &status);
		if (r)
			return r;
		if (event_of(status) == PTRACE_EVENT_EXEC)
			return 0;
		/* Its exit, when there was nothing to execute, or a signal that came too early. */
		r = cul_sys_ptrace(PTRACE_CONT, pid, 0);
		if (r)
			return r;
	}
}

static int watch_sigchld(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int cul_child_start(char *const *argv, struct cul_child *out, struct cul_error *err)
{
	struct cul_child c = {.signal_fd = -1, .entry_fd = -1};
	int report[2], go[2], code = 0, r;

	if (pipe2(report, O_CLOEXEC | O_NONBLOCK))
		return cul_fail(err, -errno, "pipe: %s", cul_strerror(errno));
	if (pipe2(go, O_CLOEXEC)) {
		r = -errno;
		close(report[0]);
		close(report[1]);
		return cul_fail(err, r, "pipe: %s", cul_strerror(r));
	}
	c.pid = fork();
	if (!c.pid) {
		close(go[1]);
		become(argv, go[0], report[1]);
	}
	r = c.pid < 0 ? -errno : 0;
	close(go[0]);
	close(report[1]);
	if (!r)
		r = seize(c.pid, go[1]);
	close(go[1]);
	if (!r)
		r = wait_for_exec(c.pid);
	/* Before its report is read: one that stands before its exec holds the other end open. */
	if (r && c.pid > 0)
		put_down(c.pid);
	if (r && read(report[0], &code, sizeof(code)) == sizeof(code))
		r = explain_exec(argv[0], code, err);
	else if (r)
		cul_fail(err, r, "starting %s under trace: %s%s", argv[0], cul_strerror(r),
			r == -EPERM ? " (is culprit itself traced, as by strace -f or gdb?)" : "");
	close(report[0]);
	if (r)
		return r;
	c.signal_fd = watch_sigchld();
	c.state = CUL_CHILD_STOPPED;
	*out = c;
	return 0;
}

static void ended(struct cul_child *c, int status)
{
	c->state = CUL_CHILD_EXITED;
	c->status = status;
}

/* The program's entry point, from its auxiliary vector; 0 when unreadable. */
static uint64_t entry_point(pid_t pid)
{
	cul_autofclose FILE *f = NULL;
	char path[64];
	uint64_t pair[2];

	snprintf(path, sizeof(path), "/proc/%d/auxv", pid);
	f = fopen(path, "re");
	while (f && fread(pair, sizeof(pair), 1, f) == 1)
		if (pair[0] == AT_ENTRY)
			return pair[1];
	return 0;
}

static void untrap_entry(struct cul_child *c)
{
	if (c->entry_fd >= 0)
		close(c->entry_fd);
	c->entry_fd = -1;
}

/* A breakpoint on the entry point that stops the child by SIGTRAP (since 5.13). */
static void trap_entry(struct cul_child *c)
{
	struct cul_breakpoint bp = {.addr = entry_point(c->pid),
		.access = CUL_ACCESS_EXECUTE,
		.tid = c->pid,
		.cpu = -1,
		.user_only = true,
		.sigtrap = true};

	if (bp.addr)
		c->entry_fd = cul_breakpoint_open(&bp, -1, NULL);
	if (c->entry_fd >= 0 && cul_sys_perf_enable(c->entry_fd))
		untrap_entry(c);
}

static bool is_entry_trap(const struct cul_child *c, int status)
{
	siginfo_t info;

	return c->entry_fd >= 0 && WSTOPSIG(status) == SIGTRAP && !event_of(status) &&
	       !cul_sys_ptrace(PTRACE_GETSIGINFO, c->pid, (uintptr_t)&info) &&
	       info.si_code == TRAP_PERF_CODE;
}

static int too_early(struct cul_error *err)
{
	return cul_fail(err, -ESRCH, "the command ended before the target was there");
}

int cul_child_step(struct cul_child *c, bool *at_entry, struct cul_error *err)
{
	int status, signal = 0, r;

	*at_entry = false;
	if (!c->stepped) {
		c->stepped = true;
		trap_entry(c);
		*at_entry = c->entry_fd < 0;
		if (*at_entry)
			return 0;
	}
	for (;;) {
		if (cul_sys_ptrace(PTRACE_SYSCALL, c->pid, (uintptr_t)signal))
			return too_early(err);
		r = next_stop(c->pid, &status);
		if (r)
			ended(c, status);
		else if (event_of(status) == PTRACE_EVENT_EXIT)
			c->state = CUL_CHILD_EXITING;
		if (c->state != CUL_CHILD_STOPPED)
			return too_early(err);
		signal = 0;
		if (WSTOPSIG(status) == SYSCALL_STOP)
			return 0;
		if (is_entry_trap(c, status)) {
			untrap_entry(c);
			*at_entry = true;
			return 0;
		}
		if (!event_of(status))
			signal = WSTOPSIG(status);
	}
}

void cul_child_end_steps(struct cul_child *c)
{
	untrap_entry(c);
}

int cul_child_run(struct cul_child *c, struct cul_error *err)
{
	/* From here on it must outlive us if we are killed. */
	int r = cul_sys_ptrace(PTRACE_SETOPTIONS, c->pid, OPTIONS);

	if (!r)
		r = cul_sys_ptrace(PTRACE_CONT, c->pid, 0);
	if (r)
		return cul_fail(err, r, "letting the command run: %s", cul_strerror(r));
	c->state = CUL_CHILD_RUNNING;
	return 0;
}

/* A thread that is on its way out: a zombie, in its exit (PF_EXITING), or killed. */
static bool is_ending(pid_t pid, const char *tid)
{
	enum { PF_EXITING = 4 };
	cul_autofclose FILE *stat = NULL, *status = NULL;
	unsigned long long pending;
	char path[64], line[512], *after, state;
	unsigned flags;

	snprintf(path, sizeof(path), "/proc/%d/task/%.16s/stat", pid, tid);
	stat = fopen(path, "re");
	if (!stat || !fgets(line, sizeof(line), stat))
		return true;
	after = strrchr(line, ')');
	if (!after || sscanf(after, ") %c %*d %*d %*d %*d %*d %u", &state, &flags) != 2 ||
		state == 'Z' || state == 'X' || (flags & PF_EXITING))
		return true;
	snprintf(path, sizeof(path), "/proc/%d/task/%.16s/status", pid, tid);
	status = fopen(path, "re");
	while (status && fgets(line, sizeof(line), status))
		if (sscanf(line, "SigPnd: %llx", &pending) == 1)
			return pending & 1ULL << (SIGKILL - 1);
	return true;
}

static bool others_run(pid_t pid)
{
	struct dirent *entry;
	char path[64];
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && !found && (entry = readdir(dir)))
		found = entry->d_name[0] != '.' && atoi(entry->d_name) != pid &&
			!is_ending(pid, entry->d_name);
	if (dir)
		closedir(dir);
	return found;
}

/*
 * The first thread is at its exit: by itself, or put to an end by the exec of another one, which
 * becomes the first. A thread that was killed with the process may be seen alive for a moment.
 */
static bool goes_on_without_first(pid_t pid)
{
	const struct timespec moment = {.tv_nsec = 1000000};

	for (int i = 0; i < 5; i++) {
		if (!others_run(pid))
			return false;
		nanosleep(&moment, NULL);
	}
	return true;
}

/* Whether the thread, stopped at its exit, has asked for it: exit(2), for itself alone. */
static bool left_by_itself(pid_t pid)
{
	cul_autofclose FILE *f = NULL;
	char path[64];
	long number;

	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	f = fopen(path, "re");
	return f && fscanf(f, "%ld", &number) == 1 && number == SYS_exit;
}

/* Whether the instruction that ends at `addr` is the program's own way to a TRAP_BRKPT. */
static bool made_itself(pid_t pid, uint64_t addr)
{
	const struct cul_arch *arch = cul_arch_host();
	unsigned char byte;

	return !arch || !arch->own_trap || cul_sys_process_vm_readv(pid, addr - 1, &byte, 1) != 1 ||
	       byte == arch->own_trap;
}

/*
 * A debug register fired and the kernel found no event for it (TRAP_HWBKPT), or not even which one
 * it was (TRAP_BRKPT): it takes the trap for the program's own and would end it. Seen about once in
 * some hundred thousand hits on a busy virtual machine.
 *
 * The cause of the second is the host: KVM without "KVM: x86: Load DR6 with guest value only before
 * entering .vcpu_run() loop" (Linux 6.14, and stable kernels of early 2025) loads a stale DR6 when
 * the guest is entered again after an exit that was handled in the fast path. The guest's
 * exc_debug_user() (arch/x86/kernel/traps.c) then reads a DR6 without a cause, takes the trap for
 * int1 (`icebp = !dr6`) and sends SIGTRAP with TRAP_BRKPT; no perf event counts the hit.
 *
 * Only the first thread is traced and so protected. Tracing the others as well would stop each of
 * them at its start, its end and each signal.
 */
static bool is_stray_trap(const struct cul_child *c, int status)
{
	siginfo_t info;

	if (WSTOPSIG(status) != SIGTRAP ||
		cul_sys_ptrace(PTRACE_GETSIGINFO, c->pid, (uintptr_t)&info))
		return false;
	if (info.si_code == TRAP_BRKPT)
		return !made_itself(c->pid, (uint64_t)(uintptr_t)info.si_addr);
	return info.si_code == TRAP_HWBKPT_CODE;
}

/* Answers one stop of a running child. */
static void answer(struct cul_child *c, int status)
{
	int event = event_of(status), signal = 0;
	unsigned long message;
	bool by_itself;

	switch (event) {
	case PTRACE_EVENT_EXIT:
		/* One thread's exit(2) says nothing of the process's: its end is waited for. */
		by_itself = left_by_itself(c->pid);
		if (by_itself || goes_on_without_first(c->pid)) {
			c->headless = true;
			c->execed |= !by_itself;
			break;
		}
		/* Another thread ended the process meanwhile, and this one is not held any more. */
		if (cul_sys_ptrace(PTRACE_GETEVENTMSG, c->pid, (uintptr_t)&message))
			return;
		c->state = CUL_CHILD_EXITING;
		c->status = (int)message;
		return;
	case PTRACE_EVENT_STOP:
		/* A group stop (SIGSTOP, SIGTSTP): it stays stopped until somebody continues it. */
		if (WSTOPSIG(status) != SIGTRAP) {
			if (cul_sys_ptrace(PTRACE_LISTEN, c->pid, 0))
				let_go(c->pid, 0);
			return;
		}
		break;
	case PTRACE_EVENT_EXEC:
		c->execed = true;
		break;
	case 0:
		if (is_stray_trap(c, status))
			c->strays++;
		else if (WSTOPSIG(status) != SYSCALL_STOP)
			signal = WSTOPSIG(status);
		c->trapped |= signal == SIGTRAP;
		break;
	default:
		break;
	}
	let_go(c->pid, signal);
}

void cul_child_handle(struct cul_child *c)
{
	struct signalfd_siginfo info;
	int status;

	if (c->signal_fd >= 0)
		while (read(c->signal_fd, &info, sizeof(info)) == sizeof(info))
			;
	while (c->state == CUL_CHILD_RUNNING) {
		pid_t got = waitpid(c->pid, &status, __WALL | WNOHANG);

		if (got <= 0)
			return;
		if (WIFSTOPPED(status))
			answer(c, status);
		else
			ended(c, status);
	}
}

void cul_child_release(struct cul_child *c)
{
	int status = 0, r = -ESRCH;

	if (c->state != CUL_CHILD_EXITING)
		return;
	while (let_go(c->pid, 0) && !(r = next_stop(c->pid, &status)))
		;
	ended(c, r == -ESRCH && status ? status : c->status);
}

/*
 * Detaching needs a stop, which one that waits for its vfork child or for a disk does not come to.
 * It is left to the kernel then, that detaches it when we end.
 */
static void detach(pid_t pid)
{
	const struct timespec moment = {.tv_nsec = 1000000};
	int status, signal;
	pid_t got = 0;

	if (cul_sys_ptrace(PTRACE_INTERRUPT, pid, 0))
		return;
	for (int i = 0; i < 200 && !got; i++) {
		got = waitpid(pid, &status, __WALL | WNOHANG);
		if (!got)
			nanosleep(&moment, NULL);
	}
	if (got != pid || !WIFSTOPPED(status))
		return;
	signal = !event_of(status) && WSTOPSIG(status) != SYSCALL_STOP ? WSTOPSIG(status) : 0;
	cul_sys_ptrace(PTRACE_DETACH, pid, (uintptr_t)signal);
}

void cul_child_free(struct cul_child *c)
{
	switch (c->state) {
	case CUL_CHILD_STOPPED:
		put_down(c->pid);
		break;
	case CUL_CHILD_RUNNING:
		detach(c->pid);
		break;
	case CUL_CHILD_EXITING:
		cul_child_release(c);
		break;
	default:
		break;
	}
	if (c->signal_fd >= 0)
		close(c->signal_fd);
	untrap_entry(c);
	c->signal_fd = -1;
	c->state = CUL_CHILD_NONE;
}
