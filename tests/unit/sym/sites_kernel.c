/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sites of a kernel that is made up: its symbols, its lists and its BTF. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "btf_build.h"
#include "sym/kernel_priv.h"
#include "sym/sites.h"
#include "sys/fault.h"

static const char SYMBOLS[] = "ffffffff81000000 T _text\n"
			      "ffffffff81000000 T _stext\n"
			      "ffffffff81000100 T vfs_read\n"
			      "ffffffff81000180 t __pfx_tcp_send\n"
			      "ffffffff81000190 T tcp_send\n"
			      "ffffffff81000200 t tcp_ack.isra.0\n"
			      "ffffffff81000280 t tcp_ack.isra.0.cold\n"
			      "ffffffff810002c0 t tcp_ack.part.1\n"
			      "ffffffff81000300 t tcp_same\n"
			      "ffffffff81000340 t tcp_same\n"
			      "ffffffff81000380 T tcp_alias\n"
			      "ffffffff81000380 W __tcp_alias\n"
			      "ffffffff810003c0 T tcp_hidden\n"
			      "ffffffff81000400 T tcp_notrace\n"
			      "ffffffff81000440 t only_clone.constprop.0\n"
			      "ffffffff81000480 T lone.llvm.123456\n"
			      "ffffffff81000500 T _etext\n"
			      "ffffffff82000000 D tcp_data\n"
			      "ffffffff83000000 T _sinittext\n"
			      "ffffffff83000010 t tcp_setup\n"
			      "ffffffff83000100 T _einittext\n"
			      "ffffffffc0000000 t tcp_extra\t[mod_a]\n"
			      "ffffffffc0000100 t tcp_send\t[mod_a]\n"
			      "ffffffffc0000200 t bpf_prog_1234_tcp_x\t[bpf]\n";
static const char MODULES[] = "mod_a 16384 0 - Live 0xffffffffc0000000 (OE)\n";
static const char NAMES[] = "vfs_read\ntcp_send\ntcp_ack.isra.0\ntcp_ack.part.1\ntcp_same\n"
			    "tcp_alias\ntcp_extra [mod_a]\ntcp_send [mod_a]\n";
static const char ADDRESSES[] = "ffffffff81000104 vfs_read\nffffffff81000194 tcp_send\n"
				"ffffffff81000204 tcp_ack.isra.0\nffffffff81000304 tcp_same\n"
				"ffffffff81000384 tcp_alias\nffffffffc0000004 tcp_extra [mod_a]\n";
static const char BLACKLIST[] = "0xffffffff810003c0-0xffffffff81000400\ttcp_hidden\n"
				"0xffffffff81000110-0xffffffff81000118\tvfs_read\n";

static char syms[64], mods[64], list[64], black[64];
static struct cul_kernel *k;
static struct btf_build b;
static struct cul_sites s;
static struct cul_error err;

