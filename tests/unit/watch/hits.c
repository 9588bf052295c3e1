/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records become hits, and the counts a table and a ledger: from maps that we fill ourselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "own.h"
#include "sys/bpf.h"
#include "sys/fault.h"

static struct own own;

static int set_up(void **state)
{
	own_start(&own);
	own.run.start_ns = 1000;
	own.run.end_ns = 5000;
	return 0;
}

static int tear_down(void **state)
{
	cul_sys_fail_none();
	cul_alloc_fail_after(-1);
	own_end(&own);
	return 0;
}

static struct cul_watch_event event(uint64_t ns, int64_t old, int64_t new)
{
	struct cul_watch_event e = {.ns = ns,
		.ip = (uintptr_t)set_up + 4,
		.flags = CUL_HIT_OLD_KNOWN | CUL_HIT_USER,
		.old = {(uint64_t)old},
		.new = {(uint64_t) new}};

	memcpy(e.in.comm, "sixteen_and_more", 16);
	return e;
}

static int tell(const struct cul_watch_event *e)
{
	size_t size = offsetof(struct cul_watch_event, frames) +
		      ((size_t)e->n_kernel + e->n_user) * sizeof(e->frames[0]);

	return cul_watch_on_event(&own.run, e, size < sizeof(*e) ? size : sizeof(*e));
}

static void a_record_becomes_a_hit(void **state)
{
	struct cul_watch_event e = event(1500, -1, 7);

	assert_int_equal(tell(&e), 0);
	assert_int_equal(own.record.hits, 1);
	assert_string_equal(own.record.hit[0].old, "-1");
	assert_string_equal(own.record.hit[0].new, "7");
	assert_string_equal(own.record.hit[0].function, "set_up");
	assert_int_equal(own.record.hit[0].ns, 500);
	assert_int_equal(own.record.hit[0].number, 1);
	/* The clock of a debug exception may be behind. */
	e.ns = 900;
	e.flags = CUL_HIT_UNREADABLE;
	assert_int_equal(tell(&e), 0);
	assert_int_equal(own.record.hit[1].ns, 0);
	assert_string_equal(own.record.hit[1].old, "");
	assert_string_equal(own.record.hit[1].new, "");
}

static void a_malformed_record_is_no_hit(void **state)
{
	struct cul_watch_event e = event(1500, 0, 1);

	assert_int_equal(cul_watch_on_event(&own.run, &e, 0), 0);
	assert_int_equal(
		cul_watch_on_event(&own.run, &e, offsetof(struct cul_watch_event, frames) - 1), 0);
	e.n_user = 1;
	assert_int_equal(
		cul_watch_on_event(&own.run, &e, offsetof(struct cul_watch_event, frames)), 0);
	e.n_user = CUL_WATCH_FRAMES + 1;
	assert_int_equal(cul_watch_on_event(&own.run, &e, sizeof(e)), 0);
	e.n_user = 0;
	e.n_kernel = UINT16_MAX;
	assert_int_equal(cul_watch_on_event(&own.run, &e, sizeof(e)), 0);
	e.n_kernel = 0;
	e.target = 1;
	assert_int_equal(tell(&e), 0);
	e.target = UINT32_MAX;
	assert_int_equal(tell(&e), 0);
	assert_int_equal(own.record.hits, 0);
	/* Not for showing. */
	e.target = 0;
	e.flags |= CUL_HIT_SAMPLE;
	assert_int_equal(tell(&e), 0);
	assert_int_equal(own.record.hits, 0);
}

static void a_stack_is_shown_once(void **state)
{
	struct cul_watch_event e = event(1500, 0, 1);

	e.n_user = CUL_WATCH_FRAMES;
	for (int i = 0; i < CUL_WATCH_FRAMES; i++)
		e.frames[i] = (uintptr_t)tear_down + (unsigned)i;
	tell(&e);
	tell(&e);
	e.frames[5]++;
	tell(&e);
	assert_int_equal(own.record.hit[0].n_frames, CUL_WATCH_FRAMES);
	assert_int_equal(own.record.hit[1].same_stack_as, 1);
	assert_int_equal(own.record.hit[1].n_frames, 0);
	assert_int_equal(own.record.hit[2].same_stack_as, 0);
	assert_int_equal(own.record.hit[2].n_frames, CUL_WATCH_FRAMES);
}

