/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a trap to the instruction that made it. A data breakpoint is reported
 * after the access, so the instruction sought is the one that was executed
 * last: the one before the reported address, the reported one itself when it
 * is a string instruction at work, or a call or return that led there.
 */
#include "arch/x86_64/x86_64.h"

#include <stdio.h>
#include <string.h>

enum {
	WINDOW = 96,     /* bytes before ip that vote for the place where an instruction ends */
	SWEEP = 1 << 20, /* a function larger than this is not decoded from its start */
};

struct search {
	struct cul_x86_decoder *dec;
	const struct cul_code *code;
	const struct cul_trap *trap;
	uint64_t ip;
};

/* Do [a, a+an) and the watched bytes meet? Addresses may wrap; sizes are small. */
static bool meets(const struct cul_trap *trap, uint64_t a, uint64_t an)
{
	return trap->addr - a < an || a - trap->addr < trap->size;
}

/* UINT64_MAX in before or after stands for no bound: any address on that side. */
static bool meets_slack(const struct cul_trap *trap, const struct cul_x86_touch *touch)
{
	uint64_t end = touch->addr + touch->width;

	if (touch->before == UINT64_MAX)
		return trap->addr < touch->addr;
	if (touch->after == UINT64_MAX)
		return trap->addr >= touch->addr;
	return (touch->before && meets(trap, touch->addr - touch->before, touch->before)) ||
	       (touch->after && meets(trap, end, touch->after));
}

static enum cul_certainty judge_touch(
	const struct cul_trap *trap, const struct cul_x86_touch *touch)
{
	if (trap->watch == CUL_ACCESS_WRITE && touch->kind == CUL_ACCESS_READ)
		return CUL_UNKNOWN;
	if (!touch->known)
		return CUL_LIKELY;
	if (touch->width && meets(trap, touch->addr, touch->width))
		return CUL_CERTAIN;
	return meets_slack(trap, touch) ? CUL_LIKELY : CUL_UNKNOWN;
}

static enum cul_access_kind both(enum cul_access_kind a, enum cul_access_kind b)
{
	if (a == CUL_ACCESS_NONE || a == b)
		return b;
	return b == CUL_ACCESS_NONE ? a : CUL_ACCESS_READ_WRITE;
}

/* Away from the last iteration of a string instruction, say, nothing is known but the kind. */
static void describe(struct cul_insn *out, const struct cul_x86_touch *touch)
{
	bool slack = touch->known && out->certainty != CUL_CERTAIN;

	out->width = slack ? 0 : touch->width;
	out->access_addr = out->certainty == CUL_CERTAIN ? touch->addr : 0;
	out->value_known = !slack && touch->value_known;
	out->value = out->value_known ? touch->value : 0;
}

/* What the decoded instruction did to the watched bytes. Of two accesses a store says more. */
static void judge(const struct search *s, struct cul_insn *out)
{
	const cs_insn *insn = s->dec->insn;
	struct cul_x86_touch touches[CUL_X86_TOUCHES];
	unsigned n = cul_x86_touches(insn, s->trap, touches);

	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < n; i++) {
		enum cul_certainty sure = judge_touch(s->trap, &touches[i]);

		if (sure == CUL_UNKNOWN || sure < out->certainty)
			continue;
		if (sure > out->certainty)
			memset(out, 0, sizeof(*out));
		out->certainty = sure;
		if (touches[i].kind != CUL_ACCESS_READ || out->access == CUL_ACCESS_NONE)
			describe(out, &touches[i]);
		out->access = both(out->access, touches[i].kind);
	}
	if (out->certainty == CUL_UNKNOWN)
		return;
	if (out->width == 512 + 64) /* an xsave area: it has no one size */
		out->width = 0;
	out->addr = insn->address;
	out->len = insn->size;
	cul_x86_text(insn, out->text, sizeof(out->text));
}

/* Can the instruction after this one in memory be the next one executed after its access? */
static bool falls_through(const struct search *s)
{
	const cs_insn *insn = s->dec->insn;
	const cs_x86 *x86 = &insn->detail->x86;
	struct cul_x86_shape shape = cul_x86_shape(insn);

	if (shape.map == CUL_X86_LEGACY && shape.opcode == 0xe8) /* call of the next instruction */
		return x86->operands[0].type == X86_OP_IMM &&
		       (uint64_t)x86->operands[0].imm == s->ip;
	if (cul_x86_is_counted(&shape) && s->trap->regs->r[CUL_X86_RCX] &&
		!(shape.addr32 && !(uint32_t)s->trap->regs->r[CUL_X86_RCX]))
		return false; /* it would still be at work */
	for (unsigned i = 0; i < insn->detail->groups_count; i++) {
		switch (insn->detail->groups[i]) {
		case CS_GRP_JUMP:
		case CS_GRP_CALL:
		case CS_GRP_RET:
		case CS_GRP_IRET:
		case CS_GRP_INT:
			return false;
		}
	}
	return true;
}

