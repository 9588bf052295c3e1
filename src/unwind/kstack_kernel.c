/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the running kernel tells of its own stacks: ORC tables, code, hooks in return addresses. */
#include "unwind/kstack.h"

#include <elf.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arch/unwind.h"
#include "base/alloc.h"
#include "base/cleanup.h"

enum {
	MAX_MODULES = 16384,
	MAX_MODULE_SIZE = 64 << 10, /* of struct module */
	MAX_HOOKS = 4096,           /* functions of one task that will return to a hook */
	RETURN_STACK = 4096,        /* bytes: SHADOW_STACK_SIZE of kernel/trace/fgraph.c */
	NAME = 64,                  /* MODULE_NAME_LEN is 64 minus a word */
	MAX_NODE = 256,             /* of struct rethook_node, kretprobe_instance */
	MAX_CALL = 16,
};

struct named_table {
	char name[NAME];
	struct cul_orc_table table;
};

/* What a kretprobe or the graph tracer has put in the place of a return address. */
struct hooks {
	uint64_t rethook, graph; /* where functions return to instead; 0: there is none */
	struct cul_extent list;  /* in task_struct; then in its elements */
	struct cul_extent node, original, frame;
	struct cul_extent stack, graph_ret, graph_slot;
};

struct cul_kstack {
	struct cul_kernel *k;
	struct cul_mem *mem;
	const struct cul_arch *arch;
	bool has_orc, modules_read;
	struct cul_orc_layout layout;
	CUL_VEC(struct named_table) tables; /* vmlinux first */
	struct hooks hooks;
	const uint8_t *task;
	size_t task_size;
	uint64_t entry_start, entry_end;
	struct cul_kstack_code code;
};

static uint64_t number(const uint8_t *bytes, size_t size, struct cul_extent e)
{
	uint64_t value = 0;

	if (e.size > sizeof(value) || e.at > size || size - e.at < e.size)
		return 0;
	memcpy(&value, bytes + e.at, e.size);
	return le64toh(value);
}

/* The address of a symbol of vmlinux; 0: there is none. */
static uint64_t address(struct cul_kernel *k, const char *name)
{
	struct cul_kernel_symbol s;

	return cul_kernel_symbol(k, "vmlinux", name, &s, NULL) == 0 ? s.sym.addr : 0;
}

static int add_table(
	struct cul_kstack *s, const char *name, uint64_t ips, uint64_t entries, size_t n)
{
	struct cul_orc_table table;
	struct named_table *slot;
	int ret = cul_orc_table_init(&table, ips, entries, n);

	if (ret != 0)
		return ret;
	slot = cul_vec_push(&s->tables);
	if (!slot)
		return -ENOMEM;
	slot->table = table;
	strncpy(slot->name, name, sizeof(slot->name) - 1);
	return 0;
}

static int find_tables(struct cul_kstack *s, struct cul_error *err)
{
	const struct cul_type *entry = cul_kernel_type(s->k, CUL_KIND_STRUCT, "orc_entry");
	uint64_t ips = address(s->k, "__start_orc_unwind_ip");
	uint64_t ips_end = address(s->k, "__stop_orc_unwind_ip");
	uint64_t entries = address(s->k, "__start_orc_unwind");
	uint64_t entries_end = address(s->k, "__stop_orc_unwind");
	uint64_t n;
	int ret;

	if (!entry || !ips || !ips_end || !entries || !entries_end)
		return 0;
	ret = cul_orc_layout(entry, &s->layout, err);
	if (ret != 0)
		return ret;
	n = ips_end > ips ? (ips_end - ips) / 4 : 0;
	if (entries_end < entries || (entries_end - entries) / s->layout.size < n ||
		add_table(s, "vmlinux", ips, entries, n) != 0)
		return cul_fail(
			err, -EBADMSG, "this kernel's ORC tables do not end where its symbols say");
	s->has_orc = true;
	return 0;
}

struct module_places {
	struct cul_extent list, name, n, ips, entries;
	size_t size;
};

static int module_places(struct cul_kernel *k, struct module_places *p)
{
	const struct cul_type *t = cul_kernel_type(k, CUL_KIND_STRUCT, "module");

	if (!t || t->size > MAX_MODULE_SIZE || cul_type_extent(t, "list", &p->list, NULL) ||
		cul_type_extent(t, "name", &p->name, NULL) ||
		cul_type_extent(t, "arch.num_orcs", &p->n, NULL) ||
		cul_type_extent(t, "arch.orc_unwind_ip", &p->ips, NULL) ||
		cul_type_extent(t, "arch.orc_unwind", &p->entries, NULL))
		return -ENOENT;
	p->size = t->size;
	p->list.size = 8; /* its `next` */
	return p->name.at + p->name.size <= p->size ? 0 : -ENOENT;
}

