/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * find_access against the processor: a child runs the functions of x86_64_shapes.S with a
 * debug register on the variable they touch. The witness is single-stepping: the instruction
 * at the address before the step is the one that made the trap. A second run lets the child go
 * from trap to trap, as in real life.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "arch/arch.h"

struct shape {
	const uint8_t *entry, *end, *finish;
	const char *text;
	uint64_t expected; /* enum cul_certainty */
};

extern const struct shape shape_table[];
extern uint8_t shape_var[], shape_callee[], shape_callee_end[];
void shape_run(const uint8_t *shape);

enum { MAX_HITS = 4096, MAX_SHAPES = 512, WATCH_LEN = 8 };

/* What single-stepping saw: after which address the trap was reported, and who had made it. */
struct hit {
	uint64_t ip, insn;
	enum cul_access_kind watch, answered;
	enum cul_certainty certainty;
	size_t shape;
};

struct run {
	pid_t pid;
	enum cul_access_kind watch;
	bool stepping;
	size_t shape; /* the one last entered */
	struct user_regs_struct regs;
};

struct score {
	unsigned certain, likely, unknown, wrong;
};

static struct hit hits[MAX_HITS];
static size_t n_hits;
static bool lacking[MAX_SHAPES]; /* the CPU does not know the instruction */

static uint64_t address(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

static long poke_debug(pid_t pid, unsigned reg, uint64_t value)
{
	return ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[reg]), value);
}

/* DR7: enable local 0; R/W field 1 write, 3 read or write; LEN field 2: eight bytes. */
static long arm(struct run *run)
{
	uint64_t rw = run->watch == CUL_ACCESS_WRITE ? 1 : 3;

	if (poke_debug(run->pid, 0, address(shape_var)))
		return -1;
	return poke_debug(run->pid, 7, 1 | rw << 16 | 2ull << 18);
}

static int start(struct run *run)
{
	int status;

	run->pid = fork();
	if (run->pid == 0) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		for (const struct shape *s = shape_table; s->entry; s++)
			shape_run(s->entry);
		_exit(0);
	}
	if (run->pid < 0 || waitpid(run->pid, &status, 0) != run->pid || !WIFSTOPPED(status))
		return -1;
	return arm(run) ? -1 : 0;
}

static void end_child(struct run *run)
{
	kill(run->pid, SIGKILL);
	waitpid(run->pid, NULL, 0);
}

static bool inside(uint64_t ip, const void *from, const void *to)
{
	return ip >= address(from) && ip < address(to);
}

/* The code a tool would have at hand: the function that holds ip. False outside of the shapes. */
static bool code_at(struct run *run, uint64_t ip, struct cul_code *code)
{
	const uint8_t *from = NULL, *to = NULL;

	if (inside(ip, shape_callee, shape_callee_end)) {
		from = shape_callee;
		to = shape_callee_end;
	}
	for (size_t i = 0; !from && shape_table[i].entry; i++) {
		if (inside(ip, shape_table[i].entry, shape_table[i].finish)) {
			run->shape = i;
			from = shape_table[i].entry;
			to = shape_table[i].finish;
		}
	}
	*code = (struct cul_code){from, (size_t)(to - from), address(from), true};
	return from;
}

static uint64_t peek(struct run *run, uint64_t addr, unsigned width)
{
	uint64_t word = (uint64_t)ptrace(PTRACE_PEEKDATA, run->pid, addr, 0);

	return width == 8 ? word : word & ((1ull << width * 8) - 1);
}

static bool same_mnemonic(const struct cul_code *code, uint64_t insn, const char *text)
{
	struct cul_code all = {(const uint8_t *)(uintptr_t)insn, 15, insn, true};
	struct cul_insn decoded;

	return !cul_arch_x86_64.decode(&all, insn, &decoded) && !strncmp(decoded.text, text, 3);
}

