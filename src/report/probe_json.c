/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/json_parts.h"

#include <errno.h>
#include <inttypes.h>

static struct json_object *add_array(struct json_object *o, const char *key)
{
	struct json_object *array = json_object_new_array();

	json_object_object_add(o, key, array);
	return array;
}

int cul_json_probe_attached(struct cul_sink *s, const struct cul_probe_attached *a)
{
	cul_autojson struct json_object *o = cul_json_new("probing");
	struct json_object *methods, *refused;

	if (!o)
		return -ENOMEM;
	cul_json_string(o, "spec", a->spec);
	cul_json_string(o, "signature", a->signature);
	cul_json_u64(o, "functions", a->n_functions);
	cul_json_u64(o, "sites", a->n_sites);
	cul_json_u64(o, "clones", a->n_clones);
	cul_json_u64(o, "inlined", a->n_inlined);
	methods = add_array(o, "methods");
	for (size_t i = 0; i < a->n_methods; i++) {
		struct json_object *m = json_object_new_object();

		cul_json_string(m, "name", a->methods[i].name);
		cul_json_u64(m, "sites", a->methods[i].n_sites);
		json_object_array_add(methods, m);
	}
	cul_json_u64(o, "refused", a->n_refused);
	refused = add_array(o, "refusals");
	for (size_t i = 0; i < a->n_refused_shown; i++) {
		struct json_object *r = json_object_new_object();

		cul_json_string(r, "function", a->refused[i].function);
		cul_json_string(r, "module", a->refused[i].module);
		cul_json_string(r, "why", a->refused[i].why);
		json_object_array_add(refused, r);
	}
	cul_json_bool(o, "returns", a->returns);
	if (a->pid) {
		cul_json_int(o, "pid", a->pid);
		cul_json_bool(o, "children", a->children);
	}
	if (a->only_pid)
		cul_json_int(o, "only_pid", a->only_pid);
	if (a->pid || a->only_pid)
		cul_json_string(o, "process", a->process);
	if (a->only_cpus)
		cul_json_string(o, "only_cpus", a->only_cpus);
	cul_json_time(o, "took", a->took_ns);
	if (a->note)
		cul_json_string(o, "note", a->note);
	return cul_json_line((struct cul_json_sink *)s, o);
}

static void add_args(
	struct json_object *o, const char *key, const struct cul_probe_arg *args, size_t n)
{
	struct json_object *array = add_array(o, key);

	for (size_t i = 0; i < n; i++) {
		struct json_object *a = json_object_new_object();

		cul_json_string(a, "name", args[i].name);
		cul_json_shown(a, "value", &args[i].value);
		if (!args[i].value.text || args[i].why)
			cul_json_string(a, "why", args[i].why);
		if (args[i].after.text)
			cul_json_shown(a, "after", &args[i].after);
		json_object_array_add(array, a);
	}
}

static void add_regs(struct json_object *o, const struct cul_probe_call *call)
{
	struct json_object *array;

	if (!call->n_regs)
		return;
	array = add_array(o, "regs");
	for (size_t i = 0; i < call->n_regs; i++) {
		struct json_object *r = json_object_new_object();

		cul_json_string(r, "name", call->regs[i].name);
		cul_json_hex(r, "value", call->regs[i].value);
		if (call->regs[i].changed)
			cul_json_hex(r, "before", call->regs[i].before);
		json_object_array_add(array, r);
	}
}

