/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "attach_own.h"
#include "sys/fault.h"
#include "trace/attach.h"

enum { CALLS = 37 };

#define GETPGID "__x64_sys_getpgid"
#define GETSID  "__x64_sys_getsid"

static int reset(void **state)
{
	cul_sys_fail_none();
	return 0;
}

static void call_getpgid(int n)
{
	while (n--)
		syscall(SYS_getpgid, 0);
}

static void call_getsid(int n)
{
	while (n--)
		syscall(SYS_getsid, 0);
}

static __attribute__((noipa)) int probed(int x)
{
	return x + 1;
}

/* Where probed() is in our file. */
static uint64_t probed_offset(void)
{
	uint64_t addr = (uintptr_t)probed, start, end, offset;
	char line[512];
	FILE *f = fopen("/proc/self/maps", "re");
	uint64_t found = 0;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx-%lx %*s %lx", &start, &end, &offset) == 3 && addr >= start &&
			addr < end)
			found = addr - start + offset;
	if (f)
		fclose(f);
	return found;
}

static void need_kprobes(void)
{
	if (!own_has_kprobes())
		skip();
}

/* A program of `kind`, or the test fails. */
static int program(enum own_kind kind, const char *function, int map)
{
	int fd = own_program(kind, function, map);

	if (fd < 0)
		fail_msg("loading program %d: %s", kind, strerror(-fd));
	return fd;
}

static void attached(int r, const struct cul_error *err)
{
	if (r)
		fail_msg("%d: %s", r, err->text);
}

/* Between attach and detach the calls count, each with its cookie; before and after they do not. */
static void counts(struct cul_attachment *a, int map, void (*call)(int), uint64_t cookie)
{
	struct own_count before = own_read(map), count;
	struct cul_attach_misses misses;

	call(CALLS);
	count = own_read(map);
	assert_int_equal(count.hits - before.hits, CALLS);
	assert_int_equal(count.cookies - before.cookies, CALLS * cookie);
	cul_attachment_misses(a, &misses);
	assert_int_equal(misses.probe, 0);
	assert_int_equal(misses.recursion, 0);
	cul_attachment_detach(a);
	assert_int_equal(a->link_fd, -1);
	assert_int_equal(a->perf_fd, -1);
	call(CALLS);
	assert_int_equal(own_read(map).hits, count.hits);
	cul_attachment_detach(a);
}

static void fentry_and_fexit_count(void **state)
{
	struct cul_attachment a = CUL_ATTACHMENT_NONE;
	struct cul_error err = {0};

	need_kprobes();
	for (int at_return = 0; at_return <= 1; at_return++) {
		int map = own_map();
		int prog = program(at_return ? OWN_FEXIT : OWN_FENTRY, GETPGID, map);

		attached(cul_attach_fentry(prog, 7, at_return, &a, &err), &err);
		assert_int_equal(a.kind, CUL_ATTACH_FENTRY);
		assert_int_equal(a.at_return, at_return);
		counts(&a, map, call_getpgid, 7);
		close(prog);
		close(map);
	}
}

static void kprobe_and_kretprobe_count(void **state)
{
	struct cul_attachment a = CUL_ATTACHMENT_NONE;
	struct cul_error err = {0};

	need_kprobes();
	for (int at_return = 0; at_return <= 1; at_return++) {
		int map = own_map();
		int prog = program(OWN_KPROBE, NULL, map);

		attached(cul_attach_kprobe(
				 prog, own_symbol(GETPGID), 1ULL << 40, at_return, &a, &err),
			&err);
		counts(&a, map, call_getpgid, 1ULL << 40);
		close(prog);
		close(map);
	}
}

static void call_both(int n)
{
	call_getpgid(n / 2);
	call_getsid(n - n / 2);
}

static void kprobe_multi_counts_two(void **state)
{
	struct cul_attachment a = CUL_ATTACHMENT_NONE;
	struct cul_error err = {0};
	uint64_t addrs[2], cookies[2] = {5, 5};

	need_kprobes();
	addrs[0] = own_symbol(GETSID);
	addrs[1] = own_symbol(GETPGID);
	for (int at_return = 0; at_return <= 1; at_return++) {
		int map = own_map();
		int prog = program(OWN_KPROBE_MULTI, NULL, map);
		int r = cul_attach_kprobe_multi(prog, addrs, cookies, 2, at_return, &a, &err);

		if (r == -ENOTSUP) {
			assert_non_null(strstr(err.text, "CONFIG_FPROBE"));
			close(prog);
			close(map);
			continue;
		}
		attached(r, &err);
		counts(&a, map, call_both, 5);
		close(prog);
		close(map);
	}
}

