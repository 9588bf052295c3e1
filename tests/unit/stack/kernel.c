/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernel stacks by the memory of this machine's kernel: children of ours that wait, held against
 * what /proc/TID/stack says of them. Other kernels are asked by tests/vm/stack.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "mem/mem.h"
#include "stack/ktasks.h"
#include "stack/source.h"
#include "sym/kernel_priv.h"
#include "sys/fault.h"
#include "sys/file.h"

static int reset(void **state)
{
	cul_sys_fail_none();
	cul_alloc_fail_after(-1);
	return 0;
}

/* False where the kernel's memory or its own word are not for us. */
static bool permitted(void)
{
	cul_autofree char *text = NULL;
	struct cul_mem *mem = NULL;
	size_t size;

	if (cul_sys_read_file("/proc/self/stack", 1 << 16, &text, &size) != 0 ||
		cul_mem_kernel(&mem, NULL) != 0)
		return false;
	cul_mem_free(mem);
	return true;
}

/* A child that waits in read(2) until `*end` is closed. */
static pid_t waiting_child(int *end)
{
	cul_autofree char *text = NULL;
	char path[64];
	int ends[2];
	size_t size;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		char c;

		close(ends[1]);
		_exit(read(ends[0], &c, 1) != 0);
	}
	close(ends[0]);
	*end = ends[1];
	snprintf(path, sizeof(path), "/proc/%d/stack", pid);
	for (int i = 0; i < 2000 && (!text || !strstr(text, "pipe_read")); i++) {
		free(cul_take(text));
		usleep(1000);
		assert_int_equal(cul_sys_read_file(path, 1 << 16, &text, &size), 0);
	}
	assert_non_null(strstr(text, "pipe_read"));
	return pid;
}

static void end_child(pid_t pid, int end)
{
	close(end);
	waitpid(pid, NULL, 0);
}

/* The innermost of our frames that /proc has, too: it leaves out the scheduler. */
static size_t first_in(const struct cul_source_thread *t, const char *text)
{
	for (size_t i = 0; i < t->kernel.len; i++) {
		const char *name = t->kernel.data[i].where.function;
		size_t len = name ? strlen(name) : 0;

		if (name && !strncmp(text, "[<0>] ", 6) && !strncmp(text + 6, name, len) &&
			text[6 + len] == '+')
			return i;
	}
	return t->kernel.len;
}

static void same_as_proc(const struct cul_source_thread *t)
{
	cul_autofree char *text = NULL;
	cul_autostr struct cul_str ours = {0};
	char path[64], *save = NULL;
	size_t size, i;

	snprintf(path, sizeof(path), "/proc/%d/stack", t->about.tid);
	assert_int_equal(cul_sys_read_file(path, 1 << 16, &text, &size), 0);
	i = first_in(t, text);
	assert_in_range(i, 1, 4); /* __schedule, schedule, and what they were called by perhaps */
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		const struct cul_kernel_frame *f;

		assert_true(i < t->kernel.len);
		f = &t->kernel.data[i++];
		cul_str_reset(&ours);
		cul_str_addf(&ours, "[<0>] %s+0x%" PRIx64 "/", f->where.function, f->where.offset);
		assert_memory_equal(line, cul_str_text(&ours), ours.len);
		assert_int_equal(f->certainty, CUL_CERTAIN);
		assert_string_equal(f->method, "ORC");
	}
	assert_int_equal(i, t->kernel.len);
	assert_null(t->kernel_end);
	assert_null(t->missing);
}

static void a_child_that_waits_is_as_proc_says(void **state)
{
	struct cul_stack_options options = {.kernel_only = true, .stop_fd = -1};
	struct cul_stack_source source = {0};
	struct cul_error err = {0};
	int end = -1;

	if (!permitted())
		skip();
	options.pid = waiting_child(&end);
	assert_int_equal(cul_stack_from_kernel(&options, &source, &err), 0);
	assert_int_equal(source.threads.len, 1);
	assert_int_equal(source.threads.data[0].about.tid, options.pid);
	assert_int_equal(source.threads.data[0].about.state, 'S');
	same_as_proc(&source.threads.data[0]);
	assert_int_equal(source.about.pid, options.pid);
	assert_int_equal(source.about.n_threads, 1);
	cul_stack_source_free(&source);
	end_child(options.pid, end);
}

static void we_ourselves_and_nobody_have_no_stack(void **state)
{
	struct cul_stack_options options = {.kernel_only = true, .pid = getpid(), .stop_fd = -1};
	struct cul_stack_source source = {0};
	struct cul_error err = {0};

	if (!permitted())
		skip();
	assert_int_equal(cul_stack_from_kernel(&options, &source, &err), 0);
	assert_string_equal(source.threads.data[0].missing, "this is culprit itself");
	assert_int_equal(source.threads.data[0].about.state, 'R');
	cul_stack_source_free(&source);
	options.pid = 4194303; /* above any */
	assert_int_equal(cul_stack_from_kernel(&options, &source, &err), -ESRCH);
	assert_non_null(strstr(err.text, "no task with the number 4194303"));
	cul_stack_source_free(&source);
}

/* Memory of the kernel in which the task of a child is another than it was, from some read on. */
struct twisted {
	struct cul_mem mem;
	struct cul_mem *real;
	uint64_t at; /* reads of the word there */
	uint64_t value;
	unsigned after; /* so many of them are left alone */
	unsigned reads;
};

static int twisted_read(struct cul_mem *mem, uint64_t addr, void *buf, size_t size)
{
	struct twisted *t = (struct twisted *)mem;
	int ret = cul_mem_read(t->real, addr, buf, size);

	t->reads++;
	if (ret == 0 && t->at >= addr && t->at + 8 <= addr + size) {
		if (t->after)
			t->after--;
		else
			memcpy((char *)buf + (t->at - addr), &t->value, 8);
	}
	return ret;
}

