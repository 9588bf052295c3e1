/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Attaching, as cheap as the kernel allows: fentry for few functions, one
 * fprobe for many, kprobes for what is left.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "probe/run.h"

enum { FENTRY_MOST = 8 }; /* sites; each takes programs of its own and a wait of the kernel's */

/* How each site is to be attached. */
struct way {
	enum cul_attach_kind kind;
	bool attached;
};

struct arming {
	struct cul_probe_run *run;
	struct way *ways;        /* by site */
	int entry_fd, return_fd; /* programs by cookie, made when first needed; -1: not yet */
	int multi_entry_fd, multi_return_fd;
};

static const struct cul_site *site_of(const struct cul_probe_run *run, size_t i)
{
	return &run->sites.sites.data[i];
}

static int make_plans(struct cul_probe_run *run, struct cul_error *err)
{
	const struct cul_probe_options *o = run->options;
	struct cul_plan_want want = {
		.args = o->view == CUL_VIEW_CALLS && !o->args,
		.ret = o->view == CUL_VIEW_CALLS && run->returns,
		.depth = o->depth,
		.user = run->pid != 0,
	};
	size_t n = run->sites.sites.len;
	int r = 0;

	run->plans = cul_calloc(n, sizeof(*run->plans));
	if (!run->plans)
		return cul_fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; !r && i < n; i++) {
		const struct cul_site *site = site_of(run, i);

		want.tracepoint = site->kind == CUL_SITE_TRACEPOINT;
		/* In the middle of a function, the arguments are anywhere. */
		r = cul_plan_make(site->kind == CUL_SITE_INSIDE || site->kind == CUL_SITE_INLINED
					  ? NULL
					  : site->type,
			&want, &run->plans[i], err);
	}
	return r;
}

static bool fits_fentry(const struct cul_probe_run *run, size_t i)
{
	const struct cul_site *site = site_of(run, i);
	const struct cul_plan *plan = &run->plans[i];

	if (site->kind != CUL_SITE_FUNCTION || !site->btf_id || !site->traceable || !plan->typed ||
		plan->signature.is_variadic || plan->signature.ret_in_memory)
		return false;
	for (size_t a = 0; a < plan->n_args; a++)
		if (plan->args[a].source != (int)a || plan->args[a].place.n_words != 1 ||
			a >= CUL_PROBE_REG_WORDS)
			return false;
	return true;
}

static bool wants_caller(const struct cul_probe_run *run)
{
	return false;
}

