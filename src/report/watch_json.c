/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/json_parts.h"

#include <errno.h>

int cul_json_watch_armed(struct cul_sink *s, const struct cul_watch_armed *a)
{
	cul_autojson struct json_object *o = cul_json_new("armed");

	if (!o)
		return -ENOMEM;
	cul_json_string(o, "target", a->target);
	cul_json_string(o, "ctype", a->type);
	cul_json_hex(o, "addr", a->addr);
	cul_json_u64(o, "size", a->size);
	if (a->bit_size) {
		cul_json_u64(o, "bit_offset", a->bit_offset);
		cul_json_u64(o, "bit_size", a->bit_size);
	}
	cul_json_access(o, "access", a->access);
	cul_json_bool(o, "percpu", a->is_percpu);
	if (!a->is_percpu && a->percpu_copy >= 0)
		cul_json_int(o, "copy", a->percpu_copy);
	if (a->pid) {
		cul_json_int(o, "pid", a->pid);
		cul_json_string(o, "process", a->process);
		cul_json_u64(o, "threads", a->n_threads);
	} else {
		cul_json_u64(o, "cpus", a->n_cpus);
	}
	cul_json_u64(o, "cpus_online", a->n_cpus_online);
	cul_json_u64(o, "slots", a->slots);
	cul_json_u64(o, "slots_per_cpu", a->slots_per_cpu);
	cul_json_u64(o, "proved_cpus", a->proved_cpus);
	cul_json_time(o, "hit_cost", a->hit_cost_ns);
	cul_json_shown(o, "value", &a->value);
	if (a->code) {
		struct json_object *code = json_object_new_object();

		cul_json_where(code, a->code);
		json_object_object_add(o, "code", code);
	}
	if (a->note)
		cul_json_string(o, "note", a->note);
	return cul_json_line((struct cul_json_sink *)s, o);
}

static void add_insn(struct json_object *o, const struct cul_insn *insn)
{
	static const char *const certainty[] = {
		[CUL_UNKNOWN] = "unknown",
		[CUL_LIKELY] = "likely",
		[CUL_CERTAIN] = "certain",
	};
	bool found = insn && insn->certainty != CUL_UNKNOWN;

	cul_json_string(o, "insn", found ? insn->text : NULL);
	cul_json_string(o, "certainty", certainty[found ? insn->certainty : CUL_UNKNOWN]);
}

static void add_store(struct json_object *o, const struct cul_watch_hit *h)
{
	struct json_object *store = json_object_new_object();

	cul_json_where(store, &h->store);
	add_insn(store, h->insn);
	if (h->insn && h->insn->certainty != CUL_UNKNOWN && h->insn->width)
		cul_json_u64(store, "width", h->insn->width);
	json_object_object_add(o, "store", store);
}

int cul_json_watch_hit(struct cul_sink *s, const struct cul_watch_hit *h)
{
	cul_autojson struct json_object *o = cul_json_new("hit");

	if (!o)
		return -ENOMEM;
	cul_json_u64(o, "number", h->number);
	cul_json_string(o, "target", h->target);
	cul_json_time(o, "time", h->ns);
	cul_json_int(o, "cpu", h->cpu);
	cul_json_int(o, "pid", h->pid);
	cul_json_int(o, "tid", h->tid);
	cul_json_string(o, "comm", h->comm);
	cul_json_bool(o, "user_mode", h->user_mode);
	cul_json_access(o, "access", h->access);
	cul_json_shown(o, "old", &h->old);
	cul_json_shown(o, "new", &h->new);
	cul_json_bool(o, "old_certain", h->old_certain);
	cul_json_bool(o, "unchanged", h->unchanged);
	cul_json_bool(o, "neighbour", h->neighbour);
	add_store(o, h);
	cul_json_stack(o, h->frames, h->n_frames);
	if (h->same_stack_as)
		cul_json_u64(o, "same_stack_as", h->same_stack_as);
	if (h->expect) {
		cul_json_bool(o, "violation", h->violation);
		cul_json_string(o, "expect", h->expect);
	}
	return cul_json_line((struct cul_json_sink *)s, o);
}

