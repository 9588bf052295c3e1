/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/program.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "probe.skel.h"
#include "sys/bpf.h"

/* The kernel rounds each CPU's element of a per-CPU map up to 8 bytes. */
_Static_assert(sizeof(struct cul_probe_totals) % 8 == 0, "");
_Static_assert(sizeof(struct cul_cpus) == sizeof(((struct probe_bpf__rodata *)0)->cpus), "");
_Static_assert(sizeof(struct cul_probe_tally) % 8 == 0, "");

enum {
	CALLS_MEMORY = 4 << 20, /* of the table of calls that have not returned */
	CALLS = 16384,
	GROUPS = 8192,
	GROUPS_MEMORY = 16 << 20, /* all CPUs */
	BY = offsetof(struct cul_probe_tally_key, by),
	CALLERS = 256,
};

void cul_probe_program_free(struct cul_probe_program *p)
{
	for (size_t i = 0; i < p->fds.len; i++)
		close(p->fds.data[i]);
	free(p->fds.data);
	cul_rings_free(p->rings);
	probe_bpf__destroy(p->skel);
	for (unsigned t = 0; t < CUL_TEMPLATES; t++)
		free(p->templates[t].insns);
	free(p->refused[0]);
	free(p->refused[1]);
	memset(p, 0, sizeof(*p));
}

/*
 * libbpf's last word before a program would be loaded: its instructions name the maps by now. We
 * keep them, and have it load two others, which cost nothing to verify.
 */
static int take_template(struct bpf_program *prog, struct bpf_prog_load_opts *opts, long cookie)
{
	struct cul_probe_program *p = (void *)cookie;
	struct bpf_insn nothing[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K},
		{.code = BPF_JMP | BPF_EXIT},
	};
	size_t n = bpf_program__insn_cnt(prog);

	for (unsigned t = 0; t < CUL_TEMPLATES; t++) {
		struct cul_probe_insns *to = &p->templates[t];

		if (strcmp(bpf_program__name(prog), cul_probe_template_names[t]) != 0)
			continue;
		to->insns = cul_calloc(n, sizeof(*to->insns));
		if (!to->insns)
			return -ENOMEM;
		memcpy(to->insns, bpf_program__insns(prog), n * sizeof(*to->insns));
		to->n = n;
	}
	opts->func_info_cnt = opts->line_info_cnt = 0;
	return bpf_program__set_insns(prog, nothing, 2);
}

static void set_sizes(struct probe_bpf *skel, const struct cul_probe_program *p,
	const struct cul_probe_program_config *config)
{
	size_t call = config->carry   ? sizeof(struct cul_probe_open)
		      : config->texts ? offsetof(struct cul_probe_open, payload) +
						config->by_words * CUL_PROBE_TEXT
		      : config->keep ? offsetof(struct cul_probe_open, got)
				     : offsetof(struct cul_probe_open, words);
	size_t calls = CALLS_MEMORY / call;
	size_t groups = GROUPS_MEMORY / (sizeof(struct cul_probe_tally) * p->n_possible);
	size_t stacks = (size_t)config->kernel_stack + config->user_stack;
	size_t refusals = p->n_gates * p->gate_cpus * sizeof(struct cul_probe_refusals);

	bpf_map__set_max_entries(skel->maps.totals, (__u32)config->n_sites);
	bpf_map__set_max_entries(skel->maps.recipes, (__u32)config->n_sites);
	bpf_map__set_max_entries(skel->maps.scratches, config->n_scratches);
	bpf_map__set_max_entries(skel->maps.rings, p->n_possible);
	if (refusals)
		bpf_map__set_value_size(skel->maps.refusals, (__u32)refusals);
	if (config->only_pid)
		bpf_map__set_max_entries(skel->maps.followed, CUL_PROBE_FOLLOWED);
	if (config->parent) {
		bpf_map__set_max_entries(skel->maps.kin, CUL_PROBE_FOLLOWED);
		bpf_map__set_max_entries(skel->maps.renewed, CUL_PROBE_FOLLOWED);
	}
	if (config->returns) {
		if (calls > CALLS)
			calls = CALLS;
		bpf_map__set_value_size(skel->maps.calls, (__u32)call);
		bpf_map__set_max_entries(skel->maps.calls, (__u32)calls);
		if (!config->user_target)
			bpf_map__set_key_size(
				skel->maps.calls, offsetof(struct cul_probe_open_key, tgid));
		skel->rodata->places_most = calls / 4;
	}
	if (groups > GROUPS)
		groups = GROUPS;
	if (config->groups) {
		bpf_map__set_key_size(
			skel->maps.groups, (__u32)(BY - p->key_from) + config->by_words * 8);
		bpf_map__set_max_entries(skel->maps.groups, (__u32)groups);
	}
	if (config->groups && stacks)
		bpf_map__set_max_entries(skel->maps.stacks, (__u32)(stacks * groups));
	if (config->texts)
		bpf_map__set_max_entries(skel->maps.texts, (__u32)(config->by_words * groups));
	if (config->groups && config->user_stack)
		bpf_map__set_max_entries(skel->maps.callers, CALLERS);
}

