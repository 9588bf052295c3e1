/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cores of a program of every architecture (tests/golden/cores). What is expected: the chains of
 * calls that its source states, and what gdb says of registers and frames (chain-ARCH.gdb).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arch/unwind.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "mem/core.h"
#include "stack/source.h"
#include "sys/fault.h"
#include "sys/file.h"
#include "unwind/process.h"

#define CORES SOURCE_ROOT "/tests/golden/cores/chain-"

enum { MAX_FRAMES = 40, TEXT = 65536 };

static const char *const arches[] = {
	"x86_64", "aarch64", "arm", "mips", "mipsel", "mips64", "mips64el"};

/* The innermost first; NULL: the code that a signal handler returns to. */
static const char *const crashed[] = {
	"crash", "handler", NULL, "raw", "interrupted", "middle", "outer", "begin"};
static const char *const asleep[] = {"raw", "sleeping", "thread_inner", "thread_outer", "spawn"};

struct opened {
	struct cul_stack_options options;
	struct cul_stack_source source;
	struct cul_error err;
	struct cul_unwind_process *code;
	struct cul_unwinder *unwinder;
	char core[128], exe[128];
};

static int open_core(struct opened *o)
{
	struct cul_code_space space;
	int ret = cul_stack_from_core(&o->options, &o->source, &o->err);

	if (ret != 0) {
		assert_int_equal(o->err.code, ret);
		assert_true(o->err.text[0]);
		return ret;
	}
	assert_int_equal(cul_unwind_process_new(o->source.syms, o->source.mem, &o->code), 0);
	space = cul_unwind_process_space(o->code);
	assert_int_equal(cul_unwinder_new(o->source.arch, o->source.mem, &space, &o->unwinder), 0);
	return 0;
}

static int open_arch(struct opened *o, const char *arch)
{
	snprintf(o->core, sizeof(o->core), CORES "%s.core", arch);
	snprintf(o->exe, sizeof(o->exe), CORES "%s", arch);
	o->options.core = o->core;
	o->options.exe = o->exe;
	return open_core(o);
}

static void close_core(struct opened *o)
{
	cul_unwinder_free(o->unwinder);
	cul_unwind_process_free(o->code);
	cul_stack_source_free(&o->source);
	o->unwinder = NULL;
	o->code = NULL;
}

/* `whole`: behind `names` there is the program's start alone. */
static void assert_chain(
	struct opened *o, size_t thread, const char *const *names, size_t n, bool whole)
{
	struct cul_stack stack = {0};

	assert_int_equal(
		cul_stack_walk(o->unwinder, &o->source.threads.data[thread].regs, NULL, &stack), 0);
	assert_true(stack.frames.len >= n);
	if (whole) {
		assert_int_equal(stack.frames.len, n + 1);
		assert_int_equal(stack.end.why, CUL_UNWIND_END_OUTERMOST);
	}
	for (size_t i = 0; i < n; i++) {
		const struct cul_frame *frame = &stack.frames.data[i].frame;
		struct cul_process_where where;

		assert_int_equal(frame->trampoline, !names[i]);
		if (!names[i])
			continue;
		cul_process_at(o->source.syms, cul_frame_lookup(frame), &where);
		assert_string_equal(where.symbol, names[i]);
		assert_int_not_equal(frame->method, CUL_UNWIND_SCAN);
	}
	cul_stack_free(&stack);
}

#define ASSERT_CHAIN(o, thread, names)                                                             \
	assert_chain(o, thread, names, sizeof(names) / sizeof((names)[0]), (thread) == 0)

static void test_chains(void **state)
{
	for (size_t a = 0; a < sizeof(arches) / sizeof(arches[0]); a++) {
		struct opened o = {0};

		assert_int_equal(open_arch(&o, arches[a]), 0);
		assert_string_equal(o.source.about.arch, arches[a]);
		assert_int_equal(o.source.about.n_threads, 3);
		assert_int_equal(o.source.threads.len, 3);
		ASSERT_CHAIN(&o, 0, crashed);
		ASSERT_CHAIN(&o, 1, asleep);
		ASSERT_CHAIN(&o, 2, asleep);
		assert_int_equal(o.source.threads.data[0].about.signal, 11);
		assert_int_equal(o.source.threads.data[1].about.signal, 0);
		close_core(&o);
	}
}

