// SPDX-License-Identifier: GPL-2.0-or-later
/* unaligned [COUNT]: fields at odd places, each written by a function of its own. */
#include "books.h"

struct __attribute__((packed)) record {
	char tag;
	uint16_t port;  /* 1: odd */
	uint32_t seen;  /* 3 */
	uint64_t bytes; /* 7 */
	uint8_t end;    /* 15 */
};

struct record record __attribute__((aligned(64)));
static int64_t port_shadow, seen_shadow, bytes_shadow, end_shadow;
BOOK(write_port, record.port, 'u', "mov-reg", port_shadow);
BOOK(write_seen, record.seen, 'u', "mov-reg", seen_shadow);
BOOK(write_bytes, record.bytes, 'u', "mov-reg", bytes_shadow);
BOOK(write_end, record.end, 'u', "mov-reg", end_shadow);

static VICTIM void write_port(int64_t value)
{
	GUILTY(write_port, st_reg(record.port, value));
	book_store(&book_write_port, (uint16_t)value);
}

static VICTIM void write_seen(int64_t value)
{
	GUILTY(write_seen, st_reg(record.seen, value));
	book_store(&book_write_seen, (uint32_t)value);
}

static VICTIM void write_bytes(int64_t value)
{
	GUILTY(write_bytes, st_reg(record.bytes, value * 0x0101010101010101));
	book_store(&book_write_bytes, value * 0x0101010101010101);
}

static VICTIM void write_end(int64_t value)
{
	GUILTY(write_end, st_reg(record.end, value));
	book_store(&book_write_end, (uint8_t)value);
}

int main(int argc, char **argv)
{
	static const struct victim_fault faults[] = {{"write_port", write_port},
		{"write_seen", write_seen}, {"write_bytes", write_bytes}, {"write_end", write_end},
		{0}};
	static struct book *const books[] = {
		&book_write_port, &book_write_seen, &book_write_bytes, &book_write_end, NULL};
	struct victim victim;

	victim_options(&victim, argc, argv, 3);
	victim_wait(&victim);
	victim_run(&victim, faults);
	books_print(books);
	return victim_end(&victim);
}
