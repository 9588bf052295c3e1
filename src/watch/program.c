/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watch/program.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "sym/btf.h"
#include "sys/bpf.h"
#include "sys/process.h"
#include "watch/filter.h"
#include "watch.skel.h"

/* The kernel rounds elements of an array up to 8 bytes. */
_Static_assert(sizeof(struct cul_watch_here) == CUL_WATCH_PAGE, "");
_Static_assert(sizeof(struct cul_watch_writer_entry) % 8 == 0, "");

enum {
	PROCESS_STATES = 4096,
	WRITERS = 8192,           /* a CPU's, at most */
	WRITER_MEMORY = 16 << 20, /* of all CPUs' tables */
};

static size_t heres_size(const struct cul_watch_program *p)
{
	return sizeof(*p->heres) * p->n_possible;
}

static size_t writers_size(const struct cul_watch_program *p)
{
	return sizeof(*p->writers) * p->n_possible * p->writers_per_cpu;
}

void cul_watch_program_free(struct cul_watch_program *p)
{
	if (p->heres)
		munmap(p->heres, heres_size(p));
	if (p->writers)
		munmap(p->writers, writers_size(p));
	for (int i = 0; i < CUL_WATCH_SLOTS; i++)
		if (p->skel && p->filter_fds[i] >= 0)
			close(p->filter_fds[i]);
	cul_rings_free(p->rings);
	watch_bpf__destroy(p->skel);
	memset(p, 0, sizeof(*p));
}

int cul_watch_program_fd(const struct cul_watch_program *p)
{
	return bpf_program__fd(p->hit);
}

static void set_shape(
	const struct cul_watch_target *t, bool filtered, struct cul_watch_shape *shape)
{
	unsigned bits = t->bit_size ? t->bit_size : (unsigned)t->size * 8;

	shape->size = (__u32)t->size;
	shape->words = (shape->size + 7) / 8;
	shape->scalar = cul_watch_target_is_scalar(t);
	shape->wanted = filtered ? CUL_WATCH_FILTERED : CUL_WATCH_ALL;
	shape->shared = t->shared;
	if (!shape->scalar || bits > 64)
		return;
	shape->left = 64 - bits - t->bit_offset;
	shape->right = 64 - bits;
	shape->is_signed = t->type && t->type->is_signed;
}

static void set_constants(const struct cul_watch_program *p,
	const struct cul_watch_program_config *config, size_t ring_bytes)
{
	struct watch_bpf *skel = p->skel;
	bool filtered = config->condition || config->expect;
	const struct cul_sys_pidns pidns = cul_sys_pidns();

	for (size_t i = 0; i < config->n_targets; i++)
		set_shape(&config->targets[i], filtered, &skel->bss->shapes[i]);
	skel->rodata->want_kernel_stack = config->kernel_stack;
	skel->rodata->want_user_stack = config->user_stack;
	/* A filter that asks for it has the word somewhere. */
	skel->bss->want_comm = (config->condition && strstr(config->condition, "comm")) ||
			       (config->expect && strstr(config->expect, "comm"));
	skel->bss->writer_mask = p->writers_per_cpu - 1;
	skel->rodata->pidns_dev = pidns.dev;
	skel->rodata->pidns_ino = pidns.ino;
	skel->rodata->ring_bytes = ring_bytes;
}

static void set_sizes(const struct cul_watch_program *p)
{
	struct watch_bpf *skel = p->skel;

	bpf_map__set_max_entries(skel->maps.heres, p->n_possible);
	bpf_map__set_max_entries(skel->maps.writers, p->n_possible * p->writers_per_cpu);
	bpf_map__set_max_entries(skel->maps.rings, p->n_possible);
	if (p->user)
		bpf_map__set_max_entries(skel->maps.process_states, PROCESS_STATES);
}

/* What the program reads kernel memory with, by its numbers in vmlinux's BTF; 0: by the helper. */
struct direct {
	uint32_t cast, words;
};

