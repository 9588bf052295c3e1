/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The first process of a test guest, alone in its initramfs: loads the modules that reach the
 * host's root, lays a tmpfs over it, runs one command there and carries its stdin, stdout, stderr
 * and exit status over the link. Anything that fails goes to the kernel log and resets the machine;
 * the host sees the link end.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <net/if.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "link.h"

#define ARGS_MAX 4096

struct job {
	char *text;
	char *args[ARGS_MAX];
	char *env[ARGS_MAX];
	const char *cwd;
	const char *kernel;
	bool tty;
};

/* The command and the host's ends of what it reads and writes; -1 where there is none. */
struct run {
	int link;
	pid_t pid;
	int in;
	int out;
	int err;
	int pty;
	bool in_ends;        /* close stdin once all of it is handed over */
	char held[LINK_MAX]; /* stdin that the command has not taken yet */
	size_t held_len;
	size_t held_done;
};

static void log_line(const char *level, const char *text)
{
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	char line[600];
	int len = snprintf(line, sizeof(line), "<%s>%s\n", level, text);

	if (fd < 0)
		return;
	/* Not dprintf: it seeks, and this file refuses that. */
	write(fd, line, (size_t)len);
	close(fd);
}

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *format, ...)
{
	char text[512] = "culprit-guest: ";
	size_t len = strlen(text);
	int error = errno;
	va_list args;

	va_start(args, format);
	vsnprintf(text + len, sizeof(text) - len, format, args);
	va_end(args);
	len = strlen(text);
	snprintf(text + len, sizeof(text) - len, ": %s", strerror(error));
	log_line("0", text);
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}

static void mount_at(const char *what, const char *where, const char *type, unsigned long flags,
	const char *options)
{
	if (mount(what, where, type, flags, options) != 0)
		die("mount %s on %s", type ? type : what, where);
}

/* For file systems that a kernel may lack: the directory or the type is missing then. */
static void mount_if(const char *where, const char *type)
{
	if (mount(type, where, type, 0, NULL) != 0 && errno != ENODEV && errno != ENOENT &&
		errno != EBUSY)
		die("mount %s on %s", type, where);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die("write %s", path);
	close(fd);
}

static void load_modules(void)
{
	FILE *list = fopen("/modules/order", "re");
	char name[256];

	if (!list)
		return; /* a kernel with all of them built in */
	while (fscanf(list, "%255s", name) == 1) {
		char path[300];
		int fd;

		snprintf(path, sizeof(path), "/modules/%s", name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			die("open %s", path);
		if (syscall(SYS_finit_module, fd, "", 0) != 0 && errno != EEXIST)
			die("load %s", name);
		close(fd);
	}
	fclose(list);
}

/* The port's name has the number of its virtio device in it, and that depends on the others. */
static int open_link(void)
{
	for (int tries = 0; tries < 2000; tries++) {
		glob_t found;
		int fd = -1;

		if (glob("/dev/vport*p1", 0, NULL, &found) == 0)
			fd = open(found.gl_pathv[0], O_RDWR | O_CLOEXEC);
		globfree(&found);
		if (fd >= 0)
			return fd;
		usleep(5000);
	}
	die("open the port to the host");
}

static void link_read(int link, void *buf, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = read(link, (char *)buf + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			die("read from the host");
		if (n == 0)
			usleep(2000); /* nobody at the other end yet */
		done += (size_t)n;
	}
}

static void link_write(int link, const void *buf, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = write(link, (const char *)buf + done, len - done);

		if (n < 0 && errno != EINTR)
			die("write to the host");
		if (n > 0)
			done += (size_t)n;
	}
}

/* Header and payload in one write: one exchange with the host. */
static void link_send(int link, enum link_type type, const void *buf, size_t len)
{
	struct {
		struct link_head head;
		char data[LINK_MAX];
	} frame;

	frame.head = link_head(type, (uint32_t)len);
	memcpy(frame.data, buf, len);
	link_write(link, &frame, sizeof(frame.head) + len);
}