static void enough_is_enough(void **state)
{
	struct cul_watch_event e = event(1500, 0, 1);

	own.options.count = 2;
	for (int i = 0; i < 4; i++)
		assert_int_equal(tell(&e), 0);
	assert_int_equal(own.record.hits, 2);
	assert_true(own.run.done);
	assert_int_equal(own.run.end, CUL_END_COUNT);
}

static void an_invariant_needs_a_known_value(void **state)
{
	struct cul_watch_event e = event(1500, 0, 1);

	own.options.expect = "new >= old";
	own.run.program.expect_uses_old = true;
	e.flags &= ~(unsigned)CUL_HIT_OLD_KNOWN;
	assert_int_equal(tell(&e), 0);
	assert_false(own.run.violated);
	e.flags |= CUL_HIT_OLD_KNOWN;
	assert_int_equal(tell(&e), 0);
	assert_true(own.run.violated);
	assert_true(own.record.hit[0].violation);
	assert_int_equal(own.run.end, CUL_END_VIOLATION);
}

static void a_sink_that_fails_is_passed_on(void **state)
{
	struct cul_watch_event e = event(1500, 0, 1);

	own.record.fail = -EPIPE;
	assert_int_equal(tell(&e), -EPIPE);
	own.record.fail = 0;
	cul_alloc_fail_after(0);
	e.ip++;
	assert_int_equal(tell(&e), -ENOMEM);
	e.flags |= CUL_HIT_SAMPLE;
	assert_int_equal(tell(&e), -ENOMEM);
}

/* One writer's counts: the share of the first possible CPU, and twice that on the last. */
static void put_on_cpu(int cpu, uint64_t ip, uint32_t tgid, struct cul_watch_writer_count one)
{
	struct cul_watch_writer_entry *w =
		&own.run.program.writers[(unsigned)cpu * own.run.program.writers_per_cpu];

	while (w->count.hits)
		w++;
	w->key.ip = ip;
	w->key.tgid = tgid;
	w->count = one;
	memcpy(w->count.comm, "writer", 7);
}

static void put_writer(uint64_t ip, uint32_t tgid, struct cul_watch_writer_count one)
{
	int last = (int)own.run.program.n_possible - 1;

	put_on_cpu(0, ip, tgid, one);
	if (!last)
		return;
	one.first_ns += 100;
	one.last_ns += 100;
	one.min = (uint64_t)((int64_t)one.min - 1);
	one.last++;
	put_on_cpu(last, ip, tgid, one);
}

static void put_totals(const struct cul_watch_totals *one)
{
	cul_for_each_cpu(cpu, &own.run.program.possible)
	{
		own.run.program.heres[cpu].totals[0] = *one;
	}
}

static void fill(void)
{
	static const struct cul_watch_totals totals = {.hits = 20,
		.emitted = 9,
		.dropped = 2,
		.filtered = 4,
		.early = 5,
		.unattributed = 1,
		.unreadable = 3,
		.proofs = 8};

	put_writer((uintptr_t)set_up + 4, 10,
		(struct cul_watch_writer_count){.hits = 3,
			.unchanged = 1,
			.first_ns = 2000,
			.last_ns = 3000,
			.min = (uint64_t)-5,
			.max = 4,
			.last = 4});
	put_writer((uintptr_t)set_up + 4, 11,
		(struct cul_watch_writer_count){.hits = 5,
			.first_ns = 900,
			.last_ns = 2500,
			.min = 0,
			.max = 9,
			.last = 1});
	put_writer((uintptr_t)tear_down + 4, 12,
		(struct cul_watch_writer_count){.hits = 50,
			.first_ns = 1500,
			.last_ns = 1600,
			.min = 1,
			.max = 1,
			.last = 1});
	put_totals(&totals);
}

