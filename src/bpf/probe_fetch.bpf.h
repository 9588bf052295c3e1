/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What probe programs copy from memory. A part of probe.bpf.c.
 */
#ifndef CUL_BPF_PROBE_FETCH_H
#define CUL_BPF_PROBE_FETCH_H

#include "bpf/probe_maps.bpf.h"

static __always_inline long read_memory(void *to, __u64 size, __u64 from)
{
	long r = -1;

	if (!user_target)
		r = bpf_probe_read_kernel(to, size, (void *)from);
	return r ? bpf_probe_read_user(to, size, (void *)from) : 0;
}

/* Its length with its end. */
static __always_inline long read_string(void *to, __u64 size, __u64 from)
{
	long r = -1;

	if (!user_target)
		r = bpf_probe_read_kernel_str(to, size, (void *)from);
	if (r >= 0)
		return r;
	r = bpf_probe_read_user_str(to, size, (void *)from);
	/* The end of an empty one is not counted (strncpy_from_user_nofault() of v6.12). */
	return r ? r : 1;
}

/* What lies before the end of the page, when the whole does not. */
static __always_inline long read_part(void *to, __u64 size, __u64 from)
{
	__u64 part = 4096 - (from & 4095);

	if (!read_memory(to, size, from))
		return size;
	OPAQUE(part);
	if (!part || part > CUL_PROBE_FETCH_MOST || part >= size)
		return -14; /* EFAULT */
	return read_memory(to, part, from) ? -14 : part;
}

/* Where a fetch starts. */
static __always_inline __u64 fetch_from(struct scratch *s, const struct cul_probe_recipe *recipe,
	const struct cul_probe_fetch *f, const __s16 *got, __u64 base)
{
	__u64 source = f->source, through = f->through, at;
	__u64 *words = s->event.in.words;

	if (!through) {
		OPAQUE(source);
		if (source >= CUL_PROBE_SOURCES)
			return 0;
		/* words, values and ret are one array */
		return words[source] ? words[source] + f->offset : 0;
	}
	through--;
	OPAQUE(through);
	if (through >= CUL_PROBE_FETCHES || got[through] < (long)f->offset + 8)
		return 0;
	at = recipe->fetch[through].pos + f->offset;
	OPAQUE(at);
	if (at >= CUL_PROBE_PAYLOAD)
		return 0;
	at = *(__u64 *)&s->data[base + (at & ~7ull)];
	return at ? at + f->add : 0;
}

static __always_inline __u64 follow(__u64 from, __u32 offset)
{
	__u64 to = 0;

	bpf_probe_read_kernel(&to, sizeof(to), (void *)(from + offset));
	return to;
}

/* Names of a dentry's file system, when it has none itself: ":pipefs". */
static __always_inline long file_system_name(void *to, __u64 dentry)
{
	__u64 name = follow(
		follow(follow(dentry, offsets.dentry_sb), offsets.sb_type), offsets.type_name);
	long n;

	*(char *)to = ':';
	n = bpf_probe_read_kernel_str(to + 1, NAME_MOST, (void *)name);
	return n > 0 ? n + 1 : -14;
}

/*
 * One step from a dentry up, or through the place where its file system is mounted. 0 at the end,
 * -1 where it cannot go on.
 * Where it stands lies in memory: numbers that the verifier does not know are the same to it in
 * each round, and it follows one.
 */
static __always_inline int step_up(struct walk *w, __u8 *to)
{
	__u64 parent = follow(w->dentry, offsets.dentry_parent);
	__u64 used = w->used, room = CUL_PROBE_FETCH_MOST - used;
	long n;

	if (w->mnt && w->dentry == follow(w->mnt, offsets.mnt_root)) {
		__u64 mount = w->mnt - offsets.mount_mnt;
		__u64 above = follow(mount, offsets.mount_parent);

		if (!above || above == mount)
			return 0;
		w->dentry = follow(mount, offsets.mount_mountpoint);
		w->mnt = above + offsets.mount_mnt;
		return 1;
	}
	if (parent == w->dentry)
		return 0;
	OPAQUE(used);
	if (used >= CUL_PROBE_FETCH_MOST)
		return -1;
	OPAQUE(room);
	if (room > CUL_PROBE_FETCH_MOST)
		return -1;
	n = bpf_probe_read_kernel_str(
		to + used, room, (void *)follow(w->dentry, offsets.dentry_name));
	if (n <= 0)
		return -1;
	w->used += n;
	w->dentry = parent;
	return 1;
}

/* A path that is not whole ends with an empty name, or fills its room. */
static __always_inline long names_up(struct walk *w, __u8 *to, __u64 first)
{
	__u64 used;

	w->more = 1;
	for (int i = 0; i < NAMES_MOST && w->more == 1; i++)
		w->more = step_up(w, to);
	used = w->used;
	if (used && w->more) {
		OPAQUE(used);
		if (used >= CUL_PROBE_FETCH_MOST)
			return CUL_PROBE_FETCH_MOST;
		to[used] = 0;
		return used + 1;
	}
	if (used)
		return used;
	/* The root of everything has a name; what is mounted nowhere has that of its kind. */
	if (w->mnt && follow(follow(first, offsets.dentry_name), 0) & 0xff) {
		to[0] = '/';
		to[1] = 0;
		return 2;
	}
	return file_system_name(to, first);
}

static __always_inline long fetch_path(struct scratch *s, void *to, __u64 from, int is_file)
{
	struct walk *w = &s->walk;

	if (!offsets.known)
		return -95; /* EOPNOTSUPP */
	w->used = 0;
	w->dentry = is_file ? follow(from, offsets.file_dentry) : from;
	w->mnt = is_file ? follow(from, offsets.file_mnt) : 0;
	return names_up(w, to, w->dentry);
}

static __always_inline long fetch_one(
	struct scratch *s, const struct cul_probe_fetch *f, __u64 from, __u64 base)
{
	__u64 pos = f->pos, size = f->size;
	void *to;

	if (!from)
		return -14;
	OPAQUE(pos);
	if (pos >= CUL_PROBE_PAYLOAD)
		return -22;
	to = &s->data[base + pos];
	OPAQUE(size);
	if (!size || size > CUL_PROBE_FETCH_MOST)
		return -22;
	if (f->kind == CUL_FETCH_REGS)
		return bpf_probe_read_kernel(to, size, (void *)from) ? -14 : size;
	if (f->kind == CUL_FETCH_STR)
		return read_string(to, size, from);
	if (f->kind == CUL_FETCH_PATH)
		from -= offsets.file_path; /* as if it lay in a file */
	if (f->kind != CUL_FETCH_MEM)
		return fetch_path(s, to, from, f->kind != CUL_FETCH_DENTRY);
	return read_part(to, size, from);
}

/* What stands for a fetch of this kind at the entry or at the return. */
static __always_inline void fetch(struct scratch *s, const struct cul_probe_recipe *recipe,
	__s16 *got, __u64 base, int at_return)
{
	for (int i = 0; i < CUL_PROBE_FETCHES && i < most_fetches; i++) {
		const struct cul_probe_fetch *f = &recipe->fetch[i];

		if (i >= recipe->n_fetches)
			break;
		/* At the return: what belongs there, and what could not be read before. */
		if (at_return ? !f->at_return && got[i] >= 0 : f->at_return) {
			if (f->at_return)
				got[i] = -61; /* ENODATA: not yet */
			continue;
		}
		got[i] = fetch_one(s, f, fetch_from(s, recipe, f, got, base), base);
	}
}

#endif
