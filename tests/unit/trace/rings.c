/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records are written by small programs, run by hand: what comes in which order is ours to say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/alloc.h"
#include "sys/bpf.h"
#include "sys/fault.h"
#include "trace/rings.h"

enum { RING = 4096, N_RINGS = 3 };

static struct {
	int outer;
	struct cul_rings *rings;
	uint64_t got[64];
	unsigned n;
	int result; /* of the callback, at record `at` */
	unsigned at;
} t;

static int on_record(void *data, const void *record, size_t size)
{
	assert_ptr_equal(data, &t);
	assert_in_range(size, 16, 32);
	memcpy(&t.got[t.n++ % 64], (const char *)record + 8, 8);
	return t.n == t.at ? t.result : 0;
}

/* An array of maps whose elements are rings. */
static int new_outer(void)
{
	int inner = cul_sys_bpf_map_create(BPF_MAP_TYPE_RINGBUF, "template", 0, 0, RING), fd;
	LIBBPF_OPTS(bpf_map_create_opts, opts, .inner_map_fd = (__u32)inner);

	if (inner < 0)
		return inner;
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "outer", 4, 4, N_RINGS, &opts);
	close(inner);
	return fd;
}

static int make(struct cul_error *err)
{
	struct cul_cpus cpus = {0};

	for (int i = 0; i < N_RINGS; i++)
		cul_cpus_add(&cpus, i);
	return cul_rings_new(t.outer, &cpus, RING, 8, on_record, &t, &t.rings, err);
}

static int set_up(void **state)
{
	memset(&t, 0, sizeof(t));
	t.outer = new_outer();
	if (t.outer >= 0)
		return make(NULL);
	print_message("no BPF here (%s): skipped\n", cul_strerror(t.outer));
	return 0;
}

static int tear_down(void **state)
{
	cul_sys_fail_none();
	cul_alloc_fail_after(-1);
	cul_rings_free(t.rings);
	if (t.outer >= 0)
		close(t.outer);
	return 0;
}

static void need(void)
{
	if (t.outer < 0)
		skip();
}

/* Puts {0, ns}, and as many zeros as make it `size` bytes, into the ring of `cpu`. */
static void write_sized(int cpu, uint64_t ns, int size)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_ST | BPF_MEM | BPF_DW, .dst_reg = 10, .off = -32},
		{.code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = 1, .imm = (int)(uint32_t)ns},
		{.imm = (int)(uint32_t)(ns >> 32)},
		{.code = BPF_STX | BPF_MEM | BPF_DW, .dst_reg = 10, .src_reg = 1, .off = -24},
		{.code = BPF_LD | BPF_DW | BPF_IMM,
			.dst_reg = 1,
			.src_reg = BPF_PSEUDO_MAP_FD,
			.imm = -1},
		{0},
		{.code = BPF_ST | BPF_MEM | BPF_DW, .dst_reg = 10, .off = -16},
		{.code = BPF_ST | BPF_MEM | BPF_DW, .dst_reg = 10, .off = -8},
		{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 2, .src_reg = 10},
		{.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 2, .imm = -32},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 3, .imm = size},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 4, .imm = BPF_RB_FORCE_WAKEUP},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_ringbuf_output},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	struct bpf_insn with_map[sizeof(insns) / sizeof(insns[0])];
	__u32 id;
	int ring, prog;

	assert_int_equal(cul_sys_bpf_map_lookup(t.outer, &cpu, &id), 0);
	ring = bpf_map_get_fd_by_id(id);
	assert_true(ring >= 0);
	memcpy(with_map, insns, sizeof(insns));
	with_map[4].imm = ring;
	prog = cul_sys_bpf_prog_load(
		BPF_PROG_TYPE_RAW_TRACEPOINT, "writer", with_map, sizeof(insns) / sizeof(insns[0]));
	assert_true(prog >= 0);
	assert_int_equal(cul_sys_bpf_prog_run_on(prog, 0), 0);
	close(prog);
	close(ring);
}

