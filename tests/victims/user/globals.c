// SPDX-License-Identifier: GPL-2.0-or-later
/* Variables of every kind, each with a function that writes it. Also built static and non-PIE. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "books.h"
#include "globals.h"

enum color {
	RED = 1,
	GREEN = 2,
	BLUE = 4,
	NO_COLOR = -1,
};

struct block {
	uint64_t a, b, c;
};

struct fields {
	uint8_t byte;
	_Bool on;
	uint16_t half;
	uint32_t word;
	int32_t balance;
	uint64_t quad;
	enum color color;
	float ratio;
	double weight;
	int *cell;
	void (*handler)(void);
	struct block block;
	char name[24];
};

struct bits {
	unsigned int ready : 1;
	unsigned int phase : 3;
	unsigned int count : 12;
	int drift : 5;
	unsigned int owner : 11;
};

struct seat {
	int row;
	int taken;
};

int level = 100;
struct fields fields = {.block = {1, 2, 3}, .name = "untouched"};
volatile struct bits bits;
struct seat seats[4];
char wide[64] __attribute__((aligned(64)));
uint64_t from_file;
static int hidden = 1; /* globals_other.c has another of this name */
static int cells[2];

static int64_t level_shadow = 100, hidden_shadow = 1, byte_shadow, on_shadow, half_shadow;
static int64_t word_shadow, balance_shadow, quad_shadow, color_shadow, ratio_shadow;
static int64_t weight_shadow, cell_shadow, handler_shadow, name_shadow = 'u', seat_shadow;
static int64_t block_a_shadow = 1, block_b_shadow = 2, block_c_shadow = 3, wide_shadow;
static int64_t ready_shadow, phase_shadow, count_shadow, drift_shadow, owner_shadow;
static int64_t file_shadow;

BOOK(raise_level, level, 'd', "inc", level_shadow);
BOOK(set_level, level, 'd', "mov-reg", level_shadow);
BOOK(corrupt_level, level, 'd', "mov-imm", level_shadow);
BOOK(add_level, level, 'd', "lock-add", level_shadow);
BOOK(swap_level, level, 'd', "xchg", level_shadow);
BOOK(claim_level, level, 'd', "lock-cmpxchg", level_shadow);
BOOK(mark_level, level, 'd', "or", level_shadow);
BOOK(mask_level, level, 'd', "and", level_shadow);
BOOK(same_level, level, 'd', "mov-reg", level_shadow);
BOOK(read_level, level, 'd', "mov-load", level_shadow);
BOOK(hide_here, hidden, 'd', "mov-reg", hidden_shadow);
BOOK(write_byte, fields.byte, 'u', "mov-reg", byte_shadow);
BOOK(write_bool, fields.on, 'u', "mov-reg", on_shadow);
BOOK(write_half, fields.half, 'u', "mov-reg", half_shadow);
BOOK(write_word, fields.word, 'u', "mov-reg", word_shadow);
BOOK(write_balance, fields.balance, 'd', "mov-reg", balance_shadow);
BOOK(write_quad, fields.quad, 'u', "mov-reg", quad_shadow);
BOOK(write_color, fields.color, 'd', "mov-reg", color_shadow);
BOOK(write_ratio, fields.ratio, 'g', "movss", ratio_shadow);
BOOK(write_weight, fields.weight, 'f', "movsd", weight_shadow);
BOOK(set_cell, fields.cell, 'x', "mov-reg", cell_shadow);
BOOK(set_handler, fields.handler, 'x', "mov-reg", handler_shadow);
BOOK(write_block_a, fields.block.a, 'u', "mov-reg", block_a_shadow);
BOOK(write_block_b, fields.block.b, 'u', "mov-reg", block_b_shadow);
BOOK(write_block_c, fields.block.c, 'u', "mov-reg", block_c_shadow);
BOOK(copy_block, fields.block, 'u', "libc-memcpy", block_a_shadow);
BOOK(write_name, fields.name, 'd', "libc-strcpy", name_shadow);
BOOK(take_seat, seats[2].taken, 'd', "inc", seat_shadow);
BOOK(fill_wide, wide, 'd', "libc-memset", wide_shadow);
BOOK(store_sse, wide, 'd', "movups", wide_shadow);
BOOK(store_rep, wide, 'd', "rep-movsb", wide_shadow);
BOOK(read_into, from_file, 'u', "syscall-read", file_shadow);
BOOK(pread_into, from_file, 'u', "syscall-pread", file_shadow);
BOOK(write_ready, bits, 'u', "bit-field", ready_shadow);
BOOK(write_phase, bits, 'u', "bit-field", phase_shadow);
BOOK(write_count, bits, 'u', "bit-field", count_shadow);
BOOK(write_drift, bits, 'd', "bit-field", drift_shadow);
BOOK(write_owner, bits, 'u', "bit-field", owner_shadow);

