/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * remote ARCH QEMU [--methods NAMES] [--show N] [--every N] [--peers N] PROGRAM: as step, for a
 * static program of another architecture under qemu-user. Its signal handlers are the functions
 * whose names begin with "on_".
 */
#include <elf.h>
#include <fcntl.h>
#include <gelf.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arch/unwind.h"
#include "gdbstub.h"
#include "peers_remote.h"
#include "shadow.h"

enum {
	MAX_STEPS = 400000,
	MAX_TOLD = 64,
	MAX_HANDLERS = 16,
	MAX_SEGMENTS = 16,
	PAGE = 4096,
	RESTORER = 16
};

struct run {
	struct gdbstub gdb;
	const struct cul_arch *arch;
	struct cul_objfile *file, *names; /* names: the same with symbols, where it has none */
	struct cul_unwinder *unwinder;
	struct cul_unwind_options options;
	struct cul_thread_regs regs;
	struct shadow shadow;
	struct score score;
	struct peers_remote *peers;
	struct peer_score peer_score;
	unsigned show, every;
	unsigned each;    /* so many instructions from one question to the peers to the next */
	uint64_t pending; /* of a call whose delay slot comes first */
	uint64_t handlers[MAX_HANDLERS];
	size_t n_handlers;
	uint64_t trampoline; /* the page that handlers return to: the kernel's, here qemu's */
	GElf_Phdr code[MAX_SEGMENTS];
	size_t n_code;
};

static int at(void *data, uint64_t addr, struct cul_code_at *out)
{
	struct run *r = data;

	*out = (struct cul_code_at){
		.executable = r->trampoline && addr / PAGE == r->trampoline / PAGE};
	for (size_t i = 0; i < r->n_code; i++) {
		if (addr - r->code[i].p_vaddr < r->code[i].p_memsz) {
			out->executable = true;
			out->file = r->file;
		}
	}
	return 0;
}

static bool next(void *data, size_t *cursor, struct cul_code_range *out)
{
	struct run *r = data;
	uint64_t page = r->trampoline / PAGE * PAGE;
	size_t i = (*cursor)++;

	if (i < r->n_code)
		*out = (struct cul_code_range){
			r->code[i].p_vaddr, r->code[i].p_vaddr + r->code[i].p_memsz, true};
	else
		*out = (struct cul_code_range){page, page + PAGE, false};
	return i < r->n_code + (page != 0);
}

static void read_segments(struct run *r, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	Elf *elf;
	size_t n = 0;
	GElf_Phdr ph;

	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	elf_getphdrnum(elf, &n);
	for (size_t i = 0; i < n && r->n_code < MAX_SEGMENTS; i++)
		if (gelf_getphdr(elf, (int)i, &ph) && ph.p_type == PT_LOAD && ph.p_flags & PF_X)
			r->code[r->n_code++] = ph;
	elf_end(elf);
	close(fd);
}

static void find_handlers(struct run *r)
{
	struct cul_elf_symbol s;
	size_t cursor = 0;

	while (cul_objfile_next_symbol(r->names, &cursor, &s))
		if (s.is_function && !strncmp(s.name, "on_", 3) && r->n_handlers < MAX_HANDLERS)
			r->handlers[r->n_handlers++] = s.addr;
}

/*
 * Where register `i` of ours is in qemu's packet of `n` bytes: MIPS has status, lo, hi, badvaddr,
 * cause, pc behind the general ones; ARM has eight of 12 bytes and one of 4, all gone, between pc
 * and CPSR, until a debugger has asked for the list of registers.
 */
static long place_of(const struct cul_arch *arch, unsigned i, size_t n)
{
	if (arch->elf_machine == EM_MIPS && i >= 32)
		return i == arch->reg_ip ? 37 * (long)arch->word : -1;
	if (arch->elf_machine == EM_ARM && i > 15)
		return i != arch->reg_flags ? -1 : n > 17 * 4 ? 16 * 4 + 8 * 12 + 4 : 16 * 4;
	return (long)(i * arch->word);
}

static uint64_t number(const struct cul_arch *arch, const uint8_t *bytes)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < arch->word; i++)
		value = value << 8 | bytes[arch->big_endian ? i : arch->word - 1 - i];
	return value;
}

static int read_word(struct run *r, uint64_t addr, uint64_t *value)
{
	uint8_t bytes[8];

	if (cul_mem_read(&r->gdb.mem, addr, bytes, r->arch->word) != 0)
		return -1;
	*value = number(r->arch, bytes);
	return 0;
}