static void test_about(void **state)
{
	struct opened o = {0};
	const struct cul_stack_about *about = &o.source.about;

	assert_int_equal(open_arch(&o, "x86_64"), 0);
	assert_string_equal(about->process, "chain-x86_64");
	assert_string_equal(about->command, "/tmp/culprit-cores/chain-x86_64");
	assert_string_equal(about->core, o.core);
	assert_int_equal(about->signal, 11);
	assert_string_equal(about->signal_name, "SIGSEGV");
	assert_string_equal(about->reason, "SEGV_MAPERR at 0x10");
	assert_int_equal(about->pid, o.source.threads.data[0].about.tid);
	assert_string_equal(o.source.threads.data[0].about.name, "chain-x86_64");
	assert_null(o.source.threads.data[1].about.name);
	assert_int_equal(about->n_notes, 0);
	close_core(&o);
	/* qemu-user writes no siginfo, and no list of files by which the program could be checked.
	 */
	assert_int_equal(open_arch(&o, "mips"), 0);
	assert_string_equal(about->process, "chain-mips");
	assert_string_equal(about->signal_name, "SIGSEGV");
	assert_null(about->reason);
	assert_int_equal(about->n_notes, 1);
	assert_non_null(strstr(about->notes[0], "chain-mips"));
	close_core(&o);
}

static unsigned index_of(const struct cul_arch *arch, const char *name)
{
	char *end;
	unsigned long n = strtoul(name + 1, &end, 10);

	if (arch->word == 4 || arch->elf_machine == cul_arch_mips64.elf_machine)
		if (name[0] == 'r' && !*end)
			return (unsigned)n;
	for (unsigned i = 0; i < arch->n_regs; i++)
		if (strcmp(arch->reg_names[i], name) == 0)
			return i;
	fail_msg("no register %s", name);
	return 0;
}

static char *gdb_words(const char *arch)
{
	char path[128], *text;
	size_t size;

	snprintf(path, sizeof(path), CORES "%s.gdb", arch);
	assert_int_equal(cul_sys_read_file(path, TEXT, &text, &size), 0);
	return text;
}

static void test_registers_as_gdb(void **state)
{
	for (size_t a = 0; a < sizeof(arches) / sizeof(arches[0]); a++) {
		cul_autofree char *text = gdb_words(arches[a]);
		struct opened o = {0};
		unsigned seen = 0;

		assert_int_equal(open_arch(&o, arches[a]), 0);
		for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
			const struct cul_regs *regs = &o.source.threads.data[0].regs.regs;
			char name[16];
			uint64_t value;

			if (sscanf(line, "reg %15s %" SCNx64, name, &value) != 2)
				continue;
			assert_int_equal(regs->r[index_of(o.source.arch, name)], value);
			seen++;
		}
		assert_true(seen >= 17);
		close_core(&o);
	}
}

/* Every frame that gdb finds before it is lost or at the end: it goes round in circles in spawn. */
static void assert_frames(struct opened *o, int tid, char **line)
{
	struct cul_stack stack = {0};
	size_t i = 0;

	while (i < o->source.threads.len && o->source.threads.data[i].about.tid != tid)
		i++;
	assert_true(i < o->source.threads.len);
	assert_int_equal(
		cul_stack_walk(o->unwinder, &o->source.threads.data[i].regs, NULL, &stack), 0);
	while ((*line = strtok(NULL, "\n")) && (*line)[0] == '#') {
		unsigned n;
		uint64_t pc;

		if (sscanf(*line, "#%u 0x%" SCNx64, &n, &pc) == 2 && !strstr(*line, "spawn") &&
			!strstr(*line, "??")) {
			assert_true(n < stack.frames.len);
			assert_int_equal(stack.frames.data[n].frame.pc, pc);
		}
		if (strstr(*line, "signal handler"))
			assert_true(stack.frames.data[n].frame.trampoline);
	}
	cul_stack_free(&stack);
}

static void test_frames_as_gdb(void **state)
{
	for (size_t a = 0; a < sizeof(arches) / sizeof(arches[0]); a++) {
		cul_autofree char *text = gdb_words(arches[a]);
		struct opened o = {0};
		unsigned threads = 0;
		char *line = strtok(text, "\n");

		assert_int_equal(open_arch(&o, arches[a]), 0);
		while (line) {
			int tid;

			if (sscanf(line, "Thread %*d (LWP %d)", &tid) == 1) {
				assert_frames(&o, tid, &line);
				threads++;
			} else {
				line = strtok(NULL, "\n");
			}
		}
		assert_int_equal(threads, 3);
		close_core(&o);
	}
}