static bool is_right(
	struct run *run, const struct cul_code *code, const struct cul_insn *found, uint64_t insn)
{
	if (run->watch == CUL_ACCESS_WRITE && found->access == CUL_ACCESS_READ)
		return false;
	if (found->certainty == CUL_CERTAIN && found->value_known &&
		peek(run, found->access_addr, found->width) != found->value)
		return false;
	/* what lies in another function is named by its kind alone */
	return found->addr ? found->addr == insn : same_mnemonic(code, insn, found->text);
}

/* `insn`: who really made the trap. */
static enum cul_certainty judge(struct run *run, const struct cul_code *code, uint64_t insn,
	struct score *score, struct cul_insn *found)
{
	struct cul_regs regs = {0};
	struct cul_trap trap = {&regs, address(shape_var), WATCH_LEN, run->watch, .gs_known = true,
		.gs_base = run->regs.gs_base};

	memcpy(regs.r, &run->regs, 21 * sizeof(regs.r[0]));
	assert_int_equal(cul_arch_x86_64.find_access(code, &trap, found), 0);
	if (found->certainty == CUL_UNKNOWN) {
		score->unknown++;
	} else if (!is_right(run, code, found, insn)) {
		score->wrong++;
		print_error("wrong: %s: found %s at +%#lx (value %#lx), it was +%#lx\n",
			shape_table[run->shape].text, found->text,
			(unsigned long)(found->addr - code->addr), (unsigned long)found->value,
			(unsigned long)(insn - code->addr));
	} else if (found->certainty == CUL_CERTAIN) {
		score->certain++;
	} else {
		score->likely++;
	}
	return found->certainty;
}

static void remember(struct run *run, uint64_t insn, const struct cul_insn *found)
{
	struct hit *hit = &hits[n_hits];

	assert_true(n_hits < MAX_HITS);
	n_hits++;
	hit->ip = run->regs.rip;
	hit->insn = insn;
	hit->watch = run->watch;
	hit->answered = found->access;
	hit->certainty = found->certainty;
	hit->shape = run->shape;
}

static const struct hit *recall(const struct run *run, uint64_t ip)
{
	for (size_t i = 0; i < n_hits; i++) {
		if (hits[i].ip == ip && hits[i].watch == run->watch)
			return &hits[i];
	}
	return NULL;
}

static void handle_hit(struct run *run, uint64_t before, struct score *score, struct score *blind)
{
	struct cul_code code;
	struct cul_insn found;
	const struct hit *known = run->stepping ? NULL : recall(run, run->regs.rip);

	if (!code_at(run, run->regs.rip, &code))
		return;
	if (!run->stepping) {
		assert_non_null(known);
		before = known->insn;
	}
	judge(run, &code, before, score, &found);
	if (run->stepping)
		remember(run, before, &found);
	code.from_entry = false;
	judge(run, &code, before, blind, &found);
}

/* What the CPU does not know is passed over. False at the child's end. */
static bool advance(struct run *run)
{
	struct cul_code code;
	int status, how = run->stepping ? PTRACE_SINGLESTEP : PTRACE_CONT;

	if (ptrace(how, run->pid, 0, 0) || waitpid(run->pid, &status, 0) != run->pid)
		return false;
	if (!WIFSTOPPED(status))
		return false;
	ptrace(PTRACE_GETREGS, run->pid, 0, &run->regs);
	if (WSTOPSIG(status) == SIGTRAP)
		return true;
	if (WSTOPSIG(status) != SIGILL || !code_at(run, run->regs.rip, &code)) {
		print_error("%s: signal %d at %#llx\n", shape_table[run->shape].text,
			WSTOPSIG(status), run->regs.rip);
		end_child(run);
		fail();
	}
	lacking[run->shape] = true;
	run->regs.rip = address(shape_table[run->shape].end);
	ptrace(PTRACE_SETREGS, run->pid, 0, &run->regs);
	return true;
}

