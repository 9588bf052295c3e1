/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Attaching, by the ways that ways.c chooses, and back. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "probe/run.h"
#include "sys/bpf.h"
#include "trace/kprobe_events.h"

enum { WAITED_FOR = 8 }; /* links, when a run is given up */

/* A program for all sites that have the same expressions; they tell themselves by cookies. */
struct made {
	enum cul_probe_template from;
	enum bpf_attach_type attach;
	bool paired;
	const struct cul_bpf_code *code;
	int fd;
};

struct arming {
	struct cul_probe_run *run;
	enum cul_attach_kind *ways; /* by site */
	CUL_VEC(struct made) made;
};

static const struct cul_site *site_of(const struct cul_probe_run *run, size_t i)
{
	return &run->sites.sites.data[i];
}

/* Where no function begins, there are registers and nothing else. */
static enum cul_probe_template entry_of(const struct cul_site *site)
{
	return site->kind == CUL_SITE_INLINED ? CUL_TEMPLATE_BEFORE : CUL_TEMPLATE_ENTRY;
}

static int add_link(struct cul_probe_run *run, const struct cul_attachment *attachment,
	unsigned site, unsigned n_sites, struct cul_error *err)
{
	struct cul_probe_link *link = cul_vec_push(&run->links);
	struct cul_attachment copy = *attachment;

	if (!link) {
		cul_attachment_detach(&copy);
		return cul_fail(err, -ENOMEM, "out of memory");
	}
	*link = (struct cul_probe_link){.attachment = copy, .site = site, .n_sites = n_sites};
	return 0;
}

static const struct cul_bpf_code *code_of(
	const struct cul_probe_run *run, size_t i, enum cul_probe_template from)
{
	const struct cul_generated *g = &run->generated[i];
	bool back = from == CUL_TEMPLATE_RETURN || from == CUL_TEMPLATE_FEXIT ||
		    from == CUL_TEMPLATE_AFTER;

	return back ? &g->back : &g->entry;
}

static bool same_code(const struct cul_bpf_code *a, const struct cul_bpf_code *b)
{
	return a->len == b->len &&
	       (!a->len || !memcmp(a->insns, b->insns, a->len * sizeof(*a->insns)));
}

/* The program for site `i`: its descriptor. */
static int shared_program(struct arming *a, size_t i, enum cul_probe_template from,
	enum bpf_attach_type attach, struct cul_error *err)
{
	const struct cul_bpf_code *code = code_of(a->run, i, from);
	const struct cul_probe_instance instance = {
		.from = from,
		/* One alone need not ask. */
		.site = a->run->sites.sites.len == 1 ? 0 : CUL_SITE_BY_COOKIE,
		.paired = cul_probe_is_paired(a->run, site_of(a->run, i)),
		.args = a->run->words,
		.code = code,
		.attach = attach,
	};
	struct made *m;
	int fd;

	for (size_t j = 0; j < a->made.len; j++) {
		m = &a->made.data[j];
		if (m->from == from && m->attach == attach && m->paired == instance.paired &&
			same_code(m->code, code))
			return m->fd;
	}
	fd = cul_probe_program_make(&a->run->program, &instance, err);
	if (fd < 0)
		return fd;
	m = cul_vec_push(&a->made);
	if (!m)
		return cul_fail(err, -ENOMEM, "out of memory");
	*m = (struct made){
		.from = from, .attach = attach, .paired = instance.paired, .code = code, .fd = fd};
	return fd;
}