static void write_record(int cpu, uint64_t ns)
{
	write_sized(cpu, ns, 16);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void rings_are_read_in_the_order_of_time(void **state)
{
	struct pollfd fd;

	need();
	fd = (struct pollfd){.fd = cul_rings_fd(t.rings), .events = POLLIN};
	assert_int_equal(poll(&fd, 1, 0), 0);
	write_record(2, 10);
	write_record(2, 40);
	write_record(0, 20);
	write_record(1, 30);
	write_record(1, 15);
	assert_int_equal(poll(&fd, 1, 0), 1);
	assert_int_equal(cul_rings_read(t.rings, false), 0);
	assert_int_equal(t.n, 5);
	for (unsigned i = 1; i < t.n; i++)
		assert_true(t.got[i - 1] < t.got[i]);
	assert_int_equal(cul_rings_read(t.rings, true), 0);
	assert_int_equal(t.n, 5);
}

static void young_records_wait_for_company(void **state)
{
	uint64_t future = now_ns() + 60000000000u;

	need();
	write_record(0, future);
	write_record(1, future - 1);
	write_record(2, 5);
	assert_int_equal(cul_rings_read(t.rings, false), 0);
	assert_int_equal(t.n, 1);
	assert_int_equal(t.got[0], 5);
	write_record(2, 6);
	write_record(2, future - 2);
	assert_int_equal(cul_rings_read(t.rings, false), 0);
	assert_int_equal(t.n, 2);
	assert_int_equal(t.got[1], 6);
	assert_int_equal(cul_rings_read(t.rings, true), 0);
	assert_int_equal(t.n, 5);
	assert_true(t.got[2] == future - 2 && t.got[3] == future - 1 && t.got[4] == future);
}

/* Whatever their sizes, they have room where they are held: what one takes too much is seen by
 * ASan. */
static void odd_sizes_are_held(void **state)
{
	uint64_t future = now_ns() + 60000000000u;
	unsigned n = 0;

	need();
	for (int size = 17; size <= 25; size++) {
		for (int i = 0; i < 14; i++)
			write_sized(i % N_RINGS, future + n++, size);
		assert_int_equal(cul_rings_read(t.rings, false), 0);
		assert_int_equal(t.n, 0);
	}
	assert_int_equal(cul_rings_read(t.rings, true), 0);
	assert_int_equal(t.n, n);
	for (unsigned i = 1; i < sizeof(t.got) / sizeof(t.got[0]); i++)
		assert_int_equal(t.got[(n + i) % 64], future + n - 64 + i);
}

static void the_callback_may_end_the_reading(void **state)
{
	need();
	for (uint64_t i = 1; i <= 4; i++)
		write_record(0, i);
	t.at = 2;
	t.result = -EPIPE;
	assert_int_equal(cul_rings_read(t.rings, false), -EPIPE);
	assert_int_equal(t.n, 2);
	assert_int_equal(cul_rings_read(t.rings, false), 0);
	assert_int_equal(t.n, 4);
	assert_int_equal(t.got[2], 3);
}

static void more_than_fits_is_handed_on_at_the_end(void **state)
{
	need();
	/* Three rings of 4096 bytes; the reader holds twice that, the records return again. */
	for (int round = 0; round < 5; round++)
		for (uint64_t i = 0; i < 100; i++)
			write_record((int)(i % N_RINGS), now_ns() + 60000000000u);
	assert_int_equal(cul_rings_read(t.rings, false), 0);
	assert_int_equal(t.n, 0);
	assert_int_equal(cul_rings_read(t.rings, true), 0);
	assert_in_range(t.n, 400, 500);
}

static void nothing_is_left_when_it_cannot_be_made(void **state)
{
	struct cul_rings *kept;
	struct cul_error err = {0};
	int n, r = -1;

	need();
	kept = t.rings;
	for (n = 0; n < 100 && r; n++) {
		cul_alloc_fail_after(n);
		r = make(&err);
		assert_true(!r || r == -ENOMEM);
	}
	cul_alloc_fail_after(-1);
	cul_rings_free(t.rings);
	t.rings = kept;
	/* The last: handing all over at once, and one by one after that. */
	for (n = 0; n <= N_RINGS; n++) {
		cul_sys_fail(CUL_SYS_BPF, n, EPERM);
		assert_int_equal(make(&err), -EPERM);
		assert_non_null(strstr(err.text, "ring buffer"));
	}
	assert_ptr_equal(t.rings, kept);
	cul_sys_fail_once(CUL_SYS_BPF, N_RINGS, EINVAL); /* before 5.19 */
	cul_rings_free(kept);
	t.rings = NULL;
	assert_int_equal(make(&err), 0);
	write_record(2, 10);
	assert_int_equal(cul_rings_read(t.rings, false), 0);
	assert_int_equal(t.n, 1);
	cul_rings_free(NULL);
}

static void reading_without_memory_is_an_error(void **state)
{
	need();
	write_record(0, 1);
	cul_alloc_fail_after(0);
	assert_int_equal(cul_rings_read(t.rings, false), -ENOMEM);
	cul_alloc_fail_after(-1);
	write_record(0, now_ns() + 60000000000u);
	write_record(0, 2);
	/* The kept record cannot be moved: it stays where it is. */
	assert_int_equal(cul_rings_read(t.rings, false), 0);
	assert_int_equal(t.n, 1);
}

static void rings_of_many_cpus_are_smaller(void **state)
{
	assert_int_equal(cul_rings_size(1), 1 << 20);
	assert_int_equal(cul_rings_size(128), 128 << 10);
	assert_int_equal(cul_rings_size(4096), 64 << 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			rings_are_read_in_the_order_of_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(young_records_wait_for_company, set_up, tear_down),
		cmocka_unit_test_setup_teardown(odd_sizes_are_held, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			the_callback_may_end_the_reading, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			more_than_fits_is_handed_on_at_the_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			nothing_is_left_when_it_cannot_be_made, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			reading_without_memory_is_an_error, set_up, tear_down),
		cmocka_unit_test(rings_of_many_cpus_are_smaller),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
