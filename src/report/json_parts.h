/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How the members of JSON lines are written. Inside src/report only.
 *
 * A value that is not known is null; a member that does not apply is absent.
 */
#ifndef CUL_REPORT_JSON_PARTS_H
#define CUL_REPORT_JSON_PARTS_H

#include <json-c/json.h>

#include "report/json.h"

struct cul_json_sink {
	struct cul_sink sink;
	FILE *out;
};

#define cul_autojson __attribute__((cleanup(cul_json_cleanup)))
static inline void cul_json_cleanup(struct json_object **o)
{
	json_object_put(*o);
}

/* Keys are string literals, each used once in an object. */
struct json_object *cul_json_new(const char *type); /* an object with its "type" */
void cul_json_string(struct json_object *o, const char *key, const char *s); /* NULL: null */
void cul_json_append(struct json_object *array, const char *s);
void cul_json_u64(struct json_object *o, const char *key, uint64_t v);
void cul_json_int(struct json_object *o, const char *key, int v);
void cul_json_bool(struct json_object *o, const char *key, bool v);
void cul_json_hex(struct json_object *o, const char *key, uint64_t v);   /* "0x..." */
void cul_json_time(struct json_object *o, const char *key, uint64_t ns); /* seconds, exact */
void cul_json_shown(struct json_object *o, const char *key, const struct cul_shown *v);
void cul_json_access(struct json_object *o, const char *key, enum cul_access_kind access);
/* The members of a place in code, into `o` itself. */
void cul_json_where(struct json_object *o, const struct cul_where *where);
/* The same in an object of its own. */
void cul_json_place(struct json_object *o, const char *key, const struct cul_where *where);
/* "stack": frames, innermost first. */
void cul_json_stack(struct json_object *o, const struct cul_shown_frame *frames, size_t n);
/* "end", and how the command ended; `status` as waitpid gives it, -1: it did not. */
void cul_json_end(struct json_object *o, enum cul_end end, int status);

/* Writes `o` as one line. 0 or a negative errno. */
int cul_json_line(struct cul_json_sink *s, struct json_object *o);

int cul_json_watch_armed(struct cul_sink *s, const struct cul_watch_armed *armed);
int cul_json_watch_hit(struct cul_sink *s, const struct cul_watch_hit *hit);
int cul_json_watch_behind(struct cul_sink *s, const struct cul_watch_behind *behind);
int cul_json_watch_writers(struct cul_sink *s, const struct cul_watch_writer *w, size_t n);
int cul_json_watch_loss(struct cul_sink *s, const struct cul_watch_loss *loss);
int cul_json_probe_attached(struct cul_sink *s, const struct cul_probe_attached *a);
int cul_json_probe_call(struct cul_sink *s, const struct cul_probe_call *call);
int cul_json_probe_rate(struct cul_sink *s, const struct cul_probe_rate *rates, size_t n);
int cul_json_probe_groups(struct cul_sink *s, const struct cul_probe_group *groups, size_t n);
int cul_json_probe_histogram(struct cul_sink *s, const struct cul_probe_histogram *h);
int cul_json_probe_functions(
	struct cul_sink *s, const struct cul_probe_function *f, size_t n, size_t n_silent);
int cul_json_probe_loss(struct cul_sink *s, const struct cul_probe_loss *loss);
int cul_json_stack_about(struct cul_sink *s, const struct cul_stack_about *about);
int cul_json_stack_threads(struct cul_sink *s, const struct cul_stack_threads *threads);
int cul_json_stack_summary(struct cul_sink *s, const struct cul_stack_summary *summary);
int cul_json_doctor(struct cul_sink *s, const struct cul_doctor_report *report);

#endif