static void set_constants(const struct cul_probe_program *p,
	const struct cul_probe_program_config *config, size_t ring_bytes)
{
	struct probe_bpf *skel = p->skel;

	skel->rodata->user_target = config->user_target;
	skel->rodata->own_tgid = (__u32)getpid();
	skel->rodata->pidns_dev = p->pidns.dev;
	skel->rodata->pidns_ino = p->pidns.ino;
	skel->rodata->only_followed = (__u32)config->only_pid;
	if (config->cpus) {
		skel->rodata->some_cpus = 1;
		memcpy((void *)&skel->rodata->cpus, config->cpus, sizeof(*config->cpus));
	}
	skel->rodata->returns = config->returns;
	skel->rodata->keep_words = config->keep ? config->words : 0;
	skel->rodata->keep_values = config->keep ? config->values : 0;
	skel->rodata->key_from = (__u32)p->key_from;
	skel->rodata->carry = config->carry;
	skel->rodata->diff = config->diff;
	skel->rodata->errors_only = config->errors_only;
	skel->rodata->slow_ns = config->slow_ns;
	skel->rodata->n_by = config->by_words;
	skel->rodata->most_fetches = config->most_fetches;
	if (config->scale) {
		skel->rodata->linear_min = config->scale->min;
		skel->rodata->linear_max = config->scale->max;
		skel->rodata->linear_step = (uint64_t)config->scale->step;
	}
	skel->rodata->want_events = config->events;
	skel->rodata->want_groups = config->groups;
	skel->rodata->want_bars = config->bars;
	skel->rodata->want_texts = config->texts;
	skel->rodata->want_task = config->task;
	skel->rodata->want_comm = config->comm;
	skel->rodata->want_caller = config->caller;
	skel->rodata->want_regs = config->regs;
	skel->rodata->want_kernel_stack = config->kernel_stack;
	skel->rodata->want_user_stack = config->user_stack;
	skel->rodata->ring_bytes = ring_bytes;
	skel->rodata->parent_tgid = (__u32)config->parent;
	skel->rodata->inject_ret = config->inject_ret;
	skel->rodata->inject_every = config->inject_every;
	memcpy((void *)&skel->rodata->offsets, &config->offsets, sizeof(config->offsets));
}

static int explain_load(int code, struct cul_error *err)
{
	static const char doing[] = "loading BPF maps";
	int r = cul_sys_bpf_explain(doing, code, err);

	if (r)
		return r;
	return cul_fail(err, code, "%s: %s; `culprit doctor` tells what is missing", doing,
		cul_strerror(code));
}

