/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records become calls, and hostile ones nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "own.h"

static struct own own;

/* As large as the kernel may send. */
static struct {
	struct cul_probe_event e;
	uint8_t data[2 * CUL_PROBE_PAYLOAD + CUL_PROBE_REGS * 8 + 2 * CUL_PROBE_FRAMES * 8];
} rec;

static int set_up(void **state)
{
	const struct cul_plan_want want = {.args = true, .ret = true, .depth = 1};

	own_start(&own, &want);
	own.run.start_ns = 1000;
	memset(&rec, 0, sizeof(rec));
	rec.e.ns = 1500;
	rec.e.in.pid = 7;
	rec.e.payload = (uint16_t)own.run.plans[OWN_PLAIN].recipe.payload;
	for (int i = 0; i < CUL_PROBE_FETCHES; i++)
		rec.e.got[i] = rec.e.after[i] = -EFAULT;
	memcpy(rec.e.in.comm, "sixteen_and_more", 16);
	return 0;
}

static int tear_down(void **state)
{
	cul_alloc_fail_after(-1);
	own_end(&own);
	return 0;
}

static size_t size_of_record(void)
{
	return sizeof(rec.e) + (rec.e.flags & CUL_CALL_AFTER ? 2u : 1u) * rec.e.payload +
	       (rec.e.flags & CUL_CALL_REGS ? CUL_PROBE_REGS * 8 : 0) +
	       ((size_t)rec.e.n_kernel + rec.e.n_user) * 8;
}

/* From memory that ends where the record does. */
static int tell_sized(size_t size)
{
	void *copy = malloc(size ? size : 1);
	int r;

	memcpy(copy, &rec, size);
	r = cul_probe_on_event(&own.run, copy, size);
	free(copy);
	return r;
}

static int tell(void)
{
	return tell_sized(size_of_record());
}

static void a_record_becomes_a_call(void **state)
{
	const struct record_call *c = own.record.call;

	rec.e.in.words[0] = (uint32_t)-5;
	rec.e.in.words[3] = 0xffff888000001234;
	rec.e.in.ret = -2;
	rec.e.in.dur = 99;
	rec.e.flags = CUL_CALL_RETURN | CUL_CALL_ERROR;
	assert_int_equal(tell(), 0);
	assert_int_equal(own.record.calls, 1);
	assert_string_equal(c->function, "plain");
	assert_string_equal(c->comm, "sixteen_and_more");
	assert_int_equal(c->n_args, 6);
	assert_string_equal(c->arg[0], "-5");
	assert_string_equal(c->arg[1], "NULL");
	assert_string_equal(c->why[3], "unreadable");
	assert_true(c->returned);
	assert_string_equal(c->ret, "-2");
	assert_string_equal(c->error, "ENOENT");
	assert_int_equal(c->dur_ns, 99);
	assert_int_equal(c->ns, 500);
	assert_int_equal(c->number, 1);
	/* Before the start counts as at the start. */
	rec.e.ns = 10;
	rec.e.flags = 0;
	assert_int_equal(tell(), 0);
	assert_int_equal(c[1].ns, 0);
	assert_string_equal(c[1].error, "");
	assert_false(c[1].returned);
}

static void expect_no_call(size_t size)
{
	unsigned before = own.record.calls;

	assert_int_equal(tell_sized(size), 0);
	assert_int_equal(own.record.calls, before);
}

static void a_malformed_record_is_no_call(void **state)
{
	rec.e.n_kernel = 3;
	rec.e.n_user = 2;
	rec.e.flags = CUL_CALL_AFTER | CUL_CALL_REGS | CUL_CALL_RETURN;
	for (size_t size = 0; size < size_of_record(); size += 1 + size / 64)
		expect_no_call(size);
	expect_no_call(size_of_record() - 1);
	assert_int_equal(tell(), 0);
	assert_int_equal(own.record.calls, 1);
	rec.e.site = OWN_FUNCTIONS;
	expect_no_call(sizeof(rec));
	rec.e.site = UINT32_MAX;
	expect_no_call(sizeof(rec));
	rec.e.site = 0;
	rec.e.payload = CUL_PROBE_PAYLOAD + 8;
	expect_no_call(sizeof(rec));
	rec.e.payload = UINT16_MAX;
	expect_no_call(sizeof(rec));
	rec.e.payload = 12;
	expect_no_call(sizeof(rec));
	rec.e.payload = 8;
	rec.e.n_kernel = CUL_PROBE_FRAMES + 1;
	expect_no_call(sizeof(rec));
	rec.e.n_kernel = 0;
	rec.e.n_user = UINT16_MAX;
	expect_no_call(sizeof(rec));
	assert_int_equal(own.run.arrived, 1);
}

