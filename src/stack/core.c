/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A core file as the source of stacks. */
#include "stack/core.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arch/core.h"
#include "base/alloc.h"
#include "base/cleanup.h"

enum { SENT_BY_USER = 0, SENT_BY_TKILL = -6, SENT_BY_QUEUE = -1 };

/* Code and constants that the core does not hold, from the files. */
static int read_file(void *data, uint64_t addr, void *buf, size_t size)
{
	struct cul_core_source *s = data;

	return s->source->syms ? cul_process_code(s->source->syms, addr, buf, size) : -EFAULT;
}

static void free_source(struct cul_stack_source *source)
{
	struct cul_core_source *s = source->data;

	cul_process_free(source->syms);
	cul_core_free(s->core);
	cul_maps_free(&s->maps);
	free(s->found.data);
	cul_str_free(&s->absent.text);
	cul_str_free(&s->wrong.text);
	cul_str_free(&s->unchecked.text);
	free(s);
}

/* "SEGV_MAPERR at 0x10" */
static const char *reason(struct cul_core_source *s)
{
	const struct cul_core_signal *signal = &s->core->signal;
	cul_autostr struct cul_str text = {0};
	const char *code;
	bool has_addr;

	if (!signal->has_details)
		return NULL;
	code = cul_signal_code_name(s->core->arch, signal->number, signal->code, &has_addr);
	if (code)
		cul_str_addf(&text, "%s", code);
	else
		cul_str_addf(&text, "code %d", signal->code);
	if (has_addr)
		cul_str_addf(&text, " at 0x%llx", (unsigned long long)signal->addr);
	else if ((signal->code == SENT_BY_USER || signal->code == SENT_BY_TKILL ||
			 signal->code == SENT_BY_QUEUE) &&
		 signal->pid)
		cul_str_addf(&text,
			signal->pid == s->core->pid ? " by itself (%d)" : " by process %d",
			signal->pid);
	return text.failed ? NULL : cul_arena_strdup(&s->source->arena, cul_str_text(&text));
}

/* gcore takes a core of a process that lives, and stopped it for that. */
static bool is_ended(const struct cul_core *core)
{
	static const char *const harmless[] = {
		"SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGCONT", "SIGCHLD", "SIGWINCH"};
	const char *name = cul_signal_name(core->arch, core->signal.number);

	for (size_t i = 0; name && i < sizeof(harmless) / sizeof(harmless[0]); i++)
		if (strcmp(name, harmless[i]) == 0)
			return false;
	return core->signal.number > 0;
}

static int take_threads(struct cul_core_source *s)
{
	const struct cul_core *core = s->core;

	for (size_t i = 0; i < core->threads.len; i++) {
		const struct cul_core_thread *from = &core->threads.data[i];
		struct cul_source_thread *to = cul_vec_push(&s->source->threads);

		if (!to)
			return -ENOMEM;
		to->about.tid = from->tid;
		to->about.pid = core->pid;
		to->about.name = from->tid == core->pid && core->name[0] ? core->name : NULL;
		if (i == 0 && is_ended(core)) {
			to->about.signal = core->signal.number;
			to->about.signal_name = cul_signal_name(core->arch, core->signal.number);
		}
		to->has_regs = true;
		to->regs = (struct cul_thread_regs){.regs = from->regs, .known = ~0ull};
	}
	return 0;
}

static void note_core(struct cul_core_source *s)
{
	const struct cul_core *core = s->core;

	if (core->size < core->promised)
		cul_stack_note(s->source,
			"the core is cut off: %llu of %llu bytes are there (a limit of its size, "
			"or "
			"the disk was full), so that stacks may end early",
			(unsigned long long)core->size, (unsigned long long)core->promised);
	if (core->notes_cut)
		cul_stack_note(s->source,
			"notes of the core are missing or make no sense: there may be more "
			"threads than are shown");
	if (core->too_many)
		cul_stack_note(s->source,
			"the core has more threads, mappings or notes than are read: not all "
			"are shown");
}

static void about(struct cul_core_source *s)
{
	struct cul_stack_about *about = &s->source->about;
	const struct cul_core *core = s->core;

	about->pid = core->pid ? core->pid : core->threads.data[0].tid;
	about->process = core->name[0] ? core->name : NULL;
	about->core = s->options->core;
	about->arch = core->arch->name;
	about->n_threads = core->threads.len;
	if (is_ended(core)) {
		about->signal = core->signal.number;
		about->signal_name = cul_signal_name(core->arch, core->signal.number);
		about->reason = reason(s);
	}
	about->command = core->args[0] ? core->args : NULL;
}

static int fill(struct cul_core_source *s, struct cul_error *err)
{
	struct cul_stack_source *source = s->source;
	struct cul_process_files files = {
		.data = s, .open = cul_core_open_file, .build_id = cul_core_file_id};
	int ret = cul_core_open(s->options->core, &s->core, err);

	if (ret != 0)
		return ret;
	source->arch = s->core->arch;
	source->mem = cul_core_mem(s->core);
	source->signature = s->core->signature;
	note_core(s);
	if (take_threads(s) != 0 || cul_core_make_maps(s) != 0)
		return cul_fail(err, -ENOMEM, "%s: out of memory", s->options->core);
	cul_core_auxv(s->core, AT_ENTRY, &files.entry);
	ret = cul_process_open_maps(
		s->core->pid, &s->maps, &files, s->options->debug_paths, &source->syms, err);
	if (ret != 0)
		return ret;
	cul_core_fill(s->core, read_file, s);
	cul_process_keep(source->syms);
	cul_core_note_files(s);
	about(s);
	return 0;
}

int cul_stack_from_core(const struct cul_stack_options *options, struct cul_stack_source *out,
	struct cul_error *err)
{
	struct cul_core_source *s = cul_calloc(1, sizeof(*s));
	int ret;

	if (!s)
		return cul_fail(err, -ENOMEM, "%s: out of memory", options->core);
	s->options = options;
	s->source = out;
	out->data = s;
	out->free = free_source;
	ret = fill(s, err);
	if (ret != 0)
		cul_stack_source_free(out);
	return ret;
}