/*
 * The start of the instruction that ends at ip, by decoding from the function's start. `*unknown`:
 * what capstone does not know of it.
 */
static bool sweep(const struct search *s, uint64_t *start, struct cul_x86_vector *unknown)
{
	uint64_t at = s->code->addr;

	if (!s->code->from_entry || s->ip - at > SWEEP)
		return false;
	while (at < s->ip) {
		unsigned len = cul_x86_step(s->dec, s->code, at, unknown);

		if (!len)
			return false;
		*start = at;
		at += len;
	}
	return at == s->ip && at != s->code->addr;
}

/*
 * How many of the WINDOW places before ip lead to each other place when decoded in a row: wrong
 * alignments soon fall in with the right one, so the right one collects the votes.
 */
static void vote(const struct search *s, uint64_t from, unsigned votes[WINDOW + 1])
{
	unsigned n = (unsigned)(s->ip - from);

	memset(votes, 0, (WINDOW + 1) * sizeof(votes[0]));
	for (unsigned i = 0; i < n; i++) {
		struct cul_x86_vector unknown;
		unsigned len = cul_x86_step(s->dec, s->code, from + i, &unknown);

		votes[i]++;
		if (len && i + len <= n)
			votes[i + len] += votes[i];
	}
}

static bool judge_at(const struct search *s, uint64_t start, struct cul_insn *out)
{
	memset(out, 0, sizeof(*out));
	if (!cul_x86_insn(s->dec, s->code, start) || start + s->dec->insn->size != s->ip ||
		!falls_through(s))
		return false;
	judge(s, out);
	return out->certainty != CUL_UNKNOWN;
}

/* What only its form is known of: whether it stores, not where. Its bytes stand for its text. */
static void judge_unknown(const struct search *s, uint64_t start, const struct cul_x86_vector *v,
	struct cul_insn *out)
{
	bool stores = cul_x86_vector_stores(v);
	const uint8_t *bytes = s->code->bytes + (start - s->code->addr);
	int at;

	if (!v->map || v->modrm >> 6 == 3 || (!stores && s->trap->watch == CUL_ACCESS_WRITE))
		return;
	out->addr = start;
	out->len = v->len;
	out->access = stores ? CUL_ACCESS_WRITE : CUL_ACCESS_READ;
	out->certainty = CUL_LIKELY;
	at = snprintf(out->text, sizeof(out->text),
		"(a %s of a kind not known here:", stores ? "store" : "load");
	for (unsigned i = 0; i < v->len; i++)
		at += snprintf(out->text + at, sizeof(out->text) - (size_t)at, " %02x%s", bytes[i],
			i + 1 == v->len ? ")" : "");
}

/* The instruction at `start`, if one ends at ip and may have made the access. */
static bool judge_any(const struct search *s, uint64_t start, const struct cul_x86_vector *unknown,
	struct cul_insn *out)
{
	if (!unknown->len)
		return judge_at(s, start, out);
	memset(out, 0, sizeof(*out));
	if (start + unknown->len == s->ip)
		judge_unknown(s, start, unknown, out);
	return out->certainty != CUL_UNKNOWN;
}

/*
 * Without a start to decode from: all alignments that end at ip, the verified before the
 * others, then the one with the most votes. Of several verified ones the best is certain only
 * when the votes are clear. An unverified one must have won the vote; one that is known by its form
 * alone, and has won it, goes before the verified.
 */
