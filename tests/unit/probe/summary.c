/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The end of a run: groups, bars, counts and the ledger, from maps that we fill ourselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bpf/bars.h"
#include "own.h"
#include "sys/bpf.h"
#include "sys/fault.h"

static struct own own;
static struct cul_error err;

static void open_program(enum cul_probe_view view)
{
	const struct cul_probe_program_config config = {.n_sites = OWN_FUNCTIONS,
		.n_scratches = 1,
		.user_target = true,
		.returns = true,
		.groups = view != CUL_VIEW_CALLS,
		.bars = view == CUL_VIEW_HIST,
		.by_words = own.run.generated[OWN_PLAIN].by_words,
		.on_event = cul_probe_on_event,
		.data = &own.run};

	own.options.view = view;
	if (cul_probe_program_open(&config, &own.run.program, &err)) {
		print_message("no BPF here: %s\n", err.text);
		skip();
	}
	own.run.opened = true;
}

static int set_up(void **state)
{
	const struct cul_plan_want want = {.depth = 1};

	memset(&err, 0, sizeof(err));
	own_start(&own, &want);
	own.run.absent = calloc(OWN_FUNCTIONS, sizeof(bool));
	own.run.start_ns = 1000;
	own.run.end_ns = 5000;
	own.run.returns = true;
	own.run.child.status = -1;
	return 0;
}

static int tear_down(void **state)
{
	cul_sys_fail_none();
	cul_alloc_fail_after(-1);
	free(own.run.links.data);
	free(own.run.absent);
	if (own.run.opened)
		cul_probe_program_free(&own.run.program);
	free(own.run.rated);
	own_end(&own);
	return 0;
}

static unsigned n_cpus(void)
{
	return cul_cpus_count(&own.run.program.possible);
}

/* The same on each possible CPU. */
static void put(const char *map, const void *key, const void *one, size_t size)
{
	unsigned n = own.run.program.n_possible;
	uint8_t *all = calloc(n, size);

	cul_for_each_cpu(cpu, &own.run.program.possible)
	{
		memcpy(all + (size_t)cpu * size, one, size);
	}
	assert_int_equal(cul_sys_bpf_map_update(find_map(map), key, all), 0);
	free(all);
}

static void put_totals(uint32_t site, struct cul_probe_totals one)
{
	put("totals", &site, &one, sizeof(one));
}

static void put_group(struct cul_probe_tally_key key, struct cul_probe_tally one)
{
	put("groups", &key, &one, sizeof(one));
}

static void summary(void)
{
	if (cul_probe_summary(&own.run, &err))
		fail_msg("%s", err.text);
	assert_int_equal(own.record.losses, 1);
}

static void counts_are_summed(void **state)
{
	const struct cul_probe_loss *loss = &own.record.loss;
	unsigned n;

	open_program(CUL_VIEW_CALLS);
	n = n_cpus();
	put_totals(OWN_PLAIN, (struct cul_probe_totals){.calls = 9,
				      .own = 1,
				      .waited = 7,
				      .returns = 6,
				      .filtered = 2,
				      .lone = 2,
				      .matched = 5,
				      .errors = 3,
				      .dropped = 1,
				      .sum_ns = 100,
				      .max_ns = 60});
	put_totals(OWN_TREE, (struct cul_probe_totals){.calls = 20,
				     .waited = 20,
				     .returns = 20,
				     .filtered_late = 12,
				     .matched = 8});
	own.run.shown = 4;
	summary();
	assert_int_equal(own.record.n_functions, 2);
	assert_int_equal(own.record.n_silent, 3);
	/* The most called first. */
	assert_string_equal(own.record.function.function, "tree");
	assert_int_equal(own.record.function.calls, 20 * n);
	assert_true(own.record.function.returns_known);
	/* Times are added up of those that the filters let through. */
	assert_int_equal(own.record.function.timed, 8 * n);
	assert_int_equal(loss->calls, 29 * n);
	assert_int_equal(loss->own, n);
	assert_int_equal(loss->unreturned, n);
	assert_int_equal(loss->lone, 2 * n);
	assert_int_equal(loss->dropped, n);
	assert_int_equal(loss->shown, 4);
	assert_int_equal(loss->ran_ns, 4000);
	assert_int_equal(loss->command_status, -1);
	assert_int_equal(loss->missed + loss->missed_returns + loss->recursion, 0);
	assert_true(loss->misses_known);
}