/* The compiler must not see what these are. */
static void *(*volatile call_memset)(void *, int, size_t) = memset;
static void *(*volatile call_memcpy)(void *, const void *, size_t) = memcpy;
static char *(*volatile call_strcpy)(char *, const char *) = strcpy;
static int file = -1;

static VICTIM void raise_level(int64_t unused)
{
	GUILTY(raise_level, st_inc(level));
	book_store(&book_raise_level, (int)(level_shadow + 1));
}

static VICTIM void set_level(int64_t value)
{
	GUILTY(set_level, st_reg(level, value));
	book_store(&book_set_level, (int)value);
}

static VICTIM void corrupt_level(int64_t unused)
{
	GUILTY(corrupt_level, st_imm(level, -559038737));
	book_store(&book_corrupt_level, -559038737);
}

static VICTIM void add_level(int64_t value)
{
	GUILTY(add_level, st_lock_add(level, value));
	book_store(&book_add_level, (int)(level_shadow + value));
}

static VICTIM void swap_level(int64_t value)
{
	int reg = (int)value;

	GUILTY(swap_level, st_xchg(level, reg));
	book_store(&book_swap_level, (int)value);
}

static VICTIM void claim_level(int64_t value)
{
	int expected = (int)level_shadow;

	GUILTY(claim_level, st_cmpxchg(level, expected, value));
	book_store(&book_claim_level, (int)value);
}

static VICTIM void mark_level(int64_t value)
{
	GUILTY(mark_level, st_or(level, value));
	book_store(&book_mark_level, (int)level_shadow | (int)value);
}

static VICTIM void mask_level(int64_t value)
{
	GUILTY(mask_level, st_and(level, value));
	book_store(&book_mask_level, (int)level_shadow & (int)value);
}

static VICTIM void same_level(int64_t unused)
{
	GUILTY(same_level, st_reg(level, level_shadow));
	book_store(&book_same_level, level_shadow);
}

static VICTIM void read_level(int64_t unused)
{
	int reg;

	GUILTY(read_level, ld_reg(level, reg));
	book_read_level.reads++;
	book_read_level.last_old = reg;
	book_read_level.last_new = reg;
}

static VICTIM void hide_here(int64_t value)
{
	GUILTY(hide_here, st_reg(hidden, value));
	book_store(&book_hide_here, (int)value);
}

static VICTIM void write_byte(int64_t value)
{
	GUILTY(write_byte, st_reg(fields.byte, value));
	book_store(&book_write_byte, (uint8_t)value);
}

static VICTIM void write_bool(int64_t value)
{
	uint8_t on = value & 1;

	GUILTY(write_bool, st_reg(*(uint8_t *)&fields.on, on));
	book_store(&book_write_bool, on);
}

static VICTIM void write_half(int64_t value)
{
	GUILTY(write_half, st_reg(fields.half, value));
	book_store(&book_write_half, (uint16_t)value);
}

static VICTIM void write_word(int64_t value)
{
	GUILTY(write_word, st_reg(fields.word, value));
	book_store(&book_write_word, (uint32_t)value);
}

static VICTIM void write_balance(int64_t value)
{
	GUILTY(write_balance, st_reg(fields.balance, -value));
	book_store(&book_write_balance, (int)-value);
}

static VICTIM void write_quad(int64_t value)
{
	uint64_t quad = (uint64_t)value << 32 | (uint32_t)value;

	GUILTY(write_quad, st_reg(fields.quad, quad));
	book_store(&book_write_quad, quad);
}

static VICTIM void write_color(int64_t value)
{
	static const enum color cycle[] = {RED, GREEN, BLUE, NO_COLOR};
	enum color color = cycle[value & 3];

	GUILTY(write_color, st_reg(fields.color, color));
	book_store(&book_write_color, color);
}

