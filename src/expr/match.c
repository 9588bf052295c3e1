/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "expr/tree.h"

bool cul_match_glob(const char *pattern, size_t pattern_len, const char *s, size_t len)
{
	size_t p = 0, i = 0, star = SIZE_MAX, resume = 0;

	while (i < len) {
		if (p < pattern_len && pattern[p] == '*') {
			star = p++;
			resume = i;
		} else if (p < pattern_len && (pattern[p] == '?' || pattern[p] == s[i])) {
			p++;
			i++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			i = ++resume;
		} else {
			return false;
		}
	}
	while (p < pattern_len && pattern[p] == '*')
		p++;
	return p == pattern_len;
}

enum cul_match_kind cul_match_classify(const struct cul_node *n, const char **start, size_t *len)
{
	const char *star = memchr(n->text, '*', n->text_len);

	*start = n->text;
	*len = n->text_len;
	if (n->op != CUL_OP_MATCH)
		return CUL_MATCH_EXACT;
	if (memchr(n->text, '?', n->text_len))
		return CUL_MATCH_GLOB;
	if (!star)
		return CUL_MATCH_EXACT;
	if (memchr(star + 1, '*', n->text_len - 1 - (size_t)(star - n->text)))
		return CUL_MATCH_GLOB;
	*len = n->text_len - 1u;
	if (star == n->text + *len)
		return CUL_MATCH_PREFIX;
	if (star != n->text)
		return CUL_MATCH_GLOB;
	*start = n->text + 1;
	return CUL_MATCH_SUFFIX;
}

size_t cul_match_room(const struct cul_node *n)
{
	bool array = n->a->type->kind == CUL_KIND_ARRAY && n->a->type->count;
	size_t most = CUL_EXPR_MAX_STRING, len, room = most;
	const char *start;

	if (array && n->a->type->count < most)
		most = n->a->type->count;
	switch (cul_match_classify(n, &start, &len)) {
	case CUL_MATCH_EXACT:
		/* With its NUL; probe_read_str turns the last byte it may write into one. */
		room = len + (array ? 1 : 2);
		break;
	case CUL_MATCH_PREFIX:
		room = len + (array ? 0 : 1);
		break;
	default:
		break;
	}
	return room < most ? room : most;
}
