/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "peers_remote.h"

#include <elfutils/libdwfl.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arch/unwind.h"

enum { LIBDWFL, GDB, PATIENCE_MS = 20000, PACKET = 4096 };

struct peers_remote {
	struct gdbstub *stub;
	const struct cul_arch *arch;
	const char *program;
	const struct cul_thread_regs *regs;
	Dwfl *dwfl;
	bool no_dwfl; /* it does not unwind this processor */
	struct peer_answer answer;
	size_t wanted; /* frames that are looked at */
	pid_t gdb;
	int fd; /* to gdb; -1: it does not run */
	char packet[PACKET];
};

static void die(const char *what)
{
	fprintf(stderr, "peers: %s: %s\n", what, strerror(errno));
	exit(2);
}

static pid_t next_thread(Dwfl *dwfl, void *data, void **thread)
{
	struct peers_remote *p = data;

	if (*thread)
		return 0;
	*thread = p;
	return p->stub->pid;
}

static bool memory_read(Dwfl *dwfl, Dwarf_Addr addr, Dwarf_Word *value, void *data)
{
	struct peers_remote *p = data;
	uint8_t bytes[8];

	if (cul_mem_read(&p->stub->mem, addr, bytes, p->arch->word) != 0)
		return false;
	*value = 0;
	for (unsigned i = 0; i < p->arch->word; i++)
		*value = *value << 8 | bytes[p->arch->big_endian ? i : p->arch->word - 1 - i];
	return true;
}

static bool set_registers(Dwfl_Thread *thread, void *data)
{
	struct peers_remote *p = data;
	const struct cul_arch_unwind *facts = p->arch->unwind;

	for (unsigned i = 0; i < facts->n_dwarf_regs; i++) {
		Dwarf_Word value;

		if (facts->dwarf_regs[i] == CUL_NO_REG)
			continue;
		value = p->regs->regs.r[facts->dwarf_regs[i]];
		dwfl_thread_state_registers(thread, (int)i, 1, &value);
	}
	dwfl_thread_state_register_pc(thread, p->regs->regs.r[p->arch->reg_ip]);
	return true;
}

static int on_frame(Dwfl_Frame *frame, void *data)
{
	struct peers_remote *p = data;
	Dwarf_Addr pc;

	if (p->answer.n == p->wanted || !dwfl_frame_pc(frame, &pc, NULL))
		return DWARF_CB_ABORT;
	peer_frame(&p->answer, pc & ~p->arch->unwind->pc_clear);
	return DWARF_CB_OK;
}

static void start_dwfl(struct peers_remote *p)
{
	static const Dwfl_Callbacks files = {
		.find_debuginfo = dwfl_standard_find_debuginfo,
		.section_address = dwfl_offline_section_address,
	};
	static const Dwfl_Thread_Callbacks threads = {
		.next_thread = next_thread,
		.memory_read = memory_read,
		.set_initial_registers = set_registers,
	};

	p->dwfl = dwfl_begin(&files);
	if (!p->dwfl || !dwfl_report_elf(p->dwfl, "program", p->program, -1, 0, true) ||
		dwfl_report_end(p->dwfl, NULL, NULL) != 0)
		die(dwfl_errmsg(-1));
	p->no_dwfl = !dwfl_attach_state(p->dwfl, NULL, p->stub->pid, &threads, p);
}

static void ask_dwfl(struct peers_remote *p)
{
	p->answer.n = 0;
	if (!p->no_dwfl)
		dwfl_getthread_frames(p->dwfl, p->stub->pid, on_frame, p);
}

static void run_gdb(const char *program, const char *path)
{
	char target[256];

	snprintf(target, sizeof(target), "target remote %s", path);
	if (!freopen("/dev/null", "r", stdin) || !freopen("/dev/null", "w", stdout) ||
		!freopen("/dev/null", "w", stderr))
		_exit(127);
	execlp("gdb-multiarch", "gdb-multiarch", "-nx", "-batch", "-ex",
		"set debuginfod enabled off", "-ex", "set trust-readonly-sections on", "-ex",
		"set backtrace past-main on", "-ex", "set heuristic-fence-post 0", "-ex", target,
		"-x", IN_GDB, program, (char *)NULL);
	_exit(127);
}

static void start_gdb(struct peers_remote *p)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct pollfd ready = {.events = POLLIN};

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s.gdb.%d", p->program, (int)getpid());
	unlink(addr.sun_path);
	ready.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(ready.fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 || listen(ready.fd, 1) != 0)
		die(addr.sun_path);
	p->gdb = fork();
	if (p->gdb == 0)
		run_gdb(p->program, addr.sun_path);
	if (poll(&ready, 1, PATIENCE_MS) != 1)
		die("gdb-multiarch does not connect");
	p->fd = accept4(ready.fd, NULL, NULL, SOCK_CLOEXEC);
	close(ready.fd);
	unlink(addr.sun_path);
	if (p->fd < 0)
		die("gdb-multiarch");
}

