/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Arming and the self-test, on threads of our own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "own.h"
#include "sys/fault.h"
#include "trace/breakpoint.h"
#include "watch/prove.h"

static struct own own;
static pthread_barrier_t started, finish;

static int set_up(void **state)
{
	own_start(&own);
	return 0;
}

static int tear_down(void **state)
{
	cul_sys_fail_none();
	cul_alloc_fail_after(-1);
	own_end(&own);
	return 0;
}

static void need(void)
{
	if (!own.loaded || !free_registers())
		skip();
}

static void *thread(void *data)
{
	pthread_barrier_wait(&started);
	pthread_barrier_wait(&finish);
	(*(volatile int64_t *)&own_cell)++;
	return NULL;
}

static void every_thread_is_armed(void **state)
{
	struct cul_error err = {0};
	struct cul_watch_totals sum;
	pthread_t threads[3];

	need();
	pthread_barrier_init(&started, NULL, 4);
	pthread_barrier_init(&finish, NULL, 4);
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, thread, NULL);
	pthread_barrier_wait(&started);
	if (cul_watch_arm_process(&own.run.arm, &err))
		fail_msg("%s", err.text);
	assert_int_equal(own.run.arm.n_threads, 4);
	assert_int_equal(own.run.arm.events.len, 4);
	assert_true(cul_cpus_count(&own.run.arm.armed) > 0);
	assert_true(own.run.arm.hit_cost_ns > 0);
	assert_int_equal(cul_watch_arm_slots(&own.run.arm), 1);
	pthread_barrier_wait(&finish);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	*(volatile int64_t *)&own_cell = 5;
	cul_watch_arm_disable(&own.run.arm);
	*(volatile int64_t *)&own_cell = 6;
	assert_int_equal(cul_watch_arm_hits(&own.run.arm), 4);
	assert_int_equal(cul_watch_arm_busy(&own.run.arm), 0);
	assert_int_equal(cul_watch_arm_share(&own.run.arm), 100);
	cul_watch_program_totals(&own.run.program, 0, &sum);
	assert_int_equal(sum.hits, 4);
	assert_int_equal(sum.early, 4);
	assert_true(sum.proofs >= 8);
	pthread_barrier_destroy(&started);
	pthread_barrier_destroy(&finish);
}

static void a_partial_failure_closes_everything(void **state)
{
	static const enum cul_sys_call calls[] = {
		CUL_SYS_PERF_EVENT_OPEN, CUL_SYS_PERF_IOCTL, CUL_SYS_BPF};
	struct cul_error err;
	unsigned files, registers;

	need();
	files = open_files();
	registers = free_registers();
	for (size_t c = 0; c < 3; c++) {
		int r = -1;

		for (int n = 0; n < 100 && r; n++) {
			memset(&err, 0, sizeof(err));
			cul_sys_fail(calls[c], n, EPERM);
			r = cul_watch_arm_process(&own.run.arm, &err);
			cul_sys_fail_none();
			if (r) {
				assert_int_equal(r, err.code);
				assert_true(strlen(err.text) > 12);
				assert_int_equal(own.run.arm.events.len, 0);
			}
			cul_watch_arm_free(&own.run.arm);
			assert_int_equal(open_files(), files);
			assert_int_equal(free_registers(), registers);
		}
		assert_int_equal(r, 0);
	}
}

static void memory_may_run_out(void **state)
{
	struct cul_error err;
	unsigned files;
	int r = -1;

	need();
	files = open_files();
	for (int n = 0; n < 500 && r; n++) {
		memset(&err, 0, sizeof(err));
		cul_alloc_fail_after(n);
		r = cul_watch_arm_process(&own.run.arm, &err);
		cul_alloc_fail_after(-1);
		assert_true(!r || (r == -ENOMEM && strlen(err.text) > 12));
		cul_watch_arm_free(&own.run.arm);
		assert_int_equal(open_files(), files);
	}
	assert_int_equal(r, 0);
}

static void a_thread_without_a_free_register_is_told(void **state)
{
	const struct cul_breakpoint bp = {.addr = (uintptr_t)&own_cell,
		.len = 8,
		.access = CUL_ACCESS_WRITE,
		.tid = 0,
		.cpu = -1};
	struct cul_error err = {0};
	int fds[64], n = 0;

	need();
	while (n < 64 && (fds[n] = cul_breakpoint_open(&bp, -1, NULL)) >= 0)
		n++;
	assert_int_equal(cul_watch_arm_process(&own.run.arm, &err), -ENOSPC);
	assert_non_null(strstr(err.text, "no free debug register"));
	/* The self-test gives its register back before the thread's is asked for. */
	close(fds[--n]);
	assert_int_equal(cul_watch_arm_process(&own.run.arm, &err), 0);
	cul_watch_arm_free(&own.run.arm);
	cul_sys_fail(CUL_SYS_PERF_EVENT_OPEN, 1, ENOSPC);
	assert_int_equal(cul_watch_arm_process(&own.run.arm, &err), -ENOSPC);
	assert_non_null(strstr(err.text, "1 needed, the machine has 4"));
	while (n)
		close(fds[--n]);
}

static void a_process_that_is_gone_is_told(void **state)
{
	struct cul_error err = {0};

	need();
	own.run.arm.pid = 0x7ffffff0;
	assert_int_equal(cul_watch_arm_process(&own.run.arm, &err), -ESRCH);
	assert_non_null(strstr(err.text, "no such process"));
	assert_int_equal(own.run.arm.events.len, 0);
}

static void a_register_that_does_not_fire_is_not_trusted(void **state)
{
	struct cul_error err = {0};
	uint64_t cost = 0, addr;

	need();
	assert_int_equal(cul_watch_proof_addr(&own.run.program, CUL_PROOF_USER, &addr, &err), 0);
	assert_int_equal(addr % 8, 0);
	/* Nothing is armed. */
	assert_int_equal(cul_watch_prove(&own.run.program, CUL_PROOF_USER, 0, &cost, &err), -ENXIO);
	assert_non_null(strstr(err.text, "did not fire"));
	assert_int_equal(cul_watch_prove(&own.run.program, CUL_PROOF_CODE, 0, &cost, &err), -ENXIO);
	assert_int_equal(
		cul_watch_prove(&own.run.program, CUL_PROOF_USER, 4095, &cost, &err), -ENXIO);
	cul_sys_fail(CUL_SYS_BPF, 0, EPERM);
	assert_int_equal(
		cul_watch_proof_addr(&own.run.program, CUL_PROOF_KERNEL, &addr, &err), -EPERM);
	assert_non_null(strstr(err.text, "self-test"));
	assert_int_equal(cul_watch_proof_for(CUL_ACCESS_EXECUTE, true), CUL_PROOF_CODE);
	assert_int_equal(cul_watch_proof_for(CUL_ACCESS_WRITE, true), CUL_PROOF_KERNEL);
	assert_int_equal(cul_watch_proof_for(CUL_ACCESS_READ_WRITE, false), CUL_PROOF_USER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_thread_is_armed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_partial_failure_closes_everything, set_up, tear_down),
		cmocka_unit_test_setup_teardown(memory_may_run_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_thread_without_a_free_register_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_process_that_is_gone_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_register_that_does_not_fire_is_not_trusted, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