/* The cookie is that of the function that was reached, however the addresses are sorted. */
static void kprobe_multi_has_a_cookie_each(void **state)
{
	struct cul_attachment a = CUL_ATTACHMENT_NONE;
	struct cul_error err = {0};
	uint64_t addrs[2], cookies[2] = {1000000, 1};
	int map, prog, r;

	need_kprobes();
	map = own_map();
	prog = program(OWN_KPROBE_MULTI, NULL, map);
	for (int turned = 0; turned <= 1; turned++) {
		struct own_count before = own_read(map), count;

		addrs[turned] = own_symbol(GETPGID);
		addrs[!turned] = own_symbol(GETSID);
		r = cul_attach_kprobe_multi(prog, addrs, cookies, 2, false, &a, &err);
		if (r == -ENOTSUP)
			break;
		attached(r, &err);
		call_getpgid(3);
		call_getsid(2);
		count = own_read(map);
		assert_int_equal(count.cookies - before.cookies, turned ? 2000003 : 3000002);
		cul_attachment_detach(&a);
	}
	close(prog);
	close(map);
}

/* All or none, and the one at fault is named. */
static void kprobe_multi_names_the_refused(void **state)
{
	struct cul_attachment a = CUL_ATTACHMENT_NONE;
	struct cul_error err = {0};
	uint64_t addrs[3], cookies[3] = {1, 2, 3};
	char wanted[32];
	int map, prog, r;

	need_kprobes();
	map = own_map();
	prog = program(OWN_KPROBE_MULTI, NULL, map);
	addrs[0] = own_symbol(GETPGID);
	addrs[1] = own_symbol("asm_exc_page_fault"); /* entry code: notrace */
	addrs[2] = own_symbol(GETSID);
	r = cul_attach_kprobe_multi(prog, addrs, cookies, 3, false, &a, &err);
	print_message("kprobe-multi: %d: %s\n", r, err.text);
	assert_true(r < 0);
	assert_int_equal(a.link_fd, -1);
	if (r != -ENOTSUP) {
		snprintf(wanted, sizeof(wanted), "0x%lx", addrs[1]);
		assert_non_null(strstr(err.text, wanted));
		call_both(10);
		assert_int_equal(own_read(map).hits, 0);
	}
	close(prog);
	close(map);
}

static void a_kprobe_is_refused_with_a_reason(void **state)
{
	const struct {
		const char *what;
		uint64_t addr;
		bool at_return;
		int codes[2];
	} cases[] = {
		{"notrace entry code", own_symbol("asm_exc_page_fault"), false, {-EINVAL}},
		{"blacklisted", own_symbol("get_kprobe"), false, {-EINVAL}},
		{"inside an instruction", own_symbol(GETPGID) + 1, false, {-EILSEQ}},
		{"no function's start", own_symbol("vfs_read") + 40, true, {-EINVAL, -EILSEQ}},
		{"no code", own_symbol("linux_banner"), false, {-EINVAL}},
		{"no memory", 0xffff000000000000, false, {-EINVAL, -ENOENT}},
		{"user space", 0x400000, false, {-EINVAL, -ENOENT}},
	};
	struct cul_attachment a = CUL_ATTACHMENT_NONE;
	struct cul_error err;
	int map, prog, before;

	need_kprobes();
	map = own_map();
	prog = program(OWN_KPROBE, NULL, map);
	before = own_open_files();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int r;

		memset(&err, 0, sizeof(err));
		r = cul_attach_kprobe(prog, cases[i].addr, 0, cases[i].at_return, &a, &err);
		print_message("%s: %d: %s\n", cases[i].what, r, err.text);
		assert_true(r < 0 && (r == cases[i].codes[0] || r == cases[i].codes[1]));
		assert_int_equal(err.code, r);
		assert_int_equal(a.link_fd, -1);
	}
	assert_int_equal(own_open_files(), before);
	close(prog);
	close(map);
}

static void call_probed(int n)
{
	while (n--)
		probed(n);
}