static VICTIM void write_ratio(int64_t value)
{
	float ratio = (float)value / 4;

	GUILTY(write_ratio, shape_lvalue(fields.ratio) = ratio);
	book_store(&book_write_ratio, bits_of_float(ratio));
}

static VICTIM void write_weight(int64_t value)
{
	double weight = (double)value / -8;

	GUILTY(write_weight, shape_lvalue(fields.weight) = weight);
	book_store(&book_write_weight, bits_of_double(weight));
}

static VICTIM void set_cell(int64_t value)
{
	int *cell = &cells[value & 1];

	GUILTY(set_cell, st_reg(fields.cell, cell));
	book_store(&book_set_cell, (intptr_t)cell);
}

static VICTIM void handle_well(void)
{
}

static VICTIM void handle_badly(void)
{
	asm volatile("");
}

static VICTIM void set_handler(int64_t value)
{
	void (*handler)(void) = value & 1 ? handle_badly : handle_well;

	GUILTY(set_handler, st_reg(fields.handler, handler));
	book_store(&book_set_handler, (intptr_t)handler);
}

static VICTIM void write_block(int64_t value)
{
	GUILTY(write_block_a, st_reg(fields.block.a, value));
	GUILTY(write_block_b, st_reg(fields.block.b, value + 1));
	GUILTY(write_block_c, st_reg(fields.block.c, value + 2));
	book_store(&book_write_block_a, value);
	book_store(&book_write_block_b, value + 1);
	book_store(&book_write_block_c, value + 2);
}

/* 24 bytes by the C library: how many instructions that takes is its business; calls are booked. */
static VICTIM void copy_block(int64_t value)
{
	struct block block = {value * 10, value * 10 + 1, value * 10 + 2};

	GUILTY(copy_block, call_memcpy(&fields.block, &block, sizeof(block)));
	book_store(&book_copy_block, block.a);
	block_b_shadow = block.b;
	block_c_shadow = block.c;
}

static VICTIM void write_name(int64_t value)
{
	char name[24];

	snprintf(name, sizeof(name), "%c-name-%d", (int)('a' + (value & 7)), (int)value);
	GUILTY(write_name, call_strcpy(fields.name, name));
	book_store(&book_write_name, name[0]);
}

static VICTIM void take_seat(int64_t unused)
{
	GUILTY(take_seat, st_inc(seats[2].taken));
	book_store(&book_take_seat, (int)(seat_shadow + 1));
}

static int64_t eight_of(char byte)
{
	int64_t value;

	memset(&value, byte, sizeof(value));
	return value;
}

static VICTIM void fill_wide(int64_t value)
{
	GUILTY(fill_wide, call_memset(wide, (char)value, sizeof(wide)));
	book_store(&book_fill_wide, eight_of((char)value));
}

/* Exactly one store, of 16 bytes: the first 16 of wide. */
static VICTIM void store_sse(int64_t value)
{
	char from[16];

	memset(from, (char)value, sizeof(from));
#ifdef __x86_64__
#define st_sse(to, src)                                                                            \
	asm volatile("movups %1, %%xmm0\n\tmovups %%xmm0, %0" : "=m"(to) : "m"(src) : "xmm0")
	GUILTY(store_sse, st_sse(*(char(*)[16])wide, from));
#else
	GUILTY(store_sse, __builtin_memcpy(wide, from, sizeof(from)));
#endif
	book_store(&book_store_sse, eight_of((char)value));
}

/* The first 32 bytes of wide by one string instruction. */
static VICTIM void store_rep(int64_t value)
{
	char from[32], *to = wide;
	const char *src = from;
	size_t len = sizeof(from);

	memset(from, (char)value, sizeof(from));
	GUILTY(store_rep, st_rep_movsb(to, src, len));
	book_store(&book_store_rep, eight_of((char)value));
}

/* The kernel does the store, in a system call of this function. */
static VICTIM void read_into(int64_t value)
{
	uint64_t quad = value;

	if (pwrite(file, &quad, sizeof(quad), 0) != sizeof(quad) || lseek(file, 0, SEEK_SET) != 0)
		abort();
	GUILTY(read_into, quad = read(file, &from_file, sizeof(from_file)));
	if (quad != sizeof(from_file))
		abort();
	book_store(&book_read_into, value);
}