/* Modules without a table, and those behind one that cannot be read, are then without ORC. */
static void read_modules(struct cul_kstack *s)
{
	cul_autofree uint8_t *bytes = NULL;
	uint64_t head = address(s->k, "modules"), next = 0;
	struct module_places p;

	s->modules_read = true;
	if (!head || module_places(s->k, &p) != 0)
		return;
	bytes = cul_calloc(1, p.size);
	if (!bytes || cul_mem_read(s->mem, head, &next, sizeof(next)) != 0)
		return;
	for (unsigned i = 0; i < MAX_MODULES && le64toh(next) != head; i++) {
		char name[NAME] = "";

		if (cul_mem_read(s->mem, le64toh(next) - p.list.at, bytes, p.size) != 0)
			return;
		strncpy(name, (const char *)bytes + p.name.at,
			p.name.size < NAME ? p.name.size : NAME - 1);
		add_table(s, name, number(bytes, p.size, p.ips), number(bytes, p.size, p.entries),
			number(bytes, p.size, p.n));
		memcpy(&next, bytes + p.list.at, sizeof(next));
	}
}

static bool is_text(char kind)
{
	return strchr("tTwW", kind) != NULL;
}

static bool code_is_code(void *data, uint64_t addr)
{
	struct cul_kstack *s = data;
	struct cul_ksym sym;

	return cul_kernel_function(s->k, addr, &sym) == 0 && is_text(sym.kind);
}

static bool code_is_return(void *data, uint64_t ra)
{
	struct cul_kstack *s = data;
	const struct cul_arch_unwind *facts = s->arch->unwind;
	uint8_t bytes[MAX_CALL];
	unsigned size = facts->call_bytes;

	return size <= sizeof(bytes) && code_is_code(s, ra - 1) &&
	       cul_mem_read(s->mem, ra - size, bytes, size) == 0 &&
	       facts->after_call(bytes, size, ra, NULL);
}

static int code_orc(void *data, uint64_t addr, struct cul_orc_entry *out)
{
	struct cul_kstack *s = data;
	struct cul_ksym sym;

	if (cul_kernel_function(s->k, addr, &sym) != 0)
		return -ENOENT;
	if (!s->modules_read && strcmp(sym.module, "vmlinux") != 0)
		read_modules(s);
	for (size_t i = 0; i < s->tables.len; i++)
		if (!strcmp(s->tables.data[i].name, sym.module))
			return cul_orc_find(
				&s->tables.data[i].table, &s->layout, s->mem, addr, out);
	return -ENOENT;
}

static bool code_is_entry(void *data, uint64_t pc)
{
	struct cul_kstack *s = data;

	return pc > s->entry_start && pc <= s->entry_end;
}

/* A list of those that wait for their functions to return, the latest first. */
static uint64_t rethook_original(struct cul_kstack *s, uint64_t pc, uint64_t slot)
{
	const struct hooks *h = &s->hooks;
	uint64_t node = number(s->task, s->task_size, h->list);
	uint8_t bytes[MAX_NODE];

	for (unsigned i = 0; node && i < MAX_HOOKS; i++) {
		size_t size =
			h->frame.at + 8 > h->original.at + 8 ? h->frame.at + 8 : h->original.at + 8;
		uint64_t original;

		if (cul_mem_read(s->mem, node - h->node.at, bytes, size) != 0)
			return pc;
		original = number(bytes, size, h->original);
		if (number(bytes, size, h->frame) == slot && original != h->rethook)
			return original;
		node = number(bytes, size, (struct cul_extent){h->node.at, 8});
	}
	return pc;
}

/*
 * struct task_struct.ret_stack: entries of struct ftrace_ret_stack, since 6.11 with other words
 * between them. What tells one is the place of its return address; the first is the oldest, and
 * what functions that have returned left behind is beyond those that count.
 */
static uint64_t graph_original(struct cul_kstack *s, uint64_t pc, uint64_t slot)
{
	const struct hooks *h = &s->hooks;
	uint64_t addr = number(s->task, s->task_size, h->stack);
	uint8_t bytes[RETURN_STACK];

	if (!addr || cul_mem_read(s->mem, addr, bytes, sizeof(bytes)) != 0)
		return pc;
	for (uint64_t at = 0; at + 8 <= sizeof(bytes); at += 8) {
		uint64_t entry = at - h->graph_slot.at, original;

		if (at < h->graph_slot.at ||
			number(bytes, sizeof(bytes), (struct cul_extent){at, 8}) != slot)
			continue;
		original = number(
			bytes, sizeof(bytes), (struct cul_extent){entry + h->graph_ret.at, 8});
		if (code_is_return(s, original))
			return original;
	}
	return pc;
}

static uint64_t code_original(void *data, uint64_t pc, uint64_t slot)
{
	struct cul_kstack *s = data;

	if (pc == 0)
		return pc;
	if (pc == s->hooks.graph)
		pc = graph_original(s, pc, slot);
	return pc == s->hooks.rethook ? rethook_original(s, pc, slot) : pc;
}