static void uprobe_and_uretprobe_count(void **state)
{
	struct cul_attachment a = CUL_ATTACHMENT_NONE;
	struct cul_error err = {0};

	if (geteuid() || access("/sys/bus/event_source/devices/uprobe/type", R_OK)) {
		print_message("skipped: not root, or this kernel has no uprobes\n");
		skip();
	}
	for (int at_return = 0; at_return <= 1; at_return++) {
		int map = own_map();
		int prog = program(OWN_KPROBE, NULL, map);

		attached(cul_attach_uprobe(prog, "/proc/self/exe", probed_offset(), getpid(), 3,
				 at_return, &a, &err),
			&err);
		counts(&a, map, call_probed, 3);
		assert_true(
			cul_attach_uprobe(prog, "/proc/self", 0, -1, 0, at_return, &a, &err) < 0);
		assert_non_null(strstr(err.text, "not a regular file"));
		assert_int_equal(cul_attach_uprobe(
					 prog, "/proc/self/nothing", 0, -1, 0, at_return, &a, &err),
			-ENOENT);
		close(prog);
		close(map);
	}
}

static void a_raw_tracepoint_counts(void **state)
{
	struct cul_attachment a = CUL_ATTACHMENT_NONE;
	struct cul_error err = {0};
	int map, prog;

	need_kprobes();
	map = own_map();
	prog = program(OWN_RAW_TRACEPOINT, NULL, map);
	attached(cul_attach_raw_tracepoint(prog, "sys_enter", 9, &a, &err), &err);
	counts(&a, map, call_getpgid, 0); /* the program does not ask for the cookie */
	assert_int_equal(cul_attach_raw_tracepoint(prog, "sys_entry", 9, &a, &err), -ENOENT);
	assert_non_null(strstr(err.text, "available_events"));
	close(prog);
	close(map);
}

/* Attaches in one of the ways; `way` is 0 to WAYS - 1. */
enum { WAYS = 7 };

static int attach_way(int way, const int progs[WAYS], const uint64_t addrs[2],
	struct cul_attachment *out, struct cul_error *err)
{
	const uint64_t cookies[2] = {0};

	switch (way) {
	case 0:
	case 1:
		return cul_attach_fentry(progs[way], 0, way, out, err);
	case 2:
	case 3:
		return cul_attach_kprobe(progs[way], addrs[0], 0, way == 3, out, err);
	case 4:
		return cul_attach_kprobe_multi(progs[way], addrs, cookies, 2, false, out, err);
	case 5:
		return cul_attach_uprobe(progs[way], "/proc/self/exe", probed_offset(), getpid(), 0,
			false, out, err);
	default:
		return cul_attach_raw_tracepoint(progs[way], "sys_enter", 0, out, err);
	}
}

static void load_ways(int map, int progs[WAYS])
{
	static const enum own_kind kinds[WAYS] = {OWN_FENTRY, OWN_FEXIT, OWN_KPROBE, OWN_KPROBE,
		OWN_KPROBE_MULTI, OWN_KPROBE, OWN_RAW_TRACEPOINT};

	for (int i = 0; i < WAYS; i++)
		progs[i] = program(kinds[i], GETPGID, map);
}

static void rounds_leak_nothing(void **state)
{
	struct cul_attachment a = CUL_ATTACHMENT_NONE;
	struct cul_error err = {0};
	uint64_t addrs[2];
	int map, progs[WAYS], before, r;

	need_kprobes();
	addrs[0] = own_symbol(GETPGID);
	addrs[1] = own_symbol(GETSID);
	map = own_map();
	load_ways(map, progs);
	before = own_open_files();
	for (int i = 0; i < 200; i++) {
		r = attach_way(i % WAYS, progs, addrs, &a, &err);
		if (r == -ENOTSUP && i % WAYS == 4)
			continue;
		attached(r, &err);
		cul_attachment_detach(&a);
	}
	assert_int_equal(own_open_files(), before);
	call_both(CALLS);
	call_probed(CALLS);
	for (int i = 0; i < WAYS; i++)
		close(progs[i]);
	close(map);
}

