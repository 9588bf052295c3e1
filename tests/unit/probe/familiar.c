/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Familiar forms and followed pointers: types made by hand, a recipe from them, and the bytes that
 * a program would have brought.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "probe/plan.h"
#include "sym/btf.h"
#include "../sym/btf_build.h"

static struct btf_build b;
static struct cul_btf *btf;
static struct cul_scope *scope;
static struct {
	struct cul_probe_event e;
	uint8_t payload[2 * CUL_PROBE_PAYLOAD];
} call;

enum {
	INT = 1,
	CHAR,
	SHORT,
	BYTE,
	COMM,
	CHARS,
	TASK,
	TASK_P,
	NODE,
	NODE_P,
	V4,
	COMMON,
	SOCK,
	SOCK_P,
	SOCKET,
	SOCKET_P,
	MORE
};

static void start(void)
{
	build_start(&b, 1, 0);
	build_int(&b, "int", 4, BTF_INT_SIGNED);
	build_int(&b, "char", 1, BTF_INT_SIGNED);
	build_int(&b, "unsigned short", 2, 0);
	build_int(&b, "unsigned char", 1, 0);
	build_array(&b, CHAR, 16);
	build_type(&b, BTF_KIND_PTR, "", 0, 0, CHAR);
	build_type(&b, BTF_KIND_STRUCT, "task_struct", 2, 0, 4096);
	build_member(&b, "pid", INT, 1000 * 8);
	build_member(&b, "comm", COMM, 2000 * 8);
	build_type(&b, BTF_KIND_PTR, "", 0, 0, TASK);
	build_type(&b, BTF_KIND_STRUCT, "node", 4, 0, 32);
	build_member(&b, "id", INT, 0);
	build_member(&b, "next", NODE_P, 64);
	build_member(&b, "label", CHARS, 128);
	build_member(&b, "owner", TASK_P, 192);
	build_type(&b, BTF_KIND_PTR, "", 0, 0, NODE);
	build_int(&b, "unsigned int", 4, 0);
	build_type(&b, BTF_KIND_STRUCT, "sock_common", 6, 0, 24);
	build_member(&b, "skc_daddr", V4, 0);
	build_member(&b, "skc_rcv_saddr", V4, 32);
	build_member(&b, "skc_dport", SHORT, 64);
	build_member(&b, "skc_num", SHORT, 80);
	build_member(&b, "skc_family", SHORT, 96);
	build_member(&b, "skc_state", BYTE, 112);
	build_type(&b, BTF_KIND_STRUCT, "sock", 2, 0, 600);
	build_member(&b, "__sk_common", COMMON, 0);
	build_member(&b, "sk_protocol", SHORT, 500 * 8);
	build_type(&b, BTF_KIND_PTR, "", 0, 0, SOCK);
	build_type(&b, BTF_KIND_STRUCT, "socket", 2, 0, 16);
	build_member(&b, "state", INT, 0);
	build_member(&b, "sk", SOCK_P, 64);
	assert_int_equal(build_type(&b, BTF_KIND_PTR, "", 0, 0, SOCKET), SOCKET_P);
}

/* A function with one parameter of that type. */
static struct cul_plan plan_of(uint32_t type, struct cul_plan_want want)
{
	struct cul_error err = {0};
	struct cul_plan p;
	const struct cul_type *func;
	uint32_t id;
	size_t size;

	start();
	id = build_type(&b, BTF_KIND_FUNC_PROTO, "", 1, 0, INT);
	build_pair(&b, "p", type);
	build_type(&b, BTF_KIND_FUNC, "f", 1, 0, id);
	size = build_end(&b);
	want.args = true;
	if (cul_btf_parse(b.file, size, NULL, &btf, &err))
		fail_msg("%s", err.text);
	func = cul_btf_func_type(btf, cul_btf_func_id(btf, "f"));
	if (cul_plan_make(func, &want, &p, &err))
		fail_msg("%s", err.text);
	memset(&call, 0, sizeof(call));
	call.e.in.words[0] = 0x1000;
	call.e.payload = (uint16_t)p.recipe.payload;
	for (unsigned i = 0; i < p.recipe.n_fetches; i++)
		call.e.got[i] = (int16_t)p.recipe.fetch[i].size;
	return p;
}