static int arm_fentry_one(
	struct arming *a, size_t i, bool at_return, int btf_fd, struct cul_error *err)
{
	struct cul_probe_run *run = a->run;
	const struct cul_generated *g = &run->generated[i];
	const struct cul_probe_instance instance = {
		.from = at_return ? CUL_TEMPLATE_FEXIT : CUL_TEMPLATE_FENTRY,
		.site = (int32_t)i,
		.paired = run->returns,
		.args = cul_plan_taken(&run->plans[i], run->words),
		.direct = cul_generate_direct_words(&run->plans[i]),
		.scratch = 1 + 2 * (unsigned)i + at_return,
		.code = code_of(run, i, at_return ? CUL_TEMPLATE_FEXIT : CUL_TEMPLATE_FENTRY),
		/* What it refuses must not be taken for another call when it returns. */
		.gate = run->returns && !g->gate_returns ? NULL : &g->gate,
		.gate_site = (unsigned)i,
		.gate_refused = g->gate_refused,
		.gated = at_return ? 0 : g->gated,
		.attach = at_return ? BPF_TRACE_FEXIT : BPF_TRACE_FENTRY,
		.btf_id = site_of(run, i)->btf_id,
		.btf_fd = btf_fd,
	};
	struct cul_attachment attachment = CUL_ATTACHMENT_NONE;
	int fd = cul_probe_program_make(&run->program, &instance, err), r;

	if (fd < 0)
		return fd;
	r = cul_attach_fentry(fd, i, at_return, &attachment, err);
	return r ? r : add_link(run, &attachment, (unsigned)i, 1, err);
}

/* The way back first: a call that is seen has to be seen returning. */
static int arm_fentry(struct arming *a, size_t i, struct cul_error *err)
{
	struct cul_probe_run *run = a->run;
	const char *module = site_of(run, i)->module;
	cul_autoclose int btf_fd = -1;
	int r = 0;

	if (strcmp(module, "vmlinux") != 0) {
		btf_fd = cul_sites_btf_fd(module, err);
		if (btf_fd < 0)
			return btf_fd;
	}
	if (run->returns)
		r = arm_fentry_one(a, i, true, btf_fd < 0 ? 0 : btf_fd, err);
	return r ? r : arm_fentry_one(a, i, false, btf_fd < 0 ? 0 : btf_fd, err);
}

/* All sites that one program is for, by one link. */
static int arm_multi_group(struct arming *a, const int *fds, size_t first, bool at_return,
	uint64_t *addrs, uint64_t *cookies, struct cul_error *err)
{
	struct cul_probe_run *run = a->run;
	struct cul_attachment attachment = CUL_ATTACHMENT_NONE;
	size_t n = 0;
	int r;

	for (size_t i = first; i < run->sites.sites.len; i++) {
		if (fds[i] != fds[first])
			continue;
		addrs[n] = site_of(run, i)->addr;
		cookies[n++] = i;
	}
	r = cul_attach_kprobe_multi(fds[first], addrs, cookies, n, at_return, &attachment, err);
	return r ? r : add_link(run, &attachment, (unsigned)first, (unsigned)n, err);
}

static bool is_first(const int *fds, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (fds[j] == fds[i])
			return false;
	return fds[i] >= 0;
}

static int arm_multi_way(struct arming *a, bool at_return, struct cul_error *err)
{
	size_t n = a->run->sites.sites.len;
	cul_autofree uint64_t *addrs = cul_calloc(n, sizeof(*addrs)),
			      *cookies = cul_calloc(n, sizeof(*cookies));
	cul_autofree int *fds = cul_calloc(n, sizeof(*fds));
	int r = 0;

	if (!addrs || !cookies || !fds)
		return cul_fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		fds[i] = -1;
		if (a->ways[i] != CUL_ATTACH_KPROBE_MULTI)
			continue;
		fds[i] = shared_program(a, i, at_return ? CUL_TEMPLATE_RETURN : CUL_TEMPLATE_ENTRY,
			BPF_TRACE_KPROBE_MULTI, err);
		if (fds[i] < 0)
			return fds[i];
	}
	for (size_t i = 0; !r && i < n; i++)
		if (is_first(fds, i))
			r = arm_multi_group(a, fds, i, at_return, addrs, cookies, err);
	return r;
}

static int arm_multi(struct arming *a, struct cul_error *err)
{
	int r = a->run->returns ? arm_multi_way(a, true, err) : 0;

	return r ? r : arm_multi_way(a, false, err);
}

/* `step` behind the site. */
static int arm_place(struct arming *a, size_t i, unsigned step, int fd, struct cul_error *err)
{
	struct cul_probe_run *run = a->run;
	const struct cul_site *site = site_of(run, i);
	struct cul_attachment attachment = CUL_ATTACHMENT_NONE;
	int r = fd;

	if (fd >= 0)
		r = run->pid ? cul_probe_attach_user(run, i, step, false, fd, &attachment, err)
			     : cul_attach_kprobe(fd, site->addr + step, i, false, &attachment, err);
	/* The second of two is to the first what a return is to a call. */
	attachment.at_return = step != 0;
	return r ? r : add_link(run, &attachment, (unsigned)i, 1, err);
}

