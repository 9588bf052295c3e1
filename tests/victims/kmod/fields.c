// SPDX-License-Identifier: GPL-2.0-or-later
/* Members of every width and kind in one global struct, and bit-fields that share a word. */
#include <linux/kernel.h>

#include "victim.h"

enum victim_mode {
	VICTIM_IDLE = 0,
	VICTIM_RUNNING = 3,
	VICTIM_BROKEN = 7,
	VICTIM_LOST = -1,
};

struct victim_block {
	u64 a, b, c;
};

struct victim_stats {
	u8 byte;
	bool on;
	u16 half;
	u32 word;
	s32 balance;
	s16 delta;
	s8 tiny;
	u64 quad;
	enum victim_mode mode;
	unsigned int errors[4];
	void (*handler)(void);
	int *cell;
	struct victim_block block;
	char text[16];
};

struct victim_bits {
	unsigned int ready : 1;
	unsigned int phase : 3;
	unsigned int count : 12;
	int drift : 5;
	unsigned int owner : 11;
};

extern struct victim_stats stats;
extern volatile struct victim_bits victim_bits;
struct victim_stats stats = {.block = {1, 2, 3}, .text = "untouched"};
volatile struct victim_bits victim_bits;

static int cells[2];
static s64 byte_shadow, on_shadow, half_shadow, word_shadow, balance_shadow, delta_shadow;
static s64 tiny_shadow, quad_shadow, mode_shadow, error_shadow, handler_shadow, cell_shadow;
static s64 block_a_shadow = 1, block_b_shadow = 2, block_c_shadow = 3, text_shadow = 'u';
static s64 ready_shadow, phase_shadow, count_shadow, drift_shadow, owner_shadow;

BOOK(write_byte, stats.byte, 'u', "mov-reg", byte_shadow);
BOOK(write_bool, stats.on, 'u', "mov-reg", on_shadow);
BOOK(write_half, stats.half, 'u', "mov-reg", half_shadow);
BOOK(write_word, stats.word, 'u', "mov-reg", word_shadow);
BOOK(write_balance, stats.balance, 'd', "mov-reg", balance_shadow);
BOOK(write_delta, stats.delta, 'd', "mov-reg", delta_shadow);
BOOK(write_tiny, stats.tiny, 'd', "mov-reg", tiny_shadow);
BOOK(write_quad, stats.quad, 'u', "mov-reg", quad_shadow);
BOOK(write_mode, stats.mode, 'd', "mov-reg", mode_shadow);
BOOK(count_error, stats.errors[2], 'u', "inc", error_shadow);
BOOK(set_handler, stats.handler, 'x', "mov-reg", handler_shadow);
BOOK(set_cell, stats.cell, 'x', "mov-reg", cell_shadow);
BOOK(write_block_a, stats.block.a, 'u', "mov-reg", block_a_shadow);
BOOK(write_block_b, stats.block.b, 'u', "mov-reg", block_b_shadow);
BOOK(write_block_c, stats.block.c, 'u', "mov-reg", block_c_shadow);
BOOK(clear_block, stats.block, 'u', "rep-stosq", block_a_shadow);
BOOK(write_text, stats.text[0], 'u', "mov-reg", text_shadow);

/* A bit-field has no address: that of its word, whose size is given. */
#define BOOK_BITS(fn, member, how, before)                                                         \
	static struct book book_##fn = {                                                           \
		.name = #fn,                                                                       \
		.var = "victim_bits." #member,                                                     \
		.insn = "bit-field",                                                               \
		.kind = how,                                                                       \
		.size = sizeof(victim_bits),                                                       \
		.addr = (void *)&victim_bits,                                                      \
		.shadow = &(before),                                                               \
		.unchecked = true,                                                                 \
		.cpu = -1,                                                                         \
	}

BOOK_BITS(write_ready, ready, 'u', ready_shadow);
BOOK_BITS(write_phase, phase, 'u', phase_shadow);
BOOK_BITS(write_count, count, 'u', count_shadow);
BOOK_BITS(write_drift, drift, 'd', drift_shadow);
BOOK_BITS(write_owner, owner, 'u', owner_shadow);

