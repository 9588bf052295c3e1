/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "peers.h"

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

static void ask(int pid, unsigned peer, struct peer_answer *answer)
{
	char command[512], line[512], *at;
	FILE *out;

	answer->n = 0;
	snprintf(command, sizeof(command), peers[peer].command, pid);
	out = popen(command, "r");
	if (!out)
		die(peers[peer].name);
	while (fgets(line, sizeof(line), out)) {
		if (line[0] == '#' && (at = strstr(line, "0x")))
			peer_frame(answer, strtoull(at, NULL, 16));
	}
	pclose(out);
}

void peers_attach(pid_t pid, const struct shadow *shadow, uint64_t pc, struct peer_score *score)
{
	static struct peer_answer answer;
	int status;
	long saved;

	/* They let it run for a moment, each in its way: it jumps to where it is. */
	errno = 0;
	saved = ptrace(PTRACE_PEEKTEXT, pid, pc, 0);
	if (errno || ptrace(PTRACE_POKETEXT, pid, pc, (saved & ~0xffffl) | 0xfeeb) != 0 ||
		ptrace(PTRACE_DETACH, pid, 0, 0) != 0)
		die("PTRACE_DETACH");
	for (unsigned i = 0; i < PEERS; i++) {
		score->names[i] = peers[i].name;
		ask(pid, i, &answer);
		peers_judge(score, i, &answer, shadow, pc);
	}
	if (ptrace(PTRACE_ATTACH, pid, 0, 0) != 0 || waitpid(pid, &status, 0) != pid ||
		!WIFSTOPPED(status) || ptrace(PTRACE_POKETEXT, pid, pc, saved) != 0)
		die("PTRACE_ATTACH");
	ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_EXITKILL);
}
