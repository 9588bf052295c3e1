/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/fetches.h"

#include <stdio.h>
#include <string.h>

static uint32_t room_of(const struct cul_probe_fetch *f)
{
	return (f->size + 7u) & ~7u;
}

static void lay_out(struct cul_probe_recipe *r)
{
	r->payload = 0;
	for (unsigned i = 0; i < r->n_fetches; i++) {
		r->fetch[i].pos = (__u16)r->payload;
		r->payload += room_of(&r->fetch[i]);
	}
}

int cul_fetches_add(struct cul_probe_recipe *r, struct cul_probe_fetch f)
{
	if (r->n_fetches == CUL_PROBE_FETCHES || r->payload + room_of(&f) > CUL_PROBE_PAYLOAD)
		return -1;
	r->fetch[r->n_fetches++] = f;
	lay_out(r);
	return (int)r->n_fetches - 1;
}

/* Where it starts, from where its pointer points to. */
static uint32_t start_of(const struct cul_probe_fetch *f)
{
	return f->through ? f->add : f->offset;
}

static bool same_pointer(const struct cul_probe_fetch *a, const struct cul_probe_fetch *b)
{
	return a->through == b->through && a->at_return == b->at_return &&
	       (a->through ? a->offset == b->offset : a->source == b->source);
}

/* Takes it into one that is fetched already, which may grow. */
static bool join(
	struct cul_probe_recipe *r, const struct cul_probe_fetch *f, struct cul_fetched_piece *out)
{
	for (unsigned i = 0; i < r->n_fetches; i++) {
		struct cul_probe_fetch *g = &r->fetch[i];
		uint32_t from = start_of(f) - start_of(g), end = from + f->size;
		__u16 before = g->size;

		if (g->kind != CUL_FETCH_MEM || !same_pointer(f, g) || start_of(f) < start_of(g) ||
			end > CUL_PROBE_FETCH_MOST)
			continue;
		if (end > g->size)
			g->size = (__u16)end;
		lay_out(r);
		if (r->payload <= CUL_PROBE_PAYLOAD) {
			*out = (struct cul_fetched_piece){(int)i, (uint16_t)from, f->size};
			return true;
		}
		g->size = before;
		lay_out(r);
	}
	return false;
}

static bool add_piece(
	struct cul_probe_recipe *r, struct cul_probe_fetch f, struct cul_fetched_piece *out)
{
	int fetch;

	if (f.kind == CUL_FETCH_MEM && join(r, &f, out))
		return true;
	fetch = cul_fetches_add(r, f);
	if (fetch >= 0)
		*out = (struct cul_fetched_piece){fetch, 0, f.size};
	return fetch >= 0;
}

/* Moves to a member; false when it is too far off, or no whole bytes. */
static bool step(struct cul_probe_fetch *f, const struct cul_type **t, const char *name)
{
	uint64_t to;
	struct cul_member m;

	if (cul_type_member(*t, name, &m, NULL) || m.bit_size || m.bit_offset % 8 || !m.type)
		return false;
	to = start_of(f) + m.bit_offset / 8;
	if (to > UINT16_MAX)
		return false;
	if (f->through)
		f->add = (__u16)to;
	else
		f->offset = (__u16)to;
	*t = m.type;
	/* The first of several structs stands for them. */
	while ((*t)->kind == CUL_KIND_ARRAY && !cul_type_to(*t, &m.type, NULL) &&
		m.type->kind == CUL_KIND_STRUCT)
		*t = m.type;
	return true;
}

/* Through the pointer that lies where `f` is now. */
static bool follow(struct cul_probe_recipe *r, struct cul_probe_fetch *f, const struct cul_type **t)
{
	struct cul_fetched_piece pointer;

	if ((*t)->kind != CUL_KIND_PTR || (*t)->size != 8 || cul_type_to(*t, t, NULL))
		return false;
	f->kind = CUL_FETCH_MEM;
	f->size = 8;
	if (!add_piece(r, *f, &pointer) || pointer.offset % 8)
		return false;
	*f = (struct cul_probe_fetch){.through = (__u8)(pointer.fetch + 1),
		.at_return = f->at_return,
		.offset = pointer.offset};
	return true;
}

static bool walk(struct cul_probe_recipe *r, struct cul_probe_fetch *f, const struct cul_type **t,
	const char *path)
{
	char name[64];

	while (*path) {
		size_t n = strcspn(path, ".-");

		snprintf(name, sizeof(name), "%.*s", (int)n, path);
		if (!step(f, t, name))
			return false;
		path += n;
		if (*path == '.') {
			path++;
		} else if (*path) { /* "->" */
			path += 2;
			if (!follow(r, f, t))
				return false;
		}
	}
	return true;
}

bool cul_fetches_piece(struct cul_probe_recipe *r, struct cul_probe_fetch base,
	const struct cul_type *t, const struct cul_familiar_piece *piece,
	struct cul_fetched_piece *out)
{
	const struct cul_probe_recipe before = *r;
	struct cul_probe_fetch f = base;
	uint64_t size;

	if (walk(r, &f, &t, piece->path)) {
		size = piece->size ? piece->size : t->size;
		f.kind = piece->text ? CUL_FETCH_STR : CUL_FETCH_MEM;
		f.size = (__u16)size;
		if (size && size <= CUL_PROBE_FETCH_MOST && add_piece(r, f, out))
			return true;
	}
	*r = before;
	out->fetch = -1;
	return false;
}