static void get_regs(struct run *r)
{
	uint8_t bytes[1024] = {0};
	size_t n = gdbstub_regs(&r->gdb, bytes, sizeof(bytes));
	unsigned word = r->arch->word;

	r->regs = (struct cul_thread_regs){0};
	for (unsigned i = 0; i < r->arch->n_regs; i++) {
		long place = place_of(r->arch, i, n);

		if (place < 0 || (size_t)place + word > n)
			continue;
		r->regs.regs.r[i] = number(r->arch, bytes + place);
		r->regs.known |= 1ull << i;
	}
}

static uint64_t pc_of(const struct run *r)
{
	return r->regs.regs.r[r->arch->reg_ip] & ~r->arch->unwind->pc_clear;
}

/*
 * Whether the instruction at `pc` has called somebody: the link register points behind it (and its
 * delay slot) and it did not go on there. Knows nothing of our decoders.
 */
static uint64_t call_at(struct run *r, uint64_t pc, bool thumb)
{
	uint64_t lr = r->regs.regs.r[r->arch->unwind->reg_lr], len = 4;
	uint8_t first[2];

	if (r->arch->elf_machine == EM_MIPS)
		len = 8;
	if (thumb && cul_mem_read(&r->gdb.mem, pc, first, sizeof(first)) == 0)
		len = first[1] >= 0xe8 ? 4 : 2;
	return lr == (pc + len) + thumb ? pc + len : 0;
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

		cul_objfile_symbol_at(r->names, want, &s);
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

	return cul_objfile_symbol_at(r->names, pc, &symbol) == 0 &&
	       strstr(symbol.name, "__longjmp");
}

static bool lost(void *data, size_t frame)
{
	struct run *r = data;
	const struct shadow_entry *e = &r->shadow.entries[r->shadow.len - frame];
	uint64_t from = r->regs.regs.r[r->arch->reg_sp], value, mode = r->arch->unwind->pc_mode;

	if (frame == 0 || frame > r->shadow.len)
		return false;
	for (unsigned i = 0; i < r->arch->n_regs; i++)
		if (i != r->arch->reg_ip && (r->regs.regs.r[i] & ~mode) == e->pc)
			return false;
	if (frame >
		1) /* of the function that should have kept it; deeper is what calls left behind */
		from = e[1].sp;
	for (uint64_t at = from; at < e->sp; at += r->arch->word)
		if (read_word(r, at, &value) != 0 || (value & ~mode) == e->pc)
			return false;
	return true;
}

/* Where it is jumping, it describes the frame that it jumps to, or has half of its registers. */
static enum verdict check(struct run *r)
{
	size_t frame = 0;
	enum verdict verdict;

	r->score.n_frames = 0;
	cul_unwind(r->unwinder, &r->regs, &r->options, score_visit, &r->score, &r->score.end);
	verdict = score_judge(&r->score, &r->shadow, pc_of(r), &frame, lost, r);
	if (verdict != EXACT && verdict != LOST)
		complain(r, verdict, frame);
	return verdict;
}

static void check_all(struct run *r, bool peers)
{
	enum verdict verdict;

	if (is_jumping(r, pc_of(r)))
		return;
	verdict = check(r);
	if (!peers)
		return;
	peers_stop(&r->peer_score, verdict);
	peers_remote_ask(r->peers, &r->regs, &r->shadow, pc_of(r), &r->peer_score);
}

/* What the instruction at `pc` has done to the stack of calls. */
static void account(struct run *r, uint64_t pc, uint64_t sp, bool thumb)
{
	uint64_t now = pc_of(r), ra = r->pending ? r->pending : call_at(r, pc, thumb);
	uint64_t now_sp = r->regs.regs.r[r->arch->reg_sp];
	struct shadow *s = &r->shadow;

	r->pending = ra == pc + 8 && now == pc + 4 ? ra : 0;
	if (r->pending)
		return;
	if (ra && now != ra) {
		shadow_call(s, ra, sp);
		return;
	}
	if (is_jumping(r, pc) && !is_jumping(r, now))
		shadow_now(s, now_sp);
	if (s->len && s->entries[s->len - 1].interrupted) {
		const struct shadow_entry *e = &s->entries[s->len - 1];

		if (now - r->trampoline < RESTORER)
			return;
		s->len--; /* sigreturn; qemu stops one instruction further */
		if (now != e->pc)
			account(r, e->pc, e->sp, thumb);
		return;
	}
	while (s->len && !s->entries[s->len - 1].interrupted &&
		(s->entries[s->len - 1].sp < now_sp ||
			(s->entries[s->len - 1].sp == now_sp && s->entries[s->len - 1].pc == now)))
		s->len--;
}

