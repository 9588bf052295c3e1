/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gdbstub.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TRIES = 500, STEP_US = 10000, SIGTRAP_GDB = 5 };

static void die(const char *what)
{
	fprintf(stderr, "gdbstub: %s: %s\n", what, strerror(errno));
	exit(2);
}

static int digit(char c)
{
	const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* How many bytes there are. */
static size_t unhex(const char *text, uint8_t *bytes, size_t size)
{
	size_t n;

	for (n = 0; n < size && digit(text[2 * n]) >= 0; n++)
		bytes[n] = (uint8_t)(digit(text[2 * n]) << 4 | digit(text[2 * n + 1]));
	return n;
}

static int read_mem(struct cul_mem *mem, uint64_t addr, void *buf, size_t size)
{
	struct gdbstub *g = (struct gdbstub *)mem;

	return cul_mem_read(g->qemu, g->base + addr, buf, size);
}

static const struct cul_mem_ops ops = {.name = "gdb", .read = read_mem};

/* What qemu says is at an address, against what is read there. */
static void check_base(struct gdbstub *g, uint64_t addr)
{
	uint8_t bytes[8], told[8];
	char packet[64];

	snprintf(packet, sizeof(packet), "m%" PRIx64 ",8", addr);
	if (unhex(gdbstub_ask(g, packet), told, sizeof(told)) != sizeof(told) ||
		cul_mem_read(&g->mem, addr, bytes, sizeof(bytes)) != 0 ||
		memcmp(bytes, told, sizeof(bytes)) != 0)
		die("the program's memory is not where it was asked for");
}

void gdbstub_start(struct gdbstub *g, const char *qemu, const char *program, bool narrow)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct cul_error err;
	char base[32];

	g->mem.ops = &ops;
	g->base = narrow ? 1ull << 32 : 0; /* of 64 bits it is 0 anyway */
	snprintf(base, sizeof(base), "0x%" PRIx64, g->base);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s.%d", program, (int)getpid());
	unlink(addr.sun_path);
	g->pid = fork();
	if (g->pid == 0) {
		if (narrow)
			execlp(qemu, qemu, "-B", base, "-g", addr.sun_path, program, (char *)NULL);
		execlp(qemu, qemu, "-g", addr.sun_path, program, (char *)NULL);
		_exit(127);
	}
	g->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	for (unsigned i = 0; connect(g->fd, (struct sockaddr *)&addr, sizeof(addr)) != 0; i++) {
		if (i == TRIES)
			die(qemu);
		usleep(STEP_US);
	}
	unlink(addr.sun_path);
	gdbstub_ask(g, "?");
	if (cul_mem_process(g->pid, &g->qemu, &err) != 0)
		die(err.text);
}

static char next_char(struct gdbstub *g)
{
	static char buf[16384];
	static ssize_t have, at;

	if (at == have) {
		have = read(g->fd, buf, sizeof(buf));
		at = 0;
		if (have <= 0)
			die("connection");
	}
	return buf[at++];
}

const char *gdbstub_ask(struct gdbstub *g, const char *packet)
{
	char out[1024];
	uint8_t sum = 0;
	size_t n = 0;
	char c;

	for (const char *p = packet; *p; p++)
		sum = (uint8_t)(sum + (uint8_t)*p);
	n = (size_t)snprintf(out, sizeof(out), "$%s#%02x", packet, sum);
	if (n >= sizeof(out) || write(g->fd, out, n) != (ssize_t)n)
		die("write");
	while (next_char(g) != '$')
		;
	for (n = 0; (c = next_char(g)) != '#'; n++)
		if (n + 1 < sizeof(g->reply))
			g->reply[n] = c;
	g->reply[n < sizeof(g->reply) ? n : sizeof(g->reply) - 1] = '\0';
	next_char(g);
	next_char(g);
	if (write(g->fd, "+", 1) != 1) /* qemu-user repeats an answer until it is acknowledged */
		die("write");
	return g->reply;
}

size_t gdbstub_regs(struct gdbstub *g, uint8_t *bytes, size_t size)
{
	return unhex(gdbstub_ask(g, "g"), bytes, size);
}

static bool stopped(const char *reply, int *signal)
{
	unsigned number = 0;

	if (reply[0] != 'T' && reply[0] != 'S')
		return false;
	sscanf(reply + 1, "%2x", &number);
	*signal = number == SIGTRAP_GDB ? 0 : (int)number;
	return true;
}

bool gdbstub_step(struct gdbstub *g, int *signal)
{
	return stopped(gdbstub_ask(g, "s"), signal);
}

static void breakpoint(struct gdbstub *g, char what, uint64_t addr)
{
	char packet[64];

	snprintf(packet, sizeof(packet), "%c0,%" PRIx64 ",4", what, addr);
	gdbstub_ask(g, packet);
}

void gdbstub_run_to(struct gdbstub *g, uint64_t addr)
{
	int signal = 0;

	breakpoint(g, 'Z', addr);
	if (!stopped(gdbstub_ask(g, "c"), &signal) || signal) {
		fprintf(stderr, "gdbstub: %s: ", g->reply);
		die("main was not reached");
	}
	breakpoint(g, 'z', addr);
	check_base(g, addr);
}

void gdbstub_deliver(struct gdbstub *g, int signal, const uint64_t *handlers, size_t n)
{
	char packet[32];
	int other = 0;

	for (size_t i = 0; i < n; i++)
		breakpoint(g, 'Z', handlers[i]);
	snprintf(packet, sizeof(packet), "vCont;C%02x", (unsigned)signal);
	if (!stopped(gdbstub_ask(g, packet), &other) || other) {
		fprintf(stderr, "gdbstub: %s: ", g->reply);
		die("no handler was reached");
	}
	for (size_t i = 0; i < n; i++)
		breakpoint(g, 'z', handlers[i]);
}

void gdbstub_end(struct gdbstub *g)
{
	kill(g->pid, SIGKILL);
	waitpid(g->pid, NULL, 0);
	cul_mem_free(g->qemu);
	close(g->fd);
}
