/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/nearest.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

enum { NO_MATCH = 1000, SHORTEST_PART = 4 };

void cul_nearest_init(struct cul_nearest *near, const char *wanted)
{
	memset(near, 0, sizeof(*near));
	near->wanted = wanted;
	near->wanted_len = strlen(wanted);
	near->max_distance = near->wanted_len < 4 ? 1 : near->wanted_len < 8 ? 2 : 3;
}

/* A typo counts its edits; a name that contains the wanted one, or the reverse, its extra length.
 */
static unsigned score(const struct cul_nearest *near, const char *name)
{
	size_t len = strlen(name), less = len, more = near->wanted_len;
	const char *outer = near->wanted, *inner = name;
	unsigned distance;

	if (len > more) {
		outer = name;
		inner = near->wanted;
		less = near->wanted_len;
		more = len;
	}
	if (more - less <= near->max_distance) {
		distance = cul_edit_distance(near->wanted, name, near->max_distance);
		if (distance <= near->max_distance)
			return 2 * distance;
	}
	if (less >= SHORTEST_PART && less * 4 >= more && strstr(outer, inner))
		return 3 + (unsigned)(more - less) / 2 + (strncmp(outer, inner, less) != 0);
	return NO_MATCH;
}

void cul_nearest_offer(struct cul_nearest *near, const char *name)
{
	unsigned s = score(near, name);
	size_t at = near->n;

	if (s == NO_MATCH)
		return;
	while (at > 0 && s < near->best[at - 1].score)
		at--;
	if (at == CUL_NEAREST_MAX)
		return;
	for (size_t i = 0; i < near->n; i++) {
		if (!strcmp(near->best[i].name, name))
			return;
	}
	if (near->n < CUL_NEAREST_MAX)
		near->n++;
	memmove(&near->best[at + 1], &near->best[at], (near->n - 1 - at) * sizeof(near->best[0]));
	near->best[at].name = name;
	near->best[at].score = s;
}

const char *cul_nearest_text(const struct cul_nearest *near, char *buf, size_t size)
{
	size_t len = 0;

	if (size > 0)
		buf[0] = '\0';
	for (size_t i = 0; i < near->n; i++) {
		const char *before = i ? ", " : "; nearest: ";
		int n = snprintf(buf + len, size - len, "%s%s", before, near->best[i].name);

		if (n < 0 || (size_t)n >= size - len) {
			buf[len] = '\0';
			break;
		}
		len += (size_t)n;
	}
	return buf;
}