/* What was fetched is told by the record: it may say anything. */
static void any_length_that_was_fetched(void **state)
{
	static const int16_t lengths[] = {0, 1, 7, 8, 15, 16, 17, 127, 128, 129, 255, 256, 257,
		4096, INT16_MAX, -1, -14, INT16_MIN};

	memset(rec.data, 'x', sizeof(rec.data));
	rec.e.flags = CUL_CALL_AFTER | CUL_CALL_RETURN;
	for (unsigned f = 0; f < OWN_FUNCTIONS; f++)
		for (unsigned payload = 0; payload <= CUL_PROBE_PAYLOAD; payload += 8 + payload / 4)
			for (size_t l = 0; l < sizeof(lengths) / sizeof(lengths[0]); l++) {
				rec.e.site = f;
				rec.e.payload = (uint16_t)(payload & ~7u);
				for (int i = 0; i < CUL_PROBE_FETCHES; i++) {
					rec.e.got[i] = lengths[l];
					rec.e.after[i] = lengths[(l + 1) % 18];
				}
				assert_int_equal(tell(), 0);
			}
	assert_true(own.record.calls > 100);
}

static void what_changed_is_told(void **state)
{
	const struct cul_plan *p = &own.run.plans[OWN_PLAIN];
	const struct record_call *c = own.record.call;
	struct pair_bytes pair = {-3, 0};
	unsigned pos = p->recipe.fetch[p->args[2].fetch].pos;

	rec.e.in.words[2] = 0x1000;
	rec.e.flags = CUL_CALL_AFTER | CUL_CALL_RETURN;
	rec.e.got[p->args[2].fetch] = rec.e.after[p->args[2].fetch] = sizeof(pair);
	memcpy(rec.data + pos, &pair, sizeof(pair));
	memcpy(rec.data + rec.e.payload + pos, &pair, sizeof(pair));
	assert_int_equal(tell(), 0);
	assert_non_null(strstr(c->arg[2], "-3"));
	assert_string_equal(c->after[2], "");
	pair.a = 44;
	memcpy(rec.data + rec.e.payload + pos, &pair, sizeof(pair));
	assert_int_equal(tell(), 0);
	assert_non_null(strstr(c[1].after[2], "44"));
	/* What could not be read again has not changed, as far as one knows. */
	rec.e.after[p->args[2].fetch] = -EFAULT;
	assert_int_equal(tell(), 0);
	assert_string_equal(c[2].after[2], "");
}

static void a_stack_is_shown_once(void **state)
{
	uint64_t *frames = (uint64_t *)(rec.data + rec.e.payload);

	rec.e.n_user = CUL_PROBE_FRAMES;
	for (int i = 0; i < CUL_PROBE_FRAMES; i++)
		frames[i] = (uintptr_t)tear_down + (unsigned)i;
	tell();
	tell();
	frames[5]++;
	tell();
	assert_int_equal(own.record.call[0].n_frames, CUL_PROBE_FRAMES);
	assert_int_equal(own.record.call[1].same_stack_as, 1);
	assert_int_equal(own.record.call[1].n_frames, 0);
	assert_int_equal(own.record.call[2].same_stack_as, 0);
	assert_int_equal(own.record.call[2].n_frames, CUL_PROBE_FRAMES);
}