static VICTIM void handle_well(void)
{
}

static VICTIM void handle_badly(void)
{
	barrier();
}

static VICTIM void write_byte(s64 value)
{
	GUILTY(write_byte, st_reg(stats.byte, value));
	book_store(&book_write_byte, (u8)value);
}

static VICTIM void write_bool(s64 value)
{
	u8 on = value & 1;

	GUILTY(write_bool, st_reg(*(u8 *)&stats.on, on));
	book_store(&book_write_bool, on);
}

static VICTIM void write_half(s64 value)
{
	GUILTY(write_half, st_reg(stats.half, value));
	book_store(&book_write_half, (u16)value);
}

static VICTIM void write_word(s64 value)
{
	GUILTY(write_word, WRITE_ONCE(stats.word, value));
	book_store(&book_write_word, (u32)value);
}

static VICTIM void write_balance(s64 value)
{
	GUILTY(write_balance, st_reg(stats.balance, -value));
	book_store(&book_write_balance, (s32)-value);
}

static VICTIM void write_delta(s64 value)
{
	GUILTY(write_delta, st_reg(stats.delta, -value));
	book_store(&book_write_delta, (s16)-value);
}

static VICTIM void write_tiny(s64 value)
{
	GUILTY(write_tiny, st_reg(stats.tiny, -value));
	book_store(&book_write_tiny, (s8)-value);
}

/* Both halves differ from the value before. */
static VICTIM void write_quad(s64 value)
{
	u64 quad = (u64)value << 32 | (u32)value;

	GUILTY(write_quad, st_reg(stats.quad, quad));
	book_store(&book_write_quad, quad);
}

static VICTIM void write_mode(s64 value)
{
	static const enum victim_mode cycle[] = {
		VICTIM_IDLE, VICTIM_RUNNING, VICTIM_BROKEN, VICTIM_LOST};
	enum victim_mode mode = cycle[value & 3];

	GUILTY(write_mode, st_reg(stats.mode, mode));
	book_store(&book_write_mode, mode);
}

static VICTIM void count_error(s64 unused)
{
	GUILTY(count_error, st_inc(stats.errors[2]));
	book_store(&book_count_error, (u32)(error_shadow + 1));
}

/* Odd values plant the wrong handler. */
static VICTIM void set_handler(s64 value)
{
	void (*handler)(void) = value & 1 ? handle_badly : handle_well;

	GUILTY(set_handler, st_reg(stats.handler, handler));
	book_store(&book_set_handler, (s64)(unsigned long)handler);
}

static VICTIM void set_cell(s64 value)
{
	int *cell = &cells[value & 1];

	GUILTY(set_cell, st_reg(stats.cell, cell));
	book_store(&book_set_cell, (s64)(unsigned long)cell);
}

/* 24 bytes in three stores, on three lines. */
static VICTIM void write_block(s64 value)
{
	GUILTY(write_block_a, st_reg(stats.block.a, value));
	GUILTY(write_block_b, st_reg(stats.block.b, value + 1));
	GUILTY(write_block_c, st_reg(stats.block.c, value + 2));
	book_store(&book_write_block_a, value);
	book_store(&book_write_block_b, value + 1);
	book_store(&book_write_block_c, value + 2);
}

/* 24 bytes by one string instruction. */
static VICTIM void clear_block(s64 unused)
{
	u64 *to = &stats.block.a;
	unsigned long len = 3;

	GUILTY(clear_block, st_rep_stosq(to, 0ULL, len));
	book_store(&book_clear_block, 0);
	block_b_shadow = 0;
	block_c_shadow = 0;
}

static VICTIM void write_text(s64 value)
{
	char letter = 'a' + (value % 26 + 26) % 26;

	GUILTY(write_text, st_reg(stats.text[0], letter));
	book_store(&book_write_text, letter);
}

/* The word is volatile: the compiler reads it, changes the bits and stores it once. */
static VICTIM void write_ready(s64 value)
{
	GUILTY(write_ready, victim_bits.ready = value & 1);
	book_store(&book_write_ready, value & 1);
}

