/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Notes of a core. Their order: fs/binfmt_elf.c, fill_note_info() and write_note_info(): the thread
 * that got the signal with the notes of the process, then the other threads.
 */
#include "mem/core_priv.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arch/core.h"
#include "base/alloc.h"
#include "base/cleanup.h"

enum {
	MAX_NOTES = 1 << 20,
	MAX_SMALL = 1024,         /* bytes read of a note but of NT_FILE */
	MAX_FILE_NOTE = 64 << 20, /* the kernel's own bound is 4 MiB (MAX_FILE_NOTE_SIZE) */
	SIGINFO_HEAD = 12,
};

struct note {
	struct cul_elf_note head;
	uint64_t desc; /* in the file */
};

static uint64_t number(const struct core_reader *r, const uint8_t *bytes, unsigned size)
{
	return cul_elf_number(bytes, size, r->core.arch->big_endian);
}

static void text(char *to, const uint8_t *from, size_t size)
{
	memcpy(to, from, size);
	to[size] = '\0';
	for (size_t len = strlen(to); len && to[len - 1] == ' '; len--)
		to[len - 1] = '\0';
}

static int take_thread(struct core_reader *r, const uint8_t *desc, size_t size)
{
	const struct cul_arch *arch = r->core.arch;
	const struct cul_arch_core *facts = arch->core;
	struct cul_core_thread *thread;

	if (size < facts->prstatus_size) {
		r->core.notes_cut = true;
		return 0;
	}
	if (r->core.threads.len == CUL_CORE_MAX_THREADS) {
		r->core.too_many = true;
		return 0;
	}
	thread = cul_vec_push(&r->core.threads);
	if (!thread)
		return -ENOMEM;
	thread->tid = (int)number(r, desc + facts->prstatus_pid, 4);
	for (unsigned i = 0; i < arch->n_regs; i++)
		thread->regs.r[i] =
			number(r, desc + facts->prstatus_regs + i * arch->word, arch->word);
	if (r->core.threads.len == 1 && !r->core.signal.has_details)
		r->core.signal.number = (int)number(r, desc + CUL_PRSTATUS_SIGNAL, 2);
	return 0;
}

static void take_process(struct core_reader *r, const uint8_t *desc, size_t size)
{
	const struct cul_arch_core *facts = r->core.arch->core;

	if (size < facts->prpsinfo_size || r->core.pid)
		return;
	r->core.pid = (int)number(r, desc + facts->prpsinfo_pid, 4);
	text(r->core.name, desc + facts->prpsinfo_name, CUL_PRPSINFO_NAME);
	text(r->core.args, desc + facts->prpsinfo_args, CUL_PRPSINFO_ARGS);
}

static void take_signal(struct core_reader *r, const uint8_t *desc, size_t size)
{
	const struct cul_arch *arch = r->core.arch;
	struct cul_core_signal *signal = &r->core.signal;
	const uint8_t *fields = desc + arch->core->siginfo_fields;

	if (size < arch->core->siginfo_fields + 8u || signal->has_details)
		return;
	signal->has_details = true;
	signal->number = (int)number(r, desc, 4);
	signal->code = (int)number(r, desc + (arch->core->siginfo_code_second ? 4 : 8), 4);
	signal->addr = number(r, fields, arch->word);
	signal->pid = (int)number(r, fields, 4);
}

static int take_auxv(struct core_reader *r, const uint8_t *desc, size_t size)
{
	unsigned word = r->core.arch->word;

	if (r->core.auxv.len)
		return 0;
	for (size_t at = 0; at + 2 * word <= size && r->core.auxv.len < CUL_CORE_MAX_AUXV;
		at += 2 * word) {
		struct cul_core_auxv *entry;
		uint64_t type = number(r, desc + at, word);

		if (type == AT_NULL)
			break;
		entry = cul_vec_push(&r->core.auxv);
		if (!entry)
			return -ENOMEM;
		*entry = (struct cul_core_auxv){type, number(r, desc + at + word, word)};
	}
	return 0;
}