static void search_alignments(const struct search *s, struct cul_insn *out)
{
	uint64_t from = s->ip - s->code->addr > WINDOW ? s->ip - WINDOW : s->code->addr;
	unsigned votes[WINDOW + 1], most = 0, best = 0, verified = 0;
	unsigned n = (unsigned)(s->ip - from);
	struct cul_insn found, by_form = {0};

	vote(s, from, votes);
	for (unsigned back = 1; back <= CUL_X86_INSN_MAX && back <= n; back++) {
		uint64_t start = s->ip - back;
		struct cul_x86_vector unknown;

		if (cul_x86_step(s->dec, s->code, start, &unknown) != back)
			continue;
		if (votes[n - back] > most) {
			most = votes[n - back];
			by_form.certainty = CUL_UNKNOWN;
		}
		if (!judge_any(s, start, &unknown, &found))
			continue;
		if (unknown.len && votes[n - back] == most)
			by_form = found;
		verified += found.certainty == CUL_CERTAIN;
		if (found.certainty > out->certainty ||
			(found.certainty == out->certainty && votes[n - back] > best)) {
			*out = found;
			best = votes[n - back];
		}
	}
	if (by_form.certainty != CUL_UNKNOWN && best < most) {
		*out = by_form;
		return;
	}
	if (out->certainty == CUL_LIKELY && best < most)
		memset(out, 0, sizeof(*out));
	if (verified > 1 && (n < WINDOW / 2 || best < n / 4 * 3))
		out->certainty = CUL_LIKELY;
}

/* A string instruction that has not ended: ip is still its own. */
static bool at_work(const struct search *s, struct cul_insn *out)
{
	struct cul_x86_shape shape;
	uint64_t count = s->trap->regs->r[CUL_X86_RCX];

	memset(out, 0, sizeof(*out));
	if (!cul_x86_insn(s->dec, s->code, s->ip))
		return false;
	shape = cul_x86_shape(s->dec->insn);
	if (shape.addr32)
		count = (uint32_t)count;
	if (!cul_x86_is_string(&shape) || !(shape.rep || shape.repne) || !count)
		return false;
	judge(s, out);
	return out->certainty != CUL_UNKNOWN;
}

static void set_transfer(struct cul_insn *out, enum cul_access_kind access, const char *text)
{
	memset(out, 0, sizeof(*out));
	out->certainty = CUL_LIKELY;
	out->access = access;
	out->width = 8;
	snprintf(out->text, sizeof(out->text), "%s", text);
}

/* A call to the function's entry, or the return to the instruction after a call. */
static void search_transfers(const struct search *s, bool after_call, struct cul_insn *out)
{
	uint64_t sp = s->trap->regs->r[CUL_X86_RSP];

	if (s->code->from_entry && s->ip == s->code->addr && meets(s->trap, sp, 8))
		set_transfer(out, CUL_ACCESS_WRITE, "call (pushed the return address)");
	else if (after_call && s->trap->watch == CUL_ACCESS_READ_WRITE && meets(s->trap, sp - 8, 8))
		set_transfer(out, CUL_ACCESS_READ, "ret (popped the return address)");
}

static void find_data(const struct search *s, struct cul_insn *out)
{
	struct cul_x86_vector unknown;
	struct cul_insn working;
	bool after_call = false, started;
	uint64_t start = 0;

	if (sweep(s, &start, &unknown)) {
		if (unknown.len)
			judge_unknown(s, start, &unknown, out);
		else
			judge_at(s, start, out);
		after_call =
			cul_x86_insn(s->dec, s->code, start) && s->dec->insn->id == X86_INS_CALL;
	} else if (s->ip > s->code->addr) {
		search_alignments(s, out);
	}
	started = at_work(s, &working);
	if (started && working.certainty > out->certainty)
		*out = working;
	else if (started && working.certainty == out->certainty)
		out->certainty = CUL_LIKELY;
	if (out->certainty == CUL_UNKNOWN)
		search_transfers(s, after_call, out);
}

/* An execute breakpoint is reported before the instruction. */
static void find_executed(const struct search *s, struct cul_insn *out)
{
	if (!meets(s->trap, s->ip, 1) || !cul_x86_insn(s->dec, s->code, s->ip))
		return;
	out->addr = s->ip;
	out->len = s->dec->insn->size;
	out->access = CUL_ACCESS_EXECUTE;
	out->certainty = CUL_CERTAIN;
	out->width = out->len;
	out->access_addr = s->ip;
	cul_x86_text(s->dec->insn, out->text, sizeof(out->text));
}

int cul_x86_find_access(
	const struct cul_code *code, const struct cul_trap *trap, struct cul_insn *out)
{
	struct cul_x86_decoder dec;
	struct search s = {&dec, code, trap, trap->regs->r[CUL_X86_RIP]};
	struct cul_insn found = {0};
	int err = cul_x86_decoder_open(&dec);

	if (err)
		return err;
	if (trap->watch == CUL_ACCESS_EXECUTE)
		find_executed(&s, &found);
	else if (s.ip - code->addr <= code->size)
		find_data(&s, &found);
	cul_x86_decoder_close(&dec);
	*out = found;
	return 0;
}
