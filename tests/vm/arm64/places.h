/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Places in the kernel where a process goes to wait. */
#ifndef PLACES_H
#define PLACES_H

/* Returns when there is no such place, or it could not be reached; errno says why. */
void place_go(const char *name);

#endif