static struct job *read_job(int link)
{
	struct job *job = calloc(1, sizeof(*job));
	struct link_head head;
	size_t len, args = 0, env = 0;

	link_read(link, &head, sizeof(head));
	len = link_len(&head);
	if (!job || head.type != LINK_JOB || !(job->text = malloc(len + 1)))
		die("no job from the host");
	link_read(link, job->text, len);
	job->text[len] = '\0';
	for (char *s = job->text; s < job->text + len; s += strlen(s) + 1) {
		switch ((enum link_job) * s) {
		case LINK_JOB_ARG:
			if (args + 1 < ARGS_MAX)
				job->args[args++] = s + 1;
			break;
		case LINK_JOB_ENV:
			if (env + 1 < ARGS_MAX)
				job->env[env++] = s + 1;
			break;
		case LINK_JOB_CWD:
			job->cwd = s + 1;
			break;
		case LINK_JOB_KERNEL:
			job->kernel = s + 1;
			break;
		case LINK_JOB_TTY:
			job->tty = true;
			break;
		}
	}
	if (args == 0 || !job->cwd || !job->kernel)
		die("the job is not complete");
	return job;
}

static bool below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return strncmp(path, dir, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

/* A fresh tmpfs, unless that would hide what the command needs. */
static void mount_fresh(const char *where, const char *options, const struct job *job)
{
	if (!below(job->cwd, where) && !below(job->kernel, where))
		mount_at("tmpfs", where, "tmpfs", MS_NOSUID | MS_NODEV, options);
}

static void enter_root(const struct job *job)
{
	mkdir("/host", 0755);
	mkdir("/over", 0755);
	mkdir("/new", 0755);
	mount_at("hostroot", "/host", "9p", MS_RDONLY | MS_NOATIME,
		"trans=virtio,version=9p2000.L,msize=262144,cache=loose,access=any");
	mount_at("tmpfs", "/over", "tmpfs", 0, "size=75%,mode=0755");
	mkdir("/over/upper", 0755);
	mkdir("/over/work", 0755);
	mount_at("overlay", "/new", "overlay", 0,
		"lowerdir=/host,upperdir=/over/upper,workdir=/over/work");
	umount2("/proc", MNT_DETACH);
	umount2("/sys", MNT_DETACH);
	umount2("/dev", MNT_DETACH);
	if (chdir("/new") != 0)
		die("enter the new root");
	mount_at(".", "/", NULL, MS_MOVE, NULL);
	if (chroot(".") != 0 || chdir("/") != 0)
		die("change the root");

	mount_at("dev", "/dev", "devtmpfs", 0, NULL);
	mount_at("proc", "/proc", "proc", 0, NULL);
	mount_at("sys", "/sys", "sysfs", 0, NULL);
	mkdir("/dev/pts", 0755);
	mkdir("/dev/shm", 0755);
	mount_at("devpts", "/dev/pts", "devpts", 0, "mode=0620,ptmxmode=0666");
	mount_at("shm", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, NULL);
	mount_fresh("/run", "mode=0755", job);
	mount_fresh("/tmp", "mode=1777", job);
	mount_if("/sys/kernel/debug", "debugfs");
	mount_if("/sys/kernel/tracing", "tracefs");
	mount_if("/sys/fs/bpf", "bpf");
	mount_if("/sys/kernel/security", "securityfs");
	mount_if("/sys/fs/cgroup", "cgroup2");
	if (symlink("/proc/self/fd", "/dev/fd") != 0 ||
		symlink("/proc/self/fd/0", "/dev/stdin") != 0 ||
		symlink("/proc/self/fd/1", "/dev/stdout") != 0 ||
		symlink("/proc/self/fd/2", "/dev/stderr") != 0)
		die("link /dev/fd");
}

static void link_from_cache(const struct job *job, const char *name, const char *at)
{
	char from[4096];

	snprintf(from, sizeof(from), "%s/%s", job->kernel, name);
	if (access(from, F_OK) != 0)
		return;
	unlink(at);
	if (symlink(from, at) != 0)
		die("link %s", at);
}

/* The kernel's own files where programs look for them. */
static void lay_out_kernel(const struct job *job)
{
	char from[4096], to[4096];
	struct utsname name;

	uname(&name);
	mkdir("/usr/lib/modules", 0755);
	snprintf(from, sizeof(from), "%s/lib/modules/%s", job->kernel, name.release);
	snprintf(to, sizeof(to), "/usr/lib/modules/%s", name.release);
	mkdir(to, 0755);
	mount_at(from, to, NULL, MS_BIND, NULL);

	mkdir("/boot", 0755);
	snprintf(to, sizeof(to), "/boot/vmlinuz-%s", name.release);
	link_from_cache(job, "vmlinuz", to);
	snprintf(to, sizeof(to), "/boot/config-%s", name.release);
	link_from_cache(job, "config", to);
	snprintf(to, sizeof(to), "/boot/System.map-%s", name.release);
	link_from_cache(job, "System.map", to);
	mkdir("/usr/lib/debug", 0755);
	mkdir("/usr/lib/debug/boot", 0755);
	snprintf(to, sizeof(to), "/usr/lib/debug/boot/vmlinux-%s", name.release);
	link_from_cache(job, "vmlinux", to);
}

static void configure(void)
{
	struct ifreq lo = {.ifr_name = "lo"};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	sethostname("guest", 5);
	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &lo) != 0)
		die("find lo");
	lo.ifr_flags |= IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &lo) != 0)
		die("bring lo up");
	close(fd);
	write_file("/proc/sys/kernel/printk", "8");
}