static VICTIM void pread_into(int64_t value)
{
	uint64_t quad = value + 1000;

	if (pwrite(file, &quad, sizeof(quad), 0) != sizeof(quad))
		abort();
	GUILTY(pread_into, quad = pread(file, &from_file, sizeof(from_file), 0));
	if (quad != sizeof(from_file))
		abort();
	book_store(&book_pread_into, value + 1000);
}

/* The word is volatile: the compiler reads it, changes the bits and stores it once. */
static VICTIM void write_ready(int64_t value)
{
	GUILTY(write_ready, bits.ready = value & 1);
	book_store(&book_write_ready, value & 1);
}

static VICTIM void write_phase(int64_t value)
{
	GUILTY(write_phase, bits.phase = value & 7);
	book_store(&book_write_phase, value & 7);
}

static VICTIM void write_count(int64_t value)
{
	GUILTY(write_count, bits.count = value & 0xfff);
	book_store(&book_write_count, value & 0xfff);
}

static VICTIM void write_drift(int64_t value)
{
	int drift = -(int)(value & 15);

	GUILTY(write_drift, bits.drift = drift);
	book_store(&book_write_drift, drift);
}

static VICTIM void write_owner(int64_t value)
{
	GUILTY(write_owner, bits.owner = value & 0x7ff);
	book_store(&book_write_owner, value & 0x7ff);
}

static void name_bits(void)
{
	book_write_ready.var = "bits.ready";
	book_write_phase.var = "bits.phase";
	book_write_count.var = "bits.count";
	book_write_drift.var = "bits.drift";
	book_write_owner.var = "bits.owner";
}

static const struct victim_fault faults[] = {
	{"raise_level", raise_level},
	{"set_level", set_level},
	{"corrupt_level", corrupt_level},
	{"add_level", add_level},
	{"swap_level", swap_level},
	{"claim_level", claim_level},
	{"mark_level", mark_level},
	{"mask_level", mask_level},
	{"same_level", same_level},
	{"read_level", read_level},
	{"hide_here", hide_here},
	{"hide_there", hide_there},
	{"write_byte", write_byte},
	{"write_bool", write_bool},
	{"write_half", write_half},
	{"write_word", write_word},
	{"write_balance", write_balance},
	{"write_quad", write_quad},
	{"write_color", write_color},
	{"write_ratio", write_ratio},
	{"write_weight", write_weight},
	{"set_cell", set_cell},
	{"set_handler", set_handler},
	{"write_block", write_block},
	{"copy_block", copy_block},
	{"write_name", write_name},
	{"take_seat", take_seat},
	{"fill_wide", fill_wide},
	{"store_sse", store_sse},
	{"store_rep", store_rep},
	{"read_into", read_into},
	{"pread_into", pread_into},
	{"write_ready", write_ready},
	{"write_phase", write_phase},
	{"write_count", write_count},
	{"write_drift", write_drift},
	{"write_owner", write_owner},
	{0},
};

static struct book *const books[] = {
	&book_raise_level,
	&book_set_level,
	&book_corrupt_level,
	&book_add_level,
	&book_swap_level,
	&book_claim_level,
	&book_mark_level,
	&book_mask_level,
	&book_same_level,
	&book_read_level,
	&book_hide_here,
	&book_hide_there,
	&book_write_byte,
	&book_write_bool,
	&book_write_half,
	&book_write_word,
	&book_write_balance,
	&book_write_quad,
	&book_write_color,
	&book_write_ratio,
	&book_write_weight,
	&book_set_cell,
	&book_set_handler,
	&book_write_block_a,
	&book_write_block_b,
	&book_write_block_c,
	&book_copy_block,
	&book_write_name,
	&book_take_seat,
	&book_fill_wide,
	&book_store_sse,
	&book_store_rep,
	&book_read_into,
	&book_pread_into,
	&book_write_ready,
	&book_write_phase,
	&book_write_count,
	&book_write_drift,
	&book_write_owner,
	NULL,
};

int main(int argc, char **argv)
{
	struct victim victim;

	victim_options(&victim, argc, argv, 3);
	name_bits();
	file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (file < 0) {
		perror("globals: a temporary file in /tmp");
		return 1;
	}
	victim_wait(&victim);
	victim_run(&victim, faults);
	books_print(books);
	return victim_end(&victim);
}
