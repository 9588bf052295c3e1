/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * step [--methods NAMES] [--show N] [--main ADDR | --whole 1] [--steps N] [--every N] [--peers N]
 * PROGRAM [ARGUMENT...]: runs the program one instruction at a time, keeps its calls and returns as
 * a shadow stack, unwinds at every instruction and compares.
 *
 * --whole: from the program's entry instead of main's. --steps: so many at most. --every: unwinds
 * at each Nth only. --peers: asks other unwinders at each Nth. Prints "steps exact truncated
 * wrong-marked wrong lost"; --show: and the first N failures, one a place.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "peers.h"
#include "shadow.h"
#include "unwind/process.h"

enum { MAX_STEPS = 3000000, KINDS = 1 << 16 };
enum { RIP = 16, RSP = 19, RAX = 10, RDX = 12, N_REGS = 21 };

/* What an instruction does, by address. */
struct kind {
	uint64_t pc;
	uint8_t len;
	bool known, call, syscall;
};

struct run {
	pid_t pid;
	struct cul_mem *mem;
	struct cul_process_syms *syms;
	struct cul_unwind_process *code;
	struct cul_unwinder *unwinder;
	struct cul_unwind_options options;
	struct cul_thread_regs regs;
	struct shadow shadow;
	struct score score;
	struct kind kinds[KINDS];
	struct peer_score peer_score;
	unsigned show;
	uint64_t steps, every, peers;
	bool whole, stale; /* stale: code was mapped since `syms` was read */
	uint64_t main;     /* linked address of main; 0: by its symbol */
};