/* The one behind it first, as with returns. */
static int arm_instruction(struct arming *a, size_t i, struct cul_error *err)
{
	int r = 0;

	if (a->run->after)
		r = arm_place(a, i, a->run->plans[i].step,
			shared_program(a, i, CUL_TEMPLATE_AFTER, 0, err), err);
	return r ? r : arm_place(a, i, 0, shared_program(a, i, CUL_TEMPLATE_BEFORE, 0, err), err);
}

static int arm_kprobe(struct arming *a, size_t i, struct cul_error *err)
{
	struct cul_probe_run *run = a->run;
	const struct cul_site *site = site_of(run, i);
	struct cul_attachment attachment = CUL_ATTACHMENT_NONE;
	int r = 0, fd;

	/* Only a function comes back. */
	if (run->returns && cul_probe_returns(site)) {
		fd = shared_program(a, i, CUL_TEMPLATE_RETURN, 0, err);
		r = fd < 0 ? fd : cul_attach_kprobe(fd, site->addr, i, true, &attachment, err);
		if (!r)
			r = add_link(run, &attachment, (unsigned)i, 1, err);
	}
	if (r)
		return r;
	fd = shared_program(a, i, run->inject.every ? CUL_TEMPLATE_INJECT : entry_of(site), 0, err);
	r = fd < 0 ? fd : cul_attach_kprobe(fd, site->addr, i, false, &attachment, err);
	return r ? r : add_link(run, &attachment, (unsigned)i, 1, err);
}

static int arm_kretprobe(struct arming *a, size_t i, struct cul_error *err)
{
	struct cul_probe_run *run = a->run;
	const struct cul_site *site = site_of(run, i);
	struct cul_attachment attachment = CUL_ATTACHMENT_NONE;
	cul_autostr struct cul_str place = {0};
	size_t number;
	int r = 0, fd;

	if (!run->kretprobes)
		r = cul_kretprobes_new(CUL_KPROBE_EVENTS, &run->kretprobes, err);
	if (r)
		return r;
	if (strcmp(site->module, "vmlinux") != 0)
		cul_str_addf(&place, "%s:", site->module);
	cul_str_add(&place, site->symbol);
	fd = shared_program(a, i, CUL_TEMPLATE_RETURN, 0, err);
	if (fd < 0)
		return fd;
	r = cul_kretprobe_attach(run->kretprobes, cul_str_text(&place), run->options->maxactive, fd,
		i, &number, &attachment, err);
	if (!r)
		r = add_link(run, &attachment, (unsigned)i, 1, err);
	if (r)
		return r;
	run->links.data[run->links.len - 1].kretprobe = number;
	fd = shared_program(a, i, CUL_TEMPLATE_ENTRY, 0, err);
	r = fd < 0 ? fd : cul_attach_kprobe(fd, site->addr, i, false, &attachment, err);
	return r ? r : add_link(run, &attachment, (unsigned)i, 1, err);
}

static int arm_uprobe(struct arming *a, size_t i, struct cul_error *err)
{
	struct cul_probe_run *run = a->run;
	struct cul_attachment attachment = CUL_ATTACHMENT_NONE;
	int r = 0, fd;

	if (run->returns && cul_probe_returns(site_of(run, i))) {
		fd = shared_program(a, i, CUL_TEMPLATE_RETURN, 0, err);
		r = fd < 0 ? fd : cul_probe_attach_user(run, i, 0, true, fd, &attachment, err);
		if (!r)
			r = add_link(run, &attachment, (unsigned)i, 1, err);
	}
	if (r)
		return r;
	fd = shared_program(a, i, entry_of(site_of(run, i)), 0, err);
	r = fd < 0 ? fd : cul_probe_attach_user(run, i, 0, false, fd, &attachment, err);
	return r ? r : add_link(run, &attachment, (unsigned)i, 1, err);
}