static void put(char *path, const char *text)
{
	FILE *f;
	int fd;

	strcpy(path, "/tmp/culprit-test-sites-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	f = fdopen(fd, "w");
	fputs(text, f);
	fclose(f);
}

static void give_btf(void)
{
	struct kernel_part *p = cul_kernel_part(k, "vmlinux");
	uint32_t id;
	size_t size;

	build_start(&b, 1, 0);
	build_int(&b, "int", 4, BTF_INT_SIGNED);
	id = build_type(&b, BTF_KIND_FUNC_PROTO, "", 1, 0, 1);
	build_pair(&b, "n", 1);
	build_type(&b, BTF_KIND_FUNC, "vfs_read", 1, 0, id);
	build_type(&b, BTF_KIND_FUNC, "tcp_ack", 1, 0, id);
	build_type(&b, BTF_KIND_FUNC, "tcp_same", 1, 0, id);
	build_type(&b, BTF_KIND_FUNC, "tcp_alias", 1, 0, id);
	build_type(&b, BTF_KIND_FUNC, "tcp_send", 1, 0, id);
	build_type(&b, BTF_KIND_FUNC, "gone", 1, 0, id);
	size = build_end(&b);
	assert_int_equal(cul_btf_parse(b.file, size, NULL, &p->btf, NULL), 0);
	p->btf_tried = true;
	p->file_tried = true;
	p = cul_kernel_part(k, "mod_a");
	p->btf_tried = p->file_tried = true;
}

static void start(const char *traceable, const char *blacklist)
{
	put(syms, SYMBOLS);
	put(mods, MODULES);
	put(list, traceable);
	put(black, blacklist);
	if (cul_kernel_open_from(syms, mods, NULL, &k, &err))
		fail_msg("%s", err.text);
	k->ftrace_path = list;
	k->blacklist_path = black;
	give_btf();
}

static int setup(void **state)
{
	start(NAMES, BLACKLIST);
	return 0;
}

static int reset(void **state)
{
	cul_alloc_fail_after(-1);
	cul_sys_fail_none();
	cul_sites_free(&s);
	cul_kernel_free(k);
	k = NULL;
	unlink(syms);
	unlink(mods);
	unlink(list);
	unlink(black);
	return 0;
}

static void add(const char *spec)
{
	if (cul_sites_kernel(k, spec, &s, &err))
		fail_msg("%s: %s", spec, err.text);
}

static void fails(const char *spec, int code, const char *text)
{
	size_t n = s.sites.len;

	assert_int_equal(cul_sites_kernel(k, spec, &s, &err), code);
	assert_string_equal(err.text, text);
	assert_int_equal(s.sites.len, n);
}

/* "name symbol+off kind module", a letter for the kind; '!' when ftrace is not to be tried. */
static void are(const char *wanted)
{
	static const char kinds[] = "FCIi";
	cul_autostr struct cul_str text = {0};

	for (size_t i = 0; i < s.sites.len; i++) {
		const struct cul_site *site = &s.sites.data[i];

		cul_str_addf(&text, "%s %s+%" PRIu64 " %" PRIx64 " %c%s %s\n", site->name,
			site->symbol, site->offset, site->addr & 0xffffffff, kinds[site->kind],
			site->traceable ? "" : "!", site->module);
	}
	assert_string_equal(cul_str_text(&text), wanted);
}

static void refused(const char *wanted)
{
	cul_autostr struct cul_str text = {0};

	for (size_t i = 0; i < s.refused.len; i++)
		cul_str_addf(&text, "%s %s: %s\n", s.refused.data[i].symbol,
			s.refused.data[i].module, s.refused.data[i].why);
	assert_string_equal(cul_str_text(&text), wanted);
}

static void a_function(void **state)
{
	add("vfs_read");
	add("vfs_read");
	add("0xffffffff81000100");
	are("vfs_read vfs_read+0 81000100 F vmlinux\n");
	assert_int_equal(s.sites.data[0].btf_id, 3);
	assert_int_equal(s.sites.data[0].type->kind, CUL_KIND_FUNC);
}

static void clones_of_a_name(void **state)
{
	add("tcp_ack");
	are("tcp_ack tcp_ack.isra.0+0 81000200 C vmlinux\n"
	    "tcp_ack tcp_ack.part.1+0 810002c0 C vmlinux\n");
	assert_non_null(s.sites.data[0].type);
	assert_int_equal(s.sites.data[0].btf_id, 0);
}

static void a_clone_by_its_whole_name(void **state)
{
	add("tcp_ack.isra.0");
	add("lone");
	are("lone lone.llvm.123456+0 81000480 F vmlinux\n"
	    "tcp_ack tcp_ack.isra.0+0 81000200 C vmlinux\n");
}

static void statics_of_one_name_are_all_taken(void **state)
{
	add("tcp_same");
	are("tcp_same tcp_same+0 81000300 F vmlinux\n"
	    "tcp_same tcp_same+0 81000340 F vmlinux\n");
	assert_non_null(s.sites.data[0].type);
	assert_int_equal(s.sites.data[0].btf_id, 0); /* the kernel would take the first for both */
}

static void names_of_one_address_are_one_site(void **state)
{
	add("__tcp_alias");
	are("__tcp_alias __tcp_alias+0 81000380 F vmlinux\n");
	add("tcp_alias");
	are("__tcp_alias __tcp_alias+0 81000380 F vmlinux\n");
}

static void a_module_s_function(void **state)
{
	add("mod-a:tcp_send");
	are("tcp_send tcp_send+0 c0000100 F mod_a\n");
	add("tcp_send");
	are("tcp_send tcp_send+0 81000190 F vmlinux\ntcp_send tcp_send+0 c0000100 F mod_a\n");
	assert_int_equal(s.sites.data[0].btf_id, 0);
	assert_non_null(s.sites.data[0].type);
	assert_null(s.sites.data[1].type);
}

static const char REFUSED[] =
	"tcp_hidden vmlinux: on the kprobes' blacklist\n"
	"tcp_notrace vmlinux: notrace: ftrace does not know it\n"
	"tcp_setup vmlinux: code of the start-up, which is freed once the kernel runs\n";

static void a_pattern(void **state)
{
	add("tcp_*");
	are("tcp_ack tcp_ack.isra.0+0 81000200 C vmlinux\n"
	    "tcp_ack tcp_ack.part.1+0 810002c0 C vmlinux\n"
	    "tcp_alias tcp_alias+0 81000380 F vmlinux\n"
	    "tcp_extra tcp_extra+0 c0000000 F mod_a\n"
	    "tcp_same tcp_same+0 81000300 F! vmlinux\n"
	    "tcp_same tcp_same+0 81000340 F! vmlinux\n"
	    "tcp_send tcp_send+0 81000190 F vmlinux\n"
	    "tcp_send tcp_send+0 c0000100 F mod_a\n");
	refused(REFUSED);
}

static void a_pattern_by_addresses(void **state)
{
	reset(NULL);
	start(ADDRESSES, "");
	add("tcp_*");
	are("tcp_ack tcp_ack.isra.0+0 81000200 C vmlinux\n"
	    "tcp_alias tcp_alias+0 81000380 F vmlinux\n"
	    "tcp_extra tcp_extra+0 c0000000 F mod_a\n"
	    "tcp_same tcp_same+0 81000300 F vmlinux\n"
	    "tcp_send tcp_send+0 81000190 F vmlinux\n");
	assert_int_equal(s.refused.len, 6);
	cul_sites_free(&s);
	add("mod_a:*");
	are("tcp_extra tcp_extra+0 c0000000 F mod_a\n");
}

/* ftrace may list another name of the same address. */
static void a_pattern_that_names_an_alias(void **state)
{
	add("__tcp_*");
	are("__tcp_alias __tcp_alias+0 81000380 F vmlinux\n");
	assert_non_null(s.sites.data[0].type); /* BTF knows the other name */
	assert_int_equal(s.sites.data[0].btf_id, 0);
}

static void without_lists(void **state)
{
	reset(NULL);
	start("", "");
	add("tcp_[hn]*");
	are("tcp_hidden tcp_hidden+0 810003c0 F vmlinux\n"
	    "tcp_notrace tcp_notrace+0 81000400 F vmlinux\n");
	assert_int_equal(s.refused.len, 0);
}

static void inside_a_function(void **state)
{
	add("vfs_read+0x20");
	add("vfs_read+8");
	add("0xffffffff81000105");
	add("only_clone+4");
	add("mod_a:tcp_send+0x10");
	are("only_clone only_clone.constprop.0+4 81000444 i! vmlinux\n"
	    "tcp_send tcp_send+16 c0000110 i! mod_a\n"
	    "vfs_read vfs_read+5 81000105 i! vmlinux\n"
	    "vfs_read vfs_read+8 81000108 i! vmlinux\n"
	    "vfs_read vfs_read+32 81000120 i! vmlinux\n");
	fails("vfs_read+0x10", -EADDRNOTAVAIL,
		"vfs_read [vmlinux] cannot be probed: on the kprobes' blacklist");
	fails("vfs_read+0x200", -ERANGE, "'vfs_read+0x200': vfs_read is not that long");
	fails("tcp_same+4", -ENOTUNIQ,
		"'tcp_same+4': 2 functions are meant: tcp_same [vmlinux] at 0xffffffff81000300, "
		"tcp_same [vmlinux] at 0xffffffff81000340; write the symbol's whole name, "
		"MODULE:FUNC+OFFSET, or the address");
}

static void what_is_refused(void **state)
{
	fails("tcp_hidden", -EADDRNOTAVAIL,
		"tcp_hidden [vmlinux] cannot be probed: on the kprobes' blacklist");
	fails("tcp_setup", -EADDRNOTAVAIL,
		"tcp_setup [vmlinux] cannot be probed: code of the start-up, which is freed once "
		"the kernel runs");
	fails("bpf_prog_*", -EADDRNOTAVAIL,
		"bpf_prog_1234_tcp_x [bpf] cannot be probed: code that was made at run time (BPF "
		"programs, trampolines)");
	fails("tcp_[hn]*", -EADDRNOTAVAIL,
		"'tcp_[hn]*': none of 2 functions can be probed; the first is tcp_hidden "
		"[vmlinux]: on the kprobes' blacklist");
}

static void what_is_not_there(void **state)
{
	fails("vfs_raed", -ENOENT, "the kernel has no function 'vfs_raed'; nearest: vfs_read");
	fails("mod_a:tcp_xtra", -ENOENT, "mod_a has no function 'tcp_xtra'; nearest: tcp_extra");
	fails("mod_b:x", -ENXIO, "module 'mod_b' is not loaded; nearest: mod_a");
	fails("mod_b:*", -ENXIO, "module 'mod_b' is not loaded; nearest: mod_a");
	fails("udp_*", -ENOENT, "no function of the kernel matches 'udp_*'");
	fails("tcp_data", -ENOENT,
		"'tcp_data' is data, no function; who uses it is what `culprit watch tcp_data` "
		"tells");
	fails("gone", -ENOENT,
		"'gone' has no code of its own: the compiler has inlined it everywhere; the DWARF "
		"of vmlinux tells where: --debug FILE");
	fails("0x1000", -ENOENT, "'0x1000': no function of the kernel is there");
	fails("0xffffffff82000000", -ENOENT,
		"'0xffffffff82000000': no function of the kernel is there");
	fails("0xzz", -EINVAL, "'0xzz' is no address: hexadecimal digits are wanted");
	fails("tcp_*+4", -EINVAL,
		"'tcp_*+4' names no function: an offset goes with one function, not with a "
		"pattern");
	fails(":x", -EINVAL,
		"':x' names no function: FUNC, MODULE:FUNC, FUNC+OFFSET, 0xADDRESS or a pattern "
		"such as tcp_*");
}

static void btf_of_a_module(void **state)
{
	assert_int_equal(cul_sites_btf_fd("vmlinux", &err), 0);
	cul_sys_fail(CUL_SYS_BPF, 0, ENOENT);
	assert_int_equal(cul_sites_btf_fd("mod_a", &err), -ENOENT);
	assert_string_equal(err.text, "the kernel has no BTF of module 'mod_a'");
	cul_sys_fail(CUL_SYS_BPF, 0, EPERM);
	assert_int_equal(cul_sites_btf_fd("mod_a", &err), -EPERM);
	assert_string_equal(err.text,
		"the BTF of module 'mod_a' cannot be had from the kernel: Operation not permitted; "
		"that needs CAP_SYS_ADMIN (listing BTF objects)");
}

static void too_many(void **state)
{
	FILE *f;

	reset(NULL);
	start(NAMES, BLACKLIST);
	cul_kernel_free(k);
	f = fopen(syms, "w");
	assert_non_null(f);
	for (unsigned i = 0; i <= CUL_SITES_MOST; i++)
		fprintf(f, "%016llx t f%u\n", 0xffffffff81000000ull + i * 16, i);
	fclose(f);
	assert_int_equal(cul_kernel_open_from(syms, mods, NULL, &k, &err), 0);
	k->ftrace_path = k->blacklist_path = "/nonexistent";
	fails("*", -E2BIG,
		"'*' stands for 20001 functions, and 20000 can be probed in one run; write a "
		"narrower pattern, or MODULE:PATTERN");
	add("f1999?");
	assert_int_equal(s.sites.len, 10);
}

/* A program's functions and debug information as if they were the kernel's. */
static void by_debug_information(void **state)
{
	const struct cul_objfile_load load = {.bias = 0xffffffff81000000};
	struct cul_elf_symbol sym;
	struct cul_objfile *o = NULL;
	struct kernel_part *p;
	size_t cursor = 0;
	FILE *f;

	assert_int_equal(cul_objfile_open(FIXTURES "/calls-gccO2", "vmlinux", &load, &o, &err), 0);
	cul_kernel_free(k);
	f = fopen(syms, "w");
	assert_non_null(f);
	while (cul_objfile_next_symbol(o, &cursor, &sym))
		if (sym.is_function)
			fprintf(f, "%016" PRIx64 " t %s\n", sym.addr, sym.name);
	fclose(f);
	assert_int_equal(cul_kernel_open_from(syms, mods, NULL, &k, &err), 0);
	k->ftrace_path = k->blacklist_path = "/nonexistent";
	p = cul_kernel_part(k, "vmlinux");
	p->file = o;
	p->file_tried = p->btf_tried = true;

	add("take_both");
	assert_int_equal(s.sites.len, 1);
	assert_int_equal(cul_type_fill(s.sites.data[0].type, NULL), 0);
	assert_int_equal(s.sites.data[0].type->n_members, 3);
	cul_sites_free(&s);
	add("inlined_twice");
	assert_int_equal(s.sites.len, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(s.sites.data[i].kind, CUL_SITE_INLINED);
		assert_string_equal(s.sites.data[i].name, "inlined_twice");
		assert_non_null(strstr(
			i ? "second_caller" : "first_caller other_name", s.sites.data[i].symbol));
		assert_int_equal(cul_type_fill(s.sites.data[i].type, NULL), 0);
		assert_int_equal(s.sites.data[i].type->n_members, 1);
		/* Its caller's first parameter, as it came: DWARF's number of %rdi is 5. */
		assert_int_equal(s.sites.data[i].copy->n, 1);
		assert_int_equal(s.sites.data[i].copy->places[0].where, CUL_DWARF_SUM);
		assert_true(s.sites.data[i].copy->places[0].has_reg);
		assert_int_equal(s.sites.data[i].copy->places[0].reg, 5);
		assert_int_equal(s.sites.data[i].copy->places[0].number, 0);
	}
}

static void memory_runs_out(void **state)
{
	int r = -ENOMEM;

	for (long n = 0; r == -ENOMEM; n++) {
		assert_true(n < 10000);
		cul_alloc_fail_after(n);
		r = cul_sites_kernel(k, "tcp_*", &s, &err);
		cul_alloc_fail_after(-1);
		if (r)
			assert_int_equal(s.sites.len, 0);
	}
	assert_int_equal(r, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_function),
		TEST(clones_of_a_name),
		TEST(a_clone_by_its_whole_name),
		TEST(statics_of_one_name_are_all_taken),
		TEST(names_of_one_address_are_one_site),
		TEST(a_module_s_function),
		TEST(a_pattern),
		TEST(a_pattern_by_addresses),
		TEST(a_pattern_that_names_an_alias),
		TEST(without_lists),
		TEST(inside_a_function),
		TEST(what_is_refused),
		TEST(what_is_not_there),
		TEST(btf_of_a_module),
		TEST(too_many),
		TEST(by_debug_information),
		TEST(memory_runs_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
