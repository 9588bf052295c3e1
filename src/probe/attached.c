/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The first line: what is probed, how, and what is not.
 */
#include <string.h>

#include "probe/run.h"

static const char *const method_names[] = {
	[CUL_ATTACH_FENTRY] = "fentry",
	[CUL_ATTACH_KPROBE_MULTI] = "kprobe-multi",
	[CUL_ATTACH_KPROBE] = "kprobe",
	[CUL_ATTACH_TRACEFS] = "kretprobe",
	[CUL_ATTACH_UPROBE] = "uprobe",
	[CUL_ATTACH_RAW_TRACEPOINT] = "raw tracepoint",
};

/* Why there is nothing between the brackets of a call: no type is known. */
static const char *say_untyped(struct cul_probe_run *run)
{
	struct cul_kernel *k;

	for (size_t i = 0; i < run->sites.sites.len; i++)
		if (run->plans[i].typed || run->plans[i].inside)
			return NULL;
	if (run->pid)
		return "the file has no debug information (DWARF), so arguments are not shown; "
		       "expressions know them as arg0 to arg5, and --debug FILE names a file that "
		       "has it";
	k = cul_scope_kernel_names(run->scope, NULL);
	if (k && !cul_kernel_has_btf(k))
		return "the kernel's types are not known (no /sys/kernel/btf/vmlinux: "
		       "CONFIG_DEBUG_INFO_BTF), so arguments are not shown; expressions know them "
		       "as arg0 to arg5, and --debug VMLINUX names a file that has types";
	return "no type is known, so arguments are not shown; expressions know them as arg0 to "
	       "arg5";
}

/*
 * The kernel has its own return address on the stack (a uretprobe), of which the unwinder of C++
 * and Rust knows nothing. A file with tables for it may have code that is left so; those of the C
 * library are for threads that are cancelled.
 */
static bool may_throw(struct cul_probe_run *run)
{
	struct cul_process_syms *names = cul_scope_process_names(run->scope);
	struct cul_objfile *file;
	size_t cursor = 0;

	while (names && cul_process_next_object(names, &cursor, &file)) {
		const char *slash = file ? strrchr(cul_objfile_name(file), '/') : NULL;
		const char *name = slash ? slash + 1 : file ? cul_objfile_name(file) : "";

		if (file && strncmp(name, "libc.so", 7) != 0 && strncmp(name, "ld-", 3) != 0 &&
			cul_objfile_has_section(file, ".gcc_except_table"))
			return true;
	}
	return false;
}

static void say_note(struct cul_probe_run *run, bool returns, struct cul_str *out)
{
	const char *untyped = say_untyped(run);

	cul_str_add(out, untyped ? untyped : "");
	if (returns && run->pid && may_throw(run))
		cul_str_addf(out,
			"%san exception or panic that leaves a function whose return is probed "
			"ends the program (its unwinder does not know the kernel's return "
			"address); probes of calls alone leave it as it is",
			untyped ? "; " : "");
}

int cul_probe_say_attached(struct cul_probe_run *run)
{
	enum { KINDS = sizeof(method_names) / sizeof(method_names[0]), REFUSED = 4 };
	struct cul_probe_method methods[KINDS];
	struct cul_probe_refused refused[REFUSED];
	cul_autostr struct cul_str spec = {0}, signature = {0}, note = {0};
	struct cul_probe_attached attached = {
		.methods = methods,
		.refused = refused,
		.n_refused = run->sites.refused.len,
		.pid = run->pid,
		.children = run->inherits,
		.only_pid = run->only_pid,
		.only_cpus = run->options->cpus,
		.took_ns = run->attach_ns,
	};
	size_t counts[KINDS] = {0}, first = 0;
	const char *name = NULL;

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
		const struct cul_site *site = &run->sites.sites.data[i];

		if (run->absent[i])
			continue;
		first = name ? first : i;
		attached.n_sites++;
		attached.n_functions += !name || strcmp(site->name, name) != 0;
		name = site->name;
		attached.returns |= run->returns && cul_probe_returns(site);
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
	if (attached.n_functions == 1 && run->plans[first].typed) {
		cul_signature_print(&signature, name, &run->plans[first].signature);
		attached.signature = cul_str_text(&signature);
	}
	if (attached.n_sites == 1 && run->insn.len) {
		cul_str_addf(&signature, "%s (%s)", attached.spec, run->insn.text);
		attached.signature = cul_str_text(&signature);
	}
	say_note(run, attached.returns, &note);
	attached.note = note.len ? cul_str_text(&note) : NULL;
	return run->sink->ops->probe_attached(run->sink, &attached);
}