static void put(const struct cul_plan *p, int fetch, size_t offset, const void *bytes, size_t size)
{
	memcpy(call.payload + p->recipe.fetch[fetch].pos + offset, bytes, size);
}

static void shows(const struct cul_plan *p, const char *expected)
{
	cul_autostr struct cul_str s = {0};
	struct cul_shown shown;
	const char *why = NULL;

	cul_plan_show(p, &p->args[0], &call.e, false, scope, &s, &shown, &why);
	assert_string_equal(shown.text, expected);
	assert_null(why);
}

static void a_task(void **state)
{
	struct cul_plan p = plan_of(TASK_P, (struct cul_plan_want){.depth = 1});
	const struct cul_fetched_piece *comm = &p.args[0].pieces[0], *pid = &p.args[0].pieces[1];
	int number = 812;

	assert_int_equal(p.args[0].form, CUL_FORM_FAMILIAR);
	assert_int_equal(p.recipe.n_fetches, 2);
	assert_int_equal(p.recipe.fetch[comm->fetch].offset, 2000);
	assert_int_equal(p.recipe.fetch[pid->fetch].offset, 1000);
	put(&p, comm->fetch, 0, "kw/0\n", 6);
	put(&p, pid->fetch, 0, &number, 4);
	shows(&p, "kw/0\\x0a (812)");
	call.e.in.words[0] = 0;
	shows(&p, "NULL");
}

/* What could not be read is a pointer, and said so. */
static void a_task_that_is_gone(void **state)
{
	struct cul_plan p = plan_of(TASK_P, (struct cul_plan_want){.depth = 1});
	cul_autostr struct cul_str s = {0};
	struct cul_shown shown;
	const char *why = NULL;

	call.e.got[0] = -14;
	cul_plan_show(&p, &p.args[0], &call.e, false, scope, &s, &shown, &why);
	assert_string_equal(shown.text, "0x1000");
	assert_string_equal(why, "unreadable");
}

static void fill_sock(const struct cul_plan *p)
{
	struct {
		uint32_t daddr, saddr;
		uint16_t dport, num, family;
		uint8_t state;
	} c = {htonl(0x0a000202), htonl(INADDR_LOOPBACK), htons(80), 4711, AF_INET, 1};
	uint16_t protocol = 6;

	put(p, p->args[0].pieces[0].fetch, 0, &c, sizeof(c));
	put(p, p->args[0].pieces[8].fetch, 0, &protocol, 2);
}

static void a_sock(void **state)
{
	struct cul_plan p = plan_of(SOCK_P, (struct cul_plan_want){.depth = 1});

	/* Neighbours are one fetch; what this kernel does not have is left out. */
	assert_int_equal(p.recipe.n_fetches, 2);
	assert_int_equal(p.recipe.fetch[0].size, 15);
	assert_int_equal(p.args[0].pieces[6].fetch, -1);
	fill_sock(&p);
	shows(&p, "tcp 127.0.0.1:4711 -> 10.0.2.2:80 established");
}

static void a_socket_through_its_sock(void **state)
{
	struct cul_plan p = plan_of(SOCKET_P, (struct cul_plan_want){.depth = 1});

	assert_int_equal(p.recipe.n_fetches, 3);
	assert_int_equal(p.recipe.fetch[0].offset, 8);
	assert_int_equal(p.recipe.fetch[1].through, 1);
	assert_int_equal(p.recipe.fetch[2].through, 1);
	assert_int_equal(p.recipe.fetch[2].add, 500);
	fill_sock(&p);
	shows(&p, "tcp 127.0.0.1:4711 -> 10.0.2.2:80 established");
}

static void no_form_in_a_process(void **state)
{
	struct cul_plan p = plan_of(TASK_P, (struct cul_plan_want){.depth = 1, .user = true});

	assert_int_equal(p.args[0].form, CUL_FORM_OBJECT);
}

static void no_form_when_all_is_wanted(void **state)
{
	struct cul_plan p = plan_of(TASK_P, (struct cul_plan_want){.depth = 1, .plain = true});

	assert_int_equal(p.args[0].form, CUL_FORM_OBJECT);
}

