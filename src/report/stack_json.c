/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/json_parts.h"

#include <errno.h>

static void add_strings(
	struct json_object *o, const char *key, const char *const *strings, size_t n)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < n; i++)
		cul_json_append(array, strings[i]);
	json_object_object_add(o, key, array);
}

int cul_json_stack_about(struct cul_sink *s, const struct cul_stack_about *a)
{
	cul_autojson struct json_object *o = cul_json_new("process");

	if (!o)
		return -ENOMEM;
	if (a->pid)
		cul_json_int(o, "pid", a->pid);
	cul_json_string(o, "process", a->process);
	if (a->core)
		cul_json_string(o, "core", a->core);
	if (a->command)
		cul_json_string(o, "command", a->command);
	cul_json_string(o, "arch", a->arch);
	cul_json_u64(o, "threads", a->n_threads);
	if (a->stopped_ns)
		cul_json_time(o, "stopped", a->stopped_ns);
	if (a->signal)
		cul_json_int(o, "signal", a->signal);
	if (a->signal && a->signal_name)
		cul_json_string(o, "signal_name", a->signal_name);
	if (a->reason)
		cul_json_string(o, "reason", a->reason);
	add_strings(o, "notes", a->notes, a->n_notes);
	return cul_json_line((struct cul_json_sink *)s, o);
}

static struct json_object *thread(const struct cul_stack_thread *t)
{
	const char state[] = {t->state, '\0'};
	struct json_object *o = json_object_new_object();

	cul_json_int(o, "tid", t->tid);
	cul_json_int(o, "pid", t->pid);
	cul_json_string(o, "name", t->name);
	cul_json_string(o, "state", t->state ? state : NULL);
	if (t->signal)
		cul_json_int(o, "signal", t->signal);
	if (t->signal && t->signal_name)
		cul_json_string(o, "signal_name", t->signal_name);
	return o;
}

static struct json_object *frame(const struct cul_stack_frame_shown *f)
{
	struct json_object *o = json_object_new_object();

	cul_json_where(o, &f->where);
	if (!f->where.addr) /* the kernel tells the name alone */
		json_object_object_add(o, "addr", NULL);
	if (f->build_id)
		cul_json_string(o, "build_id", f->build_id);
	cul_json_bool(o, "user", f->user);
	cul_json_bool(o, "inlined", f->inlined);
	cul_json_bool(o, "signal", f->signal);
	cul_json_string(o, "method", f->method);
	cul_json_bool(o, "certain", f->certainty == CUL_CERTAIN);
	if (f->times > 1) {
		cul_json_u64(o, "times", f->times);
		cul_json_u64(o, "period", f->period);
	}
	return o;
}

int cul_json_stack_threads(struct cul_sink *s, const struct cul_stack_threads *g)
{
	cul_autojson struct json_object *o = cul_json_new("stack");
	struct json_object *threads, *frames;

	if (!o)
		return -ENOMEM;
	threads = json_object_new_array();
	json_object_object_add(o, "threads", threads);
	for (size_t i = 0; i < g->n_threads; i++)
		json_object_array_add(threads, thread(&g->threads[i]));
	frames = json_object_new_array();
	json_object_object_add(o, "frames", frames);
	for (size_t i = 0; i < g->n_frames; i++)
		json_object_array_add(frames, frame(&g->frames[i]));
	cul_json_u64(o, "depth", g->depth);
	cul_json_string(o, "end", g->end);
	cul_json_string(o, "missing", g->missing);
	return cul_json_line((struct cul_json_sink *)s, o);
}

int cul_json_stack_summary(struct cul_sink *s, const struct cul_stack_summary *m)
{
	cul_autojson struct json_object *o = cul_json_new("summary");

	if (!o)
		return -ENOMEM;
	cul_json_u64(o, "threads", m->n_threads);
	cul_json_u64(o, "stacks", m->n_stacks);
	cul_json_u64(o, "complete", m->n_complete);
	cul_json_u64(o, "truncated", m->n_truncated);
	cul_json_u64(o, "missing", m->n_missing);
	cul_json_u64(o, "likely", m->n_likely);
	return cul_json_line((struct cul_json_sink *)s, o);
}
