/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mem/core.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arch/core.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "mem/core_priv.h"
#include "sys/file.h"

enum { ELF_MIPS_ABI2 = 0x20, MACHINE_LOONGARCH = 258 };

/* Reading the file */

int cul_core_file_read(struct core_reader *r, uint64_t offset, void *buf, size_t size)
{
	ssize_t n;

	if (offset > r->core.size || size > r->core.size - offset)
		return -ENODATA;
	if (size > CORE_WINDOW) {
		n = cul_sys_pread_full(r->fd, buf, size, offset);
		return n < 0 ? (int)n : (size_t)n == size ? 0 : -ENODATA;
	}
	if (offset < r->window || offset + size > r->window + r->window_len) {
		n = cul_sys_pread_full(r->fd, r->window_bytes, CORE_WINDOW, offset);
		r->window = offset;
		r->window_len = n < 0 ? 0 : (size_t)n;
		if (r->window_len < size)
			return n < 0 ? (int)n : -ENODATA;
	}
	memcpy(buf, r->window_bytes + (offset - r->window), size);
	return 0;
}

/* Memory */

const struct cul_core_segment *cul_core_segment_at(const struct cul_core *core, uint64_t addr)
{
	size_t low = 0, high = core->segments.len;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (core->segments.data[mid].end <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == core->segments.len || core->segments.data[low].start > addr)
		return NULL;
	return &core->segments.data[low];
}

static int core_read(struct cul_mem *mem, uint64_t addr, void *buf, size_t size)
{
	struct core_reader *r =
		(struct core_reader *)((char *)mem - offsetof(struct core_reader, mem));
	char *to = buf;

	if (size && addr > UINT64_MAX - (size - 1))
		return -EFAULT;
	while (size) {
		const struct cul_core_segment *s = cul_core_segment_at(&r->core, addr);
		uint64_t skip, part;
		ssize_t n;

		if (!s)
			return r->fill ? r->fill(r->fill_data, addr, to, size) : -EFAULT;
		skip = addr - s->start;
		if (skip < s->held) {
			part = s->held - skip < size ? s->held - skip : size;
			n = cul_sys_pread_full(r->fd, to, part, s->offset + skip);
			if (n < 0 || (uint64_t)n < part)
				return n < 0 ? (int)n : -EFAULT;
		} else {
			int ret = -EFAULT;

			part = s->end - addr < size ? s->end - addr : size;
			if (r->fill && !s->write)
				ret = r->fill(r->fill_data, addr, to, part);
			if (ret != 0)
				return ret;
		}
		to += part;
		addr += part;
		size -= part;
	}
	return 0;
}

static const struct cul_mem_ops core_ops = {.name = "the core file", .read = core_read};

struct cul_mem *cul_core_mem(struct cul_core *core)
{
	return &((struct core_reader *)core)->mem;
}

void cul_core_fill(struct cul_core *core,
	int (*read)(void *data, uint64_t addr, void *buf, size_t size), void *data)
{
	struct core_reader *r = (struct core_reader *)core;

	r->fill = read;
	r->fill_data = data;
}

size_t cul_core_held(struct cul_core *core, uint64_t addr, void *buf, size_t size)
{
	const struct cul_core_segment *s = cul_core_segment_at(core, addr);
	uint64_t n = s && addr - s->start < s->held ? s->held - (addr - s->start) : 0;

	if (n > size)
		n = size;
	return n && core_read(cul_core_mem(core), addr, buf, n) == 0 ? n : 0;
}

bool cul_core_auxv(const struct cul_core *core, uint64_t type, uint64_t *value)
{
	for (size_t i = 0; i < core->auxv.len; i++)
		if (core->auxv.data[i].type == type) {
			*value = core->auxv.data[i].value;
			return true;
		}
	return false;
}

/* Headers */

static int fail_open(const char *path, int code, struct cul_error *err)
{
	switch (code) {
	case -ENOENT:
		return cul_fail(err, code, "%s: there is no such file%s%s", path,
			strchr(path, '/') ? "" : "; a process is named by its number: pidof ",
			strchr(path, '/') ? "" : path);
	case -EACCES:
	case -EPERM:
		return cul_fail(err, code,
			"%s: may not be read: a core belongs to its process' user; run as that "
			"user or as root",
			path);
	case -EISDIR:
		return cul_fail(err, code, "%s: is a directory; name the core file in it", path);
	default:
		return cul_fail(err, code, "%s: cannot be read: %s", path, cul_strerror(code));
	}
}