static struct direct find_direct(
	const struct cul_watch_program *p, const struct cul_watch_program_config *config)
{
	struct cul_kernel *k = p->user ? NULL : cul_scope_kernel_names(config->scope, NULL);
	struct cul_btf *btf = k ? cul_kernel_btf(k) : NULL;
	struct direct d = {0};

	if (!btf)
		return d;
	d.cast = cul_btf_func_id(btf, "bpf_rdonly_cast");
	d.words = cul_btf_struct_id(btf, "pt_regs");
	return d.cast && d.words ? d : (struct direct){0};
}

/* Without it the verifier never comes to the call, and takes it away. */
static void patch(struct bpf_program *prog, const struct direct *d)
{
	/* Until it is loaded libbpf keeps them as they are in the object, and relocates in place.
	 */
	struct bpf_insn *insns = (struct bpf_insn *)bpf_program__insns(prog);

	for (size_t i = 0; i < bpf_program__insn_cnt(prog); i++) {
		switch (insns[i].imm) {
		case CUL_WATCH_PATCH_DIRECT:
			insns[i].imm = d->cast != 0;
			break;
		case CUL_WATCH_PATCH_WORDS:
			insns[i].imm = (int32_t)d->words;
			break;
		case CUL_WATCH_PATCH_CAST:
			insns[i].src_reg = BPF_PSEUDO_KFUNC_CALL;
			insns[i].imm = (int32_t)d->cast;
			break;
		}
	}
}

static int explain_load(int code, struct cul_error *err)
{
	static const char doing[] = "loading the BPF program";
	int r = cul_sys_bpf_explain(doing, code, err);

	if (r)
		return r;
	if (code == -EACCES || code == -EINVAL)
		return cul_fail(err, code,
			"%s: this kernel's verifier refuses it (%s); please report the kernel's "
			"version",
			doing, cul_strerror(code));
	return cul_fail(err, code, "%s: %s; `culprit doctor` tells what is missing", doing,
		cul_strerror(code));
}

static int add_filters(struct cul_watch_program *p, const struct cul_watch_program_config *config,
	struct cul_error *err)
{
	int programs = bpf_map__fd(p->skel->maps.programs);
	int emit = bpf_program__fd(p->skel->progs.watch_emit);
	__u32 index = CUL_WATCH_EMIT;
	int r;

	if (!config->condition && !config->expect)
		return 0;
	r = cul_sys_bpf_map_update(programs, &index, &emit);
	if (r)
		return cul_fail(err, r, "installing the filter: %s", cul_strerror(r));
	for (index = 0; index < config->n_targets; index++) {
		struct cul_watch_filter filter = {
			.target = &config->targets[index],
			.scope = config->scope,
			.execute = config->access == CUL_ACCESS_EXECUTE,
			.condition = config->condition,
			.expect = config->expect,
			.heres_fd = bpf_map__fd(p->skel->maps.heres),
			.programs_fd = programs,
		};
		bool none;
		int fd = cul_watch_filter_load(&filter, &p->expect_uses_old, &none, err);

		if (fd < 0)
			return fd;
		if (none)
			p->skel->bss->shapes[index].wanted = CUL_WATCH_NONE;
		p->filter_fds[index] = fd;
		r = cul_sys_bpf_map_update(programs, &index, &fd);
		if (r)
			return cul_fail(err, r, "installing the filter: %s", cul_strerror(r));
	}
	return 0;
}

static int map_tables(struct cul_watch_program *p, struct cul_error *err)
{
	void *heres = NULL, *writers = NULL;
	int r = cul_sys_bpf_map_mmap(bpf_map__fd(p->skel->maps.heres), heres_size(p), &heres);

	p->heres = heres;
	if (!r)
		r = cul_sys_bpf_map_mmap(
			bpf_map__fd(p->skel->maps.writers), writers_size(p), &writers);
	p->writers = writers;
	return r ? cul_fail(err, r, "mapping the BPF program's tables: %s", cul_strerror(r)) : 0;
}

