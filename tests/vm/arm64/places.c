/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "places.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/userfaultfd.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/ptrace.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int pipe_end(int end)
{
	int ends[2] = {-1, -1};

	return pipe(ends) == 0 ? ends[end] : -1;
}

static void pipe_read(void)
{
	char byte;

	read(pipe_end(0), &byte, 1);
}

static void pipe_write(void)
{
	static char much[1 << 20];

	write(pipe_end(1), much, sizeof(much));
}

static void in_futex(void)
{
	uint32_t word = 1;

	syscall(SYS_futex, &word, FUTEX_WAIT, 1, NULL, NULL, 0);
}

static void in_nanosleep(void)
{
	nanosleep(&(struct timespec){.tv_sec = 100000}, NULL);
}

static void in_poll(void)
{
	poll(&(struct pollfd){.fd = pipe_end(0), .events = POLLIN}, 1, -1);
}

static void in_epoll(void)
{
	struct epoll_event event = {.events = EPOLLIN};
	int fd = epoll_create1(0);

	if (epoll_ctl(fd, EPOLL_CTL_ADD, pipe_end(0), &event) == 0)
		epoll_wait(fd, &event, 1, -1);
}

static void in_select(void)
{
	int fd = pipe_end(0);
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	select(fd + 1, &set, NULL, NULL, NULL);
}

static void __attribute__((noreturn)) forever(void)
{
	for (;;)
		pause();
}

static void in_wait4(void)
{
	pid_t child = fork();

	if (child == 0)
		forever();
	waitpid(child, NULL, 0);
}

static void in_vfork(void)
{
	if (vfork() == 0)
		forever();
}

/* Behind itself: locks of open files know no process. */
static void in_flock(void)
{
	for (int i = 0; i < 2; i++)
		flock(open("/tmp/flock", O_CREAT | O_RDWR, 0600), LOCK_EX);
}

static void in_fcntl(void)
{
	for (int i = 0; i < 2; i++)
		fcntl(open("/tmp/fcntl", O_CREAT | O_RDWR, 0600), F_OFD_SETLKW,
			&(struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET});
}

static void unix_receive(void)
{
	int ends[2];
	char byte;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0)
		recv(ends[0], &byte, 1, 0);
}

static void tcp_accept(void)
{
	const struct sockaddr_in any = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(fd, (const struct sockaddr *)&any, sizeof(any)) == 0 && listen(fd, 1) == 0)
		accept(fd, NULL, NULL);
}

static void in_sigtimedwait(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigwaitinfo(&set, NULL);
}

static void read_word(int fd)
{
	uint64_t word;

	read(fd, &word, sizeof(word));
}

static void event_read(void)
{
	read_word(eventfd(0, 0));
}

static void timer_read(void)
{
	read_word(timerfd_create(CLOCK_MONOTONIC, 0));
}

static void inotify_read(void)
{
	read_word(inotify_init1(0));
}

static void message_receive(void)
{
	struct {
		long type;
		char text[8];
	} message;

	msgrcv(msgget(IPC_PRIVATE, 0600), &message, sizeof(message.text), 0, 0);
}

static void semaphore(void)
{
	semop(semget(IPC_PRIVATE, 1, 0600), &(struct sembuf){.sem_op = -1}, 1);
}

static void stopped(void)
{
	raise(SIGSTOP);
}

static void traced(void)
{
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGUSR1);
}

/* A page that is missing until somebody gives it. */
static char *missing_page(void)
{
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register all = {.mode = UFFDIO_REGISTER_MODE_MISSING};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	all.range.start = (uintptr_t)page;
	all.range.len = 4096;
	if (fd < 0 || page == MAP_FAILED || ioctl(fd, UFFDIO_API, &api) != 0 ||
		ioctl(fd, UFFDIO_REGISTER, &all) != 0)
		return NULL;
	return page;
}

/* The kernel itself is interrupted, in its copy to the page. */
static void fault_in_kernel(void)
{
	char *page = missing_page();
	int ends[2];

	if (page && pipe(ends) == 0 && write(ends[1], "1234", 4) == 4)
		read(ends[0], page, 4);
}

static void fault_in_user(void)
{
	volatile char *page = missing_page();

	if (page)
		*page = 1;
}

static void runs(void)
{
	for (volatile int i = 0;; i++)
		;
}

static void ended(void)
{
	_exit(0);
}

static const struct place {
	const char *name;
	void (*go)(void);
} places[] = {
	{"pipe_read", pipe_read},
	{"pipe_write", pipe_write},
	{"futex", in_futex},
	{"nanosleep", in_nanosleep},
	{"poll", in_poll},
	{"epoll", in_epoll},
	{"select", in_select},
	{"wait4", in_wait4},
	{"vfork", in_vfork},
	{"flock", in_flock},
	{"fcntl", in_fcntl},
	{"unix_receive", unix_receive},
	{"tcp_accept", tcp_accept},
	{"sigtimedwait", in_sigtimedwait},
	{"event_read", event_read},
	{"timer_read", timer_read},
	{"inotify_read", inotify_read},
	{"message_receive", message_receive},
	{"semaphore", semaphore},
	{"stopped", stopped},
	{"traced", traced},
	{"fault_in_kernel", fault_in_kernel},
	{"fault_in_user", fault_in_user},
	{"runs", runs},
	{"ended", ended},
};

void place_go(const char *name)
{
	errno = ENOENT;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (!strcmp(places[i].name, name))
			places[i].go();
}