static void follow(struct run *run, struct score *score, struct score *blind)
{
	uint64_t before = 0;

	while (advance(run)) {
		long dr6 =
			ptrace(PTRACE_PEEKUSER, run->pid, offsetof(struct user, u_debugreg[6]), 0);
		struct cul_code ignored;

		if (dr6 & 1) {
			handle_hit(run, before, score, blind);
			poke_debug(run->pid, 6, 0);
		}
		code_at(run, run->regs.rip, &ignored);
		before = run->regs.rip;
	}
}

static void go(bool stepping, struct score *score, struct score *blind)
{
	const enum cul_access_kind watches[] = {CUL_ACCESS_WRITE, CUL_ACCESS_READ_WRITE};

	for (size_t i = 0; i < 2; i++) {
		struct run run = {.watch = watches[i], .stepping = stepping};

		if (start(&run)) {
			print_message("skipped: debug registers: %s\n", strerror(errno));
			end_child(&run);
			skip();
		}
		follow(&run, score, blind);
		end_child(&run);
	}
}

static void print_score(const char *what, const struct score *s)
{
	print_message("%s: %u certain, %u likely, %u unknown, %u wrong\n", what, s->certain,
		s->likely, s->unknown, s->wrong);
}

/* Each shape was answered as surely as it can be. */
static void check_certainty(void)
{
	unsigned bad = 0;

	for (size_t i = 0; shape_table[i].entry; i++) {
		enum cul_certainty least = CUL_CERTAIN;
		bool seen = lacking[i];

		if (lacking[i]) {
			print_message("not on this CPU: %s\n", shape_table[i].text);
			continue;
		}
		for (size_t k = 0; k < n_hits; k++) {
			if (hits[k].shape != i || hits[k].watch != CUL_ACCESS_READ_WRITE)
				continue;
			seen = true;
			if (hits[k].certainty < least)
				least = hits[k].certainty;
		}
		if (!seen || least != shape_table[i].expected) {
			print_error("%s: %s: certainty %d, expected %d\n", shape_table[i].text,
				seen ? "seen" : "no trap", (int)least,
				(int)shape_table[i].expected);
			bad++;
		}
	}
	assert_int_equal(bad, 0);
}

/* The processor says which instructions store: those that a write watch traps. */
static void check_direction(void)
{
	unsigned bad = 0;

	for (size_t i = 0; i < n_hits; i++) {
		bool stores = false;

		if (hits[i].watch != CUL_ACCESS_READ_WRITE || hits[i].certainty == CUL_UNKNOWN)
			continue;
		for (size_t k = 0; k < n_hits; k++)
			stores = stores || (hits[k].watch == CUL_ACCESS_WRITE &&
						   hits[k].insn == hits[i].insn &&
						   hits[k].shape == hits[i].shape);
		if (stores != (hits[i].answered != CUL_ACCESS_READ)) {
			print_error("%s: answered %d, the processor %s\n",
				shape_table[hits[i].shape].text, (int)hits[i].answered,
				stores ? "stores" : "only loads");
			bad++;
		}
	}
	assert_int_equal(bad, 0);
}

static void test_single_step(void **state)
{
	struct score score = {0}, blind = {0};

	go(true, &score, &blind);
	if (!n_hits) {
		print_message("skipped: debug registers arm here and never fire\n");
		skip();
	}
	print_score("stepped, from the entry", &score);
	print_score("stepped, entry unknown", &blind);
	assert_int_equal(score.wrong, 0);
	assert_int_equal(blind.wrong, 0);
	check_certainty();
	check_direction();
}

static void test_free_run(void **state)
{
	struct score score = {0}, blind = {0};

	if (!n_hits)
		skip();
	go(false, &score, &blind);
	print_score("running, from the entry", &score);
	print_score("running, entry unknown", &blind);
	assert_int_equal(score.wrong, 0);
	assert_int_equal(blind.wrong, 0);
	assert_true(score.certain > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_single_step),
		cmocka_unit_test(test_free_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