/* Opens the object and loads what this watch needs of it. */
static int load_object(struct cul_watch_program *p, const struct cul_watch_program_config *config,
	size_t ring_bytes, const struct direct *direct)
{
	p->skel = watch_bpf__open();
	if (!p->skel)
		return -ENOMEM;
	p->hit = config->access == CUL_ACCESS_EXECUTE ? p->skel->progs.watch_execute
		 : p->user                            ? p->skel->progs.watch_process
						      : p->skel->progs.watch_kernel;
	bpf_program__set_autoload(p->hit, true);
	patch(p->hit, direct);
	set_constants(p, config, ring_bytes);
	set_sizes(p);
	return cul_sys_bpf_load(p->skel->skeleton);
}

static int load(struct cul_watch_program *p, const struct cul_watch_program_config *config,
	struct cul_error *err)
{
	struct direct direct = find_direct(p, config);
	size_t ring_bytes = cul_rings_size(cul_cpus_count(&config->possible));
	int r;

	p->possible = config->possible;
	cul_for_each_cpu(cpu, &p->possible)
	{
		p->n_possible = (unsigned)cpu + 1;
	}
	p->writers_per_cpu = WRITERS;
	while (p->writers_per_cpu > CUL_WATCH_PROBES && writers_size(p) > WRITER_MEMORY)
		p->writers_per_cpu /= 2;
	r = load_object(p, config, ring_bytes, &direct);
	if (r && direct.cast) { /* a kernel that has the function and does not let us call it */
		watch_bpf__destroy(p->skel);
		direct = (struct direct){0};
		r = load_object(p, config, ring_bytes, &direct);
	}
	if (r)
		return explain_load(r, err);
	r = map_tables(p, err);
	if (r)
		return r;
	r = cul_rings_new(bpf_map__fd(p->skel->maps.rings), &config->possible, ring_bytes,
		offsetof(struct cul_watch_event, ns), config->on_event, config->data, &p->rings,
		err);
	return r ? r : add_filters(p, config, err);
}

int cul_watch_program_load(const struct cul_watch_program_config *config,
	struct cul_watch_program *out, struct cul_error *err)
{
	struct cul_watch_program p = {.user = cul_scope_pid(config->scope) != 0};
	int r;

	memset(p.filter_fds, -1, sizeof(p.filter_fds));
	r = load(&p, config, err);
	if (r) {
		cul_watch_program_free(&p);
		return r;
	}
	*out = p;
	return 0;
}

static int get(struct bpf_map *map, const void *key, void *out)
{
	return cul_sys_bpf_map_lookup(bpf_map__fd(map), key, out);
}

static int set(struct bpf_map *map, const void *key, const void *value)
{
	return cul_sys_bpf_map_update(bpf_map__fd(map), key, value);
}

volatile struct cul_watch_state *cul_watch_program_state(
	const struct cul_watch_program *p, unsigned target, int cpu)
{
	return cpu < 0 ? &p->skel->bss->states[target] : &p->heres[cpu].states[target];
}

static __u64 process_key(const struct cul_watch_program *p, pid_t pid, unsigned target)
{
	return ((__u64)(p->skel->bss->shapes[target].shared ? 0 : pid) << 32) | target;
}

int cul_watch_program_get_process_state(
	struct cul_watch_program *p, pid_t pid, unsigned target, struct cul_watch_state *out)
{
	__u64 key = process_key(p, pid, target);

	return get(p->skel->maps.process_states, &key, out);
}

int cul_watch_program_set_process_state(struct cul_watch_program *p, pid_t pid, unsigned target,
	const struct cul_watch_state *state)
{
	__u64 key = process_key(p, pid, target);

	return set(p->skel->maps.process_states, &key, state);
}