static void test_without_the_program(void **state)
{
	struct opened o = {.options = {.core = CORES "x86_64.core", .sysroot = "/nonexistent"}};
	struct cul_process_where where;
	const uint8_t *id;
	uint64_t pc;

	assert_int_equal(open_core(&o), 0);
	pc = o.source.threads.data[0].regs.regs.r[o.source.arch->reg_ip];
	cul_process_at(o.source.syms, pc, &where);
	assert_string_equal(where.object, "chain-x86_64");
	assert_null(where.symbol);
	assert_int_equal(where.offset, pc - 0x400000);
	assert_int_equal(cul_process_build_id(o.source.syms, pc, &id), 20);
	assert_int_equal(o.source.about.n_notes, 1);
	assert_non_null(
		strstr(o.source.about.notes[0], "/nonexistent/tmp/culprit-cores/chain-x86_64"));
	close_core(&o);

	o = (struct opened){.options = {.core = CORES "arm.core"}};
	assert_int_equal(open_core(&o), 0);
	assert_int_equal(o.source.about.n_notes, 1);
	assert_non_null(strstr(o.source.about.notes[0], "--exe"));
	close_core(&o);
}

/* A copy of a file with one byte changed where `from` is found. */
static void change(const char *path, const char *to, const void *from, size_t size)
{
	cul_autofclose FILE *out = NULL;
	cul_autofree char *bytes = NULL;
	size_t n;
	char *at;

	assert_int_equal(cul_sys_read_file(path, 1 << 20, &bytes, &n), 0);
	at = size ? memmem(bytes, n, from, size) : NULL;
	if (size) {
		assert_non_null(at);
		at[0] ^= 1;
	}
	out = fopen(to, "w");
	assert_int_equal(fwrite(bytes, 1, n, out), n);
}

static char scratch[64];

static int make_scratch(void **state)
{
	snprintf(scratch, sizeof(scratch), "/tmp/culprit-unit-core.%d", (int)getpid());
	return 0;
}

static int drop_scratch(void **state)
{
	cul_alloc_fail_after(-1);
	rmdir(scratch);
	unlink(scratch);
	return 0;
}

static void assert_not_used(struct opened *o)
{
	struct cul_process_where where;
	uint64_t pc;

	assert_int_equal(open_core(o), 0);
	pc = o->source.threads.data[0].regs.regs.r[o->source.arch->reg_ip];
	cul_process_at(o->source.syms, pc, &where);
	assert_null(where.symbol);
	assert_int_equal(o->source.about.n_notes, 1);
	assert_non_null(strstr(o->source.about.notes[0], "not used"));
	close_core(o);
}

/* Names of a file that is not the one that ran are never shown. */
static void test_another_program(void **state)
{
	struct opened o = {0};
	const uint8_t *id;
	uint8_t copy[20];
	size_t n;

	assert_int_equal(open_arch(&o, "x86_64"), 0);
	n = cul_process_build_id(
		o.source.syms, o.source.threads.data[0].regs.regs.r[o.source.arch->reg_ip], &id);
	assert_int_equal(n, sizeof(copy));
	memcpy(copy, id, n);
	close_core(&o);
	change(CORES "x86_64", scratch, copy, sizeof(copy));
	o.options.exe = scratch;
	assert_not_used(&o);
	o.options.exe = CORES "aarch64";
	assert_not_used(&o);
	/* The core of qemu-user has no page of the program; its entry tells. */
	o.options.core = CORES "mips.core";
	o.options.exe = CORES "mipsel";
	assert_not_used(&o);
}

static void assert_refused(const char *path, int code, const char *words)
{
	struct opened o = {.options = {.core = path}};

	assert_int_equal(open_core(&o), code);
	if (!strstr(o.err.text, words))
		fail_msg("\"%s\" has no \"%s\"", o.err.text, words);
	assert_null(o.source.free);
}

static void write_scratch(const void *bytes, size_t size)
{
	cul_autofclose FILE *out = fopen(scratch, "w");

	assert_int_equal(fwrite(bytes, 1, size, out), size);
}