static void die(const char *what)
{
	fprintf(stderr, "step: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void die_error(const struct cul_error *err)
{
	fprintf(stderr, "step: %s\n", err->text);
	exit(2);
}

static void get_regs(struct run *r)
{
	struct iovec iov = {r->regs.regs.r, N_REGS * 8};

	if (ptrace(PTRACE_GETREGSET, r->pid, 1 /* NT_PRSTATUS */, &iov) != 0)
		die("PTRACE_GETREGSET");
	r->regs.known = ~0ull;
}

static void start(struct run *r, char **argv)
{
	int status;

	r->pid = fork();
	if (r->pid == 0) {
		int null = open("/dev/null", O_WRONLY);

		dup2(null, STDOUT_FILENO); /* ours is for the result */
		personality(ADDR_NO_RANDOMIZE);
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		execv(argv[0], argv);
		_exit(127);
	}
	if (r->pid < 0 || waitpid(r->pid, &status, 0) != r->pid || !WIFSTOPPED(status))
		die(argv[0]);
	ptrace(PTRACE_SETOPTIONS, r->pid, 0, PTRACE_O_EXITKILL);
}

static uint64_t entry_of(pid_t pid)
{
	uint64_t pair[2] = {0};
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/auxv", (int)pid);
	file = fopen(path, "rb");
	while (file && fread(pair, sizeof(pair), 1, file) == 1 && pair[0] != AT_ENTRY)
		;
	if (!file || pair[0] != AT_ENTRY)
		die(path);
	fclose(file);
	return pair[1];
}

static uint64_t start_address(struct run *r)
{
	struct cul_process_syms *syms = NULL;
	struct cul_elf_symbol symbol;
	struct cul_error err;

	if (r->whole)
		return entry_of(r->pid);
	if (cul_process_open(r->pid, NULL, &syms, &err) != 0 ||
		(!r->main && cul_process_function(syms, "main", &symbol, &err) != 0))
		die_error(&err);
	if (r->main) /* of a position-independent program, whose first mapping is linked at 0 */
		symbol.addr = cul_process_maps(syms)->maps.data[0].start + r->main;
	cul_process_free(syms);
	return symbol.addr;
}

static void run_to_start(struct run *r)
{
	struct iovec iov = {r->regs.regs.r, N_REGS * 8};
	uint64_t addr = start_address(r);
	long saved;
	int status;

	errno = 0;
	saved = ptrace(PTRACE_PEEKTEXT, r->pid, addr, 0);
	if (errno || ptrace(PTRACE_POKETEXT, r->pid, addr, (saved & ~0xffl) | 0xcc) != 0)
		die("breakpoint");
	ptrace(PTRACE_CONT, r->pid, 0, 0);
	if (waitpid(r->pid, &status, 0) != r->pid || !WIFSTOPPED(status) ||
		WSTOPSIG(status) != SIGTRAP)
		die("main was not reached");
	ptrace(PTRACE_POKETEXT, r->pid, addr, saved);
	get_regs(r);
	r->regs.regs.r[RIP] = addr;
	if (ptrace(PTRACE_SETREGSET, r->pid, 1, &iov) != 0)
		die("PTRACE_SETREGSET");
}

static void open_process(struct run *r)
{
	struct cul_code_space space;
	struct cul_error err;

	if (cul_mem_process(r->pid, &r->mem, &err) != 0 ||
		cul_process_open(r->pid, NULL, &r->syms, &err) != 0)
		die_error(&err);
	if (cul_unwind_process_new(r->syms, r->mem, &r->code) != 0)
		die("no memory");
	space = cul_unwind_process_space(r->code);
	if (cul_unwinder_new(&cul_arch_x86_64, r->mem, &space, &r->unwinder) != 0)
		die("no unwinder");
}

static void close_process(struct run *r)
{
	cul_unwinder_free(r->unwinder);
	cul_unwind_process_free(r->code);
	cul_process_free(r->syms);
	cul_mem_free(r->mem);
}

static const struct kind *kind_of(struct run *r, uint64_t pc)
{
	struct kind *k = &r->kinds[pc % KINDS];
	struct cul_insn insn;
	struct cul_code code;
	uint8_t bytes[16] = {0};

	if (k->known && k->pc == pc)
		return k;
	*k = (struct kind){.pc = pc, .known = true};
	code = (struct cul_code){bytes, sizeof(bytes), pc, false};
	if (cul_mem_read(r->mem, pc, bytes, sizeof(bytes)) != 0 ||
		cul_arch_x86_64.decode(&code, pc, &insn) != 0)
		return k;
	k->len = (uint8_t)insn.len;
	k->call = strstr(insn.text, "call") && !strstr(insn.text, "syscall");
	k->syscall = !strncmp(insn.text, "syscall", 7);
	return k;
}

static void complain(struct run *r, enum verdict verdict, size_t frame)
{
	static uint64_t told[64];
	static unsigned n_told;
	uint64_t pc = r->regs.regs.r[RIP];
	char text[128];

	for (unsigned i = 0; i < n_told; i++)
		if (told[i] == pc)
			return;
	if (n_told == r->show || n_told == sizeof(told) / sizeof(told[0]))
		return;
	told[n_told++] = pc;
	printf("%s at frame %zu, %s\n", shadow_verdict(verdict), frame,
		cul_unwind_end_text(&r->score.end, text, sizeof(text)));
	for (size_t i = 0; i < r->score.n_frames || i < r->shadow.len + 1; i++) {
		const struct cul_frame *f = &r->score.frames[i];
		uint64_t want = shadow_pc(&r->shadow, i, pc);
		struct cul_process_where where;

		if (i > frame + 2)
			break;
		cul_process_at(r->syms, want, &where);
		printf("  %2zu want %" PRIx64 " %s+0x%" PRIx64, i, want,
			where.symbol ? where.symbol : "?", where.offset);
		if (i < r->score.n_frames)
			printf("  got %" PRIx64 " sp %" PRIx64 " by %s%s", f->pc, f->sp,
				cul_unwind_method_name(f->method),
				f->certainty == CUL_CERTAIN ? "" : "?");
		printf("\n");
	}
}

/* glibc's CFI of __longjmp describes the frame that it jumps to, once it has read the registers. */
static bool is_jumping(struct run *r)
{
	struct cul_process_where where;

	cul_process_at(r->syms, r->regs.regs.r[RIP], &where);
	return where.symbol && !strcmp(where.symbol, "__longjmp");
}

static enum verdict check(struct run *r)
{
	size_t frame = 0;
	enum verdict verdict;

	if (is_jumping(r))
		return EXACT;
	r->score.n_frames = 0;
	cul_unwind(r->unwinder, &r->regs, &r->options, score_visit, &r->score, &r->score.end);
	verdict = score_judge(&r->score, &r->shadow, r->regs.regs.r[RIP], &frame, NULL, NULL);
	if (verdict != EXACT)
		complain(r, verdict, frame);
	return verdict;
}

/* One instruction, or the entry of a signal handler. False: the program ends. */
static bool step(struct run *r, int *signal)
{
	const struct kind *k = kind_of(r, r->regs.regs.r[RIP]);
	uint64_t pc = r->regs.regs.r[RIP], sp = r->regs.regs.r[RSP];
	bool returns_from_signal = k->syscall && r->regs.regs.r[RAX] == SYS_rt_sigreturn;
	int delivered = *signal, status;
	uint64_t now, restorer;

	if (ptrace(PTRACE_SINGLESTEP, r->pid, 0, delivered) != 0)
		die("PTRACE_SINGLESTEP");
	if (waitpid(r->pid, &status, 0) != r->pid || !WIFSTOPPED(status))
		return false;
	/* Executable memory is what unwinding has to know of; the dynamic linker maps it so at
	 * once. */
	r->stale |=
		k->syscall && r->regs.regs.r[RAX] == SYS_mmap && r->regs.regs.r[RDX] & PROT_EXEC;
	*signal = WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
	get_regs(r);
	now = r->regs.regs.r[RSP];
	if (delivered) {
		cul_mem_read(r->mem, now, &restorer, sizeof(restorer));
		shadow_signal(&r->shadow, pc, sp);
		shadow_call(&r->shadow, restorer, now + 8);
		return true;
	}
	if (returns_from_signal && !*signal)
		shadow_sigreturn(&r->shadow);
	else if (k->call && now == sp - 8)
		shadow_call(&r->shadow, pc + k->len, sp);
	shadow_now(&r->shadow, now);
	return r->whole || r->shadow.len > 0;
}

static unsigned methods_of(const char *names)
{
	static const char *const words[] = {
		"regs", "cfi", "exidx", "signal", "code", "lr", "fp", "badpc", "scan"};
	unsigned bits = 0;

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strstr(names, words[i]))
			bits |= 1u << i;
	return bits;
}

static void run(struct run *r)
{
	uint64_t sp = r->regs.regs.r[RSP], base;
	int signal = 0;

	if (!r->whole) {
		cul_mem_read(r->mem, sp, &base, sizeof(base));
		shadow_call(&r->shadow, base, sp + 8);
	}
	for (uint64_t i = 0; i < r->steps; i++) {
		if (r->stale) {
			close_process(r);
			open_process(r);
			r->stale = false;
		}
		if (i % r->every == 0) {
			enum verdict verdict = check(r);

			if (r->peers && i % r->peers == 0 && !signal && !is_jumping(r)) {
				peers_stop(&r->peer_score, verdict);
				peers_attach(
					r->pid, &r->shadow, r->regs.regs.r[RIP], &r->peer_score);
			}
		}
		if (!step(r, &signal))
			break;
	}
	if (r->peers)
		peers_print(&r->peer_score);
}

int main(int argc, char **argv)
{
	static struct run r = {.steps = MAX_STEPS, .every = 1};

	while (argc > 3 && !strncmp(argv[1], "--", 2)) {
		if (!strcmp(argv[1], "--methods"))
			r.options.methods = methods_of(argv[2]);
		if (!strcmp(argv[1], "--show"))
			r.show = (unsigned)atoi(argv[2]);
		if (!strcmp(argv[1], "--main"))
			r.main = strtoull(argv[2], NULL, 16);
		if (!strcmp(argv[1], "--whole"))
			r.whole = true;
		if (!strcmp(argv[1], "--steps"))
			r.steps = strtoull(argv[2], NULL, 0);
		if (!strcmp(argv[1], "--every"))
			r.every = strtoull(argv[2], NULL, 0);
		if (!strcmp(argv[1], "--peers"))
			r.peers = strtoull(argv[2], NULL, 0);
		argc -= 2;
		argv += 2;
	}
	if (argc < 2)
		return 2;
	start(&r, argv + 1);
	run_to_start(&r);
	open_process(&r);
	run(&r);
	score_print(&r.score);
	kill(r.pid, SIGKILL);
	close_process(&r);
	return 0;
}
