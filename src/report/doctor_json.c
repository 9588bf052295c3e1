/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/json_parts.h"

#include <errno.h>

static int write_check(struct cul_sink *s, const struct cul_doctor_check *check)
{
	static const char *const answers[] = {
		[CUL_DOCTOR_YES] = "yes",
		[CUL_DOCTOR_PARTLY] = "partly",
		[CUL_DOCTOR_NO] = "no",
		[CUL_DOCTOR_UNTRIED] = "untried",
	};
	cul_autojson struct json_object *o = cul_json_new("check");

	if (!o)
		return -ENOMEM;
	cul_json_string(o, "id", check->id);
	cul_json_string(o, "what", check->what);
	cul_json_string(o, "answer", answers[check->answer]);
	cul_json_string(o, "found", check->found);
	cul_json_string(o, "because", check->because);
	cul_json_string(o, "remedy", check->remedy);
	return cul_json_line((struct cul_json_sink *)s, o);
}

int cul_json_doctor(struct cul_sink *s, const struct cul_doctor_report *report)
{
	cul_autojson struct json_object *o = cul_json_new("machine");
	int r;

	if (!o)
		return -ENOMEM;
	cul_json_string(o, "release", report->release);
	cul_json_string(o, "machine", report->machine);
	cul_json_u64(o, "cpus", report->n_cpus);
	r = cul_json_line((struct cul_json_sink *)s, o);
	for (size_t i = 0; i < report->n_checks && r == 0; i++)
		r = write_check(s, &report->checks[i]);
	return r;
}