/* Several places of one function are one line; what was refused is none. */
static void sites_of_a_function_are_one(void **state)
{
	struct cul_site *sites = own.run.sites.sites.data;

	open_program(CUL_VIEW_CALLS);
	sites[OWN_MANY].name = sites[OWN_ODD].name = sites[OWN_PLAIN].name;
	sites[OWN_ODD].kind = CUL_SITE_CLONE;
	put_totals(OWN_PLAIN, (struct cul_probe_totals){.calls = 1, .waited = 1, .max_ns = 7});
	put_totals(OWN_ODD, (struct cul_probe_totals){.calls = 2, .waited = 2, .max_ns = 5});
	own.run.absent[OWN_MANY] = own.run.absent[OWN_PASS] = true;
	summary();
	assert_int_equal(own.record.n_functions, 1);
	assert_int_equal(own.record.n_silent, 1);
	assert_int_equal(own.record.function.calls, 3 * n_cpus());
	assert_int_equal(own.record.function.max_ns, 7);
}

/* Links that are not there any more: nothing is known, and no zero is told as a fact. */
static void misses_that_are_not_known(void **state)
{
	static const enum cul_attach_kind kinds[] = {
		CUL_ATTACH_KPROBE, CUL_ATTACH_KPROBE_MULTI, CUL_ATTACH_UPROBE};

	open_program(CUL_VIEW_CALLS);
	for (size_t i = 0; i < 3; i++) {
		struct cul_probe_link *link = cul_vec_push(&own.run.links);

		*link = (struct cul_probe_link){
			.attachment = CUL_ATTACHMENT_NONE, .site = OWN_PLAIN, .n_sites = 1};
		link->attachment.kind = kinds[i];
		link->attachment.at_return = i == 1;
	}
	summary();
	assert_false(own.record.loss.misses_known);
	assert_non_null(own.record.loss.misses_unknown_for);
	assert_int_equal(own.run.links.len, 0);
}

static void groups_by_value(void **state)
{
	unsigned n;

	own.options.by = "n";
	assert_int_equal(cul_generate(&own.options, &own.run.plans[OWN_PLAIN], true, own.run.scope,
				 &own.run.generated[OWN_PLAIN], &err),
		0);
	open_program(CUL_VIEW_COUNT);
	n = n_cpus();
	put_group((struct cul_probe_tally_key){.by = {7}}, (struct cul_probe_tally){.count = 1});
	put_group((struct cul_probe_tally_key){.by = {(uint64_t)-3}},
		(struct cul_probe_tally){.count = 5, .errors = 2});
	summary();
	assert_int_equal(own.record.groups, 1);
	assert_int_equal(own.record.n_groups, 2);
	assert_string_equal(own.record.group[0].by, "-3");
	assert_int_equal(own.record.group[0].calls, 5 * n);
	assert_int_equal(own.record.group[0].errors, 2 * n);
	assert_string_equal(own.record.group[1].by, "7");
}

/* No 0: a group of its own. */
static void what_could_not_be_read_is_a_group(void **state)
{
	unsigned n;

	own.options.by = "p->a";
	assert_int_equal(cul_generate(&own.options, &own.run.plans[OWN_PLAIN], true, own.run.scope,
				 &own.run.generated[OWN_PLAIN], &err),
		0);
	open_program(CUL_VIEW_COUNT);
	n = n_cpus();
	put_group((struct cul_probe_tally_key){0}, (struct cul_probe_tally){.count = 3});
	put_group((struct cul_probe_tally_key){.unread = 1}, (struct cul_probe_tally){.count = 4});
	put_totals(OWN_PLAIN, (struct cul_probe_totals){.calls = 7, .matched = 7, .unread = 4});
	summary();
	assert_int_equal(own.record.n_groups, 2);
	assert_string_equal(own.record.group[0].by, "");
	assert_string_equal(own.record.group[0].why, "unreadable");
	assert_int_equal(own.record.group[0].calls, 4 * n);
	assert_string_equal(own.record.group[1].by, "0");
	assert_int_equal(own.record.loss.unread, 4 * n);
}

