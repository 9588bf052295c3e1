/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host's end of a test guest: starts QEMU, hands it the job, carries stdin, stdout and stderr
 * over the link (link.h), keeps the time limit, and judges the kernel's log when the command has
 * ended (log.c). QEMU dies with this process, whatever ends it. tools/vm execs it with everything
 * worked out:
 *
 *   host [-i] [-v] [-s SECONDS] [-k KERNEL_DIR] [-c CWD] [-e NAME=VALUE]... [-a PATTERN]...
 *        [-l KEEP_LOG] -d SCRATCH_DIR -- QEMU ARGS... -- CMD ARGS...
 *
 * SCRATCH_DIR (for kernel.log and qemu.log) is removed. QEMU finds the link as descriptor 3.
 * Exit status: the command's; 124 out of time; 125 no machine, or a kernel that complained;
 * 128+n on signal n.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "link.h"
#include "log.h"

enum { STATUS_TIMEOUT = 124, STATUS_MACHINE = 125 };

struct host {
	bool interactive;
	bool verbose;
	long seconds;
	const char *scratch;
	const char *keep_log;
	struct log_rules rules;
	char kernel_log[32]; /* paths to read; the files' own names go as soon as QEMU runs */
	char qemu_log[32];
	char *job;
	size_t job_len;
	char **qemu_argv;

	pid_t qemu;
	int link;
	int signals;
	bool ready;
	bool stdin_open;
	struct timespec began;
	struct termios saved;
	bool raw;

	char send[LINK_MAX + sizeof(struct link_head)]; /* on its way to the guest */
	size_t send_len;
	size_t send_done;
	char frame[LINK_MAX + sizeof(struct link_head)]; /* on its way from the guest */
	size_t frame_len;
};

static double elapsed(const struct host *host)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - host->began.tv_sec) +
	       (double)(now.tv_nsec - host->began.tv_nsec) / 1e9;
}

static void stop_qemu(struct host *host)
{
	if (host->qemu > 0) {
		kill(host->qemu, SIGKILL);
		waitpid(host->qemu, NULL, 0);
	}
	host->qemu = 0;
}

static void remove_scratch(const struct host *host)
{
	static const char *const names[] = {"kernel.log", "qemu.log"};
	char path[4096];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", host->scratch, names[i]);
		unlink(path);
	}
	rmdir(host->scratch);
}

static void __attribute__((noreturn)) leave(struct host *host, int status)
{
	stop_qemu(host);
	if (host->raw)
		tcsetattr(0, TCSANOW, &host->saved);
	if (host->keep_log && log_copy(host->kernel_log, host->keep_log) != 0)
		fprintf(stderr, "vm: cannot write %s: %s\n", host->keep_log, strerror(errno));
	remove_scratch(host);
	exit(status);
}

