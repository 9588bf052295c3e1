/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/text_parts.h"

enum { ANSWER_WIDTH = 10, INDENT = 12 };

static void add_sentence(struct cul_text_sink *t, const char *label, const char *text)
{
	if (!text)
		return;
	cul_lines_begin(&t->lines, ANSWER_WIDTH, INDENT);
	cul_lines_words(&t->lines, CUL_INK_DIM, label);
	cul_lines_words(&t->lines, CUL_INK_PLAIN, text);
	cul_lines_end(&t->lines);
}

static void add_check(struct cul_text_sink *t, const struct cul_doctor_check *check)
{
	static const struct {
		const char *word;
		enum cul_ink ink;
	} answers[] = {
		[CUL_DOCTOR_YES] = {"can", CUL_INK_GOOD},
		[CUL_DOCTOR_PARTLY] = {"partly", CUL_INK_WARNING},
		[CUL_DOCTOR_NO] = {"cannot", CUL_INK_GUILTY},
		[CUL_DOCTOR_UNTRIED] = {"untried", CUL_INK_WARNING},
	};

	cul_lines_begin(&t->lines, 0, INDENT);
	cul_cell_add(&t->cell, &t->style, answers[check->answer].ink, answers[check->answer].word);
	cul_lines_cell(&t->lines, &t->cell, 0);
	cul_lines_pad(&t->lines, ANSWER_WIDTH);
	cul_lines_words(&t->lines, CUL_INK_CODE, check->what);
	if (check->found) {
		cul_cell_add(&t->cell, &t->style, CUL_INK_PLAIN, "-");
		cul_lines_cell(&t->lines, &t->cell, 1);
		cul_lines_words(&t->lines, CUL_INK_PLAIN, check->found);
	}
	cul_lines_end(&t->lines);
	add_sentence(t, "because", check->because);
	add_sentence(t, "hint:", check->remedy);
}

int cul_text_doctor(struct cul_sink *s, const struct cul_doctor_report *r)
{
	struct cul_text_sink *t = (struct cul_text_sink *)s;

	cul_lines_begin(&t->lines, 0, 2);
	cul_cell_addf(&t->cell, &t->style, CUL_INK_PLAIN, "Linux %s, %s, %u CPU%s", r->release,
		r->machine, r->n_cpus, r->n_cpus == 1 ? "" : "s");
	cul_lines_cell(&t->lines, &t->cell, 0);
	cul_lines_end(&t->lines);
	for (size_t i = 0; i < r->n_checks; i++)
		add_check(t, &r->checks[i]);
	return cul_text_flush(t);
}