static void test_no_core(void **state)
{
	cul_autofree char *bytes = NULL;
	size_t size;

	assert_refused("/nonexistent/core", -ENOENT, "no such file");
	assert_refused("/tmp", -EISDIR, "directory");
	assert_refused("/dev/null", -ENOEXEC, "no regular file");
	assert_refused(CORES "arm", -ENOEXEC, "--exe");
	write_scratch("", 0);
	assert_refused(scratch, -ENOEXEC, "is empty");
	write_scratch("\x28\xb5\x2f\xfd----", 8);
	assert_refused(scratch, -ENOEXEC, "zstd -d");
	write_scratch("\x1f\x8b----", 6);
	assert_refused(scratch, -ENOEXEC, "gzip -d");
	write_scratch("\x04\x22\x4d\x18----", 8);
	assert_refused(scratch, -ENOEXEC, "lz4 -d");
	write_scratch("core", 4);
	assert_refused(scratch, -ENOEXEC, "no core file");
	assert_int_equal(cul_sys_read_file(CORES "x86_64.core", 1 << 20, &bytes, &size), 0);
	bytes[18] = 21; /* e_machine: EM_PPC64 */
	write_scratch(bytes, size);
	assert_refused(scratch, -ENOTSUP, "a core of ppc64");
	bytes[18] = 8; /* EM_MIPS with EF_MIPS_ABI2, 32 bits */
	bytes[4] = 1;
	bytes[36] = 0x20;
	write_scratch(bytes, size);
	assert_refused(scratch, -ENOTSUP, "mips n32");
}

static void test_unreadable(void **state)
{
	cul_sys_fail_once(CUL_SYS_OPEN, 0, EACCES);
	assert_refused(CORES "arm.core", -EACCES, "as root");
	cul_sys_fail_once(CUL_SYS_PREAD, 0, EIO);
	assert_refused(CORES "arm.core", -EIO, "cannot be read");
	cul_sys_fail_none();
}

/* However much is missing: what is there is shown, and that some is not. */
static void test_truncated(void **state)
{
	for (size_t a = 0; a < sizeof(arches) / sizeof(arches[0]); a++) {
		char path[128];
		cul_autofree char *bytes = NULL;
		size_t size, shown = 0;

		snprintf(path, sizeof(path), CORES "%s.core", arches[a]);
		assert_int_equal(cul_sys_read_file(path, 1 << 20, &bytes, &size), 0);
		for (size_t cut = 0; cut < size; cut += cut < 6000 ? 61 : 1999) {
			struct opened o = {.options = {.core = scratch, .exe = CORES "arm"}};

			write_scratch(bytes, cut);
			if (open_core(&o) != 0)
				continue;
			shown++;
			assert_non_null(strstr(o.source.about.notes[0], "cut off"));
			for (size_t i = 0; i < o.source.threads.len; i++) {
				struct cul_stack stack = {0};

				cul_stack_walk(
					o.unwinder, &o.source.threads.data[i].regs, NULL, &stack);
				assert_true(stack.frames.len);
				cul_stack_free(&stack);
			}
			close_core(&o);
		}
		assert_true(shown > 10);
	}
}

static void test_cut_in_the_stack(void **state)
{
	struct opened o = {0};
	cul_autofree char *bytes = NULL;
	size_t size;

	/* Its last segment is the page behind the stack. */
	assert_int_equal(cul_sys_read_file(CORES "arm.core", 1 << 20, &bytes, &size), 0);
	write_scratch(bytes, size - 100);
	o.options.core = scratch;
	o.options.exe = CORES "arm";
	assert_int_equal(open_core(&o), 0);
	assert_int_equal(o.source.about.n_threads, 3);
	ASSERT_CHAIN(&o, 0, crashed);
	close_core(&o);
}

static void test_out_of_memory(void **state)
{
	for (long n = 0; n < 400; n++) {
		struct opened o = {.options = {.core = CORES "arm.core", .exe = CORES "arm"}};
		int ret;

		cul_alloc_fail_after(n);
		ret = cul_stack_from_core(&o.options, &o.source, &o.err);
		cul_alloc_fail_after(-1);
		if (ret != 0)
			assert_null(o.source.free);
		cul_stack_source_free(&o.source);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chains),
		cmocka_unit_test(test_about),
		cmocka_unit_test(test_registers_as_gdb),
		cmocka_unit_test(test_frames_as_gdb),
		cmocka_unit_test(test_without_the_program),
		cmocka_unit_test_setup_teardown(test_another_program, make_scratch, drop_scratch),
		cmocka_unit_test_setup_teardown(test_no_core, make_scratch, drop_scratch),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test_setup_teardown(test_truncated, make_scratch, drop_scratch),
		cmocka_unit_test_setup_teardown(test_cut_in_the_stack, make_scratch, drop_scratch),
		cmocka_unit_test(test_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