static int arm_tracepoint(struct arming *a, size_t i, struct cul_error *err)
{
	struct cul_probe_run *run = a->run;
	const struct cul_probe_instance instance = {.from = CUL_TEMPLATE_TRACEPOINT,
		.site = (int32_t)i,
		.args = cul_plan_taken(&run->plans[i], run->words),
		.scratch = 1 + 2 * (unsigned)i,
		.code = code_of(run, i, CUL_TEMPLATE_TRACEPOINT)};
	struct cul_attachment attachment = CUL_ATTACHMENT_NONE;
	int fd = cul_probe_program_make(&run->program, &instance, err), r;

	if (fd < 0)
		return fd;
	r = cul_attach_raw_tracepoint(fd, site_of(run, i)->name, 0, &attachment, err);
	return r ? r : add_link(run, &attachment, (unsigned)i, 1, err);
}

/* Closes what was attached since there were `n` links. */
static void back_to(struct cul_probe_run *run, size_t n)
{
	while (run->links.len > n)
		cul_attachment_detach(&run->links.data[--run->links.len].attachment);
}

/* The kernel does not say whose place it was, nor of a function that it is notrace. */
static int fail_named(struct cul_probe_run *run, size_t i, int r, struct cul_error *err)
{
	const struct cul_site *site = site_of(run, i);
	const struct cul_error why = *err;
	struct cul_error ignored;

	if (r == -ENOMEM || r == -EPERM)
		return r;
	if (r == -EINVAL && !run->pid && cul_probe_returns(site) &&
		cul_sites_is_notrace(cul_scope_kernel_names(run->scope, &ignored), site))
		return cul_fail(err, -EADDRNOTAVAIL,
			"%s [%s] cannot be probed: notrace: ftrace does not know it", site->symbol,
			site->module);
	return cul_fail(err, r, "%s [%s]: %s", site->symbol, site->module, why.text);
}

static int arm_one(struct arming *a, size_t i, struct cul_error *err)
{
	size_t before = a->run->links.len;
	int r;

	if (site_of(a->run, i)->kind == CUL_SITE_INSIDE)
		return arm_instruction(a, i, err);
	switch (a->ways[i]) {
	case CUL_ATTACH_FENTRY:
		r = arm_fentry(a, i, err);
		if (!r || r == -EPERM || r == -ENOMEM)
			return r;
		/* The next cheapest. */
		back_to(a->run, before);
		a->ways[i] = CUL_ATTACH_KPROBE;
		return arm_kprobe(a, i, err);
	case CUL_ATTACH_KPROBE_MULTI: /* attached together with the others */
		return 0;
	case CUL_ATTACH_TRACEFS:
		return arm_kretprobe(a, i, err);
	case CUL_ATTACH_UPROBE:
		return arm_uprobe(a, i, err);
	case CUL_ATTACH_RAW_TRACEPOINT:
		return arm_tracepoint(a, i, err);
	default:
		return arm_kprobe(a, i, err);
	}
}

/* What the kernel says of one place: of another it may say something else. */
static bool is_refusal(int code)
{
	return code == -EINVAL || code == -EILSEQ || code == -ENOENT || code == -EBUSY ||
	       code == -EADDRNOTAVAIL || code == -EOPNOTSUPP || code == -ENOTSUP;
}

/* Of many, those that the kernel refuses are left out, and said so. */
static int arm_one_of_many(struct arming *a, size_t i, size_t *refused, struct cul_error *err)
{
	struct cul_probe_run *run = a->run;
	size_t before = run->links.len;
	struct cul_error why = {0};
	const char *text;
	int r = cul_probe_step(run, "attaching", i, err);

	if (r)
		return r;
	r = arm_one(a, i, err);
	if (r && (!is_refusal(r) || ++*refused == run->sites.sites.len))
		return fail_named(run, i, r, err);
	if (!r)
		return 0;
	back_to(run, before);
	run->absent[i] = true;
	/* "kprobe at 0x...: " is told by the function's name. */
	text = strstr(err->text, " at 0x") ? strstr(err->text, ": ") : NULL;
	why.code = r;
	snprintf(why.text, sizeof(why.text), "%s", text ? text + 2 : err->text);
	r = cul_probe_leave_out(run, i, &why);
	return r ? cul_fail(err, r, "out of memory") : 0;
}

