/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watch/program.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "sys/bpf.h"
#include "watch/filter.h"
#include "watch.skel.h"

/* The kernel rounds each CPU's element of a per-CPU map up to 8 bytes. */
_Static_assert(sizeof(struct cul_watch_cpu) % 8 == 0, "");
_Static_assert(sizeof(struct cul_watch_totals) % 8 == 0, "");
_Static_assert(sizeof(struct cul_watch_writer_count) % 8 == 0, "");

enum {
	PROCESS_STATES = 4096,
	WRITERS = 4096,
	WRITER_MEMORY = 16 << 20, /* of the whole table, all CPUs */
};

void cul_watch_program_free(struct cul_watch_program *p)
{
	for (int i = 0; i < CUL_WATCH_SLOTS; i++)
		if (p->skel && p->filter_fds[i] >= 0)
			close(p->filter_fds[i]);
	cul_rings_free(p->rings);
	watch_bpf__destroy(p->skel);
	free(p->cpu_table);
	memset(p, 0, sizeof(*p));
}

int cul_watch_program_fd(const struct cul_watch_program *p)
{
	return bpf_program__fd(p->skel->progs.watch_hit);
}

static void set_shape(
	const struct cul_watch_target *t, bool filtered, struct cul_watch_shape *shape)
{
	unsigned bits = t->bit_size ? t->bit_size : (unsigned)t->size * 8;

	shape->size = (__u32)t->size;
	shape->scalar = cul_watch_target_is_scalar(t);
	shape->filtered = filtered;
	shape->shared = t->shared;
	if (!shape->scalar || bits > 64)
		return;
	shape->left = 64 - bits - t->bit_offset;
	shape->right = 64 - bits;
	shape->is_signed = t->type && t->type->is_signed;
}

static void set_constants(
	struct watch_bpf *skel, const struct cul_watch_program_config *config, size_t ring_bytes)
{
	bool filtered = config->condition || config->expect;

	for (size_t i = 0; i < config->n_targets; i++)
		set_shape(&config->targets[i], filtered, &skel->rodata->shapes[i]);
	skel->rodata->user_target = cul_scope_pid(config->scope) != 0;
	skel->rodata->execute = config->access == CUL_ACCESS_EXECUTE;
	skel->rodata->want_kernel_stack = config->kernel_stack;
	skel->rodata->want_user_stack = config->user_stack;
	skel->rodata->ring_bytes = ring_bytes;
}

static void set_sizes(struct watch_bpf *skel, unsigned n_possible, bool user)
{
	size_t entry = sizeof(struct cul_watch_writer_count) * n_possible;
	size_t writers = WRITER_MEMORY / entry;

	if (writers > WRITERS)
		writers = WRITERS;
	bpf_map__set_max_entries(skel->maps.writers, (__u32)writers);
	bpf_map__set_max_entries(skel->maps.rings, n_possible);
	bpf_map__set_max_entries(skel->maps.states, CUL_WATCH_SLOTS * n_possible);
	if (user)
		bpf_map__set_max_entries(skel->maps.process_states, PROCESS_STATES);
}

static int explain_load(int code, struct cul_error *err)
{
	switch (code) {
	case -EPERM:
		return cul_fail(err, code,
			"loading the BPF program: %s; run as root, or give CAP_BPF and CAP_PERFMON",
			cul_strerror(code));
	case -EACCES:
	case -EINVAL:
		return cul_fail(err, code,
			"loading the BPF program: this kernel's verifier refuses it (%s); please "
			"report the "
			"kernel's version",
			cul_strerror(code));
	default:
		return cul_fail(err, code,
			"loading the BPF program: %s; `culprit doctor` tells what is missing",
			cul_strerror(code));
	}
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
			.scratch_fd = bpf_map__fd(p->skel->maps.scratches),
			.programs_fd = programs,
		};
		int fd = cul_watch_filter_load(&filter, &p->expect_uses_old, err);

		if (fd < 0)
			return fd;
		p->filter_fds[index] = fd;
		r = cul_sys_bpf_map_update(programs, &index, &fd);
		if (r)
			return cul_fail(err, r, "installing the filter: %s", cul_strerror(r));
	}
	return 0;
}

static int load(struct cul_watch_program *p, const struct cul_watch_program_config *config,
	struct cul_error *err)
{
	size_t ring_bytes = cul_rings_size(cul_cpus_count(&config->possible));
	int r;

