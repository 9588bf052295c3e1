/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "worlds.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "program.h"

enum { PAGE = 4096 };

/* Nothing is mapped there: the ends of what user and kernel addresses may be (x86_64). */
static const uint64_t user_first = 1ull << 32, user_end = 1ull << 47, kernel_first = 0xffull << 56;

enum answer { BYTES, FAULT, UNKNOWN };

static bool inside(uint64_t addr, size_t size, uint64_t start, uint64_t room)
{
	return addr >= start && addr - start <= room && size <= room - (addr - start);
}

/* What bpf_probe_read_kernel gives; user addresses it refuses (mm/maccess.c). */
static enum answer read_kernel(struct worlds *w, uint64_t addr, void *buf, size_t size)
{
	if (inside(addr, size, w->view_at, VIEW_SIZE)) {
		memcpy(buf, w->view + (addr - w->view_at), size);
		return BYTES;
	}
	/* Behind the pages of the map is one that guards them. */
	if (addr < kernel_first || inside(addr, 1, w->view_at, VIEW_SIZE + PAGE))
		return FAULT;
	return UNKNOWN;
}

/* What bpf_probe_read_user gives; kernel addresses it refuses. */
static enum answer read_user(struct worlds *w, uint64_t addr, void *buf, size_t size)
{
	uint64_t pages = (uintptr_t)w->user.pages, reserved = (uintptr_t)w->user.reserved;

	if (inside(addr, size, pages, w->user.size)) {
		memcpy(buf, w->user.pages + (addr - pages), size);
		return BYTES;
	}
	if (addr < user_first || addr >= user_end || inside(addr, size, reserved, 1ull << 40))
		return FAULT;
	return UNKNOWN;
}

static int read_mem(struct cul_mem *mem, uint64_t addr, void *buf, size_t size)
{
	struct worlds *w = (struct worlds *)mem;
	enum answer got = FAULT;

	if (w->memory != CUL_BPF_USER)
		got = read_kernel(w, addr, buf, size);
	if (w->memory != CUL_BPF_KERNEL && got == FAULT)
		got = read_user(w, addr, buf, size);
	w->unknown |= got == UNKNOWN;
	return got == BYTES ? 0 : -EFAULT;
}

static const struct cul_mem_ops ops = {.read = read_mem};

/* The names of the world that is home, and one of our own: a struct that is handed over. */
static int find_name(void *data, const char *name, struct cul_name *out, struct cul_error *err)
{
	struct worlds *w = data;

	if (strcmp(name, "whole"))
		return w->home->env.name(w->home, name, out, err);
	out->kind = CUL_NAME_INPUT;
	out->type = w->user.env.type(&w->user, CUL_TAG_STRUCT, "account");
	out->input = INPUT_WHOLE;
	return 0;
}

static const struct cul_type *find_type(void *data, enum cul_tag tag, const char *name)
{
	struct worlds *w = data;

	return w->home->env.type(w->home, tag, name);
}

static void *map(const char *name, size_t size, int *fd)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	size_t whole = (size + PAGE - 1) & ~(size_t)(PAGE - 1);
	void *at;

	*fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, name, 4, (uint32_t)size, 1, &opts);
	if (*fd < 0)
		return NULL;
	at = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	return at == MAP_FAILED ? NULL : at;
}

/* Where the image's map lies: a program of ours tells it. */
static int find_view(struct worlds *w)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	int fd = program_load_address_of(w->image_fd, w->scratch_fd), r;

	if (fd < 0)
		return fd;
	r = bpf_prog_test_run_opts(fd, &opts) ? -errno : 0;
	close(fd);
	memcpy(&w->view_at, w->scratch, sizeof(w->view_at));
	return r;
}

int worlds_new(struct worlds *w)
{
	int r;

	memset(w, 0, sizeof(*w));
	w->scratch = map("scratch", sizeof(struct scratch), &w->scratch_fd);
	w->view = w->scratch ? map("image", VIEW_SIZE, &w->image_fd) : NULL;
	if (!w->view)
		return -errno;
	r = find_view(w);
	if (!r)
		r = fake_new(&w->user);
	if (r)
		return r;
	/* A program does not wait for a page to be brought in. */
	if (mlock(w->user.pages, w->user.size))
		return -errno;
	w->kernel = w->user;
	w->kernel.pages = w->view + VIEW_SIZE / 2;
	w->kernel.image = (struct image *)w->kernel.pages;
	w->kernel.bias = w->view_at - (uintptr_t)w->view;
	w->mem.ops = &ops;
	w->env = w->user.env;
	w->env.name = find_name;
	w->env.type = find_type;
	w->env.data = w;
	memcpy(w->layout, fake_layout, sizeof(fake_layout));
	w->layout[INPUT_WHOLE] = (struct cul_bpf_input){
		offsetof(struct scratch, account), 0, sizeof(struct account)};
	return 0;
}

void worlds_free(struct worlds *w)
{
	fake_free(&w->user);
	close(w->scratch_fd);
	close(w->image_fd);
}

void worlds_choose(struct worlds *w, enum cul_bpf_memory memory, bool kernel_is_home)
{
	w->memory = memory;
	w->home = kernel_is_home ? &w->kernel : &w->user;
}

/* Pointers into the other world, or to nothing. */
static void mix_pointers(struct fake *f, struct fake *other, uint64_t *seed)
{
	static const uint64_t nowhere[] = {
		0, 8, 1ull << 47, INT64_MAX, 1ull << 63, 0xdead000000000100};
	struct account *a = &f->image->acct;
	uint64_t chance = random_next(seed);

	if (!(chance & 7))
		f->image->p = (void *)(uintptr_t)nowhere[chance >> 8 & 3];
	else if (!(chance & 6))
		f->image->p = fake_at(other, &other->image->acct);
	if (!(chance >> 16 & 3))
		a->next = fake_at(other, &other->image->acct);
	if (!(chance >> 18 & 3))
		f->in.q = fake_at(other, &other->image->acct);
	if (!(chance >> 20 & 7))
		f->in.q = (void *)(uintptr_t)nowhere[chance >> 24 & 3];
	if (!(chance >> 32 & 3))
		f->in.filename = fake_at(other, other->image->text);
	if (!(chance >> 34 & 7))
		f->in.filename = (void *)(uintptr_t)nowhere[(chance >> 40) % 6];
	if (!(chance >> 48 & 3))
		a->str = fake_at(other, other->image->acct.name);
	if (!(chance >> 50 & 7))
		f->in.ul = 0xffffffff81000000 + (chance >> 56);
}

void worlds_shake(struct worlds *w, uint64_t *seed)
{
	struct scratch *s = w->scratch;

	random_world(&w->user, seed);
	random_world(&w->kernel, seed);
	mix_pointers(&w->user, &w->kernel, seed);
	mix_pointers(&w->kernel, &w->user, seed);
	fake_inputs(w->home);
	s->in = w->home->in;
	s->fault = 0;
	s->result = 0x5555555555555555;
	memcpy(s->account, random_next(seed) & 1 ? &w->user.image->acct : &w->kernel.image->acct,
		sizeof(s->account));
	memcpy(w->inputs, w->home->values, sizeof(w->home->values));
	w->inputs[INPUT_WHOLE] = (uintptr_t)s->account;
	w->unknown = false;
	w->run = (struct cul_expr_run){&w->mem, w->inputs, WORLD_INPUTS, w->home->percpu_offset};
}
