/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sys/cut.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* A handler has no argument of its own. */
static struct {
	atomic_bool found;
	uintptr_t page; /* bytes of one */
	char path[512];
} cut;

/* A line of /proc/self/maps as far as it is read: "FROM-TO rwxp OFFSET DEVICE INODE   PATH". */
struct line {
	uintptr_t from, to;
	enum { FROM, TO, REST } at;
	size_t len; /* of the path */
};

static uintptr_t digit(char c)
{
	return (uintptr_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* True: the line of `addr` has ended. */
static bool take(struct line *line, uintptr_t addr, char c)
{
	bool is_it = addr >= line->from && addr < line->to;

	if (c == '\n') {
		if (line->at == REST && is_it)
			return true;
		*line = (struct line){0};
	} else if (line->at == FROM && c == '-') {
		line->at = TO;
	} else if (line->at == FROM) {
		line->from = line->from << 4 | digit(c);
	} else if (line->at == TO && c == ' ') {
		line->at = REST;
	} else if (line->at == TO) {
		line->to = line->to << 4 | digit(c);
	} else if (is_it && (line->len || c == '/') && line->len + 1 < sizeof(cut.path)) {
		cut.path[line->len++] = c;
	}
	return false;
}

/* In a signal handler: nothing is allocated. */
static void find_path(uintptr_t addr)
{
	struct line line = {0};
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	bool done = false;
	char buf[1024];
	ssize_t n;

	while (fd >= 0 && !done && (n = read(fd, buf, sizeof(buf))) > 0)
		for (ssize_t i = 0; i < n && !done; i++)
			done = take(&line, addr, buf[i]);
	if (fd >= 0)
		close(fd);
	cut.path[done ? line.len : 0] = '\0';
}

static void on_bus(int signal, siginfo_t *info, void *context)
{
	struct sigaction action = {.sa_handler = SIG_DFL};
	uintptr_t addr = (uintptr_t)info->si_addr;
	int saved = errno;

	if (info->si_code == BUS_ADRERR) {
		/* At the first one nothing has taken its place yet. */
		if (!atomic_exchange(&cut.found, true))
			find_path(addr);
		if (mmap((void *)(addr & ~(cut.page - 1)), cut.page, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED) {
			errno = saved;
			return;
		}
	}
	sigaction(signal, &action, NULL);
	raise(signal);
}

void cul_sys_cut_guard(void)
{
	const struct sigaction action = {.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO};

	cut.page = (uintptr_t)sysconf(_SC_PAGESIZE);
	sigaction(SIGBUS, &action, NULL);
}

const char *cul_sys_cut_file(void)
{
	if (!atomic_load(&cut.found))
		return NULL;
	return *cut.path ? cut.path : "a file";
}
