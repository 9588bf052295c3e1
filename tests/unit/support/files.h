/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The descriptors of this process: whether one is left, and which one is a map. */
#ifndef CUL_TEST_FILES_H
#define CUL_TEST_FILES_H

unsigned open_files(void);
/* A map of ours by its name, or -1. The descriptor is the program's own. */
int find_map(const char *name);

#endif