int cul_json_watch_behind(struct cul_sink *s, const struct cul_watch_behind *b)
{
	cul_autojson struct json_object *o = cul_json_new("behind");

	if (!o)
		return -ENOMEM;
	cul_json_string(o, "target", b->target);
	if (b->copy >= 0)
		cul_json_int(o, "copy", b->copy);
	cul_json_time(o, "from", b->from_ns);
	cul_json_time(o, "to", b->to_ns);
	cul_json_shown(o, "old", &b->old);
	cul_json_shown(o, "new", &b->new);
	return cul_json_line((struct cul_json_sink *)s, o);
}

static int write_writer(struct cul_sink *s, const struct cul_watch_writer *w)
{
	cul_autojson struct json_object *o = cul_json_new("writer");
	struct json_object *where = json_object_new_object();
	struct json_object *processes = json_object_new_array();

	if (!o) {
		json_object_put(where);
		json_object_put(processes);
		return -ENOMEM;
	}
	cul_json_string(o, "target", w->target);
	cul_json_where(where, &w->where);
	add_insn(where, w->insn);
	json_object_object_add(o, "where", where);
	cul_json_access(o, "access", w->access);
	cul_json_u64(o, "hits", w->hits);
	cul_json_u64(o, "unchanged", w->unchanged);
	cul_json_u64(o, "neighbour", w->neighbour);
	cul_json_time(o, "first", w->first_ns);
	cul_json_time(o, "last", w->last_ns);
	cul_json_shown(o, "min", &w->min);
	cul_json_shown(o, "max", &w->max);
	cul_json_shown(o, "last_value", &w->last);
	for (size_t i = 0; i < w->n_processes; i++) {
		struct json_object *p = json_object_new_object();

		cul_json_int(p, "pid", w->processes[i].pid);
		cul_json_string(p, "comm", w->processes[i].comm);
		cul_json_u64(p, "hits", w->processes[i].hits);
		json_object_array_add(processes, p);
	}
	json_object_object_add(o, "processes", processes);
	cul_json_bool(o, "guilty", w->guilty);
	return cul_json_line((struct cul_json_sink *)s, o);
}

int cul_json_watch_writers(struct cul_sink *s, const struct cul_watch_writer *w, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = write_writer(s, &w[i]);
	return r;
}

int cul_json_watch_loss(struct cul_sink *s, const struct cul_watch_loss *l)
{
	cul_autojson struct json_object *o = cul_json_new("loss");
	struct json_object *gaps;

	if (!o)
		return -ENOMEM;
	cul_json_end(o, l->end, l->command_status);
	cul_json_time(o, "ran", l->ran_ns);
	cul_json_u64(o, "hits", l->hits);
	cul_json_u64(o, "seen", l->seen);
	cul_json_u64(o, "detailed", l->detailed);
	cul_json_u64(o, "filtered", l->filtered);
	cul_json_u64(o, "dropped", l->dropped);
	cul_json_u64(o, "busy", l->busy);
	cul_json_u64(o, "unattributed", l->unattributed);
	cul_json_u64(o, "unreadable", l->unreadable);
	cul_json_u64(o, "unchanged", l->unchanged);
	cul_json_u64(o, "behind", l->behind);
	cul_json_bool(o, "disarmed", l->disarmed);
	cul_json_u64(o, "max_rate", l->max_rate);
	if (l->expect) {
		cul_json_string(o, "expect", l->expect);
		cul_json_u64(o, "violations", l->violations);
	}
	gaps = json_object_new_array();
	json_object_object_add(o, "gaps", gaps);
	for (size_t i = 0; i < l->n_gaps; i++)
		cul_json_append(gaps, l->gaps[i]);
	return cul_json_line((struct cul_json_sink *)s, o);
}
