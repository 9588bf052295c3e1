/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * remote ARCH QEMU [--methods NAMES] [--show N] PROGRAM: as step, for a static program of another
 * architecture under qemu-user. Signals are not followed.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/unwind.h"
#include "gdbstub.h"
#include "shadow.h"

enum { MAX_STEPS = 400000, MAX_TOLD = 64 };

struct run {
	struct gdbstub gdb;
	const struct cul_arch *arch;
	struct cul_objfile *file;
	struct cul_unwinder *unwinder;
	struct cul_unwind_options options;
	struct cul_thread_regs regs;
	struct shadow shadow;
	struct score score;
	unsigned show;
	uint64_t pending; /* of a call whose delay slot comes first */
};

static int at(void *data, uint64_t addr, struct cul_code_at *out)
{
	struct run *r = data;
	uint64_t offset;

	*out = (struct cul_code_at){0};
	if (cul_objfile_offset(r->file, addr, &offset) == 0) {
		out->executable = true;
		out->file = r->file;
	}
	return 0;
}

/* The head of qemu's register packet is in our order, but for MIPS, whose pc stands behind others.
 */
static void get_regs(struct run *r)
{
	uint8_t bytes[1024] = {0};
	size_t n = gdbstub_regs(&r->gdb, bytes, sizeof(bytes));
	unsigned word = r->arch->word;
	bool mips = !strncmp(r->arch->name, "mips", 4);

	r->regs = (struct cul_thread_regs){0};
	for (unsigned i = 0; i < r->arch->n_regs && (i + 1) * word <= n; i++) {
		uint64_t value = 0;

		for (unsigned b = 0; b < word; b++)
			value = value << 8 |
				bytes[i * word + (r->arch->big_endian ? b : word - 1 - b)];
		/* status, lo, hi, badvaddr, cause, pc */
		if (mips && i >= 32 && i != 37)
			continue;
		r->regs.regs.r[mips && i == 37 ? r->arch->reg_ip : i] = value;
		r->regs.known |= 1ull << (mips && i == 37 ? r->arch->reg_ip : i);
	}
}

static uint64_t pc_of(const struct run *r)
{
	return r->regs.regs.r[r->arch->reg_ip] & ~r->arch->unwind->pc_clear;
}

/* The address behind the call (and its delay slot) at pc; 0: it is none. */
static uint64_t call_at(struct run *r, uint64_t pc)
{
	const struct cul_arch_unwind *facts = r->arch->unwind;
	uint8_t bytes[8];
	unsigned len = facts->call_bytes < 8 || !strcmp(r->arch->name, "arm") ? 4 : 8;

	if (cul_objfile_bytes(r->file, pc, bytes, len) != 0 ||
		!facts->after_call(bytes, len, pc + len, NULL))
		return 0;
	return pc + len;
}

static void complain(struct run *r, enum verdict verdict, size_t frame)
{
	static uint64_t told[MAX_TOLD];
	static unsigned n_told;
	char text[128];

	for (unsigned i = 0; i < n_told; i++)
		if (told[i] == pc_of(r))
			return;
	if (n_told == r->show || n_told == MAX_TOLD)
		return;
	told[n_told++] = pc_of(r);
	printf("%s at frame %zu, %s\n", shadow_verdict(verdict), frame,
		cul_unwind_end_text(&r->score.end, text, sizeof(text)));
	for (size_t i = 0; i <= frame + 1; i++) {
		uint64_t want = shadow_pc(&r->shadow, i, pc_of(r));
		struct cul_elf_symbol s = {.name = "?"};

		cul_objfile_symbol_at(r->file, want, &s);
		printf("  %2zu want %" PRIx64 " %s+0x%" PRIx64, i, want, s.name, want - s.addr);
		if (i < r->score.n_frames)
			printf("  got %" PRIx64 " sp %" PRIx64 " by %s%s", r->score.frames[i].pc,
				r->score.frames[i].sp,
				cul_unwind_method_name(r->score.frames[i].method),
				r->score.frames[i].certainty == CUL_CERTAIN ? "" : "?");
		printf("\n");
	}
}

static bool is_jumping(struct run *r, uint64_t pc)
{
	struct cul_elf_symbol symbol;

	return cul_objfile_symbol_at(r->file, pc, &symbol) == 0 && strstr(symbol.name, "__longjmp");
}

static void check(struct run *r)
{
	size_t frame = 0;
	enum verdict verdict;

	/* It describes the frame that it jumps to, or has half of its registers. */
	if (is_jumping(r, pc_of(r)))
		return;
	r->score.n_frames = 0;
	cul_unwind(r->unwinder, &r->regs, &r->options, score_visit, &r->score, &r->score.end);
	verdict = score_judge(&r->score, &r->shadow, pc_of(r), &frame);
	if (verdict != EXACT)
		complain(r, verdict, frame);
}

/* What the instruction from `pc` has done to the stack of calls. */
static void account(struct run *r, uint64_t pc, uint64_t sp)
{
	uint64_t now = pc_of(r), ra = r->pending ? r->pending : call_at(r, pc);
	uint64_t now_sp = r->regs.regs.r[r->arch->reg_sp];
	struct shadow *s = &r->shadow;

	r->pending = ra == pc + 8 && now == pc + 4 ? ra : 0;
	if (ra && now != ra && now != pc + 4) {
		shadow_call(s, ra, sp);
		return;
	}
	if (is_jumping(r, pc) && !is_jumping(r, now))
		shadow_now(s, now_sp);
	while (s->len &&
		(s->entries[s->len - 1].sp < now_sp ||
			(s->entries[s->len - 1].sp == now_sp && s->entries[s->len - 1].pc == now)))
		s->len--;
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

int main(int argc, char **argv)
{
	static struct run r;
	struct cul_code_space space = {.data = &r, .at = at};
	struct cul_elf_symbol main_symbol;
	struct cul_error err;
	int signal = 0;

	if (argc < 4 || !(r.arch = cul_arch_find(argv[1])))
		return 2;
	for (int i = 3; i + 2 < argc; i += 2) {
		if (!strcmp(argv[i], "--methods"))
			r.options.methods = methods_of(argv[i + 1]);
		if (!strcmp(argv[i], "--show"))
			r.show = (unsigned)atoi(argv[i + 1]);
	}
	if (cul_objfile_open(argv[argc - 1], argv[argc - 1], NULL, &r.file, &err) != 0 ||
		cul_objfile_symbol(r.file, "main", &main_symbol, &err) != 0) {
		fprintf(stderr, "remote: %s\n", err.text);
		return 2;
	}
	gdbstub_start(&r.gdb, argv[2], argv[argc - 1]);
	gdbstub_run_to(&r.gdb, main_symbol.addr & ~r.arch->unwind->pc_clear);
	if (cul_unwinder_new(r.arch, &r.gdb.mem, &space, &r.unwinder) != 0)
		return 2;
	get_regs(&r);
	shadow_call(&r.shadow, r.regs.regs.r[r.arch->unwind->reg_lr] & ~r.arch->unwind->pc_clear,
		r.regs.regs.r[r.arch->reg_sp]);
	for (unsigned i = 0; i < MAX_STEPS && r.shadow.len; i++) {
		uint64_t pc = pc_of(&r), sp = r.regs.regs.r[r.arch->reg_sp];

		check(&r);
		if (!gdbstub_step(&r.gdb, &signal) || signal)
			break;
		get_regs(&r);
		account(&r, pc, sp);
	}
	score_print(&r.score);
	gdbstub_end(&r.gdb);
	cul_unwinder_free(r.unwinder);
	cul_objfile_free(r.file);
	return 0;
}
