/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/json_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "base/alloc.h"
#include "report/escape.h"
#include "report/stream.h"

/* Keys are literals here, and none is used twice in an object: neither copied nor looked for. */
static void put(struct json_object *o, const char *key, struct json_object *v)
{
	json_object_object_add_ex(
		o, key, v, JSON_C_OBJECT_ADD_KEY_IS_NEW | JSON_C_OBJECT_ADD_CONSTANT_KEY);
}

static struct json_object *new_string(const char *s)
{
	cul_autostr struct cul_str utf8 = {0};

	if (!s)
		return NULL;
	if (cul_escape_is_plain(s))
		return json_object_new_string(s);
	cul_escape_utf8(&utf8, s);
	return json_object_new_string(cul_str_text(&utf8));
}

void cul_json_string(struct json_object *o, const char *key, const char *s)
{
	put(o, key, new_string(s));
}

void cul_json_append(struct json_object *array, const char *s)
{
	json_object_array_add(array, new_string(s));
}

void cul_json_u64(struct json_object *o, const char *key, uint64_t v)
{
	put(o, key, json_object_new_uint64(v));
}

void cul_json_int(struct json_object *o, const char *key, int v)
{
	put(o, key, json_object_new_int(v));
}

void cul_json_bool(struct json_object *o, const char *key, bool v)
{
	put(o, key, json_object_new_boolean(v));
}

void cul_json_hex(struct json_object *o, const char *key, uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%" PRIx64, v);
	cul_json_string(o, key, text);
}

void cul_json_time(struct json_object *o, const char *key, uint64_t ns)
{
	char text[40];

	snprintf(text, sizeof(text), "%" PRIu64 ".%09" PRIu64, ns / 1000000000, ns % 1000000000);
	put(o, key, json_object_new_double_s((double)ns / 1e9, text));
}

void cul_json_shown(struct json_object *o, const char *key, const struct cul_shown *v)
{
	struct json_object *number = NULL;
	char *end;

	if (v->text && v->is_number) {
		errno = 0;
		if (*v->text == '-') {
			int64_t n = strtoll(v->text, &end, 10);

			if (!errno && !*end)
				number = json_object_new_int64(n);
		} else {
			uint64_t n = strtoull(v->text, &end, 10);

			if (!errno && *v->text && !*end)
				number = json_object_new_uint64(n);
		}
	}
	if (number)
		put(o, key, number);
	else
		cul_json_string(o, key, v->text);
}

void cul_json_access(struct json_object *o, const char *key, enum cul_access_kind access)
{
	static const char *const names[] = {
		[CUL_ACCESS_NONE] = NULL,
		[CUL_ACCESS_READ] = "read",
		[CUL_ACCESS_WRITE] = "write",
		[CUL_ACCESS_READ_WRITE] = "rw",
		[CUL_ACCESS_EXECUTE] = "exec",
	};

	cul_json_string(o, key, names[access]);
}

void cul_json_where(struct json_object *o, const struct cul_where *w)
{
	cul_json_hex(o, "addr", w->addr);
	cul_json_string(o, "function", w->function);
	cul_json_u64(o, "offset", w->offset);
	cul_json_string(o, "module", w->module);
	cul_json_string(o, "file", w->file);
	if (w->file)
		cul_json_int(o, "line", w->line);
	else
		put(o, "line", NULL);
}

void cul_json_place(struct json_object *o, const char *key, const struct cul_where *where)
{
	struct json_object *place = json_object_new_object();

	cul_json_where(place, where);
	put(o, key, place);
}

void cul_json_stack(struct json_object *o, const struct cul_shown_frame *frames, size_t n)
{
	struct json_object *stack = json_object_new_array();

	for (size_t i = 0; i < n; i++) {
		struct json_object *f = json_object_new_object();

		cul_json_where(f, &frames[i].where);
		cul_json_bool(f, "user", frames[i].user);
		cul_json_string(f, "method", frames[i].method);
		json_object_array_add(stack, f);
	}
	put(o, "stack", stack);
}

void cul_json_end(struct json_object *o, enum cul_end end, int status)
{
	static const char *const ends[] = {
		[CUL_END_SIGNAL] = "signal",
		[CUL_END_TIME] = "time",
		[CUL_END_COUNT] = "count",
		[CUL_END_COMMAND] = "command",
		[CUL_END_PROCESS] = "process",
		[CUL_END_VIOLATION] = "violation",
		[CUL_END_RATE] = "rate",
	};

	cul_json_string(o, "end", ends[end]);
	if (end != CUL_END_COMMAND || status < 0)
		return;
	if (WIFSIGNALED(status))
		cul_json_int(o, "command_signal", WTERMSIG(status));
	else
		cul_json_int(o, "command_exit", WEXITSTATUS(status));
}

struct json_object *cul_json_new(const char *type)
{
	struct json_object *o = json_object_new_object();

	if (o)
		cul_json_string(o, "type", type);
	return o;
}

int cul_json_line(struct cul_json_sink *s, struct json_object *o)
{
	cul_autostr struct cul_str line = {0};
	const char *json = json_object_to_json_string_ext(
		o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);

	if (!json)
		return -ENOMEM;
	cul_escape_json(&line, json);
	cul_str_add(&line, "\n");
	return cul_stream_write(s->out, &line);
}

static void json_free(struct cul_sink *s)
{
	free(s);
}

static const struct cul_sink_ops json_ops = {
	.watch_armed = cul_json_watch_armed,
	.watch_hit = cul_json_watch_hit,
	.watch_behind = cul_json_watch_behind,
	.watch_writers = cul_json_watch_writers,
	.watch_loss = cul_json_watch_loss,
	.probe_attached = cul_json_probe_attached,
	.probe_call = cul_json_probe_call,
	.probe_rate = cul_json_probe_rate,
	.probe_groups = cul_json_probe_groups,
	.probe_histogram = cul_json_probe_histogram,
	.probe_functions = cul_json_probe_functions,
	.probe_loss = cul_json_probe_loss,
	.stack_about = cul_json_stack_about,
	.stack_threads = cul_json_stack_threads,
	.stack_summary = cul_json_stack_summary,
	.doctor = cul_json_doctor,
	.free = json_free,
};

struct cul_sink *cul_json_sink_new(FILE *out)
{
	struct cul_json_sink *s = cul_calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->sink.ops = &json_ops;
	s->out = out;
	return &s->sink;
}