static void deliver(struct run *r, int signal)
{
	uint64_t restorer;

	shadow_signal(&r->shadow, pc_of(r), r->regs.regs.r[r->arch->reg_sp]);
	gdbstub_deliver(&r->gdb, signal, r->handlers, r->n_handlers);
	get_regs(r);
	restorer = r->regs.regs.r[r->arch->unwind->reg_lr] & ~r->arch->unwind->pc_clear;
	shadow_call(&r->shadow, restorer, r->regs.regs.r[r->arch->reg_sp]);
	r->trampoline = restorer;
}

static unsigned methods_of(const char *names)
{
	static const char *const words[] = {"regs", "cfi", "exidx", "signal", "code", "lr", "fp",
		"badpc", "scan", "orc", "deduced"};
	unsigned bits = 0;

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strstr(names, words[i]))
			bits |= 1u << i;
	return bits;
}

int main(int argc, char **argv)
{
	static struct run r;
	struct cul_code_space space = {.data = &r, .at = at, .next = next};
	struct cul_elf_symbol main_symbol;
	struct cul_error err;
	const char *symbols = argv[argc - 1];
	int signal = 0;

	if (argc < 4 || !(r.arch = cul_arch_find(argv[1])))
		return 2;
	for (int i = 3; i + 2 < argc; i += 2) {
		if (!strcmp(argv[i], "--methods"))
			r.options.methods = methods_of(argv[i + 1]);
		if (!strcmp(argv[i], "--show"))
			r.show = (unsigned)atoi(argv[i + 1]);
		if (!strcmp(argv[i], "--every"))
			r.every = (unsigned)atoi(argv[i + 1]);
		if (!strcmp(argv[i], "--symbols"))
			symbols = argv[i + 1];
		if (!strcmp(argv[i], "--peers"))
			r.each = (unsigned)atoi(argv[i + 1]);
	}
	if (cul_objfile_open(argv[argc - 1], argv[argc - 1], NULL, &r.file, &err) != 0 ||
		cul_objfile_open(symbols, symbols, NULL, &r.names, &err) != 0 ||
		cul_objfile_symbol(r.names, "main", &main_symbol, &err) != 0) {
		fprintf(stderr, "remote: %s\n", err.text);
		return 2;
	}
	read_segments(&r, argv[argc - 1]);
	find_handlers(&r);
	gdbstub_start(&r.gdb, argv[2], argv[argc - 1], r.arch->word == 4);
	gdbstub_run_to(&r.gdb, main_symbol.addr & ~r.arch->unwind->pc_clear);
	if (cul_unwinder_new(r.arch, &r.gdb.mem, &space, &r.unwinder) != 0)
		return 2;
	if (r.each)
		r.peers = peers_remote_new(&r.gdb, r.arch, argv[argc - 1]);
	get_regs(&r);
	shadow_call(&r.shadow, r.regs.regs.r[r.arch->unwind->reg_lr] & ~r.arch->unwind->pc_clear,
		r.regs.regs.r[r.arch->reg_sp]);
	for (unsigned i = 0; i < MAX_STEPS && r.shadow.len; i++) {
		uint64_t pc = pc_of(&r), sp = r.regs.regs.r[r.arch->reg_sp];
		bool thumb = r.regs.regs.r[r.arch->reg_flags] & r.arch->unwind->flags_mode;

		bool ask = r.peers && i % r.each == 0 && !signal;

		if (ask || !r.every || i % r.every == 0)
			check_all(&r, ask);
		if (signal) {
			deliver(&r, signal);
			signal = 0;
			continue;
		}
		if (!gdbstub_step(&r.gdb, &signal))
			break;
		get_regs(&r);
		account(&r, pc, sp, thumb);
	}
	if (r.peers)
		peers_print(&r.peer_score);
	peers_remote_free(r.peers);
	score_print(&r.score);
	gdbstub_end(&r.gdb);
	cul_unwinder_free(r.unwinder);
	cul_objfile_free(r.file);
	cul_objfile_free(r.names);
	return 0;
}