static void __attribute__((noreturn, format(printf, 2, 3)))
fail(struct host *host, const char *format, ...)
{
	va_list args;

	fputs("vm: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	leave(host, STATUS_MACHINE);
}

/* A file that QEMU writes, also for this process to read after its name is gone. */
static void open_log(struct host *host, const char *name, char *path, size_t size)
{
	char named[4096];
	int fd;

	snprintf(named, sizeof(named), "%s/%s", host->scratch, name);
	fd = open(named, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		fail(host, "cannot write %s: %s", named, strerror(errno));
	snprintf(path, size, "/proc/self/fd/%d", fd);
}

static void out_of_time(struct host *host)
{
	stop_qemu(host);
	log_tail(host->kernel_log, host->ready, 25);
	fprintf(stderr, "vm: %s within %ld s; the guest was ended (--timeout)\n",
		host->ready ? "the command did not end" : "the guest did not start the command",
		host->seconds);
	leave(host, STATUS_TIMEOUT);
}

/* The machine ended without a word about the command: it crashed, was reset, or never came up. */
static void machine_ended(struct host *host)
{
	int how = 0;

	waitpid(host->qemu, &how, 0);
	host->qemu = 0;
	log_tail(host->qemu_log, false, 10);
	if (!log_complains(host->kernel_log, &host->rules))
		log_tail(host->kernel_log, false, 25);
	if (WIFSIGNALED(how))
		fail(host, "QEMU died of signal %d", WTERMSIG(how));
	if (WEXITSTATUS(how) != 0)
		fail(host, "QEMU failed with status %d", WEXITSTATUS(how));
	fail(host, "the guest went down %s",
		host->ready ? "under the command" : "before the command started");
}

static void add_job(struct host *host, enum link_job what, const char *text)
{
	size_t len = strlen(text) + 2;

	host->job = realloc(host->job, host->job_len + len);
	if (!host->job)
		abort();
	host->job[host->job_len] = (char)what;
	memcpy(host->job + host->job_len + 1, text, len - 1);
	host->job_len += len;
}

static void start_qemu(struct host *host)
{
	int pair[2], log, nothing;
	pid_t parent = getpid();

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		fail(host, "socketpair: %s", strerror(errno));
	log = open(host->qemu_log, O_WRONLY | O_CLOEXEC);
	nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
	host->qemu = fork();
	if (log < 0 || nothing < 0 || host->qemu < 0)
		fail(host, "cannot start QEMU: %s", strerror(errno));
	if (host->qemu == 0) {
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		setsid();
		dup2(nothing, 0);
		dup2(log, 1);
		dup2(log, 2);
		dup2(pair[1], 3);
		if (pair[1] == 3)
			fcntl(3, F_SETFD, 0);
		execvp(host->qemu_argv[0], host->qemu_argv);
		dprintf(2, "%s: %s\n", host->qemu_argv[0], strerror(errno));
		_exit(127);
	}
	close(pair[1]);
	close(log);
	close(nothing);
	host->link = pair[0];
}

static void queue(struct host *host, enum link_type type, const void *buf, size_t len)
{
	struct link_head head = link_head(type, (uint32_t)len);

	memcpy(host->send, &head, sizeof(head));
	if (len)
		memcpy(host->send + sizeof(head), buf, len);
	host->send_len = sizeof(head) + len;
	host->send_done = 0;
}

/* The first frame may be longer than the buffer for the others. */
static void send_job(struct host *host)
{
	struct link_head head = link_head(LINK_JOB, (uint32_t)host->job_len);
	struct iovec {
		const void *buf;
		size_t len;
	} parts[] = {{&head, sizeof(head)}, {host->job, host->job_len}};

	for (size_t i = 0; i < 2; i++)
		for (size_t done = 0; done < parts[i].len;) {
			ssize_t n = send(host->link, (const char *)parts[i].buf + done,
				parts[i].len - done, MSG_NOSIGNAL);

			if (n < 0)
				machine_ended(host);
			done += (size_t)n;
		}
}

static void queue_size(struct host *host)
{
	struct winsize size;
	uint16_t rows_cols[2];

	if (ioctl(0, TIOCGWINSZ, &size) != 0)
		return;
	rows_cols[0] = size.ws_row;
	rows_cols[1] = size.ws_col;
	queue(host, LINK_SIZE, rows_cols, sizeof(rows_cols));
}

static void on_signal(struct host *host)
{
	struct signalfd_siginfo info;

	while (read(host->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGWINCH && host->interactive &&
			host->send_done == host->send_len)
			queue_size(host);
		else if (info.ssi_signo != SIGWINCH)
			leave(host, 128 + (int)info.ssi_signo);
	}
}

static int time_left(struct host *host)
{
	double left = (double)host->seconds - elapsed(host);

	if (host->seconds == 0)
		return -1;
	if (left <= 0)
		out_of_time(host);
	return (int)(left * 1000) + 1;
}

/* To a descriptor that others share: never made non-blocking, never written more than it can take.
 */
static void emit(struct host *host, int to, const char *buf, size_t len)
{
	for (size_t done = 0; done < len;) {
		struct pollfd fds[] = {
			{.fd = to, .events = POLLOUT}, {.fd = host->signals, .events = POLLIN}};
		size_t part = len - done < 4096 ? len - done : 4096;
		ssize_t n;

		if (poll(fds, 2, time_left(host)) < 0)
			continue;
		if (fds[1].revents)
			on_signal(host);
		if (!fds[0].revents)
			continue;
		n = write(to, buf + done, part);
		if (n < 0 && errno == EPIPE)
			leave(host, 128 + SIGPIPE);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			fail(host, "cannot write the command's output: %s", strerror(errno));
		if (n > 0)
			done += (size_t)n;
	}
}

/* The console may lag behind the link: wait for the line that the guest logged last. */
static void await_log(const char *path)
{
	for (int tries = 0; tries < 400 && !log_has(path, LINK_END); tries++)
		usleep(5000);
}

static void __attribute__((noreturn)) command_ended(struct host *host, int status)
{
	await_log(host->kernel_log);
	stop_qemu(host);
	if (host->verbose)
		fprintf(stderr, "vm: the command ended with status %d after %.1f s\n", status,
			elapsed(host));
	if (log_complains(host->kernel_log, &host->rules)) {
		fprintf(stderr, "vm: the command's own status was %d\n", status);
		leave(host, STATUS_MACHINE);
	}
	if (status != 0 && !host->interactive && !host->keep_log)
		log_tail(host->kernel_log, true, 10);
	leave(host, status);
}

static void take_frame(struct host *host, const struct link_head *head, const char *payload)
{
	switch ((enum link_type)head->type) {
	case LINK_READY:
		host->ready = true;
		remove_scratch(host);
		if (host->verbose)
			fprintf(stderr, "vm: the command starts after %.1f s\n", elapsed(host));
		if (host->interactive)
			queue_size(host);
		break;
	case LINK_OUT:
		emit(host, 1, payload, link_len(head));
		break;
	case LINK_ERR:
		emit(host, 2, payload, link_len(head));
		break;
	case LINK_EXIT:
		command_ended(host, (unsigned char)payload[0]);
	default:
		fail(host, "the guest sent nonsense (frame type %d)", head->type);
	}
}

static void receive(struct host *host)
{
	ssize_t n = read(
		host->link, host->frame + host->frame_len, sizeof(host->frame) - host->frame_len);
	size_t used = 0;

	if (n <= 0)
		machine_ended(host);
	host->frame_len += (size_t)n;
	while (host->frame_len - used >= sizeof(struct link_head)) {
		struct link_head head;
		size_t len;

		memcpy(&head, host->frame + used, sizeof(head));
		len = link_len(&head);
		if (len > LINK_MAX)
			fail(host, "the guest sent nonsense (a frame of %zu bytes)", len);
		if (host->frame_len - used < sizeof(head) + len)
			break;
		take_frame(host, &head, host->frame + used + sizeof(head));
		used += sizeof(head) + len;
	}
	host->frame_len -= used;
	memmove(host->frame, host->frame + used, host->frame_len);
}

static void read_stdin(struct host *host)
{
	char buf[LINK_MAX];
	ssize_t n = read(0, buf, sizeof(buf));

	if (n > 0) {
		queue(host, LINK_IN, buf, (size_t)n);
	} else if (n == 0 || errno != EINTR) {
		queue(host, LINK_CLOSE, "", 0);
		host->stdin_open = false;
	}
}

static void __attribute__((noreturn)) serve(struct host *host)
{
	for (;;) {
		bool sending = host->send_done < host->send_len;
		bool reading = host->ready && host->stdin_open && !sending;
		struct pollfd fds[] = {
			{.fd = host->link, .events = (short)(POLLIN | (sending ? POLLOUT : 0))},
			{.fd = host->signals, .events = POLLIN},
			{.fd = reading ? 0 : -1, .events = POLLIN},
		};

		if (poll(fds, 3, time_left(host)) < 0)
			continue;
		if (fds[1].revents)
			on_signal(host);
		if (fds[0].revents & POLLOUT) {
			ssize_t n = send(host->link, host->send + host->send_done,
				host->send_len - host->send_done, MSG_DONTWAIT | MSG_NOSIGNAL);

			host->send_done += n > 0 ? (size_t)n : 0;
		}
		if (fds[0].revents & (POLLIN | POLLHUP | POLLERR))
			receive(host);
		if (fds[2].revents && host->send_done == host->send_len)
			read_stdin(host);
	}
}

static void make_raw(struct host *host)
{
	struct termios raw;

	if (!host->interactive || tcgetattr(0, &host->saved) != 0)
		return;
	raw = host->saved;
	cfmakeraw(&raw);
	host->raw = tcsetattr(0, TCSANOW, &raw) == 0;
}

static void take_signals(struct host *host)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGHUP);
	sigaddset(&mask, SIGQUIT);
	sigaddset(&mask, SIGWINCH);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	signal(SIGPIPE, SIG_IGN);
	host->signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
}