static void writers_are_merged_and_ordered(void **state)
{
	const struct record_writer *w = own.record.writer;
	struct cul_error err = {0};
	uint64_t cpus;

	if (!own.loaded)
		skip();
	cpus = cul_cpus_count(&own.run.program.possible) > 1 ? 2 : 1;
	fill();
	assert_int_equal(cul_watch_summary(&own.run, &err), 0);
	assert_int_equal(own.record.writers, 2);
	assert_string_equal(w[0].function, "tear_down");
	assert_int_equal(w[0].hits, 50 * cpus);
	assert_string_equal(w[1].function, "set_up");
	assert_int_equal(w[1].hits, 8 * cpus);
	assert_int_equal(w[1].unchanged, cpus);
	assert_int_equal(w[1].n_processes, 2);
	assert_int_equal(w[1].busiest, 11);
	/* Before the start counts as at the start; the last one is of the latest CPU. */
	assert_int_equal(w[1].first_ns, 0);
	assert_int_equal(w[1].last_ns, cpus > 1 ? 2100 : 2000);
	assert_string_equal(w[1].min, cpus > 1 ? "-6" : "-5");
	assert_string_equal(w[1].max, "9");
	assert_string_equal(w[1].last, cpus > 1 ? "5" : "4");
	assert_int_equal(own.record.loss.unchanged, cpus);
}

static void the_ledger_adds_up(void **state)
{
	const struct cul_watch_loss *loss = &own.record.loss;
	struct cul_error err = {0};
	unsigned n;

	if (!own.loaded)
		skip();
	n = cul_cpus_count(&own.run.program.possible);
	fill();
	own.run.behind = 2;
	cul_gaps_add(&own.run.gaps, "CPU %d was not there", 3);
	assert_int_equal(cul_watch_summary(&own.run, &err), 0);
	assert_int_equal(loss->seen, 15 * n);
	assert_int_equal(loss->hits, loss->seen + loss->busy);
	assert_int_equal(loss->filtered, 4 * n);
	assert_int_equal(loss->dropped, 2 * n);
	assert_int_equal(loss->unattributed, n);
	assert_int_equal(loss->unreadable, 3 * n);
	assert_int_equal(loss->behind, 2);
	assert_int_equal(loss->ran_ns, 4000);
	assert_int_equal(loss->command_status, -1);
	assert_string_equal(own.record.gap, "CPU 3 was not there");
}

static void the_guilty_come_first(void **state)
{
	struct cul_watch_event e = event(1500, 0, 1);

	if (!own.loaded)
		skip();
	fill();
	own.options.expect = "new < 1";
	own.options.keep_going = true;
	assert_int_equal(tell(&e), 0);
	assert_int_equal(cul_watch_summary(&own.run, NULL), 0);
	assert_true(own.record.writer[0].guilty);
	assert_string_equal(own.record.writer[0].function, "set_up");
	assert_false(own.record.writer[1].guilty);
}

static void counts_that_cannot_be_read_are_no_zeros(void **state)
{
	struct cul_error err;
	int r = -1;

	if (!own.loaded)
		skip();
	fill();
	for (int n = 0; n < 50 && r; n++) {
		memset(&err, 0, sizeof(err));
		cul_sys_fail(CUL_SYS_BPF, n, EPERM);
		r = cul_watch_summary(&own.run, &err);
		cul_sys_fail_none();
		assert_true(!r || (r == -EPERM && strstr(err.text, "what the kernel counted")));
	}
	assert_int_equal(r, 0);
	for (int n = 0; n < 3; n++) {
		own.record.fail = -EPIPE;
		own.record.fail_after = n;
		assert_int_equal(cul_watch_summary(&own.run, &err), n < 2 ? -EPIPE : 0);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_record_becomes_a_hit),
		TEST(a_malformed_record_is_no_hit),
		TEST(a_stack_is_shown_once),
		TEST(enough_is_enough),
		TEST(an_invariant_needs_a_known_value),
		TEST(a_sink_that_fails_is_passed_on),
		TEST(writers_are_merged_and_ordered),
		TEST(the_ledger_adds_up),
		TEST(the_guilty_come_first),
		TEST(counts_that_cannot_be_read_are_no_zeros),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