static void a_histogram_a_group(void **state)
{
	own.options.hist = "n";
	open_program(CUL_VIEW_HIST);
	for (int64_t v = -2; v < 6; v++)
		put_group((struct cul_probe_tally_key){.bar = cul_bar_of(v)},
			(struct cul_probe_tally){.count = 1, .low = v, .high = v});
	put_group((struct cul_probe_tally_key){.site = OWN_TREE, .bar = cul_bar_of(1000)},
		(struct cul_probe_tally){.count = 2, .low = 990, .high = 1003});
	put_group((struct cul_probe_tally_key){.site = OWN_TREE, .bar = CUL_BAR_UNREAD},
		(struct cul_probe_tally){.count = 9});
	summary();
	assert_int_equal(own.record.histograms, 2);
	assert_int_equal(own.record.n_bars, 1);
	assert_int_equal(own.record.bars_count, 2 * n_cpus());
	assert_int_equal(own.record.histogram.min, 990);
	assert_int_equal(own.record.histogram.max, 1003);
	assert_int_equal(own.record.histogram.unread, 9 * n_cpus());
}

static void counts_that_cannot_be_read_are_no_zeros(void **state)
{
	int r = -1;

	own.options.hist = "n";
	open_program(CUL_VIEW_HIST);
	put_group((struct cul_probe_tally_key){.bar = 3}, (struct cul_probe_tally){.count = 1});
	for (int n = 0; n < 60 && r; n++) {
		memset(&err, 0, sizeof(err));
		cul_sys_fail(CUL_SYS_BPF, n, EPERM);
		r = cul_probe_summary(&own.run, &err);
		cul_sys_fail_none();
		assert_true(!r || r == -EPERM);
		if (r && !strstr(err.text, "groups") &&
			!strstr(err.text, "what the kernel counted"))
			fail_msg("%d: '%s'", n, err.text);
	}
	assert_int_equal(r, 0);
	r = -1;
	for (long n = 0; n < 60 && r; n++) {
		cul_alloc_fail_after(n);
		r = cul_probe_summary(&own.run, &err);
		cul_alloc_fail_after(-1);
		assert_true(!r || r == -ENOMEM);
	}
	assert_int_equal(r, 0);
	for (int n = 0; n < 4; n++) {
		own.record.fail = -EPIPE;
		own.record.fail_after = n;
		assert_int_equal(cul_probe_summary(&own.run, &err), n < 3 ? -EPIPE : 0);
	}
}

static void a_rate_is_told_each_second(void **state)
{
	open_program(CUL_VIEW_RATE);
	own.run.end_ns = 0; /* it goes on */
	own.run.rated_ns = own.run.start_ns;
	put_totals(OWN_PLAIN, (struct cul_probe_totals){.calls = 3});
	assert_int_equal(cul_probe_say_rate(&own.run, own.run.start_ns + 999999999), 0);
	assert_int_equal(own.record.rates, 0);
	assert_int_equal(cul_probe_say_rate(&own.run, own.run.start_ns + 1000000000), 0);
	assert_int_equal(own.record.rates, 1);
	assert_int_equal(own.run.rated[OWN_PLAIN].calls, 3 * n_cpus());
	assert_int_equal(cul_probe_say_rate(&own.run, own.run.start_ns + 1500000000), 0);
	assert_int_equal(own.record.rates, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(counts_are_summed),
		TEST(sites_of_a_function_are_one),
		TEST(misses_that_are_not_known),
		TEST(groups_by_value),
		TEST(what_could_not_be_read_is_a_group),
		TEST(a_histogram_a_group),
		TEST(counts_that_cannot_be_read_are_no_zeros),
		TEST(a_rate_is_told_each_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