static void end_gdb(struct peers_remote *p)
{
	if (p->fd < 0)
		return;
	close(p->fd);
	p->fd = -1;
	kill(p->gdb, SIGKILL);
	waitpid(p->gdb, NULL, 0);
}

static void tell(struct peers_remote *p, const char *text)
{
	static char out[2 * PACKET * 2];
	uint8_t sum = 0;
	int n;

	for (const char *c = text; *c; c++)
		sum = (uint8_t)(sum + (uint8_t)*c);
	n = snprintf(out, sizeof(out), "$%s#%02x", text, sum);
	if (n >= (int)sizeof(out) || send(p->fd, out, (size_t)n, MSG_NOSIGNAL) != n)
		die("an answer to gdb");
}

/* The next byte from gdb; negative: it has nothing to say, or is gone. */
static int next_char(struct peers_remote *p)
{
	struct pollfd ready = {.fd = p->fd, .events = POLLIN};
	uint8_t byte;

	return poll(&ready, 1, PATIENCE_MS) == 1 && read(p->fd, &byte, 1) == 1 ? byte : -1;
}

static bool hear(struct peers_remote *p)
{
	size_t n = 0;
	int c;

	while ((c = next_char(p)) != '$')
		if (c < 0)
			return false;
	while ((c = next_char(p)) != '#') {
		if (c < 0 || n + 1 == sizeof(p->packet))
			return false;
		p->packet[n++] = (char)c;
	}
	p->packet[n] = '\0';
	return next_char(p) >= 0 && next_char(p) >= 0 && send(p->fd, "+", 1, MSG_NOSIGNAL) == 1;
}

/* The text of a monitor command: "?", how many frames are worth looking at, or pcs. */
static void monitor(struct peers_remote *p, const char *hex)
{
	char text[PACKET / 2 + 1], depth[32], answer[64], *at = text, *end;
	size_t n = 0;
	unsigned c;

	while (n + 1 < sizeof(text) && sscanf(hex + 2 * n, "%2x", &c) == 1)
		text[n++] = (char)c;
	text[n] = '\0';
	if (text[0] == '?') {
		n = (size_t)snprintf(depth, sizeof(depth), "%zu", p->wanted);
		for (size_t i = 0; i < n; i++)
			snprintf(answer + 2 * i, 3, "%02x", depth[i]);
		tell(p, answer);
		return;
	}
	for (uint64_t pc = strtoull(at, &end, 16); end != at; pc = strtoull(at, &end, 16)) {
		peer_frame(&p->answer, pc);
		at = end;
	}
	tell(p, "OK");
}

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* Answers gdb until it lets the program go on. False: it does not come to an end. */
static bool serve(struct peers_remote *p)
{
	while (hear(p)) {
		const char *packet = p->packet;

		if (begins(packet, "vCont;") || packet[0] == 'c')
			return true;
		if (begins(packet, "qRcmd,")) {
			monitor(p, packet + strlen("qRcmd,"));
		} else if (packet[0] == 'Z' || packet[0] == 'z') {
			tell(p, "OK"); /* it never gets there */
		} else if (strchr("MXGPkD", packet[0]) || begins(packet, "vKill")) {
			tell(p, "E01");
		} else if (begins(packet, "QStartNoAckMode")) {
			tell(p, "");
		} else {
			tell(p, gdbstub_ask(p->stub, packet));
		}
	}
	return false;
}

static void ask_gdb(struct peers_remote *p)
{
	p->answer.n = 0;
	if (p->fd < 0)
		start_gdb(p);
	else
		tell(p, gdbstub_ask(p->stub, "?"));
	if (serve(p))
		return;
	p->answer.n = 0;
	end_gdb(p);
}

struct peers_remote *peers_remote_new(
	struct gdbstub *stub, const struct cul_arch *arch, const char *program)
{
	struct peers_remote *p = calloc(1, sizeof(*p));

	if (!p)
		die("memory");
	p->stub = stub;
	p->arch = arch;
	p->program = program;
	p->fd = -1;
	start_dwfl(p);
	return p;
}

void peers_remote_ask(struct peers_remote *p, const struct cul_thread_regs *regs,
	const struct shadow *shadow, uint64_t pc, struct peer_score *score)
{
	score->names[LIBDWFL] = "libdwfl";
	score->names[GDB] = "gdb";
	p->regs = regs;
	p->wanted = shadow->len + 1;
	ask_dwfl(p);
	peers_judge(score, LIBDWFL, &p->answer, shadow, pc);
	ask_gdb(p);
	peers_judge(score, GDB, &p->answer, shadow, pc);
}

void peers_remote_free(struct peers_remote *p)
{
	if (!p)
		return;
	end_gdb(p);
	dwfl_end(p->dwfl);
	free(p);
}