int cul_json_probe_call(struct cul_sink *s, const struct cul_probe_call *call)
{
	static const char *const places[] = {
		[CUL_PLACE_ENTRY] = "entry",
		[CUL_PLACE_CLONE] = "clone",
		[CUL_PLACE_INLINED] = "inlined",
		[CUL_PLACE_INSIDE] = "inside",
		[CUL_PLACE_TRACEPOINT] = "tracepoint",
	};
	cul_autojson struct json_object *o = cul_json_new("call");

	if (!o)
		return -ENOMEM;
	cul_json_u64(o, "number", call->number);
	cul_json_time(o, "time", call->ns);
	cul_json_int(o, "cpu", call->cpu);
	cul_json_int(o, "pid", call->pid);
	cul_json_int(o, "tid", call->tid);
	cul_json_string(o, "comm", call->comm);
	cul_json_place(o, "where", &call->where);
	cul_json_string(o, "place", places[call->place]);
	add_args(o, "args", call->args, call->n_args);
	cul_json_bool(o, "returned", call->returned);
	if (call->returned) {
		cul_json_shown(o, "ret", &call->ret);
		cul_json_string(o, "error", call->error);
		cul_json_time(o, "dur", call->dur_ns);
		if (call->injected)
			cul_json_bool(o, "injected", true);
	}
	if (call->caller.addr)
		cul_json_place(o, "caller", &call->caller);
	add_regs(o, call);
	cul_json_stack(o, call->frames, call->n_frames);
	if (call->same_stack_as)
		cul_json_u64(o, "same_stack_as", call->same_stack_as);
	return cul_json_line((struct cul_json_sink *)s, o);
}

static int write_rate(struct cul_sink *s, const struct cul_probe_rate *rate)
{
	cul_autojson struct json_object *o = cul_json_new("rate");

	if (!o)
		return -ENOMEM;
	cul_json_time(o, "time", rate->ns);
	cul_json_time(o, "span", rate->span_ns);
	cul_json_string(o, "function", rate->function);
	cul_json_string(o, "module", rate->module);
	cul_json_u64(o, "calls", rate->calls);
	cul_json_u64(o, "errors", rate->errors);
	return cul_json_line((struct cul_json_sink *)s, o);
}

int cul_json_probe_rate(struct cul_sink *s, const struct cul_probe_rate *rates, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = write_rate(s, &rates[i]);
	return r;
}

static int write_group(struct cul_sink *s, const struct cul_probe_group *g)
{
	cul_autojson struct json_object *o = cul_json_new("group");

	if (!o)
		return -ENOMEM;
	cul_json_string(o, "function", g->function);
	cul_json_string(o, "module", g->module);
	add_args(o, "by", g->by, g->n_by);
	if (g->pid) {
		cul_json_int(o, "pid", g->pid);
		cul_json_string(o, "comm", g->comm);
	}
	cul_json_u64(o, "calls", g->calls);
	cul_json_u64(o, "errors", g->errors);
	if (g->timed) {
		cul_json_time(o, "dur_sum", g->sum_ns);
		cul_json_time(o, "dur_max", g->max_ns);
	}
	cul_json_stack(o, g->frames, g->n_frames);
	return cul_json_line((struct cul_json_sink *)s, o);
}

int cul_json_probe_groups(struct cul_sink *s, const struct cul_probe_group *groups, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = write_group(s, &groups[i]);
	return r;
}

/* A bound in the unit of the values: seconds of times. No bound: null. */
static void add_bound(struct json_object *o, const char *key, int64_t v, bool is_time)
{
	char text[24];
	const struct cul_shown number = {.text = text, .is_number = true};

	if (v == INT64_MIN || v == INT64_MAX) {
		cul_json_string(o, key, NULL);
	} else if (is_time && v >= 0) {
		cul_json_time(o, key, (uint64_t)v);
	} else {
		snprintf(text, sizeof(text), "%" PRId64, v);
		cul_json_shown(o, key, &number);
	}
}