static int open_file(struct core_reader *r, const char *path, struct cul_error *err)
{
	struct stat st;

	r->fd = cul_sys_open_regular(path);
	if (r->fd == -ENOEXEC)
		return cul_fail(err, -ENOEXEC,
			"%s: is no regular file; write the core to a file first", path);
	if (r->fd < 0)
		return fail_open(path, r->fd, err);
	if (fstat(r->fd, &st) != 0)
		return fail_open(path, -errno, err);
	r->core.size = (uint64_t)st.st_size;
	if (r->core.size == 0)
		return cul_fail(err, -ENOEXEC,
			"%s: is empty: no core was written into it (is the disk full?)", path);
	return 0;
}

/* Says what it is, as far as its first bytes tell. */
static int not_elf(struct core_reader *r, const char *path, struct cul_error *err)
{
	static const struct {
		const char *magic, *name, *command;
	} packed[] = {{"\x1f\x8b", "gzip", "gzip -d -c"},
		{"\x28\xb5\x2f\xfd", "zstd", "zstd -d -c"},
		{"\x04\x22\x4d\x18", "lz4", "lz4 -d -c"},
		{"\xfd"
		 "7zXZ",
			"xz", "xz -d -c"},
		{"BZh", "bzip2", "bzip2 -d -c"}};
	char head[8] = "";

	cul_sys_pread_full(r->fd, head, sizeof(head) - 1, 0);
	for (size_t i = 0; i < sizeof(packed) / sizeof(packed[0]); i++)
		if (memcmp(head, packed[i].magic, strlen(packed[i].magic)) == 0)
			return cul_fail(err, -ENOEXEC,
				"%s: is compressed with %s; unpack it (%s %s >core) and name the "
				"result",
				path, packed[i].name, packed[i].command, path);
	return cul_fail(err, -ENOEXEC, "%s: is no core file: it does not begin as one", path);
}

static const char *machine_name(const struct cul_elf_head *head)
{
	static const struct {
		uint16_t machine;
		const char *name;
	} names[] = {{EM_386, "32-bit x86"}, {EM_PPC, "ppc"}, {EM_PPC64, "ppc64"},
		{EM_S390, "s390"}, {EM_RISCV, "riscv"}, {EM_SPARCV9, "sparc64"},
		{MACHINE_LOONGARCH, "loongarch"}, {EM_ALPHA, "alpha"}, {EM_PARISC, "parisc"},
		{EM_SH, "sh"}};

	if (head->machine == EM_X86_64)
		return "x32";
	if (head->machine == EM_MIPS)
		return "mips n32";
	if (head->machine == EM_AARCH64)
		return head->is_64 ? "big-endian aarch64" : "aarch64 ILP32";
	if (head->machine == EM_ARM)
		return "big-endian arm";
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].machine == head->machine)
			return names[i].name;
	return NULL;
}

static int find_arch(struct core_reader *r, const char *path, struct cul_error *err)
{
	const struct cul_elf_head *head = &r->head;
	const struct cul_arch *arch =
		cul_arch_of_elf(head->machine, head->is_64 ? 8 : 4, head->big_endian);
	const char *name = machine_name(head);
	char text[48];

	/* The registers of n32 are those of n64, the rest is as in o32. */
	if (head->machine == EM_MIPS && !head->is_64 && head->flags & ELF_MIPS_ABI2)
		arch = NULL;
	if (arch && arch->core) {
		r->core.arch = arch;
		return 0;
	}
	snprintf(text, sizeof(text), "machine %u of ELF", head->machine);
	return cul_fail(err, -ENOTSUP,
		"%s: is a core of %s, which culprit does not read: it reads x86_64, aarch64, arm, "
		"mips "
		"(o32) and mips64 (n64), mips in both byte orders; gdb-multiarch may",
		path, name ? name : text);
}

static int read_header(struct core_reader *r, const char *path, struct cul_error *err)
{
	uint8_t bytes[CUL_ELF_HEAD_MAX];
	ssize_t n = cul_sys_pread_full(r->fd, bytes, sizeof(bytes), 0);
	int ret;

	if (n < 0)
		return fail_open(path, (int)n, err);
	ret = cul_elf_head(bytes, (size_t)n, &r->head);
	if (ret == -ENOEXEC)
		return not_elf(r, path, err);
	if (ret != 0)
		return cul_fail(err, ret, "%s: has no whole ELF header: %llu bytes are there", path,
			(unsigned long long)r->core.size);
	if (r->head.type == ET_EXEC || r->head.type == ET_DYN)
		return cul_fail(err, -ENOEXEC,
			"%s: is a program or library, not a core file; name the core (and this "
			"with "
			"--exe), or the pid of a process that runs it",
			path);
	if (r->head.type != ET_CORE)
		return cul_fail(err, -ENOEXEC, "%s: is an ELF file, but no core file", path);
	return find_arch(r, path, err);
}