bool cul_watch_program_left_by_another(
	struct cul_watch_program *p, pid_t pid, unsigned target, const __u64 *words)
{
	int map = bpf_map__fd(p->skel->maps.process_states);
	__u64 key, *at = NULL, own = process_key(p, pid, target);
	struct cul_watch_state state;

	/* New ones may come meanwhile: no more steps than there is room. */
	for (int i = 0; i < PROCESS_STATES && !cul_sys_bpf_map_next_key(map, at, &key); i++) {
		at = &key;
		if (key != own && (__u32)key == target &&
			!cul_sys_bpf_map_lookup(map, &key, &state) && state.known &&
			!memcmp(state.value, words, sizeof(state.value)))
			return true;
	}
	return false;
}

static void add_totals(struct cul_watch_totals *sum, const struct cul_watch_totals *one)
{
	sum->hits += one->hits;
	sum->emitted += one->emitted;
	sum->dropped += one->dropped;
	sum->filtered += one->filtered;
	sum->early += one->early;
	sum->unattributed += one->unattributed;
	sum->unreadable += one->unreadable;
	sum->proofs += one->proofs;
	sum->own += one->own;
}

void cul_watch_program_totals(
	const struct cul_watch_program *p, unsigned target, struct cul_watch_totals *out)
{
	memset(out, 0, sizeof(*out));
	for (unsigned cpu = 0; cpu < p->n_possible; cpu++)
		add_totals(out, &p->heres[cpu].totals[target]);
}

void cul_watch_writer_merge(struct cul_watch_writer_count *sum,
	const struct cul_watch_writer_count *one, bool is_signed)
{
	if (!one->hits)
		return;
	if (!sum->hits) {
		*sum = *one;
		return;
	}
	sum->hits += one->hits;
	sum->unchanged += one->unchanged;
	sum->neighbour += one->neighbour;
	if (one->first_ns < sum->first_ns)
		sum->first_ns = one->first_ns;
	if (one->last_ns > sum->last_ns) {
		sum->last_ns = one->last_ns;
		sum->last = one->last;
	}
	if (is_signed ? (int64_t)one->min < (int64_t)sum->min : one->min < sum->min)
		sum->min = one->min;
	if (is_signed ? (int64_t)one->max > (int64_t)sum->max : one->max > sum->max)
		sum->max = one->max;
}

static int by_key(const void *a, const void *b)
{
	const struct cul_watch_key *x = &(*(struct cul_watch_writer_entry *const *)a)->key;
	const struct cul_watch_key *y = &(*(struct cul_watch_writer_entry *const *)b)->key;

	if (x->target != y->target)
		return x->target < y->target ? -1 : 1;
	if (x->ip != y->ip)
		return x->ip < y->ip ? -1 : 1;
	return x->tgid < y->tgid ? -1 : x->tgid > y->tgid;
}

int cul_watch_program_writers(const struct cul_watch_program *p,
	int (*fn)(void *data, const struct cul_watch_key *key,
		const struct cul_watch_writer_count *w),
	void *data)
{
	size_t n = (size_t)p->n_possible * p->writers_per_cpu, used = 0;
	cul_autofree struct cul_watch_writer_entry **all = cul_calloc(n, sizeof(*all));
	int r = 0;

	if (!all)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (p->writers[i].count.hits)
			all[used++] = &p->writers[i];
	qsort(all, used, sizeof(*all), by_key);
	for (size_t i = 0, next; !r && i < used; i = next) {
		struct cul_watch_writer_count sum = {0};
		const struct cul_watch_key *key = &all[i]->key;
		unsigned target = key->target & (CUL_WATCH_SLOTS - 1);

		for (next = i; next < used && !by_key(&all[i], &all[next]); next++)
			cul_watch_writer_merge(
				&sum, &all[next]->count, p->skel->bss->shapes[target].is_signed);
		r = fn(data, key, &sum);
	}
	return r;
}
