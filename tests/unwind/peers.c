/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "peers.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

/* Each prints a line a frame with the pc behind "0x"; inlined frames and tail calls are none. */
static const struct {
	const char *name, *command;
} peers[PEERS] = {
	{"eu-stack", "eu-stack -q -n 0 -p %d 2>/dev/null"},
	{"gdb", "gdb -nx -batch -p %d -ex 'set backtrace past-main on' -ex 'python exec(\"f = "
		"gdb.newest_frame()\\n"
		"while f:\\n if f.type() not in (gdb.INLINE_FRAME, gdb.TAILCALL_FRAME): "
		"print(\\\"#0 0x%%x\\\" %% f.pc())\\n f = f.older()\")' 2>/dev/null"},
};

static void die(const char *what)
{
	fprintf(stderr, "peers: %s: %s\n", what, strerror(errno));
	exit(2);
}

static bool is_exact(int pid, unsigned peer, const struct shadow *shadow, uint64_t pc)
{
	char command[512], line[512], *at;
	size_t n = 0;
	bool exact = true;
	FILE *out;

	snprintf(command, sizeof(command), peers[peer].command, pid);
	out = popen(command, "r");
	if (!out)
		die(peers[peer].name);
	while (fgets(line, sizeof(line), out)) {
		if (line[0] != '#' || !(at = strstr(line, "0x")))
			continue;
		if (n <= shadow->len && strtoull(at, NULL, 16) != shadow_pc(shadow, n, pc))
			exact = false;
		n++;
	}
	pclose(out);
	return exact && n > shadow->len;
}

void peers_ask(
	pid_t pid, const struct shadow *shadow, uint64_t pc, bool ours, struct peer_score *score)
{
	int status;
	long saved;

	/* They let it run for a moment, each in its way: it jumps to where it is. */
	errno = 0;
	saved = ptrace(PTRACE_PEEKTEXT, pid, pc, 0);
	if (errno || ptrace(PTRACE_POKETEXT, pid, pc, (saved & ~0xffffl) | 0xfeeb) != 0 ||
		ptrace(PTRACE_DETACH, pid, 0, 0) != 0)
		die("PTRACE_DETACH");
	score->stops++;
	score->ours += ours;
	for (unsigned i = 0; i < PEERS; i++)
		score->exact[i] += is_exact(pid, i, shadow, pc);
	if (ptrace(PTRACE_ATTACH, pid, 0, 0) != 0 || waitpid(pid, &status, 0) != pid ||
		!WIFSTOPPED(status) || ptrace(PTRACE_POKETEXT, pid, pc, saved) != 0)
		die("PTRACE_ATTACH");
	ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_EXITKILL);
}

void peers_print(const struct peer_score *score)
{
	printf("of %u stops exact: culprit %u", score->stops, score->ours);
	for (unsigned i = 0; i < PEERS; i++)
		printf(", %s %u", peers[i].name, score->exact[i]);
	printf("\n");
}
