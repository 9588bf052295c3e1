/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "stack/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/vec.h"
#include "sys/process.h"

enum {
	PAGE = 4096,
	ROOM_MOST = 256 << 20,
	ALTERNATE_MOST = 64 << 20, /* above it is a pointer: stacks are full of those */
	AT_ONCE = 256,             /* stacks a system call */
	BELOW = 256,               /* of the stack pointer: the red zone and more */
	/* Memory that is there before it is wanted: most stacks are smaller. */
	READY_EACH = 2 * PAGE,
	LEAST = 2 * PAGE, /* of one stack, where there are very many */
	READY_MOST = 32 << 20,
	RED_ZONE = 128, /* x86_64: a function that calls nobody may use that much below its stack */
};

#define SS_FLAGS (1u | 1u << 31) /* SS_ONSTACK, SS_AUTODISARM (include/uapi/linux/signal.h) */

struct copy {
	uint64_t addr, size;
	const uint8_t *bytes;
};

struct cul_snapshot {
	struct cul_mem mem;
	pid_t pid;
	struct cul_mem *live;
	const struct cul_maps *maps; /* NULL: not closed yet */
	uint8_t *room;
	size_t used, size;
	size_t most;                 /* of one stack */
	CUL_VEC(struct copy) copies; /* by address once it is closed, or searched */
	bool sorted;
	size_t last;    /* where something was found */
	uint64_t until; /* 0: no end */
	bool late;
};

static int by_addr(const void *a, const void *b)
{
	const struct copy *x = a, *y = b;

	return (x->addr > y->addr) - (x->addr < y->addr);
}

static bool covers(const struct copy *c, uint64_t addr)
{
	return addr >= c->addr && addr - c->addr < c->size;
}