static int twisted_task(struct cul_mem *mem, void *buf, size_t size)
{
	return cul_mem_kernel_own_task(((struct twisted *)mem)->real, buf, size);
}

static void twisted_free(struct cul_mem *mem)
{
	cul_mem_free(((struct twisted *)mem)->real);
}

static const struct cul_mem_ops twisted_ops = {
	.name = "twisted", .read = twisted_read, .free = twisted_free, .own_task = twisted_task};

static struct twisted twist;

static struct cul_kernel *twisted_kernel(void)
{
	struct cul_kernel *k = NULL;

	twist = (struct twisted){.mem.ops = &twisted_ops};
	assert_int_equal(cul_mem_kernel(&twist.real, NULL), 0);
	assert_int_equal(cul_kernel_open(NULL, &k, NULL), 0);
	k->mem = &twist.mem;
	return k;
}

static uint64_t place(struct cul_kernel *k, const char *member)
{
	struct cul_extent e = {0};

	assert_int_equal(cul_type_extent(cul_kernel_type(k, CUL_KIND_STRUCT, "task_struct"), member,
				 &e, NULL),
		0);
	return e.at;
}

static void a_task_that_ran_meanwhile_is_noticed(void **state)
{
	static const char *const members[] = {"nvcsw", "nivcsw", "thread.sp", "stack"};
	struct cul_ktask_list list = {0};
	struct cul_ktasks *tasks = NULL;
	struct cul_ktask task;
	struct cul_kernel *k;
	int end = -1;
	pid_t pid;

	if (!permitted())
		skip();
	k = twisted_kernel();
	pid = waiting_child(&end);
	assert_int_equal(cul_ktasks_open(k, &cul_arch_x86_64, &tasks, NULL), 0);
	assert_int_equal(cul_ktasks_list(tasks, pid, &list, NULL), 0);
	assert_int_equal(list.tasks.len, 1);
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		twist.at = list.tasks.data[0].addr + place(k, members[i]);
		twist.after = 2;
		cul_ktasks_read(tasks, &list.tasks.data[0], &task);
		assert_int_equal(task.stands, CUL_KTASK_BLOCKED);
		assert_true(cul_ktasks_stood_still(tasks, &list.tasks.data[0], &task));
		twist.after = 1;
		twist.value = 0x1234;
		cul_ktasks_read(tasks, &list.tasks.data[0], &task);
		assert_int_equal(task.stands, CUL_KTASK_BLOCKED);
		assert_false(cul_ktasks_stood_still(tasks, &list.tasks.data[0], &task));
	}
	free(list.tasks.data);
	cul_ktasks_free(tasks);
	cul_kernel_free(k);
	end_child(pid, end);
}

/* Lists that lead nowhere, into circles, or to what is no task. */
static void lists_that_lead_astray_end(void **state)
{
	struct cul_ktask_list list = {0};
	struct cul_ktasks *tasks = NULL;
	struct cul_error err = {0};
	struct cul_kernel *k;
	uint64_t child, link;
	int end = -1;
	pid_t pid;

	if (!permitted())
		skip();
	k = twisted_kernel();
	pid = waiting_child(&end);
	assert_int_equal(cul_ktasks_open(k, &cul_arch_x86_64, &tasks, NULL), 0);
	assert_int_equal(cul_ktasks_list(tasks, pid, &list, NULL), 0);
	child = list.tasks.data[0].addr;
	free(list.tasks.data);
	link = child + place(k, "tasks");
	for (int i = 0; i < 4; i++) {
		const uint64_t values[] = {link, 0, 0xffff800000000008, 0x1000};

		twist.at = link;
		twist.value = values[i];
		twist.reads = 0;
		assert_int_equal(cul_ktasks_list(tasks, 0, &list, &err), 0);
		assert_false(list.whole);
		assert_true(list.tasks.len > 0);
		assert_in_range(twist.reads, 1, 100000);
		free(list.tasks.data);
	}
	twist.at = child + place(k, "thread_node"); /* a thread that is its own successor */
	twist.value = twist.at + 8;
	assert_int_equal(cul_ktasks_list(tasks, 0, &list, &err), 0);
	assert_false(list.whole);
	free(list.tasks.data);
	cul_ktasks_free(tasks);
	cul_kernel_free(k);
	end_child(pid, end);
}

/* Each allocation and each read fails in turn. */
static void failures_are_clean(void **state)
{
	struct cul_stack_options options = {.kernel_only = true, .pid = getpid(), .stop_fd = -1};
	struct cul_stack_source source = {0};
	struct cul_error err;
	int ret = -1;

	if (!permitted())
		skip();
	for (long i = 0; ret != 0 && i < 40; i++) {
		err = (struct cul_error){0};
		cul_alloc_fail_after(i);
		ret = cul_stack_from_kernel(&options, &source, &err);
		cul_alloc_fail_after(-1);
		assert_true(ret == 0 || (err.code == ret && err.text[0]));
		cul_stack_source_free(&source);
	}
	cul_sys_fail(CUL_SYS_OPEN, 0, EACCES);
	assert_true(cul_stack_from_kernel(&options, &source, &err) < 0);
	assert_true(err.text[0] != '\0');
	cul_stack_source_free(&source);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_child_that_waits_is_as_proc_says, reset),
		cmocka_unit_test_teardown(we_ourselves_and_nobody_have_no_stack, reset),
		cmocka_unit_test_teardown(a_task_that_ran_meanwhile_is_noticed, reset),
		cmocka_unit_test_teardown(lists_that_lead_astray_end, reset),
		cmocka_unit_test_teardown(failures_are_clean, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