static char **options(struct host *host, int argc, char **argv)
{
	char **command;
	int option;

	while ((option = getopt(argc, argv, "+ivs:k:c:e:a:l:d:")) != -1) {
		switch (option) {
		case 'i':
			host->interactive = true;
			add_job(host, LINK_JOB_TTY, "");
			break;
		case 'v':
			host->verbose = true;
			break;
		case 's':
			host->seconds = atol(optarg);
			break;
		case 'k':
			add_job(host, LINK_JOB_KERNEL, optarg);
			break;
		case 'c':
			add_job(host, LINK_JOB_CWD, optarg);
			break;
		case 'e':
			add_job(host, LINK_JOB_ENV, optarg);
			break;
		case 'a':
			if (log_allow(&host->rules, optarg) != 0)
				exit(2);
			break;
		case 'l':
			host->keep_log = optarg;
			break;
		case 'd':
			host->scratch = optarg;
			break;
		default:
			exit(2);
		}
	}
	host->qemu_argv = argv + optind;
	for (command = host->qemu_argv; *command && strcmp(*command, "--") != 0; command++)
		;
	if (!host->scratch || !*command) {
		fputs("vm: the host's end was started without a scratch directory or command\n",
			stderr);
		exit(2);
	}
	*command = NULL;
	return command + 1;
}

int main(int argc, char **argv)
{
	static struct host host = {.stdin_open = true, .link = -1};

	clock_gettime(CLOCK_MONOTONIC, &host.began);
	for (char **arg = options(&host, argc, argv); *arg; arg++)
		add_job(&host, LINK_JOB_ARG, *arg);
	take_signals(&host);
	open_log(&host, "kernel.log", host.kernel_log, sizeof(host.kernel_log));
	open_log(&host, "qemu.log", host.qemu_log, sizeof(host.qemu_log));
	start_qemu(&host);
	send_job(&host);
	make_raw(&host);
	/* A terminal's input belongs to whoever sits there, not to a command that runs by itself.
	 */
	if (!host.interactive && isatty(0)) {
		queue(&host, LINK_CLOSE, "", 0);
		host.stdin_open = false;
	}
	serve(&host);
}