static void __attribute__((noreturn)) exec_job(const struct job *job)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	clearenv();
	for (char *const *e = job->env; *e; e++)
		putenv(*e);
	if (chdir(job->cwd) != 0) {
		fprintf(stderr, "vm: the guest has no directory %s: %s\n", job->cwd,
			strerror(errno));
		_exit(126);
	}
	execvp(job->args[0], job->args);
	fprintf(stderr, "vm: cannot run %s in the guest: %s\n", job->args[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

static void start_piped(struct run *run, const struct job *job)
{
	int in[2], out[2], err[2];

	if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0)
		die("pipe");
	run->pid = fork();
	if (run->pid < 0)
		die("fork");
	if (run->pid == 0) {
		setsid();
		dup2(in[0], 0);
		dup2(out[1], 1);
		dup2(err[1], 2);
		exec_job(job);
	}
	close(in[0]);
	close(out[1]);
	close(err[1]);
	fcntl(in[1], F_SETFL, O_NONBLOCK);
	run->in = in[1];
	run->out = out[0];
	run->err = err[0];
}

static void start_on_tty(struct run *run, const struct job *job)
{
	run->pid = forkpty(&run->pty, NULL, NULL, NULL);
	if (run->pid < 0)
		die("fork on a terminal");
	if (run->pid == 0)
		exec_job(job);
	run->in = run->pty;
	run->out = run->pty;
}

/* One frame from the host. Its payload is small: the host sends no more than LINK_MAX at a time. */
static void take_frame(struct run *run)
{
	struct link_head head;
	struct winsize size = {0};
	uint16_t rows_cols[2];
	size_t len;

	link_read(run->link, &head, sizeof(head));
	len = link_len(&head);
	if (len > sizeof(run->held))
		die("a frame of %zu bytes from the host", len);
	link_read(run->link, run->held, len);
	if (head.type == LINK_IN && run->in >= 0) {
		run->held_len = len;
		run->held_done = 0;
	} else if (head.type == LINK_CLOSE) {
		run->in_ends = true;
	} else if (head.type == LINK_SIZE && run->pty >= 0 && len == sizeof(rows_cols)) {
		memcpy(rows_cols, run->held, len);
		size.ws_row = rows_cols[0];
		size.ws_col = rows_cols[1];
		ioctl(run->pty, TIOCSWINSZ, &size);
	}
}

static void feed_stdin(struct run *run)
{
	if (run->held_done < run->held_len) {
		ssize_t n =
			write(run->in, run->held + run->held_done, run->held_len - run->held_done);

		if (n > 0)
			run->held_done += (size_t)n;
		else if (errno != EAGAIN && errno != EINTR)
			run->held_done = run->held_len; /* nobody reads it */
	}
	if (run->held_done == run->held_len && run->in_ends && run->in >= 0 && run->pty < 0) {
		close(run->in);
		run->in = -1;
	}
}

/* Carries what is there now; returns whether there was anything. Closes the descriptor at its end.
 */
static bool carry(struct run *run, int *fd, enum link_type type)
{
	char buf[LINK_MAX];
	ssize_t n = read(*fd, buf, sizeof(buf));

	if (n > 0) {
		link_send(run->link, type, buf, (size_t)n);
		return true;
	}
	if (n < 0 && errno == EINTR)
		return true;
	if (*fd != run->pty)
		close(*fd);
	*fd = -1;
	return false;
}

/* Once round everything that may have happened; returns whether output was carried. */
static bool turn(struct run *run, int signals, int timeout)
{
	bool feeding = run->held_done < run->held_len;
	struct pollfd fds[] = {
		{.fd = run->out, .events = POLLIN},
		{.fd = run->err, .events = POLLIN},
		{.fd = feeding ? run->in : -1, .events = POLLOUT},
		{.fd = feeding || run->in_ends ? -1 : run->link, .events = POLLIN},
		{.fd = signals, .events = POLLIN},
	};
	bool carried = false;

	if (poll(fds, sizeof(fds) / sizeof(fds[0]), timeout) < 0)
		return false;
	if (fds[0].revents)
		carried |= carry(run, &run->out, LINK_OUT);
	if (fds[1].revents)
		carried |= carry(run, &run->err, LINK_ERR);
	if (fds[3].revents & POLLIN)
		take_frame(run);
	if (fds[2].revents || fds[3].revents)
		feed_stdin(run);
	return carried;
}

/* Reaps whatever ended, orphans too; true when the command itself did. */
static bool reap(const struct run *run, int signals, unsigned char *status)
{
	struct signalfd_siginfo info;
	bool ended = false;
	int how;
	pid_t pid;

	while (read(signals, &info, sizeof(info)) > 0)
		;
	while ((pid = waitpid(-1, &how, WNOHANG)) > 0) {
		if (pid != run->pid)
			continue;
		ended = true;
		*status =
			(unsigned char)(WIFSIGNALED(how) ? 128 + WTERMSIG(how) : WEXITSTATUS(how));
	}
	return ended;
}

static void run_job(int link, const struct job *job)
{
	static struct run run = {.in = -1, .out = -1, .err = -1, .pty = -1};
	unsigned char status = 0;
	sigset_t mask;
	int signals;

	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	signal(SIGPIPE, SIG_IGN);
	signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	run.link = link;
	log_line("6", LINK_START);
	link_send(link, LINK_READY, "", 0);
	if (job->tty)
		start_on_tty(&run, job);
	else
		start_piped(&run, job);
	while (!reap(&run, signals, &status))
		turn(&run, signals, -1);
	while (turn(&run, -1, 0))
		; /* what the command left in its pipes */
	sync();
	log_line("0", LINK_END);
	link_send(link, LINK_EXIT, &status, 1);
}

int main(void)
{
	struct job *job;
	int link;

	mkdir("/dev", 0755);
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	if (mount("dev", "/dev", "devtmpfs", 0, NULL) != 0 && errno != EBUSY)
		die("mount devtmpfs");
	mount_at("proc", "/proc", "proc", 0, NULL);
	mount_at("sys", "/sys", "sysfs", 0, NULL);
	umask(022);
	load_modules();
	link = open_link();
	job = read_job(link);
	enter_root(job);
	lay_out_kernel(job);
	configure();
	run_job(link, job);
	sleep(10); /* the host ends the machine */
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}