/* elf_core_dump(): with PN_XNUM or more the count is in the only section header. */
static uint64_t count_headers(struct core_reader *r)
{
	uint8_t bytes[4];
	uint64_t at = r->head.shoff;

	if (r->head.phnum != PN_XNUM)
		return r->head.phnum;
	if (__builtin_add_overflow(at,
		    r->head.is_64 ? offsetof(Elf64_Shdr, sh_info) : offsetof(Elf32_Shdr, sh_info),
		    &at) ||
		cul_core_file_read(r, at, bytes, sizeof(bytes)) != 0)
		return PN_XNUM;
	return cul_elf_number(bytes, sizeof(bytes), r->head.big_endian);
}

static int take_segment(struct core_reader *r, const struct cul_elf_phdr *ph)
{
	uint64_t size = ph->memsz > ph->filesz ? ph->memsz : ph->filesz;
	struct cul_core_segment segment = {.start = ph->vaddr,
		.offset = ph->offset,
		.read = ph->flags & PF_R,
		.write = ph->flags & PF_W,
		.exec = ph->flags & PF_X};

	if (size == 0 || __builtin_add_overflow(ph->vaddr, size, &segment.end))
		return 0;
	if (ph->offset < r->core.size) {
		segment.held = r->core.size - ph->offset;
		if (segment.held > ph->filesz)
			segment.held = ph->filesz;
	}
	if (!cul_vec_push(&r->core.segments))
		return -ENOMEM;
	r->core.segments.data[r->core.segments.len - 1] = segment;
	return 0;
}

static int by_start(const void *a, const void *b)
{
	const struct cul_core_segment *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static void sort_segments(struct cul_core *core)
{
	size_t kept = 0;

	if (core->segments.len)
		qsort(core->segments.data, core->segments.len, sizeof(core->segments.data[0]),
			by_start);
	for (size_t i = 0; i < core->segments.len; i++)
		if (!kept || core->segments.data[i].start >= core->segments.data[kept - 1].end)
			core->segments.data[kept++] = core->segments.data[i];
	core->segments.len = kept;
}

static int read_segments(struct core_reader *r)
{
	uint8_t bytes[CUL_ELF_PHDR_MAX];
	uint64_t n = count_headers(r), at = r->head.phoff;
	unsigned size = cul_elf_phdr_size(&r->head);

	if (n > CUL_CORE_MAX_SEGMENTS) {
		n = CUL_CORE_MAX_SEGMENTS;
		r->core.too_many = true;
	}
	for (uint64_t i = 0; i < n; i++) {
		struct cul_elf_phdr ph;
		uint64_t end;
		int ret = 0;

		if (at > UINT64_MAX - size || cul_core_file_read(r, at, bytes, size) != 0) {
			if (!__builtin_add_overflow(at, (n - i) * size, &end) &&
				end > r->core.promised)
				r->core.promised = end;
			break;
		}
		cul_elf_phdr(&r->head, bytes, &ph);
		at += size;
		if ((ph.type != PT_LOAD && ph.type != PT_NOTE) ||
			__builtin_add_overflow(ph.offset, ph.filesz, &end))
			continue;
		if (end > r->core.promised)
			r->core.promised = end;
		if (ph.type == PT_LOAD)
			ret = take_segment(r, &ph);
		else if (ph.filesz)
			ret = cul_core_read_notes(r, ph.offset, end);
		if (ret != 0)
			return ret;
	}
	sort_segments(&r->core);
	return 0;
}

static void reader_cleanup(struct core_reader **r)
{
	cul_core_free((struct cul_core *)*r);
}

int cul_core_open(const char *path, struct cul_core **out, struct cul_error *err)
{
	cul_cleanup(reader_cleanup) struct core_reader *r = cul_calloc(1, sizeof(*r));
	int ret;

	if (!r)
		return cul_fail(err, -ENOMEM, "%s: out of memory", path);
	r->fd = -1;
	r->mem.ops = &core_ops;
	ret = open_file(r, path, err);
	if (ret == 0)
		ret = read_header(r, path, err);
	if (ret != 0)
		return ret;
	if (r->head.phentsize != cul_elf_phdr_size(&r->head) && r->head.phnum)
		return cul_fail(
			err, -EBADMSG, "%s: has program headers of a size that there is not", path);
	ret = read_segments(r);
	if (ret != 0)
		return cul_fail(err, ret, "%s: out of memory for its headers", path);
	if (r->core.threads.len == 0)
		return cul_fail(err, -EBADMSG, "%s: holds no thread: %s", path,
			r->core.size < r->core.promised
				? "it is cut off before the notes that tell their registers"
				: "it has no note that tells registers (NT_PRSTATUS)");
	*out = &cul_take(r)->core;
	return 0;
}

void cul_core_free(struct cul_core *core)
{
	struct core_reader *r = (struct core_reader *)core;

	if (!r)
		return;
	if (r->fd >= 0)
		close(r->fd);
	free(core->threads.data);
	free(core->segments.data);
	free(core->files.data);
	free(core->auxv.data);
	cul_arena_free(&core->arena);
	free(r);
}
