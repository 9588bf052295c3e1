/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake.h"

#include "base/nearest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGES = 4096 };
static const size_t reserved = 1ull << 40;

/* One node for each type of fake.h; fake_types() fills them in. */
static struct cul_type t_account, t_unnamed_union, t_unnamed_struct, t_list, t_packed, t_color;
static struct cul_type t_half, t_name, t_arr, t_row, t_grid, t_fn, t_text, t_table, t_comm;
static struct cul_type p_account, p_list, p_char, p_void, p_fn;
static struct cul_member m_account[32], m_union[3], m_struct[2], m_list[2], m_packed[3], m_fn[1];
static struct cul_type t_odd, t_pair, t_end, t_shade, t_mask, t_flex, t_bytes, pp_account;
static struct cul_member m_pair[5];
static struct cul_member m_odd[6];
static struct cul_enumerator e_color[3] = {{"BLUE", BLUE}, {"RED", RED}, {"GREEN", GREEN}};
static struct cul_enumerator e_shade[2] = {{"DIM", DIM}, {"DAZZLING", DAZZLING}};
static struct cul_enumerator e_mask[2] = {{"LOW", LOW}, {"HIGH", HIGH}};
static const struct cul_type *base_int, *base_char;

static void node(struct cul_type *t, enum cul_kind kind, const char *name, size_t size,
	const struct cul_type *to, size_t count)
{
	*t = (struct cul_type){.kind = kind,
		.name = name,
		.size = size,
		.to = to,
		.count = count,
		.filled_to = true,
		.filled_members = true};
}