int cul_json_probe_histogram(struct cul_sink *s, const struct cul_probe_histogram *h)
{
	cul_autojson struct json_object *o = cul_json_new("histogram");
	struct json_object *bars;

	if (!o)
		return -ENOMEM;
	cul_json_string(o, "function", h->function);
	cul_json_string(o, "module", h->module);
	cul_json_string(o, "measure", h->measure);
	cul_json_bool(o, "is_time", h->is_time);
	add_args(o, "by", h->by, h->n_by);
	cul_json_u64(o, "calls", h->count);
	cul_json_u64(o, "unread", h->unread);
	if (h->count) {
		add_bound(o, "min", h->min, h->is_time);
		add_bound(o, "max", h->max, h->is_time);
	}
	bars = add_array(o, "bars");
	for (size_t i = 0; i < h->n_bars; i++) {
		struct json_object *b = json_object_new_object();

		add_bound(b, "low", h->bars[i].low, h->is_time);
		add_bound(b, "high", h->bars[i].high, h->is_time);
		cul_json_u64(b, "calls", h->bars[i].count);
		json_object_array_add(bars, b);
	}
	return cul_json_line((struct cul_json_sink *)s, o);
}

static int write_function(struct cul_sink *s, const struct cul_probe_function *f)
{
	cul_autojson struct json_object *o = cul_json_new("function");

	if (!o)
		return -ENOMEM;
	cul_json_string(o, "function", f->function);
	cul_json_string(o, "module", f->module);
	cul_json_u64(o, "calls", f->calls);
	if (f->returns_known) {
		cul_json_u64(o, "returns", f->returns);
		cul_json_u64(o, "errors", f->errors);
	}
	cul_json_u64(o, "filtered", f->filtered);
	cul_json_u64(o, "matched", f->matched);
	cul_json_u64(o, "missed", f->missed);
	cul_json_u64(o, "missed_returns", f->missed_returns);
	if (f->timed) {
		cul_json_u64(o, "timed", f->timed);
		cul_json_time(o, "dur_sum", f->sum_ns);
		cul_json_time(o, "dur_max", f->max_ns);
	}
	return cul_json_line((struct cul_json_sink *)s, o);
}

int cul_json_probe_functions(
	struct cul_sink *s, const struct cul_probe_function *f, size_t n, size_t n_silent)
{
	cul_autojson struct json_object *o = NULL;
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = write_function(s, &f[i]);
	if (r < 0 || !n_silent)
		return r;
	o = cul_json_new("uncalled");
	if (!o)
		return -ENOMEM;
	cul_json_u64(o, "functions", n_silent);
	return cul_json_line((struct cul_json_sink *)s, o);
}

int cul_json_probe_loss(struct cul_sink *s, const struct cul_probe_loss *l)
{
	cul_autojson struct json_object *o = cul_json_new("loss");
	struct json_object *gaps;

	if (!o)
		return -ENOMEM;
	cul_json_end(o, l->end, l->command_status);
	cul_json_time(o, "ran", l->ran_ns);
	cul_json_u64(o, "calls", l->calls);
	cul_json_u64(o, "matched", l->matched);
	cul_json_u64(o, "filtered", l->filtered);
	cul_json_u64(o, "shown", l->shown);
	cul_json_u64(o, "dropped", l->dropped);
	cul_json_u64(o, "ungrouped", l->ungrouped);
	cul_json_u64(o, "unread", l->unread);
	if (l->injecting)
		cul_json_u64(o, "injected", l->injected);
	cul_json_u64(o, "own", l->own);
	cul_json_u64(o, "unreturned", l->unreturned);
	cul_json_u64(o, "lone", l->lone);
	cul_json_u64(o, "missed", l->missed);
	cul_json_u64(o, "missed_returns", l->missed_returns);
	cul_json_u64(o, "recursion", l->recursion);
	cul_json_bool(o, "misses_known", l->misses_known);
	if (l->misses_unknown_for)
		cul_json_string(o, "misses_unknown_for", l->misses_unknown_for);
	cul_json_time(o, "detached", l->detached_ns);
	gaps = add_array(o, "gaps");
	for (size_t i = 0; i < l->n_gaps; i++)
		cul_json_append(gaps, l->gaps[i]);
	return cul_json_line((struct cul_json_sink *)s, o);
}