/* include/linux/rethook.h; include/linux/kprobes.h, where kretprobes do without (arm64, 6.12). */
static const struct hook_names {
	const char *list, *node, *original, *frame, *trampoline;
} hook_names[] = {
	{"rethooks", "rethook_node", "ret_addr", "frame", "arch_rethook_trampoline"},
	{"kretprobe_instances", "kretprobe_instance", "ret_addr", "fp", "__kretprobe_trampoline"},
};

static bool find_list(
	struct cul_kstack *s, const struct cul_type *task, const struct hook_names *names)
{
	const struct cul_type *node = cul_kernel_type(s->k, CUL_KIND_STRUCT, names->node);
	struct hooks *h = &s->hooks;

	if (!node || cul_type_extent(task, names->list, &h->list, NULL) ||
		cul_type_extent(node, "llist", &h->node, NULL) ||
		cul_type_extent(node, names->original, &h->original, NULL) ||
		cul_type_extent(node, names->frame, &h->frame, NULL) ||
		h->original.at + 8 > MAX_NODE || h->frame.at + 8 > MAX_NODE)
		return false;
	h->rethook = address(s->k, names->trampoline);
	return h->rethook != 0;
}

static void find_hooks(struct cul_kstack *s, const struct cul_type *task)
{
	const struct cul_type *ret = cul_kernel_type(s->k, CUL_KIND_STRUCT, "ftrace_ret_stack");
	struct hooks *h = &s->hooks;

	for (size_t i = 0; i < sizeof(hook_names) / sizeof(hook_names[0]); i++)
		if (find_list(s, task, &hook_names[i]))
			break;
	if (ret && !cul_type_extent(task, "ret_stack", &h->stack, NULL) &&
		!cul_type_extent(ret, "ret", &h->graph_ret, NULL) &&
		!cul_type_extent(ret, "retp", &h->graph_slot, NULL))
		h->graph = address(s->k, "return_to_handler");
}

static void find_records(struct cul_kstack *s)
{
	const struct cul_type *meta = cul_kernel_type(s->k, CUL_KIND_STRUCT, "frame_record_meta");
	const struct cul_type *regs = cul_kernel_type(s->k, CUL_KIND_STRUCT, "pt_regs");
	struct cul_extent stackframe;

	s->code.records.kernel_bits = cul_records_kernel_bits(address(s->k, "_stext"));
	if (meta && regs && !cul_type_extent(regs, "stackframe", &stackframe, NULL))
		s->code.records.regs_distance = stackframe.at;
	s->entry_start = address(s->k, "__entry_text_start");
	s->entry_end = address(s->k, "__entry_text_end");
	s->code.is_entry = code_is_entry;
}

static int prepare(struct cul_kstack *s, struct cul_error *err)
{
	const struct cul_type *task = cul_kernel_type(s->k, CUL_KIND_STRUCT, "task_struct");

	s->mem = cul_kernel_mem(s->k, err);
	if (!s->mem)
		return err ? err->code : -EPERM;
	if (!task)
		return cul_fail(err, -ENOTSUP,
			"nothing tells the layout of this kernel's struct task_struct: it is built "
			"without BTF (CONFIG_DEBUG_INFO_BTF), and no vmlinux with debug "
			"information "
			"was found; give one with --debug FILE");
	find_hooks(s, task);
	s->code.data = s;
	s->code.is_code = code_is_code;
	s->code.is_return = code_is_return;
	s->code.original = code_original;
	if (s->arch->elf_machine == EM_AARCH64)
		find_records(s);
	else if (find_tables(s, err) != 0)
		return err ? err->code : -EBADMSG;
	if (s->has_orc)
		s->code.orc = code_orc;
	return 0;
}

int cul_kstack_open(struct cul_kernel *k, const struct cul_arch *arch, struct cul_kstack **out,
	struct cul_error *err)
{
	struct cul_kstack *s;
	int ret;

	if (!arch->unwind || (arch->elf_machine != EM_X86_64 && arch->elf_machine != EM_AARCH64))
		return cul_fail(err, -ENOTSUP,
			"how kernels of %s keep their stacks is not known here: x86_64 and aarch64 "
			"are",
			arch->name);
	s = cul_calloc(1, sizeof(*s));
	if (!s)
		return cul_fail(err, -ENOMEM, "out of memory");
	s->k = k;
	s->arch = arch;
	ret = prepare(s, err);
	if (ret != 0) {
		cul_kstack_free(s);
		return ret;
	}
	*out = s;
	return 0;
}

void cul_kstack_free(struct cul_kstack *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->tables.len; i++)
		cul_orc_table_free(&s->tables.data[i].table);
	free(s->tables.data);
	free(s);
}

bool cul_kstack_has_orc(const struct cul_kstack *s)
{
	return s->has_orc;
}

const struct cul_kstack_code *cul_kstack_of_task(
	struct cul_kstack *s, const uint8_t *task, size_t size)
{
	s->task = task;
	s->task_size = size;
	return &s->code;
}
