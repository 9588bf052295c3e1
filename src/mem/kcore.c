/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The running kernel's memory through /proc/kcore, an ELF core file of all of it. */
#include "mem/mem.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "sys/file.h"

enum {
	/* A kernel has one for each block of RAM and a few areas; a big machine has some hundreds.
	 */
	MAX_HEADERS = 16384,
	MAX_NOTES = 64,
};

struct segment {
	uint64_t addr, size;
	uint64_t offset; /* in the file; offset + size does not overflow */
};

struct kcore {
	struct cul_mem mem;
	int fd;
	uint64_t notes, notes_size; /* in the file */
	size_t n;
	struct segment segments[];
};

static const struct segment *segment_at(const struct kcore *k, uint64_t addr)
{
	for (size_t i = 0; i < k->n; i++) {
		const struct segment *s = &k->segments[i];

		if (addr >= s->addr && addr - s->addr < s->size)
			return s;
	}
	return NULL;
}

static int kcore_read(struct cul_mem *mem, uint64_t addr, void *buf, size_t size)
{
	struct kcore *k = (struct kcore *)mem;
	char *to = buf;

	while (size > 0) {
		const struct segment *s = segment_at(k, addr);
		uint64_t skip, part;
		ssize_t n;

		if (!s)
			return -EFAULT;
		skip = addr - s->addr;
		part = s->size - skip < size ? s->size - skip : size;
		n = cul_sys_pread_full(k->fd, to, part, s->offset + skip);
		if (n < 0)
			return (int)n;
		if ((uint64_t)n < part)
			return -EFAULT;
		to += part;
		size -= part;
		if (size > 0 && __builtin_add_overflow(addr, part, &addr))
			return -EFAULT;
	}
	return 0;
}

/* The note that fs/proc/kcore.c makes of `current` for each read. */
static int kcore_own_task(struct cul_mem *mem, void *buf, size_t size)
{
	struct kcore *k = (struct kcore *)mem;
	uint64_t at = 0;

	for (unsigned i = 0; i < MAX_NOTES && at + sizeof(Elf64_Nhdr) <= k->notes_size; i++) {
		uint64_t data;
		Elf64_Nhdr note;
		ssize_t n = cul_sys_pread_full(k->fd, &note, sizeof(note), k->notes + at);

		if (n < (ssize_t)sizeof(note))
			return n < 0 ? (int)n : -EFAULT;
		data = at + sizeof(note) + ((note.n_namesz + 3ull) & ~3ull);
		if (note.n_type == NT_TASKSTRUCT) {
			if (note.n_descsz < size)
				return -EFAULT;
			n = cul_sys_pread_full(k->fd, buf, size, k->notes + data);
			return n < 0 ? (int)n : (size_t)n < size ? -EFAULT : 0;
		}
		at = data + ((note.n_descsz + 3ull) & ~3ull);
	}
	return -ENOTSUP;
}

static void kcore_free(struct cul_mem *mem)
{
	struct kcore *k = (struct kcore *)mem;

	close(k->fd);
	free(k);
}

static const struct cul_mem_ops kcore_ops = {
	.name = "/proc/kcore",
	.read = kcore_read,
	.free = kcore_free,
	.own_task = kcore_own_task,
};

static int fail_open(const char *path, int code, struct cul_error *err)
{
	switch (code) {
	case -ENOENT:
		return cul_fail(err, code,
			"there is no %s: this kernel is built without CONFIG_PROC_KCORE", path);
	case -EACCES:
	case -EPERM:
		return cul_fail(err, -EPERM,
			"%s may not be read: it takes root with CAP_SYS_RAWIO, and a kernel that "
			"is not locked down (see /sys/kernel/security/lockdown)",
			path);
	default:
		return cul_fail(err, code, "cannot open %s: %s", path, cul_strerror(code));
	}
}

static int bad(const char *path, const char *what, struct cul_error *err)
{
	return cul_fail(err, -EBADMSG, "%s: %s", path, what);
}

static int read_header(int fd, const char *path, Elf64_Ehdr *eh, struct cul_error *err)
{
	ssize_t n = cul_sys_pread_full(fd, eh, sizeof(*eh), 0);

	if (n < 0)
		return cul_fail(err, (int)n, "cannot read %s: %s", path, cul_strerror((int)n));
	if ((size_t)n < sizeof(*eh) || memcmp(eh->e_ident, ELFMAG, SELFMAG))
		return bad(path, "is no ELF file", err);
	if (eh->e_ident[EI_CLASS] != ELFCLASS64)
		return cul_fail(
			err, -ENOTSUP, "%s is of a 32-bit kernel, which is not supported", path);
	if (eh->e_ident[EI_DATA] !=
		(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB))
		return bad(path, "is of a machine with the other byte order", err);
	if (eh->e_phentsize != sizeof(Elf64_Phdr) || eh->e_phnum == 0 || eh->e_phnum > MAX_HEADERS)
		return bad(path, "has no usable program headers", err);
	if (eh->e_phoff > INT64_MAX)
		return bad(path, "has program headers beyond any file", err);
	return 0;
}

/* Takes over the loadable segments whose extent makes sense, and where the notes are. */
static void take_segments(struct kcore *k, const Elf64_Phdr *ph, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t size = ph[i].p_filesz, end;

		if (size == 0 || (ph[i].p_type != PT_LOAD && ph[i].p_type != PT_NOTE))
			continue;
		if (__builtin_add_overflow(ph[i].p_vaddr, size - 1, &end) ||
			__builtin_add_overflow(ph[i].p_offset, size, &end) || end > INT64_MAX)
			continue;
		if (ph[i].p_type == PT_NOTE) {
			k->notes = ph[i].p_offset;
			k->notes_size = size;
			continue;
		}
		k->segments[k->n].addr = ph[i].p_vaddr;
		k->segments[k->n].size = size;
		k->segments[k->n].offset = ph[i].p_offset;
		k->n++;
	}
}

static int load(int fd, const char *path, struct kcore **out, struct cul_error *err)
{
	cul_autofree Elf64_Phdr *ph = NULL;
	cul_autofree struct kcore *k = NULL;
	Elf64_Ehdr eh;
	size_t size;
	ssize_t n;
	int ret;

	ret = read_header(fd, path, &eh, err);
	if (ret < 0)
		return ret;
	size = eh.e_phnum * sizeof(*ph);
	ph = cul_calloc(1, size);
	k = cul_calloc(1, sizeof(*k) + eh.e_phnum * sizeof(k->segments[0]));
	if (!ph || !k)
		return cul_fail(err, -ENOMEM, "out of memory");
	n = cul_sys_pread_full(fd, ph, size, eh.e_phoff);
	if (n < 0)
		return cul_fail(err, (int)n, "cannot read %s: %s", path, cul_strerror((int)n));
	if ((size_t)n < size)
		return bad(path, "ends within its program headers", err);
	take_segments(k, ph, eh.e_phnum);
	if (k->n == 0)
		return bad(path, "has no loadable segment", err);
	*out = cul_take(k);
	return 0;
}

int cul_mem_kcore(const char *path, struct cul_mem **out, struct cul_error *err)
{
	cul_autoclose int fd = cul_sys_open(path, O_RDONLY);
	struct kcore *k = NULL;
	int ret;

	if (fd < 0)
		return fail_open(path, fd, err);
	ret = load(fd, path, &k, err);
	if (ret < 0)
		return ret;
	k->mem.ops = &kcore_ops;
	k->fd = cul_take_fd(&fd);
	*out = &k->mem;
	return 0;
}