static VICTIM void write_phase(s64 value)
{
	GUILTY(write_phase, victim_bits.phase = value & 7);
	book_store(&book_write_phase, value & 7);
}

static VICTIM void write_count(s64 value)
{
	GUILTY(write_count, victim_bits.count = value & 0xfff);
	book_store(&book_write_count, value & 0xfff);
}

static VICTIM void write_drift(s64 value)
{
	int drift = -(int)(value & 15);

	GUILTY(write_drift, victim_bits.drift = drift);
	book_store(&book_write_drift, drift);
}

static VICTIM void write_owner(s64 value)
{
	GUILTY(write_owner, victim_bits.owner = value & 0x7ff);
	book_store(&book_write_owner, value & 0x7ff);
}

static void more_pointers(struct seq_file *m, const struct book *book)
{
	seq_printf(m, " last_old_sym=%ps last_new_sym=%ps", (void *)(unsigned long)book->last_old,
		(void *)(unsigned long)book->last_new);
}

static int fields_init(void)
{
	book_set_handler.more = more_pointers;
	book_set_cell.more = more_pointers;
	return 0;
}

static const struct fault faults[] = {
	{.name = "write_byte", .store = write_byte, .help = "stats.byte = ARG or 1, 2, ..."},
	{.name = "write_bool", .store = write_bool, .help = "stats.on = its lowest bit"},
	{.name = "write_half", .store = write_half, .help = "stats.half = ARG or 1, 2, ..."},
	{.name = "write_word", .store = write_word, .help = "stats.word = ARG or 1, 2, ..."},
	{.name = "write_balance", .store = write_balance, .help = "stats.balance = -ARG"},
	{.name = "write_delta", .store = write_delta, .help = "stats.delta = -ARG"},
	{.name = "write_tiny", .store = write_tiny, .help = "stats.tiny = -ARG"},
	{.name = "write_quad", .store = write_quad, .help = "stats.quad = ARG << 32 | ARG"},
	{.name = "write_mode",
		.store = write_mode,
		.help = "stats.mode = by ARG % 4: idle, running, broken, lost"},
	{.name = "count_error", .store = count_error, .help = "stats.errors[2] + 1"},
	{.name = "set_handler",
		.store = set_handler,
		.help = "stats.handler = odd: handle_badly, even: handle_well"},
	{.name = "set_cell", .store = set_cell, .help = "stats.cell = &cells[ARG & 1]"},
	{.name = "write_block", .store = write_block, .help = "stats.block in three stores"},
	{.name = "clear_block", .store = clear_block, .help = "stats.block = 0 by rep stosq"},
	{.name = "write_text", .store = write_text, .help = "stats.text[0] = a letter"},
	{.name = "write_ready", .store = write_ready, .help = "victim_bits.ready = ARG & 1"},
	{.name = "write_phase", .store = write_phase, .help = "victim_bits.phase = ARG & 7"},
	{.name = "write_count", .store = write_count, .help = "victim_bits.count = ARG & 0xfff"},
	{.name = "write_drift", .store = write_drift, .help = "victim_bits.drift = -(ARG & 15)"},
	{.name = "write_owner", .store = write_owner, .help = "victim_bits.owner = ARG & 0x7ff"},
	{},
};

static struct book *const books[] = {
	&book_write_byte,
	&book_write_bool,
	&book_write_half,
	&book_write_word,
	&book_write_balance,
	&book_write_delta,
	&book_write_tiny,
	&book_write_quad,
	&book_write_mode,
	&book_count_error,
	&book_set_handler,
	&book_set_cell,
	&book_write_block_a,
	&book_write_block_b,
	&book_write_block_c,
	&book_clear_block,
	&book_write_text,
	&book_write_ready,
	&book_write_phase,
	&book_write_count,
	&book_write_drift,
	&book_write_owner,
	NULL,
};

const struct family fields_family = {.faults = faults, .books = books, .init = fields_init};