	p->possible = config->possible;
	cul_for_each_cpu(cpu, &p->possible)
	{
		p->n_possible = (unsigned)cpu + 1;
	}
	p->cpu_table = cul_calloc(p->n_possible, sizeof(*p->cpu_table));
	p->skel = p->cpu_table ? watch_bpf__open() : NULL;
	if (!p->skel)
		return cul_fail(err, -ENOMEM, "out of memory");
	set_constants(p->skel, config, ring_bytes);
	set_sizes(p->skel, p->n_possible, p->user);
	r = cul_sys_bpf_load(p->skel->skeleton);
	if (r)
		return explain_load(r, err);
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

int cul_watch_program_set_cpus(struct cul_watch_program *p, struct cul_error *err)
{
	/* One write for all CPUs. Numbers that are not possible have no place in the kernel's. */
	cul_autofree struct cul_watch_cpu *packed = cul_calloc(p->n_possible, sizeof(*packed));
	unsigned n = 0;
	__u32 zero = 0;
	int r;

	if (!packed)
		return cul_fail(err, -ENOMEM, "out of memory");
	cul_for_each_cpu(cpu, &p->possible)
	{
		packed[n++] = p->cpu_table[cpu];
	}
	r = set(p->skel->maps.cpus, &zero, packed);

	return r ? cul_fail(
			   err, r, "telling the program what is watched where: %s", cul_strerror(r))
		 : 0;
}

unsigned cul_watch_program_state_index(const struct cul_watch_program *p, unsigned target, int cpu)
{
	return target * p->n_possible + (unsigned)cpu;
}

int cul_watch_program_get_state(
	struct cul_watch_program *p, unsigned index, struct cul_watch_state *out)
{
	return get(p->skel->maps.states, &index, out);
}

int cul_watch_program_set_state(
	struct cul_watch_program *p, unsigned index, const struct cul_watch_state *state)
{
	return set(p->skel->maps.states, &index, state);
}

static __u64 process_key(const struct cul_watch_program *p, pid_t pid, unsigned target)
{
	return ((__u64)(p->skel->rodata->shapes[target].shared ? 0 : pid) << 32) | target;
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
}

static int cpu_totals(struct cul_watch_program *p, unsigned target, struct cul_watch_totals **out)
{
	int r;

	*out = cul_calloc(p->n_possible, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	r = get(p->skel->maps.totals, &target, *out);
	if (r) {
		free(*out);
		*out = NULL;
	}
	return r;
}

int cul_watch_program_totals(
	struct cul_watch_program *p, unsigned target, struct cul_watch_totals *out)
{
	cul_autofree struct cul_watch_totals *all = NULL;
	int r = cpu_totals(p, target, &all);

	if (r)
		return r;
	memset(out, 0, sizeof(*out));
	for (unsigned cpu = 0; cpu < p->n_possible; cpu++)
		add_totals(out, &all[cpu]);
	return 0;
}

int cul_watch_program_cpu_totals(
	struct cul_watch_program *p, unsigned target, int cpu, struct cul_watch_totals *out)
{
	cul_autofree struct cul_watch_totals *all = NULL;
	int r = cul_cpus_has(&p->possible, cpu) ? cpu_totals(p, target, &all) : -ENXIO;

	if (!r)
		*out = all[cul_cpus_rank(&p->possible, cpu)];
	return r;
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

int cul_watch_program_writers(struct cul_watch_program *p,
	int (*fn)(void *data, const struct cul_watch_key *key,
		const struct cul_watch_writer_count *w),
	void *data)
{
	int fd = bpf_map__fd(p->skel->maps.writers), r = 0;
	cul_autofree struct cul_watch_writer_count *all = cul_calloc(p->n_possible, sizeof(*all));
	struct cul_watch_key key, *previous = NULL;

	if (!all)
		return -ENOMEM;
	while (!r && !(r = cul_sys_bpf_map_next_key(fd, previous, &key))) {
		struct cul_watch_writer_count sum = {0};
		unsigned target = key.target & (CUL_WATCH_SLOTS - 1);

		previous = &key;
		r = cul_sys_bpf_map_lookup(fd, &key, all);
		if (r)
			return r;
		for (unsigned cpu = 0; cpu < p->n_possible; cpu++)
			cul_watch_writer_merge(
				&sum, &all[cpu], p->skel->rodata->shapes[target].is_signed);
		r = fn(data, &key, &sum);
	}
	return r == -ENOENT ? 0 : r;
}