static void choose(struct arming *a)
{
	struct cul_probe_run *run = a->run;
	size_t n = run->sites.sites.len;

	for (size_t i = 0; i < n; i++) {
		const struct cul_site *site = site_of(run, i);
		bool function = site->kind == CUL_SITE_FUNCTION || site->kind == CUL_SITE_CLONE;

		if (run->pid)
			a->ways[i].kind = CUL_ATTACH_UPROBE;
		else if (site->kind == CUL_SITE_TRACEPOINT)
			a->ways[i].kind = CUL_ATTACH_RAW_TRACEPOINT;
		else if (!function)
			a->ways[i].kind = CUL_ATTACH_KPROBE;
		else if (run->options->maxactive && run->returns)
			a->ways[i].kind = CUL_ATTACH_TRACEFS;
		else if (n <= FENTRY_MOST && !wants_caller(run) && fits_fentry(run, i))
			a->ways[i].kind = CUL_ATTACH_FENTRY;
		else
			a->ways[i].kind =
				site->traceable ? CUL_ATTACH_KPROBE_MULTI : CUL_ATTACH_KPROBE;
	}
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

/* A program for many places, which tell themselves by their cookies. */
static int shared_program(struct arming *a, int *fd, enum cul_probe_template from,
	enum bpf_attach_type attach, struct cul_error *err)
{
	const struct cul_probe_instance instance = {
		.from = from,
		.site = CUL_SITE_BY_COOKIE,
		.args = CUL_PROBE_WORDS,
		.attach = attach,
	};

	if (*fd < 0)
		*fd = cul_probe_program_make(&a->run->program, &instance, err);
	return *fd;
}

static int arm_fentry_one(
	struct arming *a, size_t i, bool at_return, int btf_fd, struct cul_error *err)
{
	struct cul_probe_run *run = a->run;
	const struct cul_probe_instance instance = {
		.from = at_return ? CUL_TEMPLATE_FEXIT : CUL_TEMPLATE_FENTRY,
		.site = (int32_t)i,
		.args = (unsigned)run->plans[i].n_args,
		.scratch = 1 + 2 * (unsigned)i + at_return,
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

static int arm_multi(struct arming *a, struct cul_error *err)
{
	struct cul_probe_run *run = a->run;
	size_t n = 0, all = run->sites.sites.len;
	cul_autofree uint64_t *addrs = cul_calloc(all, sizeof(*addrs)),
			      *cookies = cul_calloc(all, sizeof(*cookies));
	struct cul_attachment attachment = CUL_ATTACHMENT_NONE;
	int r = 0, fd;

	if (!addrs || !cookies)
		return cul_fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < all; i++) {
		if (a->ways[i].kind != CUL_ATTACH_KPROBE_MULTI)
			continue;
		addrs[n] = site_of(run, i)->addr;
		cookies[n++] = i;
	}
	if (!n)
		return 0;
	for (int at_return = run->returns; !r && at_return >= 0; at_return--) {
		fd = at_return ? shared_program(a, &a->multi_return_fd, CUL_TEMPLATE_RETURN,
					 BPF_TRACE_KPROBE_MULTI, err)
			       : shared_program(a, &a->multi_entry_fd, CUL_TEMPLATE_ENTRY,
					 BPF_TRACE_KPROBE_MULTI, err);
		if (fd < 0)
			return fd;
		r = cul_attach_kprobe_multi(fd, addrs, cookies, n, at_return, &attachment, err);
		if (!r)
			r = add_link(run, &attachment, (unsigned)cookies[0], (unsigned)n, err);
	}
	return r;
}

static int arm_kprobe(struct arming *a, size_t i, struct cul_error *err)
{
	struct cul_probe_run *run = a->run;
	const struct cul_site *site = site_of(run, i);
	struct cul_attachment attachment = CUL_ATTACHMENT_NONE;
	int r = 0, fd;

	/* Only a function comes back. */
	if (run->returns && site->kind <= CUL_SITE_CLONE) {
		fd = shared_program(a, &a->return_fd, CUL_TEMPLATE_RETURN, 0, err);
		r = fd < 0 ? fd : cul_attach_kprobe(fd, site->addr, i, true, &attachment, err);
		if (!r)
			r = add_link(run, &attachment, (unsigned)i, 1, err);
	}
	if (r)
		return r;
	fd = shared_program(a, &a->entry_fd, CUL_TEMPLATE_ENTRY, 0, err);
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
		r = cul_kretprobes_new(&run->kretprobes, err);
	if (r)
		return r;
	if (strcmp(site->module, "vmlinux") != 0)
		cul_str_addf(&place, "%s:", site->module);
	cul_str_add(&place, site->symbol);
	fd = shared_program(a, &a->return_fd, CUL_TEMPLATE_RETURN, 0, err);
	if (fd < 0)
		return fd;
	r = cul_kretprobe_attach(run->kretprobes, cul_str_text(&place), run->options->maxactive, fd,
		i, &number, &attachment, err);
	if (!r)
		r = add_link(run, &attachment, (unsigned)i, 1, err);
	if (r)
		return r;
	run->links.data[run->links.len - 1].kretprobe = number;
	fd = shared_program(a, &a->entry_fd, CUL_TEMPLATE_ENTRY, 0, err);
	r = fd < 0 ? fd : cul_attach_kprobe(fd, site->addr, i, false, &attachment, err);
	return r ? r : add_link(run, &attachment, (unsigned)i, 1, err);
}

static int arm_uprobe(struct arming *a, size_t i, struct cul_error *err)
{
	struct cul_probe_run *run = a->run;
	const struct cul_site *site = site_of(run, i);
	struct cul_attachment attachment = CUL_ATTACHMENT_NONE;
	int r = 0, fd;

	if (run->returns && site->kind <= CUL_SITE_CLONE) {
		fd = shared_program(a, &a->return_fd, CUL_TEMPLATE_RETURN, 0, err);
		r = fd < 0 ? fd
			   : cul_attach_uprobe(fd, site->path, site->file_offset, run->pid, i, true,
				     &attachment, err);
		if (!r)
			r = add_link(run, &attachment, (unsigned)i, 1, err);
	}
	if (r)
		return r;
	fd = shared_program(a, &a->entry_fd, CUL_TEMPLATE_ENTRY, 0, err);
	r = fd < 0 ? fd
		   : cul_attach_uprobe(fd, site->path, site->file_offset, run->pid, i, false,
			     &attachment, err);
	return r ? r : add_link(run, &attachment, (unsigned)i, 1, err);
}

static int arm_tracepoint(struct arming *a, size_t i, struct cul_error *err)
{
	struct cul_probe_run *run = a->run;
	const struct cul_probe_instance instance = {.from = CUL_TEMPLATE_TRACEPOINT,
		.site = (int32_t)i,
		.scratch = 1 + 2 * (unsigned)i};
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

static int arm_one(struct arming *a, size_t i, struct cul_error *err)
{
	size_t before = a->run->links.len;
	int r;

	switch (a->ways[i].kind) {
	case CUL_ATTACH_FENTRY:
		r = arm_fentry(a, i, err);
		if (!r || r == -EPERM)
			return r;
		/* The next cheapest. */
		back_to(a->run, before);
		a->ways[i].kind = CUL_ATTACH_KPROBE;
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

static int arm_all(struct arming *a, struct cul_error *err)
{
	struct cul_probe_run *run = a->run;
	int r = arm_multi(a, err);

	if (r && r != -EPERM) {
		/* No fprobe, or one of them is unknown to ftrace: one by one. */
		back_to(run, 0);
		for (size_t i = 0; i < run->sites.sites.len; i++)
			if (a->ways[i].kind == CUL_ATTACH_KPROBE_MULTI)
				a->ways[i].kind = CUL_ATTACH_KPROBE;
		r = 0;
	}
	for (size_t i = 0; !r && i < run->sites.sites.len; i++)
		r = arm_one(a, i, err);
	return r;
}

/* The offset of a member, or of a member of a member, of a struct of the kernel. */
static bool offset_of(struct cul_probe_run *run, const char *tag, const char *path, __u32 *out)
{
	const struct cul_expr_env *env = cul_scope_env(run->scope);
	const struct cul_type *t = env->type(env->data, CUL_TAG_STRUCT, tag);
	uint64_t bits = 0;
	char name[32];

	while (t && *path) {
		size_t n = strcspn(path, ".");
		struct cul_member m;

		snprintf(name, sizeof(name), "%.*s", (int)n, path);
		if (cul_type_member(t, name, &m, NULL))
			return false;
		bits += m.bit_offset;
		t = m.type;
		path += n + (path[n] == '.');
	}
	*out = (__u32)(bits / 8);
	return t != NULL;
}

/* Where paths are in the kernel's structs; only asked when an argument is one. */
static void find_offsets(struct cul_probe_run *run, struct cul_probe_offsets *o)
{
	bool wanted = false;

	for (size_t i = 0; i < run->sites.sites.len; i++)
		for (size_t a = 0; a < run->plans[i].n_args; a++)
			wanted |= run->plans[i].args[a].form == CUL_FORM_PATH;
	o->known = wanted && offset_of(run, "file", "f_path.dentry", &o->file_dentry) &&
		   offset_of(run, "file", "f_path.mnt", &o->file_mnt) &&
		   offset_of(run, "dentry", "d_parent", &o->dentry_parent) &&
		   offset_of(run, "dentry", "d_name.name", &o->dentry_name) &&
		   offset_of(run, "dentry", "d_sb", &o->dentry_sb) &&
		   offset_of(run, "super_block", "s_type", &o->sb_type) &&
		   offset_of(run, "file_system_type", "name", &o->type_name) &&
		   offset_of(run, "vfsmount", "mnt_root", &o->mnt_root) &&
		   offset_of(run, "mount", "mnt", &o->mount_mnt) &&
		   offset_of(run, "mount", "mnt_parent", &o->mount_parent) &&
		   offset_of(run, "mount", "mnt_mountpoint", &o->mount_mountpoint);
}

static int open_program(struct cul_probe_run *run, struct cul_error *err)
{
	const struct cul_probe_options *o = run->options;
	bool calls = o->view == CUL_VIEW_CALLS, few = run->sites.sites.len <= FENTRY_MOST;
	bool tracepoints = false;
	struct cul_probe_program_config config = {
		.n_sites = run->sites.sites.len,
		.user_target = run->pid != 0,
		.returns = run->returns,
		.carry = calls && run->returns,
		.diff = o->diff,
		.errors_only = o->errors,
		.only_pid = run->only_pid,
		.slow_ns = o->slow_ns,
		.events = calls,
		.groups = o->view == CUL_VIEW_COUNT || o->view == CUL_VIEW_HIST,
		.bars = o->view == CUL_VIEW_HIST,
		.comm = calls || o->by || o->condition,
		.caller = wants_caller(run),
		.kernel_stack = o->want_kernel_stack,
		.user_stack = o->want_user_stack,
		.on_event = cul_probe_on_event,
		.data = run,
	};

	for (size_t i = 0; i < run->sites.sites.len; i++)
		tracepoints |= site_of(run, i)->kind == CUL_SITE_TRACEPOINT;
	if (!run->pid)
		find_offsets(run, &config.offsets);
	config.n_scratches = few || tracepoints ? 1 + 2 * (unsigned)run->sites.sites.len : 1;
	return cul_probe_program_open(&config, &run->program, err);
}

static int set_recipes(struct cul_probe_run *run, struct cul_error *err)
{
	int r = 0;

	for (size_t i = 0; !r && i < run->sites.sites.len; i++)
		r = cul_probe_program_set_recipe(&run->program, (unsigned)i, &run->plans[i].recipe);
	return r ? cul_fail(err, r, "handing the recipes to the program: %s", cul_strerror(r)) : 0;
}

int cul_probe_arm(struct cul_probe_run *run, struct cul_error *err)
{
	cul_autofree struct way *ways = cul_calloc(run->sites.sites.len, sizeof(*ways));
	struct arming a = {.run = run,
		.ways = ways,
		.entry_fd = -1,
		.return_fd = -1,
		.multi_entry_fd = -1,
		.multi_return_fd = -1};
	uint64_t start = cul_probe_now();
	int r;

	if (!ways)
		return cul_fail(err, -ENOMEM, "out of memory");
	r = make_plans(run, err);
	if (!r)
		r = open_program(run, err);
	if (r)
		return r;
	run->opened = true;
	r = set_recipes(run, err);
	if (r)
		return r;
	choose(&a);
	r = arm_all(&a, err);
	if (r)
		return r;
	run->start_ns = cul_probe_now();
	run->attach_ns = run->start_ns - start;
	cul_probe_program_go_live(&run->program, true);
	return 0;
}

void cul_probe_disarm(struct cul_probe_run *run)
{
	if (run->end_ns || !run->opened)
		return;
	cul_probe_program_go_live(&run->program, false);
	run->end_ns = cul_probe_now();
}

void cul_probe_arm_free(struct cul_probe_run *run)
{
	back_to(run, 0);
	free(run->links.data);
	cul_kretprobes_free(run->kretprobes);
	if (run->opened)
		cul_probe_program_free(&run->program);
	free(run->plans);
}

static const char *const method_names[] = {
	[CUL_ATTACH_FENTRY] = "fentry",
	[CUL_ATTACH_KPROBE_MULTI] = "kprobe-multi",
	[CUL_ATTACH_KPROBE] = "kprobe",
	[CUL_ATTACH_TRACEFS] = "kretprobe",
	[CUL_ATTACH_UPROBE] = "uprobe",
	[CUL_ATTACH_RAW_TRACEPOINT] = "raw tracepoint",
};

int cul_probe_say_attached(struct cul_probe_run *run)
{
	enum { KINDS = sizeof(method_names) / sizeof(method_names[0]), REFUSED = 4 };
	struct cul_probe_method methods[KINDS];
	struct cul_probe_refused refused[REFUSED];
	cul_autostr struct cul_str spec = {0}, signature = {0};
	struct cul_probe_attached attached = {
		.methods = methods,
		.refused = refused,
		.n_sites = run->sites.sites.len,
		.n_refused = run->sites.refused.len,
		.returns = run->returns,
		.pid = run->pid,
		.only_pid = run->only_pid,
		.took_ns = run->attach_ns,
	};
	size_t counts[KINDS] = {0};

	for (size_t i = 0; i < run->options->n_specs; i++)
		cul_str_addf(&spec, "%s%s", i ? " " : "", run->options->specs[i]);
	attached.spec = cul_str_text(&spec);
	for (size_t i = 0; i < run->links.len; i++)
		if (!run->links.data[i].attachment.at_return)
			counts[run->links.data[i].attachment.kind] += run->links.data[i].n_sites;
	for (size_t k = 0; k < KINDS; k++)
		if (counts[k])
			methods[attached.n_methods++] =
				(struct cul_probe_method){method_names[k], counts[k]};
	for (size_t i = 0; i < run->sites.sites.len; i++) {
		const struct cul_site *site = site_of(run, i);

		attached.n_functions += !i || strcmp(site->name, site[-1].name) != 0;
		attached.n_clones += site->kind == CUL_SITE_CLONE;
		attached.n_inlined += site->kind == CUL_SITE_INLINED;
	}
	for (; attached.n_refused_shown < REFUSED && attached.n_refused_shown < attached.n_refused;
		attached.n_refused_shown++) {
		const struct cul_site_refused *from =
			&run->sites.refused.data[attached.n_refused_shown];

		refused[attached.n_refused_shown] =
			(struct cul_probe_refused){from->symbol, from->module, from->why};
	}
	if (attached.n_functions == 1 && run->plans[0].typed) {
		cul_signature_print(&signature, site_of(run, 0)->name, &run->plans[0].signature);
		attached.signature = cul_str_text(&signature);
	}
	return run->sink->ops->probe_attached(run->sink, &attached);
}