/* How many begin at `addr` or before. */
static size_t up_to(struct cul_snapshot *s, uint64_t addr)
{
	const struct copy *c = s->copies.data;
	size_t low = 0, high = s->copies.len;

	if (!s->sorted && high) {
		qsort(s->copies.data, high, sizeof(*c), by_addr);
		s->sorted = true;
		s->last = 0;
	}
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (c[mid].addr <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Copies may overlap where stacks lie in one mapping. */
static const struct copy *find(struct cul_snapshot *s, uint64_t addr)
{
	const struct copy *c = s->copies.data;
	size_t low;

	if (s->sorted && s->last < s->copies.len && covers(&c[s->last], addr))
		return &c[s->last];
	low = up_to(s, addr);
	while (low-- > 0 && addr - c[low].addr < CUL_SNAPSHOT_STACK) {
		if (!covers(&c[low], addr))
			continue;
		s->last = low;
		return &c[low];
	}
	return NULL;
}

/* Where a compiler at run time puts its code, but no stack: frames there are never certain. */
static bool is_code(struct cul_snapshot *s, const struct cul_map *map)
{
	/* A copy begins in the mapping of its stack. */
	return map->prot & CUL_MAP_EXEC && up_to(s, map->start - 1) == up_to(s, map->end - 1);
}

static bool may_read(struct cul_snapshot *s, uint64_t addr)
{
	const struct cul_map *map = s->maps ? cul_maps_at(s->maps, addr) : NULL;

	if (s->maps)
		return map && (!(map->prot & CUL_MAP_WRITE) || is_code(s, map));
	s->late |= s->until && cul_clock_now() > s->until;
	return !s->late;
}

static int snapshot_read(struct cul_mem *mem, uint64_t addr, void *buf, size_t size)
{
	struct cul_snapshot *s = (struct cul_snapshot *)mem;
	uint8_t *to = buf;

	while (size) {
		const struct copy *c = find(s, addr);
		size_t n = size;

		if (c) {
			uint64_t at = addr - c->addr;

			if (n > c->size - at)
				n = c->size - at;
			memcpy(to, c->bytes + at, n);
		} else {
			return may_read(s, addr) ? cul_mem_read(s->live, addr, to, n) : -EFAULT;
		}
		to += n;
		addr += n;
		size -= n;
	}
	return 0;
}

static void snapshot_free(struct cul_mem *mem)
{
	cul_snapshot_free((struct cul_snapshot *)mem);
}

static const struct cul_mem_ops snapshot_ops = {
	.name = "copies of its stacks",
	.read = snapshot_read,
	.free = snapshot_free,
};

/* While a process stands still nothing should wait for pages to be found and cleared. */
static void make_ready(struct cul_snapshot *s, size_t size)
{
	volatile uint8_t *room = s->room;

	for (size_t at = 0; at < size && at < READY_MOST && at < s->size; at += PAGE)
		room[at] = 0;
}

int cul_snapshot_new(pid_t pid, struct cul_mem *live, size_t n, struct cul_snapshot **out)
{
	struct cul_snapshot *s = cul_calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->mem.ops = &snapshot_ops;
	s->pid = pid;
	s->live = live;
	s->most = CUL_SNAPSHOT_STACK;
	s->size = (n + 1) * CUL_SNAPSHOT_STACK;
	if (n >= ROOM_MOST / CUL_SNAPSHOT_STACK) {
		s->size = ROOM_MOST;
		s->most = ROOM_MOST / n & ~(size_t)(PAGE - 1);
		s->most = s->most < LEAST ? LEAST : s->most;
	}
	s->room = cul_calloc(1, s->size); /* what is not written to takes no memory */
	if (!s->room) {
		free(s);
		return -ENOMEM;
	}
	make_ready(s, (n + 1) * READY_EACH);
	*out = s;
	return 0;
}

void cul_snapshot_free(struct cul_snapshot *s)
{
	if (!s)
		return;
	free(s->copies.data);
	free(s->room);
	free(s);
}

/*
 * Whether it is the alternate stack of a signal handler, from where a walk goes on to another one.
 * The kernel puts a stack_t there (sigaltstack(2): pointer, flags, size) that says so.
 */
static bool is_alternate(const uint8_t *bytes, size_t size, uint64_t sp)
{
	for (size_t at = 0; at + 3 * sizeof(uint64_t) <= size; at += sizeof(uint64_t)) {
		struct {
			uint64_t start;
			uint32_t flags, unused;
			uint64_t size;
		} s;

		memcpy(&s, bytes + at, sizeof(s));
		if (s.size <= ALTERNATE_MOST && s.start <= sp && sp - s.start < s.size &&
			!(s.flags & ~SS_FLAGS))
			return true;
	}
	return false;
}

bool cul_snapshot_copy(struct cul_snapshot *s, uint64_t addr)
{
	size_t room = s->size - s->used;
	size_t want = room < s->most ? room : s->most;
	uint64_t start = (addr > RED_ZONE ? addr - RED_ZONE : 0) & ~(uint64_t)(PAGE - 1);
	uint64_t page = addr & ~(uint64_t)(PAGE - 1);
	struct copy *c;
	ssize_t n;

	if (start > UINT64_MAX - want || want == 0)
		return false;
	n = cul_sys_process_vm_readv(s->pid, start, s->room + s->used, want);
	if (n == -EFAULT && start < page) {
		start = page;
		n = cul_sys_process_vm_readv(s->pid, start, s->room + s->used, want);
	}
	if (n <= 0)
		return n == -EFAULT;
	c = cul_vec_push(&s->copies);
	if (!c)
		return false;
	*c = (struct copy){.addr = start, .size = (uint64_t)n, .bytes = s->room + s->used};
	s->used += (size_t)n;
	s->sorted = false;
	return (size_t)n < want && !is_alternate(c->bytes, (size_t)n, addr);
}

/* From below `addr` up to where memory ends; of no size: nothing is known of it. */
static struct iovec used_part(const struct cul_maps *maps, uint64_t addr, uint64_t most)
{
	const struct cul_map *map = cul_maps_at(maps, addr);
	uint64_t start = addr & ~(uint64_t)(BELOW - 1), end;

	start = !map || start - map->start < BELOW ? addr & ~(uint64_t)(PAGE - 1) : start - BELOW;
	end = start;
	for (; map && map->prot & CUL_MAP_READ && end - start < most; map = cul_maps_at(maps, end))
		end = map->end;
	return (struct iovec){(void *)(uintptr_t)start, end - start < most ? end - start : most};
}

/* As many as fit and are known of those from `i` on; how many. */
static size_t plan(struct cul_snapshot *s, const struct cul_maps *maps, const uint64_t *addrs,
	size_t n, struct iovec *blocks)
{
	size_t room = s->size - s->used, i;

	for (i = 0; i < n && i < AT_ONCE && room >= s->most; i++) {
		blocks[i] = used_part(maps, addrs[i], s->most);
		if (blocks[i].iov_len == 0)
			break;
		room -= blocks[i].iov_len;
	}
	return i;
}

/* How many of the blocks came whole: they are kept. */
static size_t copy_blocks(struct cul_snapshot *s, const struct iovec *blocks, size_t n)
{
	ssize_t got = n ? cul_sys_process_vm_readv_all(s->pid, blocks, n, s->room + s->used) : 0;
	size_t i;

	for (i = 0; i < n && got >= (ssize_t)blocks[i].iov_len; i++) {
		struct copy *c = cul_vec_push(&s->copies);

		if (!c)
			return i;
		*c = (struct copy){.addr = (uintptr_t)blocks[i].iov_base,
			.size = blocks[i].iov_len,
			.bytes = s->room + s->used};
		s->used += c->size;
		got -= (ssize_t)c->size;
		s->sorted = false;
	}
	return i;
}

static bool is_whole(const struct cul_snapshot *s, size_t i, uint64_t addr)
{
	const struct copy *c = &s->copies.data[i];

	return c->size < s->most && !is_alternate(c->bytes, c->size, addr);
}

void cul_snapshot_copy_all(struct cul_snapshot *s, const struct cul_maps *maps,
	const uint64_t *addrs, bool *whole, size_t n)
{
	struct iovec blocks[AT_ONCE];
	size_t i = 0;

	while (i < n) {
		size_t wanted = plan(s, maps, addrs + i, n - i, blocks);
		size_t first = s->copies.len, done = copy_blocks(s, blocks, wanted);

		for (size_t k = 0; k < done; k++)
			whole[i + k] = is_whole(s, first + k, addrs[i + k]);
		i += done;
		if (done == wanted && wanted > 0)
			continue;
		if (i < n)
			whole[i] = cul_snapshot_copy(s, addrs[i]);
		i++;
	}
}

void cul_snapshot_of(struct cul_snapshot *s, struct cul_mem *live)
{
	s->live = live;
}

void cul_snapshot_until(struct cul_snapshot *s, uint64_t ns)
{
	s->until = ns;
}

bool cul_snapshot_is_late(const struct cul_snapshot *s)
{
	return s->late;
}

void cul_snapshot_close(struct cul_snapshot *s, const struct cul_maps *maps)
{
	s->maps = maps;
}

struct cul_mem *cul_snapshot_mem(struct cul_snapshot *s)
{
	return &s->mem;
}