/* Each call of each kind fails in turn, for each way of attaching. */
static void no_failure_leaks(void **state)
{
	static const enum cul_sys_call calls[] = {
		CUL_SYS_OPEN, CUL_SYS_READ, CUL_SYS_PERF_EVENT_OPEN, CUL_SYS_BPF};
	struct cul_attachment a = CUL_ATTACHMENT_NONE;
	uint64_t addrs[2];
	int map, progs[WAYS], before, failures = 0;

	need_kprobes();
	addrs[0] = own_symbol(GETPGID);
	addrs[1] = own_symbol(GETSID);
	map = own_map();
	load_ways(map, progs);
	before = own_open_files();
	for (int i = 0; i < WAYS * 4; i++)
		for (int after = 0, r = -1; r && r != -ENOTSUP; after++) {
			struct cul_error err = {0};

			cul_sys_fail(calls[i % 4], after, EMFILE);
			r = attach_way(i / 4, progs, addrs, &a, &err);
			cul_sys_fail_none();
			failures += r == -EMFILE;
			assert_true(!r || r == -EMFILE || r == -ENOTSUP);
			assert_true(!r || (a.link_fd == -1 && a.perf_fd == -1 && *err.text));
			cul_attachment_detach(&a);
			assert_int_equal(own_open_files(), before);
		}
	assert_true(failures >= 16);
	for (int i = 0; i < WAYS; i++)
		close(progs[i]);
	close(map);
}

/* Without a kernel that could: what is said of each refusal. */
static void every_refusal_has_its_words(void **state)
{
	static const struct {
		int error;
		const char *words;
	} refusals[] = {{EPERM, "CAP_PERFMON"}, {EACCES, "run as root"}, {EMFILE, "ulimit -n"},
		{ENOMEM, "out of memory"}, {E2BIG, "bpftool link"}, {EIO, "Input/output error"}};
	struct cul_attachment a = CUL_ATTACHMENT_NONE;
	uint64_t addr = 0x1000, cookie = 1;
	struct cul_error err;

	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		for (int way = 0; way < 3; way++) {
			int r;

			memset(&err, 0, sizeof(err));
			cul_sys_fail(CUL_SYS_BPF, 0, refusals[i].error);
			r = way == 0 ? cul_attach_fentry(-1, 1, false, &a, &err)
			    : way == 1
				    ? cul_attach_kprobe_multi(-1, &addr, &cookie, 1, true, &a, &err)
				    : cul_attach_raw_tracepoint(-1, "x", 1, &a, &err);
			assert_int_equal(r, -refusals[i].error);
			assert_non_null(strstr(err.text, refusals[i].words));
			assert_int_equal(a.link_fd, -1);
		}
	}
	cul_sys_fail(CUL_SYS_BPF, 0, EBUSY);
	assert_int_equal(cul_attach_fentry(-1, 1, true, &a, &err), -EBUSY);
	assert_non_null(strstr(err.text, "live patch"));
	cul_sys_fail(CUL_SYS_BPF, 0, EOPNOTSUPP);
	assert_int_equal(cul_attach_kprobe_multi(-1, &addr, &cookie, 1, true, &a, &err), -ENOTSUP);
	assert_non_null(strstr(err.text, "CONFIG_FPROBE"));
	cul_sys_fail(CUL_SYS_OPEN, 0, ENOENT);
	assert_int_equal(cul_attach_kprobe(-1, addr, 0, false, &a, &err), -ENOENT);
	assert_non_null(strstr(err.text, "CONFIG_KPROBE_EVENTS"));
	assert_int_equal(cul_attach_uprobe(-1, "/", addr, 0, 0, false, &a, &err), -ENOENT);
	assert_non_null(strstr(err.text, "CONFIG_UPROBE_EVENTS"));
	assert_int_equal(a.perf_fd, -1);
}

/* unit-trace-attach [PATTERN [BUT]]: those whose names match, but not those. */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(every_refusal_has_its_words, reset),
		cmocka_unit_test_teardown(uprobe_and_uretprobe_count, reset),
		cmocka_unit_test_teardown(fentry_and_fexit_count, reset),
		cmocka_unit_test_teardown(kprobe_and_kretprobe_count, reset),
		cmocka_unit_test_teardown(kprobe_multi_counts_two, reset),
		cmocka_unit_test_teardown(kprobe_multi_has_a_cookie_each, reset),
		cmocka_unit_test_teardown(kprobe_multi_names_the_refused, reset),
		cmocka_unit_test_teardown(a_kprobe_is_refused_with_a_reason, reset),
		cmocka_unit_test_teardown(a_raw_tracepoint_counts, reset),
		cmocka_unit_test_teardown(rounds_leak_nothing, reset),
		cmocka_unit_test_teardown(no_failure_leaks, reset),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	if (argc > 2)
		cmocka_set_skip_filter(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