static int arm_all(struct arming *a, struct cul_error *err)
{
	struct cul_probe_run *run = a->run;
	int r = arm_multi(a, err);
	size_t refused = 0;

	if (r && r != -EPERM && r != -ENOMEM) {
		/* No fprobe, or one of them is unknown to ftrace: one by one. */
		back_to(run, 0);
		for (size_t i = 0; i < run->sites.sites.len; i++)
			if (a->ways[i] == CUL_ATTACH_KPROBE_MULTI)
				a->ways[i] = CUL_ATTACH_KPROBE;
		r = 0;
	}
	for (size_t i = 0; !r && i < run->sites.sites.len; i++)
		r = arm_one_of_many(a, i, &refused, err);
	return r;
}

static void arming_free(struct arming *a)
{
	free(a->ways);
	free(a->made.data);
}

int cul_probe_arm(struct cul_probe_run *run, struct cul_error *err)
{
	uint64_t start = cul_clock_now();
	__attribute__((cleanup(arming_free))) struct arming a = {
		.run = run, .ways = cul_calloc(run->sites.sites.len, sizeof(*a.ways))};
	int r;

	run->absent = cul_calloc(run->sites.sites.len, sizeof(*run->absent));
	run->bare = cul_calloc(run->sites.sites.len, sizeof(*run->bare));
	if (!a.ways || !run->absent || !run->bare)
		return cul_fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < run->sites.sites.len; i++)
		a.ways[i] = cul_probe_way(run, i);
	cul_probe_busy(run, "attaching");
	r = cul_probe_follow(run, err);
	if (!r)
		r = arm_all(&a, err);
	if (r)
		return r;
	run->start_ns = run->rated_ns = cul_clock_now();
	run->attach_ns = run->start_ns - start;
	r = cul_probe_program_go_live(&run->program);
	return r ? cul_fail(err, r, "reading what was counted: %s", cul_strerror(r)) : 0;
}

int cul_probe_disarm(struct cul_probe_run *run, struct cul_error *err)
{
	int r = cul_probe_program_end(&run->program);

	run->end_ns = cul_clock_now();
	if (r)
		return cul_fail(err, r, "reading what was counted: %s", cul_strerror(r));
	/* One that began before may still count. */
	r = cul_sys_bpf_wait_for_programs();
	return r ? cul_fail(err, r, "waiting for the programs that still run: %s", cul_strerror(r))
		 : 0;
}

void cul_probe_detach(struct cul_probe_run *run)
{
	const struct cul_probe_options *o = run->options;
	size_t n = run->links.len;

	while (run->links.len) {
		if (o->progress)
			o->progress(
				o->progress_data, "detaching", n - run->links.len, n > 1 ? n : 0);
		back_to(run, run->links.len - 1);
	}
	cul_kretprobes_free(run->kretprobes);
	run->kretprobes = NULL;
	cul_probe_busy(run, NULL);
}

/*
 * Of a run that did not come about: to close many links takes the kernel a grace period and more
 * for each, which nobody has to wait for. Another process has them too, and ends.
 */
static void hand_over(void)
{
	pid_t pid = fork();
	sigset_t all;

	if (pid)
		return;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	prctl(PR_SET_NAME, "culprit-detach");
	/* At once: somebody may read until all ends of a pipe are closed. */
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		close(fd);
	_exit(0);
}

void cul_probe_arm_free(struct cul_probe_run *run)
{
	if (run->links.len > WAITED_FOR)
		hand_over();
	cul_probe_detach(run);
	for (size_t i = 0; i < CUL_PROBE_FORK_LINKS; i++)
		cul_attachment_detach(&run->fork_links[i]);
	free(run->links.data);
	if (run->opened)
		cul_probe_program_free(&run->program);
	for (size_t i = 0; run->generated && i < run->sites.sites.len; i++)
		cul_generated_free(&run->generated[i]);
	free(run->generated);
	free(run->plans);
	free(run->absent);
	free(run->bare);
}