static int by_start(const void *a, const void *b)
{
	const struct cul_core_file *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* In order of address; of those that overlap the first stays. */
static void sort_files(struct cul_core *core)
{
	size_t kept = 0;

	if (core->files.len)
		qsort(core->files.data, core->files.len, sizeof(core->files.data[0]), by_start);
	for (size_t i = 0; i < core->files.len; i++)
		if (!kept || core->files.data[i].start >= core->files.data[kept - 1].end)
			core->files.data[kept++] = core->files.data[i];
	core->files.len = kept;
}

/*
 * fill_files_note(): count, unit of the offsets; start, end and offset of each; then the names,
 * each with a NUL.
 */
static int take_files(struct core_reader *r, const uint8_t *desc, size_t size)
{
	unsigned word = r->core.arch->word;
	uint64_t count, unit;
	const char *name, *end = (const char *)desc + size;

	if (size < 2 * word)
		return 0;
	count = number(r, desc, word);
	unit = number(r, desc + word, word);
	if (count > (size - 2 * word) / (3 * word + 1)) {
		r->core.notes_cut = true;
		return 0;
	}
	name = (const char *)desc + 2 * word + count * 3 * word;
	for (uint64_t i = 0; i < count; i++) {
		const uint8_t *at = desc + 2 * word + i * 3 * word;
		size_t len = strnlen(name, (size_t)(end - name));
		struct cul_core_file file = {.start = number(r, at, word),
			.end = number(r, at + word, word),
			.path = name};

		if (name + len == end || r->core.files.len == CUL_CORE_MAX_FILES) {
			r->core.too_many |= name + len != end;
			r->core.notes_cut |= name + len == end;
			break;
		}
		name += len + 1;
		if (file.end <= file.start ||
			__builtin_mul_overflow(number(r, at + 2 * word, word), unit, &file.offset))
			continue;
		file.path = cul_arena_strdup(&r->core.arena, file.path);
		if (!file.path || !cul_vec_push(&r->core.files))
			return -ENOMEM;
		r->core.files.data[r->core.files.len - 1] = file;
	}
	sort_files(&r->core);
	return 0;
}

/* Notes of the processor's other registers have the same numbers under another owner. */
static bool is_owner(
	struct core_reader *r, const struct note *note, uint64_t at, const char *wanted)
{
	size_t len = strlen(wanted);
	char owner[8];

	return note->head.owner_size >= len && note->head.owner_size <= len + 1 &&
	       cul_core_file_read(r, at + note->head.owner, owner, len) == 0 &&
	       memcmp(owner, wanted, len) == 0;
}

/* struct user_pac_mask: of data, of code; the same for all threads. */
static void take_signature(struct core_reader *r, const struct note *note)
{
	uint8_t desc[16];

	if (r->core.arch->elf_machine == EM_AARCH64 && note->head.desc_size >= sizeof(desc) &&
		cul_core_file_read(r, note->desc, desc, sizeof(desc)) == 0)
		r->core.signature = number(r, desc + 8, 8);
}

static int take_small(struct core_reader *r, const struct note *note)
{
	uint8_t desc[MAX_SMALL];
	size_t size = note->head.desc_size < MAX_SMALL ? note->head.desc_size : MAX_SMALL;

	if (cul_core_file_read(r, note->desc, desc, size) != 0) {
		r->core.notes_cut = true;
		return 0;
	}
	switch (note->head.type) {
	case NT_PRSTATUS:
		return take_thread(r, desc, size);
	case NT_PRPSINFO:
		take_process(r, desc, size);
		return 0;
	case NT_SIGINFO:
		take_signal(r, desc, size);
		return 0;
	default:
		return take_auxv(r, desc, size);
	}
}

static int take_large(struct core_reader *r, const struct note *note)
{
	cul_autofree uint8_t *desc = NULL;
	size_t size = note->head.desc_size;

	if (r->files_tried)
		return 0;
	r->files_tried = true;
	if (size > MAX_FILE_NOTE || note->desc > r->core.size || size > r->core.size - note->desc) {
		r->core.notes_cut = true;
		return 0;
	}
	desc = cul_calloc(1, size ? size : 1);
	if (!desc)
		return -ENOMEM;
	if (cul_core_file_read(r, note->desc, desc, size) != 0) {
		r->core.notes_cut = true;
		return 0;
	}
	return take_files(r, desc, size);
}

int cul_core_read_notes(struct core_reader *r, uint64_t start, uint64_t end)
{
	uint8_t bytes[CUL_ELF_NOTE_HEAD];
	uint64_t at = start;

	for (; end - at >= CUL_ELF_NOTE_HEAD; r->n_notes++) {
		struct note note;
		int ret = 0;

		if (r->n_notes == MAX_NOTES) {
			r->core.too_many = true;
			return 0;
		}
		if (cul_core_file_read(r, at, bytes, sizeof(bytes)) != 0)
			break;
		cul_elf_note(bytes, r->core.arch->big_endian, &note.head);
		if (note.head.desc > end - at || note.head.desc_size > end - at - note.head.desc)
			break;
		note.desc = at + note.head.desc;
		if (note.head.type == NT_ARM_PAC_MASK && is_owner(r, &note, at, "LINUX"))
			take_signature(r, &note);
		if (is_owner(r, &note, at, "CORE")) {
			switch (note.head.type) {
			case NT_PRSTATUS:
			case NT_PRPSINFO:
			case NT_SIGINFO:
			case NT_AUXV:
				ret = take_small(r, &note);
				break;
			case NT_FILE:
				ret = take_large(r, &note);
				break;
			}
		}
		if (ret != 0)
			return ret;
		if (note.head.next >= end - at)
			return 0;
		at += note.head.next;
	}
	r->core.notes_cut |= at < end;
	return 0;
}