/* Opens the skeleton with our handler in place of libbpf's own knowledge of sections. */
static int load_templates(struct cul_probe_program *p,
	const struct cul_probe_program_config *config, size_t ring_bytes, struct cul_error *err)
{
	LIBBPF_OPTS(libbpf_prog_handler_opts, handler, .cookie = (long)p,
		.prog_prepare_load_fn = take_template);
	/*
	 * One that stays, since libbpf 1.1 frees its list with the last one and keeps using it
	 * (libbpf_unregister_prog_handler(): reallocarray() to nothing).
	 */
	int keeper = libbpf_register_prog_handler("keeper", BPF_PROG_TYPE_KPROBE, 0, NULL);
	int id = keeper < 0 ? keeper
			    : libbpf_register_prog_handler(
				      "culprit+", BPF_PROG_TYPE_KPROBE, 0, &handler);
	int r;

	p->skel = id >= 0 ? probe_bpf__open() : NULL;
	if (p->skel) {
		set_constants(p, config, ring_bytes);
		set_sizes(p->skel, p, config);
		r = cul_sys_bpf_load(p->skel->skeleton);
	} else {
		r = -ENOMEM;
	}
	if (id >= 0)
		libbpf_unregister_prog_handler(id);
	return r ? explain_load(r, err) : 0;
}

static size_t key_from(const struct cul_probe_program_config *config)
{
	if (config->user_stack)
		return offsetof(struct cul_probe_tally_key, user_stack);
	if (config->kernel_stack)
		return offsetof(struct cul_probe_tally_key, stack);
	return config->n_sites > 1 ? offsetof(struct cul_probe_tally_key, site)
				   : offsetof(struct cul_probe_tally_key, bar);
}

static int open_program(struct cul_probe_program *p, const struct cul_probe_program_config *config,
	struct cul_error *err)
{
	size_t ring_bytes;
	int r;

	p->n_sites = config->n_sites;
	p->grouped = config->groups;
	p->key_from = key_from(config);
	r = cul_cpus_possible(&p->possible, err);
	if (r)
		return r;
	cul_for_each_cpu(cpu, &p->possible)
	{
		p->n_possible = (unsigned)cpu + 1;
	}
	for (p->gate_cpus = 1; p->gate_cpus < p->n_possible;)
		p->gate_cpus *= 2;
	p->pidns = cul_sys_pidns();
	/* A gate knows us by the kernel's number. */
	p->n_gates = p->pidns.ino ? 0 : config->n_gates;
	p->gate_offsets = config->gate_offsets;
	ring_bytes = cul_rings_size(cul_cpus_count(&p->possible));
	r = load_templates(p, config, ring_bytes, err);
	if (r || !config->events)
		return r;
	return cul_rings_new(bpf_map__fd(p->skel->maps.rings), &p->possible, ring_bytes,
		offsetof(struct cul_probe_event, sent_ns), config->on_event, config->data,
		&p->rings, err);
}

int cul_probe_program_open(const struct cul_probe_program_config *config,
	struct cul_probe_program *out, struct cul_error *err)
{
	int r;

	memset(out, 0, sizeof(*out));
	r = open_program(out, config, err);
	if (r)
		cul_probe_program_free(out);
	return r;
}

uint64_t cul_probe_program_children(const struct cul_probe_program *p)
{
	return __atomic_load_n(&p->skel->bss->children, __ATOMIC_RELAXED);
}

uint64_t cul_probe_program_execs(const struct cul_probe_program *p)
{
	return __atomic_load_n(&p->skel->bss->execs, __ATOMIC_RELAXED);
}

uint64_t cul_probe_program_unfollowed(const struct cul_probe_program *p)
{
	return __atomic_load_n(&p->skel->bss->unfollowed, __ATOMIC_RELAXED);
}

uint64_t cul_probe_program_crowded(const struct cul_probe_program *p)
{
	return __atomic_load_n(&p->skel->bss->crowded, __ATOMIC_RELAXED);
}