#define MEMBER(array, n, s, field, t)                                                              \
	((array)[(n)++] = (struct cul_member){#field, (t), 8 * offsetof(s, field), 0})

/* Where the compiler put a bit field: set all its bits in a zeroed struct and look. */
#define BIT_FIELD(array, n, s, field, t)                                                           \
	do {                                                                                       \
		s probe_;                                                                          \
		int ones_ = -1;                                                                    \
		memset(&probe_, 0, sizeof(probe_));                                                \
		probe_.field = ones_;                                                              \
		(array)[(n)++] = bit_member(#field, (t), &probe_, sizeof(probe_));                 \
	} while (0)

static struct cul_member bit_member(
	const char *name, const struct cul_type *t, const void *bytes, size_t size)
{
	struct cul_member m = {name, t, 0, 0};
	const uint8_t *p = bytes;

	for (size_t bit = 0; bit < size * 8; bit++) {
		if (!(p[bit / 8] >> bit % 8 & 1))
			continue;
		if (!m.bit_size++)
			m.bit_offset = bit;
	}
	return m;
}

static void account_members(struct cul_ctypes *c)
{
	const struct cul_type *u32 = cul_ctypes_find(c, "u32"), *u8 = cul_ctypes_find(c, "u8");
	const struct cul_type *ull = cul_ctypes_find(c, "unsigned long long");
	size_t n = 0, k = 0;

	MEMBER(m_struct, k, struct account, lo, u8);
	MEMBER(m_struct, k, struct account, hi, u8);
	m_struct[0].bit_offset = 0;
	m_struct[1].bit_offset = 8;
	node(&t_unnamed_struct, CUL_KIND_STRUCT, NULL, 2, NULL, 0);
	t_unnamed_struct.members = m_struct;
	t_unnamed_struct.n_members = 2;
	m_union[0] = (struct cul_member){"id", u32, 0, 0};
	m_union[1] = (struct cul_member){"half", &t_half, 0, 0};
	m_union[2] = (struct cul_member){"", &t_unnamed_struct, 0, 0};
	node(&t_unnamed_union, CUL_KIND_UNION, NULL, 4, NULL, 0);
	t_unnamed_union.members = m_union;
	t_unnamed_union.n_members = 3;

	MEMBER(m_account, n, struct account, refs, base_int);
	MEMBER(m_account, n, struct account, flags, cul_ctypes_find(c, "unsigned int"));
	m_account[n++] =
		(struct cul_member){"", &t_unnamed_union, 8 * offsetof(struct account, id), 0};
	BIT_FIELD(m_account, n, struct account, a, u32);
	BIT_FIELD(m_account, n, struct account, b, base_int);
	BIT_FIELD(m_account, n, struct account, c, u32);
	BIT_FIELD(m_account, n, struct account, wide, ull);
	MEMBER(m_account, n, struct account, name, &t_name);
	MEMBER(m_account, n, struct account, next, &p_account);
	MEMBER(m_account, n, struct account, big, cul_ctypes_find(c, "u64"));
	MEMBER(m_account, n, struct account, sbig, cul_ctypes_find(c, "s64"));
	MEMBER(m_account, n, struct account, arr, &t_arr);
	MEMBER(m_account, n, struct account, grid, &t_grid);
	MEMBER(m_account, n, struct account, on, cul_ctypes_find(c, "bool"));
	MEMBER(m_account, n, struct account, col, &t_color);
	MEMBER(m_account, n, struct account, str, &p_char);
	MEMBER(m_account, n, struct account, ptr, &p_void);
	MEMBER(m_account, n, struct account, f, cul_ctypes_find(c, "float"));
	MEMBER(m_account, n, struct account, s8, cul_ctypes_find(c, "s8"));
	MEMBER(m_account, n, struct account, u8, u8);
	MEMBER(m_account, n, struct account, u16, cul_ctypes_find(c, "u16"));
	MEMBER(m_account, n, struct account, fn, &p_fn);
	MEMBER(m_account, n, struct account, links, &t_list);
	MEMBER(m_account, n, struct account, shade, &t_shade);
	MEMBER(m_account, n, struct account, mask, &t_mask);
	BIT_FIELD(m_account, n, struct account, bit, cul_ctypes_find(c, "bool"));
	BIT_FIELD(m_account, n, struct account, few, &t_color);
	BIT_FIELD(m_account, n, struct account, swide, cul_ctypes_find(c, "long long"));
	MEMBER(m_account, n, struct account, flex, &t_flex);
	MEMBER(m_account, n, struct account, bytes, &t_bytes);
	MEMBER(m_account, n, struct account, pp, &pp_account);
	node(&t_account, CUL_KIND_STRUCT, "account", sizeof(struct account), NULL, 0);
	t_account.members = m_account;
	t_account.n_members = n;
}

/* struct odd: what no compiler lays out, as from damaged type information. */
static void odd_members(struct cul_ctypes *c)
{
	const struct cul_type *u64 = cul_ctypes_find(c, "u64");

	m_odd[0] = (struct cul_member){"nine_bytes", u64, 4, 64};
	m_odd[1] = (struct cul_member){"too_wide", base_int, 0, 33};
	m_odd[2] = (struct cul_member){"half_byte", base_int, 4, 0};
	m_odd[3] = (struct cul_member){"no_type", NULL, 0, 0};
	m_odd[4] = (struct cul_member){"far", u64, UINT64_MAX - 3, 2};
	m_odd[5] = (struct cul_member){"no_int", &t_list, 0, 3};
	node(&t_odd, CUL_KIND_STRUCT, "odd", 16, NULL, 0);
	t_odd.members = m_odd;
	t_odd.n_members = 6;
}

static void pair_members(struct cul_ctypes *c)
{
	size_t n = 0;

	node(&t_end, CUL_KIND_ARRAY, NULL, 1, base_char, 1);
	MEMBER(m_pair, n, struct pair, tag, cul_ctypes_find(c, "u8"));
	MEMBER(m_pair, n, struct pair, odd, base_int);
	BIT_FIELD(m_pair, n, struct pair, x, cul_ctypes_find(c, "u32"));
	BIT_FIELD(m_pair, n, struct pair, y, base_int);
	MEMBER(m_pair, n, struct pair, end, &t_end);
	node(&t_pair, CUL_KIND_STRUCT, "pair", sizeof(struct pair), NULL, 0);
	t_pair.members = m_pair;
	t_pair.n_members = n;
}

static void fake_types(struct cul_ctypes *c)
{
	const struct cul_type *s16 = cul_ctypes_find(c, "s16");
	size_t n = 0, k = 0;

	base_int = cul_ctypes_find(c, "int");
	base_char = cul_ctypes_find(c, "char");
	node(&t_half, CUL_KIND_ARRAY, NULL, 4, cul_ctypes_find(c, "u16"), 2);
	node(&t_name, CUL_KIND_ARRAY, NULL, 16, base_char, 16);
	node(&t_comm, CUL_KIND_ARRAY, NULL, 16, base_char, 16);
	node(&t_text, CUL_KIND_ARRAY, NULL, 64, base_char, 64);
	node(&t_arr, CUL_KIND_ARRAY, NULL, 8, s16, 4);
	node(&t_row, CUL_KIND_ARRAY, NULL, 12, base_int, 3);
	node(&t_grid, CUL_KIND_ARRAY, NULL, 24, &t_row, 2);
	node(&t_table, CUL_KIND_ARRAY, NULL, 32, base_int, 8);
	node(&p_account, CUL_KIND_PTR, NULL, 8, &t_account, 0);
	node(&p_list, CUL_KIND_PTR, NULL, 8, &t_list, 0);
	node(&p_char, CUL_KIND_PTR, NULL, 8, base_char, 0);
	node(&p_void, CUL_KIND_PTR, NULL, 8, cul_ctypes_find(c, "void"), 0);
	node(&p_fn, CUL_KIND_PTR, NULL, 8, &t_fn, 0);
	node(&t_fn, CUL_KIND_FUNC, NULL, 0, base_int, 0);
	m_fn[0] = (struct cul_member){"", base_int, 0, 0};
	t_fn.members = m_fn;
	t_fn.n_members = 1;
	node(&t_color, CUL_KIND_ENUM, "color", sizeof(enum color), NULL, 0);
	t_color.is_signed = true;
	t_color.enumerators = e_color;
	t_color.n_members = 3;
	node(&t_shade, CUL_KIND_ENUM, "shade", sizeof(enum shade), NULL, 0);
	t_shade.enumerators = e_shade;
	t_shade.n_members = 2;
	node(&t_mask, CUL_KIND_ENUM, "mask", sizeof(enum mask), NULL, 0);
	t_mask.enumerators = e_mask;
	t_mask.n_members = 2;
	node(&t_flex, CUL_KIND_ARRAY, NULL, 0, base_char, 0);
	node(&t_bytes, CUL_KIND_ARRAY, NULL, 8, cul_ctypes_find(c, "unsigned char"), 8);
	node(&pp_account, CUL_KIND_PTR, NULL, 8, &p_account, 0);
	MEMBER(m_list, n, struct list, next, &p_list);
	MEMBER(m_list, n, struct list, prev, &p_list);
	node(&t_list, CUL_KIND_STRUCT, "list", sizeof(struct list), NULL, 0);
	t_list.members = m_list;
	t_list.n_members = n;
	MEMBER(m_packed, k, struct packed, head, cul_ctypes_find(c, "u8"));
	BIT_FIELD(m_packed, k, struct packed, x, cul_ctypes_find(c, "u32"));
	BIT_FIELD(m_packed, k, struct packed, y, cul_ctypes_find(c, "u32"));
	node(&t_packed, CUL_KIND_STRUCT, "packed", sizeof(struct packed), NULL, 0);
	t_packed.members = m_packed;
	t_packed.n_members = k;
	account_members(c);
	odd_members(c);
	pair_members(c);
}

static int find_object(struct fake *f, const char *name, struct cul_name *out)
{
	const struct {
		const char *name;
		const struct cul_type *type;
		const void *at;
	} objects[] = {
		{"acct", &t_account, &f->image->acct},
		{"other", &t_account, &f->image->other},
		{"p", &p_account, &f->image->p},
		{"tight", &t_packed, &f->image->tight},
		{"counter", base_int, &f->image->counter},
		{"victim:counter", base_int, &f->image->counter},
		{"main.c:counter", base_int, &f->image->counter},
		{"odd-file.c:counter", base_int, &f->image->counter},
		{"victim:refs.c:counter", base_int, &f->image->counter},
		{"bank::total", base_int, &f->image->counter},
		{"list<int>::f(int (*)(char)) const::n", base_int, &f->image->counter},
		{"lib.so:(anonymous namespace)::x", base_int, &f->image->counter},
		{"__key.42", base_int, &f->image->counter},
		{"table", &t_table, f->image->table},
		{"text", &t_text, f->image->text},
		{"pid_max", NULL, &f->image->pid_max},
	};

	for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
		if (strcmp(name, objects[i].name))
			continue;
		out->kind = CUL_NAME_OBJECT;
		out->type = objects[i].type;
		out->addr = (uintptr_t)fake_at(f, objects[i].at);
		return 0;
	}
	return -ENOENT;
}

static int find_input(struct fake *f, const char *name, struct cul_name *out)
{
	static const struct {
		const char *name, *base;
		const struct cul_type *type;
	} inputs[N_INPUTS] = {
		{"i", "int", NULL},
		{"u", "unsigned int", NULL},
		{"l", "long", NULL},
		{"ul", "unsigned long", NULL},
		{"c8", "signed char", NULL},
		{"uc", "unsigned char", NULL},
		{"us", "unsigned short", NULL},
		{"flag", "bool", NULL},
		{"q", NULL, &p_account},
		{"comm", NULL, &t_comm},
		{"filename", NULL, &p_char},
		{"w", "unsigned int", NULL},
		{"n", "long", NULL},
		{"pair", NULL, &t_pair},
		{"sh", NULL, &t_shade},
		{"em", NULL, &t_mask},
	};

	/* The same number, said to be a return address. */
	if (!strcmp(name, "caller")) {
		out->is_code_address = true;
		name = "ul";
	}

	for (unsigned i = 0; i < N_INPUTS; i++) {
		if (strcmp(name, inputs[i].name))
			continue;
		out->kind = CUL_NAME_INPUT;
		out->input = i;
		out->type = inputs[i].type ? inputs[i].type
					   : cul_ctypes_find(f->ctypes, inputs[i].base);
		return 0;
	}
	return -ENOENT;
}

static int find_constant(const struct cul_type *t, const char *name, struct cul_name *out)
{
	for (size_t i = 0; i < t->n_members; i++) {
		if (strcmp(name, t->enumerators[i].name))
			continue;
		out->kind = CUL_NAME_CONSTANT;
		out->type = t;
		out->value = t->enumerators[i].value;
		return 0;
	}
	return -ENOENT;
}

static int fake_name(void *data, const char *name, struct cul_name *out, struct cul_error *err)
{
	struct fake *f = data;

	if (!find_object(f, name, out) || !find_input(f, name, out))
		return 0;
	if (!find_constant(&t_color, name, out) || !find_constant(&t_shade, name, out) ||
		!find_constant(&t_mask, name, out))
		return 0;
	if (!strcmp(name, "do_fork") || !strcmp(name, "typed_fn") || !strcmp(name, "sym.isra.0")) {
		out->kind = CUL_NAME_FUNCTION;
		out->addr = 0xffffffff81000000;
		out->type = *name == 't' ? &t_fn : NULL;
		out->size = *name == 's' ? 0 : 0x100;
		return 0;
	}
	if (!strcmp(name, "per_cpu_account")) {
		out->kind = CUL_NAME_PERCPU;
		out->type = &t_account;
		out->addr = (uintptr_t)fake_at(f, &f->image->acct) - f->percpu_offset;
		return 0;
	}
	return cul_fail(err, -ENOENT, "unknown name '%.100s'; nearest: %s", name, "counter");
}

static void fake_nearest_type(void *data, enum cul_tag tag, struct cul_nearest *near)
{
	static const char *const structs[] = {"account", "list", "odd"};

	for (size_t i = 0; tag == CUL_TAG_STRUCT && i < 3; i++)
		cul_nearest_offer(near, structs[i]);
	if (tag == CUL_TAG_NONE)
		cul_nearest_offer(near, "account_t");
}

static const struct cul_type *fake_type(void *data, enum cul_tag tag, const char *name)
{
	if (tag == CUL_TAG_STRUCT && !strcmp(name, "account"))
		return &t_account;
	if (tag == CUL_TAG_STRUCT && !strcmp(name, "list"))
		return &t_list;
	if (tag == CUL_TAG_STRUCT && !strcmp(name, "odd"))
		return &t_odd;
	if (tag == CUL_TAG_ENUM && !strcmp(name, "color"))
		return &t_color;
	if (tag == CUL_TAG_ENUM && !strcmp(name, "shade"))
		return &t_shade;
	if (tag == CUL_TAG_ENUM && !strcmp(name, "mask"))
		return &t_mask;
	if (tag == CUL_TAG_NONE && !strcmp(name, "account_t"))
		return &t_account;
	if (tag == CUL_TAG_NONE && !strcmp(name, "counter")) /* an object has this name too */
		return base_int;
	return NULL;
}

static int fake_read(struct cul_mem *mem, uint64_t addr, void *buf, size_t size)
{
	struct fake *f = (struct fake *)mem;
	uint64_t start = (uintptr_t)fake_at(f, f->pages), offset = addr - start;

	if (addr < start || offset > f->size || size > f->size - offset)
		return -EFAULT;
	memcpy(buf, f->pages + offset, size);
	return 0;
}

static const struct cul_mem_ops fake_ops = {.read = fake_read};

int fake_new(struct fake *f)
{
	int r;

	memset(f, 0, sizeof(*f));
	f->reserved =
		mmap(NULL, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (f->reserved == MAP_FAILED)
		return -errno;
	f->size = PAGES;
	f->pages = (uint8_t *)f->reserved + reserved / 2;
	if (mprotect(f->pages, f->size, PROT_READ | PROT_WRITE))
		return -errno;
	r = cul_ctypes_new(8, &f->ctypes);
	if (r)
		return r;
	f->mem.ops = &fake_ops;
	f->image = (struct image *)f->pages;
	f->percpu_offset = 0x7000;
	f->env = (struct cul_expr_env){.name = fake_name,
		.type = fake_type,
		.nearest_type = fake_nearest_type,
		.ctypes = f->ctypes,
		.data = f};
	fake_types(f->ctypes);
	fake_reset(f);
	return 0;
}

void fake_free(struct fake *f)
{
	cul_ctypes_free(f->ctypes);
	if (f->reserved && f->reserved != MAP_FAILED)
		munmap(f->reserved, reserved);
	memset(f, 0, sizeof(*f));
}

void *fake_at(const struct fake *f, const void *here)
{
	return (void *)((uintptr_t)here + f->bias);
}

uint64_t fake_tail(const struct fake *f)
{
	return (uintptr_t)fake_at(f, f->pages) + f->size - strlen(FAKE_TAIL);
}

void fake_reset(struct fake *f)
{
	struct image *m = f->image;

	memset(f->pages, 0, f->size);
	m->acct = (struct account){.refs = -3,
		.flags = 0x80000001,
		.id = 0x12345678,
		.a = 5,
		.b = -7,
		.c = 0xabcde,
		.wide = 0x8123456789,
		.name = "savings",
		.next = fake_at(f, &m->other),
		.big = 0x8000000000000005,
		.sbig = INT64_MIN,
		.arr = {-1, 2, -300, 32767},
		.grid = {{1, 2, 3}, {4, 5, -6}},
		.on = true,
		.col = GREEN,
		.str = fake_at(f, m->text),
		.ptr = fake_at(f, &m->counter),
		.f = 1.5f,
		.s8 = -128,
		.u8 = 200,
		.u16 = 65535,
		.links = {fake_at(f, &m->other.links), fake_at(f, &m->other.links)},
		.shade = DAZZLING,
		.mask = HIGH,
		.bit = true,
		.few = BLUE,
		.swide = -7,
		.bytes = "bytes",
		.pp = fake_at(f, &m->p)};
	m->other = (struct account){.refs = 7, .name = "sixteen letters!", .col = BLUE};
	m->p = fake_at(f, &m->acct);
	m->tight = (struct packed){.head = 0xff, .x = 0x2a, .y = 0x311};
	m->counter = 42;
	for (int i = 0; i < 8; i++)
		m->table[i] = i * i - 20;
	strcpy(m->text, "/etc/passwd");
	m->pid_max = 32768;
	memcpy(f->pages + f->size - strlen(FAKE_TAIL), FAKE_TAIL, strlen(FAKE_TAIL));
	f->in = (struct inputs){.i = -5,
		.u = 3000000000,
		.l = -1234567890123,
		.ul = UINT64_MAX - 1,
		.c8 = -2,
		.uc = 254,
		.us = 65000,
		.flag = 1,
		.q = fake_at(f, &m->other),
		.comm = "kworker/1:2",
		.filename = fake_at(f, m->text),
		.w = 0xffffffff80000000,
		.n = -9,
		.pair = {.tag = 200, .odd = -70000, .x = 21, .y = -17, .end = "z"},
		.sh = DAZZLING,
		.em = HIGH};
	fake_inputs(f);
}

void fake_inputs(struct fake *f)
{
	const struct inputs *in = &f->in;
	const uint64_t values[N_INPUTS] = {(uint64_t)(int64_t)in->i, in->u, (uint64_t)in->l, in->ul,
		(uint64_t)(int64_t)in->c8, in->uc, in->us, in->flag, (uintptr_t)in->q,
		(uintptr_t)in->comm, (uintptr_t)in->filename, (uint32_t)in->w,
		(uint64_t)(int64_t)in->n, (uintptr_t)&in->pair, in->sh, in->em};

	memcpy(f->values, values, sizeof(values));
	f->run = (struct cul_expr_run){&f->mem, f->values, N_INPUTS, f->percpu_offset};
}

#define INPUT(field)                                                                               \
	{                                                                                          \
		offsetof(struct inputs, field), sizeof(((struct inputs *)0)->field), 0             \
	}

const struct cul_bpf_input fake_layout[N_INPUTS] = {
	INPUT(i),
	INPUT(u),
	INPUT(l),
	INPUT(ul),
	INPUT(c8),
	INPUT(uc),
	INPUT(us),
	INPUT(flag),
	INPUT(q),
	{offsetof(struct inputs, comm), 0, sizeof(((struct inputs *)0)->comm)},
	INPUT(filename),
	INPUT(w),
	INPUT(n),
	{offsetof(struct inputs, pair), 0, sizeof(struct pair)},
	INPUT(sh),
	INPUT(em),
};