static void registers_stand_before_the_frames(void **state)
{
	uint64_t *regs = (uint64_t *)(rec.data + rec.e.payload);

	rec.e.flags = CUL_CALL_REGS;
	rec.e.n_user = 1;
	regs[CUL_PROBE_REGS] = (uintptr_t)tear_down + 1;
	assert_int_equal(tell(), 0);
	assert_int_equal(own.record.call[0].n_regs, 0); /* of a function: its arguments */
	assert_int_equal(own.record.call[0].n_frames, 1);
	own.run.sites.sites.data[rec.e.site].kind = CUL_SITE_INSIDE;
	assert_int_equal(tell(), 0);
	/* All but where it stands, and a number of the kernel's. */
	assert_int_equal(own.record.call[1].n_regs, CUL_PROBE_REGS - 2);
}

/* The kernel leaves it out at some places and never at others. */
static void the_caller_at_an_entry(void **state)
{
	const uint64_t without[] = {0x1000, 0x3000}, with[] = {0x1000, 0x2000, 0x3000};
	const bool *bare = own.bare;
	pid_t pid = own.run.pid;

	own.run.returns = false;
	own.run.pid = 0;
	assert_false(cul_probe_lacks_caller(&own.run, OWN_PLAIN, 0x2000, without, 2));
	own.run.pid = getpid();
	assert_false(cul_probe_lacks_caller(&own.run, OWN_PLAIN, 0, without, 2));
	assert_false(cul_probe_lacks_caller(&own.run, OWN_PLAIN, 0x2000, with, 3));
	/* No frame pointer leads anywhere. */
	assert_true(cul_probe_lacks_caller(&own.run, OWN_PLAIN, 0x2000, without, 1));
	assert_false(bare[OWN_PLAIN]);
	assert_true(cul_probe_lacks_caller(&own.run, OWN_PLAIN, 0x2000, without, 2));
	assert_true(bare[OWN_PLAIN]);
	assert_false(bare[OWN_TREE]);
	/* Told when it returns, it is the innermost frame itself. */
	own.run.returns = true;
	assert_false(cul_probe_lacks_caller(&own.run, OWN_PLAIN, 0x2000, without, 2));
	own.run.pid = pid;
}

/* The trampoline and our program stand before the function itself. */
static void frames_of_ours_are_left_out(void **state)
{
	const struct cul_site *site = &own.run.sites.sites.data[OWN_PLAIN];
	struct cul_shown_frame frames[8] = {0};

	assert_int_equal(cul_probe_skip_ours(site, frames, 0), 0);
	assert_int_equal(cul_probe_skip_ours(site, frames, 8), 0);
	frames[2].where.function = "plain";
	assert_int_equal(cul_probe_skip_ours(site, frames, 8), 2);
	assert_int_equal(cul_probe_skip_ours(site, frames, 2), 0);
	frames[2].user = true;
	assert_int_equal(cul_probe_skip_ours(site, frames, 8), 0);
	frames[7].where.function = "plain"; /* it has called itself */
	assert_int_equal(cul_probe_skip_ours(site, frames, 8), 0);
}

static void enough_is_enough(void **state)
{
	own.options.count = 2;
	for (int i = 0; i < 4; i++)
		assert_int_equal(tell(), 0);
	assert_int_equal(own.record.calls, 2);
	assert_int_equal(own.run.arrived, 4);
	assert_true(own.run.done);
	assert_int_equal(own.run.end, CUL_END_COUNT);
}

static void a_sink_that_fails_is_passed_on(void **state)
{
	own.record.fail = -EPIPE;
	assert_int_equal(tell(), -EPIPE);
	own.record.fail = 0;
	/* Texts that find no memory are empty: the sinks know. */
	for (long after = 0; after < 40; after++) {
		cul_alloc_fail_after(after);
		tell();
		cul_alloc_fail_after(-1);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_record_becomes_a_call),
		TEST(a_malformed_record_is_no_call),
		TEST(any_length_that_was_fetched),
		TEST(what_changed_is_told),
		TEST(a_stack_is_shown_once),
		TEST(registers_stand_before_the_frames),
		TEST(the_caller_at_an_entry),
		TEST(frames_of_ours_are_left_out),
		TEST(enough_is_enough),
		TEST(a_sink_that_fails_is_passed_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