bool cul_probe_program_met_outsiders(const struct cul_probe_program *p)
{
	return __atomic_load_n(&p->skel->bss->outsiders, __ATOMIC_RELAXED);
}

int cul_probe_program_follow(struct cul_probe_program *p, pid_t pid)
{
	__u32 tgid = (__u32)pid;

	if (p->pidns.ino) /* the program knows it by its number here, and its children by theirs */
		return 0;
	return cul_sys_bpf_map_update(bpf_map__fd(p->skel->maps.followed), &tgid, &tgid);
}

bool cul_probe_program_next_caller(
	struct cul_probe_program *p, pid_t *pid, char comm[CUL_PROBE_COMM + 1])
{
	int fd = bpf_map__fd(p->skel->maps.callers);
	__u32 tgid;

	memset(comm, 0, CUL_PROBE_COMM + 1);
	if (cul_sys_bpf_map_next_key(fd, NULL, &tgid) || cul_sys_bpf_map_lookup(fd, &tgid, comm) ||
		cul_sys_bpf_map_delete(fd, &tgid))
		return false;
	*pid = (pid_t)tgid;
	return true;
}

int cul_probe_program_set_recipe(
	struct cul_probe_program *p, unsigned site, const struct cul_probe_recipe *recipe)
{
	return cul_sys_bpf_map_update(bpf_map__fd(p->skel->maps.recipes), &site, recipe);
}

/* What all gates have kept out until now; none without gates. */
static int read_refused(struct cul_probe_program *p, struct cul_probe_refusals **out)
{
	cul_autofree struct cul_probe_refusals *all = NULL;
	__u32 first = 0;
	int r;

	if (!p->n_gates)
		return 0;
	all = cul_calloc((size_t)p->n_gates * p->gate_cpus, sizeof(*all));
	r = all ? cul_sys_bpf_map_lookup(bpf_map__fd(p->skel->maps.refusals), &first, all)
		: -ENOMEM;
	if (!r)
		*out = cul_take(all);
	return r;
}

int cul_probe_program_go_live(struct cul_probe_program *p)
{
	int r = read_refused(p, &p->refused[0]);

	if (!r)
		__atomic_store_n(&p->skel->bss->live, 1, __ATOMIC_RELEASE);
	return r;
}

int cul_probe_program_end(struct cul_probe_program *p)
{
	__atomic_store_n(&p->skel->bss->live, 0, __ATOMIC_RELEASE);
	p->ended = true;
	return read_refused(p, &p->refused[1]);
}

/* What the site's gate kept out while the run was live: gates count always. */
static int add_refusals(struct cul_probe_program *p, unsigned site, struct cul_probe_totals *out)
{
	cul_autofree struct cul_probe_refusals *now = NULL;
	const struct cul_probe_refusals *from = p->refused[0], *to = p->refused[1];
	int r = p->ended ? 0 : read_refused(p, &now);

	if (r)
		return r;
	if (!p->ended)
		to = now;
	for (size_t i = site * p->gate_cpus; from && to && i < (site + 1) * p->gate_cpus; i++) {
		out->own += to[i].own - from[i].own;
		out->calls += to[i].calls - from[i].calls;
		out->filtered += to[i].calls - from[i].calls;
	}
	return 0;
}

int cul_probe_program_totals(
	struct cul_probe_program *p, unsigned site, struct cul_probe_totals *out)
{
	cul_autofree struct cul_probe_totals *all = cul_calloc(p->n_possible, sizeof(*all));
	int r = all ? cul_sys_bpf_map_lookup(bpf_map__fd(p->skel->maps.totals), &site, all)
		    : -ENOMEM;