static void pointers_are_followed(void **state)
{
	struct cul_plan p = plan_of(NODE_P, (struct cul_plan_want){.depth = 2});
	struct {
		int id, pad;
		uint64_t next, label, owner;
	} node = {11, 0, 0x2000, 0x3000, 0}, next = {12, 0, 0, 0, 0};

	assert_int_equal(p.n_inner, 3);
	assert_int_equal(p.inner[0].inner_through, 1);
	assert_int_equal(p.inner[0].inner_offset, 8);
	put(&p, 0, 0, &node, sizeof(node));
	put(&p, p.inner[0].fetch, 0, &next, sizeof(next));
	put(&p, p.inner[1].fetch, 0, "x", 2);
	call.e.got[p.inner[1].fetch] = 2;
	shows(&p, "{id = 11, next = {id = 12, next = NULL, label = NULL, owner = NULL}, label = "
		  "\"x\", owner = NULL}");
	call.e.got[p.inner[0].fetch] = -14;
	shows(&p, "{id = 11, next = 0x2000, label = \"x\", owner = NULL}");
}

/* It ends, where the room does. */
static void deep_is_bounded(void **state)
{
	struct cul_plan p = plan_of(NODE_P, (struct cul_plan_want){.depth = 8});

	assert_true(p.recipe.n_fetches <= CUL_PROBE_FETCHES);
	assert_true(p.recipe.payload <= CUL_PROBE_PAYLOAD);
	assert_true(p.n_inner > 3);
}

static void addresses(void **state)
{
	static const struct {
		uint16_t family;
		uint8_t rest[26];
		const char *text;
	} all[] = {
		{AF_INET, {0, 80, 10, 0, 2, 15}, "inet 10.0.2.15:80"},
		{AF_INET6, {1, 187, 0, 0, 0, 0, [21] = 1}, "inet6 [::1]:443"},
		{AF_UNIX, "/run/x", "unix \"/run/x\""},
		{AF_UNIX, "\0abc", "unix \"@abc\""},
		{AF_NETLINK, "", "netlink"},
		{4000, "", "family 4000"},
	};
	struct cul_type t = {.kind = CUL_KIND_STRUCT, .name = "sockaddr"};
	const struct cul_familiar *f = cul_familiar_find(&t, true);

	assert_non_null(f);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		cul_autostr struct cul_str s = {0};
		struct cul_familiar_bytes bytes = {
			.bytes = {(const uint8_t *)&all[i]}, .size = {28}};

		assert_true(f->print(&bytes, &s));
		assert_string_equal(cul_str_text(&s), all[i].text);
	}
}

static int reset(void **state)
{
	cul_btf_free(btf);
	btf = NULL;
	return 0;
}

static int setup(void **state)
{
	return cul_scope_process(getpid(), NULL, &scope, NULL);
}

static int teardown(void **state)
{
	cul_scope_free(scope);
	return 0;
}

static void strings_that_know_their_length(void **state)
{
	static const struct {
		const char *text;
		uint64_t there, len;
		const char *wanted;
	} cases[] = {
		{"joe and more", 12, 3, "\"joe\""},
		{"joe", 4, 3, "\"joe\""},
		{"joe", 4, 9, "\"joe\"..."}, /* a NUL in it, or more than was copied */
		{NULL, 0, 0, "\"\""},
		{NULL, 0, 7, NULL},
	};
	const struct cul_type t = {.kind = CUL_KIND_STRUCT, .name = "String"};
	const struct cul_familiar *f = cul_familiar_find(&t, true);

	assert_non_null(f);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct cul_familiar_bytes bytes = {
			.bytes = {(const uint8_t *)cases[i].text, (const uint8_t *)&cases[i].len},
			.size = {cases[i].there, sizeof(cases[i].len)}};
		cul_autostr struct cul_str out = {0};

		assert_int_equal(f->print(&bytes, &out), cases[i].wanted != NULL);
		if (cases[i].wanted)
			assert_string_equal(cul_str_text(&out), cases[i].wanted);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_task, reset),
		cmocka_unit_test_teardown(a_task_that_is_gone, reset),
		cmocka_unit_test_teardown(a_sock, reset),
		cmocka_unit_test_teardown(a_socket_through_its_sock, reset),
		cmocka_unit_test_teardown(no_form_in_a_process, reset),
		cmocka_unit_test_teardown(no_form_when_all_is_wanted, reset),
		cmocka_unit_test_teardown(pointers_are_followed, reset),
		cmocka_unit_test_teardown(deep_is_bounded, reset),
		cmocka_unit_test(addresses),
		cmocka_unit_test(strings_that_know_their_length),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
