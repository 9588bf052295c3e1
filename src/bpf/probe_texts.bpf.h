/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Strings that tell groups of calls apart. A part of probe.bpf.c.
 */
#ifndef CUL_BPF_PROBE_TEXTS_H
#define CUL_BPF_PROBE_TEXTS_H

#include "bpf/probe_fetch.bpf.h"

/* A key of many words. */
static __always_inline __u64 mix(__u64 key, __u64 word)
{
	key = (key ^ word) * 0x9e3779b97f4a7c15;
	return key ^ key >> 32;
}

/* Two that have the same key, by chance or by somebody's will, are no one. */
static __always_inline int same_words(const __u64 *a, const __u64 *b, __u64 n)
{
	__u64 differ = 0;

	for (__u32 i = 0; i < n; i++)
		differ |= a[i] ^ b[i];
	return !differ;
}

/* The string that is word `i` of a group's key, until it is known whether there will be a group. */
static __always_inline __u64 *string_at(struct scratch *s, __u32 i)
{
	return (__u64 *)&s->data[i * CUL_PROBE_TEXT];
}

/* Before an expression says which values are strings. */
static __always_inline void forget_texts(struct scratch *s)
{
	if (!want_texts)
		return;
	__builtin_memset(s->event.in.texts, 0, sizeof(s->event.in.texts));
	s->strings = 0;
}

/* Reads it: its key becomes the value. */
static __always_inline void take_text(struct scratch *s, __u32 i, __u64 room)
{
	struct cul_probe_inputs *in = &s->event.in;
	__u64 *words = string_at(s, i);
	__u32 at = CUL_PROBE_BY_AT + i;
	__u64 key = 0;

	__builtin_memset(words, 0, CUL_PROBE_TEXT);
	OPAQUE(room);
	if (room > CUL_PROBE_TEXT)
		room = CUL_PROBE_TEXT;
	if (read_string(words, room, in->values[at]) <= 0) {
		in->faults |= 1ull << at;
		return;
	}
	for (__u32 word = 0; word < CUL_PROBE_TEXT / 8; word++)
		key = mix(key, words[word]);
	in->values[at] = key;
	s->strings |= 1ull << i;
}

/* What stands in the values of --by now. Such views have nothing else in the data yet. */
static __always_inline void take_texts(struct scratch *s)
{
	for (__u32 i = 0; want_texts && i < CUL_PROBE_BY; i++) {
		__u32 at = CUL_PROBE_BY_AT + i;
		__u64 room = s->event.in.texts[at];

		if (i < n_by && room && !(s->event.in.faults >> at & 1))
			take_text(s, i, room);
	}
}

/* A string has a place in the table of strings, and groups are told apart by its key there. */
static __always_inline void keep_text(struct scratch *s, __u32 i)
{
	struct cul_probe_inputs *in = &s->event.in;
	__u64 *words = string_at(s, i), *kept;
	__u64 key = in->values[CUL_PROBE_BY_AT + i];

	kept = bpf_map_lookup_elem(&texts, &key);
	if (!kept) {
		bpf_map_update_elem(&texts, &key, words, BPF_NOEXIST);
		kept = bpf_map_lookup_elem(&texts, &key);
	}
	if (!kept || !same_words(kept, words, CUL_PROBE_TEXT / 8))
		in->faults |= CUL_PROBE_NO_TEXT;
}

/* Of a call that passed all filters: the table has no room for what others are called with. */
static __always_inline void keep_texts(struct scratch *s)
{
	for (__u32 i = 0; want_texts && i < CUL_PROBE_BY; i++)
		if (i < n_by && s->strings >> i & 1)
			keep_text(s, i);
}

static __always_inline void carry_texts(struct cul_probe_open *c, struct scratch *s)
{
	if (!want_texts)
		return;
	c->strings = s->strings;
	for (__u32 i = 0; i < CUL_PROBE_BY; i++)
		if (i < n_by && s->strings >> i & 1)
			__builtin_memcpy(
				&c->payload[i * CUL_PROBE_TEXT], string_at(s, i), CUL_PROBE_TEXT);
}

static __always_inline void recall_texts(struct scratch *s, const struct cul_probe_open *c)
{
	forget_texts(s);
	if (!want_texts)
		return;
	s->strings = c->strings;
	for (__u32 i = 0; i < CUL_PROBE_BY; i++)
		if (i < n_by && s->strings >> i & 1)
			__builtin_memcpy(
				string_at(s, i), &c->payload[i * CUL_PROBE_TEXT], CUL_PROBE_TEXT);
}

#endif