	if (r)
		return r;
	memset(out, 0, sizeof(*out));
	for (unsigned cpu = 0; cpu < p->n_possible; cpu++) {
		out->calls += all[cpu].calls;
		out->own += all[cpu].own;
		out->waited += all[cpu].waited;
		out->returns += all[cpu].returns;
		out->strays += all[cpu].strays;
		out->filtered += all[cpu].filtered + all[cpu].filtered_late;
		out->filtered_late += all[cpu].filtered_late;
		out->lone += all[cpu].lone;
		out->emitted += all[cpu].emitted;
		out->dropped += all[cpu].dropped;
		out->ungrouped += all[cpu].ungrouped;
		out->unread += all[cpu].unread;
		out->errors += all[cpu].errors;
		out->matched += all[cpu].matched;
		out->injected += all[cpu].injected;
		out->sum_ns += all[cpu].sum_ns;
		if (all[cpu].max_ns > out->max_ns)
			out->max_ns = all[cpu].max_ns;
	}
	return site < p->n_gates ? add_refusals(p, site, out) : 0;
}

/* Each site as a group. */
static int sites_as_groups(struct cul_probe_program *p,
	int (*fn)(
		void *data, const struct cul_probe_tally_key *key, const struct cul_probe_tally *g),
	void *data)
{
	int r = 0;

	for (unsigned site = 0; !r && site < p->n_sites; site++) {
		struct cul_probe_tally_key key = {.site = site};
		struct cul_probe_totals t;
		struct cul_probe_tally g;

		r = cul_probe_program_totals(p, site, &t);
		g = (struct cul_probe_tally){
			.count = t.matched, .errors = t.errors, .sum = t.sum_ns, .max = t.max_ns};
		if (!r && t.matched)
			r = fn(data, &key, &g);
	}
	return r;
}

int cul_probe_program_groups(struct cul_probe_program *p,
	int (*fn)(
		void *data, const struct cul_probe_tally_key *key, const struct cul_probe_tally *g),
	void *data)
{
	int fd = bpf_map__fd(p->skel->maps.groups), r = 0;
	cul_autofree struct cul_probe_tally *all = cul_calloc(p->n_possible, sizeof(*all));
	struct cul_probe_tally_key key = {0};
	char *kept = (char *)&key + p->key_from, *previous = NULL;

	if (!all)
		return -ENOMEM;
	if (!p->grouped)
		return sites_as_groups(p, fn, data);
	while (!r && !(r = cul_sys_bpf_map_next_key(fd, previous, kept))) {
		struct cul_probe_tally sum = {0};

		previous = kept;
		r = cul_sys_bpf_map_lookup(fd, kept, all);
		if (r)
			return r;
		for (unsigned cpu = 0; cpu < p->n_possible; cpu++) {
			sum.count += all[cpu].count;
			sum.errors += all[cpu].errors;
			sum.sum += all[cpu].sum;
			if (all[cpu].max > sum.max)
				sum.max = all[cpu].max;
			if (!all[cpu].count)
				continue;
			if (sum.count == all[cpu].count || all[cpu].low < sum.low)
				sum.low = all[cpu].low;
			if (sum.count == all[cpu].count || all[cpu].high > sum.high)
				sum.high = all[cpu].high;
		}
		r = fn(data, &key, &sum);
	}
	return r == -ENOENT ? 0 : r;
}

bool cul_probe_program_text(struct cul_probe_program *p, uint64_t key, uint8_t text[CUL_PROBE_TEXT])
{
	return !cul_sys_bpf_map_lookup(bpf_map__fd(p->skel->maps.texts), &key, text);
}

size_t cul_probe_program_stack(
	struct cul_probe_program *p, uint64_t key, uint64_t frames[CUL_PROBE_STACK_DEPTH])
{
	size_t n = 0;

	if (!key || cul_sys_bpf_map_lookup(bpf_map__fd(p->skel->maps.stacks), &key, frames))
		return 0;
	while (n < CUL_PROBE_STACK_DEPTH && frames[n])
		n++;
	return n;
}
